//! A journal's rows as the lines that whoever looks on reads: one for each step that has ended.

use std::collections::BTreeMap;

use crate::{
    delivery::{
        steps::{Step, StepId},
        strategies::Script,
    },
    run::journal::{Entry, Word},
};

/// Knows the steps that rows only number.
#[derive(Default)]
pub(super) struct Lines {
    steps: BTreeMap<StepId, Step>,
}

impl Lines {
    pub(super) fn of(script: &Script) -> Self {
        let steps = script.steps.iter().chain(&script.failed).chain(&script.cool).map(|step| (step.id, step.clone())).collect();
        Self { steps }
    }

    /// The line of a row; most rows have none.
    pub(super) fn line(&mut self, entry: &Entry) -> Option<String> {
        let step = |id: &StepId| {
            let step = self.steps.get(id)?;
            Some(format!("{} {}", step.host.as_ref().map_or("–", |host| host.as_str()), step.act))
        };
        match &entry.word {
            Word::Begun { script, .. } => {
                *self = Self::of(script);
                None
            }
            Word::Outcome { step: id, error: None } => Some(format!("  {}", step(id)?)),
            Word::Outcome { step: id, error: Some(error) } => Some(format!("● {}: {error}", step(id)?)),
            Word::UndoOutcome { step: id, error: None } => {
                // Most of what only looked needs no word.
                self.steps.get(id).filter(|step| !step.act.inverse().is_empty())?;
                Some(format!("  taken back: {}", step(id)?))
            }
            Word::UndoOutcome { step: id, error: Some(error) } => Some(format!("● not taken back: {}: {error}", step(id)?)),
            Word::Turned { because, .. } | Word::GivenUp { because, .. } => Some(format!("◆ taking back: {because}")),
            Word::Bundle { place } => Some(format!("  evidence: {place}")),
            Word::Measured { proof } => Some(format!("  {proof}")),
            Word::Resumed { .. }
            | Word::Intent { .. }
            | Word::UndoIntent { .. }
            | Word::Counted { .. }
            | Word::Good
            | Word::Ended { .. } => None,
        }
    }

    /// Whether something is kept warm for a while once it is good.
    pub(super) fn has_warm(script: &Script) -> bool {
        !script.cool.is_empty()
    }
}
