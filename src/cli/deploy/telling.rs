//! Records that also tell whoever looks at the terminal: a line for each step.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::Arc,
};

use crate::{
    delivery::{
        release::DeploymentId,
        steps::{Step, StepId},
        strategies::Script,
    },
    ledger::RunRecords,
    run::{
        Order, Records, RecordsError,
        journal::{Entry, Word},
    },
};

/// The records, and a terminal.
pub(super) struct Telling<'a> {
    records: &'a RunRecords,
    steps: BTreeMap<StepId, &'a Step>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(records: &'a RunRecords, script: &'a Script) -> Self {
        let steps = script.steps.iter().chain(&script.failed).chain(&script.cool).map(|step| (step.id, step)).collect();
        Self { records, steps }
    }

    fn line(&self, word: &Word) -> Option<String> {
        let step = |id: &StepId| {
            let step = self.steps.get(id)?;
            Some(format!("{} {}", step.host.as_ref().map_or("–", |host| host.as_str()), step.act))
        };
        match word {
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
            Word::Begun { .. }
            | Word::Resumed { .. }
            | Word::Intent { .. }
            | Word::UndoIntent { .. }
            | Word::Counted { .. }
            | Word::Good
            | Word::Ended { .. } => None,
        }
    }
}

impl Records for Telling<'_> {
    async fn append(&self, deployment: &DeploymentId, entries: &[Entry]) -> Result<(), RecordsError> {
        self.records.append(deployment, entries).await?;
        let lines: String = entries.iter().filter_map(|entry| self.line(&entry.word)).map(|line| line + "\n").collect();
        // Without standard error nobody looks; the records have it.
        let _ = io::stderr().write_all(lines.as_bytes());
        Ok(())
    }

    async fn load(&self, deployment: &DeploymentId) -> Result<Vec<Entry>, RecordsError> {
        self.records.load(deployment).await
    }

    async fn order(&self, deployment: &DeploymentId) -> Result<Order, RecordsError> {
        self.records.order(deployment).await
    }

    async fn answer(&self, deployment: &DeploymentId, question: &str) -> Result<Option<Result<(), Arc<str>>>, RecordsError> {
        self.records.answer(deployment, question).await
    }

    async fn bundle(&self, deployment: &DeploymentId, files: Vec<(String, Vec<u8>)>) -> Result<Arc<str>, RecordsError> {
        self.records.bundle(deployment, files).await
    }
}
