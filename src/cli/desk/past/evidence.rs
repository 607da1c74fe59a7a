//! The texts that a failure left behind: files below `bundles/` of a state directory, whose places stand in the journals.

use std::{
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use crate::{
    board::past::{Bundle, Evidence},
    delivery::release::DeploymentId,
    ledger::audit::Who,
    run::journal::{Entry, Word},
    text::{bytes, clean_line},
};

/// So much of one text is shown: a log of a failure's last lines is smaller, and a pager shows the rest of any other.
const SHOWN: u64 = 1 << 20;

/// The evidence that a journal tells of.
pub(super) fn of(entries: &[Entry]) -> Vec<Bundle> {
    let places = entries.iter().filter_map(|entry| if let Word::Bundle { place } = &entry.word { Some(place) } else { None });
    places.map(|place| Bundle { place: place.clone(), texts: list(place) }).collect()
}

fn list(place: &str) -> Result<Vec<Evidence>, String> {
    let directory = directory(place)?;
    let fault = |error: io::Error| format!("{}: {error}", directory.display());
    let mut texts = Vec::new();
    for entry in fs::read_dir(&directory).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let meta = entry.metadata().map_err(fault)?;
        if let Some(name) = entry.file_name().to_str().filter(|_| meta.is_file()) {
            texts.push(Evidence { name: clean_line(name), bytes: meta.len() });
        }
    }
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(texts)
}

/// Reads one of the texts.
pub(super) fn read(place: &str, name: &str) -> Result<Vec<String>, String> {
    let path = directory(place)?.join(name);
    let fault = |error: io::Error| format!("{}: {error}", clean_line(&path.display().to_string()));
    let is_plain = Path::new(name).components().count() == 1 && matches!(Path::new(name).components().next(), Some(Component::Normal(_)));
    // Who can write there could lead elsewhere by a link.
    let meta = fs::symlink_metadata(&path).map_err(fault)?;
    if !is_plain || !meta.is_file() {
        return Err(format!("{} is no file of the evidence", clean_line(name)));
    }
    let mut text = Vec::new();
    fs::File::open(&path).map_err(fault)?.take(SHOWN).read_to_end(&mut text).map_err(fault)?;
    let mut lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(clean_line).collect();
    if meta.len() > SHOWN {
        lines.push(format!("… the first {} of {}: the rest stands in {}", bytes(SHOWN), bytes(meta.len()), path.display()));
    }
    Ok(lines)
}

/// The directory behind a place: `…/bundles/44-k3f9/1`, with the machine in front where several share a ledger.
fn directory(place: &str) -> Result<PathBuf, String> {
    let path = match place.split_once(":/") {
        Some((machine, _)) if Who::of_process().machine.as_deref() != Some(machine) => {
            return Err(format!("it lies on {}, in {}", clean_line(machine), clean_line(place)));
        }
        Some((_, path)) => PathBuf::from(format!("/{path}")),
        None => PathBuf::from(place),
    };
    let names: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    match names.as_slice() {
        [.., "bundles", id, number]
            if !names.contains(&"..") && id.parse::<DeploymentId>().is_ok() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(path)
        }
        _ => Err(format!("{} is no place of evidence", clean_line(place))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_evidence_is_read() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("bundles/44-k3f9/1");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("01-web.log"), b"up\x1b[2J\nreadi\xffness\n").unwrap();
        fs::write(temp.path().join("key"), b"private").unwrap();
        std::os::unix::fs::symlink(temp.path().join("key"), place.join("02-key")).unwrap();
        let place = place.to_str().unwrap().to_owned();
        assert_eq!(list(&place).unwrap(), [Evidence { name: "01-web.log".to_owned(), bytes: 18 }]);
        assert_eq!(read(&place, "01-web.log").unwrap(), ["up␛[2J", "readi\u{fffd}ness"]);
        for (place, name) in [
            (place.as_str(), "../../../key"),
            (&place, "02-key"),
            (&place, "03-none"),
            (&place, ""),
            (temp.path().to_str().unwrap(), "key"),
            ("elsewhere:/var/lib/quarterdeck/bundles/44-k3f9/1", "01-web.log"),
            ("/x/../bundles/44-k3f9/1", "01-web.log"),
        ] {
            assert!(read(place, name).is_err(), "{place} {name}");
        }
        let machine = Who::of_process().machine.unwrap();
        assert!(read(&format!("{machine}:{place}"), "01-web.log").is_ok());
    }

    #[test]
    fn what_is_long_is_cut_with_a_sign() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("bundles/44-k3f9/1");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("01-web.log"), "x\n".repeat(1 << 20)).unwrap();
        let lines = read(place.to_str().unwrap(), "01-web.log").unwrap();
        assert_eq!(lines.len(), (1 << 19) + 1);
        assert!(lines.last().unwrap().starts_with("… the first 1"), "{:?}", lines.last());
    }
}
