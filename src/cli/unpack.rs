//! A container's tar stream as files of ours. What is in it is foreign: names, links and modes are chosen by whoever built the image.
//!
//! Every name is walked part by part below the destination, and no link is followed on the way, so that nothing is written outside it.
//! Links are made as they came. Devices, pipes and sockets are left out. Owner and set-id bits are ours to choose: ours, and none.

use std::{
    ffi::{OsStr, OsString},
    fmt::Display,
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, linkat, mkdirat, open, openat, symlinkat, unlinkat},
    io::Errno,
};
use tar::{Archive, Entry, EntryType};

use crate::text::clean_line;

/// So many left-out entries are named.
const NAMED: usize = 50;

/// What came of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, directories and links that were made.
    pub entries: usize,
    /// Bytes of the files.
    pub bytes: u64,
    /// What was left out and why, one line each.
    pub refused: Vec<String>,
}

/// Unpacks what lies at a path (`is_dir`) to `dest`: into it, where it is a directory, else under its name.
///
/// # Errors
/// When `dest` is nowhere to write to, the disk is full, or the stream is no tar or ends in the middle. What was written so far stays.
pub fn unpack(stream: impl Read, dest: &Path, is_dir: bool) -> io::Result<Unpacked> {
    let mut target = Target::open(dest, is_dir)?;
    let mut archive = Archive::new(stream);
    for entry in archive.entries()? {
        target.take(&mut entry?)?;
    }
    target.finish()
}

/// Where the entries go.
struct Target {
    root: OwnedFd,
    /// What the first part of every name is called here; `None`: as it came.
    name: Option<OsString>,
    /// The modes of directories: set at the end, for one that may not be written could not be filled.
    modes: Vec<(PathBuf, u32)>,
    done: Unpacked,
}

impl Target {
    fn open(dest: &Path, is_dir: bool) -> io::Result<Self> {
        let told = |path: &Path, error: &dyn Display| io::Error::other(format!("{}: {error}", path.display()));
        let (dir, name) = match std::fs::metadata(dest) {
            Ok(meta) if meta.is_dir() => (dest.to_owned(), None),
            Ok(_) if is_dir => return Err(told(dest, &"is a file, and a directory is copied")),
            _ => {
                let name = dest.file_name().ok_or_else(|| told(dest, &"is no name for a file"))?.to_owned();
                let parent = dest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                (parent.to_owned(), Some(name))
            }
        };
        let root = open(&dir, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())
            .map_err(|error| told(&dir, &io::Error::from(error)))?;
        Ok(Self { root, name, modes: Vec::new(), done: Unpacked::default() })
    }

    /// Makes one entry. An error ends all; what is only refused does not.
    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let told = entry.path()?.into_owned();
        match self.make(entry, &told) {
            Ok(made) => {
                self.done.entries += usize::from(made);
                Ok(())
            }
            Err(Fault::Refused(reason)) => {
                if self.done.refused.len() < NAMED {
                    self.done.refused.push(format!("{}: {reason}", clean_line(&told.to_string_lossy())));
                }
                Ok(())
            }
            Err(Fault::Failed(error)) => Err(io::Error::new(error.kind(), format!("{}: {error}", clean_line(&told.to_string_lossy())))),
        }
    }

    fn make(&mut self, entry: &mut Entry<'_, impl Read>, told: &Path) -> Result<bool, Fault> {
        let place = self.place(told)?;
        let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
        let kind = entry.header().entry_type();
        let Some((parent, name)) = split(&place) else {
            // The destination itself: it is there.
            return Ok(false);
        };
        match kind {
            EntryType::Directory => {
                self.walk(&place)?;
                self.modes.push((place, mode));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let dir = self.walk(parent)?;
                clear(&dir, name)?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = File::from(openat(&dir, name, flags, Mode::RUSR | Mode::WUSR)?);
                self.done.bytes += io::copy(entry, &mut &file)?;
                fchmod(&file, Mode::from_raw_mode(mode))?;
                let at = Timespec { tv_sec: entry.header().mtime().unwrap_or(0).cast_signed(), tv_nsec: 0 };
                futimens(&file, &Timestamps { last_access: at, last_modification: at })?;
            }
            EntryType::Symlink => {
                let to = entry.link_name()?.ok_or_else(|| refused("a link to nothing"))?;
                let dir = self.walk(parent)?;
                clear(&dir, name)?;
                symlinkat(to.as_ref(), &dir, name)?;
            }
            EntryType::Link => {
                let to = entry.link_name()?.ok_or_else(|| refused("a link to nothing"))?;
                let to = self.place(&to)?;
                let (to_parent, to_name) = split(&to).ok_or_else(|| refused("a link to the whole"))?;
                let (from, dir) = (self.walk(to_parent)?, self.walk(parent)?);
                clear(&dir, name)?;
                linkat(&from, to_name, &dir, name, AtFlags::empty())?;
            }
            EntryType::Char | EntryType::Block => return Err(refused("a device")),
            EntryType::Fifo => return Err(refused("a named pipe")),
            EntryType::XGlobalHeader => return Ok(false),
            _ => return Err(refused("neither a file nor a directory nor a link")),
        }
        Ok(true)
    }

    /// A name of the stream as a path below the root.
    fn place(&self, told: &Path) -> Result<PathBuf, Fault> {
        let mut parts = Vec::new();
        for component in told.components() {
            match component {
                Component::Normal(part) => parts.push(part),
                Component::CurDir | Component::RootDir => {}
                Component::ParentDir | Component::Prefix(_) => return Err(refused("its name leads out of the directory")),
            }
        }
        Ok(match &self.name {
            Some(name) => std::iter::once(name.as_os_str()).chain(parts.into_iter().skip(1)).collect(),
            None => parts.into_iter().collect(),
        })
    }

    /// The directory at a path below the root, made where it is not there. No link is followed.
    fn walk(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let mut dir = self.root.try_clone()?;
        for part in path {
            let next = match openat(&dir, part, flags, Mode::empty()) {
                Err(Errno::NOENT) => {
                    mkdirat(&dir, part, Mode::from_raw_mode(0o755))?;
                    openat(&dir, part, flags, Mode::empty())
                }
                other => other,
            };
            dir = next.map_err(|error| match error {
                Errno::LOOP | Errno::NOTDIR => refused("a link or a file stands where its directory should be"),
                other => other.into(),
            })?;
        }
        Ok(dir)
    }

    fn finish(mut self) -> io::Result<Unpacked> {
        // The deepest first: a directory that may not be entered any more hides those in it.
        for (path, mode) in std::mem::take(&mut self.modes).into_iter().rev() {
            match self.walk(&path) {
                Ok(dir) => fchmod(&dir, Mode::from_raw_mode(mode))?,
                Err(Fault::Refused(_)) => {}
                Err(Fault::Failed(error)) => return Err(error),
            }
        }
        Ok(self.done)
    }
}

fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    Some((path.parent()?, path.file_name()?))
}

/// Makes room for a file: what has its name goes, unless it is a directory.
fn clear(dir: &OwnedFd, name: &OsStr) -> Result<(), Fault> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => Err(refused("a directory stands in its place")),
        Err(error) => Err(error.into()),
    }
}

/// Why an entry was not made.
enum Fault {
    /// It is not to be made.
    Refused(&'static str),
    /// It could not.
    Failed(io::Error),
}

fn refused(reason: &'static str) -> Fault {
    Fault::Refused(reason)
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests;
