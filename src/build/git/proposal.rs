//! One file's new text as a commit of its own, pushed to a branch of its own or given as a patch. Nothing is checked out, and nothing that a
//! repository brings along runs here.

use super::{
    Commit, GitError,
    repository::{Place, Repository, cache, text},
};
use crate::{build::key::TreeFile, text::clean_line};

/// What git serves a push with, where the other repository lies on this machine: its hooks and the commands of its configuration would run as
/// us.
const RECEIVE: &str = "--receive-pack=git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true -c receive.autogc=false -c gc.auto=0 receive-pack";

/// In whose name something is committed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// A person's name.
    pub name: String,
    /// Where they are written to.
    pub email: String,
    /// The message.
    pub message: String,
}

impl Repository {
    /// What the person calls themselves in commits; without that, this name on this machine.
    pub async fn person(&self, name: &str, machine: &str) -> (String, String) {
        let (said, email) = (self.git().person("user.name").await, self.git().person("user.email").await);
        let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
        (clean_line(&said.unwrap_or_else(|| name.to_owned())), clean_line(&email.unwrap_or_else(|| format!("{plain}@{machine}"))))
    }

    /// A commit on top of another that changes one file of it; gives all of its digits. It stands in our copy, under no name.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn amended(&self, parent: &Commit, file: &TreeFile, bytes: &[u8], signature: &Signature) -> Result<String, GitError> {
        let beside = tempfile::tempdir().map_err(|error| cache(std::path::Path::new("/tmp"), &error))?;
        let tree = beside.path().join("tree");
        std::fs::create_dir(&tree).map_err(|error| cache(&tree, &error))?;
        let git = self.git().over(&tree, &beside.path().join("index"));
        // As they are: no attribute of the repository changes them.
        let object = text(&git.tell(&["hash-object", "-w", "--no-filters", "--stdin"], bytes).await?);
        git.ask(&["read-tree", &parent.tree]).await?;
        git.ask(&["update-index", "--cacheinfo", &format!("{},{object},{}", file.mode, file.path)]).await?;
        let tree = text(&git.ask(&["write-tree"]).await?);
        let (name, email) = (format!("user.name={}", signature.name), format!("user.email={}", signature.email));
        let words = ["-c", &name, "-c", &email, "-c", "commit.gpgSign=false", "commit-tree", &tree, "-p", &parent.sha];
        let made = git.tell(&words, signature.message.as_bytes()).await.map_err(|error| match error {
            GitError::Failed { reason, .. } => GitError::Failed { what: "commit-tree".to_owned(), reason },
            other => other,
        });
        made.map(|sha| text(&sha))
    }

    /// Whether the source had a branch of this name when it was fetched last.
    pub async fn has_branch(&self, name: &str) -> bool {
        self.git().ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("refs/heads/{name}")]).await.is_ok()
    }

    /// Makes a branch of the source out of a commit. A branch that is there is never moved back.
    ///
    /// # Errors
    /// What the source says against it.
    pub async fn push(&self, sha: &str, branch: &str) -> Result<(), GitError> {
        let url = self.place().url();
        let refs = format!("{sha}:refs/heads/{branch}");
        let mut words = vec!["push", "--quiet", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"];
        if self.place().is_local() {
            words.push(RECEIVE);
        }
        words.extend(["--", &url, &refs]);
        self.git().fetch(&words).await.map(drop)
    }

    /// A commit as text that `git am` takes.
    ///
    /// # Errors
    /// [`GitError::Failed`].
    pub async fn patch(&self, sha: &str) -> Result<Vec<u8>, GitError> {
        let words = ["format-patch", "--stdout", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-signature", "-1", sha];
        self.git().ask(&words).await
    }
}

impl Place {
    /// Whether git reaches it without another machine.
    fn is_local(&self) -> bool {
        match self {
            Self::Tree(_) => true,
            Self::Remote { url, .. } => match url.split_once("://") {
                Some((scheme, _)) => scheme == "file",
                // `host:path` is ssh's, `/a:b` and `./a:b` are paths.
                None => !url.split('/').next().unwrap_or_default().contains(':'),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_this_machine() {
        let local = |url: &str| Place::Remote { url: url.to_owned(), branch: None }.is_local();
        for url in ["/srv/shop.git", "file:///srv/shop.git", "./a:b", "shop", "/a:b"] {
            assert!(local(url), "{url}");
        }
        for url in ["ssh://git@host/shop", "git@host:shop", "https://host/shop", "host:/srv/shop"] {
            assert!(!local(url), "{url}");
        }
    }
}
