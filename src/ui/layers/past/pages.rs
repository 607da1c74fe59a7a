//! A deployment in full, and a text of its evidence, as lines.

use std::sync::Arc;

use crate::{
    board::past::{Account, Evidence, Text},
    run::journal::State,
    text::{bytes, width},
    ui::theme::Role,
};

/// Cells of the labels.
const LABEL: usize = 12;

/// A line of a page.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it says, clean.
    pub text: String,
    /// How it looks.
    pub role: Role,
    /// Lines that it continues on begin after so many cells.
    pub indent: usize,
    /// What enter opens.
    pub link: Option<Link>,
    /// Whether a chapter begins here.
    pub is_title: bool,
}

/// A text of the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The directory, as the journal names it.
    pub place: Arc<str>,
    /// The file in it.
    pub name: String,
}

fn line(text: impl Into<String>, role: Role, indent: usize) -> Line {
    Line { text: text.into(), role, indent, link: None, is_title: false }
}

fn title(text: &str) -> [Line; 2] {
    [line("", Role::Text, 0), Line { is_title: true, ..line(text, Role::TextStrong, 0) }]
}

/// The facts first, then the evidence, then what is longer.
pub fn of_account(account: &Account) -> Vec<Line> {
    let is_bad = matches!(account.deployment.state, State::Failed | State::Unwound | State::Parked);
    let fact = |(label, value): &(&'static str, String)| {
        let role = if is_bad && matches!(*label, "deployment" | "reason") { Role::StateAttention } else { Role::Text };
        line(format!("{label:<LABEL$}{value}"), role, LABEL)
    };
    let mut lines: Vec<Line> = account.facts.iter().map(fact).collect();
    for bundle in &account.bundles {
        lines.extend(title("EVIDENCE"));
        lines.push(line(format!("in {}", bundle.place), Role::TextDim, 3));
        match &bundle.texts {
            Err(why) => lines.push(line(why.clone(), Role::StateAttention, 0)),
            Ok(texts) => {
                let widest = texts.iter().map(|text| width(&text.name)).max().unwrap_or(0);
                lines.extend(texts.iter().map(|text| {
                    let air = " ".repeat(widest - width(&text.name));
                    let link = Link { place: Arc::clone(&bundle.place), name: text.name.clone() };
                    let words = format!("  {}{air}  {:>7}  {}", text.name, bytes(text.bytes), kind(&text.name, texts));
                    Line { link: Some(link), ..line(words, Role::Text, 4) }
                }));
            }
        }
    }
    for (name, said) in account.chapters.iter().filter(|(_, said)| !said.is_empty()) {
        lines.extend(title(name));
        lines.extend(said.iter().map(|said| {
            let role = if said.contains("FAILED: ") { Role::StateAttention } else { Role::Text };
            line(said.clone(), role, 6)
        }));
    }
    lines
}

/// What a text of the evidence is, by its name and those beside it: a container has its state and what its engine tells of it.
fn kind(name: &str, beside: &[Evidence]) -> &'static str {
    // Numbers keep the texts in order, and apart.
    let bare = |name: &str| name.split_once('-').map_or_else(String::new, |(_, bare)| bare.to_owned());
    let of_container = |stem: &str| beside.iter().any(|text| bare(&text.name) == format!("{}.inspect.json", bare(stem)));
    match name {
        name if name.ends_with("-failure.txt") => "why it was given up",
        name if name.ends_with(".log") => "the last lines of its log",
        name if name.ends_with(".health.json") => "its health log",
        name if name.ends_with(".inspect.json") => "all that its engine tells of it",
        name => match name.strip_suffix(".txt") {
            Some(stem) if of_container(stem) => "its state",
            Some(_) | None => "the balancer's figures",
        },
    }
}

/// The lines of a text, or why there are none.
pub fn of_text(text: &Text) -> Vec<Line> {
    match &text.lines {
        Ok(lines) if lines.is_empty() => vec![line("it is empty", Role::TextDim, 0)],
        Ok(lines) => lines.iter().map(|said| line(said.clone(), Role::Text, 0)).collect(),
        Err(why) => vec![line(why.clone(), Role::StateAttention, 0)],
    }
}
