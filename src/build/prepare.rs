//! `prepare`: a command outside of the image whose output becomes a part of the context. It runs on the engine that builds, never here.

use std::{
    io,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use super::{
    bench::Bench,
    context::Context,
    errand::Task,
    fault::BuildFault,
    ignore::Ignore,
    progress::{Progress, Say},
};
use crate::{
    delivery::spec::Prepare,
    engine::docker::{ArchiveBody, Errand},
    fleet::ContainerId,
};

/// Where the files are in the container.
const PLACE: &str = "/quarterdeck";
/// Its whole time.
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs it over the files of a directory; what it leaves behind is then there, too.
pub(super) async fn prepare(
    bench: &Bench<'_>,
    image: &str,
    prepare: &Prepare,
    root: &Path,
    time: u64,
    say: &mut Say<'_>,
) -> Result<(), BuildFault> {
    say(Progress::Begin { image: image.into(), what: "prepare".into() });
    let task = Task {
        client: bench.client,
        host: bench.host,
        image,
        what: "prepare",
        errand: Errand {
            image: prepare.image.to_string(),
            command: prepare.run.iter().map(ToString::to_string).collect(),
            directory: Some(PLACE.to_owned()),
            // The files are root's there.
            user: Some("0:0".to_owned()),
            purpose: format!("prepare {image}"),
        },
        limit: LIMIT,
        stop: bench.stop,
    };
    let container = task.create().await?;
    let done = inside(&task, &container, prepare, root, time, say).await;
    task.discard(&container, say).await;
    done
}

async fn inside(
    task: &Task<'_>,
    container: &ContainerId,
    prepare: &Prepare,
    root: &Path,
    time: u64,
    say: &mut Say<'_>,
) -> Result<(), BuildFault> {
    let context = Context { root: root.to_owned(), ignore: Ignore::default(), extra: Vec::new(), always: Vec::new(), time };
    let (pieces, reading) = context.stream();
    let put = task.client.errand_put(container, PLACE, pieces).await;
    match reading.await {
        Ok(Err(source)) if put.is_err() => return Err(BuildFault::Context { image: task.image.to_owned(), source }),
        Ok(_) | Err(_) => put.map_err(|error| task.engine(error))?,
    }
    task.attend(container, say).await?;
    let path = format!("{PLACE}/{}", prepare.out);
    let nothing = || BuildFault::Image {
        image: task.image.to_owned(),
        reason: format!("prepare left no {} behind: `out` names what its command makes", prepare.out),
    };
    let body = match task.client.archive(container, &path).await {
        Ok((_, body)) => body,
        Err(error) if error.is_not_found() => return Err(nothing()),
        Err(error) => return Err(task.engine(error)),
    };
    unpack(body, root.to_owned(), prepare.out.to_string())
        .await
        .map_err(|source| BuildFault::Local { what: format!("prepare's {}", prepare.out), source })
}

/// Unpacks what lies at a path, in place of what is there.
async fn unpack(body: ArchiveBody, root: PathBuf, out: String) -> io::Result<()> {
    body.read_by(move |pieces| {
        let parent = room(&root, Path::new(&out))?;
        for entry in tar::Archive::new(pieces).entries()? {
            // Names that lead out, and links that others would be written through, are refused there.
            entry?.unpack_in(&parent)?;
        }
        Ok(())
    })
    .await
}

/// Makes room for a path below a directory and gives the directory it goes into. The commit may hold links: none is followed.
fn room(root: &Path, out: &Path) -> io::Result<PathBuf> {
    let mut place = root.to_owned();
    let mut parts = out.components().filter(|part| *part != Component::CurDir).peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(io::Error::other("it leads out of the context")) };
        let next = place.join(name);
        let last = parts.peek().is_none();
        match std::fs::symlink_metadata(&next) {
            Ok(meta) if last && meta.is_dir() => std::fs::remove_dir_all(&next)?,
            Ok(_) if last => std::fs::remove_file(&next)?,
            Ok(meta) if !meta.is_dir() => return Err(io::Error::other("a link or a file of the commit is in its way")),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !last => std::fs::create_dir(&next)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        if last {
            return Ok(place);
        }
        place = next;
    }
    Err(io::Error::other("it names the context itself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_or_removed_outside() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = dir.path();
        std::fs::create_dir_all(root.join("old/deep")).unwrap();
        std::fs::write(other.path().join("kept"), "kept").unwrap();
        std::os::unix::fs::symlink(other.path(), root.join("link")).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        for (out, parent) in [("old", Some("")), ("a/b/c", Some("a/b")), ("link", Some("")), ("./x", Some("")), ("file", Some(""))] {
            assert_eq!(
                room(root, Path::new(out)).ok(),
                parent.map(|parent| root.join(parent)).map(|path| path.components().collect()),
                "{out}"
            );
        }
        assert!(!root.join("old").exists() && root.join("a/b").is_dir());
        std::os::unix::fs::symlink(other.path(), root.join("link")).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        for out in ["link/x", "../x", "/etc/x", "", ".", "file/x"] {
            assert!(room(root, Path::new(out)).is_err(), "{out}");
        }
        assert!(other.path().join("kept").exists() && std::fs::read_dir(other.path()).unwrap().count() == 1);
    }
}
