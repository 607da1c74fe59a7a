//! An engine as anybody else would use it: bare HTTP on its socket, and its own word of when something happened.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

/// One request; status and body. HTTP/1.0, so that the body is plain and ends with the connection.
pub fn ask(socket: &Path, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).expect("the engine's socket");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the engine reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the engine answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// A request that must succeed.
pub fn act(socket: &Path, method: &str, path: &str, body: &str) -> String {
    let (status, answer) = ask(socket, method, path, body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    answer
}

/// Name and state of every container, by name.
pub fn containers(socket: &Path) -> Vec<(String, String)> {
    let list: Value = serde_json::from_str(&act(socket, "GET", "/containers/json?all=1", "")).expect("a list");
    let row = |row: &Value| {
        let name = row["Names"][0].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        (name, row["State"].as_str().unwrap_or_default().to_owned())
    };
    let mut rows: Vec<_> = list.as_array().expect("a list").iter().map(row).collect();
    rows.sort();
    rows
}

/// Something the engine reported.
#[derive(Clone, Debug)]
pub struct Happened {
    pub kind: String,
    pub action: String,
    pub name: String,
    /// The engine's time of it, on our clock: both are the same machine's.
    pub at: Instant,
}

/// The engine's own stream of events, read beside the console.
pub struct Events {
    stream: UnixStream,
    thread: Option<JoinHandle<()>>,
    heard: Receiver<Happened>,
}

impl Events {
    pub fn listen(socket: &Path) -> Self {
        let mut stream = UnixStream::connect(socket).expect("the engine's socket");
        stream.write_all(b"GET /events HTTP/1.0\r\nHost: engine\r\n\r\n").expect("the engine reads");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor"));
        let (tell, heard) = channel();
        let thread = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                let Some(nanos) = event["timeNano"].as_u64() else { continue };
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let happened = Happened {
                    kind: text(&event["Type"]),
                    action: text(&event["Action"]),
                    name: text(&event["Actor"]["Attributes"]["name"]),
                    at: on_our_clock(nanos),
                };
                if tell.send(happened).is_err() {
                    return;
                }
            }
        });
        Self { stream, thread: Some(thread), heard }
    }

    /// The next event of that action and name.
    pub fn wait(&self, action: &str, name: &str, limit: Duration) -> Option<Happened> {
        let end = Instant::now() + limit;
        loop {
            let event = self.heard.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            if event.action == action && event.name == name {
                return Some(event);
            }
        }
    }

    /// Everything that was heard until nothing came for `quiet`.
    pub fn drain(&self, quiet: Duration) -> Vec<Happened> {
        std::iter::from_fn(|| self.heard.recv_timeout(quiet).ok()).collect()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Closed already when the engine ended.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn on_our_clock(nanos: u64) -> Instant {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let then = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
    match wall.duration_since(then) {
        Ok(ago) => now.checked_sub(ago).unwrap_or(now),
        Err(ahead) => now + ahead.duration(),
    }
}
