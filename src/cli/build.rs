//! `build`: a commit of an app as images in its registry.

mod commit;
mod engine;
mod record;
mod said;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    json, out,
    table::{Column, Table},
};
use crate::{
    build::{
        self, Bench, BuildFault, Built, Central, Logins, Material,
        git::{Place, Repository},
    },
    config::{Layers, Source},
    engine::docker::EngineError,
    ledger::{
        AppBuild, Ledger,
        audit::{Intent, Outcome, Target, Who},
    },
    text,
};

pub(super) use commit::{Commit, Fresh, Named};
pub(super) use engine::Link;
pub(super) use record::{last, outside, record};
pub(super) use said::{Hearer, LayerCount, LayerWord, Said, line as progress_line};

/// The act's name in the audit.
pub(super) const ACTION: &str = "app.build";

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
    let logins = Logins::of(Layers::from_process(global.flags()).docker_config_dir);
    let mut said = Said::new(request.output.format, request.logs);
    wait(async {
        let commit = Named::find(&sources.config, request.app)?.fetch(request.rev, &sources.config).await?;
        let link = Link::open(&sources).await?;
        let stop = CancellationToken::new();
        let work = build(&sources, &commit, &link, &logins, request.push, &stop, &mut said);
        let built = until_signalled(work, &stop).await?;
        out::print(&match request.output.format {
            Format::Json => json::line(&Row::of(commit.template.spec.app.as_str(), &built))?,
            Format::Table => table(&built),
        })?;
        Ok(Exit::DONE)
    })
}

/// Waits for work that ends when it is stopped, and stops it when somebody wants the program to end.
async fn until_signalled<T>(work: impl Future<Output = Result<T, Failure>>, stop: &CancellationToken) -> Result<T, Failure> {
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
}

/// Builds a commit on an engine, with an entry in the audit before and after.
///
/// # Errors
/// What stood in the way, and what the failing step printed last on standard error.
pub(super) async fn build(
    sources: &Sources,
    commit: &Commit,
    link: &Link,
    logins: &Logins,
    push: bool,
    stop: &CancellationToken,
    said: &mut dyn Hearer,
) -> Result<Built, Failure> {
    let ledger = sources.ledger()?;
    let (audit, builds) = (ledger.audit(), ledger.builds());
    let central = sources.config.delivery.dockerfiles.as_ref().map(|source| match source {
        Source::Path(path) => Central::Directory(path.clone()),
        Source::Git { url, branch } => {
            let place = Place::Remote { url: url.clone(), branch: branch.clone() };
            Central::Repository(Repository::new(place, &sources.config.state))
        }
    });
    let bench = Bench {
        client: &link.client,
        host: &link.host,
        builder: link.client.builder(&link.engine),
        platform: &link.platform,
        logins,
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
    let then = if push { format!("push to {}", spec.registry) } else { "no push".to_owned() };
    let intent = Intent {
        who: Who::of_process(),
        action: ACTION.to_owned(),
        host: link.host.clone(),
        target: Target { name: spec.app.to_string(), id: sha.clone() },
        argument: commit.asked.clone().unwrap_or_default(),
        plan: format!("build {} at {sha}{dirty} on {}, test, {then}", spec.app, link.host),
    };
    let not_recorded = |error| Failure::failed(format!("not done, because it could not be recorded: {error}"));
    let entry = audit.begin(intent).await.map_err(not_recorded)?;
    let built = build::build(&material, &bench, push, &mut |progress| said.take(&progress)).await;
    said.over();
    let recorded = match &built {
        Ok(built) if push => write_down(&ledger, commit, built, link, logins).await,
        Ok(_) | Err(_) => Ok(None),
    };
    let outcome = match &built {
        Ok(built) => Outcome::done(&built.version),
        Err(fault) => Outcome::failed(fault.to_string()),
    };
    audit.finish(entry, outcome).await.map_err(Failure::failed)?;
    let recorded = recorded?;
    let built = built.map(|built| match recorded {
        Some(recorded) => {
            if *recorded.version != *built.version {
                said.remark(&format!("{} is known as {}: that is the version to deploy", built.version, recorded.version));
            }
            Built { version: recorded.version.to_string(), ..built }
        }
        None => built,
    });
    built.map_err(|fault| {
        fault.tail().iter().for_each(|line| said.remark(&format!("  {line}")));
        match fault {
            BuildFault::Engine { source: EngineError::Connect(_), .. } => Failure::incomplete(fault),
            BuildFault::NoFile { .. } | BuildFault::NoImages | BuildFault::Version(_) | BuildFault::Ignore { .. } => Failure::usage(fault),
            fault => Failure::failed(fault),
        }
    })
}

async fn write_down(ledger: &Ledger, commit: &Commit, built: &Built, link: &Link, logins: &Logins) -> Result<Option<AppBuild>, Failure> {
    let spec = &commit.template.spec;
    let last = last(ledger, spec).await?;
    record(ledger, commit, built, outside(spec, link, logins, last.as_ref()).await).await
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
