//! `build`: a commit of an app as images in its registry.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    json,
    out::{self, complain},
    table::{Column, Table},
};
use crate::{
    build::{
        self, Bench, BuildFault, Built, Central, Logins, Material, Progress, TreeFile,
        git::{GitError, Place, Repository, Snapshot},
        version,
    },
    config::{DEFAULT_SOCKET, Endpoint, Layers, Source},
    delivery::template::{FILE, Template, VersionSource},
    engine::{
        docker::{Client, EngineError, Handshake, Meter},
        transport::Transports,
    },
    fleet::AppName,
    ledger::{
        StateDir,
        audit::{Intent, Outcome, Target, Who},
    },
    text::{self, nearest},
};

/// The act's name in the audit.
const ACTION: &str = "app.build";
/// How long a connection to the engine that builds may take.
const CONNECT: Duration = Duration::from_secs(30);

/// What is asked for.
pub struct Request<'a> {
    /// An app of the configuration, or the path of a template.
    pub app: &'a str,
    pub rev: Option<&'a str>,
    pub push: bool,
    /// Whether what steps print is shown.
    pub logs: bool,
    pub output: Output,
}

/// Builds, tests and pushes.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("build")?;
    if sources.sim.is_some() {
        return Err(Failure::usage("build: simulated hosts build nothing: leave --sim out"));
    }
    let layers = Layers::from_process(global.flags());
    let mut said = Said::new(request.output.format, request.logs);
    wait(async {
        let template = Named::find(&sources, request.app)?;
        let commit = template.fetch(request.rev, &sources).await?;
        let (host, endpoint) = engine_of(&sources)?;
        let link = link(&host, &endpoint, &sources).await?;
        let stop = CancellationToken::new();
        let work = perform(&sources, &commit, &link, &layers, request, &stop, &mut said);
        tokio::pin!(work);
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else {
            return Err(Failure::failed("signals cannot be received"));
        };
        tokio::select! {
            done = &mut work => return done,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        stop.cancel();
        work.await
    })
}

/// A template by where it is.
struct Named {
    repository: Repository,
    /// Its directory from the repository's root; empty: the root.
    home: String,
    /// Its name there.
    file: String,
    /// The app that the configuration takes it for.
    app: Option<AppName>,
}

/// A template at one commit.
struct Commit {
    named: Named,
    snapshot: Snapshot,
    files: Vec<TreeFile>,
    template: Template,
    version: String,
}

/// A connection to the engine that builds.
struct Link {
    client: Client,
    host: String,
    handshake: Handshake,
    platform: String,
}

impl Named {
    fn find(sources: &Sources, word: &str) -> Result<Self, Failure> {
        let apps = &sources.config.delivery.apps;
        let state = &sources.config.state;
        let is_path = word.contains('/') || word.ends_with(".toml") || word == ".";
        let (source, app) = match apps.get(word) {
            Some(app) if !is_path => {
                let missing = || Failure::usage(format!("apps.{word}: template is missing: template = {{ git = \"ssh://…\" }}, or a path"));
                (app.template.clone().ok_or_else(missing)?, Some(AppName::new(word)))
            }
            None if !is_path => {
                let near =
                    nearest(word, apps.keys().map(AppName::as_str)).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
                return Err(Failure::usage(format!(
                    "there is no [apps.{word}] in the configuration{near}: name one of it, or the path of a {FILE}"
                )));
            }
            _ => (Source::Path(PathBuf::from(word)), None),
        };
        let path = match source {
            Source::Path(path) => path,
            Source::Git { url, branch } => {
                let repository = Repository::new(Place::Remote { url, branch }, state);
                return Ok(Self { repository, home: String::new(), file: FILE.to_owned(), app });
            }
        };
        let path = if path.is_dir() { path.join(FILE) } else { path };
        let whole = std::fs::canonicalize(&path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        let place = Place::around(&whole).map_err(Failure::usage)?;
        let Place::Tree(root) = &place else { return Err(Failure::usage(format!("{}: is in no work tree", path.display()))) };
        let below = whole.strip_prefix(root).ok().and_then(Path::to_str);
        let below = below.ok_or_else(|| Failure::usage(format!("{}: its path is not UTF-8", path.display())))?;
        let (home, file) = below.rsplit_once('/').unwrap_or(("", below));
        Ok(Self { home: home.to_owned(), file: file.to_owned(), repository: Repository::new(place, state), app })
    }

    /// The commit, and the template as it is in it.
    async fn fetch(self, rev: Option<&str>, sources: &Sources) -> Result<Commit, Failure> {
        StateDir::at(&sources.config.state).prepare().map_err(Failure::failed)?;
        self.repository.fetch().await.map_err(git)?;
        let mut snapshot = self.repository.snapshot(self.repository.resolve(rev).await.map_err(git)?).await.map_err(git)?;
        if rev.is_none() {
            snapshot = self.repository.with_changes(snapshot).await.map_err(git)?;
        }
        let files = self.repository.files(&snapshot.tree).await.map_err(git)?;
        let read = async |file: &str| {
            let path = if self.home.is_empty() { file.to_owned() } else { format!("{}/{file}", self.home) };
            match self.repository.read(&files, &path).await {
                Ok(Some(bytes)) => Ok((path, String::from_utf8_lossy(&bytes).into_owned())),
                Ok(None) => Err(Failure::usage(BuildFault::NoFile { file: path })),
                Err(error) => Err(git(error)),
            }
        };
        let (path, text) = read(&self.file).await?;
        let template = Template::parse(Path::new(&path), &text).map_err(Failure::usage)?;
        if let Some(app) = self.app.as_ref().filter(|app| **app != template.spec.app) {
            let other = &template.spec.app;
            return Err(Failure::usage(format!(
                "{path}: is of the app {other}, and the configuration takes it for {app}: mend app.name, or [apps.{app}]"
            )));
        }
        let version = match &template.version {
            VersionSource::Literal(version) => version.to_string(),
            VersionSource::File { file, key } => {
                let (path, text) = read(file).await?;
                version::read(&path, &text, key).map_err(Failure::usage)?
            }
        };
        Ok(Commit { named: self, snapshot, files, template, version })
    }
}

/// Usage, where the person can mend it by another word; a failure else.
fn git(error: GitError) -> Failure {
    match error {
        GitError::NoRepository { .. } | GitError::NoRevision { .. } => Failure::usage(error),
        GitError::Missing
        | GitError::Failed { .. }
        | GitError::Fetch { .. }
        | GitError::Shallow { .. }
        | GitError::NoCommit { .. }
        | GitError::Cache { .. }
        | GitError::Busy { .. } => Failure::failed(error),
    }
}

/// The host whose engine builds: the configuration's, else a socket of this machine.
fn engine_of(sources: &Sources) -> Result<(String, Endpoint), Failure> {
    let hosts = &sources.config.hosts;
    if let Some(name) = &sources.config.delivery.build_host {
        let found = hosts.iter().find(|host| host.id == *name);
        let near = nearest(name.as_str(), hosts.iter().map(|host| host.id.as_str()));
        let near = near.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
        let host = found.ok_or_else(|| Failure::usage(format!("build.host: there is no host {:?}{near}", name.as_str())))?;
        return Ok((host.id.to_string(), host.endpoint.clone()));
    }
    let local = hosts.iter().find(|host| matches!(host.endpoint, Endpoint::Unix { .. }));
    let default = || ("local".to_owned(), Endpoint::Unix { path: DEFAULT_SOCKET.into() });
    Ok(local.map_or_else(default, |host| (host.id.to_string(), host.endpoint.clone())))
}

async fn link(host: &str, endpoint: &Endpoint, sources: &Sources) -> Result<Link, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::incomplete(format!("host {host:?}: {error}: [build] host names another engine"));
    let transports = Transports::from_environment(&sources.rights);
    let made = tokio::time::timeout(CONNECT, transports.for_endpoint(endpoint).connect(endpoint)).await;
    let link = made.map_err(|_| failed(&format!("no connection within {} s", CONNECT.as_secs())))?.map_err(|error| failed(&error))?;
    let client = Client::new(link, Arc::new(Meter::new()), sources.rights.clone());
    let handshake = client.handshake().await.map_err(|error| failed(&error))?;
    let platform = client.platform().await.map_err(|error: EngineError| failed(&error))?;
    Ok(Link { client, host: host.to_owned(), handshake, platform })
}

async fn perform(
    sources: &Sources,
    commit: &Commit,
    link: &Link,
    layers: &Layers,
    request: &Request<'_>,
    stop: &CancellationToken,
    said: &mut Said,
) -> Result<Exit, Failure> {
    let ledger = sources.ledger()?;
    let (audit, builds) = (ledger.audit(), ledger.builds());
    let central = sources.config.delivery.dockerfiles.as_ref().map(|source| match source {
        Source::Path(path) => Central::Directory(path.clone()),
        Source::Git { url, branch } => {
            let place = Place::Remote { url: url.clone(), branch: branch.clone() };
            Central::Repository(Repository::new(place, &sources.config.state))
        }
    });
    let logins = Logins::of(layers.docker_config_dir.clone());
    let bench = Bench {
        client: &link.client,
        host: &link.host,
        builder: link.client.builder(&link.handshake.engine),
        platform: &link.platform,
        logins: &logins,
        central: central.as_ref(),
        builds: &builds,
        stop,
    };
    let spec = &commit.template.spec;
    let material = Material {
        repository: &commit.named.repository,
        snapshot: &commit.snapshot,
        files: &commit.files,
        home: &commit.named.home,
        spec,
        version: &commit.version,
    };
    let sha = &commit.snapshot.commit.sha;
    let dirty = if commit.snapshot.dirty.is_some() { " with changes" } else { "" };
    let then = if request.push { format!("push to {}", spec.registry) } else { "no push".to_owned() };
    let intent = Intent {
        who: Who::of_process(),
        action: ACTION.to_owned(),
        host: link.host.clone(),
        target: Target { name: spec.app.to_string(), id: sha.clone() },
        argument: request.rev.unwrap_or_default().to_owned(),
        plan: format!("build {} at {sha}{dirty} on {}, test, {then}", spec.app, link.host),
    };
    let not_recorded = |error| Failure::failed(format!("not done, because it could not be recorded: {error}"));
    let entry = audit.begin(intent).await.map_err(not_recorded)?;
    let built = build::build(&material, &bench, request.push, &mut |progress| said.take(&progress)).await;
    said.over();
    let outcome = match &built {
        Ok(built) => Outcome::done(&built.version),
        Err(fault) => Outcome::failed(fault.to_string()),
    };
    audit.finish(entry, outcome).await.map_err(Failure::failed)?;
    let built = built.map_err(|fault| {
        fault.tail().iter().for_each(|line| complain(&format!("  {line}")));
        match fault {
            BuildFault::Engine { source: EngineError::Connect(_), .. } => Failure::incomplete(fault),
            BuildFault::NoFile { .. } | BuildFault::NoImages | BuildFault::Version(_) | BuildFault::Ignore { .. } => Failure::usage(fault),
            fault => Failure::failed(fault),
        }
    })?;
    out::print(&match request.output.format {
        Format::Json => json::line(&Row::of(spec.app.as_str(), &built))?,
        Format::Table => table(&built),
    })?;
    Ok(Exit::DONE)
}

#[derive(Serialize)]
struct Row<'a> {
    app: &'a str,
    version: &'a str,
    revision: &'a str,
    images: Vec<ImageRow<'a>>,
}

#[derive(Serialize)]
struct ImageRow<'a> {
    name: &'a str,
    reference: &'a str,
    digest: Option<&'a str>,
    size: u64,
    built: bool,
    key: &'a str,
    hints: &'a [String],
}

impl<'a> Row<'a> {
    fn of(app: &'a str, built: &'a Built) -> Self {
        let images = built.images.iter().map(|image| ImageRow {
            name: &image.name,
            reference: &image.reference,
            digest: image.digest.as_deref(),
            size: image.size,
            built: image.built,
            key: &image.key,
            hints: &image.hints,
        });
        Self { app, version: &built.version, revision: &built.revision, images: images.collect() }
    }
}

fn table(built: &Built) -> String {
    let columns = vec![
        Column::new("IMAGE"),
        Column::new("REFERENCE").keep_end(),
        Column::new("DIGEST").least(19),
        Column::new("SIZE").right(),
        Column::new("BUILT").whole(),
    ];
    let mut table = Table::new(columns);
    for image in &built.images {
        let digest = image.digest.as_deref().unwrap_or("–");
        let was = if image.built { "now" } else { "before" };
        table.push(vec![image.name.to_string(), image.reference.clone(), digest.to_owned(), text::bytes(image.size), was.to_owned()]);
    }
    table.render(out::width())
}

/// Progress for a person: a line for each step, on standard error where standard output is for a program.
struct Said {
    to_stdout: bool,
    /// What steps print, too.
    whole: bool,
    /// A line that is written over: layers on their way.
    moving: Option<Moving>,
}

/// Layers on their way.
#[derive(Default)]
struct Moving {
    layers: std::collections::BTreeMap<Arc<str>, (u64, Option<u64>)>,
    shown: bool,
}

impl Said {
    fn new(format: Format, whole: bool) -> Self {
        let to_stdout = format == Format::Table;
        Self { to_stdout, whole, moving: std::io::stderr().is_terminal().then(Moving::default) }
    }

    fn take(&mut self, progress: &Progress) {
        let line = match progress {
            Progress::Layer { id, phase, bytes } => {
                if phase.starts_with("Retrying") {
                    format!("  layer {id}: {phase}")
                } else {
                    self.moved(id, *bytes);
                    return;
                }
            }
            Progress::Output(_) if !self.whole => return,
            Progress::Output(line) => format!("    {line}"),
            Progress::Version { version, snapshot } => {
                let commit = &snapshot.commit;
                format!("{version}: {} ({}, {})", commit.subject, commit.author, commit.at.format("%Y-%m-%d %H:%M UTC"))
            }
            Progress::Known { image, pinned, version } => format!("{image}: known since {version}: {pinned}"),
            Progress::Begin { image, what } => format!("{image}: {what}"),
            Progress::Step { place, text, cached } => {
                let place = place.filter(|_| !text.starts_with('[')).map_or_else(String::new, |(number, of)| format!("[{number}/{of}] "));
                format!("  {place}{text}{}", if *cached { " · cached" } else { "" })
            }
            Progress::Built { image, size } => format!("{image}: built, {}", text::bytes(*size)),
            Progress::Pushed { image, pinned } => format!("{image}: pushed {pinned}"),
            Progress::Note(note) => format!("  note: {note}"),
        };
        self.over();
        let written = match self.to_stdout {
            true => out::print(&format!("{line}\n")).is_ok(),
            false => writeln!(std::io::stderr(), "{line}").is_ok(),
        };
        if !written {
            // Who read it has left; the build goes on, and its end is told to the audit.
            tracing::debug!("progress is not read any more");
        }
    }

    fn moved(&mut self, id: &Arc<str>, bytes: Option<(u64, Option<u64>)>) {
        let Some(moving) = &mut self.moving else { return };
        let Some(bytes) = bytes else { return };
        moving.layers.insert(Arc::clone(id), bytes);
        let done: u64 = moving.layers.values().map(|(current, _)| current).sum();
        let whole: Option<u64> = moving.layers.values().map(|(current, total)| total.map(|total| total.max(*current))).sum();
        let of = whole.map_or_else(String::new, |whole| format!(" of {}", text::bytes(whole)));
        moving.shown =
            write!(std::io::stderr(), "\r\x1b[2K  {}, {}{of}", text::counted(moving.layers.len(), "layer"), text::bytes(done)).is_ok();
    }

    /// The line that is written over goes.
    fn over(&mut self) {
        if let Some(moving) = &mut self.moving {
            if moving.shown {
                // A terminal that is gone needs no clean line.
                let _ = write!(std::io::stderr(), "\r\x1b[2K");
            }
            *moving = Moving::default();
        }
    }
}
