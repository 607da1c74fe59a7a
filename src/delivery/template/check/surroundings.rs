//! What only the configuration knows: hosts, balancers, the sources of secrets, policies, the app's name.

use super::Judge;
use crate::{
    delivery::{
        spec::SecretUse,
        template::{Surroundings, read::values::unknown},
    },
    fleet::{EnvironmentId, HostId},
    written::{Fault, Origin},
};

pub(super) fn check(judge: &mut Judge<'_>, around: &Surroundings) {
    app(judge, around);
    hosts(judge, around);
    balancers(judge, around);
    secrets(judge, around);
    policies(judge, around);
}

fn app(judge: &mut Judge<'_>, around: &Surroundings) {
    let found = &judge.template.spec.app;
    if let Some(registered) = around.app.as_ref().filter(|name| *name != found && !found.as_str().is_empty()) {
        let origin = judge.places.value("app.name");
        judge.fault(&origin, format!("app.name: {found:?} is the template of {registered:?} in the configuration: one name in both"));
    }
}

fn hosts(judge: &mut Judge<'_>, around: &Surroundings) {
    let known: Vec<&str> = around.hosts.keys().map(HostId::as_str).collect();
    let mut found = Vec::new();
    let mut look = |path: String, hosts: &[HostId]| {
        for (index, host) in hosts.iter().enumerate().filter(|(_, host)| !around.hosts.contains_key(*host)) {
            let origin = judge.places.value(&format!("{path}.{index}"));
            found.push(Fault::new(&origin, format!("{path}: {}", unknown("host", host.as_str(), &known))));
        }
    };
    for (name, environment) in &judge.template.environments {
        look(format!("environments.{name}.hosts"), &environment.policy.hosts);
        for (service, hosts) in &environment.policy.service_hosts {
            look(format!("environments.{name}.services.{service}.hosts"), hosts);
        }
    }
    judge.faults.extend(found);
}

fn balancers(judge: &mut Judge<'_>, around: &Surroundings) {
    let known: Vec<&str> = around.balancers.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    let places = judge.places;
    let services = judge.template.spec.services.iter();
    let own = services.filter_map(|(name, spec)| Some((places.value(&format!("services.{name}.traffic.lb")), spec.traffic.as_ref()?)));
    let rendered = judge.rendered.iter().flat_map(|(environment, rendered)| {
        rendered.services.iter().filter_map(move |(name, running)| {
            Some((places.service(environment.as_str(), name.as_str(), "traffic.lb"), running.spec.traffic.as_ref()?))
        })
    });
    for (origin, traffic) in own.chain(rendered).filter(|(_, traffic)| !known.contains(&&*traffic.lb)) {
        found.push(Fault::new(&origin, format!("traffic.lb: {}", unknown("balancer", &traffic.lb, &known))));
    }
    judge.faults.extend(found);
}

fn secrets(judge: &mut Judge<'_>, around: &Surroundings) {
    let app = &judge.template.spec.app;
    let mut found = Vec::new();
    for (environment, rendered) in &judge.rendered {
        let place = (app.clone(), (*environment).clone());
        let known: Vec<&str> = around.secrets.get(&place).map_or_else(Vec::new, |names| names.iter().map(String::as_str).collect());
        let mut look = |what: String, secrets: &[SecretUse], origin: &dyn Fn(usize) -> Origin| {
            for (index, secret) in secrets.iter().enumerate().filter(|(_, secret)| !known.contains(&&*secret.name)) {
                let near = crate::text::nearest(&secret.name, known.iter().copied());
                let remedy = match near {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("in the configuration, [secrets.{app}.{environment}] {} = {{ file = \"…\" }}", secret.name),
                };
                let message = format!("{what}.secrets: {:?} has no source in {environment}: {remedy}", secret.name);
                found.push(Fault::new(&origin(index), message));
            }
        };
        for (name, running) in &rendered.services {
            let origin = |index: usize| judge.places.service(environment.as_str(), name.as_str(), &format!("secrets.{index}"));
            look(format!("services.{name}"), &running.spec.secrets, &origin);
        }
        for (name, job) in &rendered.jobs {
            let origin = |index: usize| judge.places.value(&format!("jobs.{name}.secrets.{index}"));
            look(format!("jobs.{name}"), &job.secrets, &origin);
        }
    }
    judge.faults.extend(found);
}

fn policies(judge: &mut Judge<'_>, around: &Surroundings) {
    let environments = &judge.template.environments;
    let known: Vec<&str> = environments.keys().map(EnvironmentId::as_str).collect();
    let mut found = Vec::new();
    for (name, environment) in environments {
        let Some(policy) = around.policies.get(name) else { continue };
        if policy.verify && environment.policy.verify.is_none() {
            let origin = judge.places.key(&format!("environments.{name}"));
            let message = format!("verify is missing: [policy.{name}] of the configuration wants one");
            found.push(Fault::new(&origin, format!("environments.{name}: {message}")));
        }
        let Some(wanted) = &policy.after else { continue };
        match &environment.policy.after {
            Some(after) if after != wanted => {
                let origin = judge.places.value(&format!("environments.{name}.after"));
                let message = format!("{after:?}: [policy.{name}] of the configuration wants {wanted:?}");
                found.push(Fault::new(&origin, format!("environments.{name}.after: {message}")));
            }
            _ if !environments.contains_key(wanted) => {
                let origin = judge.places.key(&format!("environments.{name}"));
                let message = format!("[policy.{name}] of the configuration: after: {}", unknown("environment", wanted.as_str(), &known));
                found.push(Fault::new(&origin, format!("environments.{name}: {message}")));
            }
            Some(_) | None => {}
        }
    }
    judge.faults.extend(found);
}
