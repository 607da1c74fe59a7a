//! The same change of the same service over the same three engines, by other means.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    Figures, manner,
    shop::{HOSTS, Shop, shell},
};
use crate::load::Load;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a change cost: under load from before it to after it.
fn under_load(shop: &Shop, way: &'static str, port: u16, change: impl FnOnce()) -> Figures {
    let load = Load::start(shop.front(port), manner(0));
    load.more(1_000);
    let begun = Instant::now();
    change();
    let took = begun.elapsed();
    load.more(1_000);
    let tale = load.end();
    println!("  {way}: {:.1} s, {} of {} requests failed; {:?}", took.as_secs_f64(), tale.failed, tale.requests, tale.failures.first());
    Figures { way, took, requests: tale.requests, failed: tale.failed }
}

fn up(shop: &Shop, backend: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let stat = shop.haproxy.ask(&format!("show stat {backend} 4 -1"));
        if stat.lines().filter(|line| line.split(',').nth(17) == Some("UP")).count() == HOSTS.len() {
            return;
        }
        assert!(Instant::now() < until, "{stat}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `docker service update` of a Swarm, as it is without further words: one after the other, the old one down first.
pub fn swarm(shop: &Shop, from: u32, to: u32) -> Figures {
    let first = shop.address("app-01");
    shop.lab.docker("app-01", &["swarm", "init", "--advertise-addr", &first]);
    let token = shop.lab.docker("app-01", &["swarm", "join-token", "-q", "worker"]);
    for host in &HOSTS[1..] {
        let address = shop.address(host);
        shop.lab.docker(host, &["swarm", "join", "--advertise-addr", &address, "--token", token.trim(), &format!("{first}:2377")]);
    }
    let image = |version: u32| shop.reference(shop.release(version));
    let publish = "mode=host,target=80,published=8090";
    let old = image(from);
    shop.lab.docker(
        "app-01",
        &["service", "create", "-q", "--name", "web", "--replicas", "3", "--publish", publish, "--env", "TAKES=30", &old],
    );
    up(shop, "swarm");
    let figures = under_load(shop, "docker service update (Swarm)", 8081, || {
        shop.lab.docker("app-01", &["service", "update", "-q", "--image", &image(to), "web"]);
    });
    for host in HOSTS.iter().rev() {
        shop.lab.docker(host, &["swarm", "leave", "--force"]);
    }
    figures
}

/// Pull, stop, remove, run: host after host.
pub fn shell_loop(shop: &Shop, from: u32, to: u32) -> Figures {
    let line = |host: &str, what: &str| format!("DOCKER_HOST={} docker {what} >/dev/null\n", shop.socket(host));
    let run = |host: &str, version: u32| {
        line(host, &format!("run -d --name loop-web -p 8091:80 -e TAKES=30 {}", shop.reference(shop.release(version))))
    };
    shell(&HOSTS.map(|host| run(host, from)).concat());
    up(shop, "loop");
    let change = |host: &str| {
        [
            line(host, &format!("pull -q {}", shop.reference(shop.release(to)))),
            line(host, "stop loop-web"),
            line(host, "rm loop-web"),
            run(host, to),
        ]
        .concat()
    };
    let script = HOSTS.map(change).concat();
    let figures = under_load(shop, "pull/stop/run in a loop", 8082, || shell(&script));
    for host in HOSTS {
        // It does not hear SIGTERM, and nobody waits for it.
        assert!(
            Command::new("docker").env("DOCKER_HOST", shop.socket(host)).args(["rm", "-f", "loop-web"]).output().unwrap().status.success()
        );
    }
    figures
}
