//! Runs on real engines that outlive who started them: terminals that go away, people who leave, and two operators with records of their own.

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
    terminal::pty::{Console, signal_process},
};

/// Over TCP, and over SSH.
const HOSTS: [&str; 2] = ["app-01", "app-03"];
const LIMIT: Duration = Duration::from_secs(60);

/// Somebody with a home, a configuration and a ledger of his own.
struct Operator<'a> {
    lab: &'a Lab,
    program: Program,
}

impl<'a> Operator<'a> {
    fn new(lab: &'a Lab) -> Self {
        let operator = Self { lab, program: Program::new() };
        operator.program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let urls = [("app-01", format!("tcp://{}:2375", operator.address("app-01"))), ("app-03", "ssh://app-03".to_owned())];
        let hosts: String = urls
            .iter()
            .map(|(name, url)| {
                format!("[hosts.{name}]\nurl = {url:?}\naddress = {:?}\nenvironment = \"production\"\n", operator.address(name))
            })
            .collect();
        let state = operator.program.file("state/.keep", "").replace("/.keep", "");
        let [shop, blog] = ["shop", "blog"].map(|app| operator.template(app, "none"));
        let secret = operator.program.file("secret", "s3cret-of-the-runs\n");
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        operator.program.file(
            ".config/quarterdeck/config.toml",
            &format!(
                "state = {state:?}\n{hosts}[apps.shop]\ntemplate = {shop:?}\n[apps.blog]\ntemplate = {blog:?}\n[secrets.shop.production]\nTOKEN = {{ file = {secret:?} }}\n[secrets.shop.staging]\nTOKEN = {{ file = {secret:?} }}\n"
            ),
        );
        operator
    }

    fn address(&self, host: &str) -> String {
        self.lab.host(host)["address"].as_str().unwrap().to_owned()
    }

    /// Says what the app's pages are to say.
    fn template(&self, app: &str, greeting: &str) -> String {
        let (hosts, secrets) = match app {
            "shop" => (r#"["app-01", "app-03"]"#, r#"secrets = ["TOKEN"]"#),
            _ => (r#"["app-01"]"#, ""),
        };
        let text = format!(
            r#"
[app]
name = "{app}"
registry = "registry.invalid"
version = "1.0.1"

[services.web]
image = "base:latest"
command = ["sh", "-c", "mkdir -p /srv; echo $GREETING >/srv/index.html; exec httpd -f -p 80 -h /srv"]
ports = ["80"]
{secrets}
health = {{ http = "/", port = 80, interval = "200ms", rise = 2, timeout = "20s" }}
stop = "1s"

[environments.production]
hosts = {hosts}
strategy = {{ kind = "rolling", batch = 1, pause = "0s", bake = "1s", keep-warm = "0s" }}

[environments.production.services.web]
vars = {{ GREETING = "{greeting}" }}

[environments.staging]
hosts = ["app-01"]
strategy = {{ kind = "recreate", bake = "0s", keep-warm = "0s" }}

[environments.staging.services.web]
vars = {{ GREETING = "staged" }}
"#
        );
        self.program.file(&format!("{app}/quarterdeck.toml"), &text)
    }

    fn verb(&self, args: &[&str]) -> Ended {
        self.program.run(args)
    }

    /// What the shop's next deployment is asked for with; its pages say this then.
    fn asks<'b>(&self, greeting: &str, more: &[&'b str]) -> Vec<&'b str> {
        self.template("shop", greeting);
        [&["deploy", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--yes"], more].concat()
    }

    /// Starts one and waits for a line about this.
    fn follows(&self, greeting: &str, until: &str) -> (Child, BufReader<std::process::ChildStderr>) {
        let mut child = self.program.command(&self.asks(greeting, &[])).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        while !seen.lines().last().is_some_and(|line| line.contains(until)) {
            assert!(lines.read_line(&mut seen).unwrap() > 0, "{seen}");
        }
        (child, lines)
    }

    /// The only run that is under way.
    fn run(&self) -> (u32, String) {
        let runs = self.program.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    fn deployment(&self, id: &str) -> Value {
        self.verb(&["deployment", "show", id, "--format", "json"]).json()
    }

    /// Waits until it stands so.
    fn becomes(&self, id: &str, state: &str) {
        let start = Instant::now();
        loop {
            let found = self.deployment(id);
            if found["state"] == state && (state != "good" || found["journal"].as_array().unwrap().last().unwrap()["text"] == "ended good")
            {
                return;
            }
            assert!(start.elapsed() < LIMIT, "{id} is not {state}: {found:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Every host serves this, once, and nothing of ours is left about.
    fn serves(&self, greeting: &str) {
        // A run frees its locks after the last word of its journal.
        let start = Instant::now();
        while !self.program.runs().is_empty() {
            assert!(start.elapsed() < LIMIT, "{:?}", self.program.runs());
            std::thread::sleep(Duration::from_millis(50));
        }
        for host in HOSTS {
            let filters = ["--filter", "label=quarterdeck.app=shop", "--filter", "label=quarterdeck.environment=production"];
            let ids = self.lab.docker(host, &[&["ps", "-q"][..], &filters].concat());
            let ids: Vec<_> = ids.split_whitespace().collect();
            assert_eq!(ids.len(), 1, "{host}");
            assert_eq!(self.lab.docker(host, &["exec", ids[0], "cat", "/srv/index.html"]).trim(), greeting, "{host}");
            let all = self.lab.docker(host, &["ps", "-a", "--format", "{{.Names}}"]);
            assert!(!all.contains("quarterdeck-lock"), "{host}: {all}");
        }
    }
}

fn end(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(start.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn runs_outlive_terminals_and_belong_to_no_operator() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("runs", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let (ana, ben) = (Operator::new(&lab), Operator::new(&lab));
    left_at_once(&ana);
    no_terminal_needed(&ana);
    ctrl_c_has_three_answers(&ana);
    configuration_and_promotion(&ana);
    approved_and_nobody_waits(&ana);
    one_waits_or_is_told_who(&ana, &ben);
    the_dead_are_read_from_the_hosts(&ana, &ben);
    let audit = ana.verb(&["audit", "--verify"]);
    assert_eq!(audit.code, Some(0), "{audit:?}");
}

fn left_at_once(ana: &Operator<'_>) {
    let ended = ana.verb(&ana.asks("one", &["--detach"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let id = ended.out.lines().last().unwrap().to_owned();
    let (pid, of) = ana.run();
    assert_eq!(of, id);
    // Its session is its own, and nobody reads its secrets in /proc.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session: u32 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(session, pid);
    for file in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("s3cret-of-the-runs"), "{file}");
    }
    let followed = ana.verb(&["deployment", "follow", &id]);
    assert!(followed.code == Some(0) && followed.out.contains("start shop-production-web-1"), "{followed:?}");
    assert!(followed.out.ends_with(&format!("deployment {id} good\n")), "{followed:?}");
    let lines = ana.verb(&["deployment", "follow", &id, "--format", "json"]);
    let rows: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 10 && rows.last().unwrap()["text"] == "ended good", "{lines:?}");
    ana.serves("one");
    let finished = ana.verb(&["deployment", "finish", &id, "--yes"]);
    assert!(finished.code == Some(0) && finished.out.contains("nothing of it is warm"), "{finished:?}");
    let back = ana.verb(&["deployment", "unwind", &id, "--yes"]);
    assert!(back.code == Some(5) && back.err.contains("quarterdeck rollback shop production"), "{back:?}");
    // One object, with the plan in its parts.
    let told = ana.verb(&ana.asks("one-b", &["--host", "app-03", "--format", "json"]));
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = told.json();
    assert_eq!((&told["state"], &told["planned"]["services"][0]["changes"][0]["host"]), (&"good".into(), &"app-03".into()), "{told:#}");
    assert_eq!(told["hosts"], serde_json::json!(["app-03"]));
    let planned =
        ana.verb(&["plan", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--strategy", "recreate", "--format", "json"]).json();
    assert_eq!((&planned["id"], &planned["planned"]["strategy"]), (&Value::Null, &"recreate".into()), "{planned:#}");
    let ended = ana.verb(&ana.asks("one", &[]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn no_terminal_needed(ana: &Operator<'_>) {
    // The terminal is gone, as when a window closes.
    let words = ana.program.words(&ana.asks("two", &[]));
    let mut console = Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), 160, 50, "xterm");
    console.expect("start shop-production-web-1");
    let (_, id) = ana.run();
    console.hang_up();
    assert!(console.exit(LIMIT).is_some());
    ana.becomes(&id, "good");
    ana.serves("two");

    // Interrupted where nobody can be asked.
    let (mut child, _lines) = ana.follows("three", "start shop-production-web-1");
    let (_, id) = ana.run();
    signal_process(child.id(), Signal::INT);
    assert_eq!(end(&mut child), Some(130));
    ana.becomes(&id, "good");
    ana.serves("three");
}

fn ctrl_c_has_three_answers(ana: &Operator<'_>) {
    let mut serving = "three";
    for (greeting, answer, code, state) in [("four", "d", 0, "good"), ("five", "u", 1, "unwound"), ("six", "p", 1, "parked")] {
        let words = ana.program.words(&ana.asks(greeting, &[]));
        let mut console = Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), 160, 50, "xterm");
        console.expect("start shop-production-web-1");
        let (_, id) = ana.run();
        console.send(b"\x03");
        console.expect("[d/p/u]");
        console.send(format!("{answer}\n").as_bytes());
        assert_eq!(console.exit(LIMIT), Some(code), "{answer}: {}", console.text());
        ana.becomes(&id, state);
        if answer == "p" {
            let locked = ana.verb(&ana.asks("seven", &[]));
            assert!(locked.code == Some(4) && locked.err.contains("locked by"), "{locked:?}");
            ana.template("shop", greeting);
            let ended = ana.verb(&["deployment", "resume", &id, "--alive", "--yes"]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        serving = if answer == "u" { serving } else { greeting };
        ana.serves(serving);
    }
    // The same from another terminal.
    let (mut child, _lines) = ana.follows("seven", "start shop-production-web-1");
    let (_, id) = ana.run();
    let told = ana.verb(&["deployment", "park", &id, "--reason", "lunch"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(end(&mut child), Some(1));
    ana.becomes(&id, "parked");
    let back = ana.verb(&["deployment", "unwind", &id, "--alive", "--yes"]);
    assert_eq!(back.code, Some(1), "{back:?}");
    ana.serves("six");
}

fn configuration_and_promotion(ana: &Operator<'_>) {
    ana.template("shop", "eight");
    let applied = ana.verb(&["config", "apply", "shop", "production", "--yes"]);
    assert!(applied.code == Some(0) && applied.out.contains("(variables, no pull)"), "{applied:?}");
    ana.serves("eight");
    let promoted = ana.verb(&["promote", "shop", "--from", "production", "--to", "staging", "--yes"]);
    assert!(promoted.code == Some(0) && promoted.out.contains("deploy shop in staging: 1.0.1-1-aaaaaa1+"), "{promoted:?}");
    let found = ana.verb(&["deployments", "shop", "staging", "--format", "json"]).rows();
    assert_eq!(found[0]["state"], "good");
}

/// The yes of somebody else, who has no account of his own here.
fn say_yes(ana: &Operator<'_>, id: &str) {
    use quarterdeck::ledger::{Answer, Ledger, StateDir};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(StateDir::at(ana.program.file("state/.keep", "").replace("/.keep", ""))).await.unwrap();
        let answered = ledger.approvals().answer(&id.parse().unwrap(), Answer::Yes, "eva", "looks good").await;
        answered.unwrap_or_else(|error| panic!("{error}"));
    });
}

fn approved_and_nobody_waits(ana: &Operator<'_>) {
    let tighten = |greeting: &str, strategy: &str| {
        let file = ana.template("shop", greeting);
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replacen("strategy = {", "approve = 1\nstrategy = {", 1).replacen(
            "kind = \"rolling\", batch = 1, pause = \"0s\",",
            strategy,
            1,
        );
        std::fs::write(file, text).unwrap();
    };
    tighten("granted", "kind = \"rolling\", batch = 1,");
    let asked = ana.verb(&["config", "apply", "shop", "production", "--yes", "--detach"]);
    assert!(asked.code == Some(0) && asked.err.contains("waits for 1 to approve it"), "{asked:?}");
    let id = asked.out.lines().last().unwrap().to_owned();
    let early = ana.verb(&["deployment", "resume", &id, "--yes"]);
    assert!(early.code == Some(5) && early.err.contains("waits for 1"), "{early:?}");
    say_yes(ana, &id);
    // Meanwhile the policy has another way over the hosts: that is not what was approved.
    tighten("granted", "kind = \"recreate\",");
    let void = ana.verb(&["deployment", "resume", &id, "--yes"]);
    assert!(void.code == Some(5) && void.err.contains("the approval is void"), "{void:?}");
    assert_eq!(ana.deployment(&id)["approved_by"], serde_json::json!([]));
    ana.serves("eight");
    say_yes(ana, &id);
    let begun = ana.verb(&["deployment", "resume", &id, "--yes"]);
    assert_eq!(begun.code, Some(0), "{begun:?}");
    ana.serves("granted");
}

fn one_waits_or_is_told_who(ana: &Operator<'_>, ben: &Operator<'_>) {
    let started = ana.verb(&ana.asks("nine", &["--detach"]));
    assert_eq!(started.code, Some(0), "{started:?}");
    let (pid, id) = ana.run();
    let told = ben.verb(&ben.asks("ten", &[]));
    assert!(told.code == Some(4) && told.err.contains(&format!("(pid {pid})")), "{told:?}");
    let alive = ben.verb(&["unlock", "shop", "production", "--reason", "impatient"]);
    assert!(alive.code == Some(4) && alive.err.contains(&format!("(pid {pid})")), "{alive:?}");
    // Another app is nobody's to hold up.
    ben.template("blog", "hello");
    let blog = ben.verb(&["deploy", "blog", "production", "--release", "1.0.1-1-bbbbbb1", "--yes"]);
    assert_eq!(blog.code, Some(0), "{blog:?}");
    assert_eq!(ana.deployment(&id)["state"], "running", "it was not done beside the other");
    let waited = ben.verb(&ben.asks("ten", &["--wait=1m"]));
    assert!(waited.code == Some(0) && waited.err.contains(&format!("(pid {pid})")), "{waited:?}");
    assert_eq!(ana.deployment(&id)["state"], "good");
    ben.serves("ten");
    let late = ben.verb(&["unlock", "shop", "production", "--reason", "late"]);
    assert!(late.code == Some(0) && late.out.contains("is not locked"), "{late:?}");
}

fn the_dead_are_read_from_the_hosts(ana: &Operator<'_>, ben: &Operator<'_>) {
    let mut serving = "ten";
    for (greeting, verb, code) in [("eleven", "resume", 0), ("twelve", "unwind", 1)] {
        let (mut child, _lines) = ana.follows(greeting, "start shop-production-web-1");
        let (pid, id) = ana.run();
        signal_process(pid, Signal::KILL);
        assert_eq!(end(&mut child), Some(1));
        // Ben's ledger never heard of it.
        let shown = ben.verb(&["deployment", "show", &id, "--format", "json"]);
        assert!(shown.code == Some(0) && shown.err.contains(&format!("(pid {pid})")), "{shown:?}");
        assert_eq!((&shown.json()["state"], &shown.json()["id"]), (&"running".into(), &id.as_str().into()));
        let known = |rows: Vec<Value>| rows.iter().any(|row| row["id"] == id.as_str());
        assert!(!known(ben.verb(&["deployments", "--format", "json"]).rows()), "to look records nothing");
        let early = ben.verb(&["deployment", verb, &id, "--yes"]);
        assert!(early.code == Some(4) && early.err.contains("last sign of life"), "{early:?}");
        assert!(!known(ben.verb(&["deployments", "--format", "json"]).rows()), "what lives elsewhere stays there");
        let ended = ben.verb(&["deployment", verb, &id, "--alive", "--yes"]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(known(ben.verb(&["deployments", "--format", "json"]).rows()));
        ben.becomes(&id, if code == 0 { "good" } else { "unwound" });
        serving = if code == 0 { greeting } else { serving };
        ben.serves(serving);
    }
}
