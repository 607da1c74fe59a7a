//! The last lines of a container as facts of a detail pane.

use super::facts::Fact;
use crate::{
    alerts::{Finding, Tail},
    logs::LogStream,
    text::fit,
    ui::{
        theme::{Role, Symbol},
        view::View,
    },
};

/// So much of one line is shown: the pane tells what happened, the log itself is a key away.
const CELLS: usize = 320;

/// What was found of its last lines; `None`: it was asked for a moment ago.
pub(super) fn facts(found: Option<&Finding>, view: &View<'_>) -> Vec<Fact> {
    let one = |text: &str| vec![Fact::new("log", text).in_role(Role::TextDim)];
    match found {
        None => one("asking for its last lines …"),
        Some(Finding::Failed(why)) => one(&format!("its last lines cannot be had: {why}")),
        Some(Finding::Tail(tail)) if tail.lines.is_empty() && tail.out_of_reach => one("too much was written since: its log has it"),
        Some(Finding::Tail(tail)) if tail.lines.is_empty() => one("it wrote nothing"),
        Some(Finding::Tail(tail)) => lines(tail, view),
        Some(Finding::Health(_)) => Vec::new(),
    }
}

fn lines(tail: &Tail, view: &View<'_>) -> Vec<Fact> {
    let bar = if view.theme.is_ascii() { "|" } else { "│" };
    let line = |(place, line): (usize, &crate::alerts::TailLine)| {
        // Colour is not alone: what came on the error output carries a sign.
        let sign = match line.stream {
            LogStream::Out => bar,
            LogStream::Err => view.theme.symbol(Symbol::Odd),
        };
        Fact::new(if place == 0 { "log" } else { "" }, format!("{} {sign} {}", line.at.clock(), fit(&line.text, CELLS)))
    };
    tail.lines.iter().enumerate().map(line).collect()
}
