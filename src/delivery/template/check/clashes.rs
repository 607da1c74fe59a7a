//! Two that want the same: a port of a host, a volume, a name.

use super::Judge;
use crate::{
    delivery::{spec::PortSpec, template::notation::PortText},
    fleet::{EnvironmentId, HostId, ServiceName},
    written::Fault,
};

/// A fixed port as one service takes it on one host.
struct Taken<'a> {
    environment: &'a EnvironmentId,
    service: &'a ServiceName,
    host: &'a HostId,
    port: &'a PortSpec,
}

pub(super) fn check(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    let mut all: Vec<Taken<'_>> = Vec::new();
    for (environment, rendered) in &judge.rendered {
        for (service, running) in &rendered.services {
            let at = |key: &str| judge.places.service(environment.as_str(), service.as_str(), key);
            let several = running.spec.per_host > 1;
            for (index, port) in running.spec.ports.iter().enumerate().filter(|(_, port)| port.host.is_some()) {
                let origin = at(&format!("ports.{index}"));
                if several {
                    let message = format!("{} containers on one host cannot all have the port {}", running.spec.per_host, PortText(port));
                    found.push(Fault::new(&origin, format!("services.{service}.ports: {message}: leave its host side out")));
                }
                for host in &running.hosts {
                    let mine = Taken { environment, service, host, port };
                    if let Some(other) = all.iter().find(|other| clash(other, &mine)) {
                        let whose = if other.environment == *environment {
                            other.service.to_string()
                        } else {
                            format!("{} in {}", other.service, other.environment)
                        };
                        let message = format!("{} is taken on {host} by {whose}", PortText(port));
                        found.push(Fault::new(&origin, format!("services.{service}.ports: in {environment}: {message}")));
                    }
                    all.push(mine);
                }
            }
            let written = running.spec.volumes.iter().position(|volume| !volume.read_only);
            if let Some(index) = written.filter(|_| several) {
                let message = format!("{} containers on one host cannot all write to one volume: per-host = 1", running.spec.per_host);
                found.push(Fault::new(&at(&format!("volumes.{index}")), format!("services.{service}.volumes: {message}")));
            }
        }
    }
    let spec = &judge.template.spec;
    for name in spec.jobs.keys().filter(|name| spec.services.contains_key(&***name)) {
        let origin = judge.places.key(&format!("jobs.{name}"));
        found.push(Fault::new(&origin, format!("jobs.{name}: a service has this name, and their containers would be called the same")));
    }
    judge.faults.extend(found);
}

fn clash(a: &Taken<'_>, b: &Taken<'_>) -> bool {
    let all = |port: &PortSpec| port.address.is_some_and(|address| address.is_unspecified());
    let overlap = a.port.address == b.port.address || all(a.port) || all(b.port);
    let same = (a.host, a.port.host, a.port.protocol) == (b.host, b.port.host, b.port.protocol);
    same && overlap
}
