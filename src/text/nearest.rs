//! "Did you mean …": the known name nearest to a mistyped one, for every error about an unknown name.

/// The known name most similar to `name`, or `None` when nothing is near enough to be a typing mistake.
///
/// Near means a Jaro-Winkler similarity of at least 0.75, the value below which suggestions read as random, or one letter wrong, missing,
/// too many or out of place: the similarity of short names says little.
pub fn nearest<'a, I>(name: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    known
        .into_iter()
        .map(|candidate| (similarity(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The least similarity that reads as a mistake of typing.
const NEAR: f64 = 0.75;

fn similarity(name: &str, candidate: &str) -> f64 {
    let one_off = name.len().max(candidate.len()) >= 3 && strsim::osa_distance(name, candidate) <= 1;
    let similarity = strsim::jaro_winkler(name, candidate);
    if one_off { similarity.max(NEAR) } else { similarity }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_the_typing_mistake_and_refuses_the_random() {
        let known = ["read-only", "theme", "keymap"];
        assert_eq!(nearest("read_only", known), Some("read-only"));
        assert_eq!(nearest("them", known), Some("theme"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("wbe", ["api", "web"]), Some("web"));
        assert_eq!(nearest("wb", ["db", "web"]), Some("web"));
        assert_eq!(nearest("a", ["b"]), None);
    }
}
