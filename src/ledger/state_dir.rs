//! The state directory: private to one user (mode 0700), or shared with a group (mode 2770, files 0660).
//!
//! Who may write there can rewrite the records, so a directory that others may write, or that is somebody else's, is refused.

use std::{
    fs::{DirBuilder, Metadata, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Gid, Uid},
    process::{getegid, geteuid, getgroups},
};
use thiserror::Error;

/// The ledger's file in it.
pub(super) const LEDGER_FILE: &str = "ledger.db";

/// Set-group-ID: what is made in the directory belongs to its group.
const SETGID: u32 = 0o2000;
/// Read, write and enter, for the group.
const GROUP: u32 = 0o070;

/// A state directory by its path. It is looked at when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// Who may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Its owner.
    Private,
    /// The members of its group.
    Group(u32),
}

/// Why a directory is not one to keep records in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateDirError {
    /// It cannot be made or read.
    #[error("state directory {}: {reason}: name another with --state", .path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Everybody may write there.
    #[error("state directory {}: everyone may write there (mode {mode:o}): chmod o-w {}", .path.display(), .path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A group may write there, but it is not set up to be shared.
    #[error(
        "state directory {}: its group may write there (mode {mode:o}), but it is not set up to be shared: chmod g-w {}, or `quarterdeck init --shared GROUP`",
        .path.display(), .path.display()
    )]
    HalfShared {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is private to somebody else.
    #[error(
        "state directory {}: belongs to {owner}, not to you: name another with --state, or let {owner} share it: `quarterdeck init --shared GROUP`",
        .path.display()
    )]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Its owner: a name, or `uid 1001`.
        owner: String,
    },
    /// It is shared with a group that we are not in.
    #[error("state directory {}: is shared with the group {group}, and you are not in it: `adduser YOU {group}`, then log in anew", .path.display())]
    NotAMember {
        /// Which.
        path: PathBuf,
        /// Its group: a name, or a number.
        group: String,
    },
    /// There is no such group.
    #[error("there is no group {0:?} on this machine: `getent group` lists them")]
    NoGroup(String),
}

impl StateDir {
    /// The directory at this path, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ledger is kept.
    pub fn ledger_file(&self) -> PathBuf {
        self.path.join(LEDGER_FILE)
    }

    /// That it is one to keep records in; `None` when it does not exist.
    ///
    /// # Errors
    /// Every [`StateDirError`] but `NoGroup`.
    pub fn check(&self) -> Result<Option<Sharing>, StateDirError> {
        match std::fs::metadata(&self.path) {
            Ok(meta) if !meta.is_dir() => Err(self.unusable("it is no directory")),
            Ok(meta) => self.judge(&meta).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable(error)),
        }
    }

    /// Makes it, private, where there is none; that it is one to keep records in.
    ///
    /// # Errors
    /// As [`StateDir::check`].
    pub fn prepare(&self) -> Result<Sharing, StateDirError> {
        if let Some(sharing) = self.check()? {
            return Ok(sharing);
        }
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(&self.path) {
            return Err(self.unusable(error));
        }
        self.check()?.ok_or_else(|| self.unusable("it was removed again"))
    }

    /// Opens a file of a directory in it to append to, making both where they are missing; who shares the state directory shares them.
    ///
    /// # Errors
    /// Every [`StateDirError`] but `NoGroup`.
    pub fn append(&self, directory: &str, name: &str) -> Result<(std::fs::File, PathBuf), StateDirError> {
        let sharing = self.prepare()?;
        let home = self.path.join(directory);
        match sharing.make_directory(&home) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|error| self.unusable(format!("{directory}: {error}")))?,
        }
        let path = home.join(name);
        let fail = |error: io::Error| self.unusable(format!("{directory}/{name}: {error}"));
        let is_new = !path.exists();
        let file = std::fs::OpenOptions::new().append(true).create(true).mode(sharing.file_mode()).open(&path).map_err(fail)?;
        if is_new {
            // The umask may have taken bits away.
            file.set_permissions(Permissions::from_mode(sharing.file_mode())).map_err(fail)?;
        }
        Ok((file, path))
    }

    /// Shares it with a group: its mode, and that of the records in it. It is made where there is none.
    ///
    /// # Errors
    /// Every [`StateDirError`]; only the directory's owner can share it, with a group that they are in.
    pub fn share(&self, group: &str) -> Result<Sharing, StateDirError> {
        let gid = find_group(group).ok_or_else(|| StateDirError::NoGroup(group.to_owned()))?;
        let fail = |error: io::Error| self.unusable(error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(fail)?;
        let meta = std::fs::metadata(&self.path).map_err(fail)?;
        let us = geteuid();
        if meta.uid() != us.as_raw() && !us.is_root() {
            return Err(StateDirError::NotOurs { path: self.path.clone(), owner: user_name(meta.uid()) });
        }
        // First the files: once the directory is open to the group, whatever lies there must fit.
        let ledger = ["", "-wal", "-shm"].map(|end| format!("{LEDGER_FILE}{end}"));
        for name in ledger.into_iter().chain([super::seal_key::FILE.to_owned()]) {
            let file = self.path.join(name);
            match std::os::unix::fs::lchown(&file, None, Some(gid)) {
                Ok(()) => std::fs::set_permissions(&file, Permissions::from_mode(0o660)).map_err(fail)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fail(error)),
            }
        }
        std::os::unix::fs::chown(&self.path, None, Some(gid)).map_err(fail)?;
        std::fs::set_permissions(&self.path, Permissions::from_mode(SETGID | 0o770)).map_err(fail)?;
        Ok(Sharing::Group(gid))
    }

    fn judge(&self, meta: &Metadata) -> Result<Sharing, StateDirError> {
        let (path, mode, us) = (self.path.clone(), meta.mode() & 0o7777, geteuid());
        let shared = mode & SETGID != 0 && mode & GROUP == GROUP;
        match () {
            () if mode & 0o002 != 0 => Err(StateDirError::Open { path, mode }),
            () if shared && (us.is_root() || meta.uid() == us.as_raw() || is_member(meta.gid())) => Ok(Sharing::Group(meta.gid())),
            () if shared => Err(StateDirError::NotAMember { path, group: group_name(meta.gid()) }),
            () if meta.uid() != us.as_raw() => Err(StateDirError::NotOurs { path, owner: user_name(meta.uid()) }),
            () if mode & 0o020 != 0 => Err(StateDirError::HalfShared { path, mode }),
            () => Ok(Sharing::Private),
        }
    }

    fn unusable(&self, reason: impl std::fmt::Display) -> StateDirError {
        StateDirError::Unusable { path: self.path.clone(), reason: reason.to_string() }
    }
}

impl Sharing {
    /// Makes a directory in it.
    pub(super) fn make_directory(self, path: &Path) -> io::Result<()> {
        let mode = match self {
            Self::Private => 0o700,
            Self::Group(_) => SETGID | 0o770,
        };
        DirBuilder::new().mode(mode).create(path)?;
        // The umask may have taken bits away.
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }

    /// The mode of files in it.
    pub fn file_mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Group(_) => 0o660,
        }
    }
}

impl std::fmt::Display for Sharing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Private => f.write_str("private"),
            Self::Group(gid) => write!(f, "shared with the group {}", group_name(*gid)),
        }
    }
}

fn is_member(gid: u32) -> bool {
    getegid().as_raw() == gid || getgroups().is_ok_and(|groups| groups.contains(&Gid::from_raw(gid)))
}

/// The machine's own accounts; those of a directory service have numbers only.
fn lookup(file: &str, matching: impl Fn(&str, u32) -> bool) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        matching(name, number).then(|| (name.to_owned(), number))
    })
}

/// A user's name, or `uid 1001`.
pub(super) fn user_name(uid: u32) -> String {
    known_user(Uid::from_raw(uid)).unwrap_or_else(|| format!("uid {uid}"))
}

/// A user's name, where this machine knows it.
pub(super) fn known_user(uid: Uid) -> Option<String> {
    lookup("/etc/passwd", |_, number| number == uid.as_raw()).map(|(name, _)| crate::text::clean_line(&name))
}

fn group_name(gid: u32) -> String {
    lookup("/etc/group", |_, number| number == gid).map_or_else(|| gid.to_string(), |(name, _)| crate::text::clean_line(&name))
}

fn find_group(name: &str) -> Option<u32> {
    let known = lookup("/etc/group", |known, _| known == name).map(|(_, gid)| gid);
    known.or_else(|| name.parse().ok())
}
