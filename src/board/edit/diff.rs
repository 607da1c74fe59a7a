//! Two texts line by line: what went, what came, and a little of what stands around it. Nothing in it looks like a secret.

use std::{path::Path, sync::Arc};

use crate::{
    delivery::template::Template,
    fleet::{mask::MASK, veil::Veil},
    text::clean_within,
};

/// Lines shown around a change.
const AROUND: usize = 2;
/// Longer lines are cut.
const LIMIT: usize = 4096;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// It is in both.
    Same,
    /// It is in the old text only.
    Gone,
    /// It is in the new text only.
    Come,
    /// Lines that are in both are left out here.
    Gap,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// What became of it.
    pub kind: LineKind,
    /// Its number in the text that has it, from 1; of a gap that of the next line.
    pub number: usize,
    /// Clean, without what looks like a secret.
    pub text: String,
}

/// What differs between two texts of a template.
pub fn diff(file: &Path, old: &str, new: &str) -> Vec<DiffLine> {
    let secrets: Vec<Arc<str>> =
        [old, new].iter().filter_map(|text| Template::parse(file, text).ok()).flat_map(|template| template.plain_secrets()).collect();
    let veil = Veil::over(secrets.iter().map(AsRef::as_ref));
    let shown = |line: &str| {
        let line = line.trim_end_matches(['\n', '\r']);
        // A veil leaves short ones: there they are found by their quotes.
        let short = secrets.iter().filter(|secret| !secret.is_empty()).fold(line.to_owned(), |line, secret| {
            line.replace(&format!("\"{secret}\""), &format!("\"{MASK}\"")).replace(&format!("'{secret}'"), &format!("'{MASK}'"))
        });
        clean_within(&veil.text(&short), LIMIT).into_owned()
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let steps = steps(&old, &new);
    let near =
        |at: usize| steps[at.saturating_sub(AROUND)..(at + AROUND + 1).min(steps.len())].iter().any(|(kind, _)| *kind != LineKind::Same);
    let mut lines: Vec<DiffLine> = Vec::new();
    for (at, (kind, index)) in steps.iter().enumerate() {
        let number = index + 1;
        if near(at) {
            let text = if *kind == LineKind::Gone { old[*index] } else { new[*index] };
            lines.push(DiffLine { kind: *kind, number, text: shown(text) });
        } else if !lines.is_empty() && lines.last().is_none_or(|last| last.kind != LineKind::Gap) {
            lines.push(DiffLine { kind: LineKind::Gap, number, text: String::new() });
        }
    }
    if lines.last().is_some_and(|last| last.kind == LineKind::Gap) {
        lines.pop();
    }
    lines
}

/// Which lines went and came, with their places in the text that has them. Where they differ, the nearest place at which both go on alike is
/// looked for: right for any two texts, and shortest for texts that differ in a few places.
fn steps(old: &[&str], new: &[&str]) -> Vec<(LineKind, usize)> {
    let (mut i, mut j) = (0, 0);
    let mut steps = Vec::with_capacity(new.len() + 1);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            steps.push((LineKind::Same, j));
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let (left, right) = (old.len() - i, new.len() - j);
        let together = (1..left + right).find_map(|sum| {
            let gone = sum.saturating_sub(right.saturating_sub(1))..=sum.min(left.saturating_sub(1));
            gone.map(|gone| (gone, sum - gone)).find(|(gone, come)| old[i + gone] == new[j + come])
        });
        let Some((gone, come)) = together else { break };
        steps.extend((i..i + gone).map(|at| (LineKind::Gone, at)));
        steps.extend((j..j + come).map(|at| (LineKind::Come, at)));
        (i, j) = (i + gone, j + come);
    }
    steps.extend((i..old.len()).map(|at| (LineKind::Gone, at)));
    steps.extend((j..new.len()).map(|at| (LineKind::Come, at)));
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(old: &str, new: &str) -> String {
        let sign = |line: &DiffLine| match line.kind {
            LineKind::Same => format!(" {}:{}", line.number, line.text),
            LineKind::Gone => format!("-{}:{}", line.number, line.text),
            LineKind::Come => format!("+{}:{}", line.number, line.text),
            LineKind::Gap => "~".to_owned(),
        };
        diff(Path::new("t"), old, new).iter().map(sign).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_few_changes_far_apart() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("4\n5\n", "4\nfive\n").replace("17\n18\n", "17\nmore\n18\n");
        assert_eq!(marked(&old, &new), " 3:3\n 4:4\n-5:5\n+5:five\n 6:6\n 7:7\n~\n 16:16\n 17:17\n+18:more\n 19:18\n 20:19");
        assert_eq!(marked(&old, &old), "");
        assert_eq!(marked("a\n", ""), "-1:a");
    }

    #[test]
    fn no_secret_is_in_it() {
        let text = |value: &str| {
            format!(
                "[app]\nname = \"a\"\nregistry = \"r\"\nversion = \"1\"\n[services.web]\nimage = \"x:1\"\nports = [\"80\"]\nvars = {{ API_TOKEN = \"{value}\", PIN_KEY = \"42\", A = \"b\" }}\n"
            )
        };
        let shown = marked(&text("hunter2secret"), &text("n3w-one-here"));
        assert!(shown.contains("API_TOKEN") && !shown.contains("hunter2") && !shown.contains("n3w") && !shown.contains("42"), "{shown}");
        assert!(shown.contains("A = \"b\""), "{shown}");
    }

    proptest! {
        #[test]
        fn the_steps_lead_from_one_to_the_other(old in "[ab\n]{0,24}", new in "[ab\n]{0,24}") {
            let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
            let steps = steps(&old, &new);
            let came: Vec<&str> = steps.iter().filter(|(kind, _)| *kind != LineKind::Gone).map(|(_, at)| new[*at]).collect();
            prop_assert_eq!(came, new);
            prop_assert_eq!(steps.iter().filter(|(kind, _)| *kind != LineKind::Come).count(), old.len());
            let gone: Vec<usize> = steps.iter().filter(|(kind, _)| *kind == LineKind::Gone).map(|(_, at)| *at).collect();
            prop_assert!(gone.is_sorted());
        }
    }
}
