//! The lab of real hosts (`tests/lab/lab.sh`), for as long as this value lives.
//!
//! A shell that reads from a pipe of ours takes the lab down when the pipe closes: also when we are killed.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The fleet.
pub struct Lab {
    dir: PathBuf,
    // Everything the console of a test may write to: its home, its working directory.
    home: tempfile::TempDir,
    guard: Option<Child>,
    _place: Option<tempfile::TempDir>,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.sh");

impl Lab {
    /// Starts the lab and its known containers. `Err` is the reason why this machine cannot have one. `QUARTERDECK_LAB=DIR` names a
    /// lab that stands already, and stays.
    pub fn up(hosts: usize, sshds: usize) -> Result<Self, String> {
        let home = tempfile::tempdir().expect("a temporary directory");
        if let Some(dir) = std::env::var_os("QUARTERDECK_LAB") {
            return Ok(Self { dir: dir.into(), home, guard: None, _place: None }.settled());
        }
        let place = tempfile::Builder::new().prefix("qd-lab-").tempdir().expect("a temporary directory");
        let dir = place.path().join("lab");
        let guard = Command::new("bash")
            .args(["-c", "read -r _; exec bash \"$0\" down \"$1\"", SCRIPT])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("bash: {error}"))?;
        let lab = Self { dir, home, guard: Some(guard), _place: Some(place) };
        let (count, servers) = (hosts.to_string(), sshds.to_string());
        lab.script("up", &["--hosts", &count, "--sshds", &servers])?;
        lab.script("seed", &[])?;
        Ok(lab.settled())
    }

    fn settled(self) -> Self {
        std::fs::create_dir_all(self.home.path().join(".ssh")).expect("a directory");
        std::fs::copy(self.dir.join("ssh/config"), self.home.path().join(".ssh/config")).expect("the lab's ssh_config");
        self
    }

    fn script(&self, verb: &str, rest: &[&str]) -> Result<String, String> {
        let out = Command::new("bash").arg(SCRIPT).arg(verb).arg(&self.dir).args(rest).stdin(Stdio::null()).output();
        let out = out.map_err(|error| format!("bash: {error}"))?;
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Err(format!("lab.sh {verb} {}: {} {}", rest.join(" "), out.status, String::from_utf8_lossy(&out.stderr).trim()))
    }

    pub fn fault(&self, kind: &str, host: &str) {
        self.script("fault", &[kind, host]).expect("a fault that the lab knows");
    }

    pub fn fill(&self, count: usize) {
        self.script("fill", &[&count.to_string()]).expect("containers");
    }

    /// The manifest as it stands now.
    pub fn manifest(&self) -> Value {
        let text = std::fs::read_to_string(self.dir.join("lab.json")).expect("the lab's manifest");
        serde_json::from_str(&text).expect("the lab's manifest")
    }

    pub fn host(&self, name: &str) -> Value {
        let manifest = self.manifest();
        let hosts = manifest["hosts"].as_array().expect("hosts");
        hosts.iter().find(|host| host["name"] == name).expect("a host of the lab").clone()
    }

    pub fn socket(&self, host: &str) -> PathBuf {
        self.dir.join(host).join("docker.sock")
    }

    pub fn address(&self, host: &str) -> String {
        self.host(host)["address"].as_str().expect("an address").to_owned()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let ended = guard.wait();
            if !ended.is_ok_and(|status| status.success()) {
                eprintln!("the lab in {} was not taken down in good order", self.dir.display());
            }
        }
    }
}
