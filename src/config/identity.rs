//! The `[[identity]]` rules as written, checked: expressions and globs compile, and every rule names something.

use globset::Glob;
use regex::Regex;

use crate::written::{Node, Origin, Reader, Section, Value, environment_ok};

/// One rule; all of its match fields must hold. First rule wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRule {
    /// A regular expression on the container's name; its named groups `app`, `service` and `environment` name what they match.
    pub name: Option<String>,
    /// A glob on the image reference.
    pub image: Option<String>,
    /// `key` or `key=value`, both globs.
    pub label: Option<String>,
    /// A glob on the host's name.
    pub host: Option<String>,
    /// The app; may hold `$group`.
    pub app: Option<String>,
    /// The service; may hold `$group`.
    pub service: Option<String>,
    /// The environment; may hold `$group`.
    pub environment: Option<String>,
    /// Where the rule stands.
    pub origin: Origin,
}

/// Reads `[[identity]]`.
pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section) -> Vec<IdentityRule> {
    let Some(entry) = top.take("identity") else { return Vec::new() };
    let Value::List(items) = entry.node.value else {
        reader.fault(&entry.node.origin, "identity: a rule is written [[identity]], in double brackets");
        return Vec::new();
    };
    items.into_iter().filter_map(|node| rule(reader, node)).collect()
}

fn rule(reader: &mut Reader<'_>, node: Node) -> Option<IdentityRule> {
    let origin = node.origin.clone();
    let mut section = Section::of(reader, "identity".to_owned(), node)?;
    let matching = section.section(reader, "match");
    let app = section.text(reader, "app").map(|said| said.value);
    let service = section.text(reader, "service").map(|said| said.value);
    let environment = section.text(reader, "environment").and_then(|said| {
        if said.value.contains('$') || environment_ok(&said.value) {
            return Some(said.value);
        }
        reader.fault(&said.origin, format!("identity: {:?} is no environment: lower-case letters and digits, no dash", said.value));
        None
    });
    section.finish(reader);
    let Some((mut matching, at)) = matching else {
        reader.fault(&origin, "identity: match is missing: for example match = { name = \"^(?<service>.+)-v[0-9]+$\" }");
        return None;
    };
    let faults = reader.faults.len();
    let mut groups = false;
    let name = matching.text(reader, "name").and_then(|said| match Regex::new(&said.value) {
        Ok(regex) => {
            groups = regex.capture_names().flatten().any(|group| ["app", "service", "environment"].contains(&group));
            Some(said.value)
        }
        Err(error) => {
            // The last line is the reason; those before draw the place in fixed-width text.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            reader.fault(&said.origin, format!("identity.match.name: {:?}: {reason}", said.value));
            None
        }
    });
    let mut glob = |reader: &mut Reader<'_>, key: &'static str| {
        let said = matching.text(reader, key)?;
        if let Err(error) = Glob::new(&said.value) {
            reader.fault(&said.origin, format!("identity.match.{key}: {error}"));
        }
        Some(said.value)
    };
    let (image, label, host) = (glob(reader, "image"), glob(reader, "label"), glob(reader, "host"));
    matching.finish(reader);
    if faults == reader.faults.len() && [&name, &image, &label, &host].iter().all(|field| field.is_none()) {
        reader.fault(&at, "identity.match: is empty: it takes name, image, label and host");
    }
    if faults == reader.faults.len() && !groups && app.is_none() && service.is_none() && environment.is_none() {
        reader.fault(&origin, "identity: the rule names nothing: give app, service or environment, or a group (?<service>…) in match.name");
    }
    Some(IdentityRule { name, image, label, host, app, service, environment, origin })
}
