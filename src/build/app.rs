//! A whole app: from a commit to images in a registry. What is known is not built again; what is built is tested before anything is pushed.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use chrono::{SecondsFormat, Utc};

use super::{
    bench::Bench,
    builds::BuiltImage,
    context::{Context, ContextError},
    errand::Task,
    fault::BuildFault,
    prepare::prepare,
    progress::{Progress, Say},
    recipe::{Material, Recipe},
    report,
    version::BuildVersion,
};
use crate::{
    engine::docker::{BuildEnd, BuildEvent, BuildOrder, Builder, Errand},
    fleet::ImageId,
    text::clean_line,
};

/// A test's whole time.
const TEST_LIMIT: Duration = Duration::from_secs(1800);
/// More builds of one commit than this are a mistake somewhere.
const BUILDS: u32 = 1000;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Of everything that was built now, and the name of the build.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// In the template's order.
    pub images: Vec<ImageOutcome>,
}

/// One image of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageOutcome {
    /// Its name in the template.
    pub name: Arc<str>,
    /// `<registry>/<app>/<image>:<version>`, of the version it was built for first.
    pub reference: String,
    /// The manifest's digest in the registry; `None` for what was not pushed.
    pub digest: Option<String>,
    /// The engine's own name for it; `None` for what was not built now.
    pub id: Option<ImageId>,
    /// Bytes of all layers, unpacked.
    pub size: u64,
    /// Whether it was built now.
    pub built: bool,
    /// What went into it.
    pub key: String,
    /// What grew since the last build.
    pub hints: Vec<String>,
}

/// An image that is built and tested, and not pushed yet.
struct Finished {
    id: ImageId,
    size: u64,
    layers: Vec<report::Layer>,
}

/// Builds every image of an app whose key is not known, tests them, then pushes them.
///
/// # Errors
/// Every [`BuildFault`]. What was pushed before a failure stays known, so that the next build goes on from there.
pub async fn build(material: &Material<'_>, bench: &Bench<'_>, push: bool, say: &mut Say<'_>) -> Result<Built, BuildFault> {
    if material.spec.images.is_empty() {
        return Err(BuildFault::NoImages);
    }
    super::version::check(material.version)?;
    unfetched(material).await?.into_iter().for_each(|line| say(Progress::Note(line.into())));
    let mut recipes = Vec::with_capacity(material.spec.images.len());
    for name in material.spec.images.keys() {
        recipes.push(Recipe::find(material, bench, name, say).await?);
    }
    let bases: Vec<(&str, Vec<&str>)> =
        recipes.iter().map(|recipe| (&*recipe.name, recipe.bases.keys().map(String::as_str).collect())).collect();
    report::differing(&bases).into_iter().for_each(|line| say(Progress::Note(line.into())));

    let mut known = BTreeMap::new();
    for recipe in &recipes {
        if let Some(image) = still_there(bench, recipe, say).await? {
            known.insert(Arc::clone(&recipe.name), image);
        }
    }
    let new: Vec<&Recipe> = recipes.iter().filter(|recipe| !known.contains_key(&recipe.name)).collect();
    let version = free_version(material, bench, &new, push, say).await?;
    say(Progress::Version { version: version.as_str().into(), snapshot: Box::new(material.snapshot.clone()) });

    let mut finished = BTreeMap::new();
    for recipe in &new {
        finished.insert(Arc::clone(&recipe.name), make(material, bench, recipe, &version, say).await?);
    }
    let mut images = Vec::with_capacity(recipes.len());
    for recipe in &recipes {
        images.push(match (known.get(&recipe.name), finished.remove(&recipe.name)) {
            (Some(image), _) => told(recipe, image, say),
            (None, Some(finished)) => deliver(material, bench, recipe, &version, finished, push, say).await?,
            (None, None) => return Err(BuildFault::NoImages),
        });
    }
    Ok(Built { version, revision: material.snapshot.commit.sha.clone(), images })
}

/// What of a commit is not in its checkout, a line each: it would be missed in an image only when that runs.
async fn unfetched(material: &Material<'_>) -> Result<Vec<String>, BuildFault> {
    let mut lines = Vec::new();
    let submodules: Vec<&str> = material.files.iter().filter(|file| file.mode == "160000").map(|file| file.path.as_str()).collect();
    if !submodules.is_empty() {
        lines.push(clean_line(&format!("submodules are not fetched, their directories are empty: {}", submodules.join(", "))));
    }
    for file in material.files.iter().filter(|file| file.path == ".gitattributes" || file.path.ends_with("/.gitattributes")) {
        let bytes = material.repository.read(material.files, &file.path).await?.unwrap_or_default();
        if String::from_utf8_lossy(&bytes).contains("filter=lfs") {
            lines.push(clean_line(&format!("{}: files of Git LFS are not fetched, their pointers are built instead", file.path)));
        }
    }
    Ok(lines)
}

/// The image that a key became, if its registry still has it. A registry that cannot be asked is believed to.
async fn still_there(bench: &Bench<'_>, recipe: &Recipe, say: &mut Say<'_>) -> Result<Option<BuiltImage>, BuildFault> {
    let Some(image) = bench.builds.known(&recipe.key).await? else { return Ok(None) };
    match bench.unless_stopped(bench.is_taken(&image.pinned())).await?? {
        Some(false) => {
            say(Progress::Note(format!("{}: its registry has it no more: it is built again", image.pinned()).into()));
            Ok(None)
        }
        Some(true) | None => Ok(Some(image)),
    }
}

fn told(recipe: &Recipe, image: &BuiltImage, say: &mut Say<'_>) -> ImageOutcome {
    let (pinned, version) = (image.pinned().into(), Arc::clone(&image.version));
    say(Progress::Known { image: Arc::clone(&recipe.name), pinned, version });
    ImageOutcome {
        name: Arc::clone(&recipe.name),
        reference: image.reference(),
        digest: Some(image.digest.to_string()),
        id: None,
        size: image.size,
        built: false,
        key: recipe.key.to_string(),
        hints: Vec::new(),
    }
}

/// The first version of this commit under which no image that is to be built was pushed.
async fn free_version(
    material: &Material<'_>,
    bench: &Bench<'_>,
    new: &[&Recipe],
    push: bool,
    say: &mut Say<'_>,
) -> Result<String, BuildFault> {
    let snapshot = material.snapshot;
    let mut version = BuildVersion {
        app: material.version.to_owned(),
        count: snapshot.count,
        sha: snapshot.commit.sha.clone(),
        dirty: snapshot.dirty.clone(),
        build: 1,
    };
    'next: while version.build < BUILDS {
        let text = version.to_string();
        for recipe in new {
            let reference = format!("{}:{text}", recipe.repository);
            let recorded = bench.builds.tagged(&recipe.repository, &text).await?.is_some();
            let taken = match recorded || !push {
                true => recorded,
                false => match bench.unless_stopped(bench.is_taken(&reference)).await?? {
                    Some(taken) => taken,
                    None => {
                        say(Progress::Note(format!("{reference}: nobody can tell whether its registry has it already").into()));
                        false
                    }
                },
            };
            if taken {
                version.build += 1;
                continue 'next;
            }
        }
        return Ok(text);
    }
    Err(BuildFault::Image { image: "*".to_owned(), reason: format!("{version}: too many builds of one commit") })
}

/// Prepares, builds and tests one image.
async fn make(
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

/// Pushes a finished image, where that is wanted, and writes it down.
async fn deliver(
    material: &Material<'_>,
    bench: &Bench<'_>,
    recipe: &Recipe,
    version: &str,
    finished: Finished,
    push: bool,
    say: &mut Say<'_>,
) -> Result<ImageOutcome, BuildFault> {
    let last = bench.builds.last(&recipe.repository).await?;
    let hints = report::hints(&finished.layers, last.as_ref().map(|image| image.layers.as_slice()));
    hints.iter().for_each(|line| say(Progress::Note(format!("{}: {line}", recipe.name).into())));
    let mut digest = None;
    if push {
        let reference = format!("{}:{version}", recipe.repository);
        if bench.unless_stopped(bench.is_taken(&reference)).await?? == Some(true) {
            let reason = format!("somebody else pushed {reference} meanwhile: build again");
            return Err(BuildFault::Image { image: recipe.name.to_string(), reason });
        }
        say(Progress::Begin { image: Arc::clone(&recipe.name), what: "push".into() });
        let told = bench.unless_stopped(bench.push(&recipe.repository, version, say)).await??;
        let image = BuiltImage {
            key: recipe.key.clone(),
            repository: Arc::clone(&recipe.repository),
            version: version.into(),
            digest: told.as_str().into(),
            revision: material.snapshot.commit.sha.as_str().into(),
            size: finished.size,
            layers: finished.layers,
            at: Utc::now(),
        };
        let pinned = image.pinned().into();
        bench.builds.record(image).await?;
        say(Progress::Pushed { image: Arc::clone(&recipe.name), pinned });
        digest = Some(told);
    }
    Ok(ImageOutcome {
        name: Arc::clone(&recipe.name),
        reference: format!("{}:{version}", recipe.repository),
        digest,
        id: Some(finished.id),
        size: finished.size,
        built: true,
        key: recipe.key.to_string(),
        hints,
    })
}
