//! `ports` and `volumes`, in their short and long forms.

use super::{
    Import,
    yaml::{Node, Pair, Value},
};
use crate::delivery::template::{facts, notation, quote};

/// So many ports of a range are written out.
const MOST: u16 = 32;

impl Import {
    /// As the template lists them.
    pub(super) fn ports(&mut self, service: &str, node: &Node) -> Vec<String> {
        let title = format!("services.{service}.ports");
        let mut ports = Vec::new();
        for item in node.items() {
            let Some(text) = (match &item.value {
                Value::Map(pairs) => self.long_port(&title, pairs),
                Value::Text(_) | Value::Null | Value::List(_) => self.text(&title, item),
            }) else {
                continue;
            };
            match range(&text) {
                Ok(all) => {
                    for port in all {
                        match notation::port(&port) {
                            Ok(port) => {
                                let port = notation::PortText(&port).to_string();
                                if !ports.contains(&port) {
                                    ports.push(port);
                                }
                            }
                            Err(error) => self.lose(item.line, format!("{title}: {text:?}: {error}")),
                        }
                    }
                }
                Err(why) => self.lose(item.line, format!("{title}: {text:?}: {why}")),
            }
        }
        ports
    }

    fn long_port(&mut self, title: &str, pairs: &[Pair]) -> Option<String> {
        let (mut target, mut published, mut address, mut protocol) = (None, None, None, None);
        for Pair { key, line, node } in pairs {
            match key.as_str() {
                "target" => target = self.text(title, node),
                "published" => published = self.text(title, node),
                "host_ip" => address = self.text(title, node),
                "protocol" => protocol = self.text(title, node),
                "name" => {}
                "mode" if node.text() == Some("host") => {}
                other => {
                    self.lose(*line, format!("{title}.{other}: a port is published on the hosts where the service runs, and nowhere else"))
                }
            }
        }
        let target = target?;
        let protocol = protocol.map_or(String::new(), |protocol| format!("/{protocol}"));
        Some(match (address, published) {
            (Some(address), published) => format!("{address}:{}:{target}{protocol}", published.unwrap_or_default()),
            (None, Some(published)) => format!("{published}:{target}{protocol}"),
            (None, None) => format!("{target}{protocol}"),
        })
    }

    /// As the template lists them, TOML already.
    pub(super) fn mounts(&mut self, service: &str, node: &Node) -> Vec<String> {
        let title = format!("services.{service}.volumes");
        let mut mounts = Vec::new();
        for item in node.items() {
            let found = match &item.value {
                Value::Map(pairs) => self.long_mount(&title, item.line, pairs),
                Value::Text(_) | Value::Null | Value::List(_) => {
                    let Some(text) = self.text(&title, item) else { continue };
                    self.short_mount(&title, item.line, &text)
                }
            };
            mounts.extend(found);
        }
        mounts
    }

    fn short_mount(&mut self, title: &str, line: usize, text: &str) -> Option<String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, modes) = match parts[..] {
            [_] => {
                self.lose(line, format!("{title}: {text:?} is a volume without a name: give it one to keep its data"));
                return None;
            }
            [source, target] => (source, target, ""),
            [source, target, modes] => (source, target, modes),
            _ => {
                self.lose(line, format!("{title}: {text:?} is no mount"));
                return None;
            }
        };
        let mut read_only = false;
        for mode in modes.split(',').filter(|mode| !mode.is_empty()) {
            match mode {
                "ro" => read_only = true,
                "rw" | "cached" | "delegated" | "consistent" => {}
                other => self.lose(line, format!("{title}: {other} of {text:?}: only ro is known")),
            }
        }
        self.mount(title, line, source, target, read_only)
    }

    fn long_mount(&mut self, title: &str, line: usize, pairs: &[Pair]) -> Option<String> {
        let (mut kind, mut source, mut target, mut read_only) = ("volume".to_owned(), None, None, false);
        for Pair { key, line, node } in pairs {
            match key.as_str() {
                "type" => kind = self.text(title, node).unwrap_or(kind),
                "source" | "src" => source = self.text(title, node),
                "target" | "dst" | "destination" => target = self.text(title, node),
                "read_only" | "readonly" => read_only = node.text() == Some("true"),
                "consistency" => {}
                other => self.lose(*line, format!("{title}.{other}: has no counterpart")),
            }
        }
        if kind != "volume" && kind != "bind" {
            self.lose(line, format!("{title}: type {kind}: only volumes and directories of the hosts are mounted"));
            return None;
        }
        match (source, target) {
            (Some(source), Some(target)) => self.mount(title, line, &source, &target, read_only),
            (None, _) => {
                self.lose(line, format!("{title}: a volume without a name: give it one to keep its data"));
                None
            }
            (_, None) => {
                self.lose(line, format!("{title}: target is missing"));
                None
            }
        }
    }

    fn mount(&mut self, title: &str, line: usize, source: &str, target: &str, read_only: bool) -> Option<String> {
        if source.starts_with(['.', '~']) || source.contains('/') && !source.starts_with('/') {
            let message = "is a directory of the developer's machine: put it into the image, or name a directory of the hosts";
            self.lose(line, format!("{title}: {source:?} {message}"));
            return None;
        }
        let mode = if read_only { ":ro" } else { "" };
        if !source.starts_with('/') {
            let Some(named) = self.volumes.get(source).cloned() else {
                self.lose(line, format!("{title}: there is no volume {source:?} in volumes"));
                return None;
            };
            if named.external {
                let mut entries = vec![("external", quote::text(&named.name)), ("target", quote::text(target))];
                entries.extend(read_only.then(|| ("read-only", "true".to_owned())));
                return Some(quote::table(&entries));
            }
            return self.noted(title, line, &format!("{}:{target}{mode}", named.name));
        }
        if source.ends_with("docker.sock") {
            self.lose(line, format!("{title}: {source}: whoever has it is root on the host: look whether it is needed"));
        }
        self.noted(title, line, &format!("{source}:{target}{mode}"))
    }

    fn noted(&mut self, title: &str, line: usize, text: &str) -> Option<String> {
        match notation::volume(text) {
            Ok(volume) => Some(facts::volume(&volume)),
            Err(error) => {
                self.lose(line, format!("{title}: {error}"));
                None
            }
        }
    }
}

/// `8000-8002:80-82` written out.
fn range(text: &str) -> Result<Vec<String>, String> {
    let (numbers, protocol) = text.split_once('/').map_or((text, String::new()), |(numbers, protocol)| (numbers, format!("/{protocol}")));
    if !numbers.rsplit(':').take(2).any(|part| part.contains('-')) {
        return Ok(vec![text.to_owned()]);
    }
    let (outside, inside) = numbers.rsplit_once(':').map_or((None, numbers), |(outside, inside)| (Some(outside), inside));
    let bounds = |part: &str| -> Option<(u16, u16)> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last && last - first < MOST).then_some((first, last))
    };
    let wrong = || format!("a range of at most {MOST} ports is written out: name each port");
    let (first, last) = bounds(inside).ok_or_else(wrong)?;
    let Some(outside) = outside else {
        return Ok((first..=last).map(|port| format!("{port}{protocol}")).collect());
    };
    let (address, outside) = outside.rsplit_once(':').map_or((String::new(), outside), |(address, part)| (format!("{address}:"), part));
    let (from, to) = bounds(outside).ok_or_else(wrong)?;
    if to - from != last - first {
        return Err("the two ranges are not of one length: name each port".to_owned());
    }
    Ok((0..=last - first).map(|step| format!("{address}{}:{}{protocol}", from + step, first + step)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range("80"), Ok(vec!["80".to_owned()]));
        assert_eq!(range("8000-8001:80-81/udp"), Ok(vec!["8000:80/udp".to_owned(), "8001:81/udp".to_owned()]));
        assert_eq!(range("127.0.0.1:90-91:90-91"), Ok(vec!["127.0.0.1:90:90".to_owned(), "127.0.0.1:91:91".to_owned()]));
        assert_eq!(range("7-8"), Ok(vec!["7".to_owned(), "8".to_owned()]));
        assert!(range("8000-8010:80").is_err() && range("1-60000").is_err() && range("9-8").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9:/a.\\[\\]]{0,20}") {
            let _ = range(&text);
        }
    }
}
