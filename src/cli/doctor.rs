//! `doctor`: why a host cannot be reached and what mends it; `doctor identity`: which rule named what.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Serialize;

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, wait},
    json, out,
};
use crate::{
    doctor::{Finding, examine},
    engine::{Target, transport::Transports},
    fleet::{AppName, ContainerId, EnvironmentId, Fleet, HostId, ServiceName},
    text::{clean_line, nearest},
};

/// The subject that is no host's name.
const IDENTITY: &str = "identity";

/// Examines every host, one host, or the names of all containers.
pub fn run(global: &Global, subject: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    let known = |name: &str| sources.targets.iter().any(|target| target.spec.id.as_str() == name);
    match subject {
        // A host may be called so, and then it is meant.
        Some(IDENTITY) if !known(IDENTITY) => identity(&sources, output),
        Some(name) if !known(name) => Err(unknown(name, &sources.targets)),
        Some(_) | None => {
            let chosen = |target: &&Target| subject.is_none_or(|name| target.spec.id.as_str() == name);
            hosts(&sources, sources.targets.iter().filter(chosen).collect(), output)
        }
    }
}

fn unknown(name: &str, targets: &[Target]) -> Failure {
    let name = clean_line(name);
    let names = targets.iter().map(|target| target.spec.id.as_str());
    let hint = match nearest(&name, names.clone().chain([IDENTITY])) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => format!(": there are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Failure::usage(format!("no host is called {name:?}{hint}"))
}

fn hosts(sources: &Sources, chosen: Vec<&Target>, output: Output) -> Result<Exit, Failure> {
    wait(async {
        let transports = Transports::from_environment(&sources.rights);
        let examined = chosen.into_iter().map(async |target| examine(target, &origin(sources, target), &transports, &sources.rights).await);
        let found = join_all(examined).await;
        let findings: Vec<Finding> = found.into_iter().flatten().collect();
        out::print(&match output.format {
            Format::Json => json::array(&findings)?,
            Format::Table => page(&findings),
        })?;
        Ok(if findings.iter().all(|finding| finding.ok) { Exit::DONE } else { Exit::INCOMPLETE })
    })
}

/// Who named a host.
fn origin(sources: &Sources, target: &Target) -> String {
    let named = || sources.config.hosts.iter().find(|host| host.id == target.spec.id).map(|host| host.origin.to_string());
    if sources.sim.is_some() { "--sim".to_owned() } else { named().unwrap_or_default() }
}

/// A paragraph a host; nothing is cut, since all of it is what one came for.
fn page(findings: &[Finding]) -> String {
    let mut page = String::new();
    for (index, finding) in findings.iter().enumerate() {
        if index == 0 || findings[index - 1].host != finding.host {
            if index > 0 {
                page.push('\n');
            }
            page.push_str(&format!("{}\n", finding.host));
        }
        let sign = match (finding.ok, &finding.remedy) {
            (true, None) => "✔",
            (true, Some(_)) => "!",
            (false, _) => "✘",
        };
        page.push_str(&format!("  {sign} {:<14} {}\n", finding.check.word(), finding.detail));
        if let Some(remedy) = &finding.remedy {
            page.push_str(&format!("    {:<14} → {remedy}\n", ""));
        }
    }
    page
}

/// A container and the sources of its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Naming {
    host: HostId,
    id: ContainerId,
    name: std::sync::Arc<str>,
    app: Option<AppName>,
    service: ServiceName,
    environment: Option<EnvironmentId>,
    /// For each of them its source, a line each.
    because: Vec<String>,
}

fn identity(sources: &Sources, output: Output) -> Result<Exit, Failure> {
    wait(async {
        let mut watch = Watch::start(sources)?;
        watch.settle(&Need::Rows).await;
        let namings = namings(watch.fleet());
        out::print(&match output.format {
            Format::Json => json::array(&namings)?,
            Format::Table => grouped(&namings),
        })?;
        Ok(watch.finish())
    })
}

fn namings(fleet: &Fleet) -> Vec<Naming> {
    let naming = |container: &crate::fleet::Container| Naming {
        host: container.key.host.clone(),
        id: container.key.id.clone(),
        name: container.name.clone(),
        app: container.identity.service.app.clone(),
        service: container.identity.service.service.clone(),
        environment: container.identity.environment.clone(),
        because: fleet.explain(&container.key).unwrap_or_default().lines().map(clean_line).collect(),
    };
    fleet.containers().map(naming).collect()
}

/// What was named alike for the same reasons stands together.
fn grouped(namings: &[Naming]) -> String {
    let mut groups: BTreeMap<&[String], Vec<&Naming>> = BTreeMap::new();
    for naming in namings {
        groups.entry(&naming.because).or_default().push(naming);
    }
    let mut page = String::new();
    for (because, members) in groups {
        if !page.is_empty() {
            page.push('\n');
        }
        for line in because {
            page.push_str(&format!("{line}\n"));
        }
        let mut names: Vec<String> = members.iter().map(|naming| format!("{}/{}", naming.host, naming.name)).collect();
        names.sort();
        for name in names {
            page.push_str(&format!("  {name}\n"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Endpoint, doctor::Check, fleet::fixture};

    fn finding(host: &str, check: Check, ok: bool, detail: &str, remedy: Option<&str>) -> Finding {
        Finding { host: host.into(), check, ok, detail: detail.to_owned(), remedy: remedy.map(str::to_owned) }
    }

    #[test]
    fn golden() {
        let findings = [
            finding("app-01", Check::Configuration, true, "tcp://10.0.0.11:2375 from --host", Some("use ssh:// or TLS")),
            finding("app-01", Check::Engine, true, "Docker 28.5.1 answers (0.8 ms)", None),
            finding("app-02", Check::Configuration, true, "unix:///x from /etc/quarterdeck/config.toml:3:7", None),
            finding("app-02", Check::Socket, false, "no socket at /x", Some("systemctl start docker")),
        ];
        insta::assert_snapshot!("doctor", page(&findings));
        insta::assert_snapshot!("doctor_json", json::array(&findings).unwrap());
    }

    #[test]
    fn golden_identity() {
        let namings = namings(&fixture::fleet());
        insta::assert_snapshot!("doctor_identity", grouped(&namings));
        insta::assert_snapshot!("doctor_identity_json", json::array(&namings[..1]).unwrap());
    }

    #[test]
    fn a_wrong_name_gets_the_nearest() {
        let target = |name: &str| Target { spec: fixture::spec(name, None), endpoint: Endpoint::Unix { path: "/run/docker.sock".into() } };
        let hosts = [target("app-01"), target("app-02")];
        assert_eq!(unknown("ap-02", &hosts), Failure::usage("no host is called \"ap-02\"; did you mean \"app-02\"?"));
        assert_eq!(unknown("zzz", &hosts), Failure::usage("no host is called \"zzz\": there are app-01, app-02"));
    }
}
