//! A typed command line as words. Pure.

use thiserror::Error;

/// A quote that nothing closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the {0} is not closed")]
pub struct Unclosed(pub char);

/// Takes a line apart as a shell would: at blanks, outside of quotes, with `\` before a character to be taken as it is. Nothing is expanded.
///
/// # Errors
/// [`Unclosed`] with the quote, or the `\` at the end.
pub fn words(line: &str) -> Result<Vec<String>, Unclosed> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next().ok_or(Unclosed('\\'))?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), |mark| Err(Unclosed(mark)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_quotes_and_escapes() {
        for (line, expected) in [
            ("", &[][..]),
            ("  /bin/app  --check ", &["/bin/app", "--check"]),
            (r#"sh -c 'echo "a b"; exit'"#, &["sh", "-c", r#"echo "a b"; exit"#]),
            (r#"a"b c"'d e' f\ g """#, &["ab cd e", "f g", ""]),
            (r#""a\"b" '\n'"#, &[r#"a"b"#, r"\n"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert_eq!((words("a 'b"), words("a\\")), (Err(Unclosed('\'')), Err(Unclosed('\\'))));
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_comes_back(list in proptest::collection::vec("[^']{0,8}", 0..5)) {
            let line = list.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line), Ok(list));
        }
    }
}
