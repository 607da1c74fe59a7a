//! Clients that keep their connections and never ask twice: what fails for one of them has failed.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longer than anything is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// An answer that takes longer is none.
const LATE: Duration = Duration::from_secs(20);
/// So many failures are told in words.
const TOLD: usize = 5;
/// Versions that are told apart.
const VERSIONS: usize = 64;

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub clients: usize,
    /// From one request of a client to its next, at least.
    pub every: Duration,
    /// Whether every second client posts, and wants back what it posted.
    pub posts: bool,
    /// So many of the clients ask for the page that takes four seconds, every second time.
    pub slow: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tale {
    pub requests: u64,
    pub posts: u64,
    pub slow: u64,
    pub failed: u64,
    /// Of these, answers of the balancer that it has nobody to ask.
    pub refused: u64,
    /// The first failures in words.
    pub failures: Vec<String>,
}

/// Clients that go on until they are stopped.
pub struct Load {
    begun: Instant,
    stop: Arc<AtomicBool>,
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Tale>>,
}

struct Shared {
    done: AtomicU64,
    failed: AtomicU64,
    /// By version: when the last request began that it answered, in microseconds since the load began; 0: none.
    last: [AtomicU64; VERSIONS],
}

impl Load {
    pub fn start(to: SocketAddr, manner: Manner) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let last = std::array::from_fn(|_| AtomicU64::new(0));
        let shared = Arc::new(Shared { done: AtomicU64::new(0), failed: AtomicU64::new(0), last });
        let begun = Instant::now();
        let client = |place| {
            let (stop, shared) = (Arc::clone(&stop), Arc::clone(&shared));
            std::thread::spawn(move || client(to, (place, manner), begun, &stop, &shared))
        };
        let clients = (0..manner.clients).map(client).collect();
        Self { begun, stop, shared, clients }
    }

    /// Answered or failed so far.
    pub fn count(&self) -> u64 {
        self.shared.done.load(Relaxed)
    }

    /// Failed so far.
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Relaxed)
    }

    /// Waits until so many were made in all.
    pub fn until(&self, count: u64) {
        self.wait(|| self.count() >= count, || format!("{} requests in all", self.count()));
    }

    /// Waits for so many more.
    pub fn more(&self, count: u64) {
        self.until(self.count() + count);
    }

    fn wait(&self, done: impl Fn() -> bool, told: impl Fn() -> String) {
        let until = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < until, "{}", told());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Until when new requests were answered by a version, from a moment on: zero when none was that began after it. A request counts from
    /// its beginning.
    pub fn last_of(&self, version: usize, since: Instant) -> Duration {
        let last = self.begun + Duration::from_micros(self.shared.last[version].load(Relaxed));
        last.saturating_duration_since(since)
    }

    /// All that was asked, and every failure.
    pub fn end(self) -> Tale {
        self.stop.store(true, Relaxed);
        let mut whole = Tale::default();
        for client in self.clients {
            let tale = client.join().unwrap();
            whole.requests += tale.requests;
            whole.posts += tale.posts;
            whole.slow += tale.slow;
            whole.failed += tale.failed;
            whole.refused += tale.refused;
            whole.failures.extend(tale.failures);
            whole.failures.truncate(TOLD);
        }
        whole
    }
}

/// One client: a request after the other on a connection that it keeps as long as the server lets it.
fn client(to: SocketAddr, (place, manner): (usize, Manner), load: Instant, stop: &AtomicBool, shared: &Shared) -> Tale {
    let mut tale = Tale::default();
    let mut kept: Option<BufReader<TcpStream>> = None;
    let posted = (manner.posts && place % 2 == 1).then(|| format!("what client {place} posts ").repeat(20));
    while !stop.load(Relaxed) {
        let begun = Instant::now();
        let slow = place < manner.slow && tale.requests % 2 == 1;
        let path = if slow { "/slow" } else { "/" };
        match once(to, kept.take(), path, posted.as_deref()) {
            Ok((connection, version)) => {
                kept = connection;
                if let Some(last) = version.and_then(|version| shared.last.get(version)) {
                    last.fetch_max(u64::try_from((begun - load).as_micros()).unwrap(), Relaxed);
                }
            }
            Err(error) => {
                tale.failed += 1;
                tale.refused += u64::from(error.contains(" 503 "));
                shared.failed.fetch_add(1, Relaxed);
                if tale.failures.len() < TOLD {
                    let (at, took) = ((begun - load).as_secs_f64(), begun.elapsed().as_secs_f64());
                    tale.failures.push(format!("{at:.2} s, client {place}, {path} after {took:.2} s: {error}"));
                }
                // A server that is gone is not asked in a tight loop.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        tale.requests += 1;
        tale.posts += u64::from(posted.is_some());
        tale.slow += u64::from(slow);
        shared.done.fetch_add(1, Relaxed);
        std::thread::sleep(manner.every.saturating_sub(begun.elapsed()));
    }
    tale
}

type Answered = (Option<BufReader<TcpStream>>, Option<usize>);

/// One request, on this connection or a new one; the connection, where it stays open, and which version answered.
fn once(to: SocketAddr, kept: Option<BufReader<TcpStream>>, path: &str, posted: Option<&str>) -> Result<Answered, String> {
    let fault = |error: std::io::Error| format!("{error}");
    let mut connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect_timeout(&to, LATE).map_err(fault)?;
            stream.set_read_timeout(Some(LATE)).map_err(fault)?;
            stream.set_nodelay(true).map_err(fault)?;
            BufReader::new(stream)
        }
    };
    let request = match posted {
        Some(body) => format!("POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        None => format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n"),
    };
    connection.get_mut().write_all(request.as_bytes()).map_err(fault)?;
    let (mut status, mut length, mut ends, mut version) = (String::new(), 0, false, None);
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
            Some(("x-version", value)) => version = value.trim().parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).map_err(fault)?;
    match () {
        () if !status.contains(" 200 ") => Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim())),
        () if posted.is_some_and(|posted| posted.as_bytes() != body) => Err("what came back is not what was posted".to_owned()),
        () => Ok(((!ends).then_some(connection), version)),
    }
}
