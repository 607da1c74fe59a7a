//! The chain of hashes over the audit's rows: its canonical form, and what a check of it finds. Pure.
//!
//! # The canonical form, version 1
//! A row's hash is the SHA-256, in lower-case hexadecimal, of these bytes:
//! ```text
//! quarterdeck audit 1 LF
//! prev=HASH LF                 the hash of the row before; of the first row: 64 zeros
//! NAME=LENGTH:VALUE LF         for each of FIELDS, in that order; LENGTH is that of VALUE in bytes; numbers are decimal
//! NAME LF                      instead of that, where the field is NULL
//! ```
//! Intents and outcomes are rows of one table and of one chain. Rows are numbered 1, 2, 3 … without a gap, and the number is hashed; the
//! last number and its hash stand in a table of their own, the head, which is written in the same transaction.
//!
//! # What a check finds, and what it cannot
//! A row that was changed, removed, inserted or moved, and rows cut off the end (the head knows them). It cannot find what was done by
//! somebody who may write the file and knows this page: rows cut off *with* the head set back, or everything from some row on written anew.
//! Against that helps only a head that was noted elsewhere: a [`Head`] given to the check must be in the chain.

use std::{collections::HashSet, fmt, fmt::Write as _, str::FromStr};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The fields of a row, in the order in which they are hashed. They are the table's columns, without `prev` and `hash`.
pub const FIELDS: [&str; 19] = [
    "seq",
    "entry",
    "kind",
    "at",
    "login",
    "uid",
    "name",
    "sudo_user",
    "ssh_connection",
    "machine",
    "pid",
    "action",
    "host",
    "target",
    "target_id",
    "argument",
    "plan",
    "outcome",
    "detail",
];

/// What stands for the hash before the first row.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// So many faults are told one by one; more of them say nothing new.
const TOLD: usize = 100;

/// A row as the table holds it: a text, or NULL, for each of [`FIELDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// In the order of [`FIELDS`].
    pub fields: Vec<Option<String>>,
    /// The hash of the row before.
    pub prev: String,
    /// Its own.
    pub hash: String,
}

impl Row {
    /// A row with its hash.
    pub fn sealed(fields: Vec<Option<String>>, prev: String) -> Self {
        let hash = hash(&fields, &prev);
        Self { fields, prev, hash }
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let place = FIELDS.iter().position(|field| *field == name)?;
        self.fields.get(place)?.as_deref()
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name)?.parse().ok()
    }
}

/// The hash of a row in its canonical form.
fn hash(fields: &[Option<String>], prev: &str) -> String {
    let mut form = format!("quarterdeck audit 1\nprev={prev}\n");
    for (name, value) in FIELDS.iter().zip(fields) {
        // Writing to a String cannot fail.
        let _ = match value {
            Some(value) => writeln!(form, "{name}={}:{value}", value.len()),
            None => writeln!(form, "{name}"),
        };
    }
    Sha256::digest(form.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The last row at some moment: its number and its hash. Written `44:9f86d0…`; a noted one may be cut to 8 digits or more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Head {
    /// Its number; 0 before the first.
    pub seq: i64,
    /// Its hash, or the beginning of it.
    pub hash: String,
}

/// Not a head.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no head of the audit: expected NUMBER:HASH with at least 8 digits of the hash, as `audit --verify` prints it")]
pub struct NoHead(String);

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let fault = || NoHead(crate::text::clean_line(text));
        let (seq, hash) = text.split_once(':').ok_or_else(fault)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(fault)?;
        let plain = (8..=64).contains(&hash.len()) && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if plain { Ok(Self { seq, hash: hash.to_owned() }) } else { Err(fault()) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// So many digits of a hash stand on what we start.
const NOTED_DIGITS: usize = 16;
/// So many digits of the first row's hash tell one audit from another.
const AUDIT_DIGITS: usize = 8;

/// A head as it is noted on what we start, with the audit that it is of: `44:9f86d081884c7d65@5feceb66`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedHead {
    /// The row.
    pub head: Head,
    /// The beginning of the hash of the audit's first row. Hosts hold what was started with other ledgers as well.
    pub audit: String,
}

impl NotedHead {
    /// What is noted of a head, in an audit whose first row has this hash.
    pub fn new(head: &Head, first: &str) -> Self {
        let cut = |hash: &str, digits: usize| hash.get(..digits).unwrap_or(hash).to_owned();
        Self { head: Head { seq: head.seq, hash: cut(&head.hash, NOTED_DIGITS) }, audit: cut(first, AUDIT_DIGITS) }
    }
}

impl FromStr for NotedHead {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let fault = || NoHead(crate::text::clean_line(text));
        let (head, audit) = text.split_once('@').ok_or_else(fault)?;
        let plain = audit.len() == AUDIT_DIGITS && audit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if plain { Ok(Self { head: head.parse()?, audit: audit.to_owned() }) } else { Err(fault()) }
    }
}

impl fmt::Display for NotedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.head, self.audit)
    }
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum ChainFault {
    /// Its contents are not those that were hashed.
    #[error("row {seq} was changed: its hash is not that of its contents")]
    Changed {
        /// Which.
        seq: i64,
    },
    /// They are gone from the middle.
    #[error("rows {from} to {to} are missing")]
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// It is whole, but does not continue the one before it.
    #[error("row {seq} does not continue the row before it: rows were inserted, moved or written anew here")]
    Broken {
        /// Which.
        seq: i64,
    },
    /// They are gone from the end.
    #[error("rows {from} to {to} were cut off the end")]
    Cut {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// The record of the last row says something else than the last row.
    #[error("the head does not fit: it says {said}, the last row is {found}")]
    Head {
        /// What it says; `nothing` where it is gone.
        said: String,
        /// The last row.
        found: Head,
    },
    /// A head that was noted elsewhere is not in the chain.
    #[error("{noted} was noted elsewhere and is not in this audit: it was cut, or written anew from there or before")]
    Unknown {
        /// The head.
        noted: Head,
    },
    /// An outcome of nothing.
    #[error("row {seq} is the outcome of an act that was never begun")]
    Orphan {
        /// Which.
        seq: i64,
    },
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How many rows were read.
    pub rows: usize,
    /// How many acts have no outcome: under way, or killed in the middle.
    pub open: usize,
    /// The last row: worth noting elsewhere.
    pub head: Head,
    /// What is wrong, in the order of the rows; at most 100.
    pub faults: Vec<ChainFault>,
    /// How many more.
    pub more_faults: usize,
}

impl Check {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A check under way: rows are [taken](Chain::take) in the order of their numbers, a page at a time.
pub struct Chain {
    check: Check,
    noted: Vec<Head>,
    open: HashSet<i64>,
}

impl Chain {
    /// A check that knows these heads from elsewhere.
    pub fn new(noted: Vec<Head>) -> Self {
        let head = Head { seq: 0, hash: GENESIS.to_owned() };
        Self { check: Check { rows: 0, open: 0, head, faults: Vec::new(), more_faults: 0 }, noted, open: HashSet::new() }
    }

    /// Looks at the next row. Goes on after a fault with what the row itself says, so that each fault is told once.
    pub fn take(&mut self, row: &Row) {
        self.check.rows += 1;
        let expected = self.check.head.seq.saturating_add(1);
        // A number that cannot be read was changed; the next row will tell where it stood.
        let seq = row.number("seq").unwrap_or(expected);
        let is_next = seq == expected;
        if seq > expected {
            self.fault(ChainFault::Missing { from: expected, to: seq - 1 });
        }
        let is_sound = hash(&row.fields, &row.prev) == row.hash;
        if !is_sound {
            self.fault(ChainFault::Changed { seq });
        } else if seq < expected || (is_next && row.prev != self.check.head.hash) {
            self.fault(ChainFault::Broken { seq });
        }
        let entry = row.number("entry").unwrap_or_default();
        if row.field("kind") == Some("intent") {
            self.open.insert(seq);
        } else if !self.open.remove(&entry) && is_sound && !self.is_missing(entry) {
            self.fault(ChainFault::Orphan { seq });
        }
        self.noted.retain(|noted| noted.seq != seq || !row.hash.starts_with(&noted.hash));
        self.check.head = Head { seq, hash: row.hash.clone() };
    }

    /// The end of the rows, and what the head's record says; `None` where it is gone.
    pub fn end(mut self, said: Option<Head>) -> Check {
        let found = self.check.head.clone();
        match said {
            Some(said) if said == found => {}
            Some(said) if said.seq > found.seq => self.fault(ChainFault::Cut { from: found.seq + 1, to: said.seq }),
            Some(said) => self.fault(ChainFault::Head { said: said.to_string(), found }),
            None => self.fault(ChainFault::Head { said: "nothing".to_owned(), found }),
        }
        for noted in std::mem::take(&mut self.noted) {
            self.fault(ChainFault::Unknown { noted });
        }
        self.check.open = self.open.len();
        self.check
    }

    fn is_missing(&self, seq: i64) -> bool {
        self.check.faults.iter().any(|fault| matches!(fault, ChainFault::Missing { from, to } if (*from..=*to).contains(&seq)))
    }

    fn fault(&mut self, fault: ChainFault) {
        match self.check.faults.len() {
            0..TOLD => self.check.faults.push(fault),
            _ => self.check.more_faults += 1,
        }
    }
}

#[cfg(test)]
mod tests;
