//! That only one pipeline of an app is under way: a lock on a file of the state directory, which the system gives back however it ends.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{
    cli::exit::Failure,
    fleet::AppName,
    ledger::{StateDir, audit::Who},
    text::clean_line,
};

/// So much of a holder's name is read.
const NAME_LIMIT: u64 = 200;

/// Held while it lives.
pub struct Turn {
    _file: File,
}

impl Turn {
    /// The turn of an app's pipeline.
    ///
    /// # Errors
    /// Who has it.
    pub fn take(state: &Path, app: &AppName) -> Result<Self, Failure> {
        let sharing = StateDir::at(state).prepare().map_err(Failure::failed)?;
        let path = state.join(format!("pipeline-{app}.lock"));
        let unusable = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(sharing.file_mode()).open(&path);
        let mut file = open.map_err(|error| unusable(&error))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Without a name it is locked all the same.
                let read = (&mut file).take(NAME_LIMIT).read_to_string(&mut holder);
                let holder = if read.is_ok() && !holder.is_empty() { clean_line(&holder) } else { "somebody".to_owned() };
                return Err(Failure::locked(format!(
                    "a pipeline of {app} is under way already, by {holder}: it takes up what is new by itself"
                )));
            }
            Err(error) => return Err(unusable(&error)),
        }
        let who = Who::of_process();
        let machine = who.machine.as_deref().map(|machine| format!("@{machine}")).unwrap_or_default();
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}{machine} (pid {})", who.short(), who.pid));
        if let Err(error) = written {
            tracing::debug!(%error, "the pipeline's lock has no name in it");
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let state = temp.path().join("state");
        let (shop, crm) = (AppName::new("shop"), AppName::new("crm"));
        let turn = Turn::take(&state, &shop).unwrap();
        let refused = Turn::take(&state, &shop).err().unwrap();
        assert_eq!(refused.exit(), crate::cli::Exit::LOCKED);
        assert!(refused.words().contains(&format!("(pid {})", std::process::id())));
        Turn::take(&state, &crm).unwrap();
        drop(turn);
        Turn::take(&state, &shop).unwrap();
    }
}
