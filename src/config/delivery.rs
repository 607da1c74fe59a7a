//! What the configuration says of delivery: apps, builds, load balancers, secrets' sources, policies.
//!
//! Checked in full whenever a file is read, so that a mistake shows on the day it is made, not on the day of the deployment.

use std::{fmt, ops::RangeInclusive, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use indexmap::IndexMap;

use super::endpoint::masked;
use crate::{
    fleet::{AppName, EnvironmentId, HostId},
    written::{Entry, Origin, Reader, Said, Section, Value, choice, environment_ok, plain_ok},
};

/// How often an app's repository is asked for news when nobody says.
const POLL: Duration = Duration::from_secs(30);

/// Everything of the configuration that only delivery uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where builds, releases and deployments are recorded.
    pub ledger: LedgerConfig,
    /// For published ports without a host side.
    pub ports: RangeInclusive<u16>,
    /// How many good releases stay on hosts.
    pub keep: u32,
    /// Central Dockerfiles.
    pub dockerfiles: Option<Source>,
    /// `[apps.*]`.
    pub apps: IndexMap<AppName, AppConfig>,
    /// The host whose engine builds; `None`: the local one.
    pub build_host: Option<HostId>,
    /// `[lb.*]`.
    pub balancers: IndexMap<String, BalancerConfig>,
    /// `[secrets.APP.ENVIRONMENT]`: variable → source.
    pub secrets: IndexMap<(AppName, EnvironmentId), IndexMap<String, SecretSource>>,
    /// `[policy.ENVIRONMENT]`.
    pub policies: IndexMap<EnvironmentId, PolicyConfig>,
}

/// Which ledger.
#[derive(Clone, PartialEq, Eq)]
pub enum LedgerConfig {
    /// In the state directory.
    Sqlite,
    /// A `postgres://` URL without a password.
    Postgres(String),
}

impl fmt::Debug for LedgerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("Sqlite"),
            Self::Postgres(url) => write!(f, "Postgres({:?})", masked(url)),
        }
    }
}

/// A file here or a git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An absolute path.
    Path(PathBuf),
    /// A repository that we fetch.
    Git {
        /// As `git fetch` takes it.
        url: String,
        /// `None`: its default branch.
        branch: Option<String>,
    },
}

/// One `[apps.*]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppConfig {
    /// Where its `quarterdeck.toml` is.
    pub template: Option<Source>,
    /// Whether commands of its repository may run on this machine.
    pub local_commands: bool,
    /// How often `pipeline --watch` asks for news of it.
    pub poll: Duration,
    /// Versions whose images stay on hosts however old they are.
    pub pinned: Vec<String>,
}

/// One `[lb.*]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerConfig {
    /// Which kind of balancer.
    pub kind: BalancerKind,
    /// The host that it runs on, over whose link it is reached; `None`: this machine.
    pub host: Option<HostId>,
    /// HAProxy's runtime API, `unix://` or `tcp://`; `None` for other kinds.
    pub admin: Option<super::Endpoint>,
    /// The server-state file that it loads at start.
    pub persist: Option<PathBuf>,
    /// A URL of the front end that is probed while a run lasts.
    pub probe: Option<String>,
}

/// Which kind of balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BalancerKind {
    /// HAProxy, by its runtime API.
    Haproxy,
    /// Anything that reads its servers from a file.
    Files(FilesConfig),
    /// None that we steer.
    None,
}

/// A balancer that reads its servers from files. Its commands run where it runs; they come from here only, never from a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// On this machine; what a file is made from.
    pub template: PathBuf,
    /// Backend → its file on the balancer's host.
    pub files: IndexMap<String, PathBuf>,
    /// Ends with 0 when the balancer would take the files.
    pub check: Vec<String>,
    /// Has the balancer read them.
    pub reload: Vec<String>,
    /// So long after a reload old requests may still be under way.
    pub settle: Duration,
}

/// Where a secret's value comes from; the value itself is never held here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file of mode 0600.
    File(PathBuf),
    /// A variable of our environment.
    Env(String),
    /// The output of a command.
    Command(Vec<String>),
}

/// One `[policy.*]`: it may only tighten what the template says, and a later layer only an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Confirmations by others; the larger holds.
    pub approve: u32,
    /// Takes only builds that are good there.
    pub after: Option<EnvironmentId>,
    /// A verification is required.
    pub verify: bool,
    /// `--override` is refused.
    pub no_override: bool,
}

/// Reads every key of delivery from the top table.
pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section) -> Delivery {
    Delivery {
        ledger: ledger(reader, top),
        ports: ports(reader, top),
        keep: top.number(reader, "keep", 1).map_or(5, |said| said.value),
        dockerfiles: top.take("dockerfiles").and_then(|entry| source(reader, "dockerfiles", entry)),
        apps: apps(reader, top),
        build_host: build_host(reader, top),
        balancers: balancers(reader, top),
        secrets: secrets(reader, top),
        policies: policies(reader, top),
    }
}

fn ledger(reader: &mut Reader<'_>, top: &mut Section) -> LedgerConfig {
    let Some(said) = top.text(reader, "ledger") else { return LedgerConfig::Sqlite };
    let postgres = said.value.starts_with("postgres://") || said.value.starts_with("postgresql://");
    match () {
        () if said.value == "sqlite" => LedgerConfig::Sqlite,
        () if postgres && masked(&said.value) != said.value || said.value.contains("password=") => {
            reader.fault(&said.origin, "ledger: no password in the URL: put it into the file that PGPASSFILE names");
            LedgerConfig::Sqlite
        }
        () if postgres => LedgerConfig::Postgres(said.value),
        () => {
            reader.fault(&said.origin, format!("ledger: {:?}: expected sqlite or a postgres:// URL", masked(&said.value)));
            LedgerConfig::Sqlite
        }
    }
}

fn ports(reader: &mut Reader<'_>, top: &mut Section) -> RangeInclusive<u16> {
    let default = 20_000..=29_999;
    let Some(said) = top.text(reader, "ports") else { return default };
    let range = said.value.split_once('-').and_then(|(first, last)| Some(first.trim().parse().ok()?..=last.trim().parse().ok()?));
    match range.filter(|range: &RangeInclusive<u16>| *range.start() > 0 && !range.is_empty()) {
        Some(range) => range,
        None => {
            reader.fault(&said.origin, format!("ports: {:?} is no range: for example \"20000-29999\"", said.value));
            default
        }
    }
}

fn source(reader: &mut Reader<'_>, name: &str, entry: Entry) -> Option<Source> {
    let origin = entry.node.origin.clone();
    match entry.node.value {
        Value::Text(text) => reader.path(&origin, name, &text).map(Source::Path),
        Value::Table(table) => {
            let mut section = Section::new(name, table);
            let git = section.text(reader, "git");
            let branch = section.text(reader, "branch").map(|said| said.value);
            section.finish(reader);
            let Some(git) = git else {
                reader.fault(&origin, format!("{name}: git is missing: {{ git = \"ssh://git@host/repository\" }}, or a path"));
                return None;
            };
            if masked(&git.value) != git.value || git.value.starts_with('-') {
                reader.fault(&git.origin, format!("{name}.git: {:?}: no password and no leading dash here", masked(&git.value)));
                return None;
            }
            Some(Source::Git { url: git.value, branch })
        }
        other => {
            reader.fault(&origin, format!("{name}: expected a path or {{ git = … }}, found {}", other.kind()));
            None
        }
    }
}

fn apps(reader: &mut Reader<'_>, top: &mut Section) -> IndexMap<AppName, AppConfig> {
    let mut apps = IndexMap::new();
    for (name, origin, mut section) in top.named(reader, "apps") {
        plain_name(reader, "apps", &name, &origin);
        let template = section.take("template").and_then(|entry| source(reader, &format!("apps.{name}.template"), entry));
        let local_commands = section.flag(reader, "local-commands").is_some_and(|said| said.value);
        let poll = match section.text(reader, "poll").map(|said| (seconds(&said.value), said)) {
            None => POLL,
            Some((Some(poll), _)) if !poll.is_zero() => poll,
            Some((_, said)) => {
                reader.fault(&said.origin, format!("apps.{name}.poll: {:?} is no time to wait: \"30s\" or \"5m\"", said.value));
                POLL
            }
        };
        let pinned = section.texts(reader, "pinned").map(|said| said.value).unwrap_or_default();
        section.finish(reader);
        apps.insert(AppName::new(&name), AppConfig { template, local_commands, poll, pinned });
    }
    apps
}

fn build_host(reader: &mut Reader<'_>, top: &mut Section) -> Option<HostId> {
    let (mut build, _) = top.section(reader, "build")?;
    let host = build.text(reader, "host").map(|said| HostId::new(&said.value));
    build.finish(reader);
    host
}

fn balancers(reader: &mut Reader<'_>, top: &mut Section) -> IndexMap<String, BalancerConfig> {
    let mut balancers = IndexMap::new();
    for (name, origin, mut section) in top.named(reader, "lb") {
        let title = section.name.clone();
        let kinds = [("haproxy", Kind::Haproxy), ("files", Kind::Files), ("none", Kind::None)];
        let kind = match section.text(reader, "kind") {
            Some(kind) => choice(reader, &format!("{title}.kind"), &kind, &kinds).unwrap_or(Kind::Haproxy),
            None => {
                reader.fault(&origin, format!("{title}: kind is missing: kind = \"haproxy\""));
                Kind::Haproxy
            }
        };
        let host = section.text(reader, "host").map(|said| HostId::new(&said.value));
        let probe = section.text(reader, "probe");
        if let Some(said) = probe.as_ref().filter(|said| !said.value.starts_with("http://")) {
            reader.fault(
                &said.origin,
                format!("{title}.probe: {:?}: only http:// is probed: name the front end's plain port", masked(&said.value)),
            );
        }
        let probe = probe.map(|said| said.value);
        let found = match kind {
            Kind::Haproxy => haproxy(reader, &title, &origin, &mut section),
            Kind::Files => files(reader, &title, &origin, &mut section),
            Kind::None => Some((BalancerKind::None, None, None)),
        };
        section.finish(reader);
        balancers.extend(found.map(|(kind, admin, persist)| (name, BalancerConfig { kind, host, admin, persist, probe })));
    }
    balancers
}

#[derive(Clone, Copy)]
enum Kind {
    Haproxy,
    Files,
    None,
}

/// What differs from kind to kind: the kind, where its runtime API is, and the file that it loads at start.
type Ways = (BalancerKind, Option<super::Endpoint>, Option<PathBuf>);

fn haproxy(reader: &mut Reader<'_>, title: &str, origin: &Origin, section: &mut Section) -> Option<Ways> {
    let insecure = section.flag(reader, "insecure").is_some_and(|said| said.value);
    let admin = section.text(reader, "admin");
    let persist = section.text(reader, "persist").map(|said| PathBuf::from(said.value));
    let Some(admin) = admin else {
        reader.fault(origin, format!("{title}: admin is missing: admin = \"unix:///run/haproxy/admin.sock\""));
        return None;
    };
    match super::Endpoint::parse(&admin.value) {
        Ok(endpoint) if endpoint.unprotected() && !insecure => {
            let message = format!("{title}.admin: the socket has no password: tcp:// only on loopback, or with insecure = true");
            reader.fault(&admin.origin, message);
            None
        }
        Ok(super::Endpoint::Ssh { .. } | super::Endpoint::Tls { .. }) => {
            reader.fault(&admin.origin, format!("{title}.admin: expected unix:// or tcp://"));
            None
        }
        Ok(endpoint) => Some((BalancerKind::Haproxy, Some(endpoint), persist)),
        Err(error) => {
            reader.fault(&admin.origin, format!("{title}.admin: {error}"));
            None
        }
    }
}

fn files(reader: &mut Reader<'_>, title: &str, origin: &Origin, section: &mut Section) -> Option<Ways> {
    let template = section.path(reader, "template").map(|said| said.value);
    let mut files = IndexMap::new();
    let table = section.section(reader, "files");
    let no_table = table.is_none();
    if let Some((table, _)) = table {
        let name = table.name.clone();
        for (backend, entry) in table.into_entries() {
            match entry.node.value {
                Value::Text(path) if path.starts_with('/') => drop(files.insert(backend, PathBuf::from(path))),
                Value::Text(_) => {
                    reader.fault(&entry.node.origin, format!("{name}.{backend}: expected an absolute path on the balancer's host"))
                }
                other => reader.fault(&entry.node.origin, format!("{name}.{backend}: expected a path, found {}", other.kind())),
            }
        }
    }
    let mut command = |key: &'static str| section.texts(reader, key).map(|said| said.value).filter(|words| !words.is_empty());
    let (check, reload) = (command("check"), command("reload"));
    let settle = section.text(reader, "settle");
    let settle = match settle.map(|said| (seconds(&said.value), said)) {
        None => Duration::ZERO,
        Some((Some(settle), _)) => settle,
        Some((None, said)) => {
            reader.fault(&said.origin, format!("{title}.settle: {:?} is no time: \"10s\" or \"2m\"", said.value));
            Duration::ZERO
        }
    };
    match (template, check, reload, files.is_empty()) {
        (Some(template), Some(check), Some(reload), false) => {
            Some((BalancerKind::Files(FilesConfig { template, files, check, reload, settle }), None, None))
        }
        (template, check, reload, _) => {
            for (missing, key) in [
                (template.is_none(), "template = \"upstream.tmpl\""),
                (no_table, "files = { shop_web = \"/etc/nginx/conf.d/shop_web.conf\" }"),
                (check.is_none(), "check = [\"nginx\", \"-t\"]"),
                (reload.is_none(), "reload = [\"nginx\", \"-s\", \"reload\"]"),
            ] {
                if missing {
                    let name = key.split(' ').next().unwrap_or_default();
                    reader.fault(origin, format!("{title}: {name} is missing: {key}"));
                }
            }
            None
        }
    }
}

/// `10s`, `2m`.
fn seconds(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        _ => return None,
    };
    Some(Duration::from_secs(digits.parse::<u64>().ok()?.checked_mul(unit)?))
}

fn secrets(reader: &mut Reader<'_>, top: &mut Section) -> IndexMap<(AppName, EnvironmentId), IndexMap<String, SecretSource>> {
    let mut all = IndexMap::new();
    for (app, origin, section) in top.named(reader, "secrets") {
        plain_name(reader, "secrets", &app, &origin);
        for (environment, origin, section) in section.into_named(reader) {
            environment_name(reader, "secrets", &environment, &origin);
            let title = section.name.clone();
            let mut sources = IndexMap::new();
            for (variable, entry) in section.into_entries() {
                let at = entry.key.clone();
                let found = Section::of(reader, format!("{title}.{variable}"), entry.node).and_then(|s| secret(reader, s, &at));
                sources.extend(found.map(|source| (variable, source)));
            }
            all.insert((AppName::new(&app), EnvironmentId::new(&environment)), sources);
        }
    }
    all
}

fn secret(reader: &mut Reader<'_>, mut section: Section, at: &Origin) -> Option<SecretSource> {
    let title = section.name.clone();
    let before = reader.faults.len();
    let file = section.path(reader, "file");
    let env = section.text(reader, "env");
    let command = section.texts(reader, "command");
    section.finish(reader);
    match (file, env, command) {
        (Some(file), None, None) => {
            private(reader, &title, &file);
            Some(SecretSource::File(file.value))
        }
        (None, Some(env), None) => Some(SecretSource::Env(env.value)),
        (None, None, Some(command)) if !command.value.is_empty() => Some(SecretSource::Command(command.value)),
        (None, None, Some(command)) => {
            reader.fault(&command.origin, format!("{title}.command: is empty"));
            None
        }
        (None, None, None) => {
            if before == reader.faults.len() {
                reader.fault(at, format!("{title}: no source: expected one of file, env or command"));
            }
            None
        }
        _ => {
            reader.fault(at, format!("{title}: more than one source: give file, env or command"));
            None
        }
    }
}

/// A file that is not there yet, or not ours to look at, is the deployment's matter.
fn private(reader: &mut Reader<'_>, title: &str, file: &Said<PathBuf>) {
    let Ok(meta) = std::fs::metadata(&file.value) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = file.value.display();
        reader.fault(&file.origin, format!("{title}.file: {path} is open to others (mode {mode:04o}): chmod 600 {path}"));
    }
}

fn policies(reader: &mut Reader<'_>, top: &mut Section) -> IndexMap<EnvironmentId, PolicyConfig> {
    let mut policies = IndexMap::new();
    for (name, origin, mut section) in top.named(reader, "policy") {
        environment_name(reader, "policy", &name, &origin);
        let title = section.name.clone();
        let approve = section.number(reader, "approve", 0).map_or(0, |said| said.value);
        let after = section.text(reader, "after").and_then(|said| super::hosts::environment(reader, &title, said));
        let verify = section.flag(reader, "verify");
        let overriding = section.flag(reader, "override");
        section.finish(reader);
        if let Some(said) = verify.as_ref().filter(|said| !said.value) {
            reader.fault(&said.origin, format!("{title}.verify: a policy may only tighten: verify = true, or leave it out"));
        }
        if let Some(said) = overriding.as_ref().filter(|said| said.value) {
            reader.fault(&said.origin, format!("{title}.override: a policy may only tighten: override = false, or leave it out"));
        }
        let policy = PolicyConfig { approve, after, verify: verify.is_some(), no_override: overriding.is_some() };
        policies.insert(EnvironmentId::new(&name), policy);
    }
    policies
}

fn plain_name(reader: &mut Reader<'_>, table: &str, name: &str, origin: &Origin) {
    if !plain_ok(name) {
        reader.fault(origin, format!("{table}: {name:?} is no app: lower-case letters, digits and -"));
    }
}

fn environment_name(reader: &mut Reader<'_>, table: &str, name: &str, origin: &Origin) {
    if !environment_ok(name) {
        reader.fault(origin, format!("{table}: {name:?} is no environment: lower-case letters and digits, no dash"));
    }
}
