//! "Did you mean …": the known name nearest to a mistyped one, for every error about an unknown name.

/// The known name most similar to `name`, or `None` when nothing is near enough to be a typing mistake.
///
/// Near means a Jaro-Winkler similarity of at least 0.75, the value below which suggestions read as random.
pub fn nearest<'a, I>(name: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
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
    }
}
