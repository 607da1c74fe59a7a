//! `doctor` on what goes wrong on the way to an engine: it names the step that fails, and what mends it.

use serde_json::Value;

use crate::{lab::lab_or_skip, program::Program};

/// A way in that fails, the check that fails on it, and words of detail or remedy.
type Case<'a> = (&'a str, String, &'a str, &'a [&'a str]);

fn examine(program: &Program, args: &[&str]) -> Vec<Value> {
    let ended = program.run(&[&["doctor", "--format", "json"], args].concat());
    assert_eq!(ended.code, Some(3), "{ended:?}");
    ended.rows()
}

fn assert_named(rows: &[Value], (name, _, check, words): &Case<'_>) {
    let failed = rows.iter().find(|row| row["host"] == *name && row["ok"] == false).unwrap_or_else(|| panic!("{name} is well: {rows:?}"));
    assert_eq!(failed["check"], *check, "{failed}");
    let said = format!("{} {}", failed["detail"], failed["remedy"]);
    for word in *words {
        assert!(said.contains(word), "{name}: {word:?} in {said}");
    }
}

#[test]
fn doctor_names_what_stands_between_us_and_an_engine_over_ssh() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let address = lab.host("app-01")["address"].as_str().unwrap().to_owned();
    // A server whose key is not the one that is known: app-03's, under the name of app-01.
    let known = lab.dir().join("ssh/known_hosts");
    let config = std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap();
    let other = lab.host("app-03")["address"].as_str().unwrap();
    let changed =
        format!("Host changed\n  HostName {other}\n  HostKeyAlias app-01\n  User ops\n  UserKnownHostsFile {}\n", known.display());
    program.file(".ssh/config", &format!("{changed}{config}"));
    let cases: [Case<'_>; 5] = [
        ("guest", "ssh://guest@app-01".to_owned(), "socket", &["permission", "docker"]),
        ("unknown", format!("ssh://ops@{address}"), "host-key", &["unknown", "accept"]),
        ("changed", "ssh://changed".to_owned(), "host-key", &["CHANGED", "ssh-keygen -R"]),
        ("nobody", "ssh://nosuchuser@app-01".to_owned(), "login", &["nosuchuser"]),
        ("no-engine", "ssh://app-01/run/nothing.sock".to_owned(), "socket", &["/run/nothing.sock"]),
    ];
    let hosts: Vec<String> = cases.iter().flat_map(|(name, url, ..)| ["-H".to_owned(), format!("{name}={url}")]).collect();
    let rows = examine(&program, &hosts.iter().map(String::as_str).collect::<Vec<_>>());
    cases.iter().for_each(|case| assert_named(&rows, case));
}

#[test]
fn doctor_names_a_certificate_for_another_name() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let tls = &lab.host("app-02")["tls_wrong_name"];
    let text =
        format!("[hosts.other-name]\nurl = {}\ntls = {{ ca = {}, cert = {}, key = {} }}\n", tls["url"], tls["ca"], tls["cert"], tls["key"]);
    let file = program.file("config.toml", &text);
    let rows = examine(&program, &["-c", &file]);
    assert_named(&rows, &("other-name", String::new(), "tls", &["name"]));
}
