//! Keyed hashes of secrets: enough to say later that a value is another one, nothing that anybody could guess a value with who has not the key.
//! They stand in plans and on containers, so that a changed secret is a reason to replace what has the old one.

use std::{collections::BTreeMap, fmt, sync::Arc};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::fleet::{AppName, EnvironmentId};

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;
/// Bytes of a hash that are kept.
const KEPT: usize = 16;

/// The key of one state directory. It shows itself to nobody.
#[derive(Clone)]
pub struct SealKey([u8; KEY_LENGTH]);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.mark())
    }
}

/// Keyed hashes by the names of their secrets.
pub type Seals = BTreeMap<Arc<str>, Arc<str>>;

/// How secrets stand against the hashes of an earlier moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Other values than then.
    pub differ: Vec<Arc<str>>,
    /// Nobody can tell here: hashed with the key of another state directory.
    pub unknown: Vec<Arc<str>>,
}

impl SealKey {
    /// A key drawn by lot.
    pub fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// Tells one key from another, and nothing of the key.
    fn mark(&self) -> String {
        hex(&Sha256::digest([b"quarterdeck seal key\0".as_slice(), &self.0].concat())[..4])
    }

    /// A secret's hash: `4f1c22d0:` and 32 digits. Equal values of different names or places have different ones.
    pub fn seal(&self, (app, environment): (&AppName, &EnvironmentId), name: &str, value: &str) -> Arc<str> {
        // A key of any length is one; ours has the hash's own.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Arc::from("") };
        for part in [app.as_str(), environment.as_str(), name, value] {
            // No part can end where another begins.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        format!("{}:{}", self.mark(), hex(&mac.finalize().into_bytes()[..KEPT])).into()
    }

    /// The hashes of several.
    pub fn seal_all(&self, place: (&AppName, &EnvironmentId), values: &BTreeMap<Arc<str>, Arc<str>>) -> Seals {
        values.iter().map(|(name, value)| (Arc::clone(name), self.seal(place, name, value))).collect()
    }
}

/// Holds today's hashes against those of an earlier moment. A secret that has none of either is not compared: it was not there then, or nothing
/// can be made that needs it, which is told where it is needed.
pub fn compare(before: &Seals, now: &Seals) -> Compared {
    let mut compared = Compared::default();
    let mark = |seal: &Arc<str>| seal.split(':').next().map(str::to_owned);
    for (name, now) in now {
        match before.get(name) {
            None => {}
            Some(then) if then == now => {}
            Some(then) if mark(then) == mark(now) => compared.differ.push(Arc::clone(name)),
            Some(_) => compared.unknown.push(Arc::clone(name)),
        }
    }
    compared
}

/// `A=4f1c22d0:…,B=…`, of these names.
pub fn text<'a>(seals: &Seals, names: impl Iterator<Item = &'a Arc<str>>) -> String {
    names.filter_map(|name| Some(format!("{name}={}", seals.get(name)?))).collect::<Vec<_>>().join(",")
}

/// The other way round; what is no hash is left out.
pub fn parse(text: &str) -> Seals {
    text.split(',').filter_map(|one| one.split_once('=')).map(|(name, seal)| (name.into(), seal.into())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
        pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
    }

    #[test]
    fn what_differs_is_told_and_what_cannot_be_told_too() {
        let (app, environment) = (AppName::new("shop"), EnvironmentId::new("production"));
        let place = (&app, &environment);
        let key = SealKey::new([7; KEY_LENGTH]);
        let before = key.seal_all(place, &values(&[("A", "one"), ("B", "two"), ("GONE", "x")]));
        assert!(before.values().all(|seal| seal.len() == 8 + 1 + 32 && !seal.contains("one")));
        assert_ne!(key.seal(place, "A", "one"), key.seal(place, "B", "one"), "equal values do not show");
        assert_eq!(parse(&text(&before, before.keys())), before);
        assert_eq!(parse(""), Seals::new());
        assert_ne!(key.seal(place, "A", "one"), key.seal((&app, &EnvironmentId::new("testing")), "A", "one"));
        let now = values(&[("A", "one"), ("B", "other"), ("NEW", "x")]);
        let differ = Compared { differ: vec!["B".into()], unknown: Vec::new() };
        assert_eq!(compare(&before, &key.seal_all(place, &now)), differ);
        let other = SealKey::new([8; KEY_LENGTH]);
        assert_eq!(compare(&before, &other.seal_all(place, &now)), Compared { differ: Vec::new(), unknown: vec!["A".into(), "B".into()] });
        assert!(!format!("{key:?}").contains("7, 7"));
    }
}
