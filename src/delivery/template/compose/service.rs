//! One service of a Compose file, key by key.

use std::time::Duration;

use super::{
    Import, condition,
    draft::Piece,
    unknown::remedy,
    yaml::{Node, Pair, Value},
};
use crate::{
    delivery::template::{
        facts,
        notation::{is_floating, is_reference},
        quantity, quote,
        read::values::variable_ok,
    },
    fleet::mask::is_secret,
    text::words,
};

/// What a job has; the rest of a service means nothing for it.
const OF_JOBS: [&str; 5] = ["image", "command", "secrets", "memory", "needs"];

/// What a variable is given.
pub(super) enum Given {
    Value(String),
    /// The value is the shell's.
    Shell,
    /// A value that is not looked at.
    Secret,
}

/// A name that ends with `_FILE` holds the name of a file, as the official images take their secrets.
fn looks_secret(name: &str) -> bool {
    is_secret(name) && !name.ends_with("_FILE")
}

/// The gate is never shorter.
const LEAST_GATE: Duration = Duration::from_secs(30);

impl Import {
    pub(super) fn service(&mut self, Pair { key: name, line, node }: &Pair) {
        let ours = self.names.get(name).cloned().unwrap_or_else(|| name.clone());
        let mut piece = Piece::new(ours.clone());
        let mut secrets: Vec<String> = Vec::new();
        let mut needs: Vec<String> = Vec::new();
        if let Some(build) = node.get("build") {
            let image = self.build(name, &ours, build);
            self.draft.images.push(image);
            piece.set("image", quote::text(&ours));
        }
        for pair in node.pairs() {
            self.key(name, pair, &mut piece, &mut secrets, &mut needs);
        }
        if !piece.has("image") {
            self.lose(*line, format!("services.{name}: neither image nor build: say its image"));
        }
        if !secrets.is_empty() {
            piece.set("secrets", format!("[{}]", secrets.join(", ")));
        }
        if !needs.is_empty() {
            piece.set("needs", quote::list(&needs));
        }
        if self.jobs.contains(name) {
            self.lose(*line, format!("services.{name}: others wait for its end, so it is a job before each deployment"));
            for key in ["ports", "volumes", "cpus", "restart", "per-host", "health", "stop", "logs"] {
                if piece.remove(key) && key != "restart" {
                    self.lose(*line, format!("services.{name}: {key}: a job has only {}", OF_JOBS.join(", ")));
                }
            }
            piece.set("when", quote::text("before"));
            self.draft.jobs.push(piece);
        } else {
            self.draft.services.push(piece);
        }
    }

    fn key(&mut self, name: &str, pair: &Pair, piece: &mut Piece, secrets: &mut Vec<String>, needs: &mut Vec<String>) {
        let Pair { key, line, node } = pair;
        let title = format!("services.{name}.{key}");
        match key.as_str() {
            "build" => {}
            "image" => self.image(&title, node, piece),
            "command" => {
                if let Some(command) = self.command(&title, node) {
                    piece.set("command", quote::list(&command));
                }
            }
            "environment" => self.environment(&title, node, piece, secrets),
            "ports" => {
                let ports = self.ports(name, node);
                if !ports.is_empty() {
                    piece.set("ports", quote::list(&ports));
                }
            }
            "volumes" => {
                let mounts = self.mounts(name, node);
                if !mounts.is_empty() {
                    piece.set("volumes", format!("[{}]", mounts.join(", ")));
                }
            }
            "depends_on" => self.needs(&title, node, needs),
            "deploy" => self.deploy(&title, node, piece),
            "mem_limit" => self.memory(&title, node, piece),
            "cpus" => self.cpus(&title, node, piece),
            "scale" => self.replicas(&title, node, piece),
            "restart" => self.restart(&title, node, piece),
            "healthcheck" => self.health(&title, *line, node, piece),
            "stop_grace_period" => {
                if let Some(time) = self.time(&title, node) {
                    piece.set("stop", facts::time(time));
                }
            }
            "logging" => self.logging(&title, node, piece),
            "secrets" => self.secret_files(&title, node, secrets),
            other => {
                if let Some(remedy) = remedy(other) {
                    self.lose(*line, format!("{title}: {remedy}"));
                }
            }
        }
    }

    fn image(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        if piece.has("image") {
            self.lose(node.line, format!("{title}: {text:?}: what is built is called <registry>/<app>/<image>:<version>"));
            return;
        }
        let whole = if text.contains([':', '@', '/']) { text.clone() } else { format!("{text}:latest") };
        if !is_reference(&whole) {
            self.lose(node.line, format!("{title}: {text:?} is no image's name: say one"));
            return;
        }
        if is_floating(&whole) {
            self.lose(node.line, format!("{title}: {text:?} is another image after each push to its registry: name a version"));
        }
        piece.set("image", quote::text(&whole));
    }

    fn command(&mut self, title: &str, node: &Node) -> Option<Vec<String>> {
        let found = match &node.value {
            Value::List(_) => self.texts(title, node),
            Value::Null => return None,
            Value::Text(_) | Value::Map(_) => {
                let text = self.text(title, node)?;
                match words(&text) {
                    Ok(words) => words,
                    Err(error) => {
                        self.lose(node.line, format!("{title}: {error}"));
                        return None;
                    }
                }
            }
        };
        let has_program = found.first().is_some_and(|word| !word.trim().is_empty());
        if !has_program {
            self.lose(node.line, format!("{title}: is empty: the image's own command stays"));
        }
        has_program.then_some(found)
    }

    /// `NAME=value` or `NAME: value`, each with its line.
    pub(super) fn variables(&mut self, title: &str, node: &Node) -> Vec<(String, Given, usize)> {
        let mut found = Vec::new();
        match &node.value {
            Value::List(items) => {
                for item in items {
                    let Some(text) = item.text() else {
                        self.lose(item.line, format!("{title}: expected NAME=value, found {}", item.kind()));
                        continue;
                    };
                    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                    let given = match value {
                        _ if looks_secret(name) => Given::Secret,
                        Some(value) => Given::Value(self.resolve(&format!("{title}.{name}"), item.line, value)),
                        None => Given::Shell,
                    };
                    found.push((name.to_owned(), given, item.line));
                }
            }
            Value::Map(pairs) => {
                for pair in pairs {
                    let given = match looks_secret(&pair.key) {
                        true => Given::Secret,
                        false => self.text(&format!("{title}.{}", pair.key), &pair.node).map_or(Given::Shell, Given::Value),
                    };
                    found.push((pair.key.clone(), given, pair.line));
                }
            }
            Value::Text(_) => self.lose(node.line, format!("{title}: expected a list or a mapping, found {}", node.kind())),
            Value::Null => {}
        }
        found
    }

    fn environment(&mut self, title: &str, node: &Node, piece: &mut Piece, secrets: &mut Vec<String>) {
        for (name, given, line) in self.variables(title, node) {
            if !variable_ok(&name) || name.starts_with("QD_") {
                self.lose(line, format!("{title}: {name:?} cannot be a variable here"));
                continue;
            }
            match given {
                Given::Secret => {
                    let quoted = quote::text(&name);
                    if !secrets.contains(&quoted) {
                        secrets.push(quoted);
                    }
                    let app = self.draft.app.clone();
                    let remedy =
                        format!("its value is not copied, its source belongs into the configuration: [secrets.{app}.testing] {name}");
                    self.lose(line, format!("{title}.{name}: looks like a secret and stands under secrets: {remedy}"));
                }
                Given::Value(value) => {
                    piece.vars.insert(name, value.replace('\0', ""));
                }
                Given::Shell => {
                    self.lose(line, format!("{title}.{name}: its value comes from the shell: say it under vars, by environment"))
                }
            }
        }
    }

    fn needs(&mut self, title: &str, node: &Node, needs: &mut Vec<String>) {
        let named: Vec<(String, usize, Option<String>)> = match &node.value {
            Value::Map(pairs) => pairs.iter().map(|pair| (pair.key.clone(), pair.line, condition(&pair.node).map(str::to_owned))).collect(),
            Value::List(items) => items.iter().filter_map(|item| Some((item.text()?.to_owned(), item.line, None))).collect(),
            Value::Null | Value::Text(_) => Vec::new(),
        };
        for (need, line, condition) in named {
            match self.names.get(&need) {
                None => self.lose(line, format!("{title}: there is no service {need:?}")),
                Some(_) if self.jobs.contains(&need) => {
                    if condition.as_deref() != Some("service_completed_successfully") {
                        self.lose(line, format!("{title}: {need} is a job: it has run before any service changes"));
                    }
                }
                Some(ours) => needs.push(ours.clone()),
            }
        }
    }

    fn deploy(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        for Pair { key, line, node } in node.pairs() {
            let title = format!("{title}.{key}");
            match key.as_str() {
                "replicas" => self.replicas(&title, node, piece),
                "mode" if node.text() == Some("replicated") => {}
                "mode" => self.lose(*line, format!("{title}: it runs on each host of the environment")),
                "resources" => {
                    for pair in node.pairs() {
                        if pair.key != "limits" {
                            self.lose(pair.line, format!("{title}.{}: containers have the limits memory and cpus", pair.key));
                            continue;
                        }
                        for limit in pair.node.pairs() {
                            let title = format!("{title}.limits.{}", limit.key);
                            match limit.key.as_str() {
                                "memory" => self.memory(&title, &limit.node, piece),
                                "cpus" => self.cpus(&title, &limit.node, piece),
                                _ => self.lose(limit.line, format!("{title}: containers have the limits memory and cpus")),
                            }
                        }
                    }
                }
                "restart_policy" => {
                    let word = match node.get("condition").and_then(Node::text) {
                        Some("none") => "no",
                        Some("on-failure") => "on-failure",
                        _ => "always",
                    };
                    piece.set("restart", quote::text(word));
                    for pair in node.pairs().iter().filter(|pair| pair.key != "condition") {
                        self.lose(pair.line, format!("{title}.{}: the engine's own pace of restarts stays", pair.key));
                    }
                }
                "update_config" | "rollback_config" => {
                    self.lose(*line, format!("{title}: how a change goes over the hosts is said by an environment's strategy"));
                }
                "placement" => {
                    self.lose(*line, format!("{title}: where it runs is said by an environment: [environments.E.services.S] hosts"))
                }
                "labels" => self.lose(*line, format!("{title}: containers get the labels of the deployment")),
                _ => self.lose(*line, format!("{title}: has no counterpart")),
            }
        }
    }

    fn replicas(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        match text.parse::<u16>() {
            Ok(1) => {}
            Ok(count) if (2..=1000).contains(&count) => {
                piece.set("per-host", count.to_string());
                self.lose(node.line, format!("{title}: {count} containers in all become {count} on each of its hosts"));
            }
            Ok(_) | Err(_) => self.lose(node.line, format!("{title}: {text}: at least one container runs on each of its hosts")),
        }
    }

    fn memory(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        // Without a unit it is bytes.
        let bytes = quantity::size(&text).or_else(|| text.trim().parse::<u64>().ok());
        match bytes.filter(|bytes| (6 << 20..=i64::MAX as u64).contains(bytes)) {
            Some(bytes) => piece.set("memory", quote::text(&quantity::size_text(bytes))),
            None => self.lose(node.line, format!("{title}: {text:?} is no size of at least 6m")),
        }
    }

    fn cpus(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        match text.parse::<f64>() {
            Ok(cpus) if cpus.is_finite() && cpus > 0.0 && cpus < 10_000.0 => piece.set("cpus", cpus.to_string()),
            Ok(_) | Err(_) => self.lose(node.line, format!("{title}: {text:?} is no number of cores")),
        }
    }

    fn restart(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        let word = match text.split(':').next().unwrap_or_default() {
            "no" | "false" => "no",
            "always" => "always",
            "unless-stopped" => "unless-stopped",
            "on-failure" => "on-failure",
            _ => {
                self.lose(node.line, format!("{title}: {text:?}: no, always, unless-stopped or on-failure"));
                return;
            }
        };
        if text.starts_with("on-failure:") {
            self.lose(node.line, format!("{title}: {text:?}: the engine goes on as often as it takes"));
        }
        piece.set("restart", quote::text(word));
    }

    fn health(&mut self, title: &str, line: usize, node: &Node, piece: &mut Piece) {
        if node.get("disable").and_then(Node::text) == Some("true") {
            self.lose(line, format!("{title}.disable: the image's HEALTHCHECK stays: say health, or take it out of the image"));
            return;
        }
        let mut command = None;
        let (mut interval, mut start, mut retries) = (LEAST_GATE, Duration::ZERO, 3u32);
        for Pair { key, line, node } in node.pairs() {
            let title = format!("{title}.{key}");
            match key.as_str() {
                "test" => command = self.test(&title, node),
                "interval" => interval = self.time(&title, node).unwrap_or(interval),
                "start_period" => start = self.time(&title, node).unwrap_or(start),
                "retries" => retries = self.text(&title, node).and_then(|text| text.parse().ok()).unwrap_or(retries),
                "disable" => {}
                "timeout" | "start_interval" => {}
                _ => self.lose(*line, format!("{title}: no key of Compose that is known here")),
            }
        }
        let Some(command) = command else { return };
        // A question each half minute makes a slow gate, and asking more often costs nothing that counts.
        let asked = interval.clamp(Duration::from_millis(500), Duration::from_secs(5));
        let longest = Duration::from_secs(3600);
        let timeout = start.saturating_add(interval.saturating_mul(retries)).clamp(LEAST_GATE, longest);
        let entries = [
            ("command", quote::list(&command)),
            ("interval", facts::time(asked)),
            ("rise", "1".to_owned()),
            ("timeout", facts::time(timeout)),
        ];
        piece.set("health", quote::table(&entries));
    }

    fn test(&mut self, title: &str, node: &Node) -> Option<Vec<String>> {
        let shell = |line: String| vec!["/bin/sh".to_owned(), "-c".to_owned(), line];
        if let Value::Text(_) = node.value {
            return self.text(title, node).map(shell);
        }
        let mut words = self.texts(title, node).into_iter();
        let kind = words.next();
        let rest: Vec<String> = words.collect();
        match kind.as_deref() {
            Some("CMD") if rest.first().is_some_and(|word| !word.trim().is_empty()) => Some(rest),
            Some("CMD-SHELL") if !rest.is_empty() => Some(shell(rest.join(" "))),
            Some("NONE") => {
                self.lose(node.line, format!("{title}: the image's HEALTHCHECK stays: say health, or take it out of the image"));
                None
            }
            _ => {
                self.lose(node.line, format!("{title}: expected [\"CMD\", …] or [\"CMD-SHELL\", …]"));
                None
            }
        }
    }

    /// `1m30s`, also with fractions and microseconds, which are rounded down to milliseconds.
    fn time(&mut self, title: &str, node: &Node) -> Option<Duration> {
        let text = self.text(title, node)?;
        let found = quantity::duration(&text).or_else(|| {
            let number = text.strip_suffix('s').filter(|number| !number.ends_with(['m', 'u', 'n']))?;
            number
                .parse::<f64>()
                .ok()
                .filter(|seconds| (0.0..1e6).contains(seconds))
                .map(|seconds| Duration::from_millis((seconds * 1e3) as u64))
        });
        if found.is_none() {
            self.lose(node.line, format!("{title}: {text:?} is no time"));
        }
        found
    }

    fn logging(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let driver = node.get("driver").and_then(Node::text).unwrap_or("json-file").to_owned();
        if !["json-file", "local"].contains(&driver.as_str()) {
            self.lose(node.line, format!("{title}: the driver {driver} is the engine's matter: say it in its daemon.json"));
            return;
        }
        let mut entries = Vec::new();
        for pair in node.get("options").map_or(&[][..], Node::pairs) {
            let title = format!("{title}.options.{}", pair.key);
            let Some(text) = self.text(&title, &pair.node) else { continue };
            match (pair.key.as_str(), quantity::size(&text), text.parse::<u32>()) {
                ("max-size", Some(bytes), _) => entries.push(("max-size", quote::text(&quantity::size_text(bytes)))),
                ("max-file", _, Ok(files)) if (1..=1000).contains(&files) => entries.push(("max-file", files.to_string())),
                _ => self.lose(pair.line, format!("{title}: {text:?}: max-size and max-file are carried over")),
            }
        }
        if !entries.is_empty() {
            piece.set("logs", quote::table(&entries));
        }
    }

    fn secret_files(&mut self, title: &str, node: &Node, secrets: &mut Vec<String>) {
        for item in node.items() {
            let name = match &item.value {
                Value::Map(pairs) => {
                    for pair in pairs.iter().filter(|pair| pair.key != "source") {
                        self.lose(pair.line, format!("{title}.{}: a secret stands under /run/secrets by its name", pair.key));
                    }
                    item.get("source").and_then(Node::text).map(str::to_owned)
                }
                Value::Text(_) | Value::Null | Value::List(_) => self.text(title, item),
            };
            let Some(name) = name.filter(|name| variable_ok(name) && !name.contains('/') && !name.starts_with('.')) else {
                self.lose(item.line, format!("{title}: no name of a secret"));
                continue;
            };
            let entry = quote::table(&[("name", quote::text(&name)), ("deliver", quote::text("file"))]);
            if !secrets.contains(&entry) {
                secrets.push(entry);
            }
        }
    }
}
