//! Other engines than the lab's usual one: Podman behind Docker's API, and the newest dockerd that Debian has. Each is a lab of its own, with
//! one container that somebody else works on while we watch.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::Program;

/// A lab with one extra engine; taken down when dropped.
struct Extra {
    dir: PathBuf,
    socket: String,
}

impl Extra {
    /// `None`, and a loud word, where this machine has no such engine.
    fn up(option: &str, host: &str) -> Option<Self> {
        let dir = std::env::temp_dir().join(format!("qd-it-{host}-{}", std::process::id()));
        let mut extra = Self { dir, socket: String::new() };
        let output = extra.script("up", &["--hosts", "1", option]);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // 3: no lab here at all, 4 and 5: not this engine. Anything else is a fault of the lab.
            assert!(matches!(output.status.code(), Some(3..=5)), "lab.sh up {option}: {said}");
            let reason = said.lines().last().unwrap_or("no reason given").to_owned();
            let _ = writeln!(std::io::stderr(), "SKIPPED ({reason}): engine {option}");
            return None;
        }
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(extra.dir.join("lab.json")).unwrap()).unwrap();
        let hosts = manifest["hosts"].as_array().unwrap();
        extra.socket = hosts.iter().find(|row| row["name"] == host).unwrap()["unix"].as_str().unwrap().to_owned();
        Some(extra)
    }

    fn script(&self, verb: &str, more: &[&str]) -> std::process::Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.sh");
        Command::new("bash").arg(script).arg(verb).arg(&self.dir).args(more).stdin(Stdio::null()).output().unwrap()
    }

    fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").arg("-H").arg(format!("unix://{}", self.socket)).args(args).output().unwrap();
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Extra {
    fn drop(&mut self) {
        self.script("down", &[]);
    }
}

/// What is told of the container at rest, and the words of what is done to it, as they happen.
fn watched(extra: &Extra) {
    let program = Program::new();
    let host = format!("extra=unix://{}", extra.socket);
    extra.docker(&["run", "-d", "--name", "watched-1", "--label", "org.opencontainers.image.version=4.2", "base:latest", "sleep", "600"]);
    let rows = program.run(&["ps", "name:watched-1", "--format", "json", "-H", &host]).rows();
    let truth: Value = serde_json::from_str::<Vec<Value>>(&extra.docker(&["inspect", "watched-1"])).unwrap().remove(0);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["id"], &rows[0]["state"]), (&truth["Id"], &"running".into()));
    assert_eq!((&rows[0]["version"], &rows[0]["restarts"]), (&"4.2".into(), &0.into()));

    let mut following = program.command(&["events", "-f", "name:*watched*", "--format", "json", "-H", &host]).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // The whole round is repeated until it is heard from its first event on: nothing of it may be missing then.
    let heard = std::thread::spawn(move || {
        let mut words = Vec::new();
        for line in lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let word = event["action"].as_str().unwrap().to_owned();
            if words.is_empty() && word != "pause" {
                continue;
            }
            let last = word == "destroy";
            words.push((word, event["exit_code"].clone()));
            if last {
                break;
            }
        }
        words
    });
    while !heard.is_finished() {
        extra.docker(&["pause", "watched-1"]);
        extra.docker(&["unpause", "watched-1"]);
        extra.docker(&["rename", "watched-1", "watched-2"]);
        extra.docker(&["kill", "watched-2"]);
        extra.docker(&["rm", "-f", "watched-2"]);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(3);
        while !heard.is_finished() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        if !heard.is_finished() {
            extra.docker(&["run", "-d", "--name", "watched-1", "base:latest", "sleep", "600"]);
        }
    }
    following.kill().unwrap();
    following.wait().unwrap();
    let words = heard.join().unwrap();
    let position = |word: &str| words.iter().rposition(|(told, _)| told == word);
    let order =
        ["pause", "unpause", "rename", "die", "destroy"].map(|word| position(word).unwrap_or_else(|| panic!("no {word} in {words:?}")));
    assert!(order.is_sorted(), "{words:?}");
    assert_eq!(words[order[3]].1, 137, "killed: {words:?}");
}

#[test]
fn podman_is_an_engine_too() {
    if let Some(extra) = Extra::up("--podman", "pod-01") {
        watched(&extra);
    }
}

#[test]
fn the_newest_engine_is_an_engine_too() {
    if let Some(extra) = Extra::up("--modern", "new-01") {
        watched(&extra);
    }
}
