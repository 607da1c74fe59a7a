//! The table of answers: who said yes or no to a deployment, before it begins or at a question in the middle of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use serde::Serialize;
use sqlx::AnyConnection;

use super::{
    Deployment, Ledger, LedgerError, deployments, journal,
    rows::{moment, number, text, to_json},
    store::Trouble,
};
use crate::{
    delivery::{release::DeploymentId, steps::Act},
    run::journal::{Progress, State, beginning},
    text::clean_line,
};

/// The question before a deployment begins. Those in the middle are the steps' own words.
pub const START: &str = "start";

const LIST: &str = "SELECT question, yes, who, why, at, void, journal_seq FROM approvals WHERE deployment = $1 ORDER BY seq";
const INSERT: &str = "INSERT INTO approvals (deployment, seq, question, yes, who, why, at, void, journal_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";
const APPROVED_BY: &str = "UPDATE deployments SET approved_by = $1 WHERE id = $2";

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It may go on.
    Yes,
    /// It may not.
    No,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// To what: [`START`], or a step's question.
    pub question: String,
    /// What.
    pub answer: Answer,
    /// By whom.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The plan has changed since: it does not count any more.
    pub void: bool,
    /// The journal's last row at that moment.
    seq: i64,
}

/// The table of answers, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Approvals {
    ledger: Ledger,
}

impl Approvals {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Answers the question that a deployment waits at, and tells how it stands then. A no before it begins ends it.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Unfit` when it waits at none, when the yes is from who asked for it, and when the same person said yes
    /// before.
    pub async fn answer(&self, deployment: &DeploymentId, answer: Answer, who: &str, reason: &str) -> Result<Deployment, LedgerError> {
        let (id, who, reason, now) = (deployment.clone(), clean_line(who), clean_line(reason), Utc::now());
        self.ledger.write(move |connection| async move { give(connection, &id, answer, &who, &reason, now).await }.boxed()).await
    }

    /// The question that a deployment waits at.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn question(&self, deployment: &DeploymentId) -> Result<Option<Arc<str>>, LedgerError> {
        let id = deployment.clone();
        self.ledger
            .read(move |connection| {
                async move {
                    let deployment = deployments::one(connection, &id).await?;
                    question(connection, &deployment).await
                }
                .boxed()
            })
            .await
    }

    /// Every answer that a deployment was given, in order.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn of(&self, deployment: &DeploymentId) -> Result<Vec<Approval>, LedgerError> {
        let id = deployment.clone();
        self.ledger.read(move |connection| async move { list(connection, &id).await }.boxed()).await
    }
}

async fn give(
    connection: &mut AnyConnection,
    id: &DeploymentId,
    answer: Answer,
    who: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Deployment, Trouble> {
    let unfit = |reason: String| Trouble::from(LedgerError::Unfit { deployment: id.clone(), reason });
    let deployment = deployments::one(connection, id).await?;
    let asked = question(connection, &deployment).await?;
    let asked = asked.ok_or_else(|| unfit("it waits for nobody's answer".to_owned()))?;
    let known = list(connection, id).await?;
    let is_start = &*asked == START;
    if answer == Answer::Yes && is_start {
        if deployment.by == who {
            return Err(unfit(format!("{who} asked for it: somebody else has to say yes")));
        }
        if deployment.approved_by.iter().any(|other| other == who) {
            return Err(unfit(format!("{who} has said yes already")));
        }
    }
    let journal_seq = journal::last(connection, id).await?;
    let insert = sqlx::query(INSERT)
        .bind(id.to_string())
        .bind(i64::try_from(known.len()).unwrap_or(i64::MAX))
        .bind(asked.to_string())
        .bind(i64::from(answer == Answer::Yes))
        .bind(who.to_owned())
        .bind(reason.to_owned())
        .bind(now.timestamp_millis())
        .bind(journal_seq);
    insert.execute(&mut *connection).await?;
    match answer {
        Answer::Yes if is_start => {
            let mut names = deployment.approved_by;
            names.push(who.to_owned());
            sqlx::query(APPROVED_BY).bind(to_json(&names)?).bind(id.to_string()).execute(&mut *connection).await?;
        }
        // Nothing of it was done: there is nothing to take back.
        Answer::No if is_start => deployments::turn_down(connection, id, now, format!("rejected by {who}: {reason}")).await?,
        // The run that waits hears it.
        Answer::Yes | Answer::No => {}
    }
    deployments::one(connection, id).await
}

/// What a deployment waits at: its beginning, or a step that is begun, asks, and has not ended.
async fn question(connection: &mut AnyConnection, deployment: &Deployment) -> Result<Option<Arc<str>>, Trouble> {
    match deployment.state {
        State::Waiting => return Ok(Some(START.into())),
        State::Running => {}
        State::Parked | State::Good | State::Failed | State::Unwound => return Ok(None),
    }
    let entries = journal::load(connection, &deployment.id).await?;
    let (Some((_, script)), progress) = (beginning(&entries), Progress::of(&entries)) else { return Ok(None) };
    for step in &script.steps {
        let Act::Approve { question } = &step.act else { continue };
        let is_open = progress.begun.contains(&step.id) && !progress.done.contains(&step.id);
        if is_open && last(connection, &deployment.id, question).await?.is_none() {
            return Ok(Some(Arc::clone(question)));
        }
    }
    Ok(None)
}

async fn list(connection: &mut AnyConnection, id: &DeploymentId) -> Result<Vec<Approval>, Trouble> {
    let rows = sqlx::query(LIST).bind(id.to_string()).fetch_all(connection).await?;
    let approvals = rows.iter().map(|row| {
        Ok(Approval {
            question: text(row, 0)?,
            answer: if number(row, 1)? != 0 { Answer::Yes } else { Answer::No },
            who: text(row, 2)?,
            reason: text(row, 3)?,
            at: moment(number(row, 4)?)?,
            void: number(row, 5)? != 0,
            seq: number(row, 6)?,
        })
    });
    approvals.collect()
}

/// The last answer to a question that still counts, as a run wants it. A no stopped the run that heard it: who carries it on asks again.
pub(super) async fn last(
    connection: &mut AnyConnection,
    id: &DeploymentId,
    question: &str,
) -> Result<Option<Result<(), Arc<str>>>, Trouble> {
    let found = list(connection, id).await?.into_iter().rfind(|approval| !approval.void && approval.question == question);
    let Some(approval) = found else { return Ok(None) };
    match approval.answer {
        Answer::Yes => Ok(Some(Ok(()))),
        Answer::No if journal::is_resumed_since(connection, id, approval.seq).await? => Ok(None),
        Answer::No => Ok(Some(Err(format!("{}: {}", approval.who, approval.reason).into()))),
    }
}
