//! The evidence of failures, as files in the state directory: `bundles/44-k3f9/1/web.log`. Not in the database: a log may be large, and who
//! looks at it wants a pager.

use std::{
    fs::{OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{LedgerError, Sharing, StateDir};
use crate::{delivery::release::DeploymentId, text::clean_line};

/// A longer name is nobody's host and container.
const NAME_LIMIT: usize = 200;

/// Writes the files of one failure into a directory of their own and tells where that is.
pub(super) fn keep(dir: &StateDir, deployment: &DeploymentId, files: &[(String, Vec<u8>)]) -> Result<PathBuf, LedgerError> {
    let sharing = dir.prepare()?;
    let home = dir.path().join("bundles");
    let of_deployment = home.join(deployment.to_string());
    for level in [&home, &of_deployment] {
        match sharing.make_directory(level) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|error| LedgerError::system(level, &error))?,
        }
    }
    let place = next(&of_deployment, sharing)?;
    for (number, (name, bytes)) in files.iter().enumerate() {
        let path = place.join(file_name(number, name));
        write(&path, bytes, sharing).map_err(|error| LedgerError::system(&path, &error))?;
    }
    Ok(place)
}

/// A directory that nobody else has: whoever makes it owns it.
fn next(home: &Path, sharing: Sharing) -> Result<PathBuf, LedgerError> {
    let mut number = 1;
    loop {
        let place = home.join(number.to_string());
        match sharing.make_directory(&place) {
            Ok(()) => return Ok(place),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(LedgerError::system(&place, &error)),
        }
    }
}

fn write(path: &Path, bytes: &[u8], sharing: Sharing) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(sharing.file_mode()).open(path)?;
    file.set_permissions(Permissions::from_mode(sharing.file_mode()))?;
    file.write_all(bytes)
}

/// Names come from hosts and containers: nothing in them may lead elsewhere, and none may be another's.
fn file_name(number: usize, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("{:02}-{}", number + 1, clean_line(name).chars().map(plain).take(NAME_LIMIT).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn every_failure_has_a_directory_of_its_own_and_no_name_leads_elsewhere() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("state"));
        let id: DeploymentId = "44-k3f9".parse().unwrap();
        let files =
            [("../../etc/passwd".to_owned(), b"a".to_vec()), ("app-01-web.log".to_owned(), b"b".to_vec()), (String::new(), b"c".to_vec())];
        let first = keep(&dir, &id, &files).unwrap();
        let second = keep(&dir, &id, &files).unwrap();
        assert_eq!((&first, &second), (&dir.path().join("bundles/44-k3f9/1"), &dir.path().join("bundles/44-k3f9/2")));
        let mut names: Vec<String> =
            std::fs::read_dir(&first).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["01-.._.._etc_passwd", "02-app-01-web.log", "03-"]);
        assert_eq!(std::fs::read(first.join("02-app-01-web.log")).unwrap(), b"b");
        assert_eq!(std::fs::metadata(first.join("02-app-01-web.log")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&first).unwrap().mode() & 0o777, 0o700);
    }
}
