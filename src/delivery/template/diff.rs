//! In what two states of an environment differ, in words that a person reads.

use std::{fmt, sync::Arc};

use indexmap::IndexMap;

use super::{
    facts::{self, Fact},
    part::Part,
};
use crate::{delivery::spec::Rendered, fleet::ServiceName};

/// Everything that differs; nothing of what is the same.
///
/// It compares what templates say. Which digest an image has is the release's matter: the same text may run another image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// In the order of the newer one; what is gone comes last.
    pub services: Vec<Differs<ServiceName>>,
    /// As for services.
    pub jobs: Vec<Differs<Arc<str>>>,
}

/// A service or a job that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs<N> {
    /// Which.
    pub name: N,
    /// Whether both have it.
    pub standing: Standing,
    /// Empty unless both have it.
    pub changes: Vec<Change>,
}

/// Which of the two has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The newer one alone.
    Added,
    /// The older one alone.
    Removed,
    /// Both.
    Changed,
}

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub part: Part,
    /// Of a variable or a secret.
    pub name: Option<Arc<str>>,
    /// As TOML; `None`: it was not there. Of a secret how it is delivered, never its value; a variable's value is there, and whoever
    /// shows it masks it.
    pub from: Option<String>,
    /// As `from`.
    pub to: Option<String>,
}

impl Diff {
    /// From an older state to a newer one.
    pub fn of(older: &Rendered, newer: &Rendered) -> Self {
        Self {
            services: differences(&older.services, &newer.services, facts::of_rendered),
            jobs: differences(&older.jobs, &newer.jobs, facts::of_job),
        }
    }

    /// Whether the two say the same.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.jobs.is_empty()
    }

    /// What differs of one service.
    pub fn service(&self, name: &ServiceName) -> Option<&Differs<ServiceName>> {
        self.services.iter().find(|service| service.name == *name)
    }
}

impl<N> Differs<N> {
    /// `new`, `removed`, `variables only`, `image, ports`.
    pub fn summary(&self) -> String {
        match self.standing {
            Standing::Added => "new".to_owned(),
            Standing::Removed => "removed".to_owned(),
            Standing::Changed => {
                let mut parts: Vec<Part> = self.changes.iter().map(|change| change.part).collect();
                parts.sort_unstable();
                parts.dedup();
                match parts[..] {
                    [only] => format!("{only} only"),
                    _ => parts.iter().map(|part| part.word()).collect::<Vec<_>>().join(", "),
                }
            }
        }
    }

    /// Whether containers must be made anew for it.
    pub fn replaces(&self) -> bool {
        match self.standing {
            Standing::Added | Standing::Removed => true,
            Standing::Changed => self.changes.iter().any(|change| change.part.is_inborn()),
        }
    }
}

impl fmt::Display for Change {
    /// `LOG: "info" → "debug"`, `memory: "64m" → "128m"`, `secret DB_PASSWORD: new`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.part) {
            (Some(name), Part::Secrets) => write!(f, "secret {name}: ")?,
            (Some(name), _) => write!(f, "{name}: ")?,
            (None, part) => write!(f, "{part}: ")?,
        }
        let secret = self.part == Part::Secrets;
        match (&self.from, &self.to) {
            (None, Some(_)) if secret => f.write_str("new"),
            (None, Some(to)) => write!(f, "none → {to}"),
            (Some(_), None) if secret => f.write_str("removed"),
            (Some(from), None) => write!(f, "{from} → none"),
            (Some(from), Some(to)) => write!(f, "{from} → {to}"),
            (None, None) => f.write_str("the same"),
        }
    }
}

fn differences<N, T>(older: &IndexMap<N, T>, newer: &IndexMap<N, T>, facts: impl Fn(&T) -> Vec<Fact>) -> Vec<Differs<N>>
where
    N: Clone + Eq + std::hash::Hash,
{
    let mut found = Vec::new();
    for (name, new) in newer {
        let (standing, changes) = match older.get(name) {
            None => (Standing::Added, Vec::new()),
            Some(old) => (Standing::Changed, changes(facts(old), facts(new))),
        };
        if standing == Standing::Added || !changes.is_empty() {
            found.push(Differs { name: name.clone(), standing, changes });
        }
    }
    let gone = older.keys().filter(|name| !newer.contains_key(*name));
    found.extend(gone.map(|name| Differs { name: name.clone(), standing: Standing::Removed, changes: Vec::new() }));
    found
}

fn changes(older: Vec<Fact>, newer: Vec<Fact>) -> Vec<Change> {
    let keyed = |facts: Vec<Fact>| -> IndexMap<(Part, Option<Arc<str>>), String> {
        facts.into_iter().map(|fact| ((fact.part, fact.name), fact.value)).collect()
    };
    let (mut older, newer) = (keyed(older), keyed(newer));
    let mut changes = Vec::new();
    for ((part, name), to) in newer {
        let from = older.shift_remove(&(part, name.clone()));
        if from.as_ref() != Some(&to) {
            changes.push(Change { part, name, from, to: Some(to) });
        }
    }
    changes.extend(older.into_iter().map(|((part, name), from)| Change { part, name, from: Some(from), to: None }));
    changes.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    changes
}
