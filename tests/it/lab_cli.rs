//! The verbs against real engines: what they tell is what Docker's own client tells, container by container, over every way in.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, lab_or_skip},
    program::Program,
};

/// A configuration over every way into the lab that is not a secret shell: app-01 by TCP, app-02 by TLS, the others by their sockets.
fn by_network(lab: &Lab) -> String {
    let mut text = String::new();
    for host in lab.hosts() {
        text.push_str(&format!("[hosts.{}]\n", host["name"].as_str().unwrap()));
        match (host["tcp"].as_str(), host["tls"].as_object()) {
            (Some(tcp), _) => text.push_str(&format!("url = {tcp:?}\n")),
            (None, Some(tls)) => text.push_str(&tls_lines(&Value::Object(tls.clone()))),
            (None, None) => text.push_str(&format!("url = \"unix://{}\"\n", host["unix"].as_str().unwrap())),
        }
    }
    text
}

fn by_socket(lab: &Lab) -> String {
    let line = |host: &&Value| format!("[hosts.{}]\nurl = \"unix://{}\"\n", host["name"].as_str().unwrap(), host["unix"].as_str().unwrap());
    lab.hosts().iter().map(line).collect()
}

fn tls_lines(tls: &Value) -> String {
    format!("url = {}\ntls = {{ ca = {}, cert = {}, key = {} }}\n", tls["url"], tls["ca"], tls["cert"], tls["key"])
}

/// What Docker's client says of all containers of a host, by id.
fn truth(lab: &Lab, host: &str) -> BTreeMap<String, Value> {
    let ids = lab.docker(host, &["ps", "-aq", "--no-trunc"]);
    let args: Vec<&str> = ["inspect"].into_iter().chain(ids.split_whitespace()).collect();
    let documents: Vec<Value> = serde_json::from_str(&lab.docker(host, &args)).unwrap();
    documents.into_iter().map(|document| (document["Id"].as_str().unwrap().to_owned(), document)).collect()
}

/// The manifest digest of an image in the repository it was named by, as Docker's client tells it.
fn digest(lab: &Lab, host: &str, document: &Value) -> Value {
    let named = document["Config"]["Image"].as_str().unwrap();
    let slash = named.rfind('/').map_or(0, |at| at + 1);
    let repository = named[slash..].find(':').map_or(named, |colon| &named[..slash + colon]);
    let image: Vec<Value> = serde_json::from_str(&lab.docker(host, &["image", "inspect", document["Image"].as_str().unwrap()])).unwrap();
    let digests = image[0]["RepoDigests"].as_array().cloned().unwrap_or_default();
    let pairs = digests.iter().filter_map(|digest| digest.as_str()?.split_once('@'));
    pairs.filter(|(place, _)| *place == repository).map(|(_, digest)| digest).min().map_or(Value::Null, Value::from)
}

fn published(document: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (port, bindings) in document["NetworkSettings"]["Ports"].as_object().into_iter().flatten() {
        for binding in bindings.as_array().into_iter().flatten() {
            out.insert(format!("{}:{}→{port}", binding["HostIp"].as_str().unwrap(), binding["HostPort"].as_str().unwrap()));
        }
    }
    out
}

fn told_ports(row: &Value) -> BTreeSet<String> {
    let ports = row["ports"].as_array().unwrap().iter().filter(|port| !port["public"].is_null());
    ports
        .map(|port| {
            let text = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
            format!("{}:{}→{}/{}", text("address"), port["public"], port["private"], text("protocol"))
        })
        .collect()
}

fn compare(lab: &Lab, host: &str, row: &Value, document: &Value) {
    let state = &document["State"];
    let named = document["Config"]["Image"].as_str().unwrap();
    let tag = named[named.rfind('/').map_or(0, |at| at + 1)..].split_once(':').map(|(_, tag)| tag);
    let status = state["Status"].as_str().unwrap();
    let health = state["Health"]["Status"].as_str().unwrap_or("none");
    for (key, expected) in [
        ("host", json!(host)),
        ("name", json!(document["Name"].as_str().unwrap().trim_start_matches('/'))),
        ("image", json!(named)),
        ("tag", json!(tag)),
        ("digest", digest(lab, host, document)),
        ("state", json!(status)),
        ("restarts", document["RestartCount"].clone()),
        ("oom_killed", state["OOMKilled"].clone()),
    ] {
        assert_eq!(row[key], expected, "{host} {} {key}", row["name"]);
    }
    if status == "running" {
        assert_eq!(row["health"], health, "{host} {} health", row["name"]);
    }
    if status == "exited" {
        assert_eq!(row["exit_code"], state["ExitCode"], "{host} {} exit_code", row["name"]);
    }
    assert_eq!(told_ports(row), published(document), "{host} {} ports", row["name"]);
    let moment = |value: &Value| value.as_str().map(|text| DateTime::parse_from_rfc3339(text).unwrap());
    assert_eq!(moment(&row["created"]), moment(&document["Created"]), "{host} {} created", row["name"]);
    let started = moment(&state["StartedAt"]).filter(|at| at.timestamp() > 0);
    assert_eq!(moment(&row["started"]), started, "{host} {} started", row["name"]);
}

/// Again until most of the lab holds still: its health checks may not have settled yet.
fn ps_agrees(lab: &Lab, program: &Program, configuration: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while ps_agrees_on(lab, program, configuration) < 18 {
        assert!(Instant::now() < deadline, "the lab does not settle");
    }
}

/// Only what Docker's client tells alike before and after can be compared, and counts; everything must be there.
fn ps_agrees_on(lab: &Lab, program: &Program, configuration: &str) -> usize {
    let file = program.file("config.toml", configuration);
    let all = || -> BTreeMap<String, BTreeMap<String, Value>> {
        lab.hosts().iter().map(|host| host["name"].as_str().unwrap().to_owned()).map(|host| (host.clone(), truth(lab, &host))).collect()
    };
    let before = all();
    let ended = program.run(&["-c", &file, "ps", "--format", "json"]);
    let after = all();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let rows = ended.rows();
    let mut compared = 0;
    for (host, documents) in &before {
        let here: BTreeMap<&str, &Value> =
            rows.iter().filter(|row| row["host"] == *host.as_str()).map(|row| (row["id"].as_str().unwrap(), row)).collect();
        assert_eq!(here.keys().map(|id| (*id).to_owned()).collect::<Vec<_>>(), documents.keys().cloned().collect::<Vec<_>>(), "{host}");
        for (id, document) in documents {
            let still = |at: &str| after[host].get(id).is_some_and(|later| later.pointer(at) == document.pointer(at));
            if ["/State/Status", "/State/StartedAt", "/State/ExitCode", "/State/Health/Status"].into_iter().all(still) {
                compare(lab, host, here[id.as_str()], document);
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn ps_agrees_with_docker_over_tcp_tls_and_sockets() {
    let lab = lab_or_skip!();
    ps_agrees(lab, &Program::new(), &by_network(lab));
}

#[test]
fn ps_agrees_with_docker_over_sockets() {
    let lab = lab_or_skip!();
    ps_agrees(lab, &Program::new(), &by_socket(lab));
}

/// A home whose ssh_config knows the lab's servers by name.
fn with_ssh(lab: &Lab) -> Program {
    let program = Program::new();
    program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
    program
}

#[test]
fn ps_agrees_with_docker_over_ssh() {
    let lab = lab_or_skip!();
    let line = |host: &&Value| format!("[hosts.{0}]\nurl = \"ssh://{0}\"\n", host["name"].as_str().unwrap());
    ps_agrees(lab, &with_ssh(lab), &lab.hosts().iter().map(line).collect::<String>());
}

#[test]
fn doctor_names_the_step_of_ssh_that_fails() {
    let lab = lab_or_skip!();
    let program = with_ssh(lab);
    let unknown_key = format!("unknown-key=ssh://ops@{}", lab.host("app-01")["address"].as_str().unwrap());
    let cases = [
        ("good=ssh://app-01", None),
        ("no-account=ssh://nosuchuser@app-01", Some("login")),
        ("guest=ssh://guest@app-01", Some("socket")),
        ("no-socket=ssh://app-01/run/nothing.sock", Some("socket")),
        (&unknown_key, Some("host-key")),
    ];
    let args: Vec<&str> = ["doctor", "--format", "json"].into_iter().chain(cases.iter().flat_map(|(host, _)| ["-H", *host])).collect();
    let ended = program.run(&args);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let rows = ended.rows();
    for (host, check) in cases {
        let name = host.split('=').next().unwrap();
        let failed = rows.iter().find(|row| row["host"] == name && row["ok"] == false);
        assert_eq!(failed.map(|row| row["check"].as_str().unwrap()), check, "{host}: {failed:?}");
    }
}

/// Where sshd forwards to no socket, the transport takes Docker's own way in.
#[test]
fn where_sshd_forwards_nothing_dockers_own_way_in_serves() {
    let lab = lab_or_skip!();
    let program = with_ssh(lab);
    for _ in 0..5 {
        let ended = program.run(&["doctor", "--format", "json", "-H", "no-forward=ssh://ops@app-01:2222"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[test]
fn versions_tell_one_tag_with_two_meanings() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let file = program.file("config.toml", &by_network(lab));
    let ended = program.run(&["-c", &file, "versions", "app:shop", "service:web", "--format", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let rows = ended.rows();
    assert_eq!((rows.len(), &rows[0]["drift"]), (1, &json!(true)));
    let why: Vec<&str> = rows[0]["why"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let digest_on = |host: &str| {
        let cells = rows[0]["cells"].as_array().unwrap().iter();
        let cell = cells.filter(|cell| cell["host"] == host).find(|cell| cell["version"] == "1.0.1-22-7e56158").unwrap();
        cell["digest"].as_str().unwrap()["sha256:".len()..][..6].to_owned()
    };
    let (first, second) = (digest_on("app-01"), digest_on("app-02"));
    assert_ne!(first, second);
    let words = ["tag 1.0.1-22-7e56158", "app-01", "app-02", &first, &second];
    assert!(why.iter().any(|sentence| words.iter().all(|word| sentence.contains(word))), "{why:?}");
}

#[test]
fn events_agree_with_docker() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let file = program.file("config.toml", &by_network(lab));
    let since = Utc::now();
    lab.docker("app-02", &["restart", "-t", "0", "cron"]);
    let until = Utc::now();
    let (from, to) = (since.to_rfc3339_opts(SecondsFormat::Nanos, true), until.to_rfc3339_opts(SecondsFormat::Nanos, true));
    let ended = program.run(&["-c", &file, "events", "--since", &from, "--until", &to, "--format", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let mut told: Vec<(String, i64, String, String)> = ended
        .rows()
        .iter()
        .filter(|row| row["kind"] == "container")
        .map(|row| {
            let at = DateTime::parse_from_rfc3339(row["ts"].as_str().unwrap()).unwrap().timestamp_nanos_opt().unwrap();
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("host"), at, text("action"), text("name"))
        })
        .collect();
    told.sort();
    let mut expected = Vec::new();
    for host in lab.hosts() {
        let name = host["name"].as_str().unwrap();
        let filter = ["events", "--since", &from, "--until", &to, "--filter", "type=container", "--format", "{{json .}}"];
        for line in lab.docker(name, &filter).lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let action = event["Action"].as_str().unwrap();
            // What health checks do is noise, and left out.
            if !action.starts_with("exec_") {
                let of = event["Actor"]["Attributes"]["name"].as_str().unwrap().to_owned();
                expected.push((name.to_owned(), event["timeNano"].as_i64().unwrap(), action.to_owned(), of));
            }
        }
    }
    expected.sort();
    assert!(expected.iter().any(|event| event.2 == "restart" && event.3 == "cron"), "{expected:?}");
    assert_eq!(told, expected);
}

#[test]
fn inspect_tells_what_docker_tells_but_no_secret() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let file = program.file("config.toml", &by_network(lab));
    let ended = program.run(&["-c", &file, "inspect", "host:app-01", "name:hostile", "--format", "json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.chars().all(|c| c == '\n' || !c.is_control()), "nothing acts on a terminal");
    assert!(!ended.out.contains("owned\\u0007\""), "the value of TITLE is masked");
    let documents: Vec<Value> = serde_json::from_str(&lab.docker("app-01", &["inspect", "hostile"])).unwrap();
    let told = ended.json();
    for key in ["Id", "Created", "Image", "Name", "HostConfig"] {
        assert_eq!(told[key], documents[0][key], "{key}");
    }
    assert_eq!(told["Config"]["Labels"], documents[0]["Config"]["Labels"]);
}

#[test]
fn doctor_names_the_step_that_fails() {
    let lab = lab_or_skip!();
    let program = Program::new();
    let tls_host = lab.host("app-02");
    let url = tls_host["tls"]["url"].as_str().unwrap();
    let configuration = format!(
        "[hosts.good]\n{}[hosts.wrong-name]\n{}[hosts.stranger]\n{}[hosts.no-tls]\nurl = {url:?}\n[hosts.tls-for-plain]\n{}",
        tls_lines(&tls_host["tls"]),
        tls_lines(&tls_host["tls_wrong_name"]),
        tls_lines(&tls_host["tls_stranger"]),
        tls_lines(&tls_host["tls"]).replace(url, lab.host("app-01")["tcp"].as_str().unwrap()),
    );
    let file = program.file("config.toml", &configuration);
    assert_eq!(program.run(&["-c", &file, "doctor", "good"]).code, Some(0));
    let ended = program.run(&["-c", &file, "doctor", "--format", "json"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let rows = ended.rows();
    let failed: Vec<(&str, &str)> =
        rows.iter().filter(|row| row["ok"] == false).map(|row| (row["host"].as_str().unwrap(), row["check"].as_str().unwrap())).collect();
    assert_eq!(failed, [("wrong-name", "tls"), ("stranger", "tls"), ("no-tls", "engine"), ("tls-for-plain", "tls")]);
    assert!(rows.iter().filter(|row| row["ok"] == false).all(|row| row["remedy"].is_string()), "{rows:?}");
    assert!(lab.dir().join("lab.json").exists(), "nothing was changed");
}
