//! A real HAProxy before containers on two hosts, switched under load that never asks twice: not one request may fail.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use quarterdeck::{
    config::{BalancerConfig, BalancerKind, Endpoint},
    rights::Rights,
    run::{SlotChange, SlotState, engine_port::Balancer as _},
    traffic::{Balancers, Ground, OwnLinks, RunTraffic, probe::Probe, proof::Proof},
};
use serde_json::Value;

use crate::{
    lab::{Lab, Skipped},
    program::{Ended, Program},
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many requests at least.
const REQUESTS: u64 = 20_000;
/// Clients that keep their connections and never ask twice.
const CLIENTS: usize = 12;

/// HAProxy in the network of app-01.
struct Haproxy {
    dir: PathBuf,
    netns: String,
    child: Option<Child>,
}

impl Haproxy {
    fn new(lab: &Lab, address: &str) -> Self {
        let dir = lab.dir().join("lb");
        std::fs::create_dir_all(&dir).unwrap();
        // The account behind sshd opens the socket and writes the state.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&dir, open).unwrap();
        let text = format!(
            "global\n  stats socket {dir}/admin.sock mode 666 level admin\n  server-state-file {dir}/state\n  maxconn 500\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n  load-server-state-from-file global\n\
             frontend edge\n  bind {address}:8080\n  default_backend shop_web\n\
             backend shop_web\n  option httpchk GET /\n  default-server check inter 200ms\n  server-template s 5 slot.invalid:1 disabled init-addr last,127.0.0.1\n\
             backend unchecked\n  server one 127.0.0.1:1 disabled\n",
            dir = dir.display()
        );
        std::fs::write(dir.join("haproxy.cfg"), text).unwrap();
        Self { dir, netns: lab.host("app-01")["netns"].as_str().unwrap().to_owned(), child: None }
    }

    fn start(&mut self) {
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

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("admin.sock")
    }

    /// What HAProxy itself says.
    fn ask(&self, line: &str) -> String {
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The state bits and places of the backend's servers.
    fn servers(&self) -> Vec<(String, String, String)> {
        let text = self.ask("show servers state shop_web");
        let rows = text.lines().skip(2).filter(|line| !line.is_empty());
        rows.map(|row| {
            let fields: Vec<&str> = row.split(' ').collect();
            (fields[3].to_owned(), format!("{}:{}", fields[4], fields[18]), fields[6].to_owned())
        })
        .collect()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        self.stop();
        // The lab removes what it made itself, and then its folder if that is empty.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Clients that go on until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(to: SocketAddr) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |_| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || client(to, &stop, &done))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { stop, done, clients }
    }

    fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Waits until so many were made in all.
    fn until(&self, count: u64) {
        let until = Instant::now() + PATIENCE;
        while self.count() < count {
            assert!(Instant::now() < until, "{} requests in all", self.count());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every failure in words, and how many requests there were.
    fn end(self) -> (Vec<String>, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (failures, self.done.load(Ordering::Relaxed))
    }
}

/// One client: a request after the other on a connection that it keeps as long as the server lets it.
fn client(to: SocketAddr, stop: &AtomicBool, done: &AtomicU64) -> Vec<String> {
    let mut failures = Vec::new();
    let mut kept: Option<BufReader<TcpStream>> = None;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match once(to, kept.take()) {
            Ok(connection) => kept = connection,
            Err(error) => failures.push(error),
        }
        done.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(4).saturating_sub(begun.elapsed()));
    }
    failures
}

fn once(to: SocketAddr, kept: Option<BufReader<TcpStream>>) -> Result<Option<BufReader<TcpStream>>, String> {
    let fault = |error: std::io::Error| format!("{error}");
    let mut connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect_timeout(&to, Duration::from_secs(10)).map_err(fault)?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(fault)?;
            BufReader::new(stream)
        }
    };
    connection.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").map_err(fault)?;
    let (mut status, mut length, mut ends) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).map_err(fault)? == 0 {
            return Err(format!("the connection ended in the head of the answer, after {status:?}"));
        }
        let lower = line.trim().to_ascii_lowercase();
        match lower.split_once(':') {
            _ if status.is_empty() => status = lower,
            Some(("content-length", value)) => length = value.trim().parse().map_err(|_| format!("{lower:?}"))?,
            Some(("connection", value)) => ends = value.trim() == "close",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).map_err(fault)?;
    match status.contains(" 200 ") {
        true => Ok((!ends).then_some(connection)),
        false => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
    }
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
    let found = Command::new("haproxy").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Err(Skipped::because("there is no haproxy: run tests/lab/install.sh as root"));
    }
    let lab = Lab::raise("traffic", &["up"])?;
    let program = Program::new();
    program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
    let lb = lab.dir().join("lb");
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
    let mut haproxy = Haproxy::new(&stage.lab, &address("app-01"));
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
    let load = Load::start(front);
    load.until(500);
    for (round, host) in ["app-02", "app-03", "app-02"].into_iter().enumerate() {
        switch(&stage, &haproxy, host, round, &load);
    }
    a_server_that_answers_nothing_gets_nothing(&stage, &haproxy);
    load.until(REQUESTS);
    let (failures, requests) = load.end();
    let report = runtime.block_on(probe.finish());
    let after = runtime.block_on(traffic.count("edge", "shop_web")).unwrap();
    let proof = Proof::between(&[before], &[after], Some(report.clone()));
    assert_eq!(failures, Vec::<String>::new(), "of {requests}");
    assert!(requests >= REQUESTS, "{requests}");
    assert!(report.requests > 50 && report.failed == 0 && report.p99_ms.is_some(), "{report:?}");
    let (counted, failed) = proof.totals();
    assert!(failed == 0 && counted >= requests + report.requests, "{proof}: {requests} and {}", report.requests);
    println!("{proof}; {requests} by {CLIENTS} clients that never ask twice");

    it_is_written_down(&stage);
    a_restart_is_noticed_and_mended(&stage, &mut haproxy, &runtime, &traffic);

    // A host that is lost can be drained all the same: by its address.
    stage.lab.fault("kill9", "app-02");
    let drained = stage.run(&["drain", "app-02", "--yes", "--format", "json"]);
    assert_eq!(drained.code, Some(3), "{drained:?}");
    let places: Vec<String> = drained.rows().iter().map(|row| format!("{} {}", row["host"], row["outcome"])).collect();
    assert_eq!(places, ["\"app-02\" \"done\""], "{drained:?}");
    assert_eq!(haproxy.servers().iter().filter(|(_, _, admin)| admin == "4" || admin == "0").count(), 1);
}

/// Over the runtime API as a run uses it.
fn traffic(socket: &Path) -> RunTraffic {
    let admin = Some(Endpoint::Unix { path: socket.to_owned() });
    let config = BalancerConfig { kind: BalancerKind::Haproxy, host: None, admin, persist: None, probe: None };
    let ground: Arc<dyn Ground> = Arc::new(OwnLinks::new(HashMap::new(), &Rights::Act));
    RunTraffic::new(Balancers::of(&IndexMap::from([("edge".to_owned(), config)]), &ground, &Rights::Act))
}

fn only_looking_changes_nothing(stage: &Stage, haproxy: &Haproxy) {
    let before = haproxy.servers();
    let shown = stage.must(&["traffic", "show", "--read-only", "--format", "json"]).json();
    assert_eq!(shown["slots"].as_array().unwrap().len(), 6, "{shown}");
    assert!(shown["balancers"][0]["version"].as_str().unwrap().starts_with('2') || shown["balancers"][0]["version"].is_string());
    for args in [&["traffic", "sync"][..], &["drain", "app-02"], &["undrain", "app-02"]] {
        let ended = stage.run(&[args, &["--yes", "--read-only"]].concat());
        assert_eq!(ended.code, Some(5), "{ended:?}");
    }
    assert_eq!(haproxy.servers(), before);
}

/// One container is replaced by a new one: in, out, gone.
fn switch(stage: &Stage, haproxy: &Haproxy, host: &str, round: usize, load: &Load) {
    let olds = stage.lab.docker(host, &["ps", "--format", "{{.Names}}", "--filter", "name=web-"]);
    let (old, new) = (olds.trim().to_owned(), format!("web-{host}-{round}"));
    stage.web(host, &new, 20010 + u16::try_from(round).unwrap());
    stage.must(&["traffic", "sync", "--yes"]);
    let begun = load.count();
    load.until(begun + 200);
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
    let ready = haproxy.servers().iter().filter(|(_, _, admin)| admin == "4" || admin == "0").count();
    assert_eq!(ready, 2, "{:?}", haproxy.servers());
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
    let before = haproxy.servers();
    let slots = || runtime.block_on(traffic.slots("edge", "shop_web"));
    assert_eq!(slots().unwrap().iter().filter(|slot| slot.state == SlotState::Ready).count(), 2);
    haproxy.stop();
    let lost = stage.run(&["traffic", "show"]);
    assert_eq!(lost.code, Some(3), "{lost:?}");
    assert!(lost.err.contains("balancer edge: nobody listens on"), "{lost:?}");
    haproxy.start();
    let placed = |servers: &[(String, String, String)]| servers.iter().map(|(name, at, _)| (name.clone(), at.clone())).collect::<Vec<_>>();
    assert_eq!(placed(&haproxy.servers()), placed(&before));
    assert_eq!(stage.differences(), []);
    assert_eq!(
        slots().unwrap().iter().filter(|slot| slot.state == SlotState::Ready).count(),
        2,
        "a restart that lost nothing stops nobody"
    );

    // And forgets it where it was not.
    std::fs::remove_file(haproxy.dir.join("state")).unwrap();
    haproxy.stop();
    haproxy.start();
    let error = slots().unwrap_err().to_string();
    assert!(error.contains("was restarted meanwhile") && error.contains("traffic sync"), "{error}");
    let refused = runtime.block_on(traffic.set_slot("edge", "shop_web", "s1", SlotChange::State(SlotState::Ready)));
    assert!(refused.is_err(), "nothing is changed on top of what is lost");
    assert_eq!(stage.differences().iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["missing", "missing"]);
    stage.must(&["traffic", "sync", "--yes"]);
    assert_eq!(stage.differences(), []);
    assert_eq!(haproxy.servers().iter().filter(|(_, _, admin)| admin == "4" || admin == "0").count(), 2);
}
