//! The real lab, one for all tests of this binary: brought up by the first test that wants it, and taken down by a guard process that
//! waits for the end of this one, however it ends. `QD_LAB=DIR` takes a lab that is up and seeded already, and leaves it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;

/// A lab that is up and seeded.
pub struct Lab {
    dir: PathBuf,
    manifest: Value,
    /// Holds the pipe whose end tells the guard to take the lab down.
    _guard: Option<Child>,
}

/// This machine cannot run a lab, and why.
pub struct Skipped(String);

static LAB: OnceLock<Result<Lab, Skipped>> = OnceLock::new();
static SKIPS: AtomicUsize = AtomicUsize::new(0);

/// `lab.sh`'s exit code for a machine that cannot run a lab.
const CANNOT: i32 = 3;

/// The lab, or a loud word on standard error (which the test harness does not swallow) and the end of the test.
macro_rules! lab_or_skip {
    () => {
        match $crate::lab::lab() {
            Ok(lab) => lab,
            Err(skipped) => return skipped.say(module_path!(), line!()),
        }
    };
}
pub(crate) use lab_or_skip;

/// The lab of this process.
pub fn lab() -> Result<&'static Lab, &'static Skipped> {
    LAB.get_or_init(bring_up).as_ref()
}

impl Skipped {
    /// For want of something beside the lab itself.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    pub fn say(&self, module: &str, line: u32) {
        let count = SKIPS.fetch_add(1, Ordering::Relaxed) + 1;
        let _ = writeln!(std::io::stderr(), "SKIPPED ({}): {module} line {line}; {count} skipped so far", self.0);
    }
}

fn script(verb: &str, dir: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.sh")).arg(verb).arg(dir).stdin(Stdio::null());
    command
}

fn bring_up() -> Result<Lab, Skipped> {
    if let Some(dir) = std::env::var_os("QD_LAB") {
        return Ok(Lab::read(dir.into(), None));
    }
    Lab::raise("it", &["up", "seed"])
}

#[allow(clippy::zombie_processes, reason = "the guard outlives this process: it waits for its end")]
fn raise(dir: PathBuf, verbs: &[&[&str]]) -> Result<Lab, Skipped> {
    // First the guard: whatever happens from here on, it cleans up. An interrupt of the terminal's is not for it.
    let guard = Command::new("bash")
        .args(["-c", "trap '' INT HUP TERM; cat >/dev/null; exec bash \"$0\" down \"$1\""])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.sh"))
        .arg(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for verb in verbs {
        let (verb, options) = verb.split_first().unwrap();
        let output = script(verb, &dir).args(options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        if output.status.code() == Some(CANNOT) {
            return Err(Skipped(said.lines().last().unwrap_or("the lab cannot run here").to_owned()));
        }
        assert!(output.status.success(), "lab.sh {verb}: {said}");
    }
    Ok(Lab::read(dir, Some(guard)))
}

impl Lab {
    fn read(dir: PathBuf, guard: Option<Child>) -> Self {
        let text = std::fs::read_to_string(dir.join("lab.json")).unwrap();
        Self { manifest: serde_json::from_str(&text).unwrap(), dir, _guard: guard }
    }

    /// A lab of a test's own, for one that breaks it; taken down when this process ends.
    pub fn raise(name: &str, verbs: &[&str]) -> Result<Self, Skipped> {
        let verbs: Vec<&[&str]> = verbs.iter().map(std::slice::from_ref).collect();
        raise(Self::own(name), &verbs)
    }

    /// The same with options for `up`.
    pub fn raise_with(name: &str, options: &[&str]) -> Result<Self, Skipped> {
        raise(Self::own(name), &[&[&["up"], options].concat()])
    }

    fn own(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("qd-{name}-{}", std::process::id()))
    }

    /// All that `lab.json` tells.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// Breaks a host, or mends it.
    pub fn fault(&self, fault: &str, host: &str) {
        self.faults(&[fault, host]);
    }

    /// A fault with more words, or without a host.
    pub fn faults(&self, words: &[&str]) {
        let output = script("fault", &self.dir).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Another verb of `lab.sh`.
    pub fn verb(&self, verb: &str, args: &[&str]) {
        let output = script(verb, &self.dir).args(args).output().unwrap();
        assert!(output.status.success(), "{verb} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Where it lives.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its hosts, as `lab.json` tells them.
    pub fn hosts(&self) -> Vec<&Value> {
        self.manifest["hosts"].as_array().unwrap().iter().collect()
    }

    /// One host.
    pub fn host(&self, name: &str) -> &Value {
        self.hosts().into_iter().find(|host| host["name"] == name).unwrap()
    }

    /// Whether a host's engine knows a container by its name.
    pub fn knows(&self, host: &str, container: &str) -> bool {
        let socket = format!("unix://{}", self.host(host)["unix"].as_str().unwrap());
        let output =
            Command::new("docker").env("DOCKER_HOST", socket).args(["inspect", "-f", "{{.State.Status}}", container]).output().unwrap();
        if !output.status.success() {
            println!("{host} lists {container} and says: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        output.status.success()
    }

    /// What Docker's own client says of a host.
    pub fn docker(&self, host: &str, args: &[&str]) -> String {
        let socket = format!("unix://{}", self.host(host)["unix"].as_str().unwrap());
        let output = Command::new("docker").env("DOCKER_HOST", socket).args(args).output().unwrap();
        assert!(output.status.success(), "docker {args:?} on {host}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Whose turn it is among the tests that raise engines of their own. Several labs at once are more than two cores carry: links are then
/// rightly called lost for silence, which is not what these tests are about.
pub fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    // A test that failed in its turn has ended it all the same.
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
