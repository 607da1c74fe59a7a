//! A tiny Docker engine on a Unix socket: two containers, one image, a few events; canned answers in the shape that dockerd gives.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The one that runs.
pub const WEB: &str = "aaaaaaaaaaaa0000000000000000000000000000000000000000000000000001";
/// The one that failed.
pub const JOB: &str = "bbbbbbbbbbbb0000000000000000000000000000000000000000000000000002";
const IMAGE: &str = "sha256:cccc000000000000000000000000000000000000000000000000000000000003";
/// When everything happened: 2026-11-21 14:00:00 UTC.
const THEN: i64 = 1_795_269_600;

/// The engine; its threads end with the test process.
pub struct FakeEngine {
    dir: TempDir,
}

impl FakeEngine {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that leaves in the middle is none of our business.
                std::thread::spawn(move || serve(stream).unwrap_or_default());
            }
        });
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// As `--host` wants it.
    pub fn host(&self, name: &str) -> String {
        format!("{name}=unix://{}", self.path().display())
    }
}

fn serve(stream: UnixStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let path = target.strip_prefix("/v1.43").unwrap_or(&target);
        let (status, body) = match path {
            "/_ping" => (200, "OK".to_owned()),
            "/version" => (200, json!({"Version": "24.0.7", "ApiVersion": "1.43"}).to_string()),
            "/info" => (200, info().to_string()),
            "/containers/json?all=true" => (200, json!([summary(WEB), summary(JOB)]).to_string()),
            "/images/json" => (200, images().to_string()),
            path if path.starts_with("/events?") && path.contains("until=") => (200, history()),
            path if path.starts_with("/events") => return follow(&mut stream, &mut reader),
            path if path.contains("/logs?") => (200, log()),
            path => match path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix("/json")) {
                Some(id) if id == WEB || id == JOB => (200, inspect(id).to_string()),
                Some(_) | None => (404, json!({"message": format!("no such thing: {path}")}).to_string()),
            },
        };
        write!(stream, "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
}

/// One event at once, then silence until the client leaves.
fn follow(stream: &mut UnixStream, reader: &mut BufReader<UnixStream>) -> std::io::Result<()> {
    let line = format!("{}\n", event(WEB, "restart", 60));
    write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n", line.len())?;
    reader.read_to_end(&mut Vec::new()).map(|_| ())
}

fn history() -> String {
    let events = [event(WEB, "start", 0), event(JOB, "start", 1), event(JOB, "die", 2), event(WEB, "exec_create: sh", 3)];
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn event(id: &str, action: &str, second: i64) -> Value {
    let mut attributes = labels(id);
    attributes["name"] = name(id).into();
    attributes["image"] = "registry.internal/shop/web:1.0.1-22-7e56158".into();
    if action == "die" {
        attributes["exitCode"] = "3".into();
    }
    let at = THEN + second;
    json!({"Type": "container", "Action": action, "Actor": {"ID": id, "Attributes": attributes}, "time": at, "timeNano": at * 1_000_000_000 + 5})
}

/// One line on the error output, in a frame, as every container here wrote it; it names a secret without saying so.
fn log() -> String {
    let line = "2026-11-21T14:00:02.000000001Z login with hunter2 failed\n";
    let header = [2, 0, 0, 0, 0, 0, 0, u8::try_from(line.len()).unwrap()];
    format!("{}{line}", std::str::from_utf8(&header).unwrap())
}

fn name(id: &str) -> &'static str {
    if id == WEB { "shop-web-1" } else { "shop-job-1" }
}

fn labels(id: &str) -> Value {
    let service = if id == WEB { "web" } else { "job" };
    json!({"com.docker.compose.project": "shop", "com.docker.compose.service": service, "evil": "\u{1b}[2J\u{9b}31m\u{202e}"})
}

fn summary(id: &str) -> Value {
    let running = id == WEB;
    json!({
        "Id": id, "Names": [format!("/{}", name(id))], "Image": "registry.internal/shop/web:1.0.1-22-7e56158", "ImageID": IMAGE,
        "Command": "/bin/serve", "Created": THEN, "Labels": labels(id),
        "Ports": if running { json!([{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]) } else { json!([]) },
        "State": if running { "running" } else { "exited" },
        "Status": if running { "Up 2 hours (healthy)" } else { "Exited (3) 2 hours ago" },
    })
}

fn inspect(id: &str) -> Value {
    let running = id == WEB;
    let bindings = if running { json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}) } else { json!({}) };
    json!({
        "Id": id, "Name": format!("/{}", name(id)), "Created": "2026-11-21T14:00:00Z", "Path": "/bin/serve", "Args": [], "Image": IMAGE,
        "RestartCount": if running { 2 } else { 0 },
        "State": {
            "Status": if running { "running" } else { "exited" }, "Running": running, "ExitCode": if running { 0 } else { 3 },
            "OOMKilled": false, "StartedAt": "2026-11-21T14:00:01Z", "FinishedAt": "2026-11-21T14:00:02Z",
            "Health": {"Status": if running { "healthy" } else { "none" }},
        },
        "Config": {
            "Image": "registry.internal/shop/web:1.0.1-22-7e56158", "Labels": labels(id), "Env": ["DB_PASSWORD=hunter2", "PATH=/bin"],
        },
        "NetworkSettings": {"Ports": bindings},
    })
}

fn images() -> Value {
    json!([{
        "Id": IMAGE, "RepoTags": ["registry.internal/shop/web:1.0.1-22-7e56158"],
        "RepoDigests": ["registry.internal/shop/web@sha256:dddd000000000000000000000000000000000000000000000000000000000004"],
    }])
}

fn info() -> Value {
    json!({
        "OperatingSystem": "Debian GNU/Linux 12", "Architecture": "x86_64", "Name": "box", "NCPU": 4, "MemTotal": 8_589_934_592_u64,
        "SystemTime": chrono::Utc::now().to_rfc3339(),
    })
}
