//! The bare copy of a source, and what is asked of it.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{Commit, Git, GitError, Snapshot};
use crate::{
    build::key::TreeFile,
    text::{clean, clean_line},
};

/// How long another process may hold our copy.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two tries for it.
const RETRY: Duration = Duration::from_millis(50);
/// Where the source's own HEAD is kept.
const HEAD: &str = "refs/quarterdeck/head";
/// Written anew with every fetch: its age is that of what is known of the source.
const FETCHED: &str = "quarterdeck-fetched";
/// So long a digit string names a copy.
const NAME_DIGITS: usize = 16;

/// Where commits come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A work tree on this machine: its root.
    Tree(PathBuf),
    /// A repository elsewhere.
    Remote {
        /// As git takes it.
        url: String,
        /// `None`: its default branch.
        branch: Option<String>,
    },
}

impl Place {
    /// The work tree that a file or directory is in.
    ///
    /// # Errors
    /// [`GitError::NoRepository`].
    pub fn around(path: &Path) -> Result<Self, GitError> {
        let none = || GitError::NoRepository { path: path.to_owned() };
        let whole = std::fs::canonicalize(path).map_err(|_| none())?;
        let root = whole.ancestors().find(|dir| dir.join(".git").exists()).ok_or_else(none)?;
        Ok(Self::Tree(root.to_owned()))
    }

    /// Its name in messages and labels.
    pub fn name(&self) -> String {
        match self {
            Self::Tree(root) => clean_line(&root.display().to_string()),
            Self::Remote { url, .. } => clean_line(url),
        }
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Tree(root) => root.display().to_string(),
            Self::Remote { url, .. } => url.clone(),
        }
    }
}

/// A source with our copy of it.
#[derive(Clone, Debug)]
pub struct Repository {
    place: Place,
    dir: PathBuf,
    git: Git,
}

impl Repository {
    /// The copy below a state directory; nothing is made yet. It belongs to one user, also where the state is shared: a git directory that
    /// others may write could run commands as us.
    pub fn new(place: Place, state: &Path) -> Self {
        let digest = Sha256::digest(place.url().as_bytes());
        let digits: String = digest.iter().take(NAME_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        let uid = rustix::process::geteuid().as_raw();
        let dir = state.join(format!("sources-{uid}")).join(format!("{digits}.git"));
        Self { git: Git::bare(&dir), place, dir }
    }

    /// Where its commits come from.
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// Where its commits come from, as others know it: a work tree's `origin`, where it has one. Without a password.
    pub async fn source(&self) -> String {
        let Place::Tree(root) = &self.place else { return without_password(&self.place.name()) };
        let config = common_dir(&root.join(".git")).map(|dir| dir.join("config").into_os_string());
        let origin = match config {
            // A file that is read runs nothing.
            Some(file) => {
                let (before, after) = (["config", "--file"], ["--no-includes", "--get", "remote.origin.url"]);
                let words = before.iter().map(OsStr::new).chain([file.as_os_str()]).chain(after.iter().map(OsStr::new));
                self.git.ask(&words.collect::<Vec<_>>()).await.ok()
            }
            None => None,
        };
        let origin = origin.map(|url| clean_line(&text(&url))).filter(|url| !url.is_empty());
        origin.map_or_else(|| self.place.name(), |url| without_password(&url))
    }

    /// Brings our copy up to date.
    ///
    /// # Errors
    /// Every [`GitError`].
    pub async fn fetch(&self) -> Result<(), GitError> {
        let name = self.place.name();
        if let Place::Tree(root) = &self.place
            && common_dir(&root.join(".git")).is_some_and(|dir| dir.join("shallow").exists())
        {
            return Err(GitError::Shallow { source_name: name });
        }
        self.prepare()?;
        let _lock = self.lock().await?;
        if !self.dir.join("objects").is_dir() {
            self.git.ask(&["init", "--quiet", "--bare", "--template="]).await?;
        }
        let url = self.place.url();
        let words = ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"];
        let refs = [format!("+HEAD:{HEAD}"), "+refs/heads/*:refs/heads/*".to_owned(), "+refs/tags/*:refs/tags/*".to_owned()];
        let words: Vec<&str> = words.into_iter().chain([url.as_str()]).chain(refs.iter().map(String::as_str)).collect();
        match self.git.fetch(&words).await {
            // It leaves out what a shallow source cannot give, and calls that a success.
            Ok(warnings) if warnings.contains("shallow") => Err(GitError::Shallow { source_name: name }),
            Ok(_) => std::fs::write(self.dir.join(FETCHED), ".").map_err(|error| cache(&self.dir, &error)),
            Err(GitError::Failed { reason, .. }) if reason.contains("shallow") => Err(GitError::Shallow { source_name: name }),
            Err(GitError::Failed { reason, .. }) if reason.contains("find remote ref HEAD") => {
                Err(GitError::NoCommit { source_name: name })
            }
            Err(GitError::Failed { reason, .. }) => Err(GitError::Fetch { remedy: remedy(&reason), source_name: name, reason }),
            Err(other) => Err(other),
        }
    }

    /// When our copy was last brought up to date; `None`: it never was.
    pub fn fetched(&self) -> Option<DateTime<Utc>> {
        std::fs::metadata(self.dir.join(FETCHED)).and_then(|meta| meta.modified()).ok().map(DateTime::from)
    }

    /// The commit that a person's word names; `None`: the branch of the configuration, else the source's HEAD.
    ///
    /// # Errors
    /// [`GitError::NoRevision`].
    pub async fn resolve(&self, rev: Option<&str>) -> Result<Commit, GitError> {
        let branch = match &self.place {
            Place::Remote { branch, .. } => branch.as_deref(),
            Place::Tree(_) => None,
        };
        let word = match (rev, branch) {
            (Some(rev), _) => own(rev),
            (None, Some(branch)) => format!("refs/heads/{branch}"),
            (None, None) => HEAD.to_owned(),
        };
        let none = || GitError::NoRevision { rev: clean_line(rev.or(branch).unwrap_or("HEAD")), source_name: self.place.name() };
        let question = format!("{word}^{{commit}}");
        let sha = self.git.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &question]).await;
        let sha = match sha {
            Ok(sha) => text(&sha),
            Err(GitError::Failed { .. }) => return Err(none()),
            Err(other) => return Err(other),
        };
        self.commits(&[sha.as_str()], 1).await?.into_iter().next().ok_or_else(none)
    }

    /// The commits of `to` that are not `from`'s, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`GitError::Failed`] when one of them is none.
    pub async fn between(&self, from: &Commit, to: &Commit, limit: usize) -> Result<Vec<Commit>, GitError> {
        self.commits(&[to.sha.as_str(), &format!("^{}", from.sha)], limit).await
    }

    /// The last commits up to this one, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn until(&self, to: &Commit, limit: usize) -> Result<Vec<Commit>, GitError> {
        self.commits(&[to.sha.as_str()], limit).await
    }

    async fn commits(&self, which: &[&str], limit: usize) -> Result<Vec<Commit>, GitError> {
        let count = format!("--max-count={limit}");
        let mut words = vec!["log", "-z", "--no-color", "--format=%H%x1f%T%x1f%ct%x1f%an%x1f%s", &count];
        words.extend(which);
        words.push("--");
        let output = self.git.ask(&words).await?;
        let commits = output.split(|byte| *byte == 0).filter(|record| !record.is_empty());
        let wrong = || GitError::Failed { what: "log".to_owned(), reason: "a commit that cannot be read".to_owned() };
        commits.map(|record| commit(&String::from_utf8_lossy(record)).ok_or_else(wrong)).collect()
    }

    /// A commit as it is built.
    ///
    /// # Errors
    /// [`GitError::Failed`], [`GitError::Shallow`].
    pub async fn snapshot(&self, commit: Commit) -> Result<Snapshot, GitError> {
        if text(&self.git.ask(&["rev-parse", "--is-shallow-repository"]).await?) != "false" {
            return Err(GitError::Shallow { source_name: self.place.name() });
        }
        let count = text(&self.git.ask(&["rev-list", "--count", &commit.sha, "--"]).await?);
        let count =
            count.parse().map_err(|_| GitError::Failed { what: "rev-list".to_owned(), reason: format!("{count:?} is no number") })?;
        Ok(Snapshot { tree: commit.tree.clone(), commit, count, dirty: None })
    }

    /// The work tree as it is now, with its changes: those that `git status` would show, files that are not tracked included. A remote
    /// source has none.
    ///
    /// # Errors
    /// Every [`GitError`].
    pub async fn with_changes(&self, snapshot: Snapshot) -> Result<Snapshot, GitError> {
        match &self.place {
            Place::Tree(root) => super::worktree::changes(&self.git, root, snapshot).await,
            Place::Remote { .. } => Ok(snapshot),
        }
    }

    /// Every file of a tree, in git's order.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn files(&self, tree: &str) -> Result<Vec<TreeFile>, GitError> {
        let output = self.git.ask(&["ls-tree", "-r", "-z", "--full-tree", tree]).await?;
        let wrong = || GitError::Failed { what: "ls-tree".to_owned(), reason: "a line that cannot be read".to_owned() };
        let records = output.split(|byte| *byte == 0).filter(|record| !record.is_empty());
        records.map(|record| tree_file(&String::from_utf8_lossy(record)).ok_or_else(wrong)).collect()
    }

    /// A file's bytes, out of the tree itself; `None`: there is none. A link is not followed.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn read(&self, files: &[TreeFile], path: &str) -> Result<Option<Vec<u8>>, GitError> {
        match files.iter().find(|file| file.path == path && file.mode.starts_with("100")) {
            Some(file) => self.git.ask(&["cat-file", "blob", &file.object]).await.map(Some),
            None => Ok(None),
        }
    }

    /// Writes a tree's files to an empty directory: these and nothing else. Attributes may change line ends; filters are not run.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn checkout(&self, tree: &str, dir: &Path) -> Result<(), GitError> {
        let beside = tempfile::tempdir().map_err(|error| cache(dir, &error))?;
        let git = self.git.over(dir, &beside.path().join("index"));
        git.ask(&["read-tree", tree]).await?;
        git.ask(&["checkout-index", "--all", "--force", "--quiet"]).await.map(|_| ())
    }

    /// Makes its directory, and sees that nobody else may write there.
    fn prepare(&self) -> Result<(), GitError> {
        let room = self.dir.parent().unwrap_or(&self.dir);
        let make = |dir: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| cache(dir, &error));
        make(room)?;
        let meta = std::fs::symlink_metadata(room).map_err(|error| cache(room, &error))?;
        if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            let reason = "others may write there, and could have git run something as you: remove it; it is made anew".to_owned();
            return Err(GitError::Cache { path: room.to_owned(), reason });
        }
        make(&self.dir)
    }

    /// That only one process at a time fetches; held while it lives.
    async fn lock(&self) -> Result<File, GitError> {
        let handle = File::open(&self.dir).map_err(|error| cache(&self.dir, &error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match rustix::fs::flock(&handle, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(handle),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => tokio::time::sleep(RETRY).await,
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(GitError::Busy { path: self.dir.clone(), seconds: PATIENCE.as_secs() }),
                Err(error) => return Err(cache(&self.dir, &error.into())),
            }
        }
    }
}

pub(super) fn cache(path: &Path, error: &io::Error) -> GitError {
    GitError::Cache { path: path.to_owned(), reason: error.to_string() }
}

pub(super) fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}

/// `https://user:password@host/x` → `https://host/x`; a name alone stays, as in `ssh://git@host/x`.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match host.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || scheme.starts_with("http") => format!("{scheme}://{host}{path}"),
        Some(_) | None => url.to_owned(),
    }
}

/// `HEAD` means the source's, which has another name in our copy.
fn own(rev: &str) -> String {
    match rev.strip_prefix("HEAD").or_else(|| rev.strip_prefix('@')) {
        Some(rest) if rest.is_empty() || rest.starts_with(['~', '^', '@']) => format!("{HEAD}{rest}"),
        _ => rev.strip_prefix("origin/").unwrap_or(rev).to_owned(),
    }
}

fn commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(5, '\x1f');
    let mut field = || fields.next();
    let (sha, tree, at) = (field()?.trim().to_owned(), field()?.to_owned(), field()?.parse().ok()?);
    let (author, subject) = (clean(field()?).into_owned(), clean(field()?).into_owned());
    Some(Commit { sha, tree, author, subject, at: DateTime::from_timestamp(at, 0)? })
}

/// `100644 blob <object>\t<path>`
fn tree_file(record: &str) -> Option<TreeFile> {
    let (facts, path) = record.split_once('\t')?;
    let mut facts = facts.split(' ');
    let (mode, _, object) = (facts.next()?, facts.next()?, facts.next()?);
    Some(TreeFile { path: path.to_owned(), mode: mode.to_owned(), object: object.to_owned() })
}

/// The directory that a `.git` names: itself, or what the file of a linked work tree points to.
fn common_dir(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let text = std::fs::read_to_string(git).ok()?;
    let named = git.parent()?.join(text.strip_prefix("gitdir:")?.trim());
    match std::fs::read_to_string(named.join("commondir")) {
        Ok(common) => Some(named.join(common.trim())),
        Err(_) => Some(named),
    }
}

/// What mends the most frequent failures.
fn remedy(reason: &str) -> &'static str {
    let has = |text: &str| reason.contains(text);
    match () {
        () if has("Permission denied (") => ": give git on this machine a key that may read it (ssh-add -l lists those of your agent)",
        () if has("Host key verification failed") => ": note the server's key first: ssh to it once, by hand",
        () if has("terminal prompts disabled") || has("could not read Username") || has("Authentication failed") => {
            ": nobody is asked for a password here: set up a credential helper, or use an ssh URL"
        }
        () if has("dubious ownership") => {
            ": it belongs to another user: build from a clone of your own, or trust theirs: git config --global --add safe.directory PATH"
        }
        () if has("transport") && has("not allowed") => ": https, http, ssh, git and paths only",
        () if has("Could not resolve host") => ": the name is not known here",
        () => "",
    }
}
