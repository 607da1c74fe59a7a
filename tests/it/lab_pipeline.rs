//! The whole way of a commit on real engines, from a real git repository and through a real registry: by the verbs alone, and up to the gate
//! by `pipeline` alone. Then what stays on the hosts, and what the hosts tell when the records are lost.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use quarterdeck::{
    build::{Builds as _, BuiltImage, ImageKey},
    ledger::{Access, Ledger, StateDir},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
};

const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
const PATIENCE: Duration = Duration::from_secs(90);
/// `nobody` and `nogroup`: somebody else, whom every Debian knows.
const OTHER: u32 = 65534;

struct Stage {
    lab: Lab,
    program: Program,
    registry: String,
    /// Where others may look, too.
    public: tempfile::TempDir,
}

impl Stage {
    fn set(lab: Lab) -> Self {
        let program = Program::new();
        let manifest: Value = serde_json::from_str(&fs::read_to_string(lab.dir().join("lab.json")).unwrap()).unwrap();
        let registry = manifest["registry"]["address"].as_str().unwrap().to_owned();
        let public = tempfile::tempdir().unwrap();
        fs::set_permissions(public.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let stage = Self { lab, program, registry, public };
        stage.configure(5);
        assert_eq!(stage.run(&["init", "--shared", "nogroup"]).code, Some(0));
        fs::copy(crate::built::program(), stage.public.path().join("quarterdeck")).unwrap();
        stage.git(&["init", "--quiet", "--initial-branch=main"]);
        let bare = stage.work().with_file_name("shop.git");
        stage.git(&["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()]);
        stage.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        stage
    }

    fn configure(&self, keep: u32) {
        let hosts: String = HOSTS
            .iter()
            .map(|name| {
                let host = self.lab.host(name);
                let (unix, address) = (host["unix"].as_str().unwrap(), host["address"].as_str().unwrap());
                format!("[hosts.{name}]\nurl = \"unix://{unix}\"\naddress = {address:?}\n")
            })
            .collect();
        let bare = self.work().with_file_name("shop.git");
        let text = format!(
            "state = {:?}\nkeep = {keep}\n[build]\nhost = \"app-01\"\n{hosts}[apps.shop]\ntemplate = {{ git = {bare:?}, branch = \"main\" }}\npoll = \"1s\"\n",
            self.state()
        );
        fs::write(self.config(), text).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.public.path().join("config.toml")
    }

    fn state(&self) -> PathBuf {
        self.public.path().join("state")
    }

    fn work(&self) -> PathBuf {
        PathBuf::from(self.program.file("shop/.keep", "")).parent().unwrap().to_owned()
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(words)
            .current_dir(self.work())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A commit that is pushed; gives the version that its build will have.
    fn commit(&self, page: &str) -> String {
        let registry = &self.registry;
        self.program.file(
            "shop/quarterdeck.toml",
            &format!(
                r#"[app]
name = "shop"
registry = "{registry}"
version = "1.0.1"

[images.web]
context = "web"
args = {{ REGISTRY = "{registry}" }}
test-target = "test"
test = ["/bin/sh", "-c", "grep -q page /srv/index.html"]

[services.web]
image = "web"
command = ["httpd", "-f", "-p", "80", "-h", "/srv"]
ports = ["80"]
health = {{ http = "/healthz", port = 80, interval = "200ms", rise = 1, timeout = "20s" }}
stop = "1s"

[environments.testing]
hosts = ["app-01"]
auto = true
vars = {{ WHERE = "testing" }}
strategy = {{ kind = "recreate", bake = "0s", keep-warm = "0s" }}
verify = {{ service = "web", http = "/", contains = "page" }}

[environments.staging]
hosts = ["app-02"]
auto = true
after = "testing"
strategy = {{ kind = "recreate", bake = "0s", keep-warm = "0s" }}

[environments.production]
hosts = ["app-01", "app-02", "app-03"]
after = "staging"
approve = 1
vars = {{ WHERE = "production" }}
strategy = {{ kind = "rolling", batch = 1, pause = "0s", bake = "0s", keep-warm = "0s" }}
"#
            ),
        );
        self.program.file(
            "shop/web/Dockerfile",
            "ARG REGISTRY\nFROM ${REGISTRY}/base:latest AS made\nCOPY index.html /srv/index.html\nRUN echo ok >/srv/healthz\nFROM made AS test\nRUN test -s /srv/index.html\nFROM made\nCMD [\"/bin/sh\"]\n",
        );
        self.program.file("shop/web/index.html", &format!("page {page}\n"));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", page]);
        self.git(&["push", "--quiet", "origin", "main"]);
        format!("1.0.1-{}-{}", self.git(&["rev-list", "--count", "HEAD"]), &self.git(&["rev-parse", "HEAD"])[..7])
    }

    fn command(&self, args: &[&str]) -> Command {
        let config = self.config();
        self.program.command(&[&["-c", config.to_str().unwrap()], args].concat())
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.command(args).output().unwrap())
    }

    fn done(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    /// The same program in another person's hands.
    fn as_another(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(self.public.path().join("quarterdeck"));
        command.arg("-c").arg(self.config()).args(args).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
        command.current_dir("/").stdin(Stdio::null()).uid(OTHER).gid(OTHER);
        Ended::of(&command.output().unwrap())
    }

    /// What runs of an environment: host, version, image as it was asked for, and the digests of the bits.
    fn running(&self, environment: &str) -> Vec<(String, String, String, String)> {
        let mut found = Vec::new();
        for host in HOSTS {
            let filter = format!("label=quarterdeck.environment={environment}");
            let ids = self.lab.docker(host, &["ps", "-q", "--no-trunc", "--filter", "label=quarterdeck.app=shop", "--filter", &filter]);
            for id in ids.lines() {
                let format = r#"{{index .Config.Labels "quarterdeck.version"}} {{.Config.Image}} {{.Image}}"#;
                let told = self.lab.docker(host, &["inspect", "-f", format, id]);
                let words: Vec<&str> = told.split_whitespace().collect();
                let digests = self.lab.docker(host, &["image", "inspect", "-f", "{{join .RepoDigests \" \"}}", words[2]]);
                found.push((host.to_owned(), words[0].to_owned(), words[1].to_owned(), digests.trim().to_owned()));
            }
        }
        found
    }

    /// This version, with these bits, runs in the environment on these hosts and nowhere else.
    fn is_on(&self, environment: &str, version: &str, pinned: &str, hosts: &[&str]) {
        let running = self.running(environment);
        let places: Vec<&str> = running.iter().map(|(host, ..)| host.as_str()).collect();
        assert_eq!(places, hosts, "{environment}: {running:?}");
        for (host, found, image, digests) in &running {
            assert!(found == version && image == pinned && digests.contains(pinned), "{environment} on {host}: {running:?}, not {pinned}");
        }
    }

    /// The image that a version was built as.
    fn pinned(&self, version: &str) -> String {
        let ended = self.done(&["releases", "shop", "--format", "json"]);
        let rows = ended.rows();
        let row = rows.iter().find(|row| row["version"] == version).unwrap_or_else(|| panic!("{version}: {rows:?}"));
        row["images"][0]["reference"].as_str().unwrap().to_owned()
    }

    /// Waits until something that is on its way says yes.
    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "{what} did not happen in time");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// To production: asked for by one, approved by another.
    fn to_production(&self, version: &str) {
        let args = ["deploy", "shop", "production", "--release", version, "--yes"];
        let mut child = self.command(&args).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let waits = lines.find(|line| line.contains("waits for 1 to approve it")).expect("it waits");
        let id = waits.split_whitespace().nth(2).unwrap().to_owned();
        let own = self.run(&["approve", &id, "--reason", "mine"]);
        assert!(own.code == Some(5) && own.err.contains("somebody else has to say yes"), "{own:?}");
        let other = self.as_another(&["approve", &id, "--reason", "seen"]);
        assert_eq!(other.code, Some(0), "{other:?}");
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:#?}");
    }
}

/// A pipeline that watches, and the objects that it tells.
struct Watch {
    child: Child,
    lines: Receiver<String>,
    told: Vec<Value>,
}

impl Watch {
    fn start(stage: &Stage) -> Self {
        let mut child =
            stage.command(&["pipeline", "shop", "--watch", "--every", "1s", "--format", "json"]).stderr(Stdio::null()).spawn().unwrap();
        let (tx, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Ends with the child.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tx.send(line)));
        Self { child, lines, told: Vec::new() }
    }

    /// Reads on to this event.
    fn event(&mut self, event: &str, environment: Option<&str>) -> Value {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            let told: Value = serde_json::from_str(&line).unwrap();
            let found = told["event"] == event && told["environment"].as_str() == environment;
            self.told.push(told.clone());
            if found {
                return told;
            }
        }
        panic!("no {event} in {environment:?}: {:#?}", self.told)
    }

    fn end(mut self) -> Vec<Value> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        std::mem::take(&mut self.told)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn from_a_commit_to_production_and_back() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("pipeline", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let begun = Instant::now();
    let stage = Stage::set(lab);
    let one = by_the_verbs(&stage);
    let two = by_itself_to_the_gate(&stage, &one);
    to_production_and_back(&stage, &one, &two);
    records_agree(&stage, &two);
    what_stays(&stage);
    a_cut_tail(&stage);
    no_room(&stage);
    lost_records(&stage, &one, &two);
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("pipeline: the whole way in {:.1} s\n", begun.elapsed().as_secs_f64()).as_bytes(),
    );
}

fn by_the_verbs(stage: &Stage) -> String {
    let version = stage.commit("one");
    let built = stage.done(&["build", "shop", "--format", "json"]).json();
    assert_eq!((built["version"].as_str(), built["images"][0]["built"].as_bool()), (Some(version.as_str()), Some(true)));
    let pinned = format!("{}/shop/web@{}", stage.registry, built["images"][0]["digest"].as_str().unwrap());
    let early = stage.run(&["deploy", "shop", "staging", "--yes"]);
    assert!(early.code == Some(5) && early.err.contains("takes only builds that are good in testing"), "{early:?}");
    stage.done(&["deploy", "shop", "testing", "--yes"]);
    stage.is_on("testing", &version, &pinned, &["app-01"]);
    stage.done(&["deploy", "shop", "staging", "--yes"]);
    stage.is_on("staging", &version, &pinned, &["app-02"]);
    stage.to_production(&version);
    stage.is_on("production", &version, &pinned, &HOSTS);
    version
}

fn by_itself_to_the_gate(stage: &Stage, one: &str) -> String {
    let mut watch = Watch::start(stage);
    let nothing = watch.event("nothing_new", None);
    assert!(nothing["message"].as_str().unwrap().contains("good in testing, staging, production"), "{nothing}");
    let second = stage.run(&["pipeline", "shop"]);
    assert!(second.code == Some(4) && second.err.contains("under way already, by "), "{second:?}");

    let version = stage.commit("two");
    let built = watch.event("built", None);
    assert_eq!(built["version"], version.as_str());
    watch.event("good", Some("testing"));
    watch.event("good", Some("staging"));
    let waits = watch.event("waits", Some("production"));
    let id = waits["deployment"].as_str().unwrap().to_owned();
    let row = stage.done(&["deployment", "show", &id, "--format", "json"]).json();
    assert_eq!((row["state"].as_str(), row["environment"].as_str()), (Some("waiting"), Some("production")), "{row}");
    let pinned = stage.pinned(&version);
    stage.is_on("testing", &version, &pinned, &["app-01"]);
    stage.is_on("staging", &version, &pinned, &["app-02"]);
    stage.is_on("production", one, &stage.pinned(one), &HOSTS);

    // What does not build is told, and tried again; the next commit mends it at once.
    let dockerfile = fs::read_to_string(stage.work().join("web/Dockerfile")).unwrap();
    stage.program.file("shop/web/Dockerfile", &dockerfile.replace("test -s", "false && test -s"));
    stage.git(&["commit", "--quiet", "--all", "-m", "broken"]);
    stage.git(&["push", "--quiet", "origin", "main"]);
    let error = watch.event("error", None);
    assert!(error["message"].as_str().unwrap().contains("the stage test") && error["retry_s"].as_u64() > Some(0), "{error}");
    stage.program.file("shop/web/Dockerfile", &dockerfile);
    stage.git(&["commit", "--quiet", "--all", "-m", "mended"]);
    stage.git(&["push", "--quiet", "origin", "main"]);
    let nothing = watch.event("nothing_new", None);
    // The same bits as before: nothing is deployed for them.
    assert!(nothing["version"] == version.as_str() || nothing["message"].as_str().unwrap().contains(&version), "{nothing}");
    let told = watch.end();
    let deployed = told.iter().filter(|event| event["event"] == "deploys").count();
    assert_eq!(deployed, 2, "{told:#?}");

    // Once more by hand: it says so, prints the id, and ends well.
    let once = stage.done(&["pipeline", "shop"]);
    assert!(once.out.contains("nothing new") && once.out.contains(&id), "{once:?}");
    stage.done(&["reject", &id, "--reason", "by hand this time"]);
    version
}

fn to_production_and_back(stage: &Stage, one: &str, two: &str) {
    stage.to_production(two);
    let pinned = stage.pinned(two);
    for (environment, hosts) in [("testing", &HOSTS[..1]), ("staging", &HOSTS[1..2]), ("production", &HOSTS[..])] {
        stage.is_on(environment, two, &pinned, hosts);
    }
    stage.done(&["rollback", "shop", "production", "--yes"]);
    stage.is_on("production", one, &stage.pinned(one), &HOSTS);
    stage.done(&["deploy", "shop", "testing", "--release", two, "--yes"]);
}

fn records_agree(stage: &Stage, two: &str) {
    let rows = stage.done(&["deployments", "shop", "--format", "json"]).rows();
    let good = |environment: &str| rows.iter().filter(|row| row["environment"] == environment && row["state"] == "good").count();
    assert_eq!((good("testing"), good("staging"), good("production")), (2, 2, 3), "{rows:#?}");
    let approved: Vec<&Value> =
        rows.iter().filter(|row| row["environment"] == "production" && row["rollback"] != true && row["state"] == "good").collect();
    assert!(approved.iter().all(|row| row["approved_by"].as_array().is_some_and(|by| by.len() <= 1)), "{approved:#?}");
    let acts = stage.done(&["audit", "--format", "json"]).rows();
    let of = |action: &str, outcome: &str| acts.iter().filter(|row| row["action"] == action && row["outcome"] == outcome).count();
    assert!(of("app.build", "done") >= 3 && of("app.build", "failed") >= 1, "{acts:#?}");
    assert_eq!((of("app.deploy", "done"), of("app.rollback", "done"), of("deployment.approve", "done")), (6, 1, 2));
    let own = &acts[0]["who"];
    assert!(acts.iter().any(|row| row["action"] == "deployment.approve" && row["outcome"] == "done" && row["who"] != *own));
    // What stands on the containers is in the records.
    let deployments: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    for host in HOSTS {
        let format = r#"{{.Label "quarterdeck.deployment"}} {{.Label "quarterdeck.audit"}} {{.Label "quarterdeck.release"}}"#;
        let told = stage.lab.docker(host, &["ps", "-a", "--filter", "label=quarterdeck.app=shop", "--format", format]);
        for line in told.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(deployments.contains(&words[0]) && words[1].contains('@') && words[2].contains('+'), "{line}");
        }
    }
    let verified = stage.done(&["audit", "--verify", "--format", "json"]).json();
    assert!(verified["whole"] == true && verified["heads_on_hosts"].as_u64() > Some(2), "{verified}");
    assert!(rows.iter().any(|row| row["release"].as_str().is_some_and(|release| release.starts_with(two))));
}

fn what_stays(stage: &Stage) {
    stage.configure(2);
    // Two others go out, so that the first of them is no way back in testing and staging.
    let third = stage.commit("three");
    stage.done(&["pipeline", "shop"]);
    let third = stage.pinned(&third);
    for page in ["four", "five"] {
        stage.commit(page);
        let ended = stage.done(&["pipeline", "shop"]);
        assert!(ended.out.contains("production: waits"), "{ended:?}");
    }
    let waiting = stage.done(&["deployments", "shop", "production", "--format", "json"]).rows();
    let waiting: Vec<&Value> = waiting.iter().filter(|row| row["state"] == "waiting").collect();
    assert_eq!(waiting.len(), 1, "the newest takes the place of the older ones: {waiting:#?}");
    let has = |host: &str| {
        stage.lab.docker(host, &["images", "--digests", "--format", "{{.Repository}}@{{.Digest}}"]).lines().any(|line| line == third)
    };
    assert!(has("app-01") && has("app-02"));
    stage.lab.docker("app-01", &["tag", "base:latest", &format!("{}/shop/web:not-ours", stage.registry)]);

    let planned = stage.done(&["retention", "--dry-run", "--format", "json"]).rows();
    let images: Vec<(&str, &str)> = planned
        .iter()
        .filter(|row| row["kind"] == "image")
        .map(|row| (row["host"].as_str().unwrap(), row["name"].as_str().unwrap()))
        .collect();
    assert_eq!(images.iter().map(|(host, _)| *host).collect::<Vec<_>>(), ["app-01", "app-02"], "{planned:#?}");
    assert!(has("app-01"), "a dry run takes nothing");
    assert_eq!(stage.run(&["retention", "--yes", "--read-only"]).code, Some(5));
    let running: Vec<_> = ["testing", "staging", "production"].map(|environment| stage.running(environment)).into();
    stage.done(&["retention", "--yes"]);
    assert!(!has("app-01") && !has("app-02"));
    let after: Vec<_> = ["testing", "staging", "production"].map(|environment| stage.running(environment)).into();
    assert_eq!(running, after);
    let names = stage.lab.docker("app-01", &["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert!(names.contains("base:latest") && names.contains("shop/web:not-ours"), "{names}");
    let again = stage.done(&["retention"]);
    assert!(again.out.contains("nothing may go"), "{again:?}");
    let acts = stage.done(&["audit", "--format", "json"]).rows();
    assert!(acts.iter().any(|row| row["action"] == "stock.remove" && row["outcome"] == "done"), "{:#?}", acts.last());
}

/// Rows that are cut off the end are missed on the hosts, although the audit alone looks whole.
fn a_cut_tail(stage: &Stage) {
    let (ledger, kept) = (stage.state().join("ledger.db"), stage.public.path().join("older.db"));
    fs::copy(&ledger, &kept).unwrap();
    stage.commit("six");
    stage.done(&["pipeline", "shop"]);
    let newer = stage.public.path().join("newer.db");
    fs::rename(&ledger, &newer).unwrap();
    fs::copy(&kept, &ledger).unwrap();
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o660)).unwrap();
    assert_eq!(stage.run(&["audit", "--verify", "--no-hosts"]).code, Some(0));
    let cut = stage.run(&["audit", "--verify"]);
    assert!(
        cut.code == Some(1) && cut.out.contains("stands on shop-testing-web-1-") && cut.out.contains("is not in this audit"),
        "{cut:?}"
    );
    fs::rename(&newer, &ledger).unwrap();
    stage.done(&["audit", "--verify"]);
}

fn no_room(stage: &Stage) {
    let newest = stage.done(&["releases", "shop", "--format", "json"]).rows()[0].clone();
    let (version, pinned) = (newest["version"].as_str().unwrap(), newest["images"][0]["reference"].as_str().unwrap());
    let (repository, digest) = pinned.split_once('@').unwrap();
    let record = |size: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let image = BuiltImage {
            key: ImageKey::known("of a giant"),
            repository: repository.into(),
            version: version.into(),
            digest: digest.into(),
            revision: "0000000".into(),
            size,
            layers: Vec::new(),
            at: chrono::Utc::now(),
        };
        runtime.block_on(Ledger::lazy(StateDir::at(stage.state()), Access::Record).builds().record(image)).unwrap();
    };
    record(1 << 60);
    let ended = stage.run(&["deploy", "shop", "production", "--release", version, "--yes"]);
    assert!(ended.code == Some(1), "{ended:?}");
    for word in ["host \"app-03\"", "free on the disk of its engine", "needed for the images", "quarterdeck retention"] {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
    record(1 << 20);
}

fn lost_records(stage: &Stage, one: &str, two: &str) {
    let (first, second) = (stage.pinned(one), stage.pinned(two));
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(stage.state().join(name));
    }
    let nowhere = stage.run(&["rollback", "shop", "production", "--yes"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    let told = stage.done(&["ledger", "rebuild", "--yes", "--format", "json"]).json();
    assert!(told["releases"].as_u64() >= Some(3) && told["deployments"].as_u64() >= Some(4), "{told}");
    assert_eq!((told["without_body"].as_array().map(Vec::len), told["unfinished"].as_array().map(Vec::len)), (Some(0), Some(0)), "{told}");
    let again = stage.done(&["ledger", "rebuild", "--yes", "--format", "json"]).json();
    assert_eq!((again["releases"].as_u64(), again["deployments"].as_u64()), (Some(0), Some(0)), "{again}");
    let rows = stage.done(&["deployments", "shop", "production", "--format", "json"]).rows();
    assert!(rows.iter().all(|row| row["state"] == "good"), "{rows:#?}");

    // What runs is known, and so is the way back: what was kept.
    stage.is_on("production", one, &first, &HOSTS);
    stage.done(&["rollback", "shop", "production", "--yes"]);
    stage.is_on("production", two, &second, &HOSTS);
    let verified = stage.done(&["audit", "--verify", "--format", "json"]).json();
    assert!(verified["of_other_audits"].as_u64() > Some(0), "{verified}");
    stage
        .until("the last lock's end", || !stage.lab.docker("app-01", &["ps", "-a", "--format", "{{.Names}}"]).contains("quarterdeck-lock"));
}
