//! How many, how large, how often started, how much of a log.

use super::{
    Import,
    draft::Piece,
    yaml::{Node, Pair},
};
use crate::delivery::template::{quantity, quote};

impl Import {
    pub(super) fn deploy(&mut self, title: &str, node: &Node, piece: &mut Piece) {
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

    pub(super) fn replicas(&mut self, title: &str, node: &Node, piece: &mut Piece) {
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

    pub(super) fn memory(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        // Without a unit it is bytes.
        let bytes = quantity::size(&text).or_else(|| text.trim().parse::<u64>().ok());
        match bytes.filter(|bytes| (6 << 20..=i64::MAX as u64).contains(bytes)) {
            Some(bytes) => piece.set("memory", quote::text(&quantity::size_text(bytes))),
            None => self.lose(node.line, format!("{title}: {text:?} is no size of at least 6m")),
        }
    }

    pub(super) fn cpus(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let Some(text) = self.text(title, node) else { return };
        match text.parse::<f64>() {
            Ok(cpus) if cpus.is_finite() && cpus > 0.0 && cpus < 10_000.0 => piece.set("cpus", cpus.to_string()),
            Ok(_) | Err(_) => self.lose(node.line, format!("{title}: {text:?} is no number of cores")),
        }
    }

    pub(super) fn restart(&mut self, title: &str, node: &Node, piece: &mut Piece) {
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

    pub(super) fn logging(&mut self, title: &str, node: &Node, piece: &mut Piece) {
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
}
