//! `known_hosts`: which keys are known for a host, and what a key that a server shows means (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
//!
//! It only reads: nothing is ever learned by itself. Every finding carries file and line, so that an error can say where.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::pattern::list_matches;

/// Where an entry stands: `/home/ops/.ssh/known_hosts:12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file.
    pub(super) file: PathBuf,
    /// The line, from 1.
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is known of the key a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the known one.
    Known,
    /// Nothing is known of this host.
    Unknown,
    /// Another key is known for this host.
    Changed(Place),
    /// Only keys of other types are known, and the server does not show them.
    OtherType(Place),
    /// The key is marked as revoked.
    Revoked(Place),
    /// The host is vouched for by an authority, whose certificates libssh2 cannot check.
    Authority(Place),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    None,
    Authority,
    Revoked,
}

#[derive(Clone, Debug)]
struct Entry {
    place: Place,
    mark: Mark,
    kind: String,
    key: Vec<u8>,
}

/// The entries that name one host.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownKeys {
    /// Under the name that ssh uses first: `[host]:port` for an unusual port.
    exact: Vec<Entry>,
    /// Under the bare name, for an unusual port: a key that matches here is accepted too, one that differs proves nothing.
    portless: Vec<Entry>,
}

impl KnownKeys {
    /// Reads the entries for a host from these files; a file that does not exist or cannot be read knows nothing.
    pub(super) fn load(files: &[PathBuf], host: &str, port: u16) -> Self {
        let mut known = Self::default();
        for file in files {
            if let Ok(bytes) = fs::read(file) {
                known.add(&String::from_utf8_lossy(&bytes), file, host, port);
            }
        }
        known
    }

    fn add(&mut self, text: &str, file: &Path, host: &str, port: u16) {
        let host = host.to_ascii_lowercase();
        let with_port = format!("[{host}]:{port}");
        for (number, line) in text.lines().enumerate() {
            let place = Place { file: file.to_owned(), line: number + 1 };
            let Some((names, entry)) = parse_line(line, place) else { continue };
            if port == 22 {
                if names_match(names, &host) {
                    self.exact.push(entry);
                }
            } else if names_match(names, &with_port) {
                self.exact.push(entry);
            } else if names_match(names, &host) {
                self.portless.push(entry);
            }
        }
    }

    /// The host key algorithms to ask the server for, the known ones first: a server with several keys then shows the one
    /// that can be checked. `None`: nothing is known, the library's own order will do.
    pub(super) fn algorithms(&self) -> Option<String> {
        const ALL: [&str; 5] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
        let known = |kind: &&str| {
            let mut entries = self.exact.iter().chain(&self.portless);
            entries.any(|entry| entry.mark == Mark::None && entry.kind == **kind)
        };
        let (first, rest): (Vec<&str>, Vec<&str>) = ALL.iter().partition(|kind| known(kind));
        if first.is_empty() {
            return None;
        }
        let spelled = first.into_iter().chain(rest).map(|kind| if kind == "ssh-rsa" { "rsa-sha2-512,rsa-sha2-256,ssh-rsa" } else { kind });
        Some(spelled.collect::<Vec<_>>().join(","))
    }

    /// What is known of this key.
    pub(super) fn check(&self, key: &[u8]) -> Verdict {
        let mut all = self.exact.iter().chain(&self.portless);
        if let Some(entry) = all.clone().find(|entry| entry.mark == Mark::Revoked && entry.key == key) {
            return Verdict::Revoked(entry.place.clone());
        }
        if all.clone().any(|entry| entry.mark == Mark::None && entry.key == key) {
            return Verdict::Known;
        }
        let kind = key_kind(key);
        let mut plain = self.exact.iter().filter(|entry| entry.mark == Mark::None);
        if let Some(entry) = plain.clone().find(|entry| Some(entry.kind.as_str()) == kind) {
            return Verdict::Changed(entry.place.clone());
        }
        if let Some(entry) = plain.next() {
            return Verdict::OtherType(entry.place.clone());
        }
        match all.find(|entry| entry.mark == Mark::Authority) {
            Some(entry) => Verdict::Authority(entry.place.clone()),
            None => Verdict::Unknown,
        }
    }
}

/// The type that a key blob names itself: its first length-prefixed string.
pub(super) fn key_kind(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let kind = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    std::str::from_utf8(kind).ok()
}

/// A key as `ssh-keygen -l` writes it: `SHA256:…`.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// One line: the names field and the entry; `None` for comments and whatever is no entry.
fn parse_line(line: &str, place: Place) -> Option<(&str, Entry)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split_whitespace();
    let first = fields.next()?;
    let (mark, names) = match first {
        "@cert-authority" => (Mark::Authority, fields.next()?),
        "@revoked" => (Mark::Revoked, fields.next()?),
        _ if first.starts_with('@') => return None,
        _ => (Mark::None, first),
    };
    let kind = fields.next()?.to_owned();
    let key = STANDARD.decode(fields.next()?).ok()?;
    Some((names, Entry { place, mark, kind, key }))
}

/// Whether the names field names `host` (lower case): a list of patterns, or one hashed name.
fn names_match(names: &str, host: &str) -> bool {
    let Some(hashed) = names.strip_prefix("|1|") else {
        return list_matches(names.to_ascii_lowercase().split(','), host);
    };
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    match (STANDARD.decode(salt), STANDARD.decode(hash)) {
        (Ok(salt), Ok(hash)) => hmac_sha1(&salt, host.as_bytes())[..] == hash[..],
        _ => false,
    }
}

/// HMAC-SHA1 (RFC 2104), which hashed names use; not for secrets.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha1::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(kind: &str, rest: &[u8]) -> Vec<u8> {
        let mut blob = u32::try_from(kind.len()).expect("short").to_be_bytes().to_vec();
        blob.extend_from_slice(kind.as_bytes());
        blob.extend_from_slice(rest);
        blob
    }

    fn line(names: &str, key: &[u8]) -> String {
        format!("{names} {} {} comment\n", key_kind(key).expect("a kind"), STANDARD.encode(key))
    }

    fn known(text: &str, host: &str, port: u16) -> KnownKeys {
        let mut keys = KnownKeys::default();
        keys.add(text, Path::new("/k"), host, port);
        keys
    }

    fn place(line: usize) -> Place {
        Place { file: PathBuf::from("/k"), line }
    }

    #[test]
    fn names_ports_and_types_decide() {
        let ed = blob("ssh-ed25519", b"one");
        let other = blob("ssh-ed25519", b"two");
        let rsa = blob("ssh-rsa", b"three");
        let text =
            ["# comment\n".to_owned(), line("App-01,10.0.0.?", &ed), line("[app-02]:2222", &ed), line("*.internal,!db.internal", &rsa)];
        let text = text.concat();
        for (host, port, key, verdict) in [
            ("app-01", 22, &ed, Verdict::Known),
            ("APP-01", 22, &ed, Verdict::Known),
            ("10.0.0.7", 22, &ed, Verdict::Known),
            ("app-01", 22, &other, Verdict::Changed(place(2))),
            ("app-01", 22, &rsa, Verdict::OtherType(place(2))),
            ("app-01", 2222, &ed, Verdict::Known),
            ("app-01", 2222, &other, Verdict::Unknown),
            ("app-02", 2222, &ed, Verdict::Known),
            ("app-02", 22, &ed, Verdict::Unknown),
            ("web.internal", 22, &rsa, Verdict::Known),
            ("db.internal", 22, &rsa, Verdict::Unknown),
        ] {
            assert_eq!(known(&text, host, port).check(key), verdict, "{host}:{port}");
        }
    }

    #[test]
    fn marks_are_honoured() {
        let key = blob("ssh-ed25519", b"one");
        let other = blob("ssh-ed25519", b"two");
        let text = format!(
            "@revoked * {0} {1}\n{2}@cert-authority *.internal {0} {3}\n",
            "ssh-ed25519",
            STANDARD.encode(&key),
            line("app", &key),
            STANDARD.encode(&other)
        );
        assert_eq!(known(&text, "app", 22).check(&key), Verdict::Revoked(place(1)));
        assert_eq!(known(&text, "web.internal", 22).check(&other), Verdict::Authority(place(3)));
    }

    #[test]
    fn hashed_names_are_recognised() {
        // RFC 2202, test case 2 for HMAC-SHA-1.
        let digest = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(digest[..4], [0xef, 0xfc, 0xdf, 0x6a]);
        let salt = [7_u8; 20];
        let name = format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hmac_sha1(&salt, b"[app-01]:2222")));
        let key = blob("ssh-ed25519", b"one");
        assert_eq!(known(&line(&name, &key), "app-01", 2222).check(&key), Verdict::Known);
        assert_eq!(known(&line(&name, &key), "app-02", 2222).check(&key), Verdict::Unknown);
    }

    #[test]
    fn known_types_are_asked_for_first() {
        let text = line("app", &blob("ssh-rsa", b"x"));
        let order = known(&text, "app", 22).algorithms().expect("an order");
        assert!(order.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519"), "{order}");
        assert_eq!(known(&text, "other", 22).algorithms(), None);
    }

    proptest! {
        #[test]
        fn foreign_files_never_panic(text in "(@revoked|@cert-authority|\\|1\\||ssh-rsa|AAAA|=|\\||[ ,!*\n]|.){0,50}", key in proptest::collection::vec(any::<u8>(), 0..40)) {
            known(&text, "app", 2222).check(&key);
            key_kind(&key);
        }
    }
}
