//! `deployment show`: one deployment with its plan, its answers, what it was told, and its journal. Plan and steps are shown as the
//! sentences that were confirmed: no value of a variable stands in them.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use serde::Serialize;

use super::{Row, approvals, local, moment, or_nothing};
use crate::{
    cli::{
        args::{Format, Global, Output},
        deed::failure,
        deploy::{Sought, seek},
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
        json, out,
    },
    delivery::{
        plan::Plan,
        steps::{Step, StepId},
    },
    ledger::{Answer, Approval, Deployment, Ledger, LedgerError, RunRecords, StateDir, Told},
    run::{
        Records as _,
        journal::{Entry, State, Way, Word, beginning, measured},
    },
    traffic::proof::Proof,
};

/// Prints one deployment.
pub fn show(global: &Global, id: &str, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    let ledger = sources.ledger()?;
    wait(async {
        let found = match ledger.deployments().find(id).await {
            // Another's ledger has it; while its run is under way, or dead, the hosts have it too.
            Err(error @ (LedgerError::NoDeployment(_) | LedgerError::Absent { .. })) => match seek(&sources, id).await? {
                Some(sought) => Err(sought),
                None => return Err(failure(error)),
            },
            other => Ok(other.map_err(failure)?),
        };
        let sought;
        let page = match &found {
            Ok(deployment) => Page::load(&ledger, &ledger.records(StateDir::at(&sources.config.state)), deployment).await?,
            Err(Sought { entries, holder, alive, .. }) => {
                let life = if alive.is_some() { "its run is alive" } else { "its run gives no sign of life" };
                out::complain(&format!("read from the hosts, not from the ledger: its lock is held by {holder}, and {life}"));
                sought = super::of_journal(entries);
                let (deployment, plan) = sought.as_ref().ok_or_else(|| Failure::failed("its lock tells of no plan"))?;
                Page::of(deployment, Some(plan), entries)
            }
        };
        out::print(&match output.format {
            Format::Json => json::pretty(&page.json())?,
            Format::Table => page.text(),
        })?;
        Ok(Exit::DONE)
    })
}

/// Everything of one deployment.
pub(in crate::cli) struct Page<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) plan: Vec<String>,
    /// What it waits at.
    pub(super) question: Option<String>,
    pub(super) approvals: Vec<Approval>,
    pub(super) orders: Vec<Told>,
    pub(super) journal: Vec<Line>,
    /// What its clients got.
    pub(super) proof: Option<Proof>,
}

/// A row of the journal as a sentence.
#[derive(Serialize)]
pub(in crate::cli) struct Line {
    seq: u64,
    at: String,
    host: Option<String>,
    text: String,
    #[serde(skip)]
    clock: String,
}

/// A page as JSON.
#[derive(Serialize)]
pub(in crate::cli) struct PageRow<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    /// What the balancers counted and our own requests took, before the first switch and from then on.
    proof: Option<&'a Proof>,
    question: Option<&'a str>,
    approvals: Vec<ApprovalRow<'a>>,
    orders: Vec<OrderRow<'a>>,
    plan: &'a [String],
    journal: &'a [Line],
}

#[derive(Serialize)]
struct ApprovalRow<'a> {
    question: &'a str,
    answer: Answer,
    who: &'a str,
    reason: &'a str,
    at: String,
    void: bool,
}

#[derive(Serialize)]
struct OrderRow<'a> {
    order: &'static str,
    who: &'a str,
    reason: &'a str,
    at: String,
}

impl<'a> Page<'a> {
    /// As the ledger has it.
    pub(in crate::cli) async fn load(ledger: &Ledger, records: &RunRecords, deployment: &'a Deployment) -> Result<Self, Failure> {
        let plan = ledger.deployments().plan(&deployment.id).await.map_err(failure)?;
        let entries = records.load(&deployment.id).await.map_err(Failure::failed)?;
        Ok(Self {
            question: ledger.approvals().question(&deployment.id).await.map_err(failure)?.map(|question| question.to_string()),
            approvals: ledger.approvals().of(&deployment.id).await.map_err(failure)?,
            orders: ledger.orders().of(&deployment.id).await.map_err(failure)?,
            ..Self::of(deployment, plan.as_ref(), &entries)
        })
    }

    /// As a journal alone has it.
    fn of(deployment: &'a Deployment, plan: Option<&Plan>, entries: &[Entry]) -> Self {
        Self {
            deployment,
            plan: plan.map(|plan| plan.to_string().lines().map(str::to_owned).collect()).unwrap_or_default(),
            question: None,
            approvals: Vec::new(),
            orders: Vec::new(),
            journal: journal(entries),
            proof: measured(entries).cloned(),
        }
    }

    pub(in crate::cli) fn json(&self) -> PageRow<'_> {
        PageRow {
            row: Row::of(self.deployment),
            proof: self.proof.as_ref(),
            question: self.question.as_deref(),
            approvals: self
                .approvals
                .iter()
                .map(|one| ApprovalRow {
                    question: &one.question,
                    answer: one.answer,
                    who: &one.who,
                    reason: &one.reason,
                    at: moment(one.at),
                    void: one.void,
                })
                .collect(),
            orders: self
                .orders
                .iter()
                .map(|one| OrderRow { order: one.word(), who: &one.who, reason: &one.why, at: moment(one.at) })
                .collect(),
            plan: &self.plan,
            journal: &self.journal,
        }
    }

    /// Its facts, label and value; only those that it has.
    pub(in crate::cli) fn facts(&self) -> Vec<(&'static str, String)> {
        let one = self.deployment;
        let mut facts = vec![
            ("deployment", format!("{}  {}", one.id, one.state.word())),
            ("release", format!("{} of {} in {}", one.release, one.app, one.environment)),
            ("from", or_nothing(one.from_release.as_ref())),
            ("asked", format!("{} by {}", local(one.asked), one.by)),
            ("approved", approvals(one)),
            ("started", or_nothing(one.started.map(local))),
            ("finished", or_nothing(one.finished.map(local))),
            ("hosts", one.hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")),
            ("owed", one.owed.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")),
        ];
        if let (Some(requests), Some(failed)) = (one.requests, one.failed) {
            let p99 = one.p99_ms.map(|ms| format!(", p99 {ms:.0} ms")).unwrap_or_default();
            facts.push(("requests", format!("{requests}, {failed} failed{p99}")));
        }
        let before = self.proof.as_ref().map(|proof| &proof.before);
        if let Some((before, (requests, failed))) = before.and_then(|before| Some((before, before.counted()?))) {
            let p99 = before.p99_ms().map(|ms| format!(", p99 {ms:.0} ms")).unwrap_or_default();
            facts.push(("before it", format!("{requests}, {failed} failed{p99}")));
        }
        facts.extend(one.override_reason.clone().map(|why| ("OVERRIDE", why)));
        facts.extend(one.reason.clone().map(|why| ("reason", why)));
        facts.extend(remedy(one).map(|what| ("then", what)));
        facts.extend(self.question.clone().map(|question| ("waits for", format!("an answer to: {question}"))));
        facts.retain(|(_, value)| !value.is_empty());
        facts
    }

    /// What is longer than a line, title and lines; a chapter without a line says nothing.
    pub(in crate::cli) fn chapters(&self) -> [(&'static str, Vec<String>); 4] {
        let answers = self.approvals.iter().map(|one| {
            let word = if one.answer == Answer::Yes { "yes" } else { "no" };
            let void = if one.void { "  (void: the plan has changed)" } else { "" };
            format!("{}  {word} to {} by {}: {}{void}", local(one.at), one.question, one.who, one.reason)
        });
        let orders = self.orders.iter().map(|one| format!("{}  {} by {}: {}", local(one.at), one.word(), one.who, one.why));
        let journal = self.journal.iter().map(|line| {
            let host = line.host.as_deref().map(|host| format!("{host}  ")).unwrap_or_default();
            format!("{:>4}  {}  {host}{}", line.seq, line.clock, line.text)
        });
        [("PLAN", self.plan.clone()), ("ANSWERS", answers.collect()), ("ORDERS", orders.collect()), ("JOURNAL", journal.collect())]
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.facts() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<12}{value}");
        }
        for (title, lines) in self.chapters().into_iter().filter(|(_, lines)| !lines.is_empty()) {
            let _ = writeln!(text, "\n{title}\n{}", lines.join("\n"));
        }
        text
    }
}

/// What a person does about one that is not as it should be.
pub(in crate::cli) fn remedy(one: &Deployment) -> Option<String> {
    let (id, app, environment) = (&one.id, &one.app, &one.environment);
    let (failed, away): (Vec<_>, Vec<_>) = one.owed.iter().partition(|host| one.hosts.contains(host));
    match one.state {
        State::Parked => Some(format!("quarterdeck deployment resume {id}, or: quarterdeck deployment unwind {id}")),
        State::Failed => Some(format!(
            "mend the cause; then quarterdeck deployment unwind {id}, or: quarterdeck deploy {app} {environment} --only-failed"
        )),
        State::Unwound => Some("mend the cause, which the evidence in the journal tells more of, and deploy again".to_owned()),
        State::Good if !failed.is_empty() => Some(format!("quarterdeck deploy {app} {environment} --only-failed")),
        State::Good if !away.is_empty() => Some(format!("quarterdeck deploy {app} {environment} --only-owed, once they answer")),
        State::Good | State::Waiting | State::Running => None,
    }
}

pub(in crate::cli) fn journal(entries: &[Entry]) -> Vec<Line> {
    let script = beginning(entries).map(|(_, script)| script);
    let steps: BTreeMap<StepId, &Step> =
        script.iter().flat_map(|script| script.steps.iter().chain(&script.failed)).map(|step| (step.id, step)).collect();
    let line = |entry: &Entry| {
        let (step, text) = said(&entry.word, &steps);
        let host = step.and_then(|step| steps.get(&step)?.host.as_ref()).map(ToString::to_string);
        Line { seq: entry.seq, at: moment(entry.at), clock: local(entry.at), host, text: crate::text::clean_line(&text) }
    };
    entries.iter().map(line).collect()
}

fn said(word: &Word, steps: &BTreeMap<StepId, &Step>) -> (Option<StepId>, String) {
    let act = |step: &StepId| steps.get(step).map_or_else(|| format!("step {step}"), |found| format!("{step} {}", found.act));
    let end = |step: &StepId, error: &Option<Arc<str>>| match error {
        None => format!("done: {}", act(step)),
        Some(error) => format!("FAILED: {}: {error}", act(step)),
    };
    match word {
        Word::Begun { by, script, .. } => (None, format!("begun by {by}, {} steps", script.steps.len())),
        Word::Resumed { by, way: Way::Forward } => (None, format!("carried on by {by}")),
        Word::Resumed { by, way: Way::Back } => (None, format!("taken back by {by}")),
        Word::Intent { step } => (Some(*step), act(step)),
        Word::Outcome { step, error } => (Some(*step), end(step, error)),
        Word::GivenUp { because, .. } => (None, format!("given up: {because}")),
        Word::Turned { because, .. } => (None, format!("taken back from here: {because}")),
        Word::UndoIntent { step } => (Some(*step), format!("take back {}", act(step))),
        Word::UndoOutcome { step, error } => (Some(*step), format!("take back, {}", end(step, error))),
        Word::Bundle { place } => (None, format!("evidence in {place}")),
        Word::Counted { counts } => {
            let groups: Vec<_> = counts.iter().map(|count| format!("{}/{}", count.lb, count.backend)).collect();
            (None, format!("requests are counted: {}", groups.join(", ")))
        }
        Word::Measured { proof } => (None, proof.to_string()),
        Word::Good => (None, "good".to_owned()),
        Word::Ended { state, reason, .. } => {
            let why = reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            (None, format!("ended {}{why}", state.word()))
        }
    }
}
