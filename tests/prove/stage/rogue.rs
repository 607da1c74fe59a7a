//! Servers that are no engines: each answers in a way that would hang, fill or confuse a careless client.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Garbage,
    HalfChunk,
    Error500,
    EndlessLine,
    EndlessHeader,
    SlowLoris,
    Silent,
    /// Answers as an engine until the list, which never ends.
    EndlessList,
}

pub const ALL: [(&str, Manner); 8] = [
    ("garbage", Manner::Garbage),
    ("half-chunk", Manner::HalfChunk),
    ("error-500", Manner::Error500),
    ("endless-line", Manner::EndlessLine),
    ("endless-header", Manner::EndlessHeader),
    ("slow-loris", Manner::SlowLoris),
    ("silent", Manner::Silent),
    ("endless-list", Manner::EndlessList),
];

/// One such server.
pub struct Rogue {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rogue {
    pub fn listen(dir: &Path, name: &str, manner: Manner) -> Self {
        let path = dir.join(format!("{name}.sock"));
        // One of a test before this one.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            // What pours without end stands on another machine in truth: here it must not take the processor from the one that measures.
            // (On Linux this concerns the thread alone, and those it starts.)
            rustix::process::nice(10).expect("less urgent");
            for client in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let stopped = Arc::clone(&stopped);
                // Ends when the client goes away, or with the next thing it does after the stop.
                std::thread::spawn(move || serve(client, manner, &stopped));
            }
        });
        Self { path, stop, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.path);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(mut client: UnixStream, manner: Manner, stop: &AtomicBool) {
    let limit = client.set_read_timeout(Some(Duration::from_secs(60))).and(client.set_write_timeout(Some(Duration::from_secs(60))));
    if limit.is_err() {
        return;
    }
    let mut buffer = [0; 8192];
    let mut asked = String::new();
    while !asked.contains("\r\n\r\n") {
        match client.read(&mut buffer) {
            Ok(count) if count > 0 => asked.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => return,
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let hostile = "\x1b[2J\x1b]0;owned\x07\u{202e}driver failed";
    let body = format!("{{\"message\":{}}}", serde_json::Value::from(hostile));
    let (once, forever, pause): (String, &[u8], u64) = match manner {
        Manner::Garbage => ("\0\x1b[31m\u{202e}SSH-2.0-x\r\n\r\n".to_owned(), b"", 0),
        Manner::HalfChunk => (format!("{head}Transfer-Encoding: chunked\r\n\r\nffff\r\n[{{\"Id\":\"a"), b"", 0),
        Manner::Error500 => (format!("HTTP/1.1 500 Oh\r\nContent-Length: {}\r\n\r\n{body}", body.len()), b"", 0),
        Manner::EndlessLine => (String::new(), &[b'x'; 8192], 0),
        Manner::EndlessHeader => ("HTTP/1.1 200 OK\r\n".to_owned(), b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 0),
        Manner::SlowLoris => (String::new(), b"H", 1000),
        Manner::Silent => (String::new(), b"", 0),
        Manner::EndlessList if asked.contains("/containers/json") => {
            (format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"), b"7\r\n{\"I\":1,\r\n", 0)
        }
        Manner::EndlessList => {
            let body = r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;
            (format!("{head}Api-Version: 1.41\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()), b"", 0)
        }
    };
    if client.write_all(once.as_bytes()).is_err() {
        return;
    }
    while !forever.is_empty() && !stop.load(Ordering::SeqCst) {
        if client.write_all(forever).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    while manner == Manner::Silent && !stop.load(Ordering::SeqCst) && client.read(&mut buffer).is_ok_and(|count| count > 0) {}
}
