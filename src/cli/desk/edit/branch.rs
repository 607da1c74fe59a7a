//! A change of a template that lies in a repository: a commit on a branch of its own, pushed; where that is refused, a patch in the current
//! directory.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    board::edit::{Draft, Written},
    build::git::{Commit, GitError, Repository, Signature},
    cli::exit::Failure,
    ledger::audit::Who,
    text::clean_line,
};

/// Longest part of a branch's name that the variables make.
const WHAT: usize = 40;
/// So many branches of one name, and so many patches.
const TRIES: u32 = 99;

/// Puts the change on top of this commit.
pub(super) async fn propose(
    repository: &Repository,
    parent: &Commit,
    path: &str,
    draft: &Draft,
    who: &Who,
    here: &Path,
) -> Result<Written, Failure> {
    let source = repository.source().await;
    let files = repository.files(&parent.tree).await.map_err(Failure::failed)?;
    let now = repository.read(&files, path).await.map_err(Failure::failed)?;
    let file = files.iter().find(|file| file.path == path);
    let (Some(file), Some(now)) = (file, now) else {
        return Err(Failure::refused(format!("{source}: {path} is not there any more: nothing was written; look again")));
    };
    if now != draft.reading.text.as_bytes() {
        return Err(Failure::refused(format!("{source}: {path} has changed since it was read: nothing was written; look again")));
    }
    let machine = who.machine.as_deref().unwrap_or("localhost");
    let (name, email) = repository.person(&who.short(), machine).await;
    let message = format!(
        "{}: {} of {} in {}\n\nChanged on the screen of quarterdeck by {}@{machine}.\n",
        draft.reading.app,
        draft.names(),
        draft.service,
        draft.environment,
        who.short()
    );
    let sha =
        repository.amended(parent, file, draft.text.as_bytes(), &Signature { name, email, message }).await.map_err(Failure::failed)?;
    let branch = free_branch(repository, draft).await;
    match repository.push(&sha, &branch).await {
        Ok(()) => Ok(Written::Branch { name: branch, sha, source }),
        Err(refused) => {
            let patch = repository.patch(&sha).await.map_err(Failure::failed)?;
            let path = keep(here, &branch.replace('/', "-"), &patch).map_err(|error| {
                Failure::failed(format!("not pushed: {}; and no patch in {}: {error}", reason(&refused), here.display()))
            })?;
            Ok(Written::Patch { path, why: reason(&refused) })
        }
    }
}

/// What the other side said, without the words that every push ends in.
fn reason(error: &GitError) -> String {
    let words = match error {
        GitError::Failed { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    clean_line(&words)
}

/// `quarterdeck/shop-production-greeting`
async fn free_branch(repository: &Repository, draft: &Draft) -> String {
    let mut what = String::new();
    for c in draft.names().to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => what.push(c),
            _ if what.ends_with('-') || what.is_empty() => {}
            _ => what.push('-'),
        }
    }
    let what = what.get(..WHAT).unwrap_or(&what).trim_end_matches('-');
    let what = if what.is_empty() { "variables" } else { what };
    let name = format!("quarterdeck/{}-{}-{what}", draft.reading.app, draft.environment);
    for n in 2..TRIES {
        let candidate = if n == 2 { name.clone() } else { format!("{name}-{}", n - 1) };
        if !repository.has_branch(&candidate).await {
            return candidate;
        }
    }
    name
}

/// A new file of this name, never in the place of another.
fn keep(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for n in 1..TRIES {
        let name = if n == 1 { format!("{name}.patch") } else { format!("{name}-{n}.patch") };
        let path = dir.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                file.sync_all()?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}
