//! From an app's name or a template's path to a commit, and the template as it is in it.

use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::{
    build::{
        BuildFault, TreeFile,
        git::{self, GitError, Place, Repository, Snapshot},
        version,
    },
    cli::{exit::Failure, out},
    config::{Config, Source},
    delivery::template::{FILE, Template, VersionSource},
    fleet::AppName,
    ledger::StateDir,
    text::{nearest, since},
};

/// How new what is read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// As its source has it now.
    Now,
    /// As its source had it when it was last reached, where it is not reached now; that is told.
    LastKnown,
    /// As our copy has it: it was brought up to date a moment ago.
    AsFetched,
}

/// A template by where it is.
pub struct Named {
    /// Our copy of its source.
    pub repository: Repository,
    /// Its directory from the repository's root; empty: the root.
    pub home: String,
    /// Its name there.
    file: String,
    /// The app that the configuration takes it for.
    app: Option<AppName>,
}

/// A template at one commit.
pub struct Commit {
    /// Where it comes from.
    pub named: Named,
    /// The revision, as a person asked for it.
    pub asked: Option<String>,
    /// The commit, with the changes of a work tree.
    pub snapshot: Snapshot,
    /// Its files.
    pub files: Vec<TreeFile>,
    /// What it says of the app.
    pub template: Template,
    /// The app's own version.
    pub version: String,
}

impl Named {
    /// The template that a word names: an app of the configuration, or a path.
    ///
    /// # Errors
    /// That there is none, with the nearest name.
    pub fn find(config: &Config, word: &str) -> Result<Self, Failure> {
        let (apps, state) = (&config.delivery.apps, &config.state);
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

    /// The commit, and the template as it is in it. Without a revision a work tree comes with its changes.
    ///
    /// # Errors
    /// What git says, and every mistake of the template.
    pub async fn fetch(self, rev: Option<&str>, config: &Config) -> Result<Commit, Failure> {
        self.refresh(config, Fresh::Now).await?;
        let mut snapshot = self.repository.snapshot(self.repository.resolve(rev).await.map_err(fault)?).await.map_err(fault)?;
        if rev.is_none() {
            snapshot = self.repository.with_changes(snapshot).await.map_err(fault)?;
        }
        let files = self.repository.files(&snapshot.tree).await.map_err(fault)?;
        let (path, text) = self.read(&files, &self.file).await?;
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
                let (path, text) = self.read(&files, file).await?;
                version::read(&path, &text, key).map_err(Failure::usage)?
            }
        };
        Ok(Commit { named: self, asked: rev.map(str::to_owned), snapshot, files, template, version })
    }
}

impl Named {
    /// The newest commit of its branch. A work tree counts as it was committed.
    ///
    /// # Errors
    /// What git says.
    pub async fn newest(&self, config: &Config) -> Result<git::Commit, Failure> {
        self.refresh(config, Fresh::Now).await?;
        self.repository.resolve(self.committed()).await.map_err(fault)
    }

    /// The revision that names its newest commit: for a work tree its HEAD, without what was changed since.
    pub fn committed(&self) -> Option<&'static str> {
        match self.repository.place() {
            Place::Tree(_) => Some("HEAD"),
            Place::Remote { .. } => None,
        }
    }

    /// The template's path and text at a revision; `None`: the newest of its branch. Nothing is checked out.
    ///
    /// # Errors
    /// What git says, and that there is no such file.
    pub async fn text(&self, rev: Option<&str>, config: &Config, fresh: Fresh) -> Result<(PathBuf, String), Failure> {
        self.refresh(config, fresh).await?;
        let commit = self.repository.resolve(rev.or_else(|| self.committed())).await.map_err(fault)?;
        let files = self.repository.files(&commit.tree).await.map_err(fault)?;
        self.read(&files, &self.file).await.map(|(path, text)| (PathBuf::from(path), text))
    }

    /// The template's path from the repository's root.
    pub fn path(&self) -> String {
        self.below(&self.file)
    }

    fn below(&self, file: &str) -> String {
        if self.home.is_empty() { file.to_owned() } else { format!("{}/{file}", self.home) }
    }

    async fn read(&self, files: &[TreeFile], file: &str) -> Result<(String, String), Failure> {
        let path = self.below(file);
        match self.repository.read(files, &path).await {
            Ok(Some(bytes)) => Ok((path, String::from_utf8_lossy(&bytes).into_owned())),
            Ok(None) => Err(Failure::usage(BuildFault::NoFile { file: path })),
            Err(error) => Err(fault(error)),
        }
    }

    /// Brings our copy up to date, or says how old it is.
    async fn refresh(&self, config: &Config, fresh: Fresh) -> Result<(), Failure> {
        if fresh == Fresh::AsFetched {
            return Ok(());
        }
        StateDir::at(&config.state).prepare().map_err(Failure::failed)?;
        match (self.repository.fetch().await, fresh, self.repository.fetched()) {
            (Ok(()), _, _) => Ok(()),
            (Err(error @ GitError::Fetch { .. }), Fresh::LastKnown, Some(at)) => {
                out::complain(&format!("{error}; what is read is {} old", since(at, Utc::now())));
                Ok(())
            }
            (Err(error), Fresh::Now | Fresh::LastKnown | Fresh::AsFetched, _) => Err(fault(error)),
        }
    }
}

/// Usage, where the person can mend it by another word; a failure else.
fn fault(error: GitError) -> Failure {
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
