//! Many hosts over SSH: how long until all are live, what it costs, and what is left behind.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::super::stage::{
    Length,
    deck::{self, Opening},
    engine,
    lab::Lab,
    pty::{Console, usage},
    report::Report,
};

/// Milliseconds.
const SOON: f64 = 3000.0;

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    let manifest = lab.manifest();
    let servers: Vec<(String, u32)> = manifest["sshds"]
        .as_array()
        .expect("servers")
        .iter()
        .map(|server| (server["name"].as_str().expect("a name").to_owned(), server["pid"].as_u64().expect("a pid") as u32))
        .collect();
    let names: Vec<String> = servers.iter().map(|(name, _)| name.clone()).collect();
    if !engine::containers(&lab.socket("app-01")).iter().any(|(name, _)| name == "fill-0001") {
        lab.fill(13);
    }
    let containers: usize = ["app-01", "app-02", "app-03"].iter().map(|host| engine::containers(&lab.socket(host)).len()).sum();
    report.does(&format!("{} SSH servers in front of 3 engines with {containers} containers together", servers.len()));
    // The bastion is a server of its own kind: all sessions of the fleet behind it share one connection.
    let bastion = lab.host("app-01")["pids"]["sshd"].as_u64().expect("a pid") as u32;
    for (what, suffix, connections) in [("each directly", "", servers.len()), ("all behind one bastion", "-via-app-01", 1)] {
        report.does(what);
        let mut times = Vec::new();
        for _ in 0..length.pick(1, 5) {
            let mut deck = open(lab, &names, suffix);
            let all = servers.len();
            let live = deck.until(|screen| deck::live(screen, all, all), deck.started, Duration::from_secs(30));
            let Some(live) = live else {
                report.holds("all are live within 30 s", false, deck::lines(deck.emulator.screen())[0].trim());
                hosts_that_are_not(report, &mut deck);
                continue;
            };
            times.push(live * 1000.0);
            // What still comes up beside the first session would show now.
            deck.run(Duration::from_millis(500));
            let open = connections_of(deck.pid());
            report.holds("one SSH connection for each way in", open == connections, format!("{open} established"));
            let (seconds, memory) = usage(deck.pid());
            report.figure("memory, processor", format!("{:.1} MiB resident, {seconds:.2} s", memory as f64 / 1024.0));
            let left = Instant::now();
            let pid = deck.pid();
            deck.send(b"q");
            let code = deck.exit(Duration::from_secs(5));
            report.holds("it leaves with 0", code == Some(0), format!("{code:?} after {:.2} s", left.elapsed().as_secs_f64()));
            let watched: Vec<u32> = servers.iter().map(|(_, pid)| *pid).chain([bastion]).collect();
            let sessions = until_none(&watched);
            report.holds("no session is left", sessions == 0 && connections_of(pid) == 0, format!("{sessions} after at most 5 s"));
        }
        if let Some(spread) = report.spread("from start to all live", &times) {
            report.in_time("all are live in under 3 s (median)", Some(spread.median), SOON);
        }
    }
}

fn open(lab: &Lab, names: &[String], suffix: &str) -> Console {
    let mut opening = Opening::on(lab);
    for name in names {
        opening = opening.host(name, &format!("ssh://{name}{suffix}"));
    }
    opening.open()
}

fn hosts_that_are_not(report: &Report, deck: &mut Console) {
    deck::go(deck, "3", "Hosts");
    deck.run(Duration::from_millis(100));
    for line in deck::lines(deck.emulator.screen()).iter().filter(|line| line.contains(" edge-") && !line.contains(" live")).take(5) {
        report.figure("not live", line.trim());
    }
}

/// Established TCP connections of a process to port 22.
fn connections_of(pid: u32) -> usize {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let is_ours = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"01")
            && fields.get(2).is_some_and(|remote| remote.ends_with(":0016"))
            && fields.get(9).is_some_and(|inode| sockets.contains(*inode))
    };
    table.lines().skip(1).filter(is_ours).count()
}

/// Waits until none of these listeners has a session; how many are left.
fn until_none(listeners: &[u32]) -> usize {
    let start = Instant::now();
    loop {
        let sessions: usize = listeners.iter().map(|pid| children_of(*pid)).sum();
        if sessions == 0 || start.elapsed() > Duration::from_secs(5) {
            return sessions;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn children_of(pid: u32) -> usize {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default().split_whitespace().count()
}
