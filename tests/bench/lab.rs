//! The one real engine that the benchmarks measure on.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

/// One engine with its containers, taken down at the end whatever happens.
pub struct Lab {
    dir: PathBuf,
    /// The engine's.
    pub socket: String,
    pids: Vec<u64>,
}

impl Lab {
    /// With so many containers; `None`, and a loud word, where no lab can run.
    pub fn up(containers: usize) -> Option<Self> {
        let dir = std::env::temp_dir().join(format!("qd-bench-{}", std::process::id()));
        let mut lab = Self { dir, socket: String::new(), pids: Vec::new() };
        if !lab.script(&["up"], &["--hosts", "1"]) || !lab.script(&["fill"], &[&containers.to_string(), "app-01"]) {
            println!("SKIPPED: the real lab cannot run here (it needs Linux and root); nothing was measured");
            return None;
        }
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(lab.dir.join("lab.json")).unwrap()).unwrap();
        let host = &manifest["hosts"][0];
        lab.socket = host["unix"].as_str().unwrap().to_owned();
        lab.pids = ["dockerd", "containerd"].iter().filter_map(|name| host["pids"][name].as_u64()).collect();
        Some(lab)
    }

    fn script(&self, verb: &[&str], more: &[&str]) -> bool {
        let status =
            Command::new("bash").arg("tests/lab/lab.sh").args(verb).arg(&self.dir).args(more).stdout(std::process::Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    pub fn docker(&self, args: &[&str]) {
        let done = Command::new("docker").arg("-H").arg(format!("unix://{}", self.socket)).args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// CPU seconds of dockerd and containerd so far, without their children.
    pub fn engine_cpu(&self) -> f64 {
        let ticks: u64 = self
            .pids
            .iter()
            .map(|pid| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                let fields = stat.rsplit_once(')').map(|(_, fields)| fields.to_owned()).unwrap_or_default();
                let field = |index: usize| fields.split_whitespace().nth(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
                field(11) + field(12)
            })
            .sum();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.script(&["down"], &[]) {
            eprintln!("the lab in {} did not go down cleanly", self.dir.display());
        }
    }
}
