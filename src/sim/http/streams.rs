//! Answers that go on: events, logs, stats.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answer, Body, Query, body, find, json_bytes};
use crate::sim::engine::{
    clock::stamp,
    container::Container,
    event::{Event, EventFilter},
    host::Machine,
    lifecycle::Refusal,
    log::{Line, LogSource},
    usage::usage,
    world::World,
};

/// A log line is cut into frames of at most this many bytes, as the engine's json-file driver does.
const FRAME: usize = 16 * 1024;

/// How many lines are put into one write.
const BATCH: usize = 256;

/// How often a follower looks whether its container still runs, in nanoseconds.
const LOOK: i64 = 250_000_000;

fn streaming(kind: &'static str, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    use futures_util::StreamExt;
    body(StatusCode::OK, kind, StreamBody::new(chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)))).boxed_unsync())
}

/// `events`.
pub fn events(world: &Arc<World>, me: usize, query: &Query) -> Answer {
    let mut filters = query.filters().map_err(|message| Refusal::new(400, message))?;
    let mut take = |key: &str| filters.remove(key).unwrap_or_default();
    let mut filter = EventFilter {
        kinds: take("type"),
        actions: take("event"),
        containers: take("container"),
        images: take("image"),
        labels: take("label"),
    };
    filter.actions.extend(take("action"));
    let (since, until) = (query.moment("since"), query.moment("until"));
    let slot = world.hosts.get(me).ok_or_else(|| Refusal::new(404, "page not found"))?;
    let mut host = slot.host();
    let told = since.is_some() || until.is_some();
    let past: VecDeque<Arc<Event>> = host
        .history
        .iter()
        .filter(|event| told && since.is_none_or(|since| event.at >= since) && until.is_none_or(|until| event.at <= until))
        .cloned()
        .collect();
    let stream = EventStream { past, news: host.listen(), filter, until, machine: host.machine.clone(), world: world.clone() };
    drop(host);
    Ok(streaming("application/json", stream::unfold(stream, |mut stream| async move { stream.next().await.map(|bytes| (bytes, stream)) })))
}

struct EventStream {
    past: VecDeque<Arc<Event>>,
    news: mpsc::Receiver<Arc<Event>>,
    filter: EventFilter,
    until: Option<i64>,
    machine: Arc<Machine>,
    world: Arc<World>,
}

impl EventStream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let event = match self.past.pop_front() {
                Some(event) => event,
                None => {
                    let over = async {
                        match self.until {
                            Some(until) => self.world.clock.reached_wall(until).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        event = self.news.recv() => event?,
                        () = over => return None,
                    }
                }
            };
            if self.filter.passes(&event) {
                return Some(json_bytes(&self.machine, &event.json()));
            }
        }
    }
}

/// `containers/{id}/logs`.
pub fn logs(world: &Arc<World>, me: usize, id: &str, query: &Query, api: (u32, u32)) -> Answer {
    let shape = Shape {
        stdout: query.flag("stdout", false),
        stderr: query.flag("stderr", false),
        timestamps: query.flag("timestamps", false),
        tty: false,
    };
    if !shape.stdout && !shape.stderr {
        return Err(Refusal::new(400, "Bad parameters: you must choose at least one stream"));
    }
    let slot = world.hosts.get(me).ok_or_else(|| Refusal::new(404, "page not found"))?;
    let host = slot.host();
    let container = &host.containers[find(&host, id)?];
    let until = query.moment("until");
    let now = world.clock.now().wall;
    let tail = query.get("tail").filter(|tail| *tail != "all").and_then(|tail| tail.parse().ok());
    // The engine's `since` is inclusive.
    let after = query.moment("since").map_or(i64::MIN, |since| since.saturating_sub(1));
    let kind = match (container.spec.tty, api >= (1, 42)) {
        (true, _) | (false, false) => "application/vnd.docker.raw-stream",
        (false, true) => "application/vnd.docker.multiplexed-stream",
    };
    let follower = Follower {
        world: world.clone(),
        me,
        id: container.id.clone(),
        shape: Shape { tty: container.spec.tty, ..shape },
        source: LogSource::of(container),
        run: container.started(),
        after,
        upto: until.map_or(now, |until| until.min(now)),
        until,
        tail,
        follow: query.flag("follow", false),
        lines: VecDeque::new(),
        first: true,
    };
    drop(host);
    Ok(streaming(kind, stream::unfold(follower, |mut follower| async move { follower.next().await.map(|bytes| (bytes, follower)) })))
}

#[derive(Clone, Copy)]
struct Shape {
    stdout: bool,
    stderr: bool,
    timestamps: bool,
    tty: bool,
}

struct Follower {
    world: Arc<World>,
    me: usize,
    id: Arc<str>,
    shape: Shape,
    source: LogSource,
    /// When the process that is followed started.
    run: Option<i64>,
    after: i64,
    upto: i64,
    until: Option<i64>,
    tail: Option<u64>,
    follow: bool,
    lines: VecDeque<Line>,
    first: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.lines.is_empty() {
                let mut out = BytesMut::new();
                for line in self.lines.drain(..BATCH.min(self.lines.len())) {
                    write(&mut out, &line, self.shape);
                }
                return Some(out.freeze());
            }
            if self.first {
                self.first = false;
            } else {
                if !self.follow || !self.source.lives || self.until.is_some_and(|until| self.upto >= until) {
                    return None;
                }
                self.wait().await?;
            }
            let shape = self.shape;
            let wanted = |line: &Line| if line.stderr { shape.stderr } else { shape.stdout };
            // `tail` counts what the client sees.
            let mut lines: VecDeque<Line> = match (shape.stdout && shape.stderr, self.tail.take()) {
                (true, tail) => self.source.lines(self.after, self.upto, tail).collect(),
                (false, tail) => {
                    let all: VecDeque<Line> = self.source.lines(self.after, self.upto, None).filter(wanted).collect();
                    let skip = tail.map_or(0, |tail| all.len().saturating_sub(tail as usize));
                    all.into_iter().skip(skip).collect()
                }
            };
            self.lines.append(&mut lines);
            self.after = self.after.max(self.upto);
        }
    }

    /// Waits for the next line, or for the time to look again; none when the container is gone.
    async fn wait(&mut self) -> Option<()> {
        let look = self.upto + LOOK;
        let next = self.source.next_after(self.upto).unwrap_or(look).clamp(self.upto + 1, look);
        self.world.clock.reached_wall(self.until.map_or(next, |until| next.min(until))).await;
        self.upto = self.world.clock.now().wall;
        let host = self.world.hosts.get(self.me)?.host();
        let container = &host.containers[host.by_id(&self.id)?];
        self.source = LogSource::of(container);
        // A follower ends with the life of the process it follows, even when another has begun since.
        if let Some(end) = self.source.end_of(self.run) {
            self.upto = end.max(self.after);
            self.source.lives = false;
        }
        Some(())
    }
}

fn write(out: &mut BytesMut, line: &Line, shape: Shape) {
    let stamp = if shape.timestamps { format!("{} ", stamp(line.at)) } else { String::new() };
    for part in line.text.chunks(FRAME) {
        if !shape.tty {
            out.extend_from_slice(&[if line.stderr { 2 } else { 1 }, 0, 0, 0]);
            out.extend_from_slice(&((stamp.len() + part.len()) as u32).to_be_bytes());
        }
        out.extend_from_slice(stamp.as_bytes());
        match part.strip_suffix(b"\n").filter(|_| shape.tty) {
            // A terminal turns a newline into two characters.
            Some(text) => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(part),
        }
    }
}

/// `containers/{id}/stats`.
pub fn stats(world: &Arc<World>, me: usize, id: &str, query: &Query) -> Answer {
    let slot = world.hosts.get(me).ok_or_else(|| Refusal::new(404, "page not found"))?;
    let host = slot.host();
    let container = &host.containers[find(&host, id)?];
    let look = Sampler { world: world.clone(), me, id: container.id.clone(), before: None, left: None, first: true };
    drop(host);
    let sampler = match (query.flag("stream", true), query.flag("one-shot", false)) {
        (true, _) => look,
        (false, true) => Sampler { left: Some(1), ..look },
        // The engine then waits for a second sample, so that there are two to compare; here the first is made up instead.
        (false, false) => {
            let before = world.clock.now().wall - 1_000_000_000;
            Sampler { left: Some(1), before: Some(before), ..look }
        }
    };
    Ok(streaming(
        "application/json",
        stream::unfold(sampler, |mut sampler| async move { sampler.next().await.map(|bytes| (bytes, sampler)) }),
    ))
}

struct Sampler {
    world: Arc<World>,
    me: usize,
    id: Arc<str>,
    /// When the sample before was taken.
    before: Option<i64>,
    left: Option<u32>,
    first: bool,
}

impl Sampler {
    async fn next(&mut self) -> Option<Bytes> {
        if self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        if !self.first {
            let next = self.before.unwrap_or_default() + 1_000_000_000;
            self.world.clock.reached_wall(next).await;
        }
        self.first = false;
        let now = self.world.clock.now().wall;
        let host = self.world.hosts.get(self.me)?.host();
        let container = host.containers.get(host.by_id(&self.id)?)?;
        let sample = sample(container, &host.machine, now, self.before);
        self.before = Some(now);
        Some(json_bytes(&host.machine, &sample))
    }
}

fn sample(container: &Container, machine: &Machine, now: i64, before: Option<i64>) -> Value {
    let cpu = |wall: Option<i64>| match wall.and_then(|wall| usage(container, machine, wall)) {
        Some(used) => json!({
            "cpu_usage": { "total_usage": used.cpu, "usage_in_kernelmode": used.cpu / 5, "usage_in_usermode": used.cpu - used.cpu / 5 },
            "system_cpu_usage": used.system, "online_cpus": machine.cpus,
            "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
        }),
        None => json!({
            "cpu_usage": { "total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
            "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
        }),
    };
    let name = format!("/{}", container.name);
    let never = "0001-01-01T00:00:00Z".to_owned();
    let Some(used) = usage(container, machine, now) else {
        return json!({
            "id": container.id.as_ref(), "name": name, "read": never, "preread": never, "num_procs": 0, "storage_stats": {},
            "pids_stats": {}, "blkio_stats": {}, "cpu_stats": cpu(None), "precpu_stats": cpu(None), "memory_stats": {},
        });
    };
    let disk = |op: &str, value: u64| json!({ "major": 254, "minor": 0, "op": op, "value": value });
    json!({
        "id": container.id.as_ref(), "name": name, "num_procs": 0, "storage_stats": {},
        "read": stamp(now), "preread": before.map_or(never, stamp),
        "pids_stats": { "current": used.processes, "limit": 18_446_744_073_709_551_615_u64 },
        "cpu_stats": cpu(Some(now)), "precpu_stats": cpu(before),
        "memory_stats": {
            "usage": used.memory + used.cache, "limit": used.limit,
            "stats": { "active_anon": used.memory, "inactive_file": used.cache, "active_file": 0, "file": used.cache, "anon": used.memory },
        },
        "networks": { "eth0": {
            "rx_bytes": used.received, "rx_packets": used.received / 900, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": used.sent, "tx_packets": used.sent / 900, "tx_errors": 0, "tx_dropped": 0,
        } },
        "blkio_stats": {
            "io_service_bytes_recursive": [disk("read", used.read), disk("write", used.written)],
            "io_serviced_recursive": null, "io_queue_recursive": null, "io_service_time_recursive": null,
            "io_wait_time_recursive": null, "io_merged_recursive": null, "io_time_recursive": null, "sectors_recursive": null,
        },
    })
}
