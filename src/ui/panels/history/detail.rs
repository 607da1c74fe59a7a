//! The pane below a list: what the row had to cut.

use super::{
    long,
    row::{Key, Row, proof},
    runs::Runs,
};
use crate::{
    board::past::{Account, ReleaseRow, Stand, span},
    delivery::release::DeploymentId,
    fleet::HostId,
    ledger::Deployment,
    run::journal::State,
    text::{clock, counted},
    ui::{panels::facts::Fact, theme::Role, view::View},
};

/// So many of the journal's last lines are shown: the page has all of them.
const LAST: usize = 6;

/// Title and facts.
pub(super) fn of(row: &Row, view: &View<'_>) -> (String, Vec<Fact>) {
    let past = &view.board.past;
    match &row.key {
        Key::Deployment(id) => {
            let account = past.account.as_ref().filter(|account| account.deployment.id == *id);
            (format!("deployment {id}"), past.deployment(id).map(|one| of_deployment(one, account)).unwrap_or_default())
        }
        Key::Release(app, release) => {
            let rows = past.releases.iter().flat_map(|listed| &listed.rows);
            let found = rows.into_iter().find(|row| row.app == *app && row.release == *release);
            (format!("{release} of {app}"), found.map(of_release).unwrap_or_default())
        }
        Key::Place(app, environment) => {
            let stands = past.moment.iter().flat_map(|listed| &listed.rows.stands);
            let found = stands.into_iter().find(|stand| stand.app == *app && stand.environment == *environment);
            (format!("{app} in {environment}"), found.map(|stand| of_stand(stand, view)).unwrap_or_default())
        }
    }
}

fn names(hosts: &[HostId]) -> String {
    hosts.iter().map(HostId::as_str).collect::<Vec<_>>().join(", ")
}

fn of_deployment(one: &Deployment, account: Option<&Account>) -> Vec<Fact> {
    let why = one.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let role = match one.state {
        State::Failed => Role::StateBad,
        State::Unwound | State::Parked => Role::StateAttention,
        State::Waiting | State::Running | State::Good => Role::Text,
    };
    let from = one.from_release.as_ref().map(|from| format!(", in place of {from}")).unwrap_or_default();
    let way = if one.rollback { " (the way back)" } else { "" };
    let approved = match (one.approved_by.as_slice(), one.state) {
        ([], State::Waiting) => format!(" · waits for {} to say yes", one.needed),
        ([], _) => String::new(),
        (who, _) => format!(" · approved by {}", who.join(", ")),
    };
    let mut facts = vec![
        Fact::new("outcome", format!("{}{why}", one.state.word())).in_role(role),
        Fact::new("release", format!("{} of {} in {}{from}{way}", one.release, one.app, one.environment)),
        Fact::new("asked", format!("{} by {}{approved}", long(one.asked), one.by)),
    ];
    if let Some(started) = one.started {
        let end = one.finished.map(|end| format!(", took {}, until {}", span(end - started), clock(end))).unwrap_or_default();
        facts.push(Fact::new("started", format!("{}{end}", long(started))));
    }
    facts.extend(one.override_reason.as_ref().map(|why| Fact::new("OVERRIDE", why).in_role(Role::StateAttention)));
    let before = account.and_then(|account| account.facts.iter().find(|(label, _)| *label == "before it"));
    let before = before.map(|(_, value)| format!(" · before it {value}")).unwrap_or_default();
    facts.push(match proof(one) {
        told if told.is_empty() => Fact::new("requests", "nobody counted").in_role(Role::TextDim),
        told => Fact::new("requests", format!("{told}{before}")),
    });
    facts.push(Fact::new("hosts", names(&one.hosts)));
    if !one.owed.is_empty() {
        facts.push(Fact::new("owed", names(&one.owed)).in_role(Role::StateAttention));
    }
    let Some(account) = account else { return facts };
    for bundle in &account.bundles {
        facts.push(match &bundle.texts {
            Ok(texts) => {
                let held: Vec<&str> = texts.iter().map(|text| text.name.as_str()).collect();
                Fact::new("evidence", format!("{}: {}", counted(texts.len(), "text"), held.join(", ")))
            }
            Err(why) => Fact::new("evidence", why).in_role(Role::TextDim),
        });
    }
    let journal = account.chapters.iter().find(|(title, _)| *title == "JOURNAL").map(|(_, lines)| lines.as_slice()).unwrap_or_default();
    let last = journal.get(journal.len().saturating_sub(LAST)..).unwrap_or_default();
    facts.extend(last.iter().enumerate().map(|(place, line)| {
        let role = if line.contains("FAILED: ") { Role::StateAttention } else { Role::TextDim };
        Fact::new(if place == 0 { "journal" } else { "" }, line.trim_start()).in_role(role)
    }));
    facts
}

fn of_release(one: &ReleaseRow) -> Vec<Fact> {
    let mut facts = vec![Fact::new("recorded", format!("{} by {}", long(one.created), one.by))];
    if one.good.is_empty() {
        facts.push(Fact::new("good in", "nowhere yet").in_role(Role::TextDim));
    }
    facts.extend(one.good.iter().enumerate().map(|(place, good)| {
        let label = if place == 0 { "good in" } else { "" };
        Fact::new(label, format!("{} since {}, deployment {}", good.environment, long(good.at), good.deployment))
    }));
    facts.extend(one.images.iter().enumerate().map(|(place, (image, reference))| {
        Fact::new(if place == 0 { "images" } else { "" }, format!("{image}  {reference}")).in_role(Role::TextDim)
    }));
    facts
}

fn of_stand(stand: &Stand, view: &View<'_>) -> Vec<Fact> {
    let by = stand.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let mut facts = vec![match &stand.then {
        Some(good) => Fact::new("ran then", format!("{} since {}, deployment {}{by}", good.release, long(good.at), good.deployment)),
        None => Fact::new("ran then", "nothing that the ledger knows of"),
    }];
    if !stand.unsettled.is_empty() {
        let all: Vec<String> = stand.unsettled.iter().map(DeploymentId::to_string).collect();
        facts.push(
            Fact::new("not settled", format!("deployment {}: under way, parked or failed", all.join(", "))).in_role(Role::StateAttention),
        );
    }
    let runs = Runs::of(stand, view.fleet);
    let differs = runs.differs(stand);
    if runs.by_ledger {
        facts.push(Fact::new("runs now", "no container of it was seen; below is what the ledger says").in_role(Role::TextDim));
    }
    for (place, (release, hosts)) in runs.releases.iter().filter(|(_, hosts)| !hosts.is_empty()).enumerate() {
        let hosts: Vec<&str> = hosts.iter().map(HostId::as_str).collect();
        let role = if differs { Role::StateAttention } else { Role::Text };
        facts.push(Fact::new(if place == 0 { "runs now" } else { "" }, format!("{release} on {}", hosts.join(", "))).in_role(role));
    }
    facts.push(match &stand.now {
        Some(good) => Fact::new("good now", format!("{} since {}, deployment {}", good.release, long(good.at), good.deployment)),
        None => Fact::new("good now", "nothing"),
    });
    facts
}
