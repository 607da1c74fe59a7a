//! What a service says of itself and an environment may say anew.

use std::sync::Arc;

use super::{
    probe,
    values::{command, decimal, duration, integer, items, port, secrets, size, vars},
};
use crate::{
    delivery::{
        spec::{LogLimits, PortSpec, Restart, ServicePatch, Traffic, VolumeSource, VolumeSpec},
        template::{notation, quantity},
    },
    written::{Node, Reader, Section, Value, choice, host_ok},
};

/// The engine refuses less.
const LEAST_MEMORY: u64 = 6 << 20;

pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section) -> ServicePatch {
    let restart = section.text(reader, "restart").and_then(|said| {
        let known = [
            ("always", Restart::Always),
            ("unless-stopped", Restart::UnlessStopped),
            ("on-failure", Restart::OnFailure),
            ("no", Restart::No),
        ];
        choice(reader, &section.full("restart"), &said, &known)
    });
    ServicePatch {
        vars: vars(reader, section),
        secrets: secrets(reader, section),
        command: command(reader, section, "command").map(|said| said.value),
        ports: ports(reader, section),
        volumes: volumes(reader, section),
        memory: memory(reader, section),
        cpus: decimal(reader, section, "cpus").map(|said| said.value),
        restart,
        per_host: integer(reader, section, "per-host", 1, 1000).map(|said| said.value),
        health: probe::health(reader, section),
        stop: duration(reader, section, "stop").map(|said| said.value),
        logs: logs(reader, section),
    }
}

pub(super) fn memory(reader: &mut Reader<'_>, section: &mut Section) -> Option<u64> {
    let said = size(reader, section, "memory")?;
    if said.value < LEAST_MEMORY {
        reader.fault(&said.origin, format!("{}: the engine takes no less than 6m", section.full("memory")));
    }
    Some(said.value)
}

/// `Some(None)`: from nowhere.
pub(super) fn traffic(reader: &mut Reader<'_>, section: &mut Section) -> Option<Option<Traffic>> {
    let entry = section.take("traffic")?;
    let title = section.full("traffic");
    let origin = entry.node.origin;
    let example = "{ lb = \"edge\", backend = \"shop_web\", port = 80 } or \"none\"";
    let mut section = match entry.node.value {
        Value::Text(text) if text == "none" => return Some(None),
        Value::Table(table) => Section::new(title.clone(), table),
        Value::Text(text) => {
            reader.fault(&origin, format!("{title}: {text:?}: expected {example}"));
            return None;
        }
        other => {
            reader.fault(&origin, format!("{title}: expected {example}, found {}", other.kind()));
            return None;
        }
    };
    let missing: Vec<&str> = ["lb", "backend", "port"].into_iter().filter(|key| !section.has(key)).collect();
    if !missing.is_empty() {
        reader.fault(&origin, format!("{title}: expected {example}: without {}", missing.join(" and ")));
    }
    let lb = section.text(reader, "lb");
    let backend = section.text(reader, "backend");
    let port = port(reader, &mut section, "port");
    section.finish(reader);
    for said in [&lb, &backend].into_iter().flatten().filter(|said| !host_ok(&said.value)) {
        reader.fault(&said.origin, format!("{title}: {:?} is no name of a balancer or its backend: letters, digits and . _ -", said.value));
    }
    Some(Some(Traffic { lb: Arc::from(lb?.value), backend: Arc::from(backend?.value), port: port?.value }))
}

fn ports(reader: &mut Reader<'_>, section: &mut Section) -> Option<Vec<PortSpec>> {
    let listed = items(reader, section, "ports", "ports")?;
    let title = section.full("ports");
    let mut ports: Vec<PortSpec> = Vec::with_capacity(listed.value.len());
    for Node { origin, value } in listed.value {
        let found = match value {
            Value::Text(text) => notation::port(&text),
            Value::Integer(number) => notation::port(&number.to_string()),
            other => Err(format!("expected a text such as \"80\" or \"8080:80\", found {} in it", other.kind())),
        };
        match found {
            Ok(found) if ports.contains(&found) => {
                reader.fault(&origin, format!("{title}: {} stands there twice", notation::PortText(&found)));
            }
            Ok(found) => ports.push(found),
            Err(error) => reader.fault(&origin, format!("{title}: {error}")),
        }
    }
    Some(ports)
}

fn volumes(reader: &mut Reader<'_>, section: &mut Section) -> Option<Vec<VolumeSpec>> {
    let listed = items(reader, section, "volumes", "volumes")?;
    let title = section.full("volumes");
    let mut volumes: Vec<VolumeSpec> = Vec::with_capacity(listed.value.len());
    for Node { origin, value } in listed.value {
        let found = match value {
            Value::Text(text) => notation::volume(&text),
            Value::Table(table) => {
                let mut section = Section::new(title.clone(), table);
                let found = mount(reader, &mut section);
                section.finish(reader);
                found
            }
            other => Err(format!("expected \"name:/path\" or a table, found {} in it", other.kind())),
        };
        match found {
            Ok(found) if volumes.iter().any(|other| other.target == found.target) => {
                reader.fault(&origin, format!("{title}: {} is mounted twice", found.target));
            }
            Ok(found) => volumes.push(found),
            Err(error) => reader.fault(&origin, format!("{title}: {error}")),
        }
    }
    Some(volumes)
}

/// `{ external = "name", target = "/path", read-only = true }`.
fn mount(reader: &mut Reader<'_>, section: &mut Section) -> Result<VolumeSpec, String> {
    let name = section.text(reader, "name").map(|said| notation::own_volume(&said.value));
    let host = section.text(reader, "host").map(|said| notation::host_directory(&said.value));
    let external = section.text(reader, "external").map(|said| match host_ok(&said.value) {
        true => Ok(VolumeSource::External(Arc::from(said.value))),
        false => Err(format!("{:?} is no volume's name", said.value)),
    });
    let target = section.text(reader, "target");
    let read_only = section.flag(reader, "read-only").is_some_and(|said| said.value);
    let mut sources: Vec<Result<VolumeSource, String>> = [name, host, external].into_iter().flatten().collect();
    match (sources.pop(), sources.is_empty(), target) {
        (Some(source), true, Some(target)) => Ok(VolumeSpec { source: source?, target: notation::mount_point(&target.value)?, read_only }),
        (_, false, _) => Err("more than one source: name, host or external".to_owned()),
        (_, true, _) => Err("expected { external = \"name\", target = \"/path\" }".to_owned()),
    }
}

fn logs(reader: &mut Reader<'_>, section: &mut Section) -> Option<LogLimits> {
    let (mut section, _) = section.section(reader, "logs")?;
    let size = size(reader, &mut section, "max-size").map(|said| Arc::from(quantity::size_text(said.value)));
    let max_file = integer(reader, &mut section, "max-file", 1, 1000).map(|said| said.value);
    section.finish(reader);
    Some(LogLimits { max_size: size, max_file })
}
