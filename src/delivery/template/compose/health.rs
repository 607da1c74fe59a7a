//! `healthcheck`, and times.

use std::time::Duration;

use super::{
    Import,
    draft::Piece,
    yaml::{Node, Pair, Value},
};
use crate::delivery::template::{facts, quantity, quote};

/// The gate is never shorter.
const LEAST_GATE: Duration = Duration::from_secs(30);

impl Import {
    pub(super) fn health(&mut self, title: &str, line: usize, node: &Node, piece: &mut Piece) {
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
    pub(super) fn time(&mut self, title: &str, node: &Node) -> Option<Duration> {
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
}
