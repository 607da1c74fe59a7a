//! A shop on three hosts behind HAProxy, deployed by the verbs: its template, its images, and what a person would see of it.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    haproxy::Haproxy,
    lab::{Lab, Skipped},
    program::{Ended, Program},
};

pub const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
/// Longer than a deployment takes.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long an answer of the shop takes.
const TAKES: u32 = 30;

pub struct Shop {
    // Dropped in this order: what waits with its warm containers, HAProxy's folder, then the lab around it.
    windows: Vec<Child>,
    pub haproxy: Haproxy,
    pub program: Program,
    pub lab: Lab,
    pub registry: String,
    /// Version number → release.
    versions: BTreeMap<u32, String>,
}

/// A verb that was carried out, and when a person could see what.
pub struct Gone {
    /// The plan stood on the screen: with `--yes` nobody has to press Enter, and it begins.
    pub begun: Instant,
    /// How long it took from there.
    pub took: Duration,
    /// The deployment's id.
    pub id: String,
    /// All it printed.
    pub out: String,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shop {
    pub fn open(name: &str) -> Result<Self, Skipped> {
        Haproxy::found()?;
        let lab = Lab::raise(name, &["up"])?;
        let address = |host: &str| lab.host(host)["address"].as_str().unwrap().to_owned();
        let haproxy = Haproxy::new(&lab, &parts(&HOSTS.map(address)));
        let program = Program::new();
        program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let manifest: Value = serde_json::from_str(&std::fs::read_to_string(lab.dir().join("lab.json")).unwrap()).unwrap();
        let registry = manifest["registry"]["address"].as_str().unwrap().to_owned();
        let mut shop = Self { windows: Vec::new(), haproxy, program, lab, registry, versions: BTreeMap::new() };
        shop.haproxy.start();
        shop.template("rolling", "0s");
        shop.configure(true);
        Ok(shop)
    }

    /// The configuration; `persist`: whether the balancer's state is written down.
    pub fn configure(&self, persist: bool) {
        let lb = self.haproxy.dir().display().to_string();
        let mut text = format!(
            "state = {:?}\n[apps.shop]\ntemplate = {:?}\n[lb.edge]\nkind = \"haproxy\"\nhost = \"app-01\"\nadmin = \"unix://{lb}/admin.sock\"\n\
             probe = \"http://{}/\"\n",
            self.place("state"),
            self.place("shop/quarterdeck.toml"),
            self.front(8080),
        );
        if persist {
            text.push_str(&format!("persist = \"{lb}/state\"\n"));
        }
        for host in HOSTS {
            // The balancer's host by SSH, as it would be; one host by SSH, one by its socket.
            let url = match host {
                "app-02" => format!("unix://{}", self.lab.host(host)["unix"].as_str().unwrap()),
                _ => format!("ssh://ops@{host}"),
            };
            text.push_str(&format!("[hosts.{host}]\nurl = {url:?}\naddress = {:?}\nenvironment = \"production\"\n", self.address(host)));
        }
        self.program.file(".config/quarterdeck/config.toml", &text);
    }

    fn place(&self, name: &str) -> String {
        self.program.file("x", "").strip_suffix('x').unwrap().to_owned() + name
    }

    pub fn address(&self, host: &str) -> String {
        self.lab.host(host)["address"].as_str().unwrap().to_owned()
    }

    /// A frontend of HAProxy.
    pub fn front(&self, port: u16) -> SocketAddr {
        format!("{}:{port}", self.address("app-01")).parse().unwrap()
    }

    pub fn template(&self, strategy: &str, warm: &str) {
        let rest = format!("bake = \"0s\", keep-warm = \"{warm}\"");
        let strategy = match strategy {
            "rolling" => format!(r#"{{ kind = "rolling", batch = 1, pause = "0s", {rest} }}"#),
            "blue-green by colour" => format!(r#"{{ kind = "blue-green", by = "colour", {rest} }}"#),
            "blue-green by host" => format!(r#"{{ kind = "blue-green", by = "host", {rest} }}"#),
            "canary" => format!(
                r#"{{ kind = "canary", steps = [{{ weight = 10, bake = "2s" }}, {{ weight = 50, bake = "2s" }}],
                compare = {{ errors = 1.5, latency = 20.0, min-requests = 100 }}, {rest} }}"#
            ),
            "recreate" => format!(r#"{{ kind = "recreate", {rest} }}"#),
            other => panic!("no strategy {other}"),
        };
        let strategy = strategy.split_whitespace().collect::<Vec<_>>().join(" ");
        self.program.file(
            "shop/quarterdeck.toml",
            &format!(
                r#"
[app]
name = "shop"
registry = "{}"
version = "1.0.1"

[images.web]
context = "web"

[services.web]
image = "web"
ports = ["80"]
vars = {{ TAKES = "{TAKES}" }}
memory = "64m"
health = {{ http = "/healthz", port = 80, interval = "200ms", rise = 1, timeout = "30s" }}
stop = "2s"
traffic = {{ lb = "edge", backend = "shop_web", port = 80 }}

[environments.production]
hosts = ["app-01", "app-02", "app-03"]
strategy = {strategy}
"#,
                self.registry
            ),
        );
    }

    /// Images of these versions in the registry and on every host.
    pub fn publish(&mut self, versions: &[u32]) {
        let dir = self.lab.dir().join("lb");
        let service = dir.join("service");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/service.rs");
        let mut compiler = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()));
        compiler.args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"]);
        assert!(compiler.arg(&service).arg(source).status().unwrap().success(), "the service was not compiled");
        let tar = dir.join("service.tar");
        assert!(Command::new("tar").arg("-C").arg(&dir).arg("-cf").arg(&tar).arg("service").status().unwrap().success());
        for version in versions {
            let release = format!("1.0.{version}-{version}-{version:07x}");
            let reference = self.reference(&release);
            let variable = format!("ENV VERSION={version}");
            self.lab.docker("app-01", &["import", "-c", "CMD [\"/service\"]", "-c", &variable, tar.to_str().unwrap(), &reference]);
            self.lab.docker("app-01", &["push", "-q", &reference]);
            for host in HOSTS {
                self.lab.docker(host, &["pull", "-q", &reference]);
            }
            self.versions.insert(*version, release);
        }
    }

    pub fn reference(&self, release: &str) -> String {
        format!("{}/shop/web:{release}", self.registry)
    }

    pub fn release(&self, version: u32) -> &str {
        &self.versions[&version]
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        self.program.run(args)
    }

    pub fn deploy(&mut self, version: u32) -> Gone {
        let release = self.versions[&version].clone();
        self.go(&["deploy", "shop", "production", "--release", &release, "--yes"])
    }

    pub fn rollback(&mut self) -> Gone {
        self.go(&["rollback", "shop", "production", "--yes"])
    }

    /// Carries a verb out up to its good end. What it does with warm containers after that, it may do as long as the shop is open.
    pub fn go(&mut self, args: &[&str]) -> Gone {
        let mut child = self.program.command(args).spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let complaints = lines_whole(child.stderr.take().unwrap());
        let (mut out, mut begun) = (String::new(), None);
        let until = Instant::now() + PATIENCE;
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((at, line)) => {
                    out.push_str(&line);
                    out.push('\n');
                    begun.get_or_insert(at);
                    let Some((id, end)) = line.strip_prefix("deployment ").and_then(|rest| rest.split_once(' ')) else { continue };
                    assert!(end.starts_with("good"), "{args:?}: {out}\n{}", complaints());
                    self.windows.push(child);
                    let begun = begun.unwrap();
                    return Gone { begun, took: at - begun, id: id.to_owned(), out };
                }
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("{args:?} did not get to its end: {out}\n{}", complaints());
                }
            }
        }
    }

    /// Nobody waits for the end of a warm window any more.
    pub fn close(&mut self) {
        for mut child in self.windows.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// This version runs once on every host and gets all requests, and nothing else does.
    pub fn is_on(&self, version: u32) {
        let release = self.release(version);
        for host in HOSTS {
            let format = r#"{{.Names}} {{.Label "quarterdeck.version"}} {{.State}}"#;
            let all = self.lab.docker(host, &["ps", "-a", "--format", format]);
            let used: Vec<_> = all.lines().filter(|line| line.contains("-web-") && !line.contains("-kept ")).collect();
            assert!(matches!(used.as_slice(), [one] if one.ends_with(&format!(" {release} running"))), "{host}: {all}");
            assert!(!all.contains("quarterdeck-lock"), "{host}: {all}");
        }
        let ready = self.haproxy.ready("shop_web");
        let mut hosts: Vec<_> = ready.iter().map(|at| at.split(':').next().unwrap().to_owned()).collect();
        hosts.sort();
        let mut wanted = HOSTS.map(|host| self.address(host));
        wanted.sort();
        assert_eq!(hosts, wanted, "{:?}", self.haproxy.servers("shop_web"));
    }

    /// What the ledger kept of a deployment.
    pub fn recorded(&self, id: &str) -> Value {
        let shown = self.run(&["deployment", "show", id, "--format", "json"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        shown.json()
    }

    /// `docker` against a host's engine, as a command line in a script would have it.
    pub fn socket(&self, host: &str) -> String {
        format!("unix://{}", self.lab.host(host)["unix"].as_str().unwrap())
    }
}

/// The shop's backend, and those of the ways that are held beside ours.
fn parts(addresses: &[String; 3]) -> String {
    let first = &addresses[0];
    let mut text = format!(
        "frontend edge\n  bind {first}:8080\n  default_backend shop_web\n\
         backend shop_web\n  option httpchk GET /healthz\n  default-server check inter 200ms rise 1\n  \
         server-template s 9 slot.invalid:1 disabled init-addr last,127.0.0.1\n"
    );
    for (name, front, port) in [("swarm", 8081, 8090), ("loop", 8082, 8091)] {
        text.push_str(&format!(
            "frontend f_{name}\n  bind {first}:{front}\n  default_backend {name}\n\
             backend {name}\n  option httpchk GET /healthz\n  default-server check inter 200ms rise 1 fall 2\n"
        ));
        for (n, address) in addresses.iter().enumerate() {
            text.push_str(&format!("  server h{n} {address}:{port}\n"));
        }
    }
    text
}

/// Lines as they come, with the moment at which they came.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (out, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if out.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    lines
}

/// What is complained of until somebody asks.
fn lines_whole(mut from: impl std::io::Read + Send + 'static) -> impl Fn() -> String {
    let text = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let kept = std::sync::Arc::clone(&text);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    });
    move || text.lock().unwrap().clone()
}

/// A script of a shell, to its end.
pub fn shell(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}
