//! A Compose file turned into a template, and every word of it that could not be carried over, with its line and the reason.
//!
//! The format: <https://github.com/compose-spec/compose-spec/blob/main/spec.md>. Pure: files that it names are not opened.

mod build;
mod draft;
mod health;
mod interpolate;
mod limits;
mod mounts;
mod service;
mod unknown;
mod variables;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Template;
use crate::{
    fleet::mask::is_secret,
    text::clean_line,
    written::{Fault, Faults, Origin, plain_ok},
};

use draft::Draft;
use yaml::{Node, Pair, Value};

/// What became of a Compose file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The template's text. It parses, unless a loss says what is missing for that.
    pub template: String,
    /// What was not carried over, or only in another form, in the order of lines.
    pub losses: Vec<Fault>,
}

/// Turns a Compose file into a template. `file` is how losses name it; `app` is the app's name where the file has none.
///
/// # Errors
/// A text that is no YAML, or no Compose file.
pub fn import(file: &Path, text: &str, app: &str) -> Result<Imported, Faults> {
    let file: Arc<PathBuf> = Arc::new(file.to_owned());
    let refuse = |line: usize, message: &str| {
        let origin = Origin::File { path: file.clone(), line, column: 1 };
        Faults::new(vec![Fault::new(&origin, message)])
    };
    let root = yaml::parse(text).map_err(|broken| refuse(broken.line, &broken.message))?;
    if root.get("services").is_none_or(|services| services.pairs().is_empty()) {
        return Err(refuse(root.line, "no services: this is no Compose file"));
    }
    let mut import = Import::new(file.clone(), &root, app);
    import.file(&root);
    let template = import.draft.write();
    let mut losses = Faults::new(import.losses).faults;
    losses.dedup();
    // What cannot be right yet is said now, not at the first deployment.
    if let Err(faults) = Template::parse(Path::new(super::FILE), &template) {
        let told = faults.faults.iter().map(|fault| Fault::new(&Origin::Whole(file.clone()), format!("in the template, {fault}")));
        losses.extend(told);
    }
    Ok(Imported { template, losses })
}

/// An import on its way.
struct Import {
    file: Arc<PathBuf>,
    draft: Draft,
    losses: Vec<Fault>,
    /// Compose's name of a service → ours.
    names: BTreeMap<String, String>,
    /// Services that others wait for to end well: jobs.
    jobs: BTreeSet<String>,
    /// Compose's name of a volume → the name under which it exists, and whether it is not ours.
    volumes: BTreeMap<String, Named>,
}

/// A volume of the top level.
#[derive(Clone, Debug)]
struct Named {
    /// Ours, or as it exists.
    name: String,
    external: bool,
}

impl Import {
    fn new(file: Arc<PathBuf>, root: &Node, app: &str) -> Self {
        let named = root.get("name").and_then(Node::text).unwrap_or(app);
        let mut import = Self {
            file,
            draft: Draft::new(plain(named, "app")),
            losses: Vec::new(),
            names: BTreeMap::new(),
            jobs: BTreeSet::new(),
            volumes: BTreeMap::new(),
        };
        let services = root.get("services").map_or(&[][..], Node::pairs);
        for pair in services {
            let name = import.unused(&pair.key);
            if name != pair.key {
                import.lose(pair.line, format!("services.{}: is called {name} in the template", pair.key));
            }
            import.names.insert(pair.key.clone(), name);
        }
        let awaited = services.iter().filter_map(|pair| pair.node.get("depends_on")).flat_map(Node::pairs);
        let awaited = awaited.filter(|need| condition(&need.node) == Some("service_completed_successfully"));
        import.jobs = awaited.filter(|need| import.names.contains_key(&need.key)).map(|need| need.key.clone()).collect();
        import
    }

    fn lose(&mut self, line: usize, message: impl AsRef<str>) {
        let origin = Origin::File { path: self.file.clone(), line, column: 1 };
        self.losses.push(Fault::new(&origin, message));
    }

    /// A name of ours for one of Compose's, that no other has.
    fn unused(&self, name: &str) -> String {
        let base = plain(name, "service");
        let taken = |name: &str| self.names.values().any(|other| other == name);
        if !taken(&base) {
            return base;
        }
        (2..).map(|number| format!("{base}-{number}")).find(|name| !taken(name)).unwrap_or(base)
    }

    /// A text with its variables resolved; what was decided about them is told.
    fn text(&mut self, what: &str, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(self.resolve(what, node.line, text)),
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                self.lose(node.line, format!("{what}: expected a text, found {}", node.kind()));
                None
            }
        }
    }

    fn resolve(&mut self, what: &str, line: usize, text: &str) -> String {
        let found = interpolate::resolve(text, &is_secret);
        for (name, default) in &found.defaults {
            if is_secret(name) {
                self.lose(line, format!("{what}: ${{{name}}} looks like a secret: its default is left out"));
                continue;
            }
            self.lose(
                line,
                format!("{what}: the default {default:?} of ${{{name}}} stands in the template: say other values by environment"),
            );
        }
        for name in &found.missing {
            self.lose(line, format!("{what}: ${{{name}}} has no default: it is left out, say it by environment"));
        }
        found.text
    }

    /// A list of texts, or one text as a list of one.
    fn texts(&mut self, what: &str, node: &Node) -> Vec<String> {
        match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.text(what, item)).collect(),
            Value::Null => Vec::new(),
            Value::Text(_) | Value::Map(_) => self.text(what, node).into_iter().collect(),
        }
    }

    fn file(&mut self, root: &Node) {
        for Pair { key, line, node } in root.pairs() {
            match key.as_str() {
                "name" | "version" | "services" => {}
                key if key.starts_with("x-") => {}
                "volumes" => self.volumes(node),
                "secrets" => self.secrets(node),
                "networks" => self.networks(*line, node),
                "configs" => self.lose(*line, "configs: put them into the image, or mount a directory of the hosts"),
                "include" => self.lose(*line, "include: import the included files one by one"),
                other => self.lose(*line, format!("{other}: no key of a Compose file that is known here")),
            }
        }
        for pair in root.get("services").map_or(&[][..], Node::pairs) {
            self.service(pair);
        }
    }

    fn volumes(&mut self, node: &Node) {
        for Pair { key, line, node } in node.pairs() {
            let external = node.get("external").is_some_and(|node| match &node.value {
                Value::Text(text) => text == "true",
                Value::Map(_) => true,
                Value::Null | Value::List(_) => false,
            });
            let told = node.get("name").or_else(|| node.get("external").and_then(|node| node.get("name"))).cloned();
            let told = told.and_then(|node| self.text(&format!("volumes.{key}.name"), &node));
            let name = match (external, told) {
                (true, told) => told.unwrap_or_else(|| key.clone()),
                (false, Some(told)) => {
                    let message = format!("the volume exists as {told:?}: to go on with its data, {{ external = {told:?}, target = … }}");
                    self.lose(*line, format!("volumes.{key}.name: {message}"));
                    plain(key, "data")
                }
                (false, None) => plain(key, "data"),
            };
            for pair in node.pairs().iter().filter(|pair| !["external", "name", "labels"].contains(&pair.key.as_str())) {
                self.lose(
                    pair.line,
                    format!("volumes.{key}.{}: volumes are local: make it on the hosts and name it as external", pair.key),
                );
            }
            self.volumes.insert(key.clone(), Named { name, external });
        }
    }

    fn secrets(&mut self, node: &Node) {
        for Pair { key, line, node } in node.pairs() {
            let from = match (node.get("file").and_then(Node::text), node.get("environment").and_then(Node::text)) {
                (Some(file), _) => format!("file = {file:?}"),
                (None, Some(variable)) => format!("env = {variable:?}"),
                (None, None) => "file = \"…\"".to_owned(),
            };
            let app = self.draft.app.clone();
            self.lose(
                *line,
                format!("secrets.{key}: its source belongs into the configuration: [secrets.{app}.testing] {key} = {{ {from} }}"),
            );
        }
    }

    fn networks(&mut self, line: usize, node: &Node) {
        if node.pairs().iter().any(|pair| pair.key != "default") {
            self.lose(line, "networks: an app has one network in each environment, on which its services find each other by name");
        }
        for pair in node.pairs().iter().filter(|pair| pair.node.get("external").is_some()) {
            let message = "what other apps run is not on the app's network: reach it at an address";
            self.lose(pair.line, format!("networks.{}.external: {message}", pair.key));
        }
    }
}

/// What a `depends_on` waits for.
fn condition(need: &Node) -> Option<&str> {
    need.get("condition").and_then(Node::text)
}

/// A name as ours are: lower-case letters, digits and `-`.
fn plain(name: &str, otherwise: &str) -> String {
    let lower: String = clean_line(name).to_lowercase();
    let mapped: String = lower.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let trimmed = mapped.trim_matches('-');
    if plain_ok(trimmed) { trimmed.to_owned() } else { otherwise.to_owned() }
}
