//! From the engine's own time of an event to the moment when the terminal has the bytes that show it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::super::stage::{
    Length,
    deck::{self, Opening, line_of},
    engine::{Events, act},
    lab::Lab,
    pty::Console,
    recorder::Recorder,
    report::Report,
};

const LIMIT: Duration = Duration::from_secs(10);

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    let rounds = length.pick(1, 12);
    let ways = [
        ("app-01", lab.host("app-01")["tcp"].as_str().expect("a URL").to_owned(), "tcp"),
        ("app-02", "ssh://app-02".to_owned(), "ssh"),
        ("app-03", format!("unix://{}", lab.socket("app-03").display()), "unix"),
    ];
    let mut opening = Opening::on(lab);
    for (host, url, _) in &ways {
        opening = opening.host(host, url);
    }
    let mut deck = opening.open();
    deck.expect_that("3 live hosts", |screen| deck::live(screen, 3, 3));
    deck::go(&mut deck, "2", "Containers");
    deck::filter(&mut deck, "name:zz*");
    report.does(&format!(
        "{rounds} rounds on each host: start, kill, stop, pause, rename, remove, turn unhealthy, flap, by the engine's own socket"
    ));
    let mut all = Vec::new();
    for (host, _, way) in &ways {
        let mut taken = Vec::new();
        for round in 0..rounds {
            taken.extend(life(&mut deck, lab, host, round, report));
        }
        report.spread(&format!("event to screen over {way}"), &millis(&taken, |_| true));
        all.extend(taken);
    }
    let actions: BTreeSet<&str> = all.iter().map(|(action, _)| action.as_str()).collect();
    for action in actions {
        report.spread(&format!("  {action}"), &millis(&all, |other| other == action));
    }
    if let Some(spread) = report.spread("event to screen, all", &millis(&all, |_| true)) {
        report.in_time("the median is at most 100 ms", Some(spread.median), 100.0);
    }
    deck.send(b"q");
    report.holds("it leaves with 0", deck.exit(LIMIT) == Some(0), "q");
    no_polling(report, lab, length);
}

fn millis(taken: &[(String, f64)], of: impl Fn(&str) -> bool) -> Vec<f64> {
    taken.iter().filter(|(action, _)| of(action)).map(|(_, millis)| *millis).collect()
}

/// One container's life, and how long each step took to show, in milliseconds.
fn life(deck: &mut Console, lab: &Lab, host: &str, round: usize, report: &mut Report) -> Vec<(String, f64)> {
    let socket = lab.socket(host);
    let events = Events::listen(&socket);
    let mut taken = Vec::new();
    let (name, sick, flapping) = (format!("zz{round}"), format!("zzsick{round}"), format!("zzflap{round}"));
    let renamed = format!("zzr{round}");
    let create = |name: &str, body: &str| act(&socket, "POST", &format!("/containers/create?name={name}"), body);
    let mut step = |path: &str, method: &str, event: &str, name: &str, shows: &dyn Fn(Option<String>) -> bool| {
        act(&socket, method, path, "");
        let Some(happened) = events.wait(event, name, LIMIT) else {
            report.holds("the engine reports what was done", false, format!("no {event} of {name} on {host}"));
            return;
        };
        let seen = deck.until(|screen| shows(line_of(screen, host, name)), happened.at, LIMIT);
        match seen {
            Some(seconds) => taken.push((event.to_owned(), seconds * 1000.0)),
            None => {
                report.holds("what happened shows", false, format!("{event} of {name} on {host} did not; the screen:\n{}", deck.text()))
            }
        }
    };
    let says = |word: &'static str| move |line: Option<String>| line.is_some_and(|line| line.contains(word));
    create(&name, r#"{"Image":"base:latest","Cmd":["sleep","infinity"],"StopSignal":"SIGKILL","HostConfig":{"NetworkMode":"none"}}"#);
    step(&format!("/containers/{name}/start"), "POST", "start", &name, &says("running"));
    step(&format!("/containers/{name}/pause"), "POST", "pause", &name, &says("paused"));
    step(&format!("/containers/{name}/unpause"), "POST", "unpause", &name, &says("running"));
    step(&format!("/containers/{name}/kill"), "POST", "die", &name, &says("exited 137"));
    step(&format!("/containers/{name}/start"), "POST", "start", &name, &says("running"));
    step(&format!("/containers/{name}/stop"), "POST", "die", &name, &says("exited 137"));
    step(&format!("/containers/{name}/rename?name={renamed}"), "POST", "rename", &renamed, &says("exited 137"));
    step(&format!("/containers/{renamed}?force=1"), "DELETE", "destroy", &renamed, &|line| line.is_none());
    create(
        &sick,
        r#"{"Image":"base:latest","Cmd":["sleep","infinity"],"StopSignal":"SIGKILL","HostConfig":{"NetworkMode":"none"},"Healthcheck":{"Test":["CMD","false"],"Interval":500000000,"Timeout":1000000000,"Retries":1}}"#,
    );
    step(&format!("/containers/{sick}/start"), "POST", "health_status: unhealthy", &sick, &says("unhealthy"));
    step(&format!("/containers/{sick}?force=1"), "DELETE", "destroy", &sick, &|line| line.is_none());
    create(
        &flapping,
        r#"{"Image":"base:latest","Cmd":["sh","-c","exit 3"],"HostConfig":{"NetworkMode":"none","RestartPolicy":{"Name":"always"}}}"#,
    );
    step(&format!("/containers/{flapping}/start"), "POST", "die", &flapping, &|line| {
        line.is_some_and(|line| ["exited 3", "restarting", "crash-looping"].iter().any(|word| line.contains(word)))
    });
    step(&format!("/containers/{flapping}?force=1"), "DELETE", "destroy", &flapping, &|line| line.is_none());
    taken
}

/// Between events a link is silent but for its probe.
fn no_polling(report: &mut Report, lab: &Lab, length: Length) {
    let recorder = Recorder::before(&lab.socket("app-03"), lab.home());
    let mut deck = Opening::on(lab).host("app-03", &recorder.url()).open();
    deck.expect_that("1 live host", |screen| deck::live(screen, 1, 1));
    // What the start needs (handshake, list, inspect of what is on screen) is over when nothing was asked for a while.
    let start = Instant::now();
    let mut opening = recorder.take().len();
    loop {
        deck.run(Duration::from_millis(1500));
        let more = recorder.take().iter().filter(|asked| asked.route() != "/_ping").count();
        opening += more;
        if more == 0 || start.elapsed() > LIMIT {
            break;
        }
    }
    let span = Duration::from_secs(length.pick(7, 20));
    report.does(&format!("Versions in front, nothing happens for {} s; a recorder between console and engine", span.as_secs()));
    deck.run(span);
    let asked = recorder.take();
    let probes = asked.iter().filter(|asked| asked.route() == "/_ping").count();
    report.figure("requests of the start", opening);
    report.figure("probes while nothing happens", probes);
    let polls: Vec<String> =
        asked.iter().filter(|asked| asked.route() != "/_ping").map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    report.holds("no polling: only /_ping", polls.is_empty(), if polls.is_empty() { "nothing else".to_owned() } else { polls.join(", ") });
}
