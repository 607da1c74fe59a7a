//! One image: prepared, built and tested on an engine, and not pushed.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use chrono::{SecondsFormat, Utc};

use super::{
    bench::Bench,
    context::{Context, ContextError},
    errand::Task,
    fault::BuildFault,
    prepare::prepare,
    progress::{Progress, Say},
    recipe::{Material, Recipe},
    report,
};
use crate::{
    engine::docker::{BuildEnd, BuildEvent, BuildOrder, Builder, Errand},
    fleet::ImageId,
};

/// A test's whole time.
const TEST_LIMIT: Duration = Duration::from_secs(1800);
/// An image that is built and tested, and not pushed yet.
pub(super) struct Finished {
    pub id: ImageId,
    pub size: u64,
    pub layers: Vec<report::Layer>,
}

/// Prepares, builds and tests one image.
pub(super) async fn make(
    material: &Material<'_>,
    bench: &Bench<'_>,
    recipe: &Recipe,
    version: &str,
    say: &mut Say<'_>,
) -> Result<Finished, BuildFault> {
    let local = |what: &str| {
        let what = what.to_owned();
        move |source| BuildFault::Local { what, source }
    };
    let dir = tempfile::tempdir().map_err(local("a directory for the checkout"))?;
    bench.unless_stopped(material.repository.checkout(&material.snapshot.tree, dir.path())).await??;
    let whole = std::fs::canonicalize(dir.path()).map_err(local("the checkout"))?;
    let root = std::fs::canonicalize(dir.path().join(&recipe.context)).map_err(local(&recipe.context))?;
    if !root.starts_with(&whole) {
        let reason = format!("context {:?} is a link that leads out of the repository", recipe.context);
        return Err(BuildFault::Image { image: recipe.name.to_string(), reason });
    }
    let time = u64::try_from(material.snapshot.commit.at.timestamp()).unwrap_or_default();
    if let Some(order) = &recipe.spec.prepare {
        prepare(bench, &recipe.name, order, &root, time, say).await?;
    }
    if let Some(stage) = &recipe.spec.test_target {
        let order = order(bench, recipe, None, Some(stage), BTreeMap::new());
        let image = run(bench, recipe, &order, &root, time, &format!("the stage {stage}"), say).await?;
        // It has no name and nobody will ask for it; the steps before it stay in the builder's cache.
        if let Some(image) = image
            && let Err(error) = bench.client.remove_image(image.as_str()).await
        {
            tracing::debug!(%error, "the image of a stage stays");
        }
    }
    let reference = format!("{}:{version}", recipe.repository);
    let order = order(bench, recipe, Some(&reference), None, labels(material, version).await);
    run(bench, recipe, &order, &root, time, "the build", say).await?;
    if let Err(fault) = test(bench, recipe, &reference, say).await {
        if let Err(error) = bench.client.remove_image(&reference).await {
            say(Progress::Note(format!("{reference} is left on {}: {error}", bench.host).into()));
        }
        return Err(fault);
    }
    let report = bench.client.image_report(&reference).await.map_err(|error| bench.engine(error))?;
    let nothing = || BuildFault::Image {
        image: recipe.name.to_string(),
        reason: format!("the build on {} ended well and left no image: has somebody pruned it?", bench.host),
    };
    let found = report.ok_or_else(nothing)?;
    let layers = report::layers(&bench.client.image_layers(&reference).await.map_err(|error| bench.engine(error))?);
    say(Progress::Built { image: Arc::clone(&recipe.name), size: found.size });
    Ok(Finished { id: ImageId::new(found.id), size: found.size, layers })
}

/// The labels by which others know where an image comes from (https://specs.opencontainers.org/image-spec/annotations/).
async fn labels(material: &Material<'_>, version: &str) -> BTreeMap<String, String> {
    let created = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let source = material.repository.source().await;
    let ours = [("version", version), ("revision", &material.snapshot.commit.sha), ("source", &source), ("created", &created)];
    ours.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned())).into()
}

fn order(
    bench: &Bench<'_>,
    recipe: &Recipe,
    reference: Option<&str>,
    target: Option<&str>,
    labels: BTreeMap<String, String>,
) -> BuildOrder {
    BuildOrder {
        builder: bench.builder,
        dockerfile: recipe.dockerfile.clone(),
        tag: reference.map(str::to_owned),
        target: target.map(str::to_owned),
        args: recipe.spec.args.clone(),
        labels,
    }
}

/// Has the engine build; gives the image's id.
async fn run(
    bench: &Bench<'_>,
    recipe: &Recipe,
    order: &BuildOrder,
    root: &Path,
    time: u64,
    stage: &str,
    say: &mut Say<'_>,
) -> Result<Option<ImageId>, BuildFault> {
    let image = || recipe.name.to_string();
    say(Progress::Begin { image: Arc::clone(&recipe.name), what: stage.into() });
    let context = Context { root: root.to_owned(), ignore: recipe.ignore.clone(), extra: recipe.extra(), always: recipe.always(), time };
    let auths = bench.logins.find_all(recipe.bases.keys().map(String::as_str)).await?;
    let (pieces, reading) = context.stream();
    let building = async {
        let mut id = None;
        let failed = |end: BuildEnd| match end {
            BuildEnd::Step(failure) => BuildFault::Step { image: image(), stage: stage.to_owned(), failure },
            BuildEnd::Engine(reason) => BuildFault::Image { image: image(), reason: format!("{stage} on {}: {reason}", bench.host) },
        };
        let started = bench.client.build(order, &auths, pieces).await;
        let mut stream = started.map_err(|error| failed(BuildEnd::Engine(error.to_string())))?;
        let mut events = Vec::new();
        loop {
            let more = stream.next(&mut events).await;
            for event in events.drain(..) {
                match event {
                    BuildEvent::Step { place, text, cached } => say(Progress::Step { place, text, cached }),
                    BuildEvent::Output(line) => say(Progress::Output(line)),
                    BuildEvent::Layer { id, phase, bytes } => say(Progress::Layer { id, phase, bytes }),
                    BuildEvent::Image(told) => id = Some(ImageId::new(&*told)),
                }
            }
            if !more.map_err(failed)? {
                return Ok::<_, BuildFault>(id);
            }
        }
    };
    let built = bench.unless_stopped(building).await;
    // The reading ends with the request, which is dropped by now.
    match (built, reading.await) {
        (Ok(Err(_)), Ok(Err(source @ (ContextError::Read { .. } | ContextError::Changed { .. })))) => {
            Err(BuildFault::Context { image: image(), source })
        }
        (Ok(Ok(None)), _) if order.tag.is_some() && order.builder == Builder::Buildkit => {
            Err(BuildFault::Image { image: image(), reason: format!("the connection to {} ended before the build did", bench.host) })
        }
        (built, _) => built?,
    }
}

/// Runs the image's test in it.
async fn test(bench: &Bench<'_>, recipe: &Recipe, reference: &str, say: &mut Say<'_>) -> Result<(), BuildFault> {
    let Some(command) = &recipe.spec.test else { return Ok(()) };
    say(Progress::Begin { image: Arc::clone(&recipe.name), what: "test".into() });
    let task = Task {
        client: bench.client,
        host: bench.host,
        image: &recipe.name,
        what: "its test",
        errand: Errand {
            image: reference.to_owned(),
            command: command.iter().map(ToString::to_string).collect(),
            directory: None,
            user: None,
            purpose: format!("test {}", recipe.name),
        },
        limit: TEST_LIMIT,
        stop: bench.stop,
    };
    let container = task.create().await?;
    let done = task.attend(&container, say).await;
    task.discard(&container, say).await;
    done
}
