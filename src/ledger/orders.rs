//! The table of orders: what people tell a run while it is under way. It looks here once a second.

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::AnyConnection;

use super::{
    Ledger, LedgerError, deployments, journal,
    rows::{moment, number, text},
    store::Trouble,
};
use crate::{
    delivery::release::DeploymentId,
    run::{Order, journal::State},
    text::clean_line,
};

const LIST: &str = "SELECT word, who, why, at, journal_seq FROM orders WHERE deployment = $1 ORDER BY seq";
const INSERT: &str = "INSERT INTO orders (deployment, seq, word, who, why, at, journal_seq) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// What somebody told a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub order: Order,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The journal's last row at that moment.
    seq: i64,
}

impl Told {
    /// The order's word: `park`, `unwind` or `resume`.
    pub fn word(&self) -> &'static str {
        word(&self.order)
    }
}

/// The table of orders, through a [`Ledger`].
#[derive(Clone, Debug)]
pub struct Orders {
    ledger: Ledger,
}

impl Orders {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Tells the run of a deployment something. A dead run hears nothing: whoever carries it on begins with a clean slate.
    ///
    /// # Errors
    /// Every [`LedgerError`]; `Unfit` when nothing is under way.
    pub async fn give(&self, deployment: &DeploymentId, order: Order, who: &str, why: &str) -> Result<(), LedgerError> {
        let (id, who, why, now) = (deployment.clone(), clean_line(who), clean_line(why), Utc::now());
        self.ledger.write(move |connection| async move { give(connection, &id, &order, who, why, now).await }.boxed()).await
    }

    /// Everything that was told to the runs of a deployment, in order.
    ///
    /// # Errors
    /// Every [`LedgerError`].
    pub async fn of(&self, deployment: &DeploymentId) -> Result<Vec<Told>, LedgerError> {
        let id = deployment.clone();
        self.ledger.read(move |connection| async move { list(connection, &id).await }.boxed()).await
    }
}

fn word(order: &Order) -> &'static str {
    match order {
        Order::GoOn => "resume",
        Order::Park => "park",
        Order::Unwind => "unwind",
    }
}

async fn give(
    connection: &mut AnyConnection,
    id: &DeploymentId,
    order: &Order,
    who: String,
    why: String,
    now: DateTime<Utc>,
) -> Result<(), Trouble> {
    let reason = match deployments::one(connection, id).await?.state {
        State::Running | State::Parked => None,
        State::Waiting => Some("it waits for its approval: reject it, or let it begin"),
        State::Good => Some("it is good: `rollback` goes back from it"),
        State::Failed | State::Unwound => Some("it has ended: there is nothing left to stop"),
    };
    if let Some(reason) = reason {
        return Err(LedgerError::Unfit { deployment: id.clone(), reason: reason.to_owned() }.into());
    }
    let seq = i64::try_from(list(connection, id).await?.len()).unwrap_or(i64::MAX);
    let journal_seq = journal::last(connection, id).await?;
    let insert = sqlx::query(INSERT)
        .bind(id.to_string())
        .bind(seq)
        .bind(word(order))
        .bind(who)
        .bind(why)
        .bind(now.timestamp_millis())
        .bind(journal_seq);
    insert.execute(connection).await?;
    Ok(())
}

async fn list(connection: &mut AnyConnection, id: &DeploymentId) -> Result<Vec<Told>, Trouble> {
    let rows = sqlx::query(LIST).bind(id.to_string()).fetch_all(connection).await?;
    let told = rows.iter().map(|row| {
        let order = match text(row, 0)?.as_str() {
            "resume" => Order::GoOn,
            "park" => Order::Park,
            "unwind" => Order::Unwind,
            other => return Err(Trouble::damaged(format!("{other:?} is no order"))),
        };
        Ok(Told { order, who: text(row, 1)?, why: text(row, 2)?, at: moment(number(row, 3)?)?, seq: number(row, 4)? })
    });
    told.collect()
}

/// What holds: the last order, unless somebody has carried the deployment on since.
pub(super) async fn in_force(connection: &mut AnyConnection, id: &DeploymentId) -> Result<Order, Trouble> {
    let Some(last) = list(connection, id).await?.pop() else { return Ok(Order::GoOn) };
    match journal::is_resumed_since(connection, id, last.seq).await? {
        true => Ok(Order::GoOn),
        false => Ok(last.order),
    }
}
