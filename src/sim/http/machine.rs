//! The machine, its engine, images and networks as JSON.

use serde_json::{Value, json};

use super::seconds;
use crate::sim::engine::{
    clock::{Moment, stamp},
    container::RunState,
    host::{Host, Machine},
    image::Image,
    lifecycle::Refusal,
};

const KERNEL: &str = "6.1.0-32-amd64";
const BUILT: &str = "2025-10-08T12:17:26.000000000+00:00";

/// `version`.
pub fn version(machine: &Machine) -> Value {
    json!({
        "Platform": { "Name": "Docker Engine - Community" },
        "Components": [
            { "Name": "Engine", "Version": machine.engine, "Details": {
                "ApiVersion": machine.api, "Arch": "amd64", "BuildTime": BUILT, "Experimental": "false", "GitCommit": "f8215cc",
                "GoVersion": "go1.24.8", "KernelVersion": KERNEL, "MinAPIVersion": "1.24", "Os": "linux" } },
            { "Name": "containerd", "Version": "1.7.28", "Details": { "GitCommit": "b98a3aace656320842a23f4a392a33f46af97866" } },
            { "Name": "runc", "Version": "1.3.0", "Details": { "GitCommit": "v1.3.0-0-g4ca628d1" } },
        ],
        "Version": machine.engine, "ApiVersion": machine.api, "MinAPIVersion": "1.24", "GitCommit": "f8215cc", "GoVersion": "go1.24.8",
        "Os": "linux", "Arch": "amd64", "KernelVersion": KERNEL, "BuildTime": BUILT,
    })
}

/// `info`, put together from two pieces: one would be too deep for the macro.
pub fn info(host: &Host, now: Moment) -> Value {
    let machine = &host.machine;
    let count = |state: fn(RunState) -> bool| host.containers.iter().filter(|container| state(container.state)).count();
    let mut info = json!({
        "ID": machine.id,
        "Containers": host.containers.len(),
        "ContainersRunning": count(|state| matches!(state, RunState::Running | RunState::Restarting)),
        "ContainersPaused": count(|state| state == RunState::Paused),
        "ContainersStopped": count(|state| matches!(state, RunState::Exited | RunState::Created)),
        "Images": host.images.len(),
        "Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "local"] },
        "MemoryLimit": true, "SwapLimit": true, "CpuCfsPeriod": true, "CpuCfsQuota": true, "CPUShares": true, "CPUSet": true,
        "PidsLimit": true, "IPv4Forwarding": true, "Debug": false, "NFd": 40, "OomKillDisable": false, "NGoroutines": 60,
        "SystemTime": stamp(now.wall), "LoggingDriver": "json-file", "CgroupDriver": "systemd", "CgroupVersion": "2",
        "NEventsListener": 0, "KernelVersion": KERNEL, "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "OSVersion": "12",
        "OSType": "linux", "Architecture": "x86_64", "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": { "InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": [] },
    });
    let rest = json!({
        "NCPU": machine.cpus, "MemTotal": machine.memory, "GenericResources": null, "DockerRootDir": "/var/lib/docker",
        "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "Name": machine.name,
        "Labels": [format!("environment={}", machine.environment)],
        "ExperimentalBuild": false, "ServerVersion": machine.engine,
        "Runtimes": { "runc": { "path": "runc" } }, "DefaultRuntime": "runc",
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null },
        "LiveRestoreEnabled": false, "Isolation": "", "InitBinary": "docker-init",
        "ContainerdCommit": { "ID": "b98a3aace656320842a23f4a392a33f46af97866" }, "RuncCommit": { "ID": "v1.3.0-0-g4ca628d1" },
        "InitCommit": { "ID": "de40ad0" }, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
        "Warnings": [],
    });
    if let (Some(info), Value::Object(rest)) = (info.as_object_mut(), rest) {
        info.extend(rest);
    }
    info
}

fn summary(host: &Host, image: &Image, counted: bool) -> Value {
    let users = host.containers.iter().filter(|container| container.spec.image.id == image.id).count();
    json!({
        "Id": image.id, "ParentId": "", "RepoTags": [image.name()], "RepoDigests": [image.repo_digest()],
        "Created": seconds(image.created), "Size": image.size, "VirtualSize": image.size,
        "SharedSize": if counted { 0 } else { -1 },
        "Labels": image.labels,
        "Containers": if counted { users as i64 } else { -1 },
    })
}

/// `images/json`.
pub fn images(host: &Host) -> Value {
    host.images.iter().map(|image| summary(host, image, false)).collect()
}

/// `DELETE images/{name}`: without force, so not while a container is made from it.
pub fn remove_image(host: &mut Host, name: &str) -> Result<Value, Refusal> {
    let at = host.images.iter().position(|image| image.answers_to(name));
    let at = at.ok_or_else(|| Refusal::new(404, format!("No such image: {name}")))?;
    let id = &host.images[at].id;
    if let Some(user) = host.containers.iter().find(|container| container.spec.image.id == *id) {
        let user = user.id.get(..12).unwrap_or(&user.id);
        return Err(Refusal::new(
            409,
            format!(
                "conflict: unable to remove repository reference \"{name}\" (must force) - container {user} is using its referenced image"
            ),
        ));
    }
    let image = host.images.remove(at);
    Ok(json!([{ "Untagged": image.name() }, { "Deleted": image.id }]))
}

/// `images/{name}/json`.
pub fn image(host: &Host, name: &str) -> Result<Value, Refusal> {
    let image =
        host.images.iter().find(|image| image.answers_to(name)).ok_or_else(|| Refusal::new(404, format!("No such image: {name}")))?;
    let layer = crate::sim::engine::seed::hex(&format!("layer {}", image.id));
    Ok(json!({
        "Id": image.id, "RepoTags": [image.name()], "RepoDigests": [image.repo_digest()], "Parent": "", "Comment": "",
        "Created": stamp(image.created), "DockerVersion": "", "Author": "", "Architecture": "amd64", "Os": "linux",
        "Size": image.size, "VirtualSize": image.size,
        "Config": { "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": null, "Labels": image.labels, "WorkingDir": "/app" },
        "GraphDriver": { "Name": "overlay2", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": [format!("sha256:{layer}")] },
        "Metadata": { "LastTagTime": stamp(image.created) },
    }))
}

fn bridge(machine: &Machine) -> Value {
    json!({
        "Name": "bridge", "Id": machine.network.as_ref(), "Created": BUILT, "Scope": "local", "Driver": "bridge",
        "EnableIPv4": true, "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": [{ "Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1" }] },
        "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": { "Network": "" }, "ConfigOnly": false,
        "Containers": {}, "Options": { "com.docker.network.bridge.name": "docker0" }, "Labels": {},
    })
}

/// `networks`.
pub fn networks(machine: &Machine) -> Value {
    json!([bridge(machine)])
}

/// `networks/{id}`.
pub fn network(machine: &Machine, name: &str) -> Result<Value, Refusal> {
    if name == "bridge" || (name.len() >= 4 && machine.network.starts_with(name)) {
        return Ok(bridge(machine));
    }
    Err(Refusal::new(404, format!("network {name} not found")))
}

/// `system/df`.
pub fn df(host: &Host, now: Moment) -> Value {
    let mut containers: Vec<Value> = Vec::new();
    for container in &host.containers {
        let mut row = super::containers::summary(host, container, now);
        if let Some(row) = row.as_object_mut() {
            row.insert("SizeRw".to_owned(), json!(container.seed % 4_000_000));
            row.insert("SizeRootFs".to_owned(), json!(container.spec.image.size + container.seed % 4_000_000));
        }
        containers.push(row);
    }
    let images: Vec<Value> = host.images.iter().map(|image| summary(host, image, true)).collect();
    let layers: u64 = host.images.iter().map(|image| image.size).sum();
    json!({ "LayersSize": layers, "Images": images, "Containers": containers, "Volumes": [], "BuildCache": [], "BuilderSize": 0 })
}
