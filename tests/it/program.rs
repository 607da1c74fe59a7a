//! The built binary, in an environment of its own: no configuration, no home and no variable of whoever runs the tests.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Where one run lives.
pub struct Program {
    home: TempDir,
}

impl Program {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Writes a file below its home and tells its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The command, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::built::program());
        command.args(args).env_clear().env("HOME", self.home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same through `env`, for who starts it by words alone: on a terminal, say.
    pub fn words(&self, args: &[&str]) -> Vec<String> {
        let home = format!("HOME={}", self.home.path().display());
        let program = crate::built::program();
        let own = ["/usr/bin/env", "-i", &home, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "TERM=xterm", &program];
        own.iter().chain(args).map(|word| (*word).to_owned()).collect()
    }

    /// The processes that carry deployments out for whoever lives here: pid and deployment.
    pub fn runs(&self) -> Vec<(u32, String)> {
        let home = self.home.path().to_str().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let run = |pid: u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words: Vec<_> = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let at = words.iter().position(|word| word == "run")?;
            let ours = words[0].ends_with("quarterdeck") && words.iter().any(|word| word.starts_with("--state=") && word.contains(home));
            Some((pid, words.get(at + 1)?.clone())).filter(|_| ours)
        };
        processes.filter_map(run).collect()
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.command(args).output().unwrap())
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it printed, as an array of rows.
    pub fn rows(&self) -> Vec<Value> {
        self.json().as_array().unwrap_or_else(|| panic!("an array: {self:?}")).clone()
    }
}
