//! One real engine, taken down at the end whatever happens.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

pub struct OneEngine {
    dir: PathBuf,
    pub socket: String,
}

impl OneEngine {
    pub fn up() -> Option<Self> {
        let dir = std::env::temp_dir().join(format!("qd-bench-logs-{}", std::process::id()));
        let mut lab = Self { dir, socket: String::new() };
        if !lab.script("up", &["--hosts", "1"]) {
            println!("SKIPPED: the real lab cannot run here (it needs Linux and root); only one core was measured");
            return None;
        }
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(lab.dir.join("lab.json")).unwrap()).unwrap();
        lab.socket = manifest["hosts"][0]["unix"].as_str().unwrap().to_owned();
        Some(lab)
    }

    fn script(&self, verb: &str, more: &[&str]) -> bool {
        let status =
            Command::new("bash").arg("tests/lab/lab.sh").arg(verb).arg(&self.dir).args(more).stdout(std::process::Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn run(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker").arg("-H").arg(format!("unix://{}", self.socket)).args(args).output().unwrap()
    }

    pub fn docker(&self, args: &[&str]) {
        let done = self.run(args);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn output(&self, args: &[&str]) -> String {
        String::from_utf8_lossy(&self.run(args).stdout).into_owned()
    }
}

impl Drop for OneEngine {
    fn drop(&mut self) {
        if !self.script("down", &[]) {
            eprintln!("the lab in {} did not go down cleanly", self.dir.display());
        }
    }
}
