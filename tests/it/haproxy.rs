//! A real HAProxy in the network of app-01, as a balancer of the lab.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::lab::{Lab, Skipped};

/// Longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One HAProxy with its folder.
pub struct Haproxy {
    dir: PathBuf,
    netns: String,
    child: Option<Child>,
}

impl Haproxy {
    /// That there is one at all.
    pub fn found() -> Result<(), Skipped> {
        let found = Command::new("haproxy").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
        match found.is_ok_and(|status| status.success()) {
            true => Ok(()),
            false => Err(Skipped::because("there is no haproxy: run tests/lab/install.sh as root")),
        }
    }

    /// Where it lives.
    pub fn folder(lab: &Lab) -> PathBuf {
        lab.dir().join("lb")
    }

    /// With these frontends and backends behind what every one of ours has: an admin socket, a state file that it loads.
    pub fn new(lab: &Lab, parts: &str) -> Self {
        let dir = Self::folder(lab);
        std::fs::create_dir_all(&dir).unwrap();
        // The account behind sshd opens the socket and writes the state.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&dir, open).unwrap();
        let text = format!(
            "global\n  stats socket {dir}/admin.sock mode 666 level admin\n  server-state-file {dir}/state\n  maxconn 500\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n  load-server-state-from-file global\n\
             {parts}",
            dir = dir.display()
        );
        std::fs::write(dir.join("haproxy.cfg"), text).unwrap();
        Self { dir, netns: lab.host("app-01")["netns"].as_str().unwrap().to_owned(), child: None }
    }

    pub fn start(&mut self) {
        let config = self.dir.join("haproxy.cfg");
        let log = std::fs::File::create(self.dir.join("log")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns, "haproxy", "-db", "-f"]).arg(config).stdin(Stdio::null());
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let until = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(Instant::now() < until, "{}", std::fs::read_to_string(self.dir.join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("admin.sock")
    }

    /// What HAProxy itself says.
    pub fn ask(&self, line: &str) -> String {
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// A backend's servers: name, place, state bits.
    pub fn servers(&self, backend: &str) -> Vec<(String, String, String)> {
        let text = self.ask(&format!("show servers state {backend}"));
        let rows = text.lines().skip(2).filter(|line| !line.is_empty());
        rows.map(|row| {
            let fields: Vec<&str> = row.split(' ').collect();
            (fields[3].to_owned(), format!("{}:{}", fields[4], fields[18]), fields[6].to_owned())
        })
        .collect()
    }

    /// Places that get requests.
    pub fn ready(&self, backend: &str) -> Vec<String> {
        self.servers(backend).into_iter().filter(|(_, _, admin)| admin == "4" || admin == "0").map(|(_, at, _)| at).collect()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        self.stop();
        // The lab removes what it made itself, and then its folder if that is empty.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
