//! The fleet that the screens are drawn with: 12 hosts, a service left behind on one of them, one unhealthy worker, one tag with two
//! meanings. Deterministic, with a clock of its own. For tests and examples; nothing at run time uses it.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    container::{ContainerState, Health, ImageRef, Port},
    delta::{ContainerDetail, ContainerSummary, Delta, ImageFact},
    event::{EngineEvent, EventKind},
    host::{EngineInfo, HostSpec},
    ids::{ContainerId, HostId, ImageId},
    link::LinkState,
    model::Fleet,
};

/// 2026-11-21 14:03:00 UTC: the "now" of this fleet.
pub fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_269_780)
}

/// The fleet as drawn.
pub fn fleet() -> Fleet {
    let mut fleet = Fleet::new(specs(), Vec::new());
    for delta in deltas() {
        fleet.apply(delta);
    }
    fleet
}

/// `test-01`, `stage-01`, `stage-02`, and `app-01` to `app-09` in production.
pub fn specs() -> Vec<HostSpec> {
    let lanes = [("test", "testing", 1), ("stage", "staging", 2), ("app", "production", 9)];
    let hosts = lanes.into_iter().flat_map(|(prefix, environment, count)| (1..=count).map(move |n| (prefix, environment, n)));
    hosts.map(|(prefix, environment, n)| spec(&format!("{prefix}-{n:02}"), Some(environment))).collect()
}

/// A host reached over SSH; tagged `web` in production.
pub fn spec(name: &str, environment: Option<&str>) -> HostSpec {
    HostSpec {
        id: HostId::new(name),
        url: format!("ssh://ops@{name}.internal").into(),
        environment: environment.map(Into::into),
        tags: if environment == Some("production") { vec!["web".into()] } else { Vec::new() },
        unprotected: false,
    }
}

/// A running container `name` of `image`, made an hour before [`now`]; its id is told by host and name, its image's id by the reference.
pub fn container(host: &str, name: &str, image: &str) -> ContainerSummary {
    ContainerSummary {
        id: ContainerId::new(hex(&format!("{host}/{name}"))),
        name: name.into(),
        image: ImageRef::parse(image),
        image_id: ImageId::new(format!("sha256:{}", hex(image))),
        labels: Arc::default(),
        state: ContainerState::Running,
        health: Health::None,
        exit_code: None,
        created: now() - TimeDelta::hours(1),
        ports: Vec::new(),
        command: "/bin/serve".into(),
    }
}

/// Labels from pairs.
pub fn labels(pairs: &[(&str, &str)]) -> Arc<BTreeMap<Arc<str>, Arc<str>>> {
    Arc::new(pairs.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect())
}

/// 64 digits told by a text (FNV-1a, stretched): ids that look real and never change.
pub fn hex(text: &str) -> String {
    let word =
        |salt: u64| text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ salt, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=4).map(|salt: u64| format!("{:016x}", word(salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).collect()
}

/// A service as drawn: app, service, image, digest's first digits, port, age in hours, containers a host, hosts.
type Line = (&'static str, &'static str, &'static str, &'static str, u16, i64, usize, &'static [&'static str]);

const LINES: [Line; 15] = [
    ("shop", "api", "shop/api:1.0.1-24-a91c2f3", "a1b2c3", 20010, 80, 1, &["test-01"]),
    ("shop", "api", "shop/api:1.0.1-22-7e56158", "d4e5f6", 20010, 78, 1, &["stage-01", "stage-02"]),
    ("shop", "api", "shop/api:1.0.1-22-7e56158", "d4e5f6", 20010, 76, 1, &["app-04", "app-05", "app-06"]),
    ("shop", "api", "shop/api:1.0.1-19-04bd1c9", "0a1b2c", 20010, 408, 1, &["app-07"]),
    ("shop", "web", "shop/web:1.0.1-24-a91c2f3", "b1c2d3", 20020, 80, 1, &["test-01"]),
    ("shop", "web", "shop/web:1.0.1-22-7e56158", "e4f5a6", 20020, 78, 1, &["stage-01", "stage-02"]),
    ("shop", "web", "shop/web:1.0.1-22-7e56158", "e4f5a6", 20020, 76, 1, &["app-04", "app-05", "app-06", "app-07"]),
    ("billing", "worker", "billing/worker:2.3.0-88-51be0aa", "c1d2e3", 0, 14, 1, &["test-01"]),
    ("billing", "worker", "billing/worker:2.3.0-87-90ccf11", "f4a5b6", 0, 12, 2, &["app-01", "app-02", "app-03"]),
    ("edge", "proxy", "edge/proxy:latest", "3f9a12", 80, 962, 1, &["test-01"]),
    ("edge", "proxy", "edge/proxy:latest", "3f9a12", 80, 961, 1, &["stage-01", "stage-02"]),
    ("edge", "proxy", "edge/proxy:latest", "3f9a12", 80, 960, 1, &["app-01", "app-03", "app-08"]),
    ("edge", "proxy", "edge/proxy:latest", "77c0de", 80, 970, 1, &["app-02"]),
    ("shop", "db", "postgres:15.4", "5d6e7f", 5432, 2160, 1, &["test-01", "stage-01"]),
    ("shop", "db", "postgres:15.4", "5d6e7f", 5432, 2160, 1, &["app-09"]),
];

/// The deltas that lead to the fleet as drawn: every host is live, listed, inspected; the images are known.
pub fn deltas() -> Vec<Delta> {
    let mut out = Vec::new();
    for spec in specs() {
        let host = spec.id;
        out.push(Delta::Link { host: host.clone(), link: LinkState::Live { since: now() - TimeDelta::days(2) }, at: now() });
        out.push(Delta::Engine { host: host.clone(), info: engine(&host) });
        let (details, images): (Vec<ContainerDetail>, Vec<ImageFact>) =
            LINES.iter().filter(|line| line.7.contains(&host.as_str())).flat_map(|line| of_line(&host, line)).unzip();
        out.push(Delta::Images { host: host.clone(), images });
        let containers = details.iter().map(|detail| detail.summary.clone()).collect();
        out.push(Delta::List { host: host.clone(), containers, asked: now() - TimeDelta::seconds(9), at: now() });
        for detail in details {
            if detail.summary.health == Health::Unhealthy {
                out.push(failing(&host, &detail.summary));
            }
            out.push(Delta::Inspected { host: host.clone(), container: Box::new(detail), at: now() });
        }
        out.push(Delta::Heard { host, latency_us: 3_100, at: now() });
    }
    out
}

fn engine(host: &HostId) -> EngineInfo {
    EngineInfo {
        engine: "Docker 28.5.1".into(),
        api: "1.51".into(),
        os: "Debian GNU/Linux 12 (bookworm)".into(),
        arch: "x86_64".into(),
        hostname: host.as_str().into(),
        cpus: 4,
        memory: 16 << 30,
        data_root: "/var/lib/docker".into(),
        containerd_store: false,
        clock_skew_ms: 2,
    }
}

fn of_line(host: &HostId, line: &Line) -> Vec<(ContainerDetail, ImageFact)> {
    let (app, service, image, digest, port, hours, count, _) = *line;
    let repository = image.split_once(':').map_or(image, |(repository, _)| repository);
    let place = match repository {
        "postgres" => repository.to_owned(),
        ours => format!("registry.internal:5000/{ours}"),
    };
    let reference = image.replacen(repository, &place, 1);
    let id = ImageId::new(format!("sha256:{}", hex(&format!("{image}{digest}"))));
    let made = now() - TimeDelta::hours(hours);
    let containers = (1..=count).map(|n| {
        let name = if matches!(service, "db" | "proxy") { service.to_owned() } else { format!("{service}-{n}") };
        let unhealthy = service == "worker" && host.as_str() == "app-03" && n == 1;
        let checked = service != "db";
        let public = (port > 0).then(|| Port { address: Some("0.0.0.0".into()), public: Some(port), private: 80, protocol: "tcp".into() });
        let summary = ContainerSummary {
            image_id: id.clone(),
            labels: labels(&[("com.docker.compose.project", app), ("com.docker.compose.service", service)]),
            health: match (checked, unhealthy) {
                (false, _) => Health::None,
                (true, true) => Health::Unhealthy,
                (true, false) => Health::Healthy,
            },
            created: made,
            ports: public.into_iter().collect(),
            ..container(host.as_str(), &name, &reference)
        };
        let detail = ContainerDetail {
            summary,
            started: Some(made + TimeDelta::seconds(1)),
            finished: None,
            restarts: 0,
            oom_killed: false,
            cpu_limit: None,
        };
        let fact = ImageFact {
            id: id.clone(),
            repo_digests: vec![format!("{place}@sha256:{digest}{}", &hex(digest)[6..]).into()],
            repo_tags: vec![reference.as_str().into()],
            layers: Vec::new(),
        };
        (detail, fact)
    });
    containers.collect()
}

/// What an engine reports when a HEALTHCHECK begins to fail: four minutes ago.
fn failing(host: &HostId, summary: &ContainerSummary) -> Delta {
    let event = EngineEvent {
        at: now() - TimeDelta::minutes(4),
        host: host.clone(),
        kind: EventKind::Container,
        action: "health_status: unhealthy".into(),
        id: summary.id.clone(),
        name: summary.name.clone(),
        image: Some(summary.image.to_string().into()),
        exit_code: None,
        signal: None,
        old_name: None,
        labels: Arc::clone(&summary.labels),
    };
    Delta::Event { event, live: true, at: now() - TimeDelta::seconds(5) }
}
