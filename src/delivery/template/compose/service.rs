//! One service of a Compose file, key by key.

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
        quote,
    },
    fleet::mask::mask_command,
    text::words,
};

/// What a job has; the rest of a service means nothing for it.
const OF_JOBS: [&str; 5] = ["image", "command", "secrets", "memory", "needs"];

impl Import {
    pub(super) fn service(&mut self, Pair { key: name, line, node }: &Pair) {
        let ours = self.names.get(name).cloned().unwrap_or_else(|| name.clone());
        let mut piece = Piece::new(ours.clone());
        let mut secrets: Vec<String> = Vec::new();
        let mut needs: Vec<String> = Vec::new();
        if let Some(build) = node.get("build") {
            let image = self.build(name, &ours, build);
            // What is built alike is built once.
            let known = self.draft.images.iter().find(|other| other.is_like(&image)).map(|other| other.name.clone());
            piece.set("image", quote::text(known.as_ref().unwrap_or(&ours)));
            if known.is_none() {
                self.draft.images.push(image);
            }
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
        if mask_command(&found) != found {
            self.lose(node.line, format!("{title}: a word of it looks like a secret: name it under secrets and read it from there"));
        }
        let has_program = found.first().is_some_and(|word| !word.trim().is_empty());
        if !has_program {
            self.lose(node.line, format!("{title}: is empty: the image's own command stays"));
        }
        has_program.then_some(found)
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
                Some(ours) if needs.contains(ours) => {}
                Some(ours) => needs.push(ours.clone()),
            }
        }
    }
}
