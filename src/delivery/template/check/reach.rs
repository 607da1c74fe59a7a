//! Whether what is needed can be reached, and what is asked can answer.

use super::Judge;
use crate::{
    delivery::spec::{Probe, Protocol, Rendered, RenderedService, Verify},
    fleet::{EnvironmentId, HostId, ServiceName},
    written::Fault,
};

pub(super) fn check(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for (environment, rendered) in &judge.rendered {
        for (name, running) in &rendered.services {
            for (index, need) in running.spec.needs.iter().enumerate() {
                if let Some(message) = out_of_reach(environment, rendered, &running.hosts, need) {
                    let origin = judge.places.value(&format!("services.{name}.needs.{index}"));
                    found.push(Fault::new(&origin, format!("services.{name}.needs: {message}")));
                }
            }
            if let Some(message) = mute(running) {
                let origin = judge.places.service(environment.as_str(), name.as_str(), "health");
                found.push(Fault::new(&origin, format!("services.{name}.health: {message}")));
            }
        }
        let Some(policy) = judge.template.environments.get(*environment).map(|found| &found.policy) else { continue };
        for (name, job) in &rendered.jobs {
            for (index, need) in job.needs.iter().enumerate() {
                if let Some(message) = out_of_reach(environment, rendered, policy.hosts.get(..1).unwrap_or_default(), need) {
                    let origin = judge.places.value(&format!("jobs.{name}.needs.{index}"));
                    found.push(Fault::new(&origin, format!("jobs.{name}.needs: {message}")));
                }
            }
        }
        if let Some(message) = unverifiable(policy.verify.as_ref(), rendered, judge.template.spec.images.is_empty()) {
            let origin = judge.places.value(&format!("environments.{environment}.verify"));
            found.push(Fault::new(&origin, format!("environments.{environment}.verify: {message}")));
        }
    }
    judge.faults.extend(found);
}

/// A service on another host is reached at its address and port: it must have one.
fn out_of_reach(environment: &EnvironmentId, rendered: &Rendered, hosts: &[HostId], need: &ServiceName) -> Option<String> {
    let needed = rendered.services.get(need)?;
    let from = hosts.iter().find(|host| !needed.hosts.contains(host))?;
    (needed.spec.ports.is_empty() && !needed.hosts.is_empty()).then(|| {
        let where_it_is = needed.hosts.iter().map(HostId::as_str).collect::<Vec<_>>().join(", ");
        format!(
            "in {environment}, {need:?} runs on {where_it_is} and is needed from {from}, but has no port: [services.{need}] ports = [\"…\"]"
        )
    })
}

/// A probe of the first port, where there is none.
fn mute(running: &RenderedService) -> Option<&'static str> {
    let kind = match running.spec.health.as_ref().map(|health| &health.probe)? {
        Probe::Http { port: None, .. } => "http",
        Probe::Tcp { port: None } => "tcp",
        Probe::Http { port: Some(_), .. } | Probe::Tcp { port: Some(_) } | Probe::Command(_) | Probe::Log(_) => return None,
    };
    let has_port = running.spec.ports.iter().any(|port| port.protocol == Protocol::Tcp);
    match (has_port, kind) {
        (true, _) => None,
        (false, "http") => Some("http asks the first of ports, and there is none: port = 80"),
        (false, _) => Some("tcp asks the first of ports, and there is none: tcp = 80"),
    }
}

fn unverifiable(verify: Option<&Verify>, rendered: &Rendered, nothing_built: bool) -> Option<String> {
    match verify? {
        Verify::Http { service, .. } => {
            let running = rendered.services.get(service)?;
            let has_port = running.spec.ports.iter().any(|port| port.protocol == Protocol::Tcp);
            (!has_port).then(|| format!("{service:?} has no port to be asked at: [services.{service}] ports = [\"80\"]"))
        }
        Verify::Command { image: None, .. } if nothing_built => Some("no image to run it in: image = \"name:tag\"".to_owned()),
        Verify::Command { .. } => None,
    }
}
