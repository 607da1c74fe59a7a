//! A bad line: a TCP relay that holds every piece back, and some of them as long as a lost segment would.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What the line does to each piece of data, one way.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    pub delay: Duration,
    /// Of so many pieces one is lost: it, and all behind it, come when it was sent again.
    pub one_lost_of: usize,
    /// The time until it is sent again.
    pub again_after: Duration,
}

/// The relay.
pub struct Line {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    stop: AtomicBool,
    pieces: AtomicUsize,
    lost: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

impl Line {
    pub fn to(address: &str, quality: Quality) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let state = Arc::new(State {
            stop: AtomicBool::new(false),
            pieces: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            streams: Mutex::default(),
        });
        let (address, kept) = (address.to_owned(), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if kept.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(&address) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                kept.streams.lock().unwrap().extend([clone(&client), clone(&server)]);
                one_way(clone(&client), clone(&server), quality, &kept);
                one_way(server, client, quality, &kept);
            }
        });
        Self { port, state, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Pieces that went through, and how many of them were lost at first.
    pub fn counts(&self) -> (usize, usize) {
        (self.state.pieces.load(Ordering::SeqCst), self.state.lost.load(Ordering::SeqCst))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for stream in self.state.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Two threads: one reads and stamps, one waits and writes, so that the delay holds nothing back behind it.
fn one_way(mut from: TcpStream, mut to: TcpStream, quality: Quality, state: &Arc<State>) {
    let (tell, pieces) = channel::<(Instant, Vec<u8>)>();
    let kept = Arc::clone(state);
    std::thread::spawn(move || {
        let mut buffer = [0; 1448];
        let mut held_until = Instant::now();
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            let number = kept.pieces.fetch_add(1, Ordering::SeqCst) + 1;
            let mut due = Instant::now() + quality.delay;
            if number.is_multiple_of(quality.one_lost_of) {
                kept.lost.fetch_add(1, Ordering::SeqCst);
                due += quality.again_after;
            }
            // Order is kept: what follows a lost piece waits for it.
            held_until = held_until.max(due);
            if tell.send((held_until, buffer[..count].to_vec())).is_err() || count == 0 {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in pieces {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if piece.is_empty() || to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
