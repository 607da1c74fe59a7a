//! What an engine is sent: a blueprint in its words, and files as archives.

use std::{collections::BTreeMap, io, io::Read as _, sync::Arc};

use serde_json::{Map, Value, json};

use crate::{
    delivery::{
        observed::{restart_word, word},
        plan::{Blueprint, MountKind},
        spec::Deliver,
    },
    engine::docker::MarkImage,
    run::port::MarkOrder,
};

/// The body of `POST /containers/create`. The error names a secret without a value.
pub(super) fn of(blueprint: &Blueprint, secrets: &BTreeMap<Arc<str>, Arc<str>>) -> Result<Value, String> {
    let mut env: Vec<String> = blueprint.vars.iter().map(|(key, value)| format!("{key}={value}")).collect();
    for secret in &blueprint.secrets {
        let value = secrets.get(&secret.name);
        let value = value.ok_or_else(|| format!("secret {} has no value: name its source in the configuration", secret.name))?;
        if secret.deliver == Deliver::Variable {
            env.push(format!("{}={value}", secret.name));
        }
    }
    let mut exposed = Map::new();
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in &blueprint.ports {
        let inside = format!("{}/{}", port.container, word(port.protocol));
        exposed.insert(inside.clone(), json!({}));
        let address = port.address.map(|address| address.to_string()).unwrap_or_default();
        bindings.entry(inside).or_default().push(json!({ "HostIp": address, "HostPort": port.host.to_string() }));
    }
    let kind = |kind| match kind {
        MountKind::Own | MountKind::External => "volume",
        MountKind::Host => "bind",
    };
    let mounts: Vec<Value> = blueprint
        .mounts
        .iter()
        .map(|mount| json!({ "Type": kind(mount.kind), "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only }))
        .collect();
    let mut host = json!({
        "NetworkMode": blueprint.network,
        "PortBindings": bindings,
        "RestartPolicy": { "Name": restart_word(blueprint.restart), "MaximumRetryCount": 0 },
        "Mounts": mounts,
    });
    if let Some(memory) = blueprint.memory {
        // Without the second an engine lets it have as much again of swap.
        host["Memory"] = json!(memory);
        host["MemorySwap"] = json!(memory);
    }
    if let Some(cpus) = blueprint.cpus {
        #[allow(clippy::cast_possible_truncation, reason = "billionths of a few cores")]
        let nano = (cpus * 1e9) as i64;
        host["NanoCpus"] = json!(nano);
    }
    if let Some(logs) = &blueprint.logs {
        let mut options = Map::new();
        options.extend(logs.max_size.as_ref().map(|size| ("max-size".to_owned(), json!(size))));
        options.extend(logs.max_file.map(|count| ("max-file".to_owned(), json!(count.to_string()))));
        host["LogConfig"] = json!({ "Type": "json-file", "Config": options });
    }
    let aliases: Vec<_> = blueprint.alias.iter().collect();
    let mut body = json!({
        "Image": blueprint.image,
        "Env": env,
        "Labels": blueprint.labels,
        "ExposedPorts": exposed,
        "StopTimeout": blueprint.stop.as_secs(),
        "HostConfig": host,
        "NetworkingConfig": { "EndpointsConfig": { &*blueprint.network: { "Aliases": aliases } } },
    });
    if let Some(command) = &blueprint.command {
        body["Cmd"] = json!(command);
    }
    Ok(body)
}

/// The body of a container that is never started.
pub(super) fn mark(order: &MarkOrder) -> Value {
    // Without a command an engine refuses an image that has none.
    json!({ "Image": MarkImage::REFERENCE, "Cmd": ["/never-started"], "Labels": order.labels, "HostConfig": { "NetworkMode": "none" } })
}

/// Files at the top of an archive.
pub(super) fn files<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    archive("", files, 0o600)
}

/// Files under `/run/secrets`, which whoever the container runs as may read.
pub(super) fn secrets<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    archive("run/secrets/", files, 0o444)
}

fn archive<'a>(under: &str, files: impl Iterator<Item = (&'a str, &'a [u8])>, mode: u32) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        builder.append_data(&mut header, format!("{under}{name}"), bytes)?;
    }
    builder.into_inner()
}

/// The first file of an archive.
pub(super) fn first_file(tar: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(tar);
    let Some(entry) = archive.entries()?.next() else { return Ok(None) };
    let mut bytes = Vec::new();
    entry?.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{
        plan::{Incoming, fixture::Shop},
        release::label,
        spec::{LogLimits, SecretUse},
    };

    #[test]
    fn a_blueprint_in_the_engines_words() {
        let mut shop = Shop::of_web(1).with_db();
        let db = &mut shop.service("db").spec;
        db.memory = Some(64 << 20);
        db.cpus = Some(0.5);
        db.logs = Some(LogLimits { max_size: Some("10m".into()), max_file: Some(3) });
        db.command = Some(vec!["postgres".into()]);
        db.secrets = vec![
            SecretUse { name: "DB_PASSWORD".into(), deliver: Deliver::Variable },
            SecretUse { name: "KEY".into(), deliver: Deliver::File },
        ];
        let plan = shop.plan(1).unwrap();
        let Some(Incoming::New { mut blueprint, .. }) = plan.services[0].changes[0].incoming.clone() else { panic!("it is new") };
        let body = blueprint.labels.remove(label::BODY).unwrap();
        assert_eq!(crate::delivery::packed::unpack(&body).map(|release| release.id()), Some(plan.release));
        let blueprint = &blueprint;
        assert!(of(blueprint, &BTreeMap::new()).unwrap_err().contains("DB_PASSWORD has no value"));
        let secrets = [("DB_PASSWORD", "s3cret"), ("KEY", "k")].map(|(key, value)| (Arc::from(key), Arc::from(value)));
        insta::assert_json_snapshot!(of(blueprint, &secrets.into_iter().collect()).unwrap());
    }

    #[test]
    fn files_come_back_out() {
        let tar = files([("journal.jsonl", &b"{}\n"[..])].into_iter()).unwrap();
        assert_eq!(first_file(&tar).unwrap().unwrap(), b"{}\n");
        assert_eq!(first_file(&[0; 1024]).unwrap(), None);
    }
}
