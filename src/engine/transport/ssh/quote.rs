//! One word for a POSIX shell on the other side: everything that is run there passes here. Pure.

/// Quotes a word so that a POSIX shell reads exactly these characters.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '@' | '=' | '+' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        assert_eq!(shell_word("/run/user/1000/docker.sock"), "/run/user/1000/docker.sock");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's; rm -rf /"), r"'it'\''s; rm -rf /'");
        assert_eq!(shell_word("~"), "'~'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_shell_reads_back_the_same_word(word in "[ -~\n\té]{1,40}") {
            let echoed = Command::new("sh").arg("-c").arg(format!("printf %s {}", shell_word(&word))).output().expect("sh runs");
            prop_assert_eq!(String::from_utf8_lossy(&echoed.stdout).into_owned(), word);
        }
    }
}
