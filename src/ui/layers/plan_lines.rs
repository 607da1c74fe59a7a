//! A plan as lines of text: what follows first, then every target with what happens to it, then how it is taken back.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    act::{Act, Fate, Plan, Step, Weight},
    text::width,
    ui::{
        theme::{Role, Symbol, Theme},
        widgets::Pen,
    },
};

/// One line: pieces of text, each in its role.
#[derive(Clone, Debug, Default)]
pub(super) struct PlanLine {
    indent: u16,
    pieces: Vec<(String, Role)>,
}

impl PlanLine {
    /// An empty one that begins so many cells from the left.
    pub fn new(indent: u16) -> Self {
        Self { indent, pieces: Vec::new() }
    }

    /// The same with more text.
    pub fn and(mut self, text: impl Into<String>, role: Role) -> Self {
        self.pieces.push((text.into(), role));
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Paints it into a row of `area`.
    pub fn paint(&self, buffer: &mut Buffer, area: Rect, row: u16, theme: &Theme) {
        let mut pen = Pen::new(buffer, area, row);
        pen.skip(self.indent);
        for (text, role) in &self.pieces {
            pen.text(text, theme.style(*role));
        }
    }
}

/// The plan in lines of at most `cells` cells. Nothing is cut: what is long takes more lines.
pub(super) fn lines(plan: &Plan, cells: usize, theme: &Theme) -> Vec<PlanLine> {
    let mut out = Vec::new();
    for consequence in &plan.consequences {
        let (symbol, role) = match consequence.weight {
            Weight::Bad => (theme.symbol(Symbol::Bad), Role::StateBad),
            Weight::Attention => (theme.symbol(Symbol::Odd), Role::StateAttention),
            Weight::Note => (" ", Role::Text),
        };
        for (nth, text) in wrap(&consequence.text, cells.saturating_sub(2)).into_iter().enumerate() {
            let sign = if nth == 0 { symbol } else { " " };
            out.push(PlanLine::new(0).and(format!("{sign} "), role).and(text, role));
        }
    }
    if !plan.consequences.is_empty() {
        out.push(PlanLine::default());
    }
    let common = common_notes(plan);
    let host_cells = plan.steps.iter().map(|step| width(step.target.host.as_str())).max().unwrap_or(0);
    let name_cells = plan.steps.iter().map(|step| width(&step.target.name)).max().unwrap_or(0);
    for step in &plan.steps {
        let (fate, role) = fate_words(step, &plan.act, theme);
        let dim = if step.fate == Fate::Act { Role::Text } else { Role::TextDim };
        let head = format!("{}  {}  ", pad(step.target.host.as_str(), host_cells), pad(&step.target.name, name_cells));
        let rest = cells.saturating_sub(width(&head)).max(16);
        let arrow = if theme.is_ascii() { "->" } else { "→" };
        let mut words = wrap(&format!("{} {arrow} {fate}", step.now), rest).into_iter();
        out.push(PlanLine::new(0).and(head.clone(), dim).and(words.next().unwrap_or_default(), role));
        let indent = u16::try_from(width(&head)).unwrap_or(0);
        out.extend(words.map(|text| PlanLine::new(indent).and(text, role)));
        for note in step.notes.iter().filter(|note| !common.contains(note)) {
            out.extend(wrap(note, rest).into_iter().map(|text| PlanLine::new(indent).and(text, Role::TextDim)));
        }
    }
    for note in common {
        out.extend(wrap(&format!("each: {note}"), cells).into_iter().map(|text| PlanLine::new(0).and(text, Role::TextDim)));
    }
    out.push(PlanLine::default());
    out.extend(wrap(&format!("undo: {}", plan.undo), cells).into_iter().map(|text| PlanLine::new(0).and(text, Role::TextDim)));
    out
}

/// What is said of every target alike is said once.
fn common_notes(plan: &Plan) -> Vec<&Arc<str>> {
    let mut acted = plan.steps.iter().filter(|step| step.fate == Fate::Act);
    match (acted.next(), acted.next()) {
        (Some(first), Some(_)) => {
            let everywhere =
                |note: &&Arc<str>| plan.steps.iter().filter(|step| step.fate == Fate::Act).all(|step| step.notes.contains(note));
            first.notes.iter().filter(everywhere).collect()
        }
        (Some(_) | None, _) => Vec::new(),
    }
}

fn fate_words(step: &Step, act: &Act, theme: &Theme) -> (String, Role) {
    match &step.fate {
        Fate::Act => (act.to_string(), Role::Text),
        Fate::Already => ("nothing: so already".to_owned(), Role::TextDim),
        Fate::Unreachable { why } => (format!("{} not sent: {why}", theme.symbol(Symbol::Stale)), Role::StateAttention),
        Fate::Impossible { why } => (format!("not done: {why}"), Role::StateAttention),
    }
}

fn pad(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))))
}

/// Breaks clean text at spaces; a word longer than a line stands on one of its own and is cut there.
pub(super) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= cells {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
