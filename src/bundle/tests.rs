use std::{collections::BTreeMap, io::Read as _, os::unix::fs::PermissionsExt as _};

use bytes::Bytes;
use ratatui::layout::Rect;
use serde_json::json;

use super::{
    gather::{Log, Subject},
    *,
};
use crate::{
    alerts::Triage,
    fleet::{ContainerId, Delta, EngineEvent, EventKind, LinkCause, LinkState, Matrix, MatrixBy, fixture},
    logs::{LogLine, LogStream, RawText, SourceId, Stamp},
};

const SECRET: &str = "hunter2-XQZJ9";

fn log(lines: &[&str]) -> Log {
    let mut log = Log::default();
    for text in lines {
        let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
        log.push(&LogLine { at: Stamp(1), source: SourceId(0), stream: LogStream::Err, level: None, late: false, cut: false, text });
    }
    log
}

fn subject(name: &str, lines: &[&str]) -> Subject {
    let (host, short) = name.split_once('/').unwrap();
    let document = json!({
        "Name": format!("/{short}"),
        "Config": {"Env": [format!("DB_PASSWORD={SECRET}"), "PATH=/usr/bin"], "Labels": {"note": format!("see {SECRET}"), "app": "shop"}},
    });
    let key = ContainerKey { host: host.into(), id: ContainerId::new(fixture::hex(name)) };
    Subject { key, name: name.to_owned(), document: Some(document), lines: Some(log(lines)) }
}

/// The drawn fleet with a host lost and secrets wherever a stranger may put one.
fn material(screen: Screen) -> Material {
    let mut fleet = fixture::fleet();
    let (since, next) = (fixture::now(), fixture::now());
    let lost = LinkState::Retrying { since, cause: LinkCause::Unreachable, error: "connection timed out".into(), next };
    fleet.apply(Delta::Link { host: "app-09".into(), link: lost, at: since });
    let event = EngineEvent {
        at: since,
        host: "app-03".into(),
        kind: EventKind::Container,
        action: format!("exec_create: mysql -p {SECRET} --password other-s3cret").into(),
        id: ContainerId::new("ff"),
        name: "db-tool".into(),
        image: None,
        exit_code: None,
        signal: None,
        old_name: None,
        labels: fixture::labels(&[("deploy.token", SECRET)]),
    };
    fleet.apply(Delta::Event { event, live: false, at: since });
    Material { fleet, filter: None, usage: BTreeMap::new(), screen, now: fixture::now(), simulated: false }
}

fn contents(screen: Screen, mut subjects: Vec<Subject>, missing: Vec<String>) -> Contents {
    let material = material(screen);
    let matrix = Matrix::build(&material.fleet, MatrixBy::Environment, None, material.now);
    let triage = Triage::of(&material.fleet, &matrix, [], material.now);
    let mut redactor = Redactor::default();
    for subject in &mut subjects {
        redactor.learn(subject.document.as_mut().unwrap());
    }
    redactor.prepare().unwrap();
    Contents::of(material, &triage, &matrix, &subjects, missing, &redactor)
}

fn text<'a>(contents: &'a Contents, name: &str) -> &'a str {
    contents.files().iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str()).unwrap_or_else(|| panic!("no {name}"))
}

fn shown() -> Screen {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 60, 3));
    buffer.set_string(0, 0, format!("ERROR login with {SECRET} failed"), ratatui::style::Style::default());
    buffer.set_string(0, 1, "token=swordfish", ratatui::style::Style::default());
    Screen::Shown(Box::new(buffer), SvgOptions::default())
}

#[test]
fn no_file_holds_a_secret_and_all_that_is_promised_is_here() {
    let lines = [
        &*format!("connecting with {SECRET}"),
        "\u{1b}[31mcolour in the middle: hunter2\u{1b}[0m-XQZJ9\u{1b}[2J",
        "api_key=other-s3cret path=/usr/bin",
    ];
    let subjects = vec![subject("app-03/worker-1", &lines), subject("app-07/api-1", &["fine"])];
    let contents = contents(shown(), subjects, vec!["log of app-09/db: its host cannot be reached at the moment".to_owned()]);
    for (name, text) in contents.files() {
        for secret in [SECRET, "other-s3cret", "swordfish"] {
            assert!(!text.contains(secret), "{name} holds {secret}: {text}");
        }
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name} holds a control character");
    }
    let names: Vec<&str> = contents.files().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "README.md",
            "triage.txt",
            "versions.txt",
            "hosts.txt",
            "events.txt",
            "triage.json",
            "versions.json",
            "hosts.json",
            "events.json",
            "containers.json",
            "inspect/app-03/worker-1.json",
            "inspect/app-07/api-1.json",
            "logs/app-03/worker-1.log",
            "logs/app-07/api-1.log",
            "screen.txt",
            "screen.svg",
        ]
    );
    assert!(text(&contents, "logs/app-03/worker-1.log").contains("path=/usr/bin"));
    assert!(text(&contents, "screen.txt").starts_with("ERROR login with •••"));
    assert!(text(&contents, "versions.txt").contains("app-07 runs 1.0.1-19-04bd1c9"));
    assert!(text(&contents, "triage.txt").contains("billing/worker in production is unhealthy on app-03 (1 of 6)"));
    for (name, text) in contents.files().iter().filter(|(name, _)| name.ends_with(".json")) {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{name}: {text}");
    }
    let document: serde_json::Value = serde_json::from_str(text(&contents, "inspect/app-03/worker-1.json")).unwrap();
    assert_eq!(document["Config"]["Env"][0], "DB_PASSWORD=••••••");
    insta::assert_snapshot!("bundle_readme", text(&contents, "README.md").replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_screen_that_is_not_for_others_is_left_out_and_said() {
    let contents = contents(Screen::Private, Vec::new(), Vec::new());
    assert!(!contents.files().iter().any(|(name, _)| name.starts_with("screen")));
    assert!(text(&contents, "README.md").contains("the screen: it showed secrets"));
}

#[test]
fn the_file_is_whole_private_and_stays_in_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("night.tar.gz");
    let subjects = vec![subject("../../etc/passwd", &["x"]), subject("app-01/.. ..", &["y"]), subject("app-01/.. ..", &["z"])];
    let contents = contents(Screen::None, subjects, Vec::new());
    let size = contents.write(&path).unwrap();
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (size, 0o600));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()));
    let mut read = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let place = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(place.starts_with("night/") && !place.split('/').any(|part| part == ".."), "{place}");
        assert!(read.insert(place.clone(), text).is_none(), "{place} twice");
    }
    assert_eq!(read.len(), contents.files().len());
    assert!(read["night/README.md"].starts_with("# A hand-off by quarterdeck"));
    let nowhere = contents.write(&dir.path().join("no/such/place.tar.gz")).unwrap_err().to_string();
    assert!(nowhere.contains("no/such/place.tar.gz: "), "{nowhere}");
    assert!(told(&path, &contents, size).contains("night.tar.gz"));
}
