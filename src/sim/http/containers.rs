//! Containers as JSON: the list, one in full, its processes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Query, ago, seconds};
use crate::sim::{
    engine::{
        clock::{Moment, stamp},
        container::{Container, HealthState, RunState},
        event::has_label,
        host::Host,
        lifecycle::Refusal,
    },
    scenario::Restart,
};

/// The engine's way to say "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `containers/json`.
pub fn list(host: &Host, query: &Query, now: Moment) -> Result<Value, Refusal> {
    let filters = query.filters().map_err(|message| Refusal::new(400, message))?;
    if let Some(unknown) = filters.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Refusal::new(400, format!("invalid filter '{unknown}'")));
    }
    let limit = query.get("limit").and_then(|limit| limit.parse::<i64>().ok()).filter(|limit| *limit > 0);
    let all = query.flag("all", false) || limit.is_some() || filters.contains_key("status");
    let mut found: Vec<&Container> = host
        .containers
        .iter()
        .filter(|container| all || matches!(container.state, RunState::Running | RunState::Paused | RunState::Restarting))
        .filter(|container| passes(container, &filters))
        .collect();
    // The engine's order: newest first.
    found.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    let wanted = limit.map_or(usize::MAX, |limit| limit as usize);
    Ok(found.into_iter().take(wanted).map(|container| summary(host, container, now)).collect())
}

const KNOWN: &[&str] = &["id", "name", "label", "status", "health", "ancestor"];

fn passes(container: &Container, filters: &BTreeMap<String, Vec<String>>) -> bool {
    filters.iter().all(|(key, values)| {
        values.is_empty()
            || match key.as_str() {
                "id" => values.iter().any(|id| container.id.starts_with(id.as_str())),
                "name" => values.iter().any(|name| {
                    // Names are regular expressions, with or without the slash; what is none is searched for as it is.
                    regex::Regex::new(name).map_or_else(
                        |_| container.name.contains(name.as_str()),
                        |pattern| pattern.is_match(&container.name) || pattern.is_match(&format!("/{}", container.name)),
                    )
                }),
                "label" => {
                    let labels = container.labels();
                    values.iter().all(|label| has_label(&labels, label))
                }
                "status" => values.iter().any(|status| status == container.state.word()),
                "health" => values.iter().any(|health| health == container.health.word()),
                "ancestor" => values.iter().any(|image| container.spec.image.answers_to(image)),
                _ => true,
            }
    })
}

/// One row of the list.
pub fn summary(host: &Host, container: &Container, now: Moment) -> Value {
    let image = &container.spec.image;
    json!({
        "Id": container.id.as_ref(),
        "Names": [format!("/{}", container.name)],
        "Image": shown_image(host, container),
        "ImageID": image.id,
        "Command": container.spec.command,
        "Created": seconds(container.created),
        "Ports": ports(container),
        "Labels": container.labels(),
        "State": container.state.word(),
        "Status": status(container, now),
        "HostConfig": { "NetworkMode": "bridge" },
        "NetworkSettings": { "Networks": { "bridge": endpoint(host, container) } },
        "Mounts": [],
    })
}

/// The name the container was made with; the engine shows the id instead when that name now means other bits.
fn shown_image(host: &Host, container: &Container) -> String {
    let image = &container.spec.image;
    let newest = host.images.iter().find(|other| other.name() == image.name());
    if newest.is_some_and(|other| other.id != image.id) { image.id.clone() } else { image.name() }
}

/// `Up 3 days (healthy)`, `Exited (1) 5 minutes ago`.
fn status(container: &Container, now: Moment) -> String {
    let health = match container.health {
        HealthState::None => "",
        HealthState::Starting => " (health: starting)",
        HealthState::Healthy => " (healthy)",
        HealthState::Unhealthy => " (unhealthy)",
    };
    let up = || ago(container.started().unwrap_or(now.wall), now);
    let since = || ago(container.finished().unwrap_or(now.wall), now);
    match container.state {
        RunState::Created => "Created".to_owned(),
        RunState::Running => format!("Up {}{health}", up()),
        RunState::Paused => format!("Up {} (Paused)", up()),
        RunState::Restarting => format!("Restarting ({}) {} ago", container.exit_code, since()),
        RunState::Exited => format!("Exited ({}) {} ago", container.exit_code, since()),
    }
}

fn host_port(container: &Container, index: usize) -> u16 {
    container.first_port.saturating_add(index as u16)
}

fn ports(container: &Container) -> Vec<Value> {
    let lives = container.state.lives();
    let port = |(index, private): (usize, &u16)| match lives {
        true => json!({ "IP": "0.0.0.0", "PrivatePort": private, "PublicPort": host_port(container, index), "Type": "tcp" }),
        false => json!({ "PrivatePort": private, "Type": "tcp" }),
    };
    // A container without a process publishes nothing, and the engine then lists no port at all.
    if lives { container.spec.ports.iter().enumerate().map(port).collect() } else { Vec::new() }
}

fn endpoint(host: &Host, container: &Container) -> Value {
    let lives = container.state.lives();
    let address = if lives { container.address() } else { String::new() };
    json!({
        "IPAMConfig": null, "Links": null, "Aliases": null, "DriverOpts": null,
        "NetworkID": host.machine.network.as_ref(),
        "EndpointID": if lives { container.id.as_ref() } else { "" },
        "Gateway": if lives { "172.17.0.1" } else { "" },
        "IPAddress": address,
        "IPPrefixLen": if lives { 16 } else { 0 },
        "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
        "MacAddress": if lives { format!("02:42:ac:11:{:02x}:{:02x}", container.slot / 250, container.slot % 250 + 2) } else { String::new() },
    })
}

/// `containers/{id}/json`.
pub fn inspect(host: &Host, index: usize) -> Value {
    let Some(container) = host.containers.get(index) else { return Value::Null };
    let spec = &container.spec;
    let words: Vec<&str> = spec.command.split_whitespace().collect();
    let (path, arguments) = words.split_first().map_or(("", &[][..]), |(path, rest)| (*path, rest));
    let mut exposed = Map::new();
    let mut bound = Map::new();
    let mut wanted = Map::new();
    for (place, port) in spec.ports.iter().enumerate() {
        let outside = host_port(container, place).to_string();
        exposed.insert(format!("{port}/tcp"), json!({}));
        bound.insert(format!("{port}/tcp"), json!([{ "HostIp": "0.0.0.0", "HostPort": outside }]));
        wanted.insert(format!("{port}/tcp"), json!([{ "HostIp": "", "HostPort": outside }]));
    }
    if !container.state.lives() {
        bound.clear();
    }
    let mut config = json!({
        "Hostname": &container.id[..12], "Domainname": "", "User": "",
        "AttachStdin": false, "AttachStdout": true, "AttachStderr": true, "Tty": spec.tty, "OpenStdin": false, "StdinOnce": false,
        "ExposedPorts": exposed,
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", format!("APP_ENV={}", host.machine.environment)],
        "Cmd": words, "Image": spec.image.name(), "Volumes": null, "WorkingDir": "/app", "Entrypoint": null, "OnBuild": null,
        "Labels": container.labels(),
    });
    if let (true, Some(config)) = (spec.checked, config.as_object_mut()) {
        let check = json!({
            "Test": ["CMD-SHELL", "curl -fsS http://127.0.0.1/healthz"],
            "Interval": 10_000_000_000_i64, "Timeout": 3_000_000_000_i64, "StartPeriod": 5_000_000_000_i64, "Retries": 3,
        });
        config.insert("Healthcheck".to_owned(), check);
    }
    let limit = spec.load.limit.map_or(0, |limit| limit.0);
    json!({
        "Id": container.id.as_ref(),
        "Created": stamp(container.created),
        "Path": path, "Args": arguments,
        "State": state(container),
        "Image": spec.image.id,
        "ResolvConfPath": format!("/var/lib/docker/containers/{}/resolv.conf", container.id),
        "HostnamePath": format!("/var/lib/docker/containers/{}/hostname", container.id),
        "HostsPath": format!("/var/lib/docker/containers/{}/hosts", container.id),
        "LogPath": format!("/var/lib/docker/containers/{0}/{0}-json.log", container.id),
        "Name": format!("/{}", container.name),
        "RestartCount": container.restarts,
        "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "docker-default",
        "ExecIDs": null,
        "HostConfig": {
            "Binds": null, "ContainerIDFile": "", "LogConfig": { "Type": "json-file", "Config": {} }, "NetworkMode": "bridge",
            "PortBindings": wanted, "RestartPolicy": { "Name": policy(spec.restart), "MaximumRetryCount": 0 }, "AutoRemove": false,
            "VolumeDriver": "", "VolumesFrom": null, "CapAdd": null, "CapDrop": null, "CgroupnsMode": "private", "Privileged": false,
            "PublishAllPorts": false, "ReadonlyRootfs": false, "Memory": limit, "NanoCpus": 0, "CpuShares": 0, "ShmSize": 67_108_864,
            "PidsLimit": null, "Runtime": "runc", "Isolation": "",
        },
        "GraphDriver": { "Name": "overlay2", "Data": {} },
        "Mounts": [],
        "Config": config,
        "NetworkSettings": {
            "SandboxID": container.id.as_ref(), "SandboxKey": format!("/var/run/docker/netns/{}", &container.id[..12]),
            "Ports": bound, "Networks": { "bridge": endpoint(host, container) },
        },
    })
}

fn state(container: &Container) -> Value {
    let mut state = json!({
        "Status": container.state.word(),
        // A container between two tries counts as running, in the engine's own reckoning.
        "Running": container.state.lives() || container.state == RunState::Restarting,
        "Paused": container.state == RunState::Paused,
        "Restarting": container.state == RunState::Restarting,
        "OOMKilled": container.oom_killed,
        "Dead": false,
        "Pid": container.pid(),
        "ExitCode": container.exit_code,
        "Error": "",
        "StartedAt": container.started().map_or_else(|| NEVER.to_owned(), stamp),
        "FinishedAt": container.finished().map_or_else(|| NEVER.to_owned(), stamp),
    });
    if let (true, Some(state)) = (container.spec.checked, state.as_object_mut()) {
        let failing = container.health == HealthState::Unhealthy;
        let at = container.started().unwrap_or(container.created);
        let check = json!({
            "Start": stamp(at + 5_000_000_000), "End": stamp(at + 5_040_000_000), "ExitCode": i64::from(failing),
            "Output": if failing { "curl: (22) The requested URL returned error: 503" } else { "ok" },
        });
        let log = if container.health == HealthState::Starting { json!([]) } else { json!([check]) };
        let health = json!({ "Status": container.health.word(), "FailingStreak": if failing { 3 } else { 0 }, "Log": log });
        state.insert("Health".to_owned(), health);
    }
    state
}

fn policy(restart: Restart) -> &'static str {
    match restart {
        Restart::No => "no",
        Restart::Always => "always",
        Restart::UnlessStopped => "unless-stopped",
        Restart::OnFailure => "on-failure",
    }
}

/// `containers/{id}/top`.
pub fn top(host: &Host, index: usize) -> Result<Value, Refusal> {
    let Some(container) = host.containers.get(index).filter(|container| container.state.lives()) else {
        let id = host.containers.get(index).map_or("", |container| &container.id);
        return Err(Refusal::new(409, format!("container {id} is not running")));
    };
    let pid = container.pid();
    let row =
        |pid: u64, parent: u64, command: &str| json!(["root", pid.to_string(), parent.to_string(), "0", "10:12", "?", "00:00:04", command]);
    Ok(json!({
        "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
        "Processes": [row(pid, 1, &container.spec.command), row(pid + 1, pid, "worker: idle")],
    }))
}
