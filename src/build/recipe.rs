//! One image as it would be built from a commit: its Dockerfile, what it stands on, its key. Nothing is built here.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    bench::{Bench, Central, repository},
    dockerfile::{Dockerfile, places},
    fault::BuildFault,
    git::{Repository, Snapshot},
    ignore::Ignore,
    key::{ImageKey, Ingredients, TreeFile, below, select},
    progress::{Progress, Say},
};
use crate::{
    delivery::spec::{ImageSpec, Spec},
    text::{clean_line, nearest},
};

/// The name of a Dockerfile from elsewhere in the context.
const OWN_NAME: &str = ".quarterdeck.Dockerfile";

/// What is built from: a commit, its files and what its template says.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// Our copy of the source.
    pub repository: &'a Repository,
    /// The commit, with its changes.
    pub snapshot: &'a Snapshot,
    /// Its files.
    pub files: &'a [TreeFile],
    /// The template's directory from the repository's root, without a slash at the end; empty: the root.
    pub home: &'a str,
    /// What the template says.
    pub spec: &'a Spec,
    /// The app's own version.
    pub version: &'a str,
}

/// One image, ready to be built.
#[derive(Debug)]
pub(super) struct Recipe {
    pub name: Arc<str>,
    pub spec: ImageSpec,
    pub repository: Arc<str>,
    /// From the repository's root; empty: the root.
    pub context: String,
    /// The Dockerfile's name in the context.
    pub dockerfile: String,
    /// Its bytes, where it comes from elsewhere.
    pub elsewhere: Option<Vec<u8>>,
    pub ignore: Ignore,
    /// References → digests.
    pub bases: BTreeMap<String, String>,
    pub key: ImageKey,
}

impl Recipe {
    /// Looks everything up.
    pub async fn find(material: &Material<'_>, bench: &Bench<'_>, name: &Arc<str>, say: &mut Say<'_>) -> Result<Self, BuildFault> {
        let spec = material.spec.images.get(name).cloned().ok_or(BuildFault::NoImages)?;
        let fault = |reason: String| BuildFault::Image { image: name.to_string(), reason };
        let context = join(material.home, &spec.context)
            .ok_or_else(|| fault(format!("context {:?} leads out of the repository", clean_line(&spec.context))))?;
        if !material.files.iter().any(|file| below(&file.path, &context).is_some()) {
            return Err(fault(format!("context {:?}: the commit has no file there", clean_line(&spec.context))));
        }
        let (dockerfile, bytes, inside) = find_dockerfile(material, bench, name, &spec, &context).await?;
        let (ignore, ignore_bytes) = find_ignore(material, &dockerfile, inside, &context).await?;
        let args = spec.args.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let parsed = Dockerfile::parse(&String::from_utf8_lossy(&bytes), &args, &bench.platform_args());
        if let Some(stage) = spec.test_target.as_deref().filter(|stage| !parsed.has_stage(stage)) {
            let known = parsed.stages.iter().map(String::as_str).filter(|stage| !stage.is_empty());
            let hint = nearest(stage, known).map_or_else(String::new, |near| format!(" (did you mean {:?}?)", clean_line(near)));
            return Err(fault(format!("test-target: {dockerfile} has no stage {:?}{hint}", clean_line(stage))));
        }
        if parsed.wants_session {
            let note =
                format!("{dockerfile}: RUN --mount=type=secret and type=ssh find nothing here: a template has no secrets for builds");
            say(Progress::Note(note.into()));
        }
        let mut bases = BTreeMap::new();
        let prepared = spec.prepare.as_ref().map(|prepare| prepare.image.to_string());
        for base in parsed.bases.iter().chain(prepared.as_ref()) {
            let digest = bench.unless_stopped(bench.settle(name, base, say)).await??;
            bases.insert(base.clone(), digest);
        }
        let files = select(material.files, &spec.paths, &context, &ignore).map_err(fault)?;
        if files.is_empty() {
            return Err(fault("paths: no file of the commit matches: they are globs from the repository's root".to_owned()));
        }
        let repository = repository(&material.spec.registry, material.spec.app.as_str(), name);
        let ingredients = Ingredients {
            repository: &repository,
            platform: bench.platform,
            files: &files,
            dockerfile: &bytes,
            ignore: &ignore_bytes,
            args: &spec.args,
            prepare: spec.prepare.as_ref(),
            bases: &bases,
        };
        let key = ingredients.key();
        let in_context = if inside { below(&dockerfile, &context).map(str::to_owned) } else { None };
        let elsewhere = in_context.is_none().then_some(bytes);
        let dockerfile = in_context.unwrap_or_else(|| OWN_NAME.to_owned());
        Ok(Self { name: Arc::clone(name), spec, repository, context, dockerfile, elsewhere, ignore, bases, key })
    }

    /// Files that are sent whatever the patterns say, from the context.
    pub fn always(&self) -> Vec<String> {
        let own = self.elsewhere.is_none().then(|| self.dockerfile.clone());
        own.into_iter().chain([".dockerignore".to_owned()]).collect()
    }

    /// The file that is sent under a name of its own.
    pub fn extra(&self) -> Vec<(String, Vec<u8>)> {
        self.elsewhere.iter().map(|bytes| (OWN_NAME.to_owned(), bytes.clone())).collect()
    }
}

/// The Dockerfile's path from the root of where it is, its bytes, and whether it is in the repository.
async fn find_dockerfile(
    material: &Material<'_>,
    bench: &Bench<'_>,
    name: &str,
    spec: &ImageSpec,
    context: &str,
) -> Result<(String, Vec<u8>, bool), BuildFault> {
    let mut looked: Vec<String> = Vec::new();
    for place in places(&spec.context, spec.dockerfile.as_deref()) {
        let Some(path) = join(material.home, &place) else { continue };
        if let Some(bytes) = material.repository.read(material.files, &path).await? {
            return Ok((path, bytes, true));
        }
        looked.push(path);
    }
    if spec.dockerfile.is_none()
        && let Some(central) = bench.central
    {
        let path = format!("{}/{name}/Dockerfile", material.spec.app);
        let found = match central {
            Central::Directory(dir) => match std::fs::read(dir.join(&path)) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(source) => return Err(BuildFault::Local { what: dir.join(&path).display().to_string(), source }),
            },
            Central::Repository(repository) => {
                repository.fetch().await?;
                let commit = repository.resolve(None).await?;
                let files = repository.files(&commit.tree).await?;
                repository.read(&files, &path).await?
            }
        };
        if let Some(bytes) = found {
            return Ok((path, bytes, false));
        }
        looked.push(format!("{path} of the central Dockerfiles"));
    }
    let is_context = looked.iter().any(|path| below(path, context).is_some());
    let hint = if is_context { "commit one there, or name it: dockerfile = \"…\"" } else { "name one: dockerfile = \"…\"" };
    Err(BuildFault::Image { image: name.to_owned(), reason: format!("there is no Dockerfile: looked for {}: {hint}", looked.join(", ")) })
}

/// `<Dockerfile>.dockerignore`, else the context's `.dockerignore`, with its bytes.
async fn find_ignore(material: &Material<'_>, dockerfile: &str, inside: bool, context: &str) -> Result<(Ignore, Vec<u8>), BuildFault> {
    let own = inside.then(|| format!("{dockerfile}.dockerignore"));
    for file in own.into_iter().chain(join(context, ".dockerignore")) {
        if let Some(bytes) = material.repository.read(material.files, &file).await? {
            let ignore = Ignore::parse(&String::from_utf8_lossy(&bytes)).map_err(|source| BuildFault::Ignore { file, source })?;
            return Ok((ignore, bytes));
        }
    }
    Ok((Ignore::default(), Vec::new()))
}

/// A path below a directory of the repository, without `.`; `None` when it leads out.
pub(super) fn join(home: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = home.split('/').filter(|part| !part.is_empty()).collect();
    if path.starts_with('/') {
        return None;
    }
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_the_template() {
        for (home, path, expected) in [
            ("", ".", Some("")),
            ("", "web", Some("web")),
            ("deploy", "../web/", Some("web")),
            ("a/b", "./c", Some("a/b/c")),
            ("", "../x", None),
            ("a", "../../x", None),
            ("", "/etc", None),
        ] {
            assert_eq!(join(home, path).as_deref(), expected, "{home} {path}");
        }
    }
}
