//! `[environments.*]`: what an environment adds to the spec, and how releases get into it.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{
    overrides, probe, strategy,
    values::{names, unknown, vars},
};
use crate::{
    delivery::{
        spec::{Policy, Revision, ServicePatch, ServiceSpec, Traffic},
        template::Environment,
    },
    fleet::{EnvironmentId, HostId, ServiceName},
    written::{Origin, Reader, Section, environment_ok, host_ok},
};

type Services = IndexMap<ServiceName, ServiceSpec>;

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &mut Section,
    services: &Services,
    built: &[String],
) -> IndexMap<EnvironmentId, Environment> {
    let mut environments = IndexMap::new();
    for (name, origin, section) in top.named(reader, "environments") {
        if !environment_ok(&name) {
            let remedy = if name.contains('-') { ": no dash, it parts the names of containers" } else { "" };
            reader.fault(&origin, format!("environments: {name:?} is no environment: lower-case letters and digits{remedy}"));
        }
        environments.insert(EnvironmentId::new(&name), environment(reader, section, &origin, services, built));
    }
    environments
}

fn environment(reader: &mut Reader<'_>, mut section: Section, at: &Origin, services: &Services, built: &[String]) -> Environment {
    let title = section.name.clone();
    if !section.has("hosts") {
        reader.fault(at, format!("{title}: hosts is missing: hosts = [\"app-01\"]"));
    }
    let hosts = hosts(reader, &mut section).unwrap_or_default();
    let auto = section.flag(reader, "auto").is_some_and(|said| said.value);
    let after = section.text(reader, "after").map(|said| EnvironmentId::new(&said.value));
    let approve = section.number(reader, "approve", 0).map_or(0, |said| said.value);
    let vars = vars(reader, &mut section);
    let verify = probe::verify(reader, &mut section, built).map(|(verify, service)| {
        if let Some(said) = service {
            known_service(reader, &format!("{title}.verify.service"), &said.value, &said.origin, services);
        }
        verify
    });
    let strategy = strategy::read(reader, &mut section);
    let mut patches = BTreeMap::new();
    let mut service_hosts = IndexMap::new();
    // Which balancer a service has is today's word, also where the service itself says it.
    let mut service_traffic: IndexMap<ServiceName, Option<Traffic>> =
        services.iter().map(|(name, spec)| (name.clone(), spec.traffic.clone())).collect();
    for (name, origin, section) in section.named(reader, "services") {
        known_service(reader, &format!("{title}.services"), &name, &origin, services);
        let name = ServiceName::new(name);
        let over = service(reader, section);
        if over.patch != ServicePatch::default() {
            patches.insert(name.clone(), over.patch);
        }
        if let Some(hosts) = over.hosts {
            service_hosts.insert(name.clone(), hosts);
        }
        if let Some(traffic) = over.traffic {
            service_traffic.insert(name, traffic);
        }
    }
    section.finish(reader);
    let policy = Policy { hosts, service_hosts, service_traffic, auto, after, approve, strategy, verify };
    Environment { revision: Revision { vars, services: patches }, policy }
}

struct Over {
    patch: ServicePatch,
    hosts: Option<Vec<HostId>>,
    traffic: Option<Option<Traffic>>,
}

fn service(reader: &mut Reader<'_>, mut section: Section) -> Over {
    for key in ["image", "needs", "start"] {
        if let Some(entry) = section.rest().shift_remove(key) {
            reader.fault(&entry.key, format!("{}: {key} is the same in every environment: it belongs to the service", section.name));
        }
    }
    let over = Over {
        hosts: hosts(reader, &mut section),
        traffic: overrides::traffic(reader, &mut section),
        patch: overrides::read(reader, &mut section),
    };
    section.finish(reader);
    over
}

/// The names are looked up later, in the configuration.
fn hosts(reader: &mut Reader<'_>, section: &mut Section) -> Option<Vec<HostId>> {
    let said = names(reader, section, "hosts")?;
    let title = section.full("hosts");
    if said.value.is_empty() {
        reader.fault(&said.origin, format!("{title}: no host: it would run nowhere"));
    }
    for name in said.value.iter().filter(|name| !host_ok(name)) {
        reader.fault(&said.origin, format!("{title}: {name:?} is no host: letters, digits and . _ -"));
    }
    Some(said.value.iter().map(HostId::new).collect())
}

fn known_service(reader: &mut Reader<'_>, title: &str, name: &str, origin: &Origin, services: &Services) {
    if !services.contains_key(name) {
        let known: Vec<&str> = services.keys().map(ServiceName::as_str).collect();
        reader.fault(origin, format!("{title}: {}", unknown("service", name, &known)));
    }
}
