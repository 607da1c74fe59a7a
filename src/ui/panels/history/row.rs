//! The rows of the three lists, as text in columns.

use chrono::{DateTime, Datelike as _, Local, Utc};

use super::{List, runs::Runs};
use crate::{
    board::past::{ReleaseRow, Stand, span},
    delivery::release::{DeploymentId, ReleaseId},
    fleet::{AppName, EnvironmentId},
    ledger::Deployment,
    run::journal::State,
    text::{count, counted, width},
    ui::{
        panels::words::unknown,
        theme::{Role, Symbol},
        view::View,
        widgets::{Align, Column},
    },
};

/// What a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Deployment(DeploymentId),
    Release(AppName, ReleaseId),
    Place(AppName, EnvironmentId),
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub key: Key,
    /// The deployment that it is or tells of.
    pub deployment: Option<DeploymentId>,
    pub sign: Option<(Symbol, Role)>,
    pub cells: Vec<(String, Role)>,
}

/// A column's title, side, least and largest width, and rank.
type Asked = (&'static str, Align, u16, u16, u8);

const DEPLOYMENTS: [Asked; 10] = [
    ("ID", Align::Left, 7, 10, 0),
    ("APP", Align::Left, 4, 16, 0),
    ("ENVIRONMENT", Align::Left, 10, 14, 0),
    ("RELEASE", Align::Left, 16, 34, 0),
    ("WHEN", Align::Left, 12, 18, 0),
    ("BY", Align::Left, 3, 14, 1),
    ("TOOK", Align::Right, 5, 6, 3),
    ("OUTCOME", Align::Left, 7, 7, 0),
    ("AND", Align::Left, 8, 20, 5),
    ("REQUESTS", Align::Left, 20, 40, 4),
];
const RELEASES: [Asked; 5] = [
    ("RELEASE", Align::Left, 25, 34, 0),
    ("APP", Align::Left, 4, 16, 0),
    ("RECORDED", Align::Left, 12, 18, 1),
    ("BY", Align::Left, 3, 14, 2),
    ("GOOD IN", Align::Left, 23, 90, 0),
];
const MOMENT: [Asked; 6] = [
    ("APP", Align::Left, 4, 16, 0),
    ("ENVIRONMENT", Align::Left, 10, 14, 0),
    ("RAN THEN", Align::Left, 25, 34, 0),
    ("SINCE", Align::Left, 12, 18, 1),
    ("BY", Align::Left, 3, 14, 2),
    ("RUNS NOW", Align::Left, 25, 60, 0),
];

/// The columns of a list, as wide as what is seen asks for.
pub(super) fn columns(list: &List, rows: &[Row]) -> Vec<Column> {
    let asked: &[Asked] = match list {
        List::Deployments => &DEPLOYMENTS,
        List::Releases => &RELEASES,
        List::Moment(_) => &MOMENT,
    };
    let column = |(index, (title, align, least, most, priority)): (usize, &Asked)| {
        let cells = rows.iter().filter_map(|row| row.cells.get(index)).map(|(text, _)| width(text)).chain([title.len()]).max();
        let wanted = u16::try_from(cells.unwrap_or(0)).unwrap_or(*most).clamp(*least, (*most).max(*least));
        Column { title, align: *align, min: (*least).min(wanted), wanted, priority: *priority }
    };
    asked.iter().enumerate().map(column).collect()
}

pub(super) fn of_deployment(one: &Deployment, view: &View<'_>) -> Row {
    let (symbol, role) = sign(one.state);
    let loud = if matches!(role, Role::TextDim) { Role::Text } else { role };
    let took = one.started.zip(one.finished).map_or_else(String::new, |(started, finished)| span(finished - started));
    Row {
        key: Key::Deployment(one.id.clone()),
        deployment: Some(one.id.clone()),
        sign: Some((symbol, role)),
        cells: vec![
            (one.id.to_string(), Role::Text),
            (one.app.to_string(), Role::Text),
            (one.environment.to_string(), Role::Text),
            (one.release.to_string(), Role::Text),
            (when(one.started.unwrap_or(one.asked), view.now), Role::TextDim),
            (one.by.clone(), Role::Text),
            (took, Role::TextDim),
            (one.state.word().to_owned(), loud),
            (aside(one), if one.owed.is_empty() { Role::TextDim } else { Role::StateAttention }),
            (proof(one), if one.failed.is_some_and(|failed| failed > 0) { Role::StateAttention } else { Role::TextDim }),
        ],
    }
}

pub(super) fn of_release(one: &ReleaseRow, view: &View<'_>) -> Row {
    let good = one.good.iter().map(|good| format!("{} {}", good.environment, when(good.at, view.now))).collect::<Vec<_>>();
    let (good, role) = match good.as_slice() {
        [] => ("nowhere yet".to_owned(), Role::TextDim),
        good => (good.join(", "), Role::Text),
    };
    Row {
        key: Key::Release(one.app.clone(), one.release.clone()),
        deployment: one.good.first().map(|good| good.deployment.clone()),
        sign: None,
        cells: vec![
            (one.release.to_string(), Role::Text),
            (one.app.to_string(), Role::Text),
            (when(one.created, view.now), Role::TextDim),
            (one.by.clone(), Role::Text),
            (good, role),
        ],
    }
}

pub(super) fn of_stand(one: &Stand, view: &View<'_>) -> Row {
    let nothing = unknown(view.theme);
    let runs = Runs::of(one, view.fleet);
    let differs = runs.differs(one);
    let then = one.then.as_ref();
    Row {
        key: Key::Place(one.app.clone(), one.environment.clone()),
        deployment: then.map(|good| good.deployment.clone()),
        sign: differs.then_some((Symbol::Odd, Role::StateAttention)),
        cells: vec![
            (one.app.to_string(), Role::Text),
            (one.environment.to_string(), Role::Text),
            (then.map_or_else(|| nothing.to_owned(), |good| good.release.to_string()), Role::Text),
            (then.map_or_else(String::new, |good| when(good.at, view.now)), Role::TextDim),
            (one.by.clone().unwrap_or_default(), Role::Text),
            (if differs { runs.words() } else { "the same".to_owned() }, if differs { Role::StateAttention } else { Role::TextDim }),
        ],
    }
}

/// The sign of a state; well is quiet.
fn sign(state: State) -> (Symbol, Role) {
    match state {
        State::Good => (Symbol::Done, Role::TextDim),
        State::Failed => (Symbol::Bad, Role::StateBad),
        State::Unwound => (Symbol::Odd, Role::StateAttention),
        State::Parked => (Symbol::Progress, Role::StateAttention),
        State::Waiting | State::Running => (Symbol::Progress, Role::StateProgress),
    }
}

/// What of the outcome a word does not say: `1 host owed`, `0 of 2 yes`.
fn aside(one: &Deployment) -> String {
    let waits = (one.state == State::Waiting && one.needed > 0).then(|| format!("{} of {} yes", one.approved_by.len(), one.needed));
    let owed = (!one.owed.is_empty()).then(|| format!("{} owed", counted(one.owed.len(), "host")));
    let back = one.rollback.then(|| "rollback".to_owned());
    [waits, owed, back].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What its clients got: `17 of 12,000 failed, p99 42 ms`.
pub(super) fn proof(one: &Deployment) -> String {
    let Some((requests, failed)) = one.requests.zip(one.failed) else { return String::new() };
    let p99 = one.p99_ms.map(|ms| format!(", p99 {ms:.0} ms")).unwrap_or_default();
    format!("{} of {} failed{p99}", count(failed), count(requests))
}

/// `21 Nov 14:02`; of another year `21 Nov 2025 14:02`.
pub(super) fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (at, now) = (at.with_timezone(&Local), now.with_timezone(&Local));
    let form = if at.year() == now.year() { "%d %b %H:%M" } else { "%d %b %Y %H:%M" };
    at.format(form).to_string()
}
