//! The verbs of the built binary: what they print, how they end, against an engine, nobody, and somebody else.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
};

use crate::{
    fake_engine::{FakeEngine, JOB, WEB},
    program::{Ended, Program},
};

/// An address where nobody listens: it was free a moment ago.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// A server that is no Docker engine.
fn somebody_else() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap_or_default();
        }
    });
    format!("tcp://{address}")
}

#[test]
fn ps_tells_all_that_inspect_knows() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let ended = program.run(&["ps", "--format", "json", "-H", &engine.host("app-01")]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let rows = ended.rows();
    let of = |index: usize, key: &str| rows[index][key].clone();
    assert_eq!(rows.len(), 2);
    assert_eq!((of(0, "name"), of(1, "name")), ("shop-job-1".into(), "shop-web-1".into()));
    for (index, key, value) in [
        (1, "host", "\"app-01\""),
        (1, "app", "\"shop\""),
        (1, "service", "\"web\""),
        (1, "environment", "null"),
        (1, "tag", "\"1.0.1-22-7e56158\""),
        (1, "digest", "\"sha256:dddd000000000000000000000000000000000000000000000000000000000004\""),
        (1, "state", "\"running\""),
        (1, "health", "\"healthy\""),
        (1, "restarts", "2"),
        (1, "oom_killed", "false"),
        (1, "ports", r#"[{"address":"0.0.0.0","private":80,"protocol":"tcp","public":8080}]"#),
        (0, "state", "\"exited\""),
        (0, "exit_code", "3"),
        (0, "restarts", "0"),
    ] {
        assert_eq!(of(index, key).to_string(), value, "{key}");
    }
}

#[test]
fn tables_in_pipes_are_whole_and_plain() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let host = engine.host("app-01");
    let ps = program.run(&["ps", "-H", &host, "service:web"]);
    assert_eq!(ps.code, Some(0), "{ps:?}");
    let lines: Vec<Vec<&str>> = ps.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], "HOST NAME APP SERVICE ENV VERSION STATE HEALTH CREATED PORTS IMAGE".split(' ').collect::<Vec<_>>());
    assert_eq!(lines[1][..8], ["app-01", "shop-web-1", "shop", "web", "–", "1.0.1-22-7e56158", "running", "healthy"]);
    assert_eq!(lines.len(), 2);
    for args in [&["versions"][..], &["hosts"], &["events", "--since", "2026-11-21T13:00:00Z"], &["doctor"], &["doctor", "identity"]] {
        let ended = program.run(&[args, &["-H", &host]].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}: {ended:?}");
        assert!(ended.out.chars().all(|c| c == '\n' || !c.is_control()), "{args:?}: {:?}", ended.out);
        assert!(ended.out.contains("app-01") || ended.out.contains("shop"), "{args:?}: {}", ended.out);
    }
}

#[test]
fn a_host_that_is_lost_ends_in_3_and_hides_nobody_else() {
    let (engine, program, nobody) = (FakeEngine::start(), Program::new(), nobody());
    let lost = format!("app-05={nobody}");
    for verb in ["ps", "hosts", "versions"] {
        let ended = program.run(&[verb, "--format", "json", "-H", &engine.host("app-01"), "-H", &lost]);
        assert_eq!(ended.code, Some(3), "{verb}: {ended:?}");
        assert!(!ended.rows().is_empty(), "{verb}: {ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{verb}: {ended:?}");
        let sentence = "quarterdeck: host \"app-05\": nobody listens on 127.0.0.1 port ";
        assert!(ended.err.starts_with(sentence), "{verb}: {ended:?}");
    }
    let hosts = program.run(&["hosts", "--format", "json", "-H", &engine.host("app-01"), "-H", &lost]).rows();
    assert_eq!((hosts[0]["status"].as_str(), hosts[1]["status"].as_str()), (Some("live"), Some("retrying")));
    assert!(hosts[0]["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{hosts:?}");
    assert_eq!((&hosts[0]["engine"], &hosts[0]["containers"]), (&"Docker 24.0.7".into(), &2.into()));
}

#[test]
fn somebody_else_is_no_engine() {
    let program = Program::new();
    let host = format!("x={}", somebody_else());
    let ps = program.run(&["ps", "-H", &host]);
    assert_eq!(ps.code, Some(3), "{ps:?}");
    let doctor = program.run(&["doctor", "--format", "json", "-H", &host]);
    assert_eq!(doctor.code, Some(3), "{doctor:?}");
    let last = doctor.rows().pop().unwrap();
    assert_eq!((&last["check"], &last["ok"]), (&"engine".into(), &false.into()));
    assert!(last["remedy"].as_str().is_some_and(|text| text.contains("no Docker engine")), "{last}");
}

#[test]
fn a_silent_host_is_waited_for_only_so_long() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let dir = tempfile::tempdir().unwrap();
    let _silent = UnixListener::bind(dir.path().join("s")).unwrap();
    let silent = format!("deaf=unix://{}/s", dir.path().display());
    let ended = program.run(&["ps", "--format", "json", "-H", &silent, "-H", &engine.host("app-01")]);
    assert_eq!((ended.code, ended.rows().len()), (Some(3), 2), "{ended:?}");
    assert!(ended.err.starts_with("quarterdeck: host \"deaf\": no answer "), "{ended:?}");
}

#[test]
fn inspect_wants_exactly_one() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let host = engine.host("app-01");
    let several = program.run(&["inspect", "app:shop", "-H", &host]);
    assert_eq!((several.code, several.out.as_str()), (Some(2), ""));
    assert!(several.err.contains("matches 2 containers") && several.err.contains("name:shop-job-1"), "{several:?}");
    let none = program.run(&["inspect", "app:bank", "-H", &host]);
    assert_eq!(none.code, Some(2), "{none:?}");
    for format in ["table", "json"] {
        let one = program.run(&["inspect", "service:web", "--format", format, "-H", &host]);
        assert_eq!((one.code, one.err.as_str()), (Some(0), ""));
        let document = one.json();
        assert_eq!(document["Id"], WEB);
        assert!(!one.out.contains("hunter2") && one.out.contains("DB_PASSWORD="), "{one:?}");
        assert_eq!(document["Config"]["Labels"]["evil"], "\u{1b}[2J\u{9b}31m\u{202e}", "reads back as it came");
        assert!(one.out.chars().all(|c| matches!(c, '\n' | '•' | ' '..='~')), "{:?}", one.out);
    }
}

#[test]
fn events_of_a_span_and_as_they_come() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let host = engine.host("app-01");
    let span = ["--since", "2026-11-21T14:00:01Z", "--until", "2026-11-21T14:00:30Z"];
    let ended = program.run(&[&["events", "--format", "json", "-H", &host], &span[..]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let told: Vec<String> = ended.rows().iter().map(|row| format!("{} {} {}", row["id"], row["action"], row["exit_code"])).collect();
    assert_eq!(told, [format!("\"{JOB}\" \"start\" null"), format!("\"{JOB}\" \"die\" 3")]);

    let follow = ["events", "-f", "--format", "json", "--since", "2026-11-21T13:00:00Z", "service:web", "-H", &host];
    let mut child = program.command(&follow).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<String> =
        lines.take(2).map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap()["action"].to_string()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told, ["\"start\"", "\"restart\""]);

    let wrong = program.run(&["events", "--since", "1m", "--until", "2m", "-H", &host]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[test]
fn mistakes_end_in_2() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let host = engine.host("app-01");
    for (args, hint) in [
        (&["ps", "nme:web"][..], "did you mean \"name\"?"),
        (&["versions", "state:runing"], "running"),
        (&["doctor", "ap-01"], "did you mean \"app-01\"?"),
        (&["ps", "-v"], "--log-file"),
        (&["ps", "--log-file", "/nowhere/at/all"], "--log-file /nowhere/at/all"),
        (&["ps", "-c", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["ps", "-H", "gopher://x"], "unknown scheme"),
        (&["pss"], "ps"),
    ] {
        let ended = program.run(&[args, &["-H", &host]].concat());
        assert!(ended.code == Some(2) && ended.out.is_empty() && ended.err.contains(hint), "{args:?}: {ended:?}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let mut child = program.command(&["ps", "--format", "json", "-H", &engine.host("app-01")]).spawn().unwrap();
    drop(child.stdout.take());
    let ended = Ended::of(&child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn the_log_goes_to_its_file_alone() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let path = program.file("old.log", "");
    std::fs::remove_file(&path).unwrap();
    let lost = format!("app-05={}", nobody());
    let ended = program.run(&["ps", "-vv", "--log-file", &path, "-H", &engine.host("app-01"), "-H", &lost]);
    assert_eq!((ended.code, ended.err.lines().count()), (Some(3), 1), "{ended:?}");
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("link lost") && log.contains("host=app-05") && !log.contains('\u{1b}'), "{log}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn verbs_that_need_no_host() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let themes = program.run(&["themes", "--format", "json"]).rows();
    assert!(themes.iter().any(|row| row["name"] == "harbor" && row["built_in"] == true), "{themes:?}");
    let keys = program.run(&["keys", "--format", "json", "-H", &engine.host("app-01")]).rows();
    assert!(keys.iter().any(|row| row["keys"] == "q"), "{keys:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = program.run(&["completions", shell]);
        assert!(script.code == Some(0) && script.out.contains("versions"), "{shell}");
    }
    let man = program.run(&["man"]);
    assert!(man.code == Some(0) && man.out.contains(".TH quarterdeck"), "{man:?}");
    let help = program.run(&["--help"]);
    assert!(help.code == Some(0) && help.out.contains("Exit codes"), "{help:?}");
}

#[test]
fn check_ends_as_a_nagios_plugin_does() {
    let (engine, program) = (FakeEngine::start(), Program::new());
    let (host, lost) = (engine.host("app-01"), format!("app-05={}", nobody()));
    let cases: [(&[&str], i32, &str); 6] = [
        (&["-H", &host], 2, "QUARTERDECK CRITICAL - shop/job ended by itself on app-01: exit 3 | "),
        (&["service:web", "-H", &host], 0, "QUARTERDECK OK - nothing is wrong, 1 of 1 host live, 1 container | "),
        (&["service:web", "-H", &host, "-H", &lost], 3, "QUARTERDECK UNKNOWN - 1 host not seen: app-05 | "),
        (&["-H", &host, "-H", &lost], 2, "QUARTERDECK CRITICAL - shop/job ended by itself on app-01: exit 3; 1 host not seen: app-05 | "),
        (&["host:app-01 service:web", "-H", &host, "-H", &lost], 0, "QUARTERDECK OK - "),
        (&["state:runing", "-H", &host], 3, "QUARTERDECK UNKNOWN - \"state:runing\": "),
    ];
    for (args, code, begin) in cases {
        let ended = program.run(&[&["check"][..], args].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(code), ""), "{args:?}: {ended:?}");
        assert!(ended.out.starts_with(begin), "{args:?}: {ended:?}");
    }
    let json = program.run(&["check", "--format", "json", "-H", &host]);
    assert_eq!((json.code, json.out.lines().count()), (Some(2), 1));
    let report = json.json();
    assert_eq!((&report["status"], &report["exit_code"], &report["alerts"][0]["rule"]), (&"critical".into(), &2.into(), &"exited".into()));
}

#[test]
fn a_bundle_holds_what_is_troubled_and_no_secret() {
    use std::io::Read as _;
    let (engine, program) = (FakeEngine::start(), Program::new());
    let path = program.file("night.tar.gz", "");
    let lost = format!("app-05={}", nobody());
    let ended = program.run(&["bundle", "--out", &path, "-H", &engine.host("app-01"), "-H", &lost]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.starts_with("wrote ") && ended.out.contains("night.tar.gz"), "{ended:?}");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()));
    let mut texts = std::collections::BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let place = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(!text.contains("hunter2"), "{place}: {text}");
        texts.insert(place, text);
    }
    assert!(texts["night/logs/app-01/shop-job-1.log"].contains("stderr login with •••••• failed"), "{texts:?}");
    assert!(texts["night/inspect/app-01/shop-job-1.json"].contains("DB_PASSWORD=••••••"));
    assert!(!texts.keys().any(|place| place.contains("shop-web-1")), "what is well is not handed on");
    assert!(texts["night/README.md"].contains("app-05"), "{}", texts["night/README.md"]);
    let nowhere = program.run(&["bundle", "--out", "/nowhere/at/all.tar.gz", "-H", &engine.host("app-01")]);
    assert!(nowhere.code == Some(1) && nowhere.err.contains("/nowhere/at/all.tar.gz: "), "{nowhere:?}");
}

#[test]
fn check_over_simulated_fleets() {
    let program = Program::new();
    for (scenario, code) in [("--sim=calm", 0), ("--sim=harbor", 2)] {
        let ended = program.run(&["check", scenario]);
        assert_eq!(ended.code, Some(code), "{scenario}: {ended:?}");
    }
}
