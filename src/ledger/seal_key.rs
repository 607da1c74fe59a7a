//! The key of the keyed hashes of secrets, as a file in the state directory: readable by whoever may write there, and by nobody else. It is no
//! part of the ledger, so that a copy of that tells nothing of any secret.

use std::{
    fs::{File, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use super::{LedgerError, StateDir};
use crate::delivery::seal::{KEY_LENGTH, SealKey};

/// Its file.
pub(super) const FILE: &str = "seal.key";

impl StateDir {
    /// The key, if there is one: for who only looks.
    ///
    /// # Errors
    /// A key that others may read, or that is none.
    pub fn known_seal_key(&self) -> Result<Option<SealKey>, LedgerError> {
        read(&self.path().join(FILE))
    }

    /// The key; it is drawn by lot where there is none.
    ///
    /// # Errors
    /// A directory that is not one to keep records in, and a key that others may read or that is none.
    pub fn seal_key(&self) -> Result<SealKey, LedgerError> {
        let sharing = self.prepare()?;
        let path = self.path().join(FILE);
        for _ in 0..2 {
            if let Some(key) = read(&path)? {
                return Ok(key);
            }
            draw(self.path(), &path, sharing.file_mode()).map_err(|error| LedgerError::system(&path, &error))?;
        }
        Err(LedgerError::system(&path, &io::Error::other("it is made and gone again")))
    }
}

fn read(path: &Path) -> Result<Option<SealKey>, LedgerError> {
    let fault = |error: io::Error| LedgerError::system(path, &error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let mode = file.metadata().map_err(fault)?.mode();
    if mode & 0o007 != 0 {
        return Err(fault(io::Error::other(format!(
            "everyone may read it (mode {:o}): chmod o= {}, then change the secrets",
            mode & 0o777,
            path.display()
        ))));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(fault)?;
    match <[u8; KEY_LENGTH]>::try_from(bytes) {
        Ok(key) => Ok(Some(SealKey::new(key))),
        Err(_) => Err(fault(io::Error::other("is no key: remove it, and a new one is drawn"))),
    }
}

/// Written whole under another name first: who finds it finds all of it, and of two who draw at once one is kept.
fn draw(dir: &Path, path: &Path, mode: u32) -> io::Result<()> {
    let mut key = [0; KEY_LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut draft = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(dir)?;
    // The umask may have taken bits away.
    draft.as_file().set_permissions(Permissions::from_mode(mode))?;
    draft.write_all(&key)?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(other) if other.error.kind() != io::ErrorKind::AlreadyExists => Err(other.error),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_for_all_and_for_nobody_else() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("state"));
        assert!(dir.known_seal_key().unwrap().is_none(), "who only looks makes none");
        let drawn: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| format!("{:?}", dir.seal_key()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(drawn.iter().all(|key| *key == drawn[0] && key.starts_with("Ok")), "{drawn:?}");
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(dir.seal_key().unwrap_err().to_string().contains("chmod o="));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(dir.seal_key().unwrap_err().to_string().contains("is no key"));
    }
}
