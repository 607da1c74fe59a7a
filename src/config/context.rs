//! What the Docker CLI would talk to: `DOCKER_HOST`, its contexts, else a socket of this machine.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    endpoint::{Endpoint, TlsFiles},
    hosts::{HostConfig, bare, name_of, readable, tls_port},
};
use crate::written::{Origin, Reader};

/// The Docker CLI's own configuration, as far as it says where engines are.
#[derive(Clone)]
pub(super) struct DockerCli {
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub dir: Option<PathBuf>,
    /// `DOCKER_HOST`, `DOCKER_CONTEXT`, `DOCKER_TLS_VERIFY`, `DOCKER_TLS`, `DOCKER_CERT_PATH`, where set and not empty.
    pub env: BTreeMap<String, String>,
    /// Sockets to look for, most likely first.
    pub sockets: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct CliFile {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaEndpoint {
    host: Option<String>,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

impl DockerCli {
    fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The one host to show when none is configured. The order is the Docker CLI's: `DOCKER_HOST`, `DOCKER_CONTEXT`,
    /// `currentContext`, the local socket.
    pub fn discover(&self, reader: &mut Reader<'_>) -> Option<HostConfig> {
        if let Some(url) = self.var("DOCKER_HOST") {
            let origin = Origin::Variable("DOCKER_HOST".to_owned());
            let endpoint = match Endpoint::parse(url) {
                Ok(endpoint) => self.protected(reader, "DOCKER_HOST", endpoint, url, &origin),
                Err(error) => {
                    reader.fault(&origin, error.to_string());
                    return None;
                }
            };
            return Some(bare(&name_of(&endpoint), url, endpoint, origin));
        }
        let (context, named_by) = match self.var("DOCKER_CONTEXT") {
            Some(name) => (Some(name.to_owned()), Origin::Variable("DOCKER_CONTEXT".to_owned())),
            None => self.current(reader)?,
        };
        match context.filter(|name| name != "default") {
            Some(name) => {
                let endpoint = self.context(reader, "context", &name, &named_by)?;
                let url = endpoint.to_string();
                Some(bare(&name, &url, endpoint, Origin::Context { name: name.clone(), named_by: Box::new(named_by) }))
            }
            None => Some(self.local()),
        }
    }

    /// A socket of this machine: the first that is there, else the first of all, whose link will say what is wrong.
    fn local(&self) -> HostConfig {
        let found = self.sockets.iter().find(|path| path.exists()).or(self.sockets.first());
        let path = found.cloned().unwrap_or_else(|| PathBuf::from(super::endpoint::DEFAULT_SOCKET));
        let endpoint = Endpoint::Unix { path };
        bare("local", &endpoint.to_string(), endpoint, Origin::LocalSocket { looked_at: self.sockets.clone() })
    }

    /// `None` after a fault; a missing file is no fault.
    fn current(&self, reader: &mut Reader<'_>) -> Option<(Option<String>, Origin)> {
        let Some(dir) = &self.dir else { return Some((None, Origin::Default)) };
        let path = Arc::new(dir.join("config.json"));
        let origin = Origin::Whole(path.clone());
        match std::fs::read(&*path) {
            Ok(bytes) => match serde_json::from_slice::<CliFile>(&bytes) {
                Ok(file) => Some((file.current.filter(|name| !name.is_empty()), origin)),
                Err(error) => {
                    reader.fault(&origin, format!("not what the Docker CLI writes: {error}"));
                    None
                }
            },
            Err(error) if absent(&error) => Some((None, origin)),
            Err(error) => {
                reader.fault(&origin, format!("cannot read it: {error}"));
                None
            }
        }
    }

    /// Resolves a context by its files: `contexts/meta/<sha256 of the name>/meta.json` and
    /// `contexts/tls/<sha256>/docker/{ca,cert,key}.pem`.
    pub fn context(&self, reader: &mut Reader<'_>, title: &str, name: &str, named_by: &Origin) -> Option<Endpoint> {
        if name == "default" {
            return match self.var("DOCKER_HOST").map(Endpoint::parse) {
                Some(Ok(endpoint)) => Some(endpoint),
                Some(Err(error)) => {
                    reader.fault(named_by, format!("{title}: context \"default\": {error}"));
                    None
                }
                None => Some(self.local().endpoint),
            };
        }
        let Some(dir) = &self.dir else {
            reader.fault(named_by, format!("{title}: context {name:?}: neither DOCKER_CONFIG nor HOME is set"));
            return None;
        };
        let digest: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let meta = dir.join("contexts/meta").join(&digest).join("meta.json");
        let parsed = match std::fs::read(&meta) {
            Ok(bytes) => serde_json::from_slice::<Meta>(&bytes).map_err(|error| format!("{}: {error}", meta.display())),
            Err(error) if absent(&error) => {
                Err(format!("there is none of that name under {}: see docker context ls", dir.join("contexts").display()))
            }
            Err(error) => Err(format!("cannot read {}: {error}", meta.display())),
        };
        let found = parsed.and_then(|meta_file| {
            let entry = meta_file.endpoints.get("docker").ok_or_else(|| "it has no docker endpoint".to_owned())?;
            let host = entry.host.as_deref().filter(|host| !host.is_empty());
            let host = host.ok_or_else(|| "its docker endpoint has no host".to_owned())?;
            if entry.skip_tls_verify {
                return Err("it skips the verification of TLS, which is not done here: give the host its own url and tls".to_owned());
            }
            let endpoint = Endpoint::parse(host).map_err(|error| error.to_string())?;
            Ok(in_folder(endpoint, &dir.join("contexts/tls").join(&digest).join("docker"), host))
        });
        match found {
            Ok(endpoint) => Some(endpoint),
            Err(reason) => {
                reader.fault(named_by, format!("{title}: context {name:?}: {reason}"));
                None
            }
        }
    }

    /// TLS as `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` ask for it, for a TCP endpoint that has none.
    pub fn protected(&self, reader: &mut Reader<'_>, title: &str, endpoint: Endpoint, url: &str, origin: &Origin) -> Endpoint {
        let Endpoint::Tcp { host, port } = endpoint else { return endpoint };
        if self.var("DOCKER_TLS_VERIFY").is_none() {
            if self.var("DOCKER_TLS").is_some() {
                reader.fault(origin, format!("{title}: DOCKER_TLS alone skips verification: set DOCKER_TLS_VERIFY=1"));
            }
            return Endpoint::Tcp { host, port };
        }
        let Some(dir) = self.var("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| self.dir.clone()) else {
            reader.fault(origin, format!("{title}: DOCKER_TLS_VERIFY is set, but neither DOCKER_CERT_PATH nor HOME is"));
            return Endpoint::Tcp { host, port };
        };
        let file = |name: &str| dir.join(name);
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            readable(reader, origin, "DOCKER_TLS_VERIFY", &file(name));
        }
        let files = TlsFiles { ca: Some(file("ca.pem")), cert: Some(file("cert.pem")), key: Some(file("key.pem")) };
        Endpoint::Tls { host, port: tls_port(url, port), files }
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn in_folder(endpoint: Endpoint, dir: &Path, url: &str) -> Endpoint {
    let file = |name: &str| Some(dir.join(name)).filter(|path| path.exists());
    let files = TlsFiles { ca: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem") };
    match endpoint {
        Endpoint::Tcp { host, port } if files != TlsFiles::default() => Endpoint::Tls { host, port: tls_port(url, port), files },
        other @ (Endpoint::Unix { .. } | Endpoint::Tcp { .. } | Endpoint::Tls { .. } | Endpoint::Ssh { .. }) => other,
    }
}
