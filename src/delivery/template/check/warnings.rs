//! What can be meant, and probably is not.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::Judge;
use crate::{
    delivery::{
        spec::{ImageSource, Verify},
        template::{Surroundings, Template, notation::is_floating},
    },
    fleet::mask::{is_secret, mask_text},
    written::Fault,
};

type Vars = BTreeMap<Arc<str>, Arc<str>>;

/// Everything that is no mistake and yet worth a look.
pub(in crate::delivery::template) fn warnings(template: &Template, around: Option<&Surroundings>, found: &mut Vec<Fault>) {
    let mut judge = Judge::new(template, found);
    blind(&mut judge);
    floating(&mut judge);
    plain_secrets(&mut judge);
    unused(&mut judge);
    if let Some(around) = around {
        strangers(&mut judge, around);
        in_the_range(&mut judge, around);
    }
}

/// Nothing tells whether it serves.
fn blind(judge: &mut Judge<'_>) {
    let template = judge.template;
    for (name, service) in &template.spec.services {
        if service.health.is_none() && service.ports.is_empty() {
            let origin = judge.places.key(&format!("services.{name}"));
            let message = "no health and no port: unless its image has a HEALTHCHECK, it counts as well after 5 s without a restart";
            judge.fault(&origin, format!("services.{name}: {message}"));
        }
    }
}

/// An image that may be another one tomorrow.
fn floating(judge: &mut Judge<'_>) {
    let template = judge.template;
    let services = template.spec.services.iter().map(|(name, service)| (format!("services.{name}.image"), &service.image));
    let jobs = template.spec.jobs.iter().map(|(name, job)| (format!("jobs.{name}.image"), &job.image));
    let verify = template.environments.iter().filter_map(|(name, environment)| match &environment.policy.verify {
        Some(Verify::Command { image: Some(image), .. }) => Some((format!("environments.{name}.verify.image"), image)),
        Some(Verify::Command { image: None, .. } | Verify::Http { .. }) | None => None,
    });
    for (path, image) in services.chain(jobs).chain(verify) {
        if let ImageSource::Outside(reference) = image
            && is_floating(reference)
        {
            let origin = judge.places.value(&path);
            judge.fault(
                &origin,
                format!("{path}: {reference:?} is another image after each push to its registry: name a version or a digest"),
            );
        }
    }
}

/// A value in the repository that should be nowhere.
fn plain_secrets(judge: &mut Judge<'_>) {
    let template = judge.template;
    let mut all: Vec<(String, &Vars)> = Vec::new();
    all.extend(template.spec.services.iter().map(|(name, service)| (format!("services.{name}.vars"), &service.vars)));
    all.extend(template.spec.jobs.iter().map(|(name, job)| (format!("jobs.{name}.vars"), &job.vars)));
    for (name, environment) in &template.environments {
        all.push((format!("environments.{name}.vars"), &environment.revision.vars));
        let patches = environment.revision.services.iter();
        all.extend(patches.map(|(service, patch)| (format!("environments.{name}.services.{service}.vars"), &patch.vars)));
    }
    for (path, vars) in all {
        for (variable, value) in vars {
            if is_secret(variable) || matches!(mask_text(value), Cow::Owned(_)) {
                let path = format!("{path}.{variable}");
                let origin = judge.places.key(&path);
                judge.fault(&origin, format!("{path}: looks like a secret, and stands in the repository: name it under secrets"));
            }
        }
    }
}

/// An image that nothing runs; an environment that is missing altogether.
fn unused(judge: &mut Judge<'_>) {
    let template = judge.template;
    let spec = &template.spec;
    let sources = spec.services.values().map(|service| &service.image).chain(spec.jobs.values().map(|job| &job.image));
    let sources: Vec<&ImageSource> = sources.collect();
    for name in spec.images.keys().filter(|name| !sources.contains(&&ImageSource::Built((*name).clone()))) {
        let origin = judge.places.key(&format!("images.{name}"));
        judge.fault(&origin, format!("images.{name}: no service and no job runs it"));
    }
    if spec.services.is_empty() && spec.jobs.is_empty() {
        let origin = judge.places.key("services");
        judge.fault(&origin, "no services and no jobs: nothing would run");
    }
    if template.environments.is_empty() {
        let origin = judge.places.key("environments");
        judge.fault(&origin, "no environments: nothing can be deployed");
    }
}

/// A host that the configuration counts to another environment.
fn strangers(judge: &mut Judge<'_>, around: &Surroundings) {
    let template = judge.template;
    for (name, environment) in &template.environments {
        let own = environment.policy.hosts.iter().enumerate().map(|(index, host)| (format!("environments.{name}.hosts.{index}"), host));
        let of_services = environment.policy.service_hosts.iter().flat_map(|(service, hosts)| {
            let path = format!("environments.{name}.services.{service}.hosts");
            hosts.iter().enumerate().map(move |(index, host)| (format!("{path}.{index}"), host))
        });
        for (path, host) in own.chain(of_services) {
            if let Some(Some(other)) = around.hosts.get(host)
                && other != name
            {
                let origin = judge.places.value(&path);
                judge.fault(&origin, format!("environments.{name}: {host} is a host of {other} in the configuration"));
            }
        }
    }
}

/// A fixed port where the free ones are taken from: another deployment may have it first.
fn in_the_range(judge: &mut Judge<'_>, around: &Surroundings) {
    let Some(range) = &around.ports else { return };
    let mut found = Vec::new();
    for (environment, rendered) in &judge.rendered {
        for (name, running) in &rendered.services {
            for (index, port) in running.spec.ports.iter().enumerate() {
                let Some(host) = port.host.filter(|host| range.contains(host)) else { continue };
                let origin = judge.places.service(environment.as_str(), name.as_str(), &format!("ports.{index}"));
                let message = format!("{host} is one of the ports that are given to others, {}-{}", range.start(), range.end());
                found.push(Fault::new(&origin, format!("services.{name}.ports: {message}")));
            }
        }
    }
    judge.faults.extend(found);
}
