//! What a scenario must fulfil beyond its shape: every name that it mentions exists.

use std::{collections::BTreeSet, ops::Range};

use toml::Spanned;

use super::{Scenario, glob, load::hint};
use crate::text::nearest;

type Wrong = (Range<usize>, String);

/// The first thing wrong, with where it stands.
pub(super) fn check(scenario: &Scenario) -> Result<(), Wrong> {
    let hosts = hosts(scenario)?;
    let services = services(scenario, &hosts)?;
    for drift in &scenario.drift {
        known_host(&drift.host, &hosts)?;
        known_service(&drift.service, &services)?;
        if drift.version.is_none() && drift.bits.is_none() {
            return Err((drift.service.span(), "a drift needs \"version\" or \"bits\": what else runs there".to_owned()));
        }
    }
    for trouble in &scenario.trouble {
        known_host(&trouble.host, &hosts)?;
        known_service(&trouble.service, &services)?;
    }
    for fault in &scenario.faults {
        known_host(&fault.host, &hosts)?;
        if fault.kind.hits_containers() != fault.container.is_some() {
            let problem = if fault.container.is_some() {
                "this fault happens to the engine: leave \"container\" out"
            } else {
                "this fault happens to containers: name them with \"container\" (a glob)"
            };
            return Err((fault.host.span(), problem.to_owned()));
        }
    }
    match &scenario.churn {
        Some(churn) if !(0.0..=100_000.0).contains(&churn.events_per_second) => {
            Err((0..0, format!("churn: events-per-second = {} must be between 0 and 100000", churn.events_per_second)))
        }
        Some(_) | None => Ok(()),
    }
}

fn hosts(scenario: &Scenario) -> Result<BTreeSet<String>, Wrong> {
    let mut hosts = BTreeSet::new();
    for group in &scenario.hosts {
        for name in group.name.get_ref().names() {
            if name.is_empty() || name.len() > 64 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                return Err((group.name.span(), format!("host {name:?}: a host's name is 1 to 64 of letters, digits, - _ and .")));
            }
            if !hosts.insert(name.clone()) {
                return Err((group.name.span(), format!("host {name:?} is there twice")));
            }
        }
        if let Some(address) = group.address.as_ref().filter(|a| a.get_ref().count() != group.name.get_ref().count()) {
            let (many, hosts) = (address.get_ref().count(), group.name.get_ref().count());
            return Err((address.span(), format!("{many} addresses for {hosts} hosts: the two patterns must count alike")));
        }
    }
    if hosts.is_empty() {
        return Err((0..0, "there is no host: add [[hosts]]".to_owned()));
    }
    Ok(hosts)
}

fn services(scenario: &Scenario, hosts: &BTreeSet<String>) -> Result<BTreeSet<String>, Wrong> {
    let mut services = BTreeSet::new();
    for service in &scenario.services {
        let name = format!("{}/{}", service.app, service.service.get_ref());
        for on in &service.on {
            known_host(on, hosts)?;
        }
        for part in [service.log.errors, service.log.warnings, service.load.wave] {
            if !(0.0..=1.0).contains(&part) {
                return Err((service.service.span(), format!("service {name:?}: {part} is no part of a whole (0 to 1)")));
            }
        }
        if !(0.0..=10_000.0).contains(&service.log.rate) || !(0.0..=1024.0).contains(&service.load.cpu) {
            let problem = format!("service {name:?}: log.rate is 0 to 10000 lines a second, load.cpu 0 to 1024 cores");
            return Err((service.service.span(), problem));
        }
        if !services.insert(name.clone()) {
            return Err((service.service.span(), format!("service {name:?} is there twice")));
        }
    }
    Ok(services)
}

fn known_host(pattern: &Spanned<String>, hosts: &BTreeSet<String>) -> Result<(), Wrong> {
    let text = pattern.get_ref();
    if hosts.iter().any(|host| glob(text, host)) {
        return Ok(());
    }
    Err((pattern.span(), format!("no host matches {text:?}{}", hint(nearest(text, hosts.iter().map(String::as_str))))))
}

fn known_service(name: &Spanned<String>, services: &BTreeSet<String>) -> Result<(), Wrong> {
    let text = name.get_ref();
    if services.contains(text) {
        return Ok(());
    }
    Err((name.span(), format!("no service {text:?}{}", hint(nearest(text, services.iter().map(String::as_str))))))
}
