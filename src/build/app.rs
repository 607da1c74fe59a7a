//! A whole app: from a commit to images in a registry. What is known is not built again; what is built is tested before anything is pushed.

use std::{collections::BTreeMap, sync::Arc};

use chrono::Utc;

use super::{
    bench::Bench,
    builds::BuiltImage,
    fault::BuildFault,
    make::{Finished, make},
    progress::{Progress, Say},
    recipe::{Material, Recipe},
    report,
    version::BuildVersion,
};
use crate::{fleet::ImageId, text::clean_line};

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
