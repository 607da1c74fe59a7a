//! The audit's statements, the same for every engine.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{
    Check, Entry, EntryId, Head, Intent, NotedHead, Outcome, Target, Verdict, Who,
    chain::{Chain, FIELDS, Row},
};
use crate::ledger::{LedgerError, Place, store::Store};

/// The fields that are numbers in the table.
const NUMBERS: [&str; 6] = ["seq", "entry", "at", "login", "uid", "pid"];

const INSERT: &str = "INSERT INTO audit (seq, entry, kind, at, login, uid, name, sudo_user, ssh_connection, machine, pid,
    action, host, target, target_id, argument, plan, outcome, detail, prev, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
/// Every column as text, in the order of [`FIELDS`], then `prev` and `hash`. To be sorted by `audit.seq`: for PostgreSQL `seq` alone is the
/// text.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT CAST(seq AS TEXT), CAST(entry AS TEXT), kind, CAST(at AS TEXT), CAST(login AS TEXT), CAST(uid AS TEXT), name, sudo_user, ",
            "ssh_connection, machine, CAST(pid AS TEXT), action, host, target, target_id, argument, plan, outcome, detail, prev, hash FROM audit ",
            $rest
        )
    };
}
const PAGE: &str = select!("WHERE audit.seq > $1 ORDER BY audit.seq LIMIT 1000");
const SINCE: &str = select!("WHERE entry IN (SELECT seq FROM audit WHERE kind = 'intent' AND at >= $1) ORDER BY audit.seq");
const HEAD: &str = "SELECT seq, hash FROM audit_head WHERE id = 1";
const FIRST: &str = "SELECT hash FROM audit WHERE seq = 1";
const MOVE_HEAD: &str = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1";
const ROWS_OF: &str = "SELECT count(*) FROM audit WHERE entry = $1";

pub(super) async fn begin(store: &mut Store, intent: &Intent, now: DateTime<Utc>) -> Result<EntryId, LedgerError> {
    let place = store.place().clone();
    let connection = store.begin_write().await?;
    let done = append_intent(connection, &place, &intent.cleaned(), now).await;
    store.end(done).await
}

async fn append_intent(connection: &mut AnyConnection, place: &Place, intent: &Intent, now: DateTime<Utc>) -> Result<EntryId, LedgerError> {
    let head = head(connection, place).await?;
    let (seq, who) = (head.seq + 1, &intent.who);
    let row = sealed(seq, seq, "intent", now, head.hash, |field| match field {
        "login" => who.login.map(|uid| uid.to_string()),
        "uid" => Some(who.uid.to_string()),
        "name" => who.name.clone(),
        "sudo_user" => who.sudo_user.clone(),
        "ssh_connection" => who.ssh_connection.clone(),
        "machine" => who.machine.clone(),
        "pid" => Some(who.pid.to_string()),
        "action" => Some(intent.action.clone()),
        "host" => Some(intent.host.clone()),
        "target" => Some(intent.target.name.clone()),
        "target_id" => Some(intent.target.id.clone()),
        "argument" => Some(intent.argument.clone()),
        "plan" => Some(intent.plan.clone()),
        _ => None,
    });
    append(connection, place, seq, &row).await?;
    Ok(EntryId(seq))
}

pub(super) async fn finish(store: &mut Store, entry: EntryId, outcome: &Outcome, now: DateTime<Utc>) -> Result<(), LedgerError> {
    let place = store.place().clone();
    let connection = store.begin_write().await?;
    let done = append_outcome(connection, &place, entry, &outcome.cleaned(), now).await;
    store.end(done).await
}

async fn append_outcome(
    connection: &mut AnyConnection,
    place: &Place,
    entry: EntryId,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    let rows = sqlx::query(ROWS_OF).bind(entry.0).fetch_one(&mut *connection).await.and_then(|row| row.try_get::<i64, _>(0));
    if rows.map_err(|error| LedgerError::database(place, &error))? != 1 {
        return Err(LedgerError::NotOpen(entry));
    }
    let head = head(connection, place).await?;
    let seq = head.seq + 1;
    let row = sealed(seq, entry.0, "outcome", now, head.hash, |field| match field {
        "outcome" => Some(outcome.verdict.word().to_owned()),
        "detail" => Some(outcome.detail.clone()),
        _ => None,
    });
    append(connection, place, seq, &row).await
}

pub(super) async fn rows(store: &mut Store, since: Option<DateTime<Utc>>) -> Result<Vec<Entry>, LedgerError> {
    let place = store.place().clone();
    let since = since.map_or(i64::MIN, |at| at.timestamp_millis());
    let connection = store.begin_read().await?;
    let found = sqlx::query(SINCE).bind(since).fetch_all(connection).await.map_err(|error| LedgerError::database(&place, &error));
    let found = store.end(found).await?;
    let mut entries: Vec<Entry> = Vec::with_capacity(found.len() / 2);
    let mut places = HashMap::new();
    for row in found.iter().map(stored) {
        let unreadable = || {
            let reason = format!("row {} of the audit cannot be read", row.field("seq").unwrap_or("without a number"));
            LedgerError::Damaged { place: place.clone(), reason }
        };
        let id = EntryId(row.number("entry").ok_or_else(unreadable)?);
        if row.field("kind") == Some("intent") {
            places.insert(id, entries.len());
            entries.push(entry(&row).ok_or_else(unreadable)?);
        } else if let Some(entry) = places.get(&id).and_then(|place| entries.get_mut(*place)) {
            entry.verdict = Some(row.field("outcome").and_then(Verdict::parse).ok_or_else(unreadable)?);
            entry.detail = text(&row, "detail");
            entry.ended = moment(&row);
        }
    }
    Ok(entries)
}

pub(super) async fn verify(store: &mut Store, noted: Vec<Head>) -> Result<Check, LedgerError> {
    let place = store.place().clone();
    let connection = store.begin_read().await?;
    let checked = walk(connection, &place, Chain::new(noted)).await;
    store.end(checked).await
}

pub(super) async fn noted(store: &mut Store) -> Result<Option<NotedHead>, LedgerError> {
    let place = store.place().clone();
    let connection = store.begin_read().await?;
    let found = note(connection, &place).await;
    store.end(found).await
}

async fn note(connection: &mut AnyConnection, place: &Place) -> Result<Option<NotedHead>, LedgerError> {
    let first = sqlx::query(FIRST).fetch_optional(&mut *connection).await;
    let first = first.and_then(|row| row.map(|row| row.try_get::<String, _>(0)).transpose());
    let first = first.map_err(|error| LedgerError::database(place, &error))?;
    let head = find_head(connection, place).await?;
    Ok(first.zip(head).map(|(first, head)| NotedHead::new(&head, &first)))
}

async fn walk(connection: &mut AnyConnection, place: &Place, mut chain: Chain) -> Result<Check, LedgerError> {
    let mut last = i64::MIN;
    loop {
        let page = sqlx::query(PAGE).bind(last).fetch_all(&mut *connection).await;
        let page = page.map_err(|error| LedgerError::database(place, &error))?;
        let Some(end) = page.last() else { break };
        let numberless = || LedgerError::Damaged { place: place.clone(), reason: "a row of the audit has no number".to_owned() };
        last = stored(end).number("seq").ok_or_else(numberless)?;
        for row in &page {
            chain.take(&stored(row));
        }
    }
    Ok(chain.end(find_head(connection, place).await?))
}

async fn find_head(connection: &mut AnyConnection, place: &Place) -> Result<Option<Head>, LedgerError> {
    let row = sqlx::query(HEAD).fetch_optional(connection).await;
    let head = row.and_then(|row| row.map(|row| Ok(Head { seq: row.try_get(0)?, hash: row.try_get(1)? })).transpose());
    head.map_err(|error: sqlx::Error| LedgerError::database(place, &error))
}

/// The record of the last row, without which nothing can be appended.
async fn head(connection: &mut AnyConnection, place: &Place) -> Result<Head, LedgerError> {
    let gone = || LedgerError::Damaged { place: place.clone(), reason: "the record of the audit's last row is gone".to_owned() };
    find_head(connection, place).await?.ok_or_else(gone)
}

/// A row after the one with the hash `prev`.
fn sealed(seq: i64, entry: i64, kind: &str, at: DateTime<Utc>, prev: String, field: impl Fn(&str) -> Option<String>) -> Row {
    let fields = FIELDS.iter().map(|name| match *name {
        "seq" => Some(seq.to_string()),
        "entry" => Some(entry.to_string()),
        "kind" => Some(kind.to_owned()),
        "at" => Some(at.timestamp_millis().to_string()),
        other => field(other),
    });
    Row::sealed(fields.collect(), prev)
}

async fn append(connection: &mut AnyConnection, place: &Place, seq: i64, row: &Row) -> Result<(), LedgerError> {
    let mut insert = sqlx::query(INSERT);
    for (name, value) in FIELDS.iter().zip(&row.fields) {
        insert = match NUMBERS.contains(name) {
            true => insert.bind(value.as_deref().and_then(|text| text.parse::<i64>().ok())),
            false => insert.bind(value.clone()),
        };
    }
    let inserted = insert.bind(row.prev.clone()).bind(row.hash.clone()).execute(&mut *connection).await;
    inserted.map_err(|error| match &error {
        sqlx::Error::Database(said) if said.is_unique_violation() => {
            let reason = format!("the record of the audit's last row says {}, but there are later rows", seq - 1);
            LedgerError::Damaged { place: place.clone(), reason }
        }
        other => LedgerError::database(place, other),
    })?;
    let moved = sqlx::query(MOVE_HEAD).bind(seq).bind(row.hash.clone()).execute(connection).await;
    moved.map(|_| ()).map_err(|error| LedgerError::database(place, &error))
}

/// A row as it lies there. What cannot be read as text was not written by us: it becomes a text that no hash fits.
fn stored(row: &AnyRow) -> Row {
    let text = |index: usize| row.try_get::<Option<String>, _>(index).unwrap_or_else(|_| Some("\u{fffd}".to_owned()));
    Row {
        fields: (0..FIELDS.len()).map(text).collect(),
        prev: text(FIELDS.len()).unwrap_or_default(),
        hash: text(FIELDS.len() + 1).unwrap_or_default(),
    }
}

fn entry(row: &Row) -> Option<Entry> {
    let small = |name: &str| row.number(name).and_then(|number| u32::try_from(number).ok());
    let owned = |name: &str| row.field(name).map(str::to_owned);
    Some(Entry {
        id: EntryId(row.number("seq")?),
        at: moment(row)?,
        who: Who {
            login: small("login"),
            uid: small("uid")?,
            name: owned("name"),
            sudo_user: owned("sudo_user"),
            ssh_connection: owned("ssh_connection"),
            machine: owned("machine"),
            pid: small("pid")?,
        },
        action: text(row, "action"),
        host: text(row, "host"),
        target: Target { name: text(row, "target"), id: text(row, "target_id") },
        argument: text(row, "argument"),
        plan: text(row, "plan"),
        verdict: None,
        detail: String::new(),
        ended: None,
    })
}

fn text(row: &Row, name: &str) -> String {
    row.field(name).unwrap_or_default().to_owned()
}

fn moment(row: &Row) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(row.number("at")?)
}
