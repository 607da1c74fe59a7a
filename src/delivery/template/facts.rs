//! A service or a job taken apart into single settings, each as the template would write it: what is compared, and what is shown.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    notation::{PortText, VolumeText, image_text},
    part::Part,
    quantity::{duration_text, size_text},
    quote,
};
use crate::delivery::spec::{
    Batch, BlueGreenBy, CanaryStep, CanaryThen, Deliver, Health, JobSpec, JobTime, LogLimits, OnFailure, Order, Probe, RenderedService,
    Restart, SecretUse, ServiceSpec, StrategyKind, StrategySpec, Traffic, Verify, VolumeSource, VolumeSpec,
};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub part: Part,
    /// Of a variable or a secret.
    pub name: Option<Arc<str>>,
    /// TOML.
    pub value: String,
}

impl Fact {
    fn new(part: Part, value: impl Into<String>) -> Self {
        Self { part, name: None, value: value.into() }
    }
}

/// Everything that an environment runs of a service.
pub(super) fn of_rendered(running: &RenderedService) -> Vec<Fact> {
    let mut facts = of_service(&running.spec);
    facts.push(Fact::new(Part::Hosts, quote::list(running.hosts.iter().map(|host| host.as_str()))));
    facts
}

/// Everything of a service; what is not there has no fact.
pub(super) fn of_service(spec: &ServiceSpec) -> Vec<Fact> {
    let ServiceSpec {
        image,
        command,
        ports,
        vars,
        secrets,
        volumes,
        memory,
        cpus,
        restart,
        needs,
        start,
        per_host,
        health,
        stop,
        logs,
        traffic,
    } = spec;
    let mut facts = vec![Fact::new(Part::Image, quote::text(image_text(image)))];
    facts.extend(command.as_ref().map(|command| Fact::new(Part::Command, quote::list(command))));
    if !ports.is_empty() {
        facts.push(Fact::new(Part::Ports, quote::list(ports.iter().map(|port| PortText(port).to_string()))));
    }
    facts.extend(variables(vars));
    facts.extend(secret_uses(secrets));
    if !volumes.is_empty() {
        facts.push(Fact::new(Part::Volumes, format!("[{}]", volumes.iter().map(volume).collect::<Vec<_>>().join(", "))));
    }
    facts.extend(memory.map(|bytes| Fact::new(Part::Memory, quote::text(&size_text(bytes)))));
    facts.extend(cpus.map(|cpus| Fact::new(Part::Cpus, cpus.to_string())));
    facts.push(Fact::new(Part::Restart, quote::text(restart_word(*restart))));
    if !needs.is_empty() {
        facts.push(Fact::new(Part::Needs, quote::list(needs.iter().map(|need| need.as_str()))));
    }
    facts.push(Fact::new(Part::Start, start.to_string()));
    facts.push(Fact::new(Part::PerHost, per_host.to_string()));
    facts.extend(health.as_ref().map(|health| Fact::new(Part::Health, health_text(health))));
    facts.push(Fact::new(Part::Stop, time(*stop)));
    facts.extend(logs.as_ref().map(|logs| Fact::new(Part::Logs, logs_text(logs))));
    facts.extend(traffic.as_ref().map(|traffic| Fact::new(Part::Traffic, traffic_text(traffic))));
    facts
}

/// Everything of a job.
pub(super) fn of_job(job: &JobSpec) -> Vec<Fact> {
    let JobSpec { image, command, vars, secrets, needs, memory, timeout, when, one_way } = job;
    let mut facts = vec![Fact::new(Part::Image, quote::text(image_text(image)))];
    facts.extend(command.as_ref().map(|command| Fact::new(Part::Command, quote::list(command))));
    facts.extend(variables(vars));
    facts.extend(secret_uses(secrets));
    facts.extend(memory.map(|bytes| Fact::new(Part::Memory, quote::text(&size_text(bytes)))));
    if !needs.is_empty() {
        facts.push(Fact::new(Part::Needs, quote::list(needs.iter().map(|need| need.as_str()))));
    }
    let when = match when {
        JobTime::Before => "before",
        JobTime::After => "after",
        JobTime::Failed => "failed",
    };
    facts.push(Fact::new(Part::When, quote::text(when)));
    facts.push(Fact::new(Part::Timeout, time(*timeout)));
    facts.push(Fact::new(Part::OneWay, one_way.to_string()));
    facts
}

fn variables(vars: &BTreeMap<Arc<str>, Arc<str>>) -> impl Iterator<Item = Fact> {
    vars.iter().map(|(name, value)| Fact { part: Part::Variables, name: Some(name.clone()), value: quote::text(value) })
}

fn secret_uses(secrets: &[SecretUse]) -> impl Iterator<Item = Fact> {
    secrets.iter().map(|secret| {
        let how = match secret.deliver {
            Deliver::Variable => "variable",
            Deliver::File => "file",
        };
        Fact { part: Part::Secrets, name: Some(secret.name.clone()), value: quote::text(how) }
    })
}

pub(super) fn time(time: Duration) -> String {
    quote::text(&duration_text(time))
}

pub(super) fn volume(volume: &VolumeSpec) -> String {
    match &volume.source {
        VolumeSource::Own(_) | VolumeSource::Host(_) => quote::text(&VolumeText(volume).to_string()),
        VolumeSource::External(name) => {
            let mut entries = vec![("external", quote::text(name)), ("target", quote::text(&volume.target))];
            entries.extend(volume.read_only.then(|| ("read-only", "true".to_owned())));
            quote::table(&entries)
        }
    }
}

pub(super) fn restart_word(restart: Restart) -> &'static str {
    match restart {
        Restart::No => "no",
        Restart::Always => "always",
        Restart::UnlessStopped => "unless-stopped",
        Restart::OnFailure => "on-failure",
    }
}

pub(super) fn health_text(health: &Health) -> String {
    let mut entries = match &health.probe {
        Probe::Http { path, port } => {
            let mut entries = vec![("http", quote::text(path))];
            entries.extend(port.map(|port| ("port", port.to_string())));
            entries
        }
        Probe::Tcp { port } => vec![("tcp", port.map_or_else(|| "true".to_owned(), |port| port.to_string()))],
        Probe::Command(words) => vec![("command", quote::list(words))],
        Probe::Log(expression) => vec![("log", quote::text(expression))],
    };
    entries.extend([("interval", time(health.interval)), ("rise", health.rise.to_string()), ("timeout", time(health.timeout))]);
    quote::table(&entries)
}

pub(super) fn logs_text(logs: &LogLimits) -> String {
    let size = logs.max_size.as_ref().map(|size| ("max-size", quote::text(size)));
    let files = logs.max_file.map(|files| ("max-file", files.to_string()));
    quote::table(&size.into_iter().chain(files).collect::<Vec<_>>())
}

pub(super) fn traffic_text(traffic: &Traffic) -> String {
    quote::table(&[("lb", quote::text(&traffic.lb)), ("backend", quote::text(&traffic.backend)), ("port", traffic.port.to_string())])
}

/// A strategy with all of its keys.
pub(super) fn strategy_text(strategy: &StrategySpec) -> String {
    let mut entries = match &strategy.kind {
        StrategyKind::Recreate => vec![("kind", quote::text("recreate"))],
        StrategyKind::Rolling { batch, pause } => {
            let batch = match batch {
                Batch::Count(count) => count.to_string(),
                Batch::Percent(percent) => quote::text(&format!("{percent}%")),
            };
            vec![("kind", quote::text("rolling")), ("batch", batch), ("pause", time(*pause))]
        }
        StrategyKind::BlueGreen { by } => {
            let by = match by {
                BlueGreenBy::Colour => "colour",
                BlueGreenBy::Host => "host",
            };
            vec![("kind", quote::text("blue-green")), ("by", quote::text(by))]
        }
        StrategyKind::Canary { steps, compare, then } => {
            let step = |step: &CanaryStep| quote::table(&[("weight", step.weight.to_string()), ("bake", time(step.bake))]);
            let compare = quote::table(&[
                ("errors", compare.errors.to_string()),
                ("latency", compare.latency.to_string()),
                ("min-requests", compare.min_requests.to_string()),
            ]);
            let then = match then {
                CanaryThen::Auto => "auto",
                CanaryThen::Approve => "approve",
            };
            let steps = steps.iter().map(step).collect::<Vec<_>>().join(", ");
            vec![("kind", quote::text("canary")), ("steps", format!("[{steps}]")), ("compare", compare), ("then", quote::text(then))]
        }
    };
    entries.extend(strategy.order.map(|order| {
        let word = match order {
            Order::StartFirst => "start-first",
            Order::StopFirst => "stop-first",
        };
        ("order", quote::text(word))
    }));
    let scope = match strategy.on_failure {
        OnFailure::Deployment => "deployment",
        OnFailure::Batch => "batch",
        OnFailure::Host => "host",
        OnFailure::Park => "park",
    };
    entries.extend([
        ("max-failures", strategy.max_failures.to_string()),
        ("bake", time(strategy.bake)),
        ("keep-warm", time(strategy.keep_warm)),
        ("on-failure", quote::text(scope)),
    ]);
    quote::table(&entries)
}

/// A verification with all of its keys.
pub(super) fn verify_text(verify: &Verify) -> String {
    let (mut entries, timeout) = match verify {
        Verify::Http { service, path, contains, timeout } => {
            let mut entries = vec![("service", quote::text(service.as_str())), ("http", quote::text(path))];
            entries.extend(contains.as_ref().map(|text| ("contains", quote::text(text))));
            (entries, timeout)
        }
        Verify::Command { command, image, timeout } => {
            let mut entries = vec![("command", quote::list(command))];
            entries.extend(image.as_ref().map(|image| ("image", quote::text(image_text(image)))));
            (entries, timeout)
        }
    };
    entries.push(("timeout", time(*timeout)));
    quote::table(&entries)
}
