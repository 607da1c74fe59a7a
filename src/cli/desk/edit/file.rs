//! A template's file, written anew in one step: whoever reads it has the old text or the new one, never a part.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, Gid, Uid};
use thiserror::Error;

use crate::text::clean_line;

/// Why the file stays as it is.
#[derive(Debug, Error)]
pub(super) enum Unwritten {
    #[error("{0}: it has changed since it was read: nothing was written; look again")]
    Changed(String),
    #[error("{0}: is no regular file: nothing was written")]
    NoFile(String),
    #[error("{path}: is a link to {target}, outside of its directory: nothing was written; change it there, or register that path")]
    Elsewhere { path: String, target: String },
    #[error("{path}: you may not write it: {error}")]
    Forbidden { path: String, error: io::Error },
    #[error("{path}: it belongs to uid {owner}, and a new file would be yours: nothing was written; let them change it, or root")]
    Owner { path: String, owner: u32 },
    #[error("{path}: cannot be written: {error}")]
    Failed { path: String, error: io::Error },
}

/// Puts the new text in the place of the old one, with the file's owner and mode; tells which file it was.
pub(super) fn put(path: &Path, before: &str, after: &str) -> Result<PathBuf, Unwritten> {
    let name = clean_line(&path.display().to_string());
    let failed = |error: io::Error| Unwritten::Failed { path: name.clone(), error };
    let target = target(path, &name)?;
    let dir = target.parent().ok_or_else(|| Unwritten::NoFile(name.clone()))?;
    let meta = fs::metadata(&target).map_err(failed)?;
    if !meta.is_file() {
        return Err(Unwritten::NoFile(name));
    }
    // A name can be given to another file wherever the directory may be written; the file's own mode says who may change it.
    rustix::fs::access(&target, Access::WRITE_OK).map_err(|error| Unwritten::Forbidden { path: name.clone(), error: error.into() })?;
    unchanged(&target, before, &name)?;
    let mut new = tempfile::Builder::new().prefix(".quarterdeck-").suffix(".toml").tempfile_in(dir).map_err(failed)?;
    new.write_all(after.as_bytes()).map_err(failed)?;
    keep(new.as_file(), &meta, &name)?;
    new.as_file().sync_all().map_err(failed)?;
    // The last look before the step: what others wrote meanwhile is not lost.
    unchanged(&target, before, &name)?;
    new.persist(&target).map_err(|error| failed(error.error))?;
    // The name is on the disk with its directory.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(target)
}

/// The file itself: a link is followed as long as it stays in its directory.
fn target(path: &Path, name: &str) -> Result<PathBuf, Unwritten> {
    let failed = |error: io::Error| Unwritten::Failed { path: name.to_owned(), error };
    let whole = fs::canonicalize(path).map_err(failed)?;
    let is_link = fs::symlink_metadata(path).map_err(failed)?.is_symlink();
    if !is_link {
        return Ok(whole);
    }
    let dir = fs::canonicalize(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))).map_err(failed)?;
    match whole.starts_with(&dir) {
        true => Ok(whole),
        false => Err(Unwritten::Elsewhere { path: name.to_owned(), target: clean_line(&whole.display().to_string()) }),
    }
}

fn unchanged(target: &Path, before: &str, name: &str) -> Result<(), Unwritten> {
    match fs::read(target) {
        Ok(now) if now == before.as_bytes() => Ok(()),
        Ok(_) => Err(Unwritten::Changed(name.to_owned())),
        Err(error) => Err(Unwritten::Failed { path: name.to_owned(), error }),
    }
}

/// Owner and mode of the old one, in this order: giving a file away takes bits of its mode.
fn keep(new: &File, old: &Metadata, name: &str) -> Result<(), Unwritten> {
    let failed = |error: io::Error| Unwritten::Failed { path: name.to_owned(), error };
    let made = new.metadata().map_err(failed)?;
    let (uid, gid) = (old.uid(), old.gid());
    if (made.uid(), made.gid()) != (uid, gid) {
        let given =
            rustix::fs::fchown(new, (made.uid() != uid).then(|| Uid::from_raw(uid)), (made.gid() != gid).then(|| Gid::from_raw(gid)));
        given.map_err(|_| Unwritten::Owner { path: name.to_owned(), owner: uid })?;
    }
    new.set_permissions(Permissions::from_mode(old.mode() & 0o7777)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn stage(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("quarterdeck.toml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    /// Everything of a directory: what was only needed meanwhile is gone.
    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn mode_and_owner_stay() {
        let (dir, path) = stage("a\r\n");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(&path, Some(4242), Some(4343)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        assert_eq!(put(&path, "a\r\n", "b\r\n").unwrap(), fs::canonicalize(&path).unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\r\n");
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino(), "another file under the name, not other bytes in the old one");
        assert_eq!(names(dir.path()), ["quarterdeck.toml"]);
    }

    #[test]
    fn what_another_wrote_is_not_lost() {
        let (dir, path) = stage("theirs\n");
        let error = put(&path, "mine\n", "new\n").unwrap_err().to_string();
        assert!(error.ends_with("quarterdeck.toml: it has changed since it was read: nothing was written; look again"), "{error}");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(dir.path()).len()), ("theirs\n", 1));
        fs::remove_file(&path).unwrap();
        assert!(matches!(put(&path, "theirs\n", "new\n"), Err(Unwritten::Failed { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_followed_within_its_directory_only() {
        let (dir, path) = stage("a\n");
        let inside = dir.path().join("link.toml");
        symlink("quarterdeck.toml", &inside).unwrap();
        put(&inside, "a\n", "b\n").unwrap();
        assert!(fs::symlink_metadata(&inside).unwrap().is_symlink() && fs::read_to_string(&path).unwrap() == "b\n");
        let elsewhere = tempfile::tempdir().unwrap();
        let outside = elsewhere.path().join("quarterdeck.toml");
        symlink(&path, &outside).unwrap();
        let error = put(&outside, "b\n", "c\n").unwrap_err().to_string();
        assert!(error.contains("outside of its directory") && fs::read_to_string(&path).unwrap() == "b\n", "{error}");
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(matches!(put(&dir.path().join("folder"), "b\n", "c\n"), Err(Unwritten::NoFile(_))));
    }

    #[test]
    fn who_may_not_write_the_file_does_not_replace_it() {
        let (_dir, path) = stage("a\n");
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        // Root may write everything: then there is nothing to refuse.
        if !rustix::process::geteuid().is_root() {
            assert!(matches!(put(&path, "a\n", "b\n"), Err(Unwritten::Forbidden { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        }
    }
}
