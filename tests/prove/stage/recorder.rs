//! A socket in front of an engine's own: it passes every byte on and keeps the head of every request.

use std::{
    io::{Read, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// As written, one a line.
    pub headers: Vec<String>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The path without version and query.
    pub fn route(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        match path.strip_prefix("/v1.").and_then(|rest| rest.find('/').map(|at| &rest[at..])) {
            Some(route) => route,
            None => path,
        }
    }
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    // Ended when the recorder is dropped.
    streams: Mutex<Vec<UnixStream>>,
    stop: AtomicBool,
}

/// How many were made in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// The recorder.
pub struct Recorder {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Listens in `dir`, in front of `engine`.
    pub fn before(engine: &Path, dir: &Path) -> Self {
        // A name of its own: a recorder that is dropped late must neither wake nor remove the next one.
        let path = dir.join(format!("recorder-{}.sock", MADE.fetch_add(1, Ordering::SeqCst)));
        // One of a run before this one.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let shared = Arc::new(Shared::default());
        let (engine, kept) = (engine.to_owned(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if kept.stop.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(server) = UnixStream::connect(&engine) {
                    join(client, server, &kept);
                }
            }
        });
        Self { path, shared, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the listener; a listener that cannot be woken is not waited for.
        let woken = UnixStream::connect(&self.path).is_ok();
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn join(client: UnixStream, server: UnixStream, shared: &Arc<Shared>) {
    let clone = |stream: &UnixStream| stream.try_clone().expect("a descriptor");
    shared.streams.lock().unwrap().extend([clone(&client), clone(&server)]);
    let (mut answers, mut back) = (clone(&server), clone(&client));
    std::thread::spawn(move || {
        // Ends with either side.
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let kept = Arc::clone(shared);
    std::thread::spawn(move || {
        listen(client, &server, &kept);
        let _ = server.shutdown(Shutdown::Write);
    });
}

/// Passes requests on, head by head. What follows an upgrade is passed on as it is.
fn listen(mut client: UnixStream, mut server: &UnixStream, shared: &Shared) {
    let mut waiting: Vec<u8> = Vec::new();
    let mut body = Body::Length(0);
    let mut buffer = [0; 16384];
    loop {
        let count = client.read(&mut buffer).unwrap_or(0);
        if count == 0 || server.write_all(&buffer[..count]).is_err() {
            return;
        }
        waiting.extend_from_slice(&buffer[..count]);
        loop {
            if !body.skip(&mut waiting) {
                break;
            }
            let Some(end) = waiting.windows(4).position(|window| window == b"\r\n\r\n") else { break };
            let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
            waiting.drain(..end + 4);
            let mut lines = head.split("\r\n");
            let mut first = lines.next().unwrap_or_default().split(' ');
            let mut word = || first.next().unwrap_or_default().to_owned();
            let asked = Asked { method: word(), path: word(), headers: lines.map(str::to_owned).collect() };
            body = Body::of(&asked);
            shared.asked.lock().unwrap().push(asked);
        }
    }
}

/// What follows a head.
enum Body {
    Length(usize),
    Chunked,
    Rest,
}

impl Body {
    fn of(asked: &Asked) -> Self {
        if asked.header("upgrade").is_some() {
            return Self::Rest;
        }
        match (asked.header("transfer-encoding"), asked.header("content-length").and_then(|length| length.parse().ok())) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::Length(0),
        }
    }

    /// Takes the body's bytes away; whether it ended.
    fn skip(&mut self, waiting: &mut Vec<u8>) -> bool {
        match self {
            Self::Length(left) => {
                let taken = (*left).min(waiting.len());
                waiting.drain(..taken);
                *left -= taken;
                *left == 0
            }
            Self::Chunked => {
                let Some(end) = waiting.windows(5).position(|window| window == b"0\r\n\r\n") else { return false };
                waiting.drain(..end + 5);
                *self = Self::Length(0);
                true
            }
            Self::Rest => {
                waiting.clear();
                false
            }
        }
    }
}
