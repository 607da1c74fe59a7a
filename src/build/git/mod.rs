//! Commits and their files, by the `git` program.
//!
//! A [`Repository`] is a bare copy of a source in the state directory; everything is asked of it and never of the source, so that nothing
//! of the source's own configuration counts. A [`Snapshot`] is what is built: a commit's tree, or a work tree with changes as a tree of its own.

mod program;
mod proposal;
mod repository;
#[cfg(test)]
mod tests;
mod worktree;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use thiserror::Error;

pub use program::Git;
pub(super) use program::absolute_path;
pub use proposal::Signature;
pub use repository::{Place, Repository};

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// All of its digits.
    pub sha: String,
    /// Its files.
    pub tree: String,
    /// The author's name.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// What is built: a commit, with or without what was changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: Commit,
    /// The commits up to it.
    pub count: u64,
    /// The files.
    pub tree: String,
    /// Eight digits of the changes, where there are any.
    pub dirty: Option<String>,
}

/// Why git could not do it. Each sentence says where, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GitError {
    /// There is no such program.
    #[error("git is not installed on this machine: apt install git")]
    Missing,
    /// It failed, in its own words.
    #[error("git {what}: {reason}")]
    Failed {
        /// Which of its commands.
        what: String,
        /// Its words, one line.
        reason: String,
    },
    /// A fetch failed.
    #[error("{source_name}: cannot be fetched: {reason}{remedy}")]
    Fetch {
        /// The URL or the path.
        source_name: String,
        /// Git's words.
        reason: String,
        /// With its colon, or nothing.
        remedy: &'static str,
    },
    /// The path is in no repository.
    #[error("{}: is in no git repository: a version is made of commits: git init, git add, git commit", .path.display())]
    NoRepository {
        /// The path.
        path: PathBuf,
    },
    /// Only the end of the history is there.
    #[error("{source_name}: is a shallow clone, and a version counts all commits: git fetch --unshallow there (in CI: fetch-depth: 0)")]
    Shallow {
        /// The URL or the path.
        source_name: String,
    },
    /// There is no such revision.
    #[error("{source_name}: there is no revision {rev:?}: a branch, a tag or a commit that is pushed there")]
    NoRevision {
        /// As asked.
        rev: String,
        /// The URL or the path.
        source_name: String,
    },
    /// Nothing was ever committed.
    #[error("{source_name}: has no commit yet, or no default branch: name one with --rev, or branch = \"…\" in the configuration")]
    NoCommit {
        /// The URL or the path.
        source_name: String,
    },
    /// Our copy cannot be made or used.
    #[error("{}: {reason}", .path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Somebody else fetches into our copy and does not end.
    #[error("{}: another quarterdeck has been fetching for more than {seconds} s", .path.display())]
    Busy {
        /// Where.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
}
