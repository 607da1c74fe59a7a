//! `traffic`: a published port, and one service alone behind each backend of a balancer.

use super::Judge;
use crate::{
    delivery::spec::{PortSpec, Protocol, Traffic},
    fleet::{EnvironmentId, ServiceName},
    written::Fault,
};

pub(super) fn check(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    let mut all: Vec<(&EnvironmentId, &ServiceName, &Traffic)> = Vec::new();
    for (environment, rendered) in &judge.rendered {
        for (service, running) in &rendered.services {
            let Some(traffic) = &running.spec.traffic else { continue };
            let origin = judge.places.service(environment.as_str(), service.as_str(), "traffic");
            let port = judge.places.service(environment.as_str(), service.as_str(), "traffic.port");
            let published = |port: &PortSpec| port.container == traffic.port && port.protocol == Protocol::Tcp;
            if !running.spec.ports.iter().any(published) {
                let message =
                    format!("{} is not published, so {} cannot reach it: ports = [\"{}\"]", traffic.port, traffic.lb, traffic.port);
                found.push(Fault::new(&port, format!("services.{service}.traffic.port: {message}")));
            }
            let same =
                |other: &&(&EnvironmentId, &ServiceName, &Traffic)| (&other.2.lb, &other.2.backend) == (&traffic.lb, &traffic.backend);
            if let Some((other, its, _)) = all.iter().find(same) {
                let backend = format!("the backend {} of {}", traffic.backend, traffic.lb);
                let message = match other == environment {
                    true => format!("{its} has {backend} already: one service for each backend"),
                    false => format!(
                        "{environment} would fill {backend}, which is {other}'s: [environments.{environment}.services.{service}] traffic = \
                         \"none\", or another backend"
                    ),
                };
                found.push(Fault::new(&origin, format!("services.{service}.traffic: {message}")));
            }
            all.push((environment, service, traffic));
        }
    }
    judge.faults.extend(found);
}
