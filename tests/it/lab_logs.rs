//! `logs` against real engines that are killed, cut off and replaced under it: what it told is afterwards exactly what the engines hold.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{lab::Lab, program::Program};

const PATIENCE: Duration = Duration::from_secs(150);

/// Numbered lines on both streams, some of them long, until it is told to stop.
const TALK: &str = r#"trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo "$HOSTNAME $n"; [ $((n % 3)) = 0 ] && echo "warning: $HOSTNAME $n" >&2; [ $((n % 50)) = 0 ] && { head -c 40000 /dev/zero | tr '\0' x; echo " $n"; }; sleep 0.04; done"#;

/// A line as both sides tell it: its stamp and its text.
type Line = (i64, String);

fn talk(lab: &Lab, host: &str, name: &str, version: &str) {
    let version = format!("org.opencontainers.image.version={version}");
    let labels = ["com.docker.compose.project=chat", "com.docker.compose.service=talk", version.as_str()];
    let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
    let restart = if host == "app-01" { "always" } else { "no" };
    let run = ["run", "-d", "--name", name, "--hostname", name, "--restart", restart];
    lab.docker(host, &[&run[..], &labels, &["base:latest", "sh", "-c", TALK]].concat());
}

fn configuration(lab: &Lab) -> String {
    let socket = |host: &str| format!("[hosts.{host}]\nurl = \"unix://{}\"\n", lab.host(host)["unix"].as_str().unwrap());
    let tls = &lab.host("app-02")["tls"];
    let by_tls = format!("url = {}\ntls = {{ ca = {}, cert = {}, key = {} }}\n", tls["url"], tls["ca"], tls["cert"], tls["key"]);
    format!("{}[hosts.app-02]\n{by_tls}{}", socket("app-01"), socket("app-03"))
}

/// A running `logs -f` and what it has told.
struct Follow {
    child: Child,
    rows: Arc<Mutex<Vec<Value>>>,
}

impl Follow {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let rows = Arc::new(Mutex::new(Vec::new()));
        let (out, shelf) = (child.stdout.take().unwrap(), Arc::clone(&rows));
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                shelf.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, rows }
    }

    fn wait(&self, what: &str, enough: impl Fn(&[Value]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(&self.rows.lock().unwrap()) {
            let markers = || markers(&self.rows.lock().unwrap());
            assert!(Instant::now() < deadline, "waited in vain for {what}; markers: {:#?}", markers());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn wait_for_marker(&self, words: &[&str]) {
        self.wait(&words.join(" "), |rows| markers(rows).iter().any(|marker| words.iter().all(|word| marker.contains(word))));
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn markers(rows: &[Value]) -> Vec<String> {
    rows.iter().filter(|row| row["stream"] == "marker").map(|row| row["line"].as_str().unwrap().to_owned()).collect()
}

fn stamp(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap()
}

/// What was told of a container, in the order in which it was told.
fn told(rows: &[Value], container: &str, stream: &str) -> Vec<Line> {
    let own = rows.iter().filter(|row| row["container"] == container && row["stream"] == stream);
    own.map(|row| (stamp(row["ts"].as_str().unwrap()), row["line"].as_str().unwrap().to_owned())).collect()
}

/// What the engine's own log holds of a container, by stream.
fn held(lab: &Lab, host: &str, container: &str) -> BTreeMap<&'static str, Vec<Line>> {
    let socket = format!("unix://{}", lab.host(host)["unix"].as_str().unwrap());
    let output = Command::new("docker").args(["-H", &socket, "logs", "--timestamps", container]).output().unwrap();
    assert!(output.status.success());
    // Docker's client prints the stamp of each record, and a newline only where a record has one: the records of a long line have one stamp,
    // and a line that a killed engine left without its end is followed by the next one's stamp.
    let record = regex::bytes::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ").unwrap();
    let lines = |bytes: &[u8]| -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut open = false;
        let starts: Vec<_> = record.find_iter(bytes).collect();
        for (nth, found) in starts.iter().enumerate() {
            let end = starts.get(nth + 1).map_or(bytes.len(), regex::bytes::Match::start);
            let at = stamp(std::str::from_utf8(found.as_bytes()).unwrap().trim_end());
            let text = std::str::from_utf8(&bytes[found.end()..end]).unwrap();
            match lines.last_mut() {
                Some(last) if open && last.0 == at => last.1.push_str(text.trim_end_matches('\n')),
                Some(_) | None => lines.push((at, text.trim_end_matches('\n').to_owned())),
            }
            open = !text.ends_with('\n');
        }
        lines
    };
    BTreeMap::from([("stdout", lines(&output.stdout)), ("stderr", lines(&output.stderr))])
}

fn all_speak(rows: &[Value], cast: &[(&str, String)], after: i64) -> bool {
    let newest = |name: &str| rows.iter().rev().find(|row| row["container"] == *name && row["stream"] == "stdout");
    cast.iter().all(|(_, name)| newest(name).is_some_and(|row| stamp(row["ts"].as_str().unwrap()) > after))
}

#[test]
fn every_line_once_through_a_killed_engine_a_partition_and_a_replacement() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("logs", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let file = program.file("config.toml", &configuration(&lab));
    let from = Utc::now().to_rfc3339();
    let mut cast: Vec<(&str, String)> = Vec::new();
    for (host, count) in [("app-01", 4), ("app-02", 3), ("app-03", 3)] {
        for _ in 0..count {
            let name = format!("talk-{:02}", cast.len() + 1);
            talk(&lab, host, &name, "1.0");
            cast.push((host, name));
        }
    }
    let follow = Follow::start(program.command(&["-c", &file, "logs", "-f", "service:talk", "--since", &from, "--format", "json"]));
    // Among them one that is longer than a record.
    follow.wait("the first lines of all", |rows| cast.iter().all(|(_, name)| told(rows, name, "stdout").len() > 60));

    lab.fault("kill9", "app-01");
    lab.fault("link-down", "app-02");
    // A replacement as compose makes it: the old one ends, the new one starts under another id.
    lab.docker("app-03", &["stop", "-t", "1", "talk-08"]);
    let replaced = held(&lab, "app-03", "talk-08");
    lab.docker("app-03", &["rm", "talk-08"]);
    talk(&lab, "app-03", "talk-08b", "2.0");
    cast.retain(|(_, name)| name != "talk-08");
    cast.push(("app-03", "talk-08b".to_owned()));
    follow.wait_for_marker(&["app-03 talk-08b replaced: 1.0 → 2.0"]);
    follow.wait_for_marker(&["app-01 lost"]);
    // So long that the link is torn down and made anew.
    follow.wait_for_marker(&["app-02 lost", "has not answered"]);

    lab.fault("restart", "app-01");
    lab.fault("link-up", "app-02");
    follow.wait_for_marker(&["app-01 is back"]);
    follow.wait_for_marker(&["app-02 is back"]);
    follow.wait_for_marker(&["app-01 talk-01 restarted"]);
    let mended = Utc::now().timestamp_nanos_opt().unwrap();
    follow.wait("lines of all after the faults", |rows| all_speak(rows, &cast, mended));

    for host in ["app-01", "app-02", "app-03"] {
        let names: Vec<&str> = cast.iter().filter(|(of, _)| *of == host).map(|(_, name)| name.as_str()).collect();
        lab.docker(host, &[&["stop", "-t", "2"], &names[..]].concat());
    }
    let mut expected = BTreeMap::from([("talk-08".to_owned(), replaced)]);
    for (host, name) in &cast {
        expected.insert(name.clone(), held(&lab, host, name));
    }
    let count = |lines: &BTreeMap<&str, Vec<Line>>| lines.values().map(Vec::len).sum::<usize>();
    follow.wait("the last lines of all", |rows| {
        expected.iter().all(|(name, lines)| {
            let last = |stream| lines[stream].last().is_none_or(|last| told(rows, name, stream).last() >= Some(last));
            last("stdout") && last("stderr")
        })
    });
    let rows = follow.rows.lock().unwrap().clone();
    for (name, streams) in &expected {
        assert!(count(streams) > 50, "{name} spoke");
        for (stream, lines) in streams {
            let told = told(&rows, name, stream);
            let differs = told.iter().zip(lines).position(|(a, b)| a != b);
            let beginning = |line: &Line| (line.0, line.1.chars().take(60).collect::<String>());
            let around = differs.map(|at| (at, beginning(&told[at]), beginning(&lines[at])));
            assert!(told == *lines, "{name} {stream}: {} told, {} held, first difference {around:?}", told.len(), lines.len());
        }
    }
    drop(follow);

    // A search tells what it could not read.
    lab.fault("kill9", "app-03");
    let ended = program.run(&["-c", &file, "logs", "service:talk", "--grep", " [0-9]*7$", "--level", "warn", "--format", "json"]);
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.lines().all(|line| line.contains("not searched: host \"app-03\"")) && !ended.err.is_empty(), "{}", ended.err);
    let found = ended.rows();
    for (host, name) in cast.iter().filter(|(host, _)| *host != "app-03") {
        let wanted: Vec<Line> = expected[name]["stderr"].iter().filter(|(_, text)| text.ends_with('7')).cloned().collect();
        assert!(!wanted.is_empty() && told(&found, name, "stderr") == wanted, "{host} {name}");
        assert!(told(&found, name, "stdout").is_empty(), "no level is info, which is less than warn");
    }
    assert!(found.is_sorted_by_key(|row| stamp(row["ts"].as_str().unwrap())));
}

/// Engines leave a follower behind when they rotate the log under it: its stream stays open, and silent.
#[test]
fn a_log_that_is_rotated_under_its_follower_goes_on() {
    const WRITERS: [&str; 4] = ["roll-1", "roll-2", "roll-3", "roll-4"];
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("rotation", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let host = format!("app-01=unix://{}", lab.host("app-01")["unix"].as_str().unwrap());
    // Each waits until its log is followed; then it is rotated many times, and at last one line comes that must be told.
    let script = "until [ -f /go ]; do sleep 0.1; done; n=0; while [ $n -lt 6000 ]; do n=$((n+1)); echo line $n of many; done; sleep 3; echo the end; sleep 1000";
    for name in WRITERS {
        lab.docker(
            "app-01",
            &["run", "-d", "--name", name, "--log-opt", "max-size=50k", "base:latest", "sh", "-c", &format!("echo begun; {script}")],
        );
    }
    let follow = Follow::start(program.command(&["logs", "-f", "name:roll-*", "--format", "json", "-H", &host]));
    let all_told =
        |rows: &[Value], line: &str| WRITERS.iter().all(|name| rows.iter().any(|row| row["container"] == *name && row["line"] == line));
    follow.wait("the first lines", |rows| all_told(rows, "begun"));
    for name in WRITERS {
        lab.docker("app-01", &["exec", name, "touch", "/go"]);
    }
    follow.wait("the last lines", |rows| all_told(rows, "the end"));
    let rows = follow.rows.lock().unwrap();
    for name in WRITERS {
        let told = told(&rows, name, "stdout");
        // An equal line of one moment may be the engine's repeat or a second one, where clocks are coarse: it is told.
        let wrong = told.windows(2).find(|pair| pair[0].0 > pair[1].0);
        let around = rows
            .iter()
            .filter(|row| row["container"] == name)
            .filter(|row| row["stream"] == "marker" || wrong.is_some_and(|pair| row["line"] == *pair[1].1));
        assert!(wrong.is_none(), "{name}: a line was told twice or out of order: {wrong:?}: {:#?}", around.collect::<Vec<_>>());
        println!("{name}: {} of 6002 lines told; some the engine rotates away or leaves out unsaid", told.len());
    }
}
