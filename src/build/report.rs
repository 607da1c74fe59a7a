//! What an image weighs, and what of it grew since the build before. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    engine::docker::{ImageLayer, split_tag},
    text::bytes,
};

/// So many of what grew are named.
const NAMED: usize = 5;
/// Less is no news.
const NEWS: u64 = 64 << 10;

/// One layer, as it is kept to be compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The instruction, without what differs from build to build.
    pub made_by: String,
    /// Bytes.
    pub size: u64,
}

/// The layers that hold something, from the first to the last.
pub fn layers(history: &[ImageLayer]) -> Vec<Layer> {
    let holding = history.iter().rev().filter(|entry| entry.size > 0);
    holding.map(|entry| Layer { made_by: plain(&entry.made_by), size: entry.size }).collect()
}

/// What a person should know of an image's size beside its last build; a line each, nothing where nothing grew.
pub fn hints(now: &[Layer], before: Option<&[Layer]>) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let total = |layers: &[Layer]| layers.iter().map(|layer| layer.size).sum::<u64>();
    let mut lines = Vec::new();
    let (was, is) = (total(before), total(now));
    if is > was && is - was >= NEWS {
        lines.push(format!("{} more than the last build ({})", bytes(is - was), bytes(was)));
    }
    let mut left: Vec<&Layer> = before.iter().collect();
    let mut grown: Vec<(u64, String)> = Vec::new();
    for layer in now {
        let at = left.iter().position(|old| old.made_by == layer.made_by);
        let old = at.map(|at| left.remove(at).size);
        let growth = layer.size.saturating_sub(old.unwrap_or(0));
        if growth >= NEWS {
            let how = old.map_or_else(|| "new".to_owned(), |old| format!("was {}", bytes(old)));
            grown.push((growth, format!("+{} {} ({how})", bytes(growth), layer.made_by)));
        }
    }
    grown.sort_by_key(|(growth, _)| std::cmp::Reverse(*growth));
    lines.extend(grown.into_iter().take(NAMED).map(|(_, line)| line));
    lines
}

/// Where images of one app stand on different tags of one base, which every host then keeps twice. `bases`: image → what it stands on.
pub fn differing(bases: &[(&str, Vec<&str>)]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (image, references) in bases {
        for reference in references.iter().filter(|reference| !reference.contains('@')) {
            let (name, tag) = split_tag(reference);
            by_name.entry(name).or_default().entry(tag).or_default().push(image);
        }
    }
    let several = by_name.into_iter().filter(|(_, tags)| tags.len() > 1);
    let line = |(name, tags): (&str, BTreeMap<&str, Vec<&str>>)| {
        let tags: Vec<String> = tags.iter().map(|(tag, images)| format!("{tag} ({})", images.join(", "))).collect();
        format!("{name} is used as {}: with one of them, hosts would keep it once", tags.join(" and "))
    };
    several.map(line).collect()
}

/// `/bin/sh -c #(nop) COPY dir:0a1b… in /srv ` → `COPY dir in /srv`; BuildKit's mark is left out.
fn plain(made_by: &str) -> String {
    let text = made_by.strip_prefix("/bin/sh -c #(nop)").unwrap_or(made_by).trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
    let words = text.split_whitespace().map(|word| match word.split_once(':') {
        Some((kind @ ("file" | "dir" | "multi"), hash)) if hash.len() >= 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => kind,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(made_by: &str, size: u64) -> ImageLayer {
        ImageLayer { made_by: made_by.into(), size }
    }

    #[test]
    fn instructions_of_both_builders() {
        let hash = "0a".repeat(32);
        let history = [
            entry("/bin/sh -c #(nop)  LABEL a=b", 0),
            entry(&format!("/bin/sh -c #(nop) COPY dir:{hash} in /srv "), 5),
            entry("RUN /bin/sh -c make # buildkit", 7),
            entry("", 3),
        ];
        let names: Vec<String> = layers(&history).into_iter().map(|layer| format!("{}={}", layer.made_by, layer.size)).collect();
        assert_eq!(names, ["=3", "RUN /bin/sh -c make=7", "COPY dir in /srv=5"]);
    }

    #[test]
    fn what_grew() {
        let layer = |made_by: &str, size: u64| Layer { made_by: made_by.to_owned(), size };
        let before = [layer("FROM", 10 << 20), layer("RUN a", 1 << 20), layer("COPY x", 5)];
        let now = [layer("FROM", 10 << 20), layer("RUN a", 3 << 20), layer("RUN b", 1 << 20), layer("COPY x", 9)];
        assert_eq!(
            hints(&now, Some(&before)),
            ["3.00 MB more than the last build (11.0 MB)", "+2.00 MB RUN a (was 1.00 MB)", "+1.00 MB RUN b (new)"]
        );
        assert!(hints(&now, Some(&now)).is_empty() && hints(&before, Some(&now)).is_empty() && hints(&now, None).is_empty());
    }

    #[test]
    fn what_could_be_shared() {
        let bases =
            [("web", vec!["r:5000/node:18", "nginx"]), ("api", vec!["r:5000/node:20"]), ("job", vec!["r:5000/node:20", "nginx:latest"])];
        assert_eq!(differing(&bases), ["r:5000/node is used as 18 (web) and 20 (api, job): with one of them, hosts would keep it once"]);
    }
}
