//! A template as it reads in each environment, and a change of it.

mod diff;
mod draft;

use std::{fmt, path::PathBuf, sync::Arc};

use crate::{
    delivery::{
        release::DeploymentId,
        template::{Explained, Surroundings},
    },
    fleet::{AppName, EnvironmentId},
};

pub use diff::{DiffLine, LineKind, diff};
pub use draft::{Draft, Entry, Unfit, Verdict, judge};

/// Whose template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An app's.
    App(AppName),
    /// That of a deployment's app.
    Deployment(DeploymentId),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read it, as its source has it now.
    Read(About),
    /// Say what the configuration-only release of a change would do. Nothing is written.
    Preview(Arc<Draft>),
    /// Write a change.
    Write(Arc<Draft>),
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A template was read, or why not.
    Read(About, Result<Arc<Reading>, String>),
    /// The plan of a change, as the verb prints it, or why there is none.
    Previewed(Arc<Draft>, Result<String, String>),
    /// A change was written, or why not.
    Written(Arc<Draft>, Result<Written, String>),
}

/// Where a template is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// A file of this machine.
    File(PathBuf),
    /// A repository that we fetch.
    Git {
        /// Where it is fetched from, without a password.
        source: String,
        /// `None`: its default branch.
        branch: Option<String>,
    },
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", crate::text::clean_line(&path.display().to_string())),
            Self::Git { source, branch: Some(branch) } => write!(f, "{source}, branch {branch}"),
            Self::Git { source, branch: None } => f.write_str(source),
        }
    }
}

/// A template without a mistake, as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub app: AppName,
    /// The environment of the deployment that was asked about.
    pub environment: Option<EnvironmentId>,
    /// Its file, as mistakes name it.
    pub file: PathBuf,
    /// Where it is registered.
    pub home: Home,
    /// The text itself. What looks like a secret in it is shown nowhere.
    pub text: Arc<str>,
    /// What it is judged by.
    pub around: Surroundings,
    /// Each environment in the order of the file, secrets masked.
    pub sheets: Vec<Explained>,
    /// Why it may be old.
    pub stale: Option<String>,
}

/// Texts of templates belong into no log.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("app", &self.app).field("home", &self.home).finish_non_exhaustive()
    }
}

impl Reading {
    /// What an environment says; `None`: there is no such environment.
    pub fn sheet(&self, environment: &EnvironmentId) -> Option<&Explained> {
        self.sheets.iter().find(|sheet| sheet.environment == *environment)
    }
}

/// Where a change went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Into the registered file.
    File(PathBuf),
    /// Into a commit on a branch of its own, which was pushed.
    Branch {
        /// Its name.
        name: String,
        /// The commit.
        sha: String,
        /// Where it was pushed to.
        source: String,
    },
    /// Into a patch in the current directory, because it could not be pushed.
    Patch {
        /// The file.
        path: PathBuf,
        /// Why it could not be pushed.
        why: String,
    },
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &PathBuf| crate::text::clean_line(&path.display().to_string());
        match self {
            Self::File(path) => write!(f, "written to {}", shown(path)),
            Self::Branch { name, sha, source } => {
                write!(f, "pushed to {source} as branch {name}, commit {}", sha.get(..7).unwrap_or(sha))
            }
            Self::Patch { path, why } => write!(f, "not pushed ({why}): the commit is in {}", shown(path)),
        }
    }
}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    read: Option<(About, Result<Arc<Reading>, String>)>,
    previewed: Option<(Arc<Draft>, Result<String, String>)>,
    written: Option<(Arc<Draft>, Result<Written, String>)>,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        match news {
            News::Read(about, result) => self.read = Some((about, result)),
            News::Previewed(draft, result) => self.previewed = Some((draft, result)),
            News::Written(draft, result) => self.written = Some((draft, result)),
        }
        None
    }

    /// A template as it was read last; `None`: nobody has told yet.
    pub fn reading(&self, about: &About) -> Option<&Result<Arc<Reading>, String>> {
        self.read.as_ref().filter(|(of, _)| of == about).map(|(_, result)| result)
    }

    /// The plan of a change; `None`: it is being made.
    pub fn preview(&self, draft: &Arc<Draft>) -> Option<&Result<String, String>> {
        self.previewed.as_ref().filter(|(of, _)| Arc::ptr_eq(of, draft)).map(|(_, result)| result)
    }

    /// What came of a change; `None`: it was not written yet.
    pub fn written(&self, draft: &Arc<Draft>) -> Option<&Result<Written, String>> {
        self.written.as_ref().filter(|(of, _)| Arc::ptr_eq(of, draft)).map(|(_, result)| result)
    }
}
