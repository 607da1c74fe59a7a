//! The layers, read once and merged: defaults < /etc < the user's file < environment < flags.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use super::{Config, context::DockerCli, delivery, endpoint::DEFAULT_SOCKET, hosts, identity, merge::merge};
use crate::written::{Entry, Fault, Faults, Node, Origin, Reader, Section, Table, Value, parse, suggestion};

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: in place of the user's file; it must exist.
    pub config: Option<PathBuf>,
    /// `--host [NAME=]URL`, in order; replaces the configured hosts.
    pub hosts: Vec<String>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--state`.
    pub state: Option<PathBuf>,
}

/// Everything the configuration is made of, explicit, so that tests need no process environment.
///
/// It has no `Debug`: the environment may hold secrets.
#[derive(Clone, Default)]
pub struct Layers {
    /// The machine's file, always read when it exists.
    pub etc: PathBuf,
    /// The user's file, read when it exists.
    pub user: Option<PathBuf>,
    /// The environment: `QUARTERDECK_*`, `DOCKER_*` and `XDG_STATE_HOME` are looked at.
    pub env: BTreeMap<String, String>,
    /// The command line.
    pub flags: Flags,
    /// For `~`.
    pub home: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker_config_dir: Option<PathBuf>,
    /// Where an engine of this machine may listen, most likely first.
    pub sockets: Vec<PathBuf>,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
}

/// The top-level keys that a variable can set.
const VARIABLES: [(&str, &str, Kind); 9] = [
    ("QUARTERDECK_THEME", "theme", Kind::Text),
    ("QUARTERDECK_KEYMAP", "keymap", Kind::Text),
    ("QUARTERDECK_READ_ONLY", "read-only", Kind::Flag),
    ("QUARTERDECK_STATE", "state", Kind::Text),
    ("QUARTERDECK_LEDGER", "ledger", Kind::Text),
    ("QUARTERDECK_CLOCK", "clock", Kind::Flag),
    ("QUARTERDECK_MOUSE", "mouse", Kind::Flag),
    ("QUARTERDECK_PORTS", "ports", Kind::Text),
    ("QUARTERDECK_KEEP", "keep", Kind::Number),
];

impl Layers {
    /// The layers of this process: the only place that reads its environment.
    pub fn from_process(flags: Flags) -> Self {
        // A variable that is no text cannot be a name or a URL of ours.
        let env: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect();
        let dir = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = dir("HOME");
        let config_home = dir("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        let docker = env.get("DOCKER_CONFIG").filter(|text| !text.is_empty()).map(PathBuf::from);
        let mut sockets = vec![PathBuf::from(DEFAULT_SOCKET)];
        if let Some(runtime) = dir("XDG_RUNTIME_DIR") {
            sockets.extend([runtime.join("docker.sock"), runtime.join("podman/podman.sock")]);
        }
        sockets.push(PathBuf::from("/run/podman/podman.sock"));
        Self {
            etc: PathBuf::from("/etc/quarterdeck/config.toml"),
            user: config_home.map(|dir| dir.join("quarterdeck/config.toml")),
            docker_config_dir: docker.or_else(|| home.as_ref().map(|home| home.join(".docker"))),
            env,
            flags,
            home,
            sockets,
        }
    }

    /// The directory of a person's own files: where their `config.toml` is, or would be.
    pub fn config_dir(&self) -> Option<PathBuf> {
        self.user.as_ref().and_then(|file| file.parent()).map(PathBuf::from)
    }

    /// Reads and merges everything; all faults at once.
    pub fn load(&self) -> Result<Config, Faults> {
        let mut faults = Vec::new();
        let mut files = Vec::new();
        let mut merged = Table::new();
        let user = self.flags.config.as_ref().or(self.user.as_ref());
        let sources = [(Some(&self.etc), false), (user, self.flags.config.is_some())];
        for (path, must_exist) in sources {
            let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { continue };
            // Relative paths in a file start at its directory, which must not depend on ours.
            let path = Arc::new(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
            if let Some(table) = read_file(&path, must_exist, &mut faults) {
                files.push(path.as_ref().clone());
                merge(&mut merged, table);
            }
        }
        merge(&mut merged, self.variables(&mut faults));
        merge(&mut merged, self.flag_layer());
        let mut reader = Reader { home: self.home.as_deref(), faults };
        let config = self.decode(&mut reader, merged, files);
        match (reader.faults.is_empty(), config) {
            (true, Some(config)) => Ok(config),
            (_, _) => Err(Faults::new(reader.faults)),
        }
    }

    fn decode(&self, reader: &mut Reader<'_>, merged: Table, files: Vec<PathBuf>) -> Option<Config> {
        let docker = DockerCli { dir: self.docker_config_dir.clone(), env: self.env.clone(), sockets: self.sockets.clone() };
        let mut top = Section::new("", merged);
        let theme = top.text(reader, "theme").map_or_else(|| "harbor".to_owned(), |said| said.value);
        let keymap = top.text(reader, "keymap").map_or_else(|| "default".to_owned(), |said| said.value);
        let read_only = top.flag(reader, "read-only").filter(|said| said.value).map(|said| said.origin);
        let clock = top.flag(reader, "clock").is_none_or(|said| said.value);
        let mouse = top.flag(reader, "mouse").is_none_or(|said| said.value);
        let state = top.path(reader, "state").map(|said| said.value).or_else(|| self.default_state());
        let mut hosts = hosts::read(reader, &mut top, &docker);
        let identity = identity::read(reader, &mut top);
        let delivery = delivery::read(reader, &mut top);
        top.finish(reader);
        if !self.flags.hosts.is_empty() {
            hosts = self.flags.hosts.iter().filter_map(|text| hosts::flag(reader, &docker, text)).collect();
            for (index, host) in hosts.iter().enumerate() {
                if hosts[..index].iter().any(|other| other.id == host.id) {
                    reader.fault(&host.origin, format!("two hosts are named {:?}: give names, --host NAME=URL", host.id.as_str()));
                }
            }
        } else if hosts.is_empty() && reader.faults.is_empty() {
            hosts.extend(docker.discover(reader));
        }
        let Some(state) = state else {
            reader.fault(&Origin::Default, "state: neither XDG_STATE_HOME nor HOME is set: say state = \"/path\" or --state");
            return None;
        };
        Some(Config {
            theme,
            keymap,
            read_only: read_only.is_some(),
            read_only_origin: read_only,
            state,
            clock,
            mouse,
            hosts,
            identity,
            delivery,
            files,
        })
    }

    fn default_state(&self) -> Option<PathBuf> {
        let named = self.env.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(self.home.as_ref()?.join(".local/state"))).map(|dir| dir.join("quarterdeck"))
    }

    /// `QUARTERDECK_*` as a layer. An unknown one is a fault: a mistyped `QUARTERDECK_READONLY` must not pass in silence.
    fn variables(&self, faults: &mut Vec<Fault>) -> Table {
        let mut table = Table::new();
        for (name, text) in self.env.iter().filter(|(name, text)| name.starts_with("QUARTERDECK_") && !text.is_empty()) {
            let origin = Origin::Variable(name.clone());
            let Some((_, key, kind)) = VARIABLES.iter().find(|(known, _, _)| known == name) else {
                let known: Vec<&str> = VARIABLES.iter().map(|(known, _, _)| *known).collect();
                faults.push(Fault::new(&origin, format!("unknown variable{}", suggestion(name, &known))));
                continue;
            };
            let value = match (kind, text.as_str()) {
                (Kind::Text, _) => Some(Value::Text(text.clone())),
                (Kind::Flag, "true" | "1" | "yes" | "on") => Some(Value::Flag(true)),
                (Kind::Flag, "false" | "0" | "no" | "off") => Some(Value::Flag(false)),
                (Kind::Flag, _) => None,
                (Kind::Number, _) => text.parse().ok().map(Value::Integer),
            };
            match value {
                Some(value) => insert(&mut table, key, &origin, value),
                None => faults.push(Fault::new(&origin, format!("{key}: {text:?} is neither true nor false, nor a number it takes"))),
            }
        }
        table
    }

    fn flag_layer(&self) -> Table {
        let mut table = Table::new();
        if self.flags.read_only {
            insert(&mut table, "read-only", &Origin::Flag("--read-only"), Value::Flag(true));
        }
        if let Some(state) = &self.flags.state {
            // The person typed it in their own directory.
            let whole = std::path::absolute(state).unwrap_or_else(|_| state.clone());
            insert(&mut table, "state", &Origin::Flag("--state"), Value::Text(whole.to_string_lossy().into_owned()));
        }
        table
    }
}

fn insert(table: &mut Table, key: &str, origin: &Origin, value: Value) {
    table.insert(key.to_owned(), Entry { key: origin.clone(), node: Node { origin: origin.clone(), value } });
}

fn read_file(path: &Arc<PathBuf>, must_exist: bool, faults: &mut Vec<Fault>) -> Option<Table> {
    let origin = Origin::Whole(path.clone());
    let bytes = match std::fs::read(&**path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            faults.push(Fault::new(&origin, "there is no such file: --config names it"));
            return None;
        }
        Err(error) => {
            faults.push(Fault::new(&origin, format!("cannot read it: {error}")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(path, &text, faults),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            faults.push(Fault::new(&origin, format!("is not UTF-8 text (byte {at})")));
            None
        }
    }
}
