//! What a deployment does when it is killed, again and again, and when the world around it breaks: never fewer serve than its plan promised, nothing
//! is there twice, nothing is left lying about, and the ledger tells the truth.

use std::{io::Read as _, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;

use crate::{
    program::Ended,
    stand::{ELSEWHERE, HOSTS, Haproxy, Lot, SICK, Shape, Stand, Tap, WELL, is_full, wait_for},
};

const ROLLING: &str = r#"{ kind = "rolling", batch = 1, pause = "0s", bake = "0s", keep-warm = "0s" }"#;
const RECREATE: &str = r#"{ kind = "recreate", bake = "0s", keep-warm = "0s" }"#;
const BLUE_GREEN: &str = r#"{ kind = "blue-green", bake = "0s", keep-warm = "0s" }"#;
const CANARY: &str = r#"{ kind = "canary", steps = [{ weight = 20, bake = "1s" }, { weight = 60, bake = "1s" }], compare = { errors = 10.0, latency = 10.0, min-requests = 5 }, bake = "0s", keep-warm = "0s" }"#;
/// Before the balancer `edge`.
const TRAFFIC: &str = r#"traffic = { lb = "edge", backend = "shop_web", port = 80 }"#;
/// A run that is killed more often than it has steps is left alone.
const ENOUGH: usize = 150;

/// How a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Resume,
    Unwind,
}

/// Whether the ledger, the audit and the hosts agree about how the last deployment ended.
fn settled(stand: &Stand, id: &str, state: &str) {
    let last = stand.last();
    assert_eq!((last["id"].as_str(), last["state"].as_str()), (Some(id), Some(state)), "{last:#}");
    for host in HOSTS {
        stand.is_tidy(host);
    }
    stand.good(&["audit", "--verify"]);
}

/// An engine that restarts brings nothing back that should be away.
fn no_doubles_after_a_restart(stand: &Stand, host: &str, version: &str) {
    stand.lab.fault("kill9", host);
    stand.lab.fault("restart", host);
    wait_for("the return of the containers", || stand.containers(host, "web").iter().any(|row| row["State"] == "running"));
    stand.is_on_these(&[host], version);
}

struct Kills<'a> {
    stand: &'a Stand,
    lot: &'a mut Lot,
    /// `None`: after every line; else so many times, each after a few lines.
    times: Option<usize>,
}

impl Kills<'_> {
    /// One run's next death: after so many lines, and then perhaps a little later.
    fn next(&mut self) -> (usize, Duration) {
        let lines = if self.times.is_some() { 1 + self.lot.below(6) } else { 1 };
        let later = if self.lot.below(2) == 0 { 0 } else { self.lot.below(250) };
        (usize::try_from(lines).unwrap(), Duration::from_millis(later))
    }

    /// Deploys with one death after the other until it ends by itself.
    fn pass(&mut self, name: &str, to: &str, way: Way) -> Ended {
        let stand = self.stand;
        let promised = stand.promised(to);
        let watch = stand.watch();
        let (mut kills, mut id): (usize, Option<String>) = (0, None);
        let ended = loop {
            let is_enough = kills >= self.times.unwrap_or(ENOUGH);
            let (lines, later) = self.next();
            let verb = if way == Way::Resume { "resume" } else { "unwind" };
            let args = match &id {
                None => vec!["deploy", "shop", "production", "--release", to, "--yes"],
                Some(id) => vec!["deployment", verb, id.as_str(), "--alive", "--yes"],
            };
            // The first death is well inside, or there would be little to take back.
            let lines = if id.is_none() { lines + 8 } else { lines };
            match stand.until(&args, |count, _| !is_enough && count >= lines) {
                Ok(started) => {
                    std::thread::sleep(later);
                    kills += 1;
                    // It may have ended in the meantime: then the next one has nothing to do but to say so.
                    id = stand.kill(started).or(id);
                    id = Some(id.unwrap_or_else(|| stand.last()["id"].as_str().unwrap().to_owned()));
                }
                Err(ended) => break ended,
            }
        };
        let (fewest, looks) = watch.fewest(&[]);
        println!("{name}, {way:?}: killed {kills} times; at least {fewest} served, {promised} promised, looked {looks} times");
        assert!(fewest >= promised, "{name} {way:?}: {fewest} of {promised}: {ended:?}");
        ended
    }
}

#[test]
fn killed_again_and_again() {
    let _turn = crate::lab::turn();
    let stand = match Stand::raise("kills", &[], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let haproxy = if is_full() { Haproxy::start(&stand) } else { None };
    if let Some(haproxy) = &haproxy {
        stand.configure("state", &haproxy.config());
    }
    let _load = haproxy.as_ref().map(Haproxy::load);
    let mut strategies = vec![("rolling", ROLLING, ""), ("recreate", RECREATE, "")];
    if is_full() {
        strategies.push(("blue-green", BLUE_GREEN, ""));
    }
    if haproxy.is_some() {
        strategies.extend([
            ("rolling, balanced", ROLLING, TRAFFIC),
            ("blue-green, balanced", BLUE_GREEN, TRAFFIC),
            ("canary", CANARY, TRAFFIC),
        ]);
    }
    let mut lot = Lot::seeded();
    let mut n = 0;
    let mut version = |stand: &Stand| {
        n += 1;
        stand.push(n, WELL)
    };
    for (index, (name, strategy, web)) in strategies.into_iter().enumerate() {
        let shape = Shape { strategy: strategy.to_owned(), web: web.to_owned(), ..Shape::default() };
        // The balancer's backend is filled and emptied with the app's own.
        stand.shape(&Shape { strategy: RECREATE.to_owned(), ..shape.clone() });
        let old = version(&stand);
        stand.good(&["deploy", "shop", "production", "--release", &old, "--yes"]);
        stand.shape(&shape);
        let times = if is_full() { None } else { Some(2) };
        let ways = if is_full() { &[Way::Unwind, Way::Resume][..] } else { &[[Way::Resume, Way::Unwind][index % 2]] };
        for way in ways {
            let new = version(&stand);
            let ended = Kills { stand: &stand, lot: &mut lot, times }.pass(name, &new, *way);
            let id = stand.last()["id"].as_str().unwrap().to_owned();
            let (code, state, there) = if *way == Way::Resume { (0, "good", &new) } else { (1, "unwound", &old) };
            assert_eq!(ended.code, Some(code), "{name} {way:?}: {ended:?}");
            stand.is_on(there);
            settled(&stand, &id, state);
            no_doubles_after_a_restart(&stand, "app-02", there);
        }
    }
}

/// A version that does not do: it is taken back, and whoever asks is told where, why, and what to do.
fn taken_back(stand: &Stand, name: &str, bad: &str, old: &str, cause: &str) {
    let promised = stand.promised(bad);
    let watch = stand.watch();
    let ended = stand.deploy(bad);
    let (fewest, looks) = watch.fewest(&[]);
    println!("{name}: at least {fewest} served, {promised} promised, looked {looks} times");
    assert!(fewest >= promised, "{name}: {ended:?}");
    assert!(ended.code == Some(1) && ended.out.contains("taken back: ") && ended.out.contains(cause), "{name}: {ended:?}");
    stand.is_on(old);
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    settled(stand, &id, "unwound");
    told(stand, &id, cause);
}

/// `deployment show` names host, cause and remedy.
fn told(stand: &Stand, id: &str, cause: &str) {
    let shown = stand.good(&["deployment", "show", id]);
    let of = |key: &str| shown.out.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {shown:?}"));
    assert!(of("reason").contains("app-0") && of("reason").contains(cause), "{shown:?}");
    assert!(!of("then").is_empty());
}

#[test]
fn versions_that_do_not_do() {
    let _turn = crate::lab::turn();
    let stand = match Stand::raise("versions", &[], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let ends = |seconds: u32| format!("echo ok >/srv/healthz; httpd -f -p 80 -h /srv & sleep {seconds}; kill $!; exit 7");
    let old = stand.push(1, WELL);
    stand.good(&["deploy", "shop", "production", "--release", &old, "--yes"]);
    let mut kinds = vec![(2, "never healthy", SICK, "404"), (3, "listens on the wrong port", ELSEWHERE, "not healthy within 8s")];
    if is_full() {
        kinds.push((4, "ends at once", "exit 3", "it ends again and again"));
    }
    for (n, name, script, cause) in kinds {
        let bad = stand.push(n, script);
        taken_back(&stand, name, &bad, &old, cause);
    }
    stand.shape(&Shape { strategy: ROLLING.replace("bake = \"0s\"", "bake = \"8s\""), ..Shape::default() });
    let bad = stand.push(5, &ends(4));
    // What ends by itself serves nobody: that is the version's doing, and the old ones are back within the plan.
    let ended = stand.deploy(&bad);
    assert!(ended.code == Some(1) && ended.out.contains("did not stay"), "{ended:?}");
    stand.is_on(&old);
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    settled(&stand, &id, "unwound");
    told(&stand, &id, "did not stay");
    // After the bake nobody watches any more; the way back is there.
    stand.shape(&Shape::default());
    let bad = stand.push(6, &ends(12));
    stand.good(&["deploy", "shop", "production", "--release", &bad, "--yes"]);
    wait_for("its end", || {
        stand
            .lab
            .docker("app-01", &["ps", "-a", "--filter", "label=quarterdeck.service=web", "--format", "{{.Status}}"])
            .contains("Restarting")
            || stand
                .lab
                .docker("app-01", &["ps", "-q", "--filter", "label=quarterdeck.service=web"])
                .split_whitespace()
                .any(|id| stand.lab.docker("app-01", &["inspect", "-f", "{{.RestartCount}}", id]).trim() != "0")
    });
    stand.good(&["rollback", "shop", "production", "--yes"]);
    stand.is_on(&old);
    println!("crashes after the bake: good, then back by the kept containers");
}

/// How a deployment ended, in its own last line.
fn how(ended: &Ended) -> String {
    let said = if ended.out.contains("deployment ") { &ended.out } else { &ended.err };
    format!("exit {:?}, {:?}", ended.code, said.lines().last().unwrap_or_default())
}

/// A deployment beside which something happens once it has come so far; how it ended.
fn beside(stand: &Stand, version: &str, at: &str, happens: impl FnOnce()) -> Ended {
    let mut happens = Some(happens);
    let ended = stand.until(&["deploy", "shop", "production", "--release", version, "--yes"], |_, line| {
        if line.contains(at)
            && let Some(happens) = happens.take()
        {
            happens();
        }
        false
    });
    assert!(happens.is_none(), "it never came to {at:?}");
    ended.err().unwrap()
}

#[test]
fn the_world_breaks() {
    let _turn = crate::lab::turn();
    let mut stand = match Stand::raise("world", &["--disk", "app-02=128m"], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let tap = Tap::before(&stand.registry);
    stand.registry.clone_from(&tap.address);
    stand.shape(&Shape::default());
    let old = stand.push(1, WELL);
    stand.good(&["deploy", "shop", "production", "--release", &old, "--yes"]);

    let old = an_engine_restarts(&stand, &old, 2);
    let old = a_cable_is_pulled_for_a_while(&stand, &old, 3);
    let old = the_registry_goes_away(&stand, &tap, &old, 4);
    let old = a_disk_is_full(&stand, &old, 5);
    if is_full() {
        a_host_is_lost(&stand, &old, 7);
    }
    a_push_is_cut(&stand, &tap);
}

fn an_engine_restarts(stand: &Stand, old: &str, n: u32) -> String {
    let new = stand.push(n, WELL);
    let promised = stand.promised(&new);
    let watch = stand.watch();
    let ended = beside(stand, &new, "app-02 create", || {
        stand.lab.fault("kill9", "app-02");
        stand.lab.fault("restart", "app-02");
    });
    let (fewest, looks) = watch.fewest(&["app-02"]);
    println!(
        "dockerd killed and restarted under the run: ended with {:?}; at least {fewest} of 2 others served, looked {looks} times",
        ended.code
    );
    // Its own containers end with an engine that is killed; the others' capacity is the plan's.
    assert!(fewest + 1 >= promised && fewest >= 1, "{ended:?}");
    let there = match ended.code {
        Some(0) => new,
        _ => old.to_owned(),
    };
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    stand.is_on(&there);
    settled(stand, &id, if ended.code == Some(0) { "good" } else { "unwound" });
    no_doubles_after_a_restart(stand, "app-02", &there);
    there
}

/// Long enough for a link to be called lost, not for a run to give up.
fn a_cable_is_pulled_for_a_while(stand: &Stand, _old: &str, n: u32) -> String {
    let new = stand.push(n, WELL);
    let promised = stand.promised(&new);
    let watch = stand.watch();
    let ended = beside(stand, &new, "app-03 create", || {
        stand.lab.fault("link-down", "app-03");
        std::thread::sleep(Duration::from_secs(8));
        stand.lab.fault("link-up", "app-03");
    });
    let (fewest, looks) = watch.fewest(&["app-03"]);
    println!("a partition of 8 s under the run: {}; at least {fewest} of 2 others served, looked {looks} times", how(&ended));
    assert!(fewest + 1 >= promised, "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stand.is_on(&new);
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    settled(stand, &id, "good");
    new
}

/// What comes of a deed in whose middle the registry goes away: for a moment, or, at full length, until it is over.
fn through_a_cut(tap: &Tap, deed: impl FnOnce() -> Ended + Send) -> Ended {
    let ended = std::thread::scope(|scope| {
        let deed = scope.spawn(deed);
        wait_for("the cut", || !tap.is_open());
        if !is_full() {
            std::thread::sleep(Duration::from_secs(2));
            tap.reopen();
        }
        deed.join().unwrap()
    });
    tap.reopen();
    ended
}

/// In the middle of the pulls: for a moment, or, at full length, for longer than the engines try.
fn the_registry_goes_away(stand: &Stand, tap: &Tap, old: &str, n: u32) -> String {
    let new = stand.push_noise(n, WELL, 3);
    let promised = stand.promised(&new);
    tap.shut_after(600 << 10);
    let watch = stand.watch();
    let ended = through_a_cut(tap, || stand.deploy(&new));
    let (fewest, looks) = watch.fewest(&[]);
    println!("the registry gone in mid-pull: {}; at least {fewest} served, {promised} promised, looked {looks} times", how(&ended));
    assert!(fewest >= promised, "{ended:?}");
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    // A host that had not asked yet when it went is told no at once; the others try again.
    if ended.code == Some(0) {
        assert!(!is_full(), "{ended:?}");
        settled(stand, &id, "good");
    } else {
        assert!(ended.code == Some(1) && ended.out.contains("taken back: host"), "{ended:?}");
        stand.is_on(old);
        settled(stand, &id, "unwound");
        told(stand, &id, "pull");
        stand.good(&["deploy", "shop", "production", "--release", &new, "--yes"]);
    }
    stand.is_on(&new);
    new
}

fn a_disk_is_full(stand: &Stand, old: &str, n: u32) -> String {
    let new = stand.push_noise(n, WELL, 2);
    let promised = stand.promised(&new);
    stand.lab.fault("disk-full", "app-02");
    let watch = stand.watch();
    let ended = stand.deploy(&new);
    let (fewest, looks) = watch.fewest(&[]);
    println!("a full disk: {}; at least {fewest} served, {promised} promised, looked {looks} times", how(&ended));
    assert!(fewest >= promised, "{ended:?}");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = format!("{}{}", ended.out, ended.err);
    assert!(said.contains("no space left on device") && said.contains("app-02") && said.contains("make room"), "{ended:?}");
    stand.is_on(old);
    let id = stand.last()["id"].as_str().unwrap().to_owned();
    let state = stand.last()["state"].as_str().unwrap().to_owned();
    assert!(["unwound", "failed"].contains(&state.as_str()), "{state}");
    settled(stand, &id, &state);
    told(stand, &id, "no space left");
    stand.lab.fault("disk-free", "app-02");
    stand.good(&["deploy", "shop", "production", "--release", &new, "--yes"]);
    stand.is_on(&new);
    new
}

/// It goes away in the middle and does not come back before the run has given up; what it is owed is finished by a person.
fn a_host_is_lost(stand: &Stand, old: &str, n: u32) {
    let new = stand.push(n, WELL);
    let watch = stand.watch();
    let ended = beside(stand, &new, "app-03 create", || stand.lab.fault("link-down", "app-03"));
    let (fewest, looks) = watch.fewest(&["app-03"]);
    println!("a host lost for good under the run: {}; at least {fewest} of 2 others served, looked {looks} times", how(&ended));
    assert!(fewest >= 1 && ended.code == Some(1), "{ended:?}");
    stand.is_on_these(&["app-01", "app-02"], old);
    let last: Value = stand.last();
    let id = last["id"].as_str().unwrap().to_owned();
    told(stand, &id, "app-03");
    stand.lab.fault("link-up", "app-03");
    let ended = stand.verb(&["deployment", "unwind", &id, "--alive", "--yes"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    stand.is_on(old);
    settled(stand, &id, "unwound");
}

/// A build's push: for a moment, which the engine bears; at full length for longer, and then nothing of it counts as built.
fn a_push_is_cut(stand: &Stand, tap: &Tap) {
    let file = |name: &str, text: &str| PathBuf::from(stand.program.file(&format!("shop/{name}"), text));
    file("web/Dockerfile", "FROM base:latest\nCOPY . /srv/\n");
    file("web/index.html", "v of a commit\n");
    file("web/run", WELL);
    let noise = file("web/noise", "");
    let mut random = std::fs::File::open("/dev/urandom").unwrap().take(3 << 20);
    std::io::copy(&mut random, &mut std::fs::File::create(&noise).unwrap()).unwrap();
    let home = noise.ancestors().nth(2).unwrap();
    for args in [&["init", "--quiet", "--initial-branch=main"][..], &["add", "."], &["commit", "--quiet", "-m", "One"]] {
        let mut git = Command::new("git");
        git.current_dir(home).env_clear().env("PATH", "/usr/bin:/bin").args(["-c", "user.name=ana", "-c", "user.email=ana@example.com"]);
        let done = git.args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    stand.configure("state", "[build]\nhost = \"app-01\"\n");
    let build = ["build", "shop", "--format", "json"];
    tap.shut_after(600 << 10);
    let ended = through_a_cut(tap, || stand.verb(&build));
    println!("the registry gone in mid-push: exit {:?}", ended.code);
    let ended = match is_full() {
        true => {
            assert!(ended.code == Some(1) && ended.err.contains("push"), "{ended:?}");
            stand.good(&build)
        }
        false => ended,
    };
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let version = ended.json()["version"].as_str().unwrap().to_owned();
    stand.good(&["deploy", "shop", "production", "--release", &version, "--yes"]);
    stand.is_on(&version);
}
