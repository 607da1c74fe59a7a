//! What an engine reports: small records that become JSON only for those who listen.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::container::{Container, Spec};

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, nanoseconds since 1970.
    pub at: i64,
    /// `start`, `die`, `exec_create: …`.
    pub action: String,
    /// About what.
    pub subject: Subject,
    /// One more attribute: `exitCode`, `signal`, `oldName`, `execID`.
    pub extra: Option<(&'static str, String)>,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A container, as it was then.
    Container {
        /// Its id.
        id: Arc<str>,
        /// Its name.
        name: Arc<str>,
        /// What it is.
        spec: Arc<Spec>,
        /// Which replica.
        number: u32,
    },
    /// The bridge network, joined or left by this container.
    Network {
        /// The network's id.
        network: Arc<str>,
        /// The container's id.
        container: Arc<str>,
    },
}

/// What a client wants to hear: each list is one `or`, all of them together are one `and`; an empty list lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// `type`.
    pub kinds: Vec<String>,
    /// `event` (or `action`).
    pub actions: Vec<String>,
    /// `container`: name or id.
    pub containers: Vec<String>,
    /// `image`.
    pub images: Vec<String>,
    /// `label`: `key` or `key=value`; all must hold, as in the engine.
    pub labels: Vec<String>,
}

impl Event {
    /// An event of this container.
    pub fn of(container: &Container, action: impl Into<String>, at: i64) -> Self {
        let subject = Subject::Container {
            id: container.id.clone(),
            name: container.name.clone(),
            spec: container.spec.clone(),
            number: container.number,
        };
        Self { at, action: action.into(), subject, extra: None }
    }

    /// The same, with one more attribute.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.extra = Some((key, value.into()));
        self
    }

    /// The engine's JSON of it.
    pub fn json(&self) -> Value {
        let mut attributes = Map::new();
        let (kind, id) = match &self.subject {
            Subject::Container { id, name, spec, number } => {
                attributes.extend(spec.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
                if spec.kind == crate::sim::scenario::Kind::Compose {
                    attributes.insert("com.docker.compose.container-number".to_owned(), number.to_string().into());
                }
                attributes.insert("image".to_owned(), spec.image.name().into());
                attributes.insert("name".to_owned(), name.as_ref().into());
                ("container", id)
            }
            Subject::Network { network, container } => {
                attributes.insert("container".to_owned(), container.as_ref().into());
                attributes.insert("name".to_owned(), "bridge".into());
                attributes.insert("type".to_owned(), "bridge".into());
                ("network", network)
            }
        };
        if let Some((key, value)) = &self.extra {
            attributes.insert((*key).to_owned(), value.as_str().into());
        }
        let mut event = json!({
            "Type": kind,
            "Action": self.action,
            "Actor": { "ID": id.as_ref(), "Attributes": attributes },
            "scope": "local",
            "time": self.at.div_euclid(1_000_000_000),
            "timeNano": self.at,
        });
        // Container events repeat themselves in the words of the API before 1.22.
        if let (Subject::Container { id, spec, .. }, Some(event)) = (&self.subject, event.as_object_mut()) {
            event.insert("status".to_owned(), self.action.as_str().into());
            event.insert("id".to_owned(), id.as_ref().into());
            event.insert("from".to_owned(), spec.image.name().into());
        }
        event
    }
}

impl EventFilter {
    /// Whether a client with this filter hears the event.
    pub fn passes(&self, event: &Event) -> bool {
        let verb = event.action.split(':').next().unwrap_or_default();
        let said = |wanted: &String| *wanted == event.action || *wanted == verb;
        if !self.actions.is_empty() && !self.actions.iter().any(said) {
            return false;
        }
        let empty = |list: &Vec<String>| list.is_empty();
        match &event.subject {
            Subject::Container { id, name, spec, .. } => {
                let meant = |wanted: &String| **wanted == **name || id.starts_with(wanted.as_str());
                (empty(&self.kinds) || self.kinds.iter().any(|kind| kind == "container"))
                    && (empty(&self.containers) || self.containers.iter().any(meant))
                    && (empty(&self.images)
                        || self.images.iter().any(|image| spec.image.answers_to(image) || *image == spec.image.repository))
                    && self.labels.iter().all(|label| has_label(&spec.labels, label))
            }
            Subject::Network { container, .. } => {
                (empty(&self.kinds) || self.kinds.iter().any(|kind| kind == "network"))
                    && (empty(&self.containers) || self.containers.iter().any(|wanted| container.starts_with(wanted.as_str())))
                    && empty(&self.images)
                    && empty(&self.labels)
            }
        }
    }
}

/// Whether labels hold `key` or `key=value`.
pub fn has_label(labels: &std::collections::BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|is| is == value),
        None => labels.contains_key(wanted),
    }
}
