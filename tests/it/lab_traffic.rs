//! A real HAProxy before containers on two hosts, switched under load that never asks twice: not one request may fail.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use indexmap::IndexMap;
use quarterdeck::{
    config::{BalancerConfig, BalancerKind, Endpoint},
    rights::Rights,
    run::{
        SlotChange, SlotState,
        engine_port::{Balancer as _, RunLinks},
    },
    traffic::{Balancers, Ground, RunTraffic, probe::Probe, proof::Span},
};
use serde_json::Value;

use crate::{
    haproxy::Haproxy,
    lab::{Lab, Skipped},
    load::{Load, Manner, Tale},
    program::{Ended, Program},
};

/// So many requests at least.
const REQUESTS: u64 = 20_000;
/// Clients that keep their connections and never ask twice.
const CLIENTS: usize = 12;

/// One backend of five slots, and one without checks.
fn parts(address: &str) -> String {
    format!(
        "frontend edge\n  bind {address}:8080\n  default_backend shop_web\n\
         backend shop_web\n  option httpchk GET /\n  default-server check inter 200ms\n  server-template s 5 slot.invalid:1 disabled init-addr last,127.0.0.1\n\
         backend unchecked\n  server one 127.0.0.1:1 disabled\n"
    )
}

struct Stage {
    lab: Lab,
    program: Program,
    config: String,
}

impl Stage {
    /// A container as a deployment makes it, at a port of the host.
    fn start(&self, host: &str, name: &str, port: u16, script: &str) {
        let label = |key: &str, value: String| ["--label".to_owned(), format!("quarterdeck.{key}={value}")];
        let mut args: Vec<String> = ["run", "-d", "--name", name, "-p", &format!("{port}:80")].map(str::to_owned).to_vec();
        for (key, value) in [
            ("app", "shop".to_owned()),
            ("service", "web".to_owned()),
            ("environment", "staging".to_owned()),
            ("n", "1".to_owned()),
            ("ports", format!("80/tcp={port}")),
            ("traffic", "edge/shop_web:80".to_owned()),
        ] {
            args.extend(label(key, value));
        }
        args.extend(["base:latest", "sh", "-c", script].map(str::to_owned));
        self.lab.docker(host, &args.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn web(&self, host: &str, name: &str, port: u16) {
        self.start(host, name, port, &format!("mkdir -p /srv; echo {name} >/srv/index.html; exec httpd -f -p 80 -h /srv"));
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.program.run(&[args, &["-c", &self.config]].concat())
    }

    fn must(&self, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    /// The kinds of all differences.
    fn differences(&self) -> Vec<(String, String)> {
        let shown = self.must(&["traffic", "show", "--format", "json"]).json();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("?").to_owned();
        shown["differences"].as_array().unwrap().iter().map(|row| (text(row, "kind"), text(row, "container"))).collect()
    }
}

fn pair(kind: &str, container: &str) -> (String, String) {
    (kind.to_owned(), container.to_owned())
}

fn stage() -> Result<Stage, Skipped> {
    Haproxy::found()?;
    let lab = Lab::raise("traffic", &["up"])?;
    let program = Program::new();
    program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
    let lb = Haproxy::folder(&lab);
    // The balancer's host by SSH: its socket and its file are reached as on a real one.
    let mut text = format!(
        "[lb.edge]\nkind = \"haproxy\"\nhost = \"app-01\"\nadmin = \"unix://{0}/admin.sock\"\npersist = \"{0}/state\"\n",
        lb.display()
    );
    for host in ["app-01", "app-02", "app-03"] {
        let row = lab.host(host);
        let url = if host == "app-01" { format!("ssh://ops@{host}") } else { format!("unix://{}", row["unix"].as_str().unwrap()) };
        text.push_str(&format!("[hosts.{host}]\nurl = \"{url}\"\naddress = {}\n", row["address"]));
    }
    let config = program.file("config.toml", &text);
    Ok(Stage { lab, program, config })
}

#[test]
fn a_switch_under_load_fails_no_request() {
    let _turn = crate::lab::turn();
    let stage = match stage() {
        Ok(stage) => stage,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let address = |host: &str| stage.lab.host(host)["address"].as_str().unwrap().to_owned();
    let front: SocketAddr = format!("{}:8080", address("app-01")).parse().unwrap();
    let mut haproxy = Haproxy::new(&stage.lab, &parts(&address("app-01")));
    haproxy.start();

    stage.web("app-02", "web-a", 20001);
    stage.web("app-03", "web-b", 20001);
    assert_eq!(stage.differences(), [pair("missing", "web-a"), pair("missing", "web-b")]);
    only_looking_changes_nothing(&stage, &haproxy);
    let asked = stage.run(&["traffic", "sync"]);
    assert_eq!(asked.code, Some(2), "nobody to ask: {asked:?}");
    assert!(asked.err.contains("--yes") && asked.out.contains("web-a on app-02 runs and has no slot in shop_web"), "{asked:?}");
    stage.must(&["traffic", "sync", "--yes"]);
    assert_eq!(stage.differences(), []);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let traffic = traffic(&haproxy.socket());
    let before = runtime.block_on(traffic.count("edge", "shop_web")).unwrap();
    let probe = runtime.block_on(async { Probe::start(&format!("http://{front}/"), 10) }).unwrap();
    let load = Load::start(front, Manner { clients: CLIENTS, every: Duration::from_millis(4), posts: false, slow: 0 });
    load.until(500);
    for (round, host) in ["app-02", "app-03", "app-02"].into_iter().enumerate() {
        switch(&stage, &haproxy, host, round, &load);
    }
    a_server_that_answers_nothing_gets_nothing(&stage, &haproxy);
    load.until(REQUESTS);
    let Tale { requests, failures, .. } = load.end();
    let report = runtime.block_on(probe.finish());
    assert_eq!(failures, Vec::<String>::new(), "of {requests}");
    assert!(requests >= REQUESTS, "{requests}");
    assert!(report.requests > 50 && report.failed == 0 && report.p99_ms.is_some(), "{report:?}");
    // A client may have its answer a moment before HAProxy has counted it.
    let before = [before];
    let mut proof = Span::between(&before, &before, Some(report.clone()));
    crate::stand::wait_for("the count of the last answer", || {
        let after = runtime.block_on(traffic.count("edge", "shop_web")).unwrap();
        proof = Span::between(&before, &[after], Some(report.clone()));
        proof.totals().0 >= requests + report.requests
    });
    assert_eq!(proof.totals().1, 0, "{proof}");
    println!("{proof}; {requests} by {CLIENTS} clients that never ask twice");

    it_is_written_down(&stage);
    a_restart_is_noticed_and_mended(&stage, &mut haproxy, &runtime, &traffic);

    // A host that is lost can be drained all the same: by its address.
    stage.lab.fault("kill9", "app-02");
    let drained = stage.run(&["drain", "app-02", "--yes", "--format", "json"]);
    assert_eq!(drained.code, Some(3), "{drained:?}");
    let places: Vec<String> = drained.rows().iter().map(|row| format!("{} {}", row["host"], row["outcome"])).collect();
    assert_eq!(places, ["\"app-02\" \"done\""], "{drained:?}");
    assert_eq!(haproxy.ready("shop_web").len(), 1);
}

/// Over the runtime API as a run uses it.
fn traffic(socket: &Path) -> RunTraffic {
    let admin = Some(Endpoint::Unix { path: socket.to_owned() });
    let config = BalancerConfig { kind: BalancerKind::Haproxy, host: None, admin, persist: None, probe: None };
    let ground: Arc<dyn Ground> = Arc::new(RunLinks::new(Vec::new(), Rights::Act));
    RunTraffic::new(Balancers::of(&IndexMap::from([("edge".to_owned(), config)]), &ground, &Rights::Act))
}

fn only_looking_changes_nothing(stage: &Stage, haproxy: &Haproxy) {
    let before = haproxy.servers("shop_web");
    let shown = stage.must(&["traffic", "show", "--read-only", "--format", "json"]).json();
    assert_eq!(shown["slots"].as_array().unwrap().len(), 6, "{shown}");
    assert!(shown["balancers"][0]["version"].as_str().unwrap().starts_with('2') || shown["balancers"][0]["version"].is_string());
    for args in [&["traffic", "sync"][..], &["drain", "app-02"], &["undrain", "app-02"]] {
        let ended = stage.run(&[args, &["--yes", "--read-only"]].concat());
        assert_eq!(ended.code, Some(5), "{ended:?}");
    }
    assert_eq!(haproxy.servers("shop_web"), before);
}

/// One container is replaced by a new one: in, out, gone.
fn switch(stage: &Stage, haproxy: &Haproxy, host: &str, round: usize, load: &Load) {
    let olds = stage.lab.docker(host, &["ps", "--format", "{{.Names}}", "--filter", "name=web-"]);
    let (old, new) = (olds.trim().to_owned(), format!("web-{host}-{round}"));
    stage.web(host, &new, 20010 + u16::try_from(round).unwrap());
    stage.must(&["traffic", "sync", "--yes"]);
    load.more(200);
    let drained = stage.must(&["drain", &format!("name:{old}"), "--yes", "--format", "json"]);
    assert_eq!(drained.rows().iter().map(|row| row["outcome"].clone()).collect::<Vec<_>>(), ["done"], "{drained:?}");
    assert_eq!(stage.differences(), [pair("resting", &old)]);
    // And back, and out again: nobody notices.
    stage.must(&["undrain", &format!("name:{old}"), "--yes"]);
    assert_eq!(stage.differences(), []);
    let again = stage.must(&["undrain", &format!("name:{old}"), "--yes"]);
    assert!(again.out.contains("nothing to do"), "{again:?}");
    stage.must(&["drain", &format!("name:{old}"), "--yes"]);
    stage.lab.docker(host, &["rm", "-f", &old]);
    assert_eq!(stage.differences().len(), 1, "its slot is left");
    stage.must(&["traffic", "sync", "--yes"]);
    assert_eq!(stage.differences(), []);
    let ready = haproxy.ready("shop_web").len();
    assert_eq!(ready, 2, "{:?}", haproxy.servers("shop_web"));
}

/// A balancer takes a server for good before it has looked at it; here it never gets one request.
fn a_server_that_answers_nothing_gets_nothing(stage: &Stage, haproxy: &Haproxy) {
    stage.start("app-03", "web-dead", 20050, "sleep 1000");
    let ended = stage.run(&["traffic", "sync", "--yes", "--format", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let message = ended.rows()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("is not up in shop_web/"), "{message}");
    let slot = ended.rows()[0]["slot"].as_str().unwrap().to_owned();
    let stats = haproxy.ask("show stat shop_web 4 -1");
    let row = stats.lines().find(|line| line.starts_with(&format!("shop_web,{slot},"))).unwrap();
    let fields: Vec<&str> = row.split(',').collect();
    assert!(fields[17].starts_with("MAINT"), "{row}");
    stage.lab.docker("app-03", &["rm", "-f", "web-dead"]);
}

fn it_is_written_down(stage: &Stage) {
    let rows = stage.must(&["audit", "--format", "json"]).rows();
    let of = |action: &str, verdict: &str| rows.iter().filter(|row| row["action"] == action && row["outcome"] == verdict).count();
    assert_eq!((of("traffic.sync", "failed"), of("traffic.drain", "done"), of("traffic.undrain", "done")), (1, 6, 3), "{rows:#?}");
    assert_eq!(of("traffic.sync", "done"), 2 + 3 + 3, "two at first; one in and one out each round");
    assert!(rows.iter().any(|row| row["target"].as_str().is_some_and(|name| name.starts_with("edge/shop_web/s"))), "{rows:#?}");
}

fn a_restart_is_noticed_and_mended(stage: &Stage, haproxy: &mut Haproxy, runtime: &tokio::runtime::Runtime, traffic: &RunTraffic) {
    // It remembers what was written down, which the last sync did.
    let before = haproxy.servers("shop_web");
    let slots = || runtime.block_on(traffic.slots("edge", "shop_web"));
    assert_eq!(slots().unwrap().slots.iter().filter(|slot| slot.state == SlotState::Ready).count(), 2);
    haproxy.stop();
    let lost = stage.run(&["traffic", "show"]);
    assert_eq!(lost.code, Some(3), "{lost:?}");
    assert!(lost.err.contains("balancer edge: nobody listens on"), "{lost:?}");
    haproxy.start();
    let placed = |servers: &[(String, String, String)]| servers.iter().map(|(name, at, _)| (name.clone(), at.clone())).collect::<Vec<_>>();
    assert_eq!(placed(&haproxy.servers("shop_web")), placed(&before));
    assert_eq!(stage.differences(), []);
    assert_eq!(
        slots().unwrap().slots.iter().filter(|slot| slot.state == SlotState::Ready).count(),
        2,
        "a restart that lost nothing stops nobody"
    );

    // And forgets it where it was not.
    std::fs::remove_file(haproxy.dir().join("state")).unwrap();
    haproxy.stop();
    haproxy.start();
    let error = slots().unwrap_err().to_string();
    assert!(error.contains("was restarted meanwhile") && error.contains("traffic sync"), "{error}");
    let refused = runtime.block_on(traffic.set_slots("edge", "shop_web", &[("s1".into(), SlotChange::State(SlotState::Ready))]));
    assert!(refused.is_err(), "nothing is changed on top of what is lost");
    assert_eq!(stage.differences().iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["missing", "missing"]);
    stage.must(&["traffic", "sync", "--yes"]);
    assert_eq!(stage.differences(), []);
    assert_eq!(haproxy.ready("shop_web").len(), 2);
}
