//! Private key files: what can be said of one without its passphrase.
//!
//! It reads only what is not secret (the public half and the name of the cipher); the secret itself is read by libssh2.

use std::{fs, io::Read, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::known_hosts::key_kind;

/// No private key is larger; what is larger is something else.
const SIZE_LIMIT: u64 = 64 * 1024;

/// What a key file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// Its public half, where the file or the `.pub` beside it tells.
    pub(super) public: Option<Vec<u8>>,
    /// Whether a passphrase is needed.
    pub(super) encrypted: bool,
}

impl KeyFile {
    /// Reads a key file; `None`: it does not exist.
    pub(super) fn load(path: &Path) -> Option<Result<Self, String>> {
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        let mut key = Self::parse(&text);
        if key.public.is_none() {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".pub");
            key.public = read(Path::new(&beside)).ok().and_then(|text| public_line(&text));
        }
        Some(Ok(key))
    }

    fn parse(text: &str) -> Self {
        if let Some(public) = public_line(text) {
            // `IdentityFile key.pub`: names a key that the agent holds.
            return Self { public: Some(public), encrypted: true };
        }
        let body = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----").and_then(|(_, rest)| rest.split_once("-----END"));
        if let Some((body, _)) = body {
            let body: String = body.split_whitespace().collect();
            return STANDARD.decode(body).ok().and_then(|blob| openssh_header(&blob)).unwrap_or_default();
        }
        Self { public: None, encrypted: text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") }
    }

    /// Whether the key sits in a hardware token.
    pub(super) fn is_hardware(&self) -> bool {
        self.public.as_deref().and_then(key_kind).is_some_and(|kind| kind.starts_with("sk-"))
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(SIZE_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `ssh-ed25519 AAAA… comment`.
fn public_line(text: &str) -> Option<Vec<u8>> {
    let mut fields = text.split_whitespace();
    let kind = fields.next()?;
    let blob = STANDARD.decode(fields.next()?).ok()?;
    (key_kind(&blob) == Some(kind)).then_some(blob)
}

/// The open part of an OpenSSH key (PROTOCOL.key): cipher, kdf, its options, the number of keys, the first public key.
fn openssh_header(blob: &[u8]) -> Option<KeyFile> {
    let rest = blob.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, rest) = string(rest)?;
    let (_kdf, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let (public, _) = string(rest.get(4..)?)?;
    Some(KeyFile { public: Some(public.to_vec()), encrypted: cipher != b"none" })
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn real_keys_tell_their_public_half_and_whether_they_are_encrypted() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, passphrase, format) in [("open", "", ""), ("closed", "secret", ""), ("pem", "secret", "PEM")] {
            let path = folder.path().join(name);
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ecdsa", "-N", passphrase, "-f"]).arg(&path);
            if !format.is_empty() {
                make.args(["-m", format]);
            }
            match make.status() {
                Ok(status) => assert!(status.success()),
                Err(error) => {
                    eprintln!("SKIPPED: ssh-keygen cannot be run: {error}");
                    return;
                }
            }
            let key = KeyFile::load(&path).expect("exists").expect("readable");
            assert_eq!(key.encrypted, !passphrase.is_empty(), "{name}");
            let public = fs::read_to_string(folder.path().join(format!("{name}.pub"))).expect("the public half");
            assert_eq!(key.public, public_line(&public), "{name}");
            assert!(!key.is_hardware());
        }
        assert_eq!(KeyFile::load(&folder.path().join("absent")), None);
    }

    proptest! {
        #[test]
        fn foreign_files_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut blob = b"openssh-key-v1\0".to_vec();
            blob.extend_from_slice(&bytes);
            openssh_header(&blob);
            KeyFile::parse(&String::from_utf8_lossy(&bytes));
            KeyFile::parse(&format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END", STANDARD.encode(&blob)));
        }
    }
}
