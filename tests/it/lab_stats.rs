//! `stats` against real engines: its numbers are those of the kernel's own files and of Docker's client, its sums hold under start and stop.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{lab::Lab, program::Program};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds 24 MB that the kernel cannot give back, and uses as much of a processor as it may.
const LOAD: &str = "dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; while :; do n=$((n+1)); done";
/// Holds 10 MB and does nothing.
const REST: &str = "dd if=/dev/zero of=/dev/shm/held bs=1M count=10 2>/dev/null; exec sleep 3600";

fn run(lab: &Lab, host: &str, name: &str, service: &str, limits: &[&str], command: &str) -> String {
    let service = format!("com.docker.compose.service={service}");
    let labels = ["--label", "com.docker.compose.project=load", "--label", &service];
    lab.docker(host, &[&["run", "-d", "--init", "--name", name][..], &labels, limits, &["base:latest", "sh", "-c", command]].concat())
        .trim()
        .to_owned()
}

/// The directories that the kernel keeps for a container, on every hierarchy.
fn groups(below: &Path, id: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().contains(id) {
            found.push(path);
        } else {
            groups(&path, id, found);
        }
    }
}

/// What the kernel says of one container: nanoseconds of processor time and bytes of working set.
struct Kernel(Vec<PathBuf>);

impl Kernel {
    fn of(id: &str) -> Self {
        let mut found = Vec::new();
        groups(Path::new("/sys/fs/cgroup"), id, &mut found);
        assert!(!found.is_empty(), "no control group of {id}");
        Self(found)
    }

    fn file(&self, name: &str) -> Option<String> {
        self.0.iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok())
    }

    fn cpu(&self) -> f64 {
        if let Some(nanoseconds) = self.file("cpuacct.usage") {
            return nanoseconds.trim().parse::<f64>().unwrap() / 1e9;
        }
        field(&self.file("cpu.stat").expect("cgroup v1 or v2"), "usage_usec") / 1e6
    }

    fn memory(&self) -> f64 {
        let (usage, cache) = match self.file("memory.usage_in_bytes") {
            Some(usage) => (usage, "total_inactive_file"),
            None => (self.file("memory.current").expect("cgroup v1 or v2"), "inactive_file"),
        };
        usage.trim().parse::<f64>().unwrap() - field(&self.file("memory.stat").unwrap(), cache)
    }
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} in {row}"))
}

/// A share as Docker's client prints it.
fn percent(told: &Value, key: &str) -> f64 {
    told[key].as_str().unwrap().trim_end_matches('%').parse().unwrap()
}

fn near(a: f64, b: f64, share: f64, air: f64) -> bool {
    (a - b).abs() <= a.abs().max(b.abs()) * share + air
}

const MB: f64 = 1_048_576.0;

#[test]
fn the_figures_are_the_kernels_and_the_sums_hold() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("stats", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let hosts = ["app-01", "app-02"].map(|host| format!("{host}=unix://{}", lab.host(host)["unix"].as_str().unwrap()));
    let ask = |terms: &[&str]| -> Vec<Value> {
        let flags = ["stats", "--once", "--format", "json", "-H", hosts[0].as_str(), "-H", hosts[1].as_str()];
        let ended = program.run(&[&flags[..], terms].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        ended.rows()
    };
    let limited = ["--cpus", "0.2", "--memory", "64m", "--pids-limit", "50"];
    let busy = run(&lab, "app-01", "busy-1", "busy", &limited, LOAD);
    let calm = run(&lab, "app-01", "calm-1", "calm", &[], REST);
    run(&lab, "app-01", "calm-2", "calm", &[], REST);
    run(&lab, "app-02", "calm-3", "calm", &[], REST);

    // One container beside the kernel's files and Docker's own client.
    let kernel = Kernel::of(&busy);
    // Its share is even only where the machine has a fifth of a processor to spare all the time: of several looks one meets that.
    let deadline = Instant::now() + PATIENCE;
    let (rows, told) = loop {
        let (cpu, since) = (kernel.cpu(), Instant::now());
        let rows = ask(&["name:busy-1"]);
        let meant = (kernel.cpu() - cpu) / since.elapsed().as_secs_f64();
        assert_eq!(rows.len(), 1, "{rows:?}");
        let told = lab.docker("app-01", &["stats", "--no-stream", "--format", "{{json .}}", "busy-1"]);
        let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
        let cores = number(&rows[0], "cpu");
        if near(cores, meant, 0.35, 0.04) && near(cores * 100.0, percent(&told, "CPUPerc"), 0.35, 4.0) {
            break (rows, told);
        }
        assert!(Instant::now() < deadline, "{cores} cores, the kernel says {meant}, Docker's client {told}");
    };
    let row = &rows[0];
    assert_eq!((&row["scope"], &row["name"], &row["host"]), (&"container".into(), &"busy-1".into(), &"app-01".into()));
    assert_eq!((number(row, "cpu_limit"), number(row, "memory_limit")), (0.2, 64.0 * MB));
    assert!(near(number(row, "memory"), kernel.memory(), 0.02, MB / 2.0), "{} bytes, the kernel says {}", row["memory"], kernel.memory());
    assert_eq!(number(row, "restarts"), 0.0);
    assert!(near(number(row, "memory") / number(row, "memory_limit") * 100.0, percent(&told, "MemPerc"), 0.02, 1.0), "{row} {told}");
    assert!((number(row, "pids") - told["PIDs"].as_str().unwrap().parse::<f64>().unwrap()).abs() <= 1.0, "{row} {told}");

    // Sums, whichever way, are those of the parts; also when one stops and starts.
    let total = |rows: &[Value], key: &str| rows.iter().map(|row| number(row, key)).sum::<f64>();
    let check = |count: usize| {
        let parts = ask(&["app:load"]);
        assert_eq!(parts.len(), count, "{parts:?}");
        for by in ["service", "app", "environment", "host"] {
            let sums = ask(&["app:load", "--by", by]);
            assert!(near(total(&sums, "memory"), total(&parts, "memory"), 0.02, MB), "by {by}: {sums:?} of {parts:?}");
            assert!(near(total(&sums, "pids"), total(&parts, "pids"), 0.0, 2.0), "by {by}: {sums:?} of {parts:?}");
        }
        let calm = ask(&["app:load", "--by", "service"]).into_iter().find(|row| row["name"] == "load/calm").unwrap();
        number(&calm, "memory")
    };
    let before = check(4);
    assert!(before > 30.0 * MB, "{before}");
    lab.docker("app-01", &["stop", "-t", "1", "calm-1"]);
    let without = check(3);
    assert!(near(before - without, before / 3.0, 0.1, MB), "{before} and then {without}");
    lab.docker("app-01", &["start", "calm-1"]);
    let again = Kernel::of(&calm);
    let deadline = Instant::now() + PATIENCE;
    while again.memory() < 10.0 * MB {
        assert!(Instant::now() < deadline, "calm-1 does not hold its memory again");
        std::thread::yield_now();
    }
    assert!(near(check(4), before, 0.05, MB));

    // A lost host is not in the sum, and that is said.
    lab.fault("kill9", "app-02");
    let ended = program.run(&["stats", "--once", "--format", "json", "--by", "service", "-H", &hosts[0], "-H", &hosts[1]]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let calm = ended.rows().into_iter().find(|row| row["name"] == "load/calm").unwrap();
    assert_eq!(calm["host"], "app-01");
    assert!(near(number(&calm, "memory"), before / 3.0 * 2.0, 0.05, MB), "{calm}");

    let top = program.run(&["top", "name:busy-1", "--format", "json", "-H", &hosts[0]]);
    let processes = &top.rows()[0];
    let titles: Vec<&str> = processes["titles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(titles.contains(&"PID"), "{processes}");
    assert!(processes["processes"].to_string().contains("while :"), "{processes}");
}
