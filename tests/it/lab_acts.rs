//! The acts on real engines: the right result on every target, one order each whatever breaks, and nothing at all for who may only look.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    lab::Lab,
    lab_promises::stage::recorder::{Asked, Recorder},
    program::{Ended, Program},
};

const PATIENCE: Duration = Duration::from_secs(90);

/// Counts its own starts in a file of its layer; ends when asked to, unless it is stubborn.
const COUNTS: &str = "echo start >>/starts; trap 'exit 0' TERM; while :; do sleep 0.1; done";
const STUBBORN: &str = "echo start >>/starts; trap '' TERM; while :; do sleep 0.1; done";

fn run(lab: &Lab, host: &str, name: &str, script: &str) {
    let labels = ["--label", "com.docker.compose.project=deck", "--label", "com.docker.compose.service=hand"];
    lab.docker(host, &[&["run", "-d", "--name", name][..], &labels, &["base:latest", "sh", "-c", script]].concat());
}

fn state(lab: &Lab, host: &str, name: &str) -> String {
    lab.docker(host, &["inspect", "-f", "{{.State.Status}}", name]).trim().to_owned()
}

fn starts(lab: &Lab, host: &str, name: &str, home: &Path) -> usize {
    let file = home.join(format!("{host}-{name}"));
    lab.docker(host, &["cp", &format!("{name}:/starts"), file.to_str().unwrap()]);
    std::fs::read_to_string(file).unwrap().lines().count()
}

fn outcomes(ended: &Ended) -> Vec<(String, String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    ended.rows().iter().map(|row| (text(row, "host"), text(row, "name"), text(row, "outcome"))).collect()
}

/// What was asked that changes something.
fn deeds(recorder: &Recorder) -> Vec<String> {
    let changes = |asked: &Asked| !matches!(asked.method.as_str(), "GET" | "HEAD");
    recorder.take().iter().filter(|asked| changes(asked)).map(|asked| format!("{} {}", asked.method, asked.route())).collect()
}

#[test]
fn acts_do_what_they_say_once_whatever_breaks() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("acts", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let home = tempfile::tempdir().unwrap();
    let hosts = ["app-01", "app-02", "app-03"];
    let recorders: Vec<Recorder> =
        hosts.iter().map(|host| Recorder::before(Path::new(lab.host(host)["unix"].as_str().unwrap()), home.path())).collect();
    let mut options: Vec<String> = Vec::new();
    for (host, recorder) in hosts.iter().zip(&recorders) {
        options.extend(["-H".to_owned(), format!("{host}={}", recorder.url())]);
    }
    let with = |args: &[&str]| -> Vec<String> { args.iter().map(|arg| (*arg).to_owned()).chain(options.clone()).collect() };
    let act = |args: &[&str]| {
        let args = with(args);
        program.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for host in hosts {
        run(&lab, host, "hand-1", COUNTS);
        run(&lab, host, "hand-2", COUNTS);
    }

    every_act_on_every_host(&lab, &act, home.path(), &hosts, &recorders);
    read_only_refuses(&act, &recorders);

    // app-01 has more to do than it does at once; one of those that wait is taken away meanwhile, and app-03 dies while it stops its own.
    for number in 1..=6 {
        run(&lab, "app-01", &format!("slow-{number}"), STUBBORN);
    }
    run(&lab, "app-03", "slow-1", STUBBORN);
    let args = with(&["restart", "name:slow-*", "--time", "6", "--yes"]);
    let mut child = program.command(&args.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let plan: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.contains("undo: ")).collect();
    assert_eq!(plan[0], "Restart 7 containers on 2 hosts, grace 6 s", "{plan:?}");
    lab.docker("app-01", &["rm", "-f", "slow-6"]);
    let deadline = Instant::now() + PATIENCE;
    let mut of_third = Vec::new();
    while !of_third.iter().any(|deed: &String| deed.ends_with("/restart")) {
        assert!(Instant::now() < deadline, "app-03 was never asked");
        of_third.extend(deeds(&recorders[2]));
        std::thread::sleep(Duration::from_millis(10));
    }
    lab.fault("kill9", "app-03");
    let mut told: Vec<String> = Vec::new();
    for line in lines.by_ref().map_while(Result::ok) {
        let lost = line.contains("the answer got lost") && line.contains("asking");
        told.push(line);
        if lost {
            break;
        }
    }
    lab.fault("restart", "app-03");
    told.extend(lines.map_while(Result::ok));
    let ended = child.wait().unwrap();
    let line_of = |host: &str, name: &str| {
        told.iter().rfind(|line| line.starts_with(host) && line.contains(name)).unwrap_or_else(|| panic!("{host} {name}: {told:#?}"))
    };
    assert_eq!(ended.code(), Some(1), "{told:#?}");
    for number in 1..=5 {
        let name = format!("slow-{number}");
        assert!(line_of("app-01", &name).ends_with("restarted"), "{told:#?}");
        assert_eq!(starts(&lab, "app-01", &name, home.path()), 2, "{name} was restarted once");
    }
    assert!(line_of("app-01", "slow-6").contains("gone: "), "{told:#?}");
    let of_first = deeds(&recorders[0]);
    assert_eq!(of_first.len(), 5, "one order each, none for what is gone: {of_first:?}");
    // Whatever the engine made of it when it died: it was asked once, and what is told is what is.
    of_third.extend(deeds(&recorders[2]));
    assert_eq!(of_third.len(), 1, "{of_third:?}");
    let line = line_of("app-03", "slow-1");
    let truth = starts(&lab, "app-03", "slow-1", home.path());
    assert!(
        if line.contains("not restarted") { truth == 1 } else { truth == 2 && line.contains("restarted: the answer got lost") },
        "{line}: {truth}"
    );

    let removed = act(&["rm", "service:hand", "--force", "--yes", "--format", "json"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    for host in hosts {
        assert_eq!(lab.docker(host, &["ps", "-aq"]), "", "{host}");
    }

    // A host that is down from the start: the others are acted on, and the code says that it is not all.
    for host in hosts {
        run(&lab, host, "hand-1", COUNTS);
    }
    lab.fault("kill9", "app-02");
    let partial = act(&["stop", "name:hand-1", "--time", "1", "--yes", "--format", "json"]);
    assert_eq!(partial.code, Some(3), "{partial:?}");
    assert!(partial.err.contains("host \"app-02\""), "{partial:?}");
    let done = |host: &str| (host.to_owned(), "hand-1".to_owned(), "done".to_owned());
    assert_eq!(outcomes(&partial), [done("app-01"), done("app-03")]);
}

fn every_act_on_every_host(lab: &Lab, act: &dyn Fn(&[&str]) -> Ended, home: &Path, hosts: &[&str], recorders: &[Recorder]) {
    for recorder in recorders {
        recorder.take();
    }
    for (args, outcome, now) in [
        (&["pause"][..], "done", "paused"),
        (&["pause"], "already", "paused"),
        (&["unpause"], "done", "running"),
        (&["restart", "--time", "3"], "done", "running"),
        (&["kill", "--signal", "term"], "done", ""),
        (&["start"], "", "running"),
        (&["stop", "--time", "3"], "done", "exited"),
        (&["stop"], "already", "exited"),
        (&["start"], "done", "running"),
    ] {
        let ended = act(&[args, &["service:hand", "--yes", "--format", "json"]].concat());
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        let told = outcomes(&ended);
        assert_eq!(told.len(), 6, "{args:?}: {ended:?}");
        for (host, name, told) in told {
            assert!(outcome.is_empty() || told == outcome, "{args:?} {host} {name}: {told}");
            assert!(now.is_empty() || state(lab, &host, &name) == now, "{args:?} {host} {name}");
        }
        if args[0] == "kill" {
            let deadline = Instant::now() + PATIENCE;
            while hosts.iter().any(|host| state(lab, host, "hand-1") != "exited" || state(lab, host, "hand-2") != "exited") {
                assert!(Instant::now() < deadline, "a signal is not an end at once, but it is one");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    for host in hosts {
        assert_eq!(starts(lab, host, "hand-1", home), 4, "{host}: made, restarted, started twice");
    }
    let renamed = act(&["rename", "name:hand-2", "--to", "hand-9", "--yes", "--format", "json"]);
    assert_eq!((renamed.code, renamed.rows().len()), (Some(0), 3), "{renamed:?}");
    let runs = act(&["rm", "name:hand-9", "--yes", "--format", "json"]);
    assert_eq!(runs.code, Some(1), "what runs is not removed without force: {runs:?}");
    let gone = act(&["rm", "name:hand-9", "--yes", "--force", "--volumes", "--format", "json"]);
    assert_eq!(gone.code, Some(0), "{gone:?}");
    for host in hosts {
        assert_eq!(lab.docker(host, &["ps", "-a", "--format", "{{.Names}}"]).trim(), "hand-1");
    }
    let asked = act(&["stop", "service:hand"]);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(asked.err.contains("--yes") && asked.out.contains("Stop 3 containers on 3 hosts"), "{asked:?}");
    // Six containers: pause, unpause, restart, kill, start, stop, start and rename once each for those that were; what was so was not asked.
    for recorder in recorders {
        let deeds = deeds(recorder);
        assert_eq!(deeds.iter().filter(|deed| deed.starts_with("POST") && !deed.ends_with("/start")).count(), 2 * 5 + 1, "{deeds:?}");
        assert_eq!(deeds.iter().filter(|deed| deed.starts_with("DELETE")).count(), 1, "{deeds:?}");
    }
}

fn read_only_refuses(act: &dyn Fn(&[&str]) -> Ended, recorders: &[Recorder]) {
    for args in
        [&["start"][..], &["stop"], &["restart"], &["kill"], &["pause"], &["unpause"], &["rm", "--force"], &["rename", "--to", "other"]]
    {
        let ended = act(&[args, &["service:hand", "--yes", "--read-only"]].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(5), ""), "{args:?}: {ended:?}");
        assert!(ended.err.contains("is refused: "), "{ended:?}");
    }
    for recorder in recorders {
        assert_eq!(deeds(recorder), Vec::<String>::new());
    }
}
