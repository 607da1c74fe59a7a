//! Streams of an honest and of a hostile container.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use tar::{Builder, Header};

use super::*;

/// What kind of entry, its name, its content or link, its mode.
type Row<'a> = (EntryType, &'a str, &'a str, u32);

fn stream(rows: &[Row<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, content, mode) in rows {
        let mut header = Header::new_gnu();
        // Names as a hostile engine would write them: the builder refuses them.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_700_000_000);
        let data = match kind {
            EntryType::Symlink | EntryType::Link => {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
                ""
            }
            _ => content,
        };
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

#[test]
fn a_directory_into_a_directory_and_under_a_name() {
    let rows = [
        (DIR, "srv/", "", 0o755),
        (FILE, "srv/a", "one", 0o4755),
        (DIR, "srv/closed", "", 0o555),
        (FILE, "srv/closed/b", "two", 0o400),
        (LINK, "srv/link", "/etc/passwd", 0o777),
        (EntryType::Link, "srv/hard", "srv/a", 0o644),
    ];
    for (dest, top) in [("out", "out/srv"), ("out/new", "out/new"), ("out/new/", "out/new")] {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("out")).unwrap();
        let done = unpack(stream(&rows).as_slice(), &temp.path().join(dest), true).unwrap();
        assert_eq!((done.entries, done.bytes, done.refused), (6, 6, Vec::<String>::new()), "{dest}");
        let top = temp.path().join(top);
        let meta = |name: &str| std::fs::symlink_metadata(top.join(name)).unwrap();
        assert_eq!((meta("a").mode() & 0o7777, meta("a").mtime(), meta("closed").mode() & 0o777), (0o755, 1_700_000_000, 0o555));
        assert_eq!(std::fs::read_to_string(top.join("closed/b")).unwrap(), "two");
        assert_eq!(std::fs::read_link(top.join("link")).unwrap(), Path::new("/etc/passwd"));
        assert_eq!(meta("hard").ino(), meta("a").ino());
        std::fs::set_permissions(top.join("closed"), PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_file_under_a_name_over_a_file_and_over_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let (victim, link) = (temp.path().join("victim"), temp.path().join("link"));
    std::fs::write(&victim, "untouched").unwrap();
    symlink(&victim, &link).unwrap();
    let file = stream(&[(FILE, "passwd", "root", 0o644)]);
    unpack(file.as_slice(), &temp.path().join("mine"), false).unwrap();
    unpack(file.as_slice(), &temp.path().join("mine"), false).unwrap();
    assert_eq!(std::fs::read_to_string(temp.path().join("mine")).unwrap(), "root");
    // What stands there is replaced, not written through.
    unpack(file.as_slice(), &link, false).unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_file());
}

#[test]
fn nothing_leaves_the_destination() {
    let table: [(&str, Vec<Row<'_>>, &str); 8] = [
        ("up", vec![(FILE, "../evil", "x", 0o644)], "leads out"),
        ("up in the middle", vec![(FILE, "a/../../evil", "x", 0o644)], "leads out"),
        ("through a link", vec![(LINK, "a", "..", 0o777), (FILE, "a/evil", "x", 0o644)], "stands where its directory should be"),
        ("through an absolute link", vec![(LINK, "a", "/tmp", 0o777), (DIR, "a/evil", "", 0o755)], "stands where its directory should be"),
        ("a hard link from outside", vec![(EntryType::Link, "a", "../secret", 0o644)], "leads out"),
        ("a hard link through a link", vec![(LINK, "l", "..", 0o777), (EntryType::Link, "a", "l/secret", 0o644)], "stands where"),
        ("a device", vec![(EntryType::Char, "null", "", 0o666)], "a device"),
        ("a pipe", vec![(EntryType::Fifo, "pipe", "", 0o666)], "a named pipe"),
    ];
    for (what, rows, reason) in table {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("secret"), "s").unwrap();
        let dest = temp.path().join("dest");
        std::fs::create_dir(&dest).unwrap();
        let done = unpack(stream(&rows).as_slice(), &dest, true).unwrap();
        assert!(done.refused.len() == 1 && done.refused[0].contains(reason), "{what}: {:?}", done.refused);
        let outside: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside.len(), 2, "{what}: {outside:?}");
        assert!(!Path::new("/tmp/evil").exists(), "{what}");
    }
    // An absolute name is a name below the destination.
    let temp = tempfile::tempdir().unwrap();
    unpack(stream(&[(FILE, "/tmp/evil", "x", 0o644)]).as_slice(), temp.path(), true).unwrap();
    assert!(temp.path().join("tmp/evil").exists());
}

#[test]
fn what_cannot_be_done_is_told_with_its_place() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    std::fs::write(&file, "").unwrap();
    let told = |bytes: &[u8], dest: &Path, is_dir| unpack(bytes, dest, is_dir).unwrap_err().to_string();
    assert!(told(&[], &file, true).contains("is a file, and a directory is copied"));
    assert!(told(&[], &temp.path().join("no/where"), false).contains("No such file or directory"));
    let whole = stream(&[(FILE, "a", "0123456789", 0o644)]);
    let half = temp.path().join("half");
    std::fs::create_dir(&half).unwrap();
    assert!(!told(&whole[..515], &half, false).is_empty(), "a stream that ends in the middle");
    std::fs::create_dir(temp.path().join("a")).unwrap();
    assert_eq!(unpack(whole.as_slice(), temp.path(), false).unwrap().refused, ["a: a directory stands in its place"]);
}
