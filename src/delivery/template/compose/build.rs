//! `build`: what is built, and from where.

use super::{
    Import,
    draft::Piece,
    variables::Given,
    yaml::{Node, Pair, Value},
};
use crate::delivery::template::quote;

impl Import {
    /// An image for the service of this name; what it is built from.
    pub(super) fn build(&mut self, service: &str, ours: &str, node: &Node) -> Piece {
        let mut piece = Piece::new(ours);
        let title = format!("services.{service}.build");
        let mut context = ".".to_owned();
        let mut dockerfile = None;
        match &node.value {
            Value::Text(_) => context = self.context(&title, node).unwrap_or(context),
            Value::Null | Value::List(_) => self.lose(node.line, format!("{title}: expected a directory, found {}", node.kind())),
            Value::Map(pairs) => {
                for Pair { key, line, node } in pairs {
                    let title = format!("{title}.{key}");
                    match key.as_str() {
                        "context" => context = self.context(&title, node).unwrap_or(context),
                        "dockerfile" => dockerfile = self.text(&title, node).map(|path| (path, *line)),
                        "args" => self.args(&title, node, &mut piece),
                        "target" => self.lose(*line, format!("{title}: the last stage is what ships: make it the last one")),
                        "tags" => self.lose(*line, format!("{title}: tags are made: <registry>/<app>/<image>:<version>")),
                        "cache_from" | "cache_to" | "no_cache" | "pull" => {
                            self.lose(*line, format!("{title}: the builder keeps its own cache"));
                        }
                        _ => self.lose(*line, format!("{title}: put it into the Dockerfile")),
                    }
                }
            }
        }
        piece.set("context", quote::text(&context));
        if let Some((path, line)) = dockerfile {
            let whole = if context == "." { path.clone() } else { format!("{context}/{path}") };
            match normal(&whole) {
                Some(path) if path == normal(&format!("{context}/Dockerfile")).unwrap_or_default() => {}
                Some(path) => piece.set("dockerfile", quote::text(&path)),
                None => self.lose(line, format!("{title}.dockerfile: {path:?} leaves the repository: move it into it")),
            }
        }
        piece
    }

    fn context(&mut self, title: &str, node: &Node) -> Option<String> {
        let text = self.text(title, node)?;
        if text.contains("://") || text.starts_with("git@") || text.ends_with(".git") {
            self.lose(node.line, format!("{title}: {text:?} is another repository: it is an app of its own"));
            return None;
        }
        let found = (!text.starts_with(['/', '~'])).then(|| normal(&text)).flatten();
        if found.is_none() {
            self.lose(node.line, format!("{title}: {text:?} leaves the repository: the template stands at its root"));
        }
        found
    }

    fn args(&mut self, title: &str, node: &Node, piece: &mut Piece) {
        let mut entries: Vec<(String, String)> = Vec::new();
        for (name, given, line) in self.variables(title, node) {
            match given {
                Given::Value(value) => entries.push((name, quote::text(&value))),
                Given::Secret => {
                    self.lose(line, format!("{title}.{name}: looks like a secret: an argument of a build stays readable in the image"));
                }
                Given::Shell => self.lose(line, format!("{title}.{name}: its value comes from the shell: say it here")),
            }
        }
        if !entries.is_empty() {
            let entries: Vec<(&str, String)> = entries.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            piece.set("args", quote::table(&entries));
        }
    }
}

/// A path without `.` and `..`; `None` where it leads outside.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn paths() {
        for (path, expected) in [("./web/", Some("web")), (".", Some(".")), ("a/../b", Some("b")), ("../a", None), ("a/../../b", None)] {
            assert_eq!(normal(path).as_deref(), expected, "{path}");
        }
    }
}
