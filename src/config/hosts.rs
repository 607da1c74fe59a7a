//! The hosts of the fleet as the configuration names them.

use std::{net::IpAddr, path::Path};

use super::{
    context::DockerCli,
    endpoint::{Address, Endpoint, SshEngine, TlsFiles, masked},
};
use crate::{
    fleet::{EnvironmentId, HostId},
    written::{Entry, Origin, Reader, Said, Section, Value, choice, environment_ok, host_ok},
};

/// One host of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Its name, unique.
    pub id: HostId,
    /// Where its engine is reached; contexts are resolved.
    pub endpoint: Endpoint,
    /// The URL as written; it holds no password, since those are refused.
    pub url: String,
    /// The environment of what runs there.
    pub environment: Option<EnvironmentId>,
    /// Free words to select by.
    pub tags: Vec<String>,
    /// Where its published ports are reached; unless said, the IP literal of the URL.
    pub address: Option<String>,
    /// Who named it.
    pub origin: Origin,
}

/// Reads `[hosts.*]`.
pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section, docker: &DockerCli) -> Vec<HostConfig> {
    let mut hosts = Vec::new();
    for (name, origin, section) in top.named(reader, "hosts") {
        hosts.extend(host(reader, docker, &name, origin, section));
    }
    hosts
}

fn host(reader: &mut Reader<'_>, docker: &DockerCli, name: &str, origin: Origin, mut section: Section) -> Option<HostConfig> {
    let title = section.name.clone();
    if let Some((key, whole)) = dotted(&mut section, name) {
        reader.fault(&key, format!("[hosts.{whole}]: a name with dots must be quoted: [hosts.\"{whole}\"]"));
        return None;
    }
    if !host_ok(name) {
        reader.fault(&origin, format!("{title}: a host's name is letters, digits and . _ -, beginning with a letter or digit"));
    }
    let url = section.text(reader, "url");
    let address = section.text(reader, "address");
    let environment = section.text(reader, "environment").and_then(|said| environment(reader, &title, said));
    let tags = section.texts(reader, "tags").map_or_else(Vec::new, |said| said.value);
    let tls = tls(reader, &mut section);
    let ssh = section.text(reader, "ssh").and_then(|said| {
        let engine = choice(reader, &format!("{title}.ssh"), &said, &[("ssh2", SshEngine::Ssh2), ("openssh", SshEngine::Openssh)])?;
        Some((engine, said.origin))
    });
    section.finish(reader);
    let Some(url) = url else {
        reader.fault(&origin, format!("{title}: url is missing: for example url = \"ssh://ops@{name}\""));
        return None;
    };
    let mut endpoint = resolve(reader, docker, &format!("{title}.url"), &url)?;
    if let Some((files, at)) = tls {
        endpoint = with_tls(reader, &title, endpoint, files, &at, &url.value);
    }
    if let Some((chosen, at)) = ssh {
        match &mut endpoint {
            Endpoint::Ssh { engine, .. } => *engine = chosen,
            Endpoint::Unix { .. } | Endpoint::Tcp { .. } | Endpoint::Tls { .. } => {
                reader.fault(&at, format!("{title}.ssh: only an ssh:// URL takes it, this is {}", endpoint.scheme()));
            }
        }
    }
    let literal = || endpoint.machine().filter(|host| host.parse::<IpAddr>().is_ok()).map(str::to_owned);
    let address = address.map(|said| said.value).or_else(literal);
    Some(HostConfig { id: HostId::new(name), url: url.value, endpoint, environment, tags, address, origin })
}

/// A host made of a URL alone: `-H`, `DOCKER_HOST`, a context, a local socket.
pub(super) fn bare(name: &str, url: &str, endpoint: Endpoint, origin: Origin) -> HostConfig {
    let address = endpoint.machine().filter(|host| host.parse::<IpAddr>().is_ok()).map(str::to_owned);
    HostConfig { id: HostId::new(name), url: url.to_owned(), endpoint, environment: None, tags: Vec::new(), address, origin }
}

/// The name of a host of which only the URL is known.
pub(super) fn name_of(endpoint: &Endpoint) -> String {
    endpoint.machine().unwrap_or("local").to_owned()
}

pub(super) fn resolve(reader: &mut Reader<'_>, docker: &DockerCli, name: &str, url: &Said<String>) -> Option<Endpoint> {
    match Address::parse(&url.value) {
        Ok(Address::Engine(endpoint)) => Some(endpoint),
        Ok(Address::Context(context)) => docker.context(reader, name, &context, &url.origin),
        Err(error) => {
            reader.fault(&url.origin, format!("{name}: {error}"));
            None
        }
    }
}

fn with_tls(reader: &mut Reader<'_>, title: &str, endpoint: Endpoint, files: TlsFiles, at: &Origin, url: &str) -> Endpoint {
    match endpoint {
        Endpoint::Tcp { host, port } => Endpoint::Tls { host, port: tls_port(url, port), files },
        // A context that brought its own files: the ones said here win.
        Endpoint::Tls { host, port, .. } => Endpoint::Tls { host, port, files },
        other @ (Endpoint::Unix { .. } | Endpoint::Ssh { .. }) => {
            reader.fault(at, format!("{title}.tls: only a tcp:// URL takes TLS files, this is {}", other.scheme()));
            other
        }
    }
}

/// 2376 where the URL names no port.
pub(super) fn tls_port(url: &str, parsed: u16) -> u16 {
    let written = url.trim_end_matches('/').rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let bare_ipv6 = url.trim_end_matches('/').ends_with(']');
    if written && !bare_ipv6 { parsed } else { 2376 }
}

fn tls(reader: &mut Reader<'_>, section: &mut Section) -> Option<(TlsFiles, Origin)> {
    let (mut tls, at) = section.section(reader, "tls")?;
    let before = reader.faults.len();
    let ca = existing(reader, &mut tls, "ca");
    let cert = existing(reader, &mut tls, "cert");
    let key = existing(reader, &mut tls, "key");
    let name = tls.name.clone();
    tls.finish(reader);
    if before == reader.faults.len() {
        match (&ca, &cert, &key) {
            (None, _, _) => reader.fault(&at, format!("{name}: ca is missing: the authority that signed the engine's certificate")),
            (_, Some(_), None) => reader.fault(&at, format!("{name}: cert without key: both or neither")),
            (_, None, Some(_)) => reader.fault(&at, format!("{name}: key without cert: both or neither")),
            (Some(_), Some(_), Some(_)) | (Some(_), None, None) => {}
        }
    }
    Some((TlsFiles { ca, cert, key }, at))
}

fn existing(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<std::path::PathBuf> {
    let name = section.full(key);
    let said = section.path(reader, key)?;
    readable(reader, &said.origin, &name, &said.value);
    Some(said.value)
}

pub(super) fn readable(reader: &mut Reader<'_>, origin: &Origin, name: &str, path: &Path) {
    match std::fs::File::open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            reader.fault(origin, format!("{name}: there is no file {}", path.display()));
        }
        Err(error) => reader.fault(origin, format!("{name}: cannot read {}: {error}", path.display())),
    }
}

/// An environment: `[a-z0-9]+`. Without a dash, because dashes part the names of what is started there.
pub(super) fn environment(reader: &mut Reader<'_>, title: &str, said: Said<String>) -> Option<EnvironmentId> {
    if environment_ok(&said.value) {
        return Some(EnvironmentId::new(&said.value));
    }
    let remedy = if said.value.contains('-') { ": no dash, it parts the names of containers" } else { "" };
    reader.fault(&said.origin, format!("{title}: {:?} is no environment: lower-case letters and digits{remedy}", said.value));
    None
}

/// `[hosts.web1.example.com]` reads as tables in tables: finds the whole name.
fn dotted(section: &mut Section, name: &str) -> Option<(Origin, String)> {
    let known = ["url", "address", "environment", "tags", "tls", "ssh"];
    let (key, entry): (&String, &Entry) =
        section.rest().iter().find(|(key, entry)| !known.contains(&key.as_str()) && matches!(entry.node.value, Value::Table(_)))?;
    let origin = entry.key.clone();
    let mut whole = format!("{name}.{key}");
    let mut value = &entry.node.value;
    while let Value::Table(table) = value {
        let Some((key, inner)) = table
            .first()
            .filter(|(key, inner)| table.len() == 1 && !known.contains(&key.as_str()) && matches!(inner.node.value, Value::Table(_)))
        else {
            break;
        };
        whole = format!("{whole}.{key}");
        value = &inner.node.value;
    }
    Some((origin, whole))
}

/// Reads one `-H [NAME=]URL`.
pub(super) fn flag(reader: &mut Reader<'_>, docker: &DockerCli, text: &str) -> Option<HostConfig> {
    let origin = Origin::Flag("--host");
    let scheme = text.find("://").unwrap_or(text.len());
    let (name, url) = match text.find('=').filter(|at| *at < scheme) {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    };
    if let Some(name) = name.filter(|name| !host_ok(name)) {
        reader.fault(&origin, format!("{name:?}: a host's name is letters, digits and . _ -, beginning with a letter or digit"));
        return None;
    }
    let said = Said { value: url.to_owned(), origin: origin.clone() };
    let endpoint = resolve(reader, docker, "--host", &said)?;
    let endpoint = docker.protected(reader, "--host", endpoint, url, &origin);
    let name = match (name, Address::parse(url)) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(Address::Context(context))) => context,
        (None, Ok(Address::Engine(_)) | Err(_)) => name_of(&endpoint),
    };
    Some(bare(&name, &masked(url), endpoint, origin))
}
