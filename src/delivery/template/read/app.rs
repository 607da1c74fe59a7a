//! `[app]`.

use std::{path::PathBuf, sync::Arc};

use super::{plain_name, values::inside};
use crate::{
    delivery::template::VersionSource,
    fleet::AppName,
    written::{Origin, Reader, Section, Value},
};

pub(super) struct App {
    pub name: AppName,
    pub registry: Arc<str>,
    pub version: VersionSource,
}

pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section, file: &Arc<PathBuf>) -> App {
    let mut app = App { name: AppName::new(""), registry: Arc::from(""), version: VersionSource::Literal(Arc::from("")) };
    let present = top.take("app");
    let Some(entry) = present else {
        let example = "[app] with name = \"shop\", registry = \"registry.internal:5000\", version = \"1.0\"";
        reader.fault(&Origin::Whole(file.clone()), format!("app is missing: {example}"));
        return app;
    };
    let at = entry.key;
    let Some(mut section) = Section::of(reader, "app".to_owned(), entry.node) else { return app };
    let examples = [
        ("name", "\"shop\""),
        ("registry", "\"registry.internal:5000\""),
        ("version", "\"1.0\" or { file = \"package.json\", key = \"version\" }"),
    ];
    for (key, example) in examples.into_iter().filter(|(key, _)| !section.has(key)) {
        reader.fault(&at, format!("app: {key} is missing: {key} = {example}"));
    }
    if let Some(said) = section.text(reader, "name") {
        plain_name(reader, "app.name", &said.value, &said.origin);
        app.name = AppName::new(&said.value);
    }
    if let Some(said) = section.text(reader, "registry") {
        if !registry_ok(&said.value) {
            let message = format!("app.registry: {:?} is no registry: host, :port and a path, such as registry.internal:5000", said.value);
            reader.fault(&said.origin, message);
        }
        app.registry = Arc::from(said.value);
    }
    if let Some(version) = version(reader, &mut section) {
        app.version = version;
    }
    section.finish(reader);
    app
}

fn version(reader: &mut Reader<'_>, section: &mut Section) -> Option<VersionSource> {
    let entry = section.take("version")?;
    let origin = entry.node.origin.clone();
    match entry.node.value {
        Value::Text(text) => {
            if !version_ok(&text) {
                let message = format!("app.version: {text:?} is no version: letters, digits and . _ -, as the tag of an image takes them");
                reader.fault(&origin, message);
            }
            Some(VersionSource::Literal(Arc::from(text)))
        }
        Value::Table(table) => {
            let mut section = Section::new("app.version", table);
            let file = inside(reader, &mut section, "file");
            let key = section.text(reader, "key");
            section.finish(reader);
            if file.is_none() || key.is_none() {
                reader.fault(&origin, "app.version: expected { file = \"package.json\", key = \"version\" }");
            }
            Some(VersionSource::File { file: Arc::from(file?.value), key: Arc::from(key?.value) })
        }
        other => {
            reader.fault(&origin, format!("app.version: expected a text or {{ file = …, key = … }}, found {}", other.kind()));
            None
        }
    }
}

/// The commit is added to it, and the whole is a tag: at most 128 characters.
pub(crate) fn version_ok(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn registry_ok(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
    let mut parts = text.split('/');
    let Some(host) = parts.next() else { return false };
    let (name, port) = host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let name_ok = plain(name) || name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| !ip.is_empty());
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok());
    name_ok && port_ok && parts.all(plain)
}
