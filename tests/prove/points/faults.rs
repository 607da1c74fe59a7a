//! One host at a time is hit; the others, the keys and the rows must not notice more than they should.

use std::{
    cell::Cell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::super::stage::{
    Length,
    deck::{self, Opening, is_of, line_of, lines},
    engine::{act, ask, containers},
    lab::Lab,
    line::{Line, Quality},
    pty::Console,
    report::{Report, within},
};

/// A lost host says so within this.
const SAID: Duration = Duration::from_secs(5);
/// A hung one, whose sockets still connect, within this.
const SAID_HUNG: Duration = Duration::from_secs(10);
/// Lines of a terminal that has every row on the screen.
const TALL: u16 = 100;
/// Engines of this lab end containers by their restart policies first; back-off comes on top.
const BACK: Duration = Duration::from_secs(60);

struct Case {
    what: &'static str,
    host: &'static str,
    begin: fn(&Lab),
    end: fn(&Lab),
    said: Duration,
}

const CASES: [Case; 5] = [
    Case {
        what: "dockerd killed -9, then started",
        host: "app-02",
        begin: |lab| lab.fault("kill9", "app-02"),
        end: |lab| lab.fault("restart", "app-02"),
        said: SAID,
    },
    Case {
        what: "dockerd stopped (SIGSTOP), then continued",
        host: "app-02",
        begin: |lab| lab.fault("stop", "app-02"),
        end: |lab| lab.fault("cont", "app-02"),
        said: SAID_HUNG,
    },
    Case {
        what: "the link of a TCP host down, then up",
        host: "app-01",
        begin: |lab| lab.fault("link-down", "app-01"),
        end: |lab| lab.fault("link-up", "app-01"),
        said: SAID,
    },
    Case {
        what: "sshd and its sessions killed, then started",
        host: "app-02",
        begin: |lab| lab.fault("sshd-kill", "app-02"),
        end: |lab| lab.fault("sshd-start", "app-02"),
        said: SAID,
    },
    Case {
        what: "another host key, then a new entry in known_hosts",
        host: "app-02",
        begin: |lab| lab.fault("hostkey-change", "app-02"),
        end: know_new_key,
        said: SAID,
    },
];

/// Ends a fault when it goes, also when a test fails in the middle.
struct Mend<'a> {
    lab: &'a Lab,
    end: fn(&Lab),
}

impl Drop for Mend<'_> {
    fn drop(&mut self) {
        (self.end)(self.lab);
    }
}

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    report.does("a host that is off at the start: app-03 behind SSH, over a console on all three");
    let calm = {
        let tcp = lab.host("app-01")["tcp"].as_str().expect("a URL").to_owned();
        let mut two = Opening::on(lab).host("app-01", &tcp).host("app-02", "ssh://app-02").size(200, TALL).open();
        two.expect_that("2 live hosts", |screen| deck::live(screen, 2, 2));
        deck::go(&mut two, "2", "Containers");
        deck::keep_pressing(&mut two, length.pick(Duration::from_secs(2), Duration::from_secs(12)), |_| false)
    };
    lab.fault("off", "app-03");
    let on = Mend { lab, end: |lab| lab.fault("on", "app-03") };
    let opened = Instant::now();
    let mut deck = open(lab);
    let others = deck.until(|screen| deck::live(screen, 2, 3), opened, Duration::from_secs(10));
    report.holds("the others are live at once", others.is_some_and(|seconds| seconds < 3.0), within(others.map(Duration::from_secs_f64)));
    deck::go(&mut deck, "2", "Containers");
    let taken = deck::keep_pressing(&mut deck, length.pick(Duration::from_secs(3), Duration::from_secs(12)), |_| false);
    drop(on);
    returns(report, &mut deck, lab, "app-03");
    report.frames(&taken, &calm);
    for case in &CASES {
        hit(report, &mut deck, lab, case, length);
    }
    deck.send(b"q");
    let code = deck.exit(Duration::from_secs(5));
    report.holds("it leaves with 0", code == Some(0), format!("{code:?}"));
    bad_line(report, lab, length);
}

fn open(lab: &Lab) -> Console {
    let tcp = lab.host("app-01")["tcp"].as_str().expect("a URL").to_owned();
    Opening::on(lab).host("app-01", &tcp).host("app-02", "ssh://app-02").host("app-03", "ssh://app-03").size(200, TALL).open()
}

fn rows_of(screen: &vt100::Screen, host: &str) -> Vec<String> {
    // The signs stand before the host's name.
    lines(screen).into_iter().skip(3).filter(|line| is_of(line, host)).collect()
}

fn is_dimmed(line: &str) -> bool {
    line.trim_start().starts_with('~')
}

fn hit(report: &mut Report, deck: &mut Console, lab: &Lab, case: &Case, length: Length) {
    report.does(case.what);
    deck::go(deck, "2", "Containers");
    let before = rows_of(deck.emulator.screen(), case.host).len();
    let calm = deck::keep_pressing(deck, Duration::from_secs(length.pick(1, 5)), |_| false);
    deck::go(deck, "2", "Containers");
    let bystander = if case.host == "app-01" { ("app-02", "cron") } else { ("app-01", "cache") };
    // An engine that was restarted has ended what nothing starts again.
    ask(&lab.socket(bystander.0), "POST", &format!("/containers/{}/start", bystander.1), "");
    deck.expect_that("the bystander", |screen| line_of(screen, bystander.0, bystander.1).is_some_and(|line| line.contains("running")));
    let began = Instant::now();
    (case.begin)(lab);
    let mend = Mend { lab, end: case.end };
    let (said, kept) = (Cell::new(None), Cell::new(usize::MAX));
    let least = length.pick(Duration::from_secs(1), Duration::from_secs(8));
    let mut taken = deck::keep_pressing(deck, case.said + Duration::from_secs(6), |screen| {
        if deck::in_front(screen, "Containers") {
            let rows = rows_of(screen, case.host);
            kept.set(kept.get().min(rows.len()));
            if said.get().is_none() && !rows.is_empty() && rows.iter().all(|line| is_dimmed(line)) && !deck::live(screen, 3, 3) {
                said.set(Some(began.elapsed()));
            }
        }
        said.get().is_some_and(|at| began.elapsed() > at + least)
    });
    report.holds(
        &format!("its rows say so within {} s", case.said.as_secs()),
        said.get().is_some_and(|at| at <= case.said),
        within(said.get()),
    );
    report.holds("its rows stay", kept.get() == before && before > 0, format!("{} of {before}", kept.get()));
    report.holds("the others stay live", deck::live(deck.emulator.screen(), 2, 3), lines(deck.emulator.screen())[0].trim());
    deck::go(deck, "3", "Hosts");
    deck.run(Duration::from_millis(50));
    if !deck::live(deck.emulator.screen(), 2, 3) {
        report.figure("hosts", lines(deck.emulator.screen())[3..8].join("\n"));
    }
    let why = lines(deck.emulator.screen()).into_iter().find(|line| is_of(line, case.host)).unwrap_or_default();
    report.figure("it says", why.trim());
    deck::go(deck, "2", "Containers");
    elsewhere(report, deck, lab, bystander);
    drop(mend);
    taken.extend(returns(report, deck, lab, case.host));
    report.frames(&taken, &calm);
}

/// Something happens on another host meanwhile.
fn elsewhere(report: &mut Report, deck: &mut Console, lab: &Lab, (host, name): (&str, &str)) {
    let socket = lab.socket(host);
    let mut slowest = 0.0_f64;
    for (verb, word) in [("pause", "paused"), ("unpause", "running")] {
        act(&socket, "POST", &format!("/containers/{name}/{verb}"), "");
        let done = Instant::now();
        let seen = deck.until(|screen| line_of(screen, host, name).is_some_and(|line| line.contains(word)), done, Duration::from_secs(5));
        slowest = slowest.max(seen.map_or(f64::INFINITY, |seconds| seconds * 1000.0));
    }
    report.holds("what happens elsewhere shows meanwhile", slowest < 500.0, format!("within {slowest:.0} ms after the engine's answer"));
}

/// Waits until all hosts are live again, pressing keys; then every row must be what the engine says.
fn returns(report: &mut Report, deck: &mut Console, lab: &Lab, host: &str) -> Vec<f64> {
    let mended = Instant::now();
    let back = Cell::new(None);
    let taken = deck::keep_pressing(deck, BACK, |screen| {
        let all = deck::live(screen, 3, 3);
        if all {
            back.set(Some(mended.elapsed()));
        }
        all
    });
    report.holds("it comes back by itself", back.get().is_some(), within(back.get()));
    if back.get().is_none() {
        report.figure("screen", deck.text());
    }
    deck::go(deck, "2", "Containers");
    let start = Instant::now();
    let mut wrong = vec!["not compared".to_owned()];
    while !wrong.is_empty() && start.elapsed() < Duration::from_secs(10) {
        deck.run(Duration::from_millis(200));
        wrong = differences(deck.emulator.screen(), lab, host);
    }
    report.holds(
        "every row is right again",
        wrong.is_empty(),
        if wrong.is_empty() { "as the engine lists them".to_owned() } else { wrong.join(" · ") },
    );
    taken
}

/// Where screen and engine differ about a host.
fn differences(screen: &vt100::Screen, lab: &Lab, host: &str) -> Vec<String> {
    let listed = containers(&lab.socket(host));
    let rows = rows_of(screen, host);
    let mut wrong: Vec<String> = rows.iter().filter(|line| is_dimmed(line)).map(|line| format!("dimmed: {}", line.trim())).collect();
    if rows.len() != listed.len() {
        wrong.push(format!("{} rows for {} containers", rows.len(), listed.len()));
    }
    let words: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("running", &["running", "healthy", "unhealthy", "starting", "crash-looping"][..]),
        ("exited", &["exited", "out of memory", "crash-looping"][..]),
        ("restarting", &["restarting", "crash-looping", "running"][..]),
        ("paused", &["paused"][..]),
        ("created", &["created"][..]),
        ("dead", &["dead"][..]),
    ]);
    for (name, state) in &listed {
        // Restarts for ever: what the engine says is old when it is read.
        if name == "crasher" {
            continue;
        }
        let line = line_of(screen, host, name);
        let known = words.get(state.as_str()).copied().unwrap_or_default();
        if !line.as_ref().is_some_and(|line| known.iter().any(|word| line.contains(word))) {
            wrong.push(format!("{name} is {state}, shown: {}", line.as_deref().unwrap_or("nothing").trim()));
        }
    }
    wrong
}

/// What a person does who has checked the new key.
fn know_new_key(lab: &Lab) {
    let known = lab.dir().join("ssh/known_hosts");
    let key = std::fs::read_to_string(lab.dir().join("ssh/host-app-02.pub")).expect("the host's key");
    let key: Vec<&str> = key.split(' ').take(2).collect();
    let address = lab.address("app-02");
    let text = std::fs::read_to_string(&known).expect("known_hosts");
    let is_of = |name: &str| name == "app-02" || name == address || name.contains(&format!("[{address}]"));
    let mut kept: Vec<String> = text
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((names, _)) if names.split(',').any(is_of) => format!("{names} {}", key.join(" ")),
            _ => line.to_owned(),
        })
        .collect();
    kept.push(String::new());
    std::fs::write(known, kept.join("\n")).expect("known_hosts");
}

/// 400 ms there and back, and one piece in fifty lost (it comes after a retransmission timeout): slow, but alive.
fn bad_line(report: &mut Report, lab: &Lab, length: Length) {
    let quality = Quality { delay: Duration::from_millis(200), one_lost_of: 50, again_after: Duration::from_millis(600) };
    report.does("app-01 over a line with 400 ms there and back, one piece in 50 lost and sent again after 600 ms (a relay; TCP)");
    let line = Line::to(&format!("{}:2375", lab.address("app-01")), quality);
    let mut deck =
        Opening::on(lab).host("app-01", &format!("tcp://127.0.0.1:{}", line.port())).host("app-03", "ssh://app-03").size(200, TALL).open();
    let opened = Instant::now();
    let live = deck.until(|screen| deck::live(screen, 2, 2), opened, Duration::from_secs(15));
    report.holds("it becomes live", live.is_some(), within(live.map(Duration::from_secs_f64)));
    deck::go(&mut deck, "2", "Containers");
    let calm = {
        let mut alone = Opening::on(lab).host("app-03", "ssh://app-03").open();
        alone.expect_that("1 live host", |screen| deck::live(screen, 1, 1));
        deck::keep_pressing(&mut alone, Duration::from_secs(length.pick(1, 10)), |_| false)
    };
    let lost = Cell::new(0);
    let taken = deck::keep_pressing(&mut deck, length.pick(Duration::from_secs(8), Duration::from_secs(60)), |screen| {
        lost.set(lost.get() + usize::from(!deck::live(screen, 2, 2)));
        false
    });
    let (pieces, again) = line.counts();
    report.holds(
        "it stays live",
        lost.get() == 0,
        format!("{} of {} screens say otherwise; {again} of {pieces} pieces were lost at first", lost.get(), taken.len()),
    );
    let name = "cache";
    deck::go(&mut deck, "2", "Containers");
    act(&lab.socket("app-01"), "POST", &format!("/containers/{name}/pause"), "");
    let paused = Instant::now();
    let seen =
        deck.until(|screen| line_of(screen, "app-01", name).is_some_and(|line| line.contains("paused")), paused, Duration::from_secs(10));
    act(&lab.socket("app-01"), "POST", &format!("/containers/{name}/unpause"), "");
    report.holds("events come through", seen.is_some(), within(seen.map(Duration::from_secs_f64)));
    report.frames(&taken, &calm);
}
