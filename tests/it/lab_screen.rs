//! The whole way of a commit on the screen, by keys alone: built, deployed, promoted twice and taken back, on real engines, in a real terminal.
//! What came of it is asked of the engines and of the verbs.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
    terminal::pty::Console,
};

const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
/// Environment and its hosts, in the template's order.
const PLACES: [(&str, &[&str]); 3] = [("testing", &["app-01"]), ("staging", &["app-02"]), ("production", &HOSTS)];
const PATIENCE: Duration = Duration::from_secs(90);

struct Stage {
    lab: Lab,
    program: Program,
    registry: String,
}

impl Stage {
    fn set(lab: Lab) -> Self {
        let registry = lab.manifest()["registry"]["address"].as_str().unwrap().to_owned();
        let stage = Self { lab, program: Program::new(), registry };
        let hosts: String = HOSTS
            .iter()
            .map(|name| {
                let host = stage.lab.host(name);
                let (unix, address) = (host["unix"].as_str().unwrap(), host["address"].as_str().unwrap());
                format!("[hosts.{name}]\nurl = \"unix://{unix}\"\naddress = {address:?}\n")
            })
            .collect();
        let state = stage.program.file("state/.keep", "").replace("/.keep", "");
        let bare = stage.bare();
        stage.program.file(
            ".config/quarterdeck/config.toml",
            &format!(
                "state = {state:?}\n[build]\nhost = \"app-01\"\n{hosts}[apps.shop]\ntemplate = {{ git = {bare:?}, branch = \"main\" }}\n"
            ),
        );
        stage.git(&["init", "--quiet", "--initial-branch=main"]);
        stage.git(&["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()]);
        stage.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        stage
    }

    fn work(&self) -> PathBuf {
        PathBuf::from(self.program.file("shop/.keep", "")).parent().unwrap().to_owned()
    }

    fn bare(&self) -> PathBuf {
        self.work().with_file_name("shop.git")
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
        let environments: String = PLACES
            .iter()
            .enumerate()
            .map(|(at, (name, hosts))| {
                let after = at.checked_sub(1).map_or(String::new(), |before| format!("after = {:?}\n", PLACES[before].0));
                let strategy = r#"{ kind = "rolling", batch = 1, pause = "0s", bake = "0s", keep-warm = "0s" }"#;
                format!("[environments.{name}]\nhosts = {hosts:?}\n{after}vars = {{ WHERE = {name:?} }}\nstrategy = {strategy}\n")
            })
            .collect();
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

[services.web]
image = "web"
command = ["httpd", "-f", "-p", "80", "-h", "/srv"]
ports = ["80"]
health = {{ http = "/healthz", port = 80, interval = "200ms", rise = 1, timeout = "20s" }}
stop = "1s"

{environments}"#
            ),
        );
        self.program.file(
            "shop/web/Dockerfile",
            "ARG REGISTRY\nFROM ${REGISTRY}/base:latest\nCOPY index.html /srv/index.html\nRUN echo ok >/srv/healthz\nCMD [\"/bin/sh\"]\n",
        );
        self.program.file("shop/web/index.html", &format!("page {page}\n"));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", page]);
        self.git(&["push", "--quiet", "origin", "main"]);
        format!("1.0.1-{}-{}", self.git(&["rev-list", "--count", "HEAD"]), &self.git(&["rev-parse", "HEAD"])[..7])
    }

    fn done(&self, args: &[&str]) -> Ended {
        let ended = self.program.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    fn newest(&self, environment: &str) -> Value {
        self.done(&["deployments", "shop", environment, "--format", "json"]).rows()[0].clone()
    }

    /// Each of the environment's hosts runs this version of it, once, and no other host does.
    fn is_on(&self, environment: &str, version: &str) {
        let (_, hosts) = PLACES.iter().find(|(name, _)| *name == environment).unwrap();
        for host in HOSTS {
            let filter = format!("label=quarterdeck.environment={environment}");
            let format = r#"{{.Label "quarterdeck.version"}}"#;
            let running = self.lab.docker(host, &["ps", "--filter", "label=quarterdeck.app=shop", "--filter", &filter, "--format", format]);
            let expected: &[&str] = if hosts.contains(&host) { &[version] } else { &[] };
            assert_eq!(running.lines().collect::<Vec<_>>(), expected, "{environment} on {host}");
        }
    }

    /// No run and no lock is left.
    fn is_quiet(&self) {
        let start = Instant::now();
        while !self.program.runs().is_empty() {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.program.runs());
            std::thread::sleep(Duration::from_millis(50));
        }
        for host in HOSTS {
            let all = self.lab.docker(host, &["ps", "-a", "--format", "{{.Names}}"]);
            assert!(!all.contains("quarterdeck-lock"), "{host}: {all}");
        }
    }
}

/// Somebody at a terminal.
struct Person<'a> {
    stage: &'a Stage,
    console: Console,
    /// How this keymap moves to the left, and to the right.
    sideways: [&'static [u8]; 2],
    /// Keys since the home panel was in front.
    pressed: usize,
}

impl<'a> Person<'a> {
    fn sits_down(stage: &'a Stage, keymap: &str, (columns, rows): (u16, u16)) -> Self {
        let mut words = stage.program.words(&[]);
        let program = words.len() - 1;
        words.splice(
            program..program,
            [format!("QUARTERDECK_KEYMAP={keymap}"), "LANG=C.UTF-8".to_owned(), "COLORTERM=truecolor".to_owned()],
        );
        let console = Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), columns, rows, "xterm-256color");
        let sideways: [&[u8]; 2] = if keymap == "vim" { [b"h", b"l"] } else { [b"\x1b[D", b"\x1b[C"] };
        let mut person = Self { stage, console, sideways, pressed: 0 };
        person.console.expect("web");
        person
    }

    /// Saves the screen for the README, where `QD_PICTURES` names a directory: `make screenshots` does.
    fn picture(&mut self, name: &str) {
        let Some(dir) = std::env::var_os("QD_PICTURES").map(PathBuf::from).filter(|_| self.sideways[0] != b"h") else { return };
        self.console.send(b"\x1b[24~");
        self.console.expect("saved quarterdeck-");
        let text = self.console.text();
        let saved = text.split("saved ").nth(1).and_then(|rest| rest.split(".txt").next()).unwrap();
        std::fs::rename(format!("{saved}.svg"), dir.join(format!("{name}.svg"))).unwrap();
        std::fs::remove_file(format!("{saved}.txt")).unwrap();
    }

    /// A panel or layer, as it looks.
    fn looks(&mut self, key: &[u8], sees: &str, name: &str) {
        self.console.send(key);
        self.console.expect(sees);
        self.console.run(Duration::from_secs(1));
        self.picture(name);
        // Alone: with a digit behind it in one piece it would be alt and that digit.
        self.console.send(b"\x1b");
        self.console.run(Duration::from_millis(200));
        self.console.send(b"1");
        self.console.expect_that("the home panel", |screen| is_home(&screen.contents()));
    }

    fn press(&mut self, key: &[u8]) {
        self.console.send(key);
        self.pressed += 1;
    }

    /// From the home panel to the plan with this title; the cursor stays on the cell where it is.
    fn plans(&mut self, key: u8, title: &str) {
        self.console.send(b"1");
        self.console.expect_that("the home panel", |screen| is_home(&screen.contents()));
        self.pressed = 0;
        let (mut seen, mut way) = (BTreeSet::new(), self.sideways.into_iter());
        let mut towards = way.next().unwrap();
        loop {
            self.press(&[key]);
            self.console.expect_that("a plan", |screen| screen.contents().contains("g plan again"));
            let text = self.console.text();
            if text.contains(title) {
                return;
            }
            // The first line names the cell that the cursor stood on; the same again: there is none beyond it.
            if !seen.insert(text.lines().find(|line| line.contains('╭')).unwrap_or_default().to_owned()) {
                towards = way.next().unwrap_or_else(|| panic!("no {title}:\n{text}"));
                seen.clear();
            }
            self.console.send(b"\x1b");
            self.console.expect_that("the home panel", |screen| is_home(&screen.contents()));
            self.pressed = 0;
            self.press(towards);
        }
    }

    /// Builds the newest commit.
    fn builds(&mut self, version: &str) {
        self.console.send(b"b");
        self.console.expect("build, test and push the newest commit");
        self.console.send(b"y");
        self.console.expect(&format!("{version} is built"));
        self.console.send(b"\x1b");
        self.console.expect_that("the home panel", |screen| is_home(&screen.contents()));
    }

    /// Somebody freezes the place while its plan is looked at: the answer begins nothing, and the plan shows what stands in its way.
    fn is_overtaken_by_a_freeze(&mut self, environment: &str) {
        self.stage.done(&["freeze", "shop", environment, "--reason", "the fair"]);
        self.console.send(b"y");
        self.console.expect("it has changed meanwhile: nothing was done, look again");
        self.console.expect("is frozen by");
        self.stage.done(&["thaw", "shop", environment, "--reason", "it is over"]);
        self.console.send(b"g");
        self.console
            .expect_that("an open gate", |screen| !screen.contents().contains("is frozen by") && screen.contents().contains("y starts it"));
    }

    /// The way back goes through a freeze when a reason is given.
    fn gives_a_reason(&mut self, reason: &str) {
        self.console.expect("is frozen by");
        self.console.send(b"o");
        self.console.expect("why, for the audit:");
        self.console.send(format!("{reason}\r").as_bytes());
        self.console.expect(&format!("goes on: {reason}"));
        self.console.expect("y starts it");
    }

    /// Answers the plan, and waits until the verbs tell of its good end.
    fn starts(&mut self, environment: &str, version: &str) {
        let before = self.stage.program.run(&["deployments", "shop", environment, "--format", "json"]).rows().len();
        self.press(b"y");
        if environment == "production" {
            self.console.expect("type production and enter:");
            self.console.send(b"production\r");
            self.console.expect("✔ started");
            self.picture("run");
        }
        let start = Instant::now();
        loop {
            self.console.run(Duration::from_millis(200));
            let rows = self.stage.program.run(&["deployments", "shop", environment, "--format", "json"]).rows();
            if rows.len() > before && rows[0]["state"] == "good" {
                assert!(rows[0]["release"].as_str().is_some_and(|release| release.starts_with(version)), "{}", rows[0]);
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{environment}: {:#}\n{}", rows[0], self.console.text());
        }
        self.stage.is_on(environment, version);
        self.stage.is_quiet();
    }

    fn leaves(mut self) {
        self.console.send(b"1");
        self.console.expect_that("the home panel", |screen| is_home(&screen.contents()));
        self.console.send(b"q");
        assert_eq!(self.console.exit(PATIENCE), Some(0), "{}", self.console.text());
    }
}

fn is_home(text: &str) -> bool {
    text.contains("Versions ·") && !text.contains('╭')
}

#[test]
fn from_a_commit_to_production_and_back_by_keys() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("screen", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let stage = Stage::set(lab);
    // What was there before, by the verbs: there is something to go back to.
    let mut before = stage.commit("one");
    stage.done(&["build", "shop"]);
    for (environment, _) in PLACES {
        stage.done(&["deploy", "shop", environment, "--yes"]);
        stage.is_on(environment, &before);
    }
    // The same keymap with one key more: what saves a screen must not be a letter of a text that is being typed.
    stage.program.file(".config/quarterdeck/keymaps/pictures.toml", "inherits = \"default\"\n[global]\n\"f12\" = \"screen.save\"\n");
    let large = if std::env::var_os("QD_PICTURES").is_some() { ("two", "pictures", (140, 36)) } else { ("two", "default", (160, 50)) };
    for (page, keymap, size) in [large, ("three", "vim", (80, 24))] {
        before = the_whole_way(&stage, page, keymap, size, &before);
    }
    let audit = stage.done(&["audit", "--verify"]);
    assert!(!audit.out.is_empty());
}

/// Gives the version that runs in production at the end.
fn the_whole_way(stage: &Stage, page: &str, keymap: &str, size: (u16, u16), before: &str) -> String {
    let version = stage.commit(page);
    let is_tried = keymap == "vim";
    let mut person = Person::sits_down(stage, keymap, size);
    person.builds(&version);
    person.plans(b'd', &format!("Deploy shop {version} to testing"));
    if is_tried {
        person.is_overtaken_by_a_freeze("testing");
    }
    person.starts("testing", &version);
    person.plans(b'p', &format!("Promote shop {version} to staging"));
    person.starts("staging", &version);
    person.plans(b'p', &format!("Promote shop {version} to production"));
    person.picture("plan");
    person.starts("production", &version);
    person.looks(b"1w", "What changed near", "changes");
    person.looks(b"1e", "quarterdeck.toml:", "template");
    person.looks(b"6", "PRODUCTION", "delivery");
    person.looks(b"7", "History", "history");
    if is_tried {
        stage.done(&["freeze", "shop", "production", "--reason", "the fair"]);
    }
    // The way back is short: from the home panel to its plan, and one more.
    person.plans(b'r', &format!("Roll back shop in production to {before}"));
    assert!(person.pressed <= 4, "{} keys", person.pressed);
    if is_tried {
        person.gives_a_reason("checkout is broken");
    }
    let keys = person.pressed;
    person.starts("production", before);
    assert_eq!(person.pressed, keys + 1);
    let back = stage.newest("production");
    assert_eq!(back["rollback"], true, "{back}");
    person.leaves();
    before.to_owned()
}
