//! The pen of a run: rows into the records before anything goes on, and into the locks of the hosts that they are about before anything
//! there changes.
//!
//! A row that nothing waits for, such as the outcome of a step or the intent only to look, gets into a lock with the next one that counts:
//! whoever reads the locks alone looks once more or does again what is done already, and each such file costs an engine a process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::join_all;

use super::{
    failure::{Failure, FailureKind},
    journal::{Entry, Progress, State, Word},
    lock::Held,
    port::{Port, PortError},
    records::Records,
};
use crate::{
    delivery::{release::DeploymentId, steps::StepId, strategies::Script},
    fleet::HostId,
};

/// Writes a run's journal and keeps what it tells.
pub(super) struct Log<'a, P, R> {
    port: &'a P,
    records: &'a R,
    deployment: &'a DeploymentId,
    /// Where each step is at home.
    homes: BTreeMap<StepId, Option<HostId>>,
    /// Steps that only look.
    looks: BTreeSet<StepId>,
    /// What stands in each host's lock, or will with the next row that counts.
    rows: BTreeMap<HostId, Vec<Entry>>,
    /// What is to be done, as long as it is not in the locks.
    plan: Vec<Entry>,
    /// What goes with the next rows: nothing is done before those either.
    pending: Vec<Word>,
    pub(super) progress: Progress,
}

impl<'a, P: Port, R: Records> Log<'a, P, R> {
    /// Carries on from these rows.
    pub(super) fn new(port: &'a P, records: &'a R, deployment: &'a DeploymentId, script: &Script, entries: &[Entry], held: &Held) -> Self {
        let all = || script.steps.iter().chain(&script.failed).chain(&script.cool);
        let homes = all().map(|step| (step.id, step.host.clone())).collect();
        let looks = all().filter(|step| step.act.only_looks()).map(|step| step.id).collect();
        let rows = held.tokens.keys().map(|host| (host.clone(), Vec::new())).collect();
        let plan = entries.iter().filter(|entry| matches!(entry.word, Word::Begun { .. })).cloned().collect();
        let mut log = Self { port, records, deployment, homes, looks, rows, plan, pending: Vec::new(), progress: Progress::of(entries) };
        for entry in entries {
            log.file(entry);
        }
        log
    }

    /// Takes a row that is written with the next ones.
    pub(super) fn later(&mut self, word: Word) {
        self.pending.push(word);
    }

    /// Writes rows. They are in the records on return; those that count, and all before them, are in the locks of those hosts that answer.
    pub(super) async fn write(&mut self, held: &Held, words: Vec<Word>) -> Result<(), Failure> {
        if words.is_empty() {
            return Ok(());
        }
        let at = self.port.now();
        let mut touched = Vec::new();
        let mut entries = Vec::new();
        for word in std::mem::take(&mut self.pending).into_iter().chain(words) {
            let entry = Entry { seq: self.progress.next, at, word };
            self.progress.next += 1;
            self.progress.note(&entry.word);
            let hosts = self.file(&entry);
            if self.counts(&entry.word) {
                touched.extend(hosts);
            }
            entries.push(entry);
        }
        let kept = self.records.append(self.deployment, &entries).await;
        kept.map_err(|error| Failure::new(FailureKind::Refused, error.to_string()))?;
        if touched.is_empty() {
            return Ok(());
        }
        let plan = std::mem::take(&mut self.plan);
        if !plan.is_empty() {
            // Before anything changes anywhere, every lock says what is going to.
            touched = self.rows.keys().cloned().collect();
        }
        touched.sort();
        touched.dedup();
        let (port, rows, plan) = (self.port, &self.rows, &plan);
        let puts = touched.iter().map(|host| async move {
            let rows = rows.get(host).map(Vec::as_slice).unwrap_or_default();
            (host, held.put_journal(port, host, plan, rows).await)
        });
        for (host, put) in join_all(puts).await {
            match put {
                Ok(()) => {}
                Err(PortError::Gone(_)) => {
                    return Err(Failure::new(FailureKind::Fenced, format!("the lock on host {host:?} was taken away")));
                }
                // The records have it; the lock gets it with the next row.
                Err(error) => tracing::warn!(host = host.as_str(), %error, "the journal is not in the lock"),
            }
        }
        Ok(())
    }

    /// Whether somebody who reads the locks alone must know it before anything goes on.
    fn counts(&self, word: &Word) -> bool {
        match word {
            Word::Intent { step } => !self.looks.contains(step),
            Word::Ended { state, .. } => *state == State::Parked,
            Word::Resumed { .. } | Word::UndoIntent { .. } | Word::GivenUp { .. } | Word::Turned { .. } | Word::Bundle { .. } => true,
            Word::Begun { .. }
            | Word::Outcome { .. }
            | Word::UndoOutcome { .. }
            | Word::Counted { .. }
            | Word::Measured { .. }
            | Word::Good => false,
        }
    }

    /// Files a row under the hosts that it is about; the beginning lies in a file of its own.
    fn file(&mut self, entry: &Entry) -> Vec<HostId> {
        let home = match &entry.word {
            Word::Begun { .. } => return Vec::new(),
            Word::Intent { step } | Word::Outcome { step, .. } | Word::UndoIntent { step } | Word::UndoOutcome { step, .. } => {
                self.homes.get(step).cloned().flatten()
            }
            Word::Resumed { .. }
            | Word::GivenUp { .. }
            | Word::Turned { .. }
            | Word::Bundle { .. }
            | Word::Counted { .. }
            | Word::Measured { .. }
            | Word::Good
            | Word::Ended { .. } => None,
        };
        let hosts: Vec<_> = match home {
            Some(host) => vec![host],
            None => self.rows.keys().cloned().collect(),
        };
        for host in &hosts {
            if let Some(rows) = self.rows.get_mut(host) {
                rows.push(entry.clone());
            }
        }
        hosts
    }
}

/// An outcome's row.
pub(super) fn outcome(step: StepId, result: &Result<(), Failure>) -> Word {
    Word::Outcome { step, error: result.as_ref().err().map(|failure| Arc::from(failure.text.as_str())) }
}
