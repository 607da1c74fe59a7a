//! The file: a gzipped tar in one directory, readable by its owner alone.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, Header};
use thiserror::Error;

use super::Contents;

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It could not be made sure that no secret is in it.
    #[error("nothing is handed on: {0}")]
    Secrets(String),
}

impl Contents {
    /// Writes the file, whole or not at all; an existing one is replaced only by a whole one. How large it is.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&self, path: &Path) -> Result<u64, BundleError> {
        self.pack(path).map_err(|source| BundleError::Write { path: path.to_owned(), source })
    }

    fn pack(&self, path: &Path) -> io::Result<u64> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made with mode 0600, and removed unless it is kept.
        let file = tempfile::NamedTempFile::new_in(dir)?;
        let mut tar = Builder::new(GzEncoder::new(file, Compression::default()));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let top = name.trim_end_matches(".gz").trim_end_matches(".tar").trim_end_matches(".tgz");
        let top = if top.is_empty() { "handoff" } else { top };
        for (place, text) in self.files() {
            let mut header = Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(text.len() as u64);
            header.set_mtime(u64::try_from(self.made().timestamp()).unwrap_or(0));
            tar.append_data(&mut header, format!("{top}/{place}"), text.as_bytes())?;
        }
        let mut file = tar.into_inner()?.finish()?;
        file.flush()?;
        let size = file.as_file().metadata()?.len();
        file.persist(path).map_err(|error| error.error)?;
        Ok(size)
    }
}
