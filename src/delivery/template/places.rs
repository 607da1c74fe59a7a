//! Where everything in a template stands, so that what is found wrong later, and what is shown, can be pointed at.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use crate::written::{Node, Origin, Table, Value};

/// The places of a template's keys and values, by their path: `services.web.needs.0`.
#[derive(Clone, Debug)]
pub(super) struct Places {
    file: Arc<PathBuf>,
    all: HashMap<String, Place>,
}

/// One `key = value`, or one entry of a list.
#[derive(Clone, Debug)]
struct Place {
    key: Origin,
    value: Origin,
}

impl Places {
    pub fn of(file: Arc<PathBuf>, table: &Table) -> Self {
        let mut places = Self { file, all: HashMap::new() };
        places.table("", table);
        places
    }

    fn table(&mut self, prefix: &str, table: &Table) {
        for (key, entry) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            self.node(path, &entry.key, &entry.node);
        }
    }

    fn node(&mut self, path: String, key: &Origin, node: &Node) {
        match &node.value {
            Value::Table(table) => self.table(&path, table),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.node(format!("{path}.{index}"), &item.origin, item);
                }
            }
            Value::Text(_) | Value::Flag(_) | Value::Integer(_) | Value::Float(_) | Value::Date => {}
        }
        self.all.insert(path, Place { key: key.clone(), value: node.origin.clone() });
    }

    /// Where a value stands; `None` where nobody said it.
    pub fn said(&self, path: &str) -> Option<&Origin> {
        self.all.get(path).map(|place| &place.value)
    }

    /// Where a value stands, or else the nearest thing around it.
    pub fn value(&self, path: &str) -> Origin {
        self.around(path, |place| &place.value)
    }

    /// Where a key or the head of a table stands, or else the nearest thing around it.
    pub fn key(&self, path: &str) -> Origin {
        self.around(path, |place| &place.key)
    }

    /// Where what holds for a service in an environment stands: said there, else by the service.
    pub fn service(&self, environment: &str, service: &str, key: &str) -> Origin {
        let over = format!("environments.{environment}.services.{service}.{key}");
        // A part of what the environment says anew may have no place of its own.
        let head = over.len() - key.len() + key.find('.').unwrap_or(key.len());
        match self.all.contains_key(&over[..head]) {
            true => self.value(&over),
            false => self.value(&format!("services.{service}.{key}")),
        }
    }

    fn around(&self, path: &str, of: impl Fn(&Place) -> &Origin) -> Origin {
        let mut path = path;
        let mut part_of = false;
        loop {
            match self.all.get(path) {
                Some(place) if part_of => return place.key.clone(),
                Some(place) => return of(place).clone(),
                None => match path.rsplit_once('.') {
                    Some((above, _)) => path = above,
                    None => return Origin::Whole(self.file.clone()),
                },
            }
            part_of = true;
        }
    }
}
