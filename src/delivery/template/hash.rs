//! The name of a configuration: one text for the same settings, and its SHA-256.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::delivery::spec::{ConfigHash, Revision};

/// JSON with sorted keys and without a blank: the same text for the same value, whatever the order it was written in.
///
/// What cannot be JSON at all (no type of delivery) is the empty text.
pub fn canonical<T: Serialize>(value: &T) -> String {
    let mut text = String::new();
    if let Ok(value) = serde_json::to_value(value) {
        write(&value, &mut text);
    }
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(&fields[key.as_str()], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

impl Revision {
    /// Its name: what stands behind the `+` of a release.
    pub fn hash(&self) -> ConfigHash {
        let digest = Sha256::digest(canonical(self).as_bytes());
        ConfigHash::new(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}
