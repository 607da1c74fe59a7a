//! From a scenario to the hosts and containers it describes.

use std::{collections::BTreeMap, sync::Arc};

use super::{Drift, Health, HostGroup, Kind, Scenario, Service, State, Trouble, glob};
use crate::sim::engine::{
    container::{Container, HealthState, Run, RunState, Spec},
    host::{Host, Machine},
    image::Image,
    seed,
};

/// The hosts of a scenario whose timeline starts at `start`, nanoseconds since 1970.
pub fn cast(scenario: &Scenario, start: i64) -> Vec<Host> {
    let mut stage = Stage { scenario, start, specs: BTreeMap::new() };
    let mut hosts = Vec::new();
    for group in &scenario.hosts {
        let addresses = group.address.as_ref().map(|pattern| pattern.get_ref().names()).unwrap_or_default();
        for (index, name) in group.name.get_ref().names().into_iter().enumerate() {
            let address = addresses
                .get(index)
                .cloned()
                .unwrap_or_else(|| format!("10.{}.{}.{}", 80 + hosts.len() / 62_500, hosts.len() / 250 % 250, hosts.len() % 250 + 2));
            hosts.push(stage.host(group, name, address));
        }
    }
    hosts
}

struct Stage<'a> {
    scenario: &'a Scenario,
    start: i64,
    /// By service, environment, tag and bits: containers that are alike share one.
    specs: BTreeMap<(usize, &'a str, &'a str, &'a str), Arc<Spec>>,
}

impl<'a> Stage<'a> {
    fn host(&mut self, group: &'a HostGroup, name: String, address: String) -> Host {
        let scenario = self.scenario;
        let id = seed::hex(&format!("engine {} {name}", scenario.seed));
        let machine = Machine {
            environment: group.environment.clone(),
            address,
            engine: group.engine.clone(),
            api: group.api.clone(),
            cpus: group.cpus.max(1),
            memory: group.memory.0.max(1 << 20),
            broken_utf8: group.broken_utf8,
            seed: seed::number(&id),
            network: seed::hex(&format!("bridge {id}")).into(),
            id: uuid(&id),
            name,
        };
        let present: Vec<(usize, &Service)> = scenario
            .services
            .iter()
            .enumerate()
            .filter(|(_, service)| tag(service, &group.environment).is_some())
            .filter(|(_, service)| service.on.iter().any(|on| glob(on.get_ref(), &machine.name)))
            .collect();
        let mut containers = Vec::new();
        for (place, number) in replicas(&present, scenario.containers_per_host) {
            let slot = containers.len() as u16;
            containers.push(self.container(&machine, place, number, slot, &group.environment));
        }
        let mut images: Vec<Arc<Image>> = Vec::new();
        for container in &containers {
            let image = &container.spec.image;
            if !images.iter().any(|known| known.id == image.id) {
                images.push(image.clone());
            }
        }
        Host::new(machine, containers, images)
    }

    fn container(&mut self, machine: &Machine, place: usize, number: u32, slot: u16, environment: &'a str) -> Container {
        let scenario = self.scenario;
        let service = &scenario.services[place];
        let path = format!("{}/{}", service.app, service.service.get_ref());
        let here = |host: &str, of: &str| glob(host, &machine.name) && of == path;
        let drift: Option<&Drift> = scenario.drift.iter().find(|drift| here(drift.host.get_ref(), drift.service.get_ref()));
        let trouble: Option<&Trouble> =
            scenario.trouble.iter().find(|trouble| here(trouble.host.get_ref(), trouble.service.get_ref()) && trouble.replica == number);
        let tag = drift.and_then(|drift| drift.version.as_deref()).or_else(|| tag(service, environment)).unwrap_or("latest");
        let bits = drift.and_then(|drift| drift.bits.as_deref()).unwrap_or_default();
        let start = self.start;
        let spec = self
            .specs
            .entry((place, environment, tag, bits))
            .or_insert_with(|| Arc::new(spec(service, environment, tag, bits, start)))
            .clone();

        let name = match service.names.get(number as usize - 1) {
            Some(name) => name.clone(),
            None if service.kind == Kind::Plain && number == 1 => service.service.get_ref().clone(),
            None if service.kind == Kind::Plain => format!("{}-{number}", service.service.get_ref()),
            None => format!("{}-{}-{number}", service.app, service.service.get_ref()),
        };
        let id = seed::hex(&format!("container {} {} {name}", machine.id, scenario.seed));
        let chance = seed::number(&id);
        let up = trouble.and_then(|t| t.up).or_else(|| drift.and_then(|d| d.up)).unwrap_or(service.up).0.as_nanos() as i64;
        let created = start - up - 2_000_000_000 - (chance % 600) as i64 * 1_000_000_000;
        let started = created + 1_200_000_000;
        let exit_code = trouble.and_then(|t| t.exit_code).unwrap_or(service.exit_code);
        let crash = trouble.and_then(|t| t.crash).or(service.crash);
        let state = match trouble.and_then(|t| t.state).unwrap_or(service.state) {
            State::Running => RunState::Running,
            State::Exited => RunState::Exited,
            State::Paused => RunState::Paused,
            State::Created => RunState::Created,
        };
        let health = match trouble.and_then(|t| t.health).unwrap_or(service.health) {
            Health::None => HealthState::None,
            Health::Starting => HealthState::Starting,
            Health::Healthy => HealthState::Healthy,
            Health::Unhealthy => HealthState::Unhealthy,
        };
        let run = match state {
            RunState::Created => None,
            RunState::Exited => Some(Run { start: started, end: Some(start - up / 10 - 1_000_000_000), exit_code }),
            // A crash-looping one is in the middle of another try.
            RunState::Running if crash.is_some() => Some(Run { start: start - 1_000_000_000, end: None, exit_code: 0 }),
            RunState::Running | RunState::Paused | RunState::Restarting => Some(Run { start: started, end: None, exit_code: 0 }),
        };
        Container {
            id: id.into(),
            name: name.into(),
            number,
            spec,
            seed: chance,
            state,
            health,
            health_wanted: health,
            exit_code: if state == RunState::Exited { exit_code } else { 0 },
            oom_killed: false,
            restarts: if crash.is_some() { 40 + chance % 20 } else { 0 },
            created,
            runs: run.into_iter().collect(),
            crash: crash.map(|crash| crash.0),
            crash_code: if exit_code == 0 { 1 } else { exit_code },
            stopped: state == RunState::Exited,
            streak: if crash.is_some() { 5 } else { 0 },
            life: 0,
            first_port: 20_000 + slot % 2500 * 4,
            slot,
        }
    }
}

/// The tag of a service in an environment.
fn tag<'a>(service: &'a Service, environment: &str) -> Option<&'a str> {
    service.versions.get(environment).or_else(|| service.versions.get("*")).map(String::as_str)
}

/// Which replicas of which services a host runs: all, or exactly so many, taken in rounds.
fn replicas(present: &[(usize, &Service)], exactly: Option<u32>) -> Vec<(usize, u32)> {
    match exactly {
        None => present.iter().flat_map(|(place, service)| (1..=service.replicas).map(|number| (*place, number))).collect(),
        Some(count) if !present.is_empty() => {
            let round = present.len() as u32;
            (0..count).map(|n| (present[(n % round) as usize].0, n / round + 1)).collect()
        }
        Some(_) => Vec::new(),
    }
}

fn spec(service: &Service, environment: &str, tag: &str, bits: &str, start: i64) -> Spec {
    let image = Arc::new(Image::new(&service.image, tag, bits, start));
    let mut labels = image.labels.clone();
    let name = service.service.get_ref();
    match service.kind {
        Kind::Quarterdeck => {
            for (key, value) in [("app", service.app.as_str()), ("service", name), ("environment", environment), ("version", tag)] {
                labels.insert(format!("quarterdeck.{key}"), value.to_owned());
            }
        }
        Kind::Compose => {
            for (key, value) in [
                ("project", service.app.clone()),
                ("service", name.clone()),
                ("oneoff", "False".to_owned()),
                ("version", "2.29.7".to_owned()),
                ("config-hash", seed::hex(&format!("{} {name} {tag}", service.app))),
                ("project.working_dir", format!("/srv/{}", service.app)),
                ("project.config_files", format!("/srv/{}/compose.yaml", service.app)),
            ] {
                labels.insert(format!("com.docker.compose.{key}"), value);
            }
        }
        Kind::Plain => {}
    }
    labels.extend(service.labels.clone());
    Spec {
        app: service.app.clone(),
        service: name.clone(),
        kind: service.kind,
        image,
        command: service.command.clone(),
        labels,
        ports: service.ports.clone(),
        checked: service.health != Health::None,
        restart: service.restart,
        tty: service.tty,
        log: service.log.clone(),
        load: service.load.clone(),
    }
}

/// 32 digits in the grouping of a UUID, as engines since 23 name themselves.
fn uuid(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}
