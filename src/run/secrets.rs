//! Values of secrets from where the configuration says: read when a run begins, held in memory, put into containers and nowhere else.

use std::{collections::BTreeMap, fs, io, os::unix::fs::MetadataExt as _, process::Command, sync::Arc};

use indexmap::IndexMap;
use thiserror::Error;

use crate::config::SecretSource;

/// A secret has no value. The sentence names the secret and its source, never what was read.
#[derive(Debug, Error)]
pub enum SecretError {
    /// Its file.
    #[error("secret {name}: {file}: {error}")]
    File {
        /// Whose.
        name: String,
        /// Which.
        file: String,
        /// Why not.
        error: io::Error,
    },
    /// Others may read it.
    #[error("secret {name}: {file} may be read by others than its owner: chmod 600 {file}")]
    Open {
        /// Whose.
        name: String,
        /// Which.
        file: String,
    },
    /// Its variable.
    #[error("secret {name}: the variable {variable} is not set, or is not text")]
    Variable {
        /// Whose.
        name: String,
        /// Which.
        variable: String,
    },
    /// Its command.
    #[error("secret {name}: its command {why}")]
    Command {
        /// Whose.
        name: String,
        /// Why not.
        why: String,
    },
    /// What it gave.
    #[error("secret {name}: what its source gives is not text")]
    NoText {
        /// Whose.
        name: String,
    },
}

/// The values of these secrets. One newline at the end of a file or an output is its editor's.
///
/// # Errors
/// The first that has none.
pub fn resolve(sources: &IndexMap<String, SecretSource>) -> Result<BTreeMap<Arc<str>, Arc<str>>, SecretError> {
    sources.iter().map(|(name, source)| Ok((Arc::from(name.as_str()), value(name, source)?))).collect()
}

fn value(name: &str, source: &SecretSource) -> Result<Arc<str>, SecretError> {
    let name = name.to_owned();
    let bytes = match source {
        SecretSource::File(path) => {
            let file = crate::text::clean_line(&path.display().to_string());
            match fs::metadata(path) {
                Ok(found) if found.mode() & 0o077 != 0 => return Err(SecretError::Open { name, file }),
                Ok(_) => {}
                Err(error) => return Err(SecretError::File { name, file, error }),
            }
            fs::read(path).map_err(|error| SecretError::File { name: name.clone(), file, error })?
        }
        SecretSource::Env(variable) => {
            let missing = |_| SecretError::Variable { name: name.clone(), variable: variable.clone() };
            std::env::var(variable).map_err(missing)?.into_bytes()
        }
        SecretSource::Command(command) => {
            let fault = |why: String| SecretError::Command { name: name.clone(), why };
            let (program, arguments) = command.split_first().ok_or_else(|| fault("is empty".to_owned()))?;
            let output = Command::new(program).args(arguments).output().map_err(|error| fault(format!("cannot be run: {error}")))?;
            if !output.status.success() {
                return Err(fault(format!("ended with {}", output.status)));
            }
            output.stdout
        }
    };
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NoText { name })?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn of(source: SecretSource) -> Result<Arc<str>, String> {
        value("KEY", &source).map_err(|error| error.to_string())
    }

    #[test]
    fn values_come_from_where_they_are_said_to() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key");
        fs::write(&file, "s3cret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(of(SecretSource::File(file.clone())).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(&*of(SecretSource::File(file.clone())).unwrap(), "s3cret");
        fs::write(&file, [0xff]).unwrap();
        assert!(of(SecretSource::File(file)).unwrap_err().contains("not text"));
        let command = |text: &str| SecretSource::Command(vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()]);
        assert_eq!(&*of(command("echo a; echo b")).unwrap(), "a\nb");
        let error = of(command("echo s3cret; exit 3")).unwrap_err();
        assert!(error.contains("exit status: 3") && !error.contains("s3cret"), "{error}");
        assert!(of(SecretSource::Env("QUARTERDECK_NO_SUCH_VARIABLE".to_owned())).unwrap_err().contains("is not set"));
    }
}
