//! Deployments and rollbacks by the verbs, over three real hosts behind a real HAProxy, of a service that does not hear SIGTERM, under sixty
//! clients that keep their connections and never ask twice: not one request may fail. Then the same change timed, beside other ways.
//!
//! `QD_FULL=1`, which `make prove` sets: every strategy at full length, and the other ways.

mod others;
mod shop;

use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

use self::shop::{Gone, HOSTS, Shop};
use crate::load::{Load, Manner};

const CLIENTS: usize = 60;
/// So many requests at full length.
const FULL: u64 = 100_000;
/// So many around each change in the short form.
const AROUND: u64 = 200;

/// What a way of changing cost.
struct Figures {
    way: &'static str,
    took: Duration,
    requests: u64,
    failed: u64,
}

/// Clients; so many of them ask for slow pages too.
fn manner(slow: usize) -> Manner {
    Manner { clients: CLIENTS, every: Duration::from_millis(40), posts: true, slow }
}

fn is_full() -> bool {
    std::env::var_os("QD_FULL").is_some()
}

#[test]
fn no_request_fails_on_the_way_there_and_back() {
    let _turn = crate::lab::turn();
    let mut shop = match Shop::open("zero") {
        Ok(shop) => shop,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    shop.publish(&[1, 2, 3]);
    shop.template("rolling", "0s");
    shop.deploy(1);
    shop.is_on(1);
    let begun = Instant::now();
    let load = Load::start(shop.front(8080), manner(6));
    load.until(AROUND);
    let strategies = match is_full() {
        true => &["rolling", "blue-green by colour", "blue-green by host", "canary"][..],
        false => &["rolling", "blue-green by colour"],
    };
    let mut to = 2;
    for strategy in strategies {
        for warm in if is_full() { &["10m", "0s"][..] } else { &["10m"] } {
            there_and_back(&mut shop, &load, strategy, warm, to);
            to = 5 - to;
        }
    }
    if is_full() {
        one_host_after_the_other(&mut shop, &load, to);
        load.until(FULL);
    }
    let tale = load.end();
    println!(
        "{} of {} requests failed in {:.0} s ({} posted, {} of 4 s), {CLIENTS} clients that never ask twice",
        tale.failed,
        tale.requests,
        begun.elapsed().as_secs_f64(),
        tale.posts,
        tale.slow
    );
    assert_eq!((tale.failed, &tale.failures), (0, &Vec::new()));
    assert!(tale.posts * 5 > tale.requests && tale.slow > 0, "{tale:?}");
    if is_full() {
        all_at_once(&mut shop, 5 - to);
    }
}

/// On to a version and back to the first one, by this strategy.
fn there_and_back(shop: &mut Shop, load: &Load, strategy: &str, warm: &str, to: u32) {
    shop.template(strategy, warm);
    let told = |shop: &Shop, what: &str, gone: &Gone, (count, failed): (u64, u64), from: u32| {
        let (requests, missed) = (load.count() - count, load.failed() - failed);
        let switched = load.last_of(from as usize, gone.begun);
        let record = shop.recorded(&gone.id);
        println!(
            "{strategy}, keep-warm {warm}, {what}: {:.2} s, the old version's last request began after {:.2} s; {missed} of {requests} failed; \
             recorded: {} of {}, p99 {} ms",
            gone.took.as_secs_f64(),
            switched.as_secs_f64(),
            record["failed"],
            record["requests"],
            record["p99_ms"],
        );
        assert!(record["requests"].as_u64().is_some_and(|requests| requests > 0), "{record}");
        assert_eq!(record["failed"], 0, "{record}");
        assert!(record["p99_ms"].as_f64().is_some(), "{record}");
    };
    let before = (load.count(), load.failed());
    let gone = shop.deploy(to);
    shop.is_on(to);
    load.more(AROUND);
    told(shop, "there", &gone, before, 1);
    let before = (load.count(), load.failed());
    let gone = shop.rollback();
    let speed = if warm == "0s" { "start" } else { "flip" };
    assert!(gone.out.contains("by the kept"), "{speed}: {}", gone.out);
    shop.is_on(1);
    load.more(AROUND);
    told(shop, "back", &gone, before, to);
}

/// With `recreate` a host's own container goes down first; host by host the others answer meanwhile.
fn one_host_after_the_other(shop: &mut Shop, load: &Load, to: u32) {
    shop.template("recreate", "0s");
    let before = (load.count(), load.failed());
    let release = shop.release(to).to_owned();
    let begun = Instant::now();
    for host in HOSTS {
        shop.go(&["deploy", "shop", "production", "--release", &release, "--on", host, "--yes"]);
    }
    shop.is_on(to);
    load.more(AROUND);
    let (requests, failed) = (load.count() - before.0, load.failed() - before.1);
    println!("recreate, a host at a time: {:.2} s; {failed} of {requests} failed", begun.elapsed().as_secs_f64());
}

/// With `recreate` of all hosts nobody is there for a while, and that is all: what was under way is answered.
fn all_at_once(shop: &mut Shop, to: u32) {
    shop.template("recreate", "0s");
    let load = Load::start(shop.front(8080), manner(6));
    load.until(AROUND);
    let gone = shop.deploy(to);
    load.more(AROUND);
    let tale = load.end();
    println!(
        "recreate of all hosts: {:.2} s; of {} requests {} found nobody there and {} failed otherwise",
        gone.took.as_secs_f64(),
        tale.requests,
        tale.refused,
        tale.failed - tale.refused
    );
    assert_eq!(tale.failed, tale.refused, "what was under way is answered: {:?}", tale.failures);
    shop.is_on(to);
}

#[test]
fn a_change_is_quick() {
    let _turn = crate::lab::turn();
    if !is_full() {
        // Figures of a machine that does other things at the same time are none.
        return;
    }
    let mut shop = match Shop::open("quick") {
        Ok(shop) => shop,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    shop.publish(&[1, 2, 3]);
    shop.template("rolling", "10m");
    shop.deploy(1);
    let load = Load::start(shop.front(8080), manner(0));
    load.until(AROUND);
    let mut worst = Figures { way: "quarterdeck, rolling", took: Duration::ZERO, requests: 0, failed: 0 };
    let mut flips = Vec::new();
    for (round, to) in [2, 3, 2].into_iter().enumerate() {
        let count = load.count();
        let gone = shop.deploy(to);
        load.more(AROUND);
        let switched = load.last_of(1, gone.begun);
        println!(
            "rolling over three hosts, round {round}: {:.2} s from the yes to good, the old version's last request began after {:.2} s",
            gone.took.as_secs_f64(),
            switched.as_secs_f64()
        );
        if gone.took > worst.took {
            (worst.took, worst.requests) = (gone.took, load.count() - count);
        }
        let gone = shop.rollback();
        load.more(AROUND);
        let switched = load.last_of(to as usize, gone.begun);
        println!(
            "its warm rollback: the newer version's last request began {:.3} s after the yes; {:.2} s to good",
            switched.as_secs_f64(),
            gone.took.as_secs_f64()
        );
        flips.push(switched);
        shop.is_on(1);
    }
    let tale = load.end();
    assert_eq!((tale.failed, &tale.failures), (0, &Vec::new()));
    let all = [others::swarm(&shop, 1, 2), others::shell_loop(&shop, 1, 2)];
    println!("{:<34}{:>8}{:>10}{:>10}", "one change over three hosts", "SECONDS", "REQUESTS", "FAILED");
    for figures in [&worst].into_iter().chain(&all) {
        println!("{:<34}{:>8.1}{:>10}{:>10}", figures.way, figures.took.as_secs_f64(), figures.requests, figures.failed);
    }
    assert!(worst.took <= Duration::from_secs(6), "{:?}", worst.took);
    flips.sort();
    assert!(flips[flips.len() / 2] <= Duration::from_millis(300), "{flips:?}");
}

/// A balancer that is restarted in the middle of a switch: with its state written down the run goes on; without, it stands still and says so.
#[test]
fn a_balancer_that_restarts_loses_nobody() {
    let _turn = crate::lab::turn();
    let mut shop = match Shop::open("balance") {
        Ok(shop) => shop,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    shop.publish(&[1, 2]);
    shop.template("rolling", "0s");
    shop.deploy(1);

    let ended = restarted_meanwhile(&mut shop, 2, true);
    assert_eq!(ended.0, Some(0), "{}", ended.1);
    shop.is_on(2);

    shop.configure(false);
    let (code, told) = restarted_meanwhile(&mut shop, 1, false);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("parked") && told.contains("was restarted meanwhile and forgot") && told.contains("traffic sync"), "{told}");
    let id = told.lines().find_map(|line| line.strip_prefix("deployment ")?.split(' ').next()).unwrap().to_owned();
    let synced = shop.run(&["traffic", "sync", "--yes"]);
    assert_eq!(synced.code, Some(0), "{synced:?}");
    assert!(shop.haproxy.ready("shop_web").len() >= HOSTS.len(), "{:?}", shop.haproxy.servers("shop_web"));
    let resumed = shop.run(&["deployment", "resume", &id, "--alive", "--yes"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    shop.is_on(1);
    println!("a balancer restarted in mid-switch: goes on with its state, parks without, and is carried on after `traffic sync`");
}

/// A deployment, in whose middle HAProxy is killed and started again; its exit code and all it said.
fn restarted_meanwhile(shop: &mut Shop, to: u32, remembers: bool) -> (Option<i32>, String) {
    let release = shop.release(to).to_owned();
    let mut command = shop.program.command(&["deploy", "shop", "production", "--release", &release, "--yes"]);
    let mut child = command.spawn().unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        told.push_str(&line);
        told.push('\n');
        // The first host is switched, and the second is at it.
        if line.contains("app-02 start ") {
            shop.haproxy.stop();
            if !remembers {
                let _ = std::fs::remove_file(shop.haproxy.dir().join("state"));
            }
            shop.haproxy.start();
        }
    }
    let output = child.wait_with_output().unwrap();
    told.push_str(&String::from_utf8_lossy(&output.stdout));
    (output.status.code(), told)
}
