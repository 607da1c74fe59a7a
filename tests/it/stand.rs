//! A shop on the real lab: three hosts reached in three ways, an app with a web on each, and eyes on what runs meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    lab::{Lab, Skipped},
    program::{Ended, Program},
};

pub const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a version's container does.
pub const WELL: &str = "echo ok >/srv/healthz; exec httpd -f -p 80 -h /srv";
/// It never gets well.
pub const SICK: &str = "exec httpd -f -p 80 -h /srv";
/// It listens where nobody asks.
pub const ELSEWHERE: &str = "echo ok >/srv/healthz; exec httpd -f -p 81 -h /srv";

/// The rest of the template, in its own words.
#[derive(Clone)]
pub struct Shape {
    /// The strategy's table.
    pub strategy: String,
    /// More of the service `web`.
    pub web: String,
    /// More services, jobs and the like.
    pub more: String,
    /// More of the environment, and tables below it.
    pub production: String,
    /// What is proved at the end.
    pub verify: String,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            strategy: r#"{ kind = "rolling", batch = 1, pause = "0s", bake = "0s", keep-warm = "0s" }"#.to_owned(),
            web: String::new(),
            more: String::new(),
            production: String::new(),
            verify: r#"verify = { service = "web", http = "/", contains = "v" }"#.to_owned(),
        }
    }
}

/// The shop.
pub struct Stand {
    pub lab: Lab,
    pub program: Program,
    pub registry: String,
    /// More of every verb's environment.
    pub env: Vec<(String, String)>,
    /// Before every verb's own words.
    pub flags: Vec<String>,
    /// Everything that verbs have printed.
    pub heard: std::sync::Mutex<String>,
}

impl Stand {
    /// A lab of its own with the program beside it; `more` is more of the configuration.
    pub fn raise(name: &str, up: &[&str], more: &str) -> Result<Self, Skipped> {
        let lab = Lab::raise_with(name, up)?;
        let program = Program::new();
        let registry = lab.manifest()["registry"]["address"].as_str().unwrap().to_owned();
        program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let stand = Self { lab, program, registry, env: Vec::new(), flags: Vec::new(), heard: std::sync::Mutex::default() };
        stand.shape(&Shape::default());
        stand.configure("state", more);
        Ok(stand)
    }

    /// Writes the configuration with this state directory below the home, and tells the directory's path.
    pub fn configure(&self, state: &str, more: &str) -> PathBuf {
        let template = self.program.file("shop/.keep", "").replace(".keep", "quarterdeck.toml");
        let urls = [
            ("app-01", format!("tcp://{}:2375", self.address("app-01"))),
            ("app-02", format!("unix://{}", self.lab.host("app-02")["unix"].as_str().unwrap())),
            ("app-03", "ssh://app-03".to_owned()),
        ];
        let hosts: String = urls
            .iter()
            .map(|(name, url)| format!("[hosts.{name}]\nurl = {url:?}\naddress = {:?}\nenvironment = \"production\"\n", self.address(name)))
            .collect();
        let state = self.program.file(&format!("{state}.keep"), "").replace(".keep", "");
        let config = format!("state = {state:?}\n{hosts}[apps.shop]\ntemplate = {template:?}\n{more}");
        self.program.file(".config/quarterdeck/config.toml", &config);
        state.into()
    }

    pub fn address(&self, host: &str) -> String {
        self.lab.host(host)["address"].as_str().unwrap().to_owned()
    }

    /// Writes the template.
    pub fn shape(&self, shape: &Shape) {
        let Shape { strategy, web, more, production, verify } = shape;
        let registry = &self.registry;
        self.program.file(
            "shop/quarterdeck.toml",
            &format!(
                r#"
[app]
name = "shop"
registry = "{registry}"
version = "1.0.1"

[images.web]
context = "web"

[services.web]
image = "web"
command = ["sh", "/srv/run"]
ports = ["80"]
health = {{ http = "/healthz", port = 80, interval = "200ms", rise = 2, timeout = "8s" }}
stop = "1s"
{web}
{more}
[environments.production]
hosts = ["app-01", "app-02", "app-03"]
strategy = {strategy}
{verify}
{production}
"#
            ),
        );
    }

    /// An image `shop/web:1.0.N-N-aaaaaaN` in the registry, on no host, whose container runs this script.
    pub fn push(&self, n: u32, script: &str) -> String {
        self.push_to(&self.registry, n, script, &[])
    }

    /// The same, larger by so many MB that no packing makes smaller.
    pub fn push_noise(&self, n: u32, script: &str, megabytes: u32) -> String {
        let made = self.lab.docker("app-01", &["images", "-q", "noise"]);
        if made.trim().is_empty() {
            let dd = format!("dd if=/dev/urandom of=/srv/noise bs=1M count={megabytes} 2>/dev/null");
            self.lab.docker("app-01", &["run", "--name", "make-noise", "base:latest", "sh", "-c", &dd]);
            self.lab.docker("app-01", &["commit", "make-noise", "noise"]);
            self.lab.docker("app-01", &["rm", "make-noise"]);
        }
        let version = self.made_from("noise", &self.registry, n, script, &[]);
        self.lab.docker("app-01", &["rmi", "noise"]);
        version
    }

    /// The same in another registry, with more of the Docker client's own options.
    pub fn push_to(&self, registry: &str, n: u32, script: &str, options: &[&str]) -> String {
        self.made_from("base:latest", registry, n, script, options)
    }

    fn made_from(&self, base: &str, registry: &str, n: u32, script: &str, options: &[&str]) -> String {
        let version = format!("1.0.{n}-{n}-aaaaaa{n}");
        let reference = format!("{registry}/shop/web:{version}");
        let name = format!("make-{n}");
        let make = "mkdir -p /srv; echo \"v$1\" >/srv/index.html; printf '%s\\n' \"$2\" >/srv/run";
        let docker = |args: &[&str]| self.lab.docker("app-01", &[options, args].concat());
        docker(&["run", "--name", &name, base, "sh", "-c", make, "sh", &n.to_string(), script]);
        docker(&["commit", "--change", r#"CMD ["/bin/sh"]"#, &name, &reference]);
        docker(&["rm", &name]);
        docker(&["push", "-q", &reference]);
        // Nobody may get it but by its digest.
        docker(&["rmi", &reference]);
        version
    }

    fn command(&self, args: &[&str]) -> Command {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let mut command = self.program.command(&[&flags, args].concat());
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }

    pub fn verb(&self, args: &[&str]) -> Ended {
        let ended = Ended::of(&self.command(args).output().unwrap());
        let mut heard = self.heard.lock().unwrap();
        heard.push_str(&ended.out);
        heard.push_str(&ended.err);
        drop(heard);
        ended
    }

    pub fn deploy(&self, version: &str) -> Ended {
        self.verb(&["deploy", "shop", "production", "--release", version, "--yes"])
    }

    /// It is done, and good.
    pub fn good(&self, args: &[&str]) -> Ended {
        let ended = self.verb(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    /// The newest deployment as the ledger has it.
    pub fn last(&self) -> Value {
        self.verb(&["deployments", "shop", "production", "--format", "json"]).rows()[0].clone()
    }

    /// How many containers serve meanwhile, as the plan to this version promises.
    pub fn promised(&self, version: &str) -> usize {
        let planned = self.good(&["plan", "shop", "production", "--release", version]);
        let (_, rest) = planned.out.split_once("at least ").unwrap_or_else(|| panic!("{planned:?}"));
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// All containers of a service on a host, as the engine lists them.
    pub fn containers(&self, host: &str, service: &str) -> Vec<Value> {
        list(Path::new(self.lab.host(host)["unix"].as_str().unwrap()), service).unwrap_or_else(|| panic!("{host} does not answer"))
    }

    /// What its engine tells of the one that runs.
    pub fn inspect(&self, host: &str, service: &str) -> Value {
        let found: Vec<Value> = self.containers(host, service).into_iter().filter(|row| row["State"] == "running").collect();
        assert_eq!(found.len(), 1, "{host} {service}: {found:#?}");
        let text = self.lab.docker(host, &["inspect", found[0]["Id"].as_str().unwrap()]);
        serde_json::from_str::<Value>(&text).unwrap()[0].clone()
    }

    /// This version runs once on each of these hosts, and nothing of ours is left lying about.
    pub fn is_on_these(&self, hosts: &[&str], version: &str) {
        for host in hosts {
            let web = self.containers(host, "web");
            let running: Vec<_> =
                web.iter().filter(|row| row["State"] == "running").map(|row| row["Labels"]["quarterdeck.version"].clone()).collect();
            assert_eq!(running, [version], "{host}: {web:#?}");
            self.is_tidy(host);
        }
    }

    pub fn is_on(&self, version: &str) {
        self.is_on_these(&HOSTS, version);
    }

    /// No lock, no job's container, and at most one kept one of each service, which no engine starts again.
    pub fn is_tidy(&self, host: &str) {
        let all = self.lab.docker(host, &["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
        assert!(!all.contains("quarterdeck-lock") && !all.contains("-job-"), "{host}: {all}");
        // An engine that removes a container while it restarts it may go on listing it, and knows nothing of it when asked.
        let is_there = |line: &&str| {
            let name = line.split(' ').next().unwrap_or_default();
            line.contains("-web-") && self.lab.knows(host, name)
        };
        let web: Vec<_> = all.lines().filter(is_there).collect();
        let kept: Vec<_> = web.iter().filter(|line| line.contains("-kept")).collect();
        assert!(
            kept.len() <= 1 && kept.iter().all(|line| line.ends_with("exited")) && web.len() <= kept.len() + 1,
            "{host}: {all}{}",
            self.verb(&["deployment", "show", self.last()["id"].as_str().unwrap()]).out
        );
        for line in kept {
            let name = line.split(' ').next().unwrap();
            assert_eq!(
                self.lab.docker(host, &["inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", name]).trim(),
                "no",
                "{host}: {line}"
            );
        }
    }

    /// Starts a verb and hears it out until a line satisfies; `None`: it ended before.
    pub fn until(&self, args: &[&str], mut enough: impl FnMut(usize, &str) -> bool) -> Result<Started, Ended> {
        let mut child = self.command(args).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            self.heard.lock().unwrap().push_str(&format!("{line}\n"));
            seen.push(line);
            if enough(seen.len(), seen.last().unwrap()) {
                return Ok(Started { child });
            }
        }
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        Err(Ended { code: output.status.code(), out, err: seen.join("\n") })
    }

    /// Whose run it is, by its lock: the deployment's id and the process that carries it out.
    pub fn lock(&self) -> Option<(String, Option<u32>)> {
        HOSTS.iter().find_map(|host| {
            let format = r#"{{.Label "quarterdeck.deployment"}}|{{.Label "quarterdeck.holder"}}"#;
            let text = self.lab.docker(host, &["ps", "-a", "--filter", "name=quarterdeck-lock-shop-production", "--format", format]);
            let (id, holder) = text.trim().split_once('|')?;
            let pid = holder.rsplit_once("(pid ").and_then(|(_, rest)| rest.trim_end_matches(')').parse().ok());
            Some((id.to_owned(), pid))
        })
    }

    /// Ends a run as a power cut would: the process that was started, and the one that carries it out if that is another. The answer is the
    /// deployment's id.
    pub fn kill(&self, mut started: Started) -> Option<String> {
        started.child.kill().unwrap();
        started.child.wait().unwrap();
        let (id, pid) = self.lock()?;
        if let Some(pid) = pid.filter(|pid| *pid != started.child.id()) {
            let ours = std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(11).any(|part| part == b"quarterdeck"));
            if ours {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                wait_for("the run's end", || !Path::new(&format!("/proc/{pid}")).exists());
            }
        }
        Some(id)
    }

    /// Eyes on all hosts' webs.
    pub fn watch(&self) -> Watch {
        let hosts = HOSTS.map(|host| (host.to_owned(), PathBuf::from(self.lab.host(host)["unix"].as_str().unwrap()), self.address(host)));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut samples = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    samples.push(hosts.iter().map(|(name, socket, address)| (name.clone(), healthy(socket, address))).collect());
                    std::thread::sleep(Duration::from_millis(40));
                }
                samples
            }
        });
        Watch { stop, thread }
    }
}

/// A verb that is under way.
pub struct Started {
    child: Child,
}

/// A thread that counts how many serve, again and again.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<BTreeMap<String, usize>>>,
}

impl Watch {
    /// The fewest that served at once on all hosts but these, and how often it looked.
    pub fn fewest(self, without: &[&str]) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.thread.join().unwrap();
        let counted =
            samples.iter().map(|sample| sample.iter().filter(|(host, _)| !without.contains(&host.as_str())).map(|(_, count)| count).sum());
        (counted.min().unwrap_or_default(), samples.len())
    }
}

/// How many of a host's webs answer; an engine that does not is asked no more than that.
fn healthy(socket: &Path, address: &str) -> usize {
    let rows = list(socket, "web").unwrap_or_default();
    let ports: BTreeSet<u16> = rows
        .iter()
        .filter(|row| row["State"] == "running")
        .filter_map(|row| row["Labels"]["quarterdeck.ports"].as_str()?.strip_prefix("80/tcp=")?.parse().ok())
        .collect();
    let answers = |port: &u16| {
        // A machine that is busy is no sick container: what refuses is.
        (0..3).any(|_| page(&format!("{address}:{port}"), "/healthz").is_some_and(|page| page.contains(" 200 ")))
    };
    ports.iter().filter(|port| answers(port)).count()
}

/// What a server answers, head and all.
pub fn page(at: &str, path: &str) -> Option<String> {
    let at: SocketAddr = at.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn list(socket: &Path, service: &str) -> Option<Vec<Value>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let filters = format!("%7B%22label%22%3A%5B%22quarterdeck.app%3Dshop%22%2C%22quarterdeck.service%3D{service}%22%5D%7D");
    stream.write_all(format!("GET /containers/json?all=true&filters={filters} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// Waits until it holds, as long as anything here may take.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "gave up: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Numbers that look drawn by lot and are the same again with the same seed.
pub struct Lot(u64);

impl Lot {
    /// `QD_SEED` gives another one.
    pub fn seeded() -> Self {
        let seed = std::env::var("QD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
        println!("QD_SEED={seed}");
        Self(seed | 1)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Whether this is the full length of everything, as `make prove` wants it.
pub fn is_full() -> bool {
    std::env::var_os("QD_FULL").is_some()
}

/// HAProxy in the network of app-01, before the backend `shop_web`.
pub struct Haproxy {
    dir: PathBuf,
    netns: String,
    front: String,
    child: Option<Child>,
}

impl Haproxy {
    /// Starts one; `None`: there is none on this machine.
    pub fn start(stand: &Stand) -> Option<Self> {
        let found = Command::new("haproxy").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.ok().filter(std::process::ExitStatus::success)?;
        let dir = stand.lab.dir().join("lb");
        std::fs::create_dir_all(&dir).unwrap();
        let front = format!("{}:8080", stand.address("app-01"));
        let text = format!(
            "global\n  stats socket {dir}/admin.sock mode 666 level admin\n  maxconn 500\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n\
             frontend edge\n  bind {front}\n  default_backend shop_web\n\
             backend shop_web\n  option httpchk GET /healthz\n  default-server check inter 200ms rise 1\n  server-template s 8 127.0.0.1:1 disabled\n",
            dir = dir.display()
        );
        std::fs::write(dir.join("haproxy.cfg"), text).unwrap();
        let mut haproxy = Self { dir, netns: stand.lab.host("app-01")["netns"].as_str().unwrap().to_owned(), front, child: None };
        haproxy.up();
        Some(haproxy)
    }

    /// Its part of the configuration.
    pub fn config(&self) -> String {
        format!("[lb.edge]\nkind = \"haproxy\"\nadmin = \"unix://{}/admin.sock\"\n", self.dir.display())
    }

    pub fn up(&mut self) {
        let log = std::fs::File::create(self.dir.join("log")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns, "haproxy", "-db", "-f"]).arg(self.dir.join("haproxy.cfg")).stdin(Stdio::null());
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        wait_for("HAProxy's socket", || UnixStream::connect(self.dir.join("admin.sock")).is_ok());
    }

    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A few requests a second for as long as it lives: figures for a canary.
    pub fn load(&self) -> Load {
        let (front, stop) = (self.front.clone(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let _ = page(&front, "/");
                    std::thread::sleep(Duration::from_millis(25));
                }
            }
        });
        Load { stop, thread: Some(thread) }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        self.down();
        // The lab removes what it made itself, and then its folder if that is empty.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Requests that end with it.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A door before the registry that can be shut in the middle of a transfer.
pub struct Tap {
    /// As engines name it.
    pub address: String,
    /// Bytes until it shuts.
    left: Arc<AtomicI64>,
    open: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// On the same machine as the registry, on another port.
    pub fn before(registry: &str) -> Self {
        let host = registry.rsplit_once(':').unwrap().0;
        let listener = TcpListener::bind(format!("{host}:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (left, open, stop) = (Arc::new(AtomicI64::new(i64::MAX)), Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (left, open, stop, registry) = (Arc::clone(&left), Arc::clone(&open), Arc::clone(&stop), registry.to_owned());
            move || {
                for client in listener.incoming().flatten() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if !open.load(Ordering::Relaxed) {
                        continue;
                    }
                    let Ok(server) = TcpStream::connect(&registry) else { continue };
                    for (from, to) in [(&client, &server), (&server, &client)] {
                        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                        let (left, open) = (Arc::clone(&left), Arc::clone(&open));
                        std::thread::spawn(move || pass_on(from, to, &left, &open));
                    }
                }
            }
        });
        Self { address, left, open, stop, thread: Some(thread) }
    }

    /// It shuts after so many bytes, for what is under way and for whoever comes.
    pub fn shut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    pub fn reopen(&self) {
        self.left.store(i64::MAX, Ordering::Relaxed);
        self.open.store(true, Ordering::Relaxed);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, left: &AtomicI64, open: &AtomicBool) {
    let mut piece = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if left.fetch_sub(i64::try_from(count).unwrap(), Ordering::Relaxed) < 0 {
            open.store(false, Ordering::Relaxed);
        }
        if !open.load(Ordering::Relaxed) || to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
