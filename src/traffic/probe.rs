//! Requests of our own through a balancer's front end while something is switched: what a client would have seen, with its times.
//!
//! Ten a second over kept-alive connections, each due at its moment whether the one before was answered or not: a front end that stalls must
//! not stop the clock that measures it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{Mutex, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::text::clean_line;

/// Requests a second.
pub const RATE: u32 = 10;
/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(5);
/// Requests under way at once; where all of them hang, the next ones count as failed without being sent.
const AT_ONCE: usize = 64;
/// Failures that are told in words.
const TOLD: usize = 5;
/// Bytes of an answer that are read before the connection is given up.
const BODY: usize = 1 << 20;

/// Not a URL that can be probed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{url:?} cannot be probed: {why}")]
pub struct ProbeError {
    /// As written.
    pub url: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What came of all requests so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Made.
    pub requests: u64,
    /// Not answered, answered too late or with 500 and above.
    pub failed: u64,
    /// Half were answered within so many milliseconds.
    pub p50_ms: Option<u64>,
    /// And 99 of 100.
    pub p99_ms: Option<u64>,
    /// The longest.
    pub worst_ms: Option<u64>,
    /// The first failures in words.
    pub failures: Vec<String>,
}

impl ProbeReport {
    /// Several front ends' reports as one, whose times are those of the slowest; `None`: there was none.
    pub fn of_all(reports: &[Self]) -> Option<Self> {
        let (first, others) = reports.split_first()?;
        Some(others.iter().fold(first.clone(), |mut all, one| {
            all.requests += one.requests;
            all.failed += one.failed;
            all.p50_ms = all.p50_ms.max(one.p50_ms);
            all.p99_ms = all.p99_ms.max(one.p99_ms);
            all.worst_ms = all.worst_ms.max(one.worst_ms);
            all.failures.extend(one.failures.iter().take(TOLD.saturating_sub(all.failures.len())).cloned());
            all
        }))
    }
}

/// Requests that go on until this is dropped or [ended](Probe::finish).
pub struct Probe {
    report: watch::Receiver<ProbeReport>,
    stop: watch::Sender<bool>,
    task: AbortOnDropHandle<()>,
}

impl Probe {
    /// Begins.
    ///
    /// # Errors
    /// A URL that is no `http://` one.
    pub fn start(url: &str, rate: u32) -> Result<Self, ProbeError> {
        let target = Arc::new(Target::parse(url)?);
        let (out, report) = watch::channel(ProbeReport::default());
        let (stop, stopped) = watch::channel(false);
        let task = AbortOnDropHandle::new(tokio::spawn(run(target, rate.max(1), out, stopped)));
        Ok(Self { report, stop, task })
    }

    /// What came of it so far.
    pub fn report(&self) -> ProbeReport {
        self.report.borrow().clone()
    }

    /// Ends it: what is under way is waited for.
    pub async fn finish(self) -> ProbeReport {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the probe did not end well");
        }
        self.report.borrow().clone()
    }
}

struct Target {
    authority: String,
    host: String,
    port: u16,
    path: String,
    /// Connections that wait for their next request. A lock, as requests of several tasks meet here.
    idle: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Target {
    fn parse(url: &str) -> Result<Self, ProbeError> {
        let fault = |why| ProbeError { url: clean_line(url), why };
        let uri: Uri = url.parse().map_err(|_| fault("it is no URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(fault("only http:// is probed: name the front end's plain port"));
        }
        let authority = uri.authority().ok_or_else(|| fault("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("no user and no password here"));
        }
        Ok(Self {
            authority: authority.as_str().to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            idle: Mutex::new(Vec::new()),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends when its sender is dropped, and every sender is held by this target or one of its requests; errors come to the request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn ask(&self) -> Result<(), String> {
        let kept = loop {
            match self.idle.lock().await.pop() {
                Some(sender) if sender.is_closed() => {}
                other => break other,
            }
        };
        let reused = kept.is_some();
        let sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        match self.once(sender).await {
            // The server may end a kept connection at the moment we use it; that is no failure of it, and every client asks again.
            Err(Missed::Unanswered(_)) if reused => {
                let sender = self.connect().await?;
                self.once(sender).await.map_err(Missed::words)
            }
            other => other.map_err(Missed::words),
        }
    }

    async fn once(&self, mut sender: SendRequest<Empty<Bytes>>) -> Result<(), Missed> {
        sender.ready().await.map_err(|error| Missed::Unanswered(error.to_string()))?;
        let request = Request::get(&self.path).header(header::HOST, &self.authority).header(header::USER_AGENT, "quarterdeck");
        let request = request.body(Empty::new()).map_err(|error| Missed::Failed(error.to_string()))?;
        let unanswered = |error: hyper::Error| Missed::Unanswered(error.to_string());
        let response = sender.send_request(request).await.map_err(unanswered)?;
        let status = response.status();
        let mut body = response.into_body();
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Missed::Failed(format!("the answer broke off: {error}")))?;
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > BODY {
                return if status.is_server_error() { Err(Missed::Failed(status.to_string())) } else { Ok(()) };
            }
        }
        self.idle.lock().await.push(sender);
        if status.is_server_error() { Err(Missed::Failed(status.to_string())) } else { Ok(()) }
    }
}

enum Missed {
    /// Not a byte of an answer came.
    Unanswered(String),
    Failed(String),
}

impl Missed {
    fn words(self) -> String {
        match self {
            Self::Unanswered(words) | Self::Failed(words) => clean_line(&words),
        }
    }
}

async fn run(target: Arc<Target>, rate: u32, out: watch::Sender<ProbeReport>, mut stopped: watch::Receiver<bool>) {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tally = Tally::default();
    let mut under_way: JoinSet<(Duration, Result<(), String>)> = JoinSet::new();
    let mut ends = false;
    while !ends || !under_way.is_empty() {
        tokio::select! {
            changed = stopped.changed(), if !ends => ends = changed.is_err() || *stopped.borrow(),
            _ = ticks.tick(), if !ends => {
                if under_way.len() >= AT_ONCE {
                    tally.take(LIMIT, Err(format!("{AT_ONCE} requests hang already")));
                } else {
                    let target = Arc::clone(&target);
                    under_way.spawn(async move {
                        let begun = Instant::now();
                        let late = || Err(format!("no answer within {} s", LIMIT.as_secs()));
                        let answer = timeout(LIMIT, target.ask()).await.unwrap_or_else(|_| late());
                        (begun.elapsed(), answer)
                    });
                }
            }
            Some(done) = under_way.join_next() => match done {
                Ok((time, answer)) => tally.take(time, answer),
                Err(error) => tally.take(LIMIT, Err(error.to_string())),
            },
        }
        out.send_replace(tally.report());
    }
}

/// Times in steps of 2 %, so that hours of requests take the same few kilobytes.
struct Tally {
    buckets: Vec<u64>,
    answered: u64,
    worst: Duration,
    requests: u64,
    failed: u64,
    failures: Vec<String>,
}

/// 1.02 to this power, in tenths of milliseconds, is more than a minute.
const BUCKETS: usize = 700;

impl Default for Tally {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], answered: 0, worst: Duration::ZERO, requests: 0, failed: 0, failures: Vec::new() }
    }
}

impl Tally {
    fn take(&mut self, time: Duration, answer: Result<(), String>) {
        self.requests += 1;
        match answer {
            Ok(()) => {
                self.answered += 1;
                self.worst = self.worst.max(time);
                let tenths = (time.as_secs_f64() * 10_000.0).max(1.0);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of steps")]
                let bucket = (tenths.ln() / 1.02_f64.ln()).round() as usize;
                self.buckets[bucket.min(BUCKETS - 1)] += 1;
            }
            Err(why) => {
                self.failed += 1;
                if self.failures.len() < TOLD {
                    self.failures.push(why);
                }
            }
        }
    }

    /// The time within which so many of a hundred were answered.
    fn percentile(&self, hundredths: u64) -> Option<u64> {
        let wanted = (self.answered * hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "milliseconds below a minute"
        )]
        Some(((1.02_f64.powf(bucket as f64) / 10.0).round() as u64).min(self.worst.as_millis() as u64))
    }

    fn report(&self) -> ProbeReport {
        ProbeReport {
            requests: self.requests,
            failed: self.failed,
            p50_ms: self.percentile(50),
            p99_ms: self.percentile(99),
            worst_ms: (self.answered > 0).then(|| u64::try_from(self.worst.as_millis()).unwrap_or(u64::MAX)),
            failures: self.failures.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn percentiles_are_near() {
        let mut tally = Tally::default();
        assert_eq!(tally.report(), ProbeReport::default());
        for ms in 1..=1000 {
            tally.take(Duration::from_millis(ms), Ok(()));
        }
        tally.take(LIMIT, Err("late".to_owned()));
        let report = tally.report();
        assert_eq!((report.requests, report.failed, report.worst_ms), (1001, 1, Some(1000)));
        let near = |value: Option<u64>, wanted: u64| value.is_some_and(|value| value.abs_diff(wanted) * 50 <= wanted);
        assert!(near(report.p50_ms, 500) && near(report.p99_ms, 990), "{report:?}");
        tally.take(Duration::from_secs(3600), Ok(()));
        tally.take(Duration::ZERO, Ok(()));
        assert_eq!(tally.report().worst_ms, Some(3_600_000));
    }

    #[test]
    fn only_plain_http_is_probed() {
        for url in ["", "/", "https://a/", "http://", "http://u:p@a/", "tcp://a", "a b"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let target = Target::parse("http://[::1]:8080/health?x=1").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("::1", 8080, "/health?x=1"));
        assert_eq!(Target::parse("http://10.0.0.13").unwrap().path, "/");
    }

    /// Answers requests on kept connections; ends each connection after `per_connection` of them.
    async fn serve(listener: TcpListener, status: &'static str, per_connection: usize) {
        let mut open = JoinSet::new();
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            open.spawn(async move {
                let mut bytes = [0; 1024];
                for _ in 0..per_connection {
                    if stream.read(&mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    async fn probed(status: &'static str, per_connection: usize) -> ProbeReport {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = AbortOnDropHandle::new(tokio::spawn(serve(listener, status, per_connection)));
        let probe = Probe::start(&url, 500).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while probe.report().requests < 50 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let report = probe.finish().await;
        drop(server);
        report
    }

    #[tokio::test]
    async fn answers_and_failures_are_told_apart() {
        let good = probed("200 OK", usize::MAX).await;
        assert!(good.requests >= 50 && good.failed == 0 && good.p99_ms.is_some(), "{good:?}");
        let gone = probed("404 Not Found", usize::MAX).await;
        assert_eq!(gone.failed, 0, "a page that is not there is an answer: {gone:?}");
        let bad = probed("503 Service Unavailable", usize::MAX).await;
        assert_eq!(bad.failed, bad.requests, "{bad:?}");
        assert_eq!(bad.failures.first().map(String::as_str), Some("503 Service Unavailable"));
    }

    #[tokio::test]
    async fn a_kept_connection_that_the_server_ends_is_no_failure() {
        let report = probed("200 OK", 3).await;
        assert!(report.requests >= 50 && report.failed == 0, "{report:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let probe = Probe::start(&url, 100).unwrap();
        while probe.report().requests < 3 {
            tokio::task::yield_now().await;
        }
        let report = probe.finish().await;
        assert!(report.failed == report.requests && report.p50_ms.is_none() && !report.failures.is_empty(), "{report:?}");
    }
}
