//! Goes the way to one engine, a step at a time, and says what each step found.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{Check, Finding, Stage, chain::remedy};
use crate::{
    config::Endpoint,
    engine::{
        Target,
        docker::{Client, EngineError, Meter},
        transport::{CONNECT_LIMIT, ConnectError, Link, Transports},
    },
    fleet::{HostId, LinkCause},
    rights::Rights,
    text::clean_line,
};

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long the whole of making a link may take; its steps have their own, shorter deadlines.
const ATTEMPT: Duration = Duration::from_secs(30);
/// A clock that is off by less is called right: the answer's own travel is in it.
const SKEW_MS: i64 = 2_000;
/// Docker 20.10.
const OLDEST_GOOD_API: u16 = 41;

/// Makes every check of one host until one fails; `origin` says who named it.
pub async fn examine(target: &Target, origin: &str, transports: &Transports, rights: &Rights) -> Vec<Finding> {
    let mut report = Report { host: target.spec.id.clone(), findings: Vec::new() };
    configuration(target, origin, &mut report);
    // The way is cut where it fails: what was found so far is the answer.
    let _ended = way(&target.endpoint, transports, rights, &mut report).await;
    report.findings
}

struct Report {
    host: HostId,
    findings: Vec<Finding>,
}

/// A check failed and is in the report.
struct Failed;

impl Report {
    fn good(&mut self, check: Check, detail: impl AsRef<str>) {
        self.push(check, true, detail.as_ref(), None);
    }

    fn could_be_better(&mut self, check: Check, detail: impl AsRef<str>, remedy: String) {
        self.push(check, true, detail.as_ref(), Some(remedy));
    }

    fn bad(&mut self, check: Check, detail: impl AsRef<str>, remedy: String) -> Failed {
        self.push(check, false, detail.as_ref(), Some(remedy));
        Failed
    }

    fn push(&mut self, check: Check, ok: bool, detail: &str, remedy: Option<String>) {
        self.findings.push(Finding { host: self.host.clone(), check, ok, detail: clean_line(detail), remedy });
    }

    /// The link failed: what comes before the check that is to blame held.
    fn broken(&mut self, endpoint: &Endpoint, stage: Stage, error: &ConnectError) -> Failed {
        let blamed = Check::blamed(endpoint, stage, error.cause);
        self.findings.retain(|finding| finding.check != blamed);
        self.held_before(endpoint, blamed);
        self.bad(blamed, &error.message, remedy(endpoint, blamed, error.cause))
    }

    /// Notes as held what stands before a check on the way and was not looked at by itself.
    fn held_before(&mut self, endpoint: &Endpoint, check: Check) {
        for step in Check::way_to(endpoint).iter().take_while(|step| **step != check) {
            if self.findings.iter().all(|finding| finding.check != *step) {
                self.good(*step, held(endpoint, *step));
            }
        }
    }
}

async fn way(endpoint: &Endpoint, transports: &Transports, rights: &Rights, report: &mut Report) -> Result<(), Failed> {
    match endpoint {
        Endpoint::Tcp { host, port } | Endpoint::Tls { host, port, .. } => {
            name(endpoint, host, *port, report).await?;
            tcp(endpoint, host, *port, report).await?;
        }
        // Aliases, jumps and ports of ~/.ssh/config are the transport's to resolve.
        Endpoint::Unix { .. } | Endpoint::Ssh { .. } => {}
    }
    let link = link(endpoint, transports).await.map_err(|(stage, error)| report.broken(endpoint, stage, &error))?;
    engine(endpoint, &link, rights, report).await
}

fn configuration(target: &Target, origin: &str, report: &mut Report) {
    let detail = format!("{} from {origin}", target.spec.url);
    if target.endpoint.unprotected() {
        let better = "plain TCP can be read and changed on the way: use ssh:// or TLS".to_owned();
        report.could_be_better(Check::Configuration, detail, better);
    } else {
        report.good(Check::Configuration, detail);
    }
}

async fn name(endpoint: &Endpoint, host: &str, port: u16, report: &mut Report) -> Result<(), Failed> {
    if host.parse::<IpAddr>().is_ok() {
        report.good(Check::Name, format!("{host} is an address"));
        return Ok(());
    }
    let failed = |report: &mut Report, why: String| {
        let hint = remedy(endpoint, Check::Name, LinkCause::Unreachable);
        Err(report.bad(Check::Name, format!("{host}: {why}"), hint))
    };
    match timeout(LOOK_UP, lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            if addresses.is_empty() {
                return failed(report, "the name has no address".to_owned());
            }
            report.good(Check::Name, format!("{host} is {}", addresses.join(", ")));
            Ok(())
        }
        Ok(Err(error)) => failed(report, error.to_string()),
        Err(_) => failed(report, format!("no answer from the resolver in {} s", LOOK_UP.as_secs())),
    }
}

async fn tcp(endpoint: &Endpoint, host: &str, port: u16, report: &mut Report) -> Result<(), Failed> {
    let asked = Instant::now();
    let (cause, why) = match timeout(CONNECT_LIMIT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => {
            report.good(Check::Tcp, format!("{host} port {port} accepts connections ({:.1} ms)", asked.elapsed().as_secs_f64() * 1000.0));
            return Ok(());
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            (LinkCause::NoEngine, format!("nobody listens on {host} port {port}"))
        }
        Ok(Err(error)) => (LinkCause::Unreachable, format!("{host} port {port}: {error}")),
        Err(_) => (LinkCause::Unreachable, format!("no answer from {host} port {port} in {} s", CONNECT_LIMIT.as_secs())),
    };
    Err(report.bad(Check::Tcp, why, remedy(endpoint, Check::Tcp, cause)))
}

/// The link and one stream over it, as the console would make them.
async fn link(endpoint: &Endpoint, transports: &Transports) -> Result<Arc<dyn Link>, (Stage, ConnectError)> {
    let late = || ConnectError::new(LinkCause::NoAnswer, format!("no answer in {} s", ATTEMPT.as_secs()));
    let connected = timeout(ATTEMPT, transports.for_endpoint(endpoint).connect(endpoint)).await;
    let link = connected.map_err(|_| (Stage::Connect, late()))?.map_err(|error| (Stage::Connect, error))?;
    match timeout(ATTEMPT, link.open()).await {
        Ok(Ok(_)) => Ok(link),
        Ok(Err(error)) => Err((Stage::Open, error)),
        Err(_) => Err((Stage::Open, late())),
    }
}

async fn engine(endpoint: &Endpoint, link: &Arc<dyn Link>, rights: &Rights, report: &mut Report) -> Result<(), Failed> {
    let client = Client::new(Arc::clone(link), Arc::new(Meter::new()), rights.clone());
    let mut asked = Instant::now();
    let answers = async {
        client.ping().await?;
        asked = Instant::now();
        client.handshake().await
    };
    let handshake = match timeout(ATTEMPT, answers).await {
        Ok(Ok(handshake)) => handshake,
        Ok(Err(error)) => return Err(report.broken(endpoint, Stage::Ask, &error.into_connect())),
        Err(_) => {
            let error = ConnectError::new(LinkCause::NoAnswer, format!("the engine did not answer in {} s", ATTEMPT.as_secs()));
            return Err(report.broken(endpoint, Stage::Ask, &error));
        }
    };
    report.held_before(endpoint, Check::Engine);
    report.good(Check::Engine, format!("{} answers ({:.1} ms)", handshake.engine, asked.elapsed().as_secs_f64() * 1000.0));
    let api = format!("{} is spoken by both sides", handshake.api);
    if handshake.api.major == 1 && handshake.api.minor < OLDEST_GOOD_API {
        report.could_be_better(
            Check::Api,
            format!("{api}; before 1.{OLDEST_GOOD_API} something may be missing"),
            "upgrade the engine".to_owned(),
        );
    } else {
        report.good(Check::Api, api);
    }
    let fault = |error: EngineError| clean_line(&error.to_string());
    match client.info(&handshake).await {
        Ok(info) => {
            clock(endpoint, info.clock_skew_ms, report);
            report.good(Check::Store, if info.containerd_store { "containerd image store" } else { "classic image store" });
        }
        Err(error) => return Err(report.bad(Check::Clock, fault(error), remedy(endpoint, Check::Engine, LinkCause::NoAnswer))),
    }
    match client.list().await {
        Ok(list) => {
            let may = match rights {
                Rights::Act => "this program may act".to_owned(),
                Rights::View { because } => format!("this program only looks: {because}"),
            };
            let now = Utc::now();
            let newest = list.iter().map(|container| container.created).max();
            let newest = newest.map(|at| format!(", the newest {} old", crate::text::since(at, now))).unwrap_or_default();
            report.good(Check::Rights, format!("{} containers can be listed{newest}; {may}", list.len()));
            Ok(())
        }
        Err(error) => Err(report.bad(Check::Rights, fault(error), remedy(endpoint, Check::Rights, LinkCause::Permission))),
    }
}

fn clock(endpoint: &Endpoint, skew_ms: i64, report: &mut Report) {
    let seconds = skew_ms.unsigned_abs() as f64 / 1000.0;
    if skew_ms.abs() < SKEW_MS {
        report.good(Check::Clock, format!("within {seconds:.1} s of ours"));
        return;
    }
    let side = if skew_ms > 0 { "ahead of" } else { "behind" };
    report.could_be_better(Check::Clock, format!("{seconds:.1} s {side} ours"), remedy(endpoint, Check::Clock, LinkCause::Protocol));
}

/// What is known of a step that was taken as a part of a later one.
fn held(endpoint: &Endpoint, check: Check) -> String {
    match (check, endpoint) {
        (Check::Socket, Endpoint::Unix { path }) => format!("{} opens", path.display()),
        (Check::Socket, _) => "the engine's socket opens".to_owned(),
        (Check::Tcp, _) => "the server accepts connections".to_owned(),
        (Check::Tls, _) => "the certificate is valid, carries this name and is signed by tls.ca; ours is accepted".to_owned(),
        (Check::Ssh, _) => "the server speaks SSH".to_owned(),
        (Check::HostKey, _) => "the host key is the known one".to_owned(),
        (Check::Login, _) => "logged in".to_owned(),
        (Check::Forwarding, _) => "sshd forwards to Unix sockets".to_owned(),
        (Check::Configuration | Check::Name | Check::Engine | Check::Api | Check::Clock | Check::Store | Check::Rights, _) => {
            "held".to_owned()
        }
    }
}
