//! A work tree's changes as a tree of their own, without asking its repository anything: files are compared with the commit through our
//! copy's objects and an index beside it, so that no filter, no fsmonitor and no submodule's configuration has a say.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    Git, GitError, Snapshot,
    repository::{cache, text},
};

/// So many digits of the changes stand in a version.
const DIGITS: usize = 8;

/// The snapshot with the work tree's changes; itself where there are none.
pub(super) async fn changes(git: &Git, root: &Path, snapshot: Snapshot) -> Result<Snapshot, GitError> {
    let beside = tempfile::tempdir().map_err(|error| cache(root, &error))?;
    let git = git.over(root, &beside.path().join("index"));
    git.ask(&["read-tree", &snapshot.commit.tree]).await?;
    // It ends with an error when something differs, which is what is asked.
    if let Err(error) = git.ask(&["update-index", "-q", "--refresh"]).await {
        tracing::debug!(%error, "the work tree differs");
    }
    let mut paths = git.ask(&["diff-files", "-z", "--name-only", "--ignore-submodules=all"]).await?;
    let mut words: Vec<String> = ["ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"].map(str::to_owned).into();
    for file in ignore_files(&git, root).await {
        words.push(format!("--exclude-from={}", file.display()));
    }
    let others = git.ask(&words).await?;
    for other in others.split(|byte| *byte == 0).filter(|path| !path.is_empty() && !path.ends_with(b"/")) {
        paths.extend_from_slice(other);
        paths.push(0);
    }
    if paths.is_empty() {
        return Ok(snapshot);
    }
    git.tell(&["update-index", "-z", "--add", "--remove", "--replace", "--stdin"], &paths).await?;
    let tree = text(&git.ask(&["write-tree"]).await?);
    let diff = git.ask(&["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", &snapshot.commit.tree, &tree]).await?;
    if diff.is_empty() {
        return Ok(snapshot);
    }
    let digest = Sha256::digest(&diff);
    let digits: String = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    Ok(Snapshot { tree, dirty: Some(digits), ..snapshot })
}

/// The files beside `.gitignore` that say what is nobody's change: the repository's own and the person's.
async fn ignore_files(git: &Git, root: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let person = match git.person("core.excludesFile").await {
        Some(told) => match told.strip_prefix("~/") {
            Some(below) => home.map(|home| home.join(below)),
            None => Some(PathBuf::from(told)),
        },
        None => {
            let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home.map(|home| home.join(".config")));
            config.map(|dir| dir.join("git/ignore"))
        }
    };
    let own = root.join(".git/info/exclude");
    [Some(own), person].into_iter().flatten().filter(|path| path.is_file()).collect()
}
