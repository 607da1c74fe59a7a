//! `traffic show` and `traffic sync`: what the balancers send where, what differs from the fleet, and the way back to it.

mod deed;
mod view;

use chrono::TimeDelta;
use serde::Serialize;

pub(super) use self::{
    deed::{Deed, Wish, carry_out},
    view::View,
};
use super::{
    acts,
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, wait},
    json,
    out::{self, complain},
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::{
    text::age,
    traffic::{Check, Counters, drift::Mend, state_word},
};

/// Prints the slots of the balancers and what differs.
pub fn show(global: &Global, names: &[String], output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let view = View::take(&sources, &watch, names).await?;
        out::print(&match output.format {
            Format::Json => json::pretty(&document(&view))?,
            Format::Table => page(&view),
        })?;
        let reached = watch.finish();
        Ok(if view.complain() { Exit::INCOMPLETE } else { reached })
    })
}

/// Mends what differs.
pub fn sync(global: &Global, names: &[String], yes: bool, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act("traffic sync")?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let view = View::take(&sources, &watch, names).await?;
        let deeds = mending(&view);
        let plan = plan(&view, &deeds);
        acts::show(&plan, output.format)?;
        let unreached = view.complain();
        if !deeds.is_empty() {
            if !yes {
                acts::answered(&view.asks("sync", &deeds), "traffic sync", &mut watch).await?;
            }
            let now = View::take(&sources, &watch, names).await?;
            if mending(&now) != deeds {
                return Err(Failure::failed("it has changed meanwhile: nothing was done; ask again"));
            }
        }
        let done = carry_out(&sources, &watch, &view, deeds, "traffic.sync", &plan, output.format).await?;
        let by_hand = view.differences.iter().any(|difference| matches!(difference.mend, Mend::ByHand { .. }));
        let reached = watch.finish();
        Ok(match () {
            () if !done || by_hand => Exit::FAILED,
            () if unreached => Exit::INCOMPLETE,
            () => reached,
        })
    })
}

/// What mends the differences that we can mend.
fn mending(view: &View) -> Vec<Deed> {
    let deed = |difference: &crate::traffic::drift::Difference| {
        let (slot, wish) = match &difference.mend {
            Mend::Admit { slot } => (slot, Wish::Admit),
            Mend::Weigh { slot } => (slot, Wish::Admit),
            Mend::Drain { slot } => (slot, Wish::Drain),
            Mend::Remove { slot } => (slot, Wish::Remove),
            Mend::ByHand { .. } => return None,
        };
        Some(Deed {
            lb: difference.lb.clone(),
            backend: difference.backend.clone(),
            slot: slot.clone(),
            address: difference.address,
            host: difference.host.clone(),
            container: difference.container.clone(),
            wish,
        })
    };
    view.differences.iter().filter_map(deed).collect()
}

fn plan(view: &View, deeds: &[Deed]) -> String {
    if view.differences.is_empty() {
        return "The balancers are as the fleet says: nothing to do\n".to_owned();
    }
    let mut text = format!("Sync {}\n", crate::text::counted(deeds.len(), "slot"));
    for difference in &view.differences {
        let sign = if matches!(difference.mend, Mend::ByHand { .. }) { "◆" } else { " " };
        text.push_str(&format!("  {sign} {}: {}\n      → {}\n", difference.lb, difference.sentence(), difference.remedy()));
    }
    text.push_str("  undo: none needed: each slot is brought to what runs\n");
    text
}

#[derive(Serialize)]
struct Document<'a> {
    balancers: Vec<BalancerRow<'a>>,
    slots: Vec<SlotRow<'a>>,
    differences: Vec<DifferenceRow<'a>>,
}

#[derive(Serialize)]
struct BalancerRow<'a> {
    name: &'a str,
    kind: &'static str,
    version: Option<&'a str>,
    uptime_s: Option<u64>,
    /// Where its state is written down; without it a restart undoes what was switched.
    persist: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct SlotRow<'a> {
    lb: &'a str,
    backend: &'a str,
    slot: &'a str,
    address: Option<String>,
    state: &'static str,
    check: &'static str,
    check_says: Option<&'a str>,
    sessions: u32,
    share: u16,
    requests: u64,
    failed: u64,
    latency_ms: u64,
    sticky: bool,
    host: Option<&'a str>,
    container: Option<&'a str>,
}

#[derive(Serialize)]
struct DifferenceRow<'a> {
    #[serde(flatten)]
    difference: &'a crate::traffic::drift::Difference,
    sentence: String,
    remedy: String,
}

fn document(view: &View) -> Document<'_> {
    let balancers = view.balancers.iter().map(|row| BalancerRow {
        name: &row.lb,
        kind: row.kind,
        version: row.standing.as_ref().map(|standing| &*standing.version),
        uptime_s: row.standing.as_ref().and_then(|standing| standing.uptime),
        persist: row.persist.as_ref().map(|path| path.display().to_string()),
        error: row.error.clone(),
    });
    let differences = view.differences.iter().map(|difference| DifferenceRow {
        difference,
        sentence: difference.sentence(),
        remedy: difference.remedy(),
    });
    Document { balancers: balancers.collect(), slots: slots(view), differences: differences.collect() }
}

fn slots(view: &View) -> Vec<SlotRow<'_>> {
    let mut rows = Vec::new();
    for told in &view.told {
        for slot in &told.backend.slots {
            let address = slot.address.filter(|_| !slot.is_blank());
            let at = address.and_then(|address| view.sight.at(address));
            let Counters { requests, .. } = slot.counters;
            rows.push(SlotRow {
                lb: &told.lb,
                backend: &told.backend.name,
                slot: &slot.name,
                address: address.map(|address| address.to_string()),
                state: state_word(slot.state),
                check: slot.check.word(),
                check_says: match &slot.check {
                    Check::Failed(why) => Some(why),
                    Check::Never | Check::Asleep | Check::Awaited | Check::Passed => None,
                },
                sessions: slot.sessions,
                share: slot.share,
                requests,
                failed: slot.counters.failed(),
                latency_ms: slot.latency_ms,
                sticky: told.backend.sticky,
                host: at.map(|instance| instance.host.as_str()),
                container: at.map(|instance| &*instance.name),
            });
        }
    }
    rows
}

fn page(view: &View) -> String {
    let mut table = Table::new(vec![
        Column::new("LB").rank(4),
        Column::new("BACKEND").least(10),
        Column::new("SLOT").whole(),
        Column::new("ADDRESS").whole(),
        Column::new("STATE").whole(),
        Column::new("CHECK").least(8),
        Column::new("NOW").right(),
        Column::new("SHARE").right().rank(3),
        Column::new("REQUESTS").right().rank(1),
        Column::new("FAILED").right().rank(1),
        Column::new("CONTAINER").least(12).keep_end(),
        Column::new("HOST").rank(2),
    ]);
    for row in slots(view) {
        table.push(vec![
            row.lb.to_owned(),
            row.backend.to_owned(),
            row.slot.to_owned(),
            row.address.unwrap_or_else(|| NOTHING.to_owned()),
            row.state.to_owned(),
            row.check_says.unwrap_or(row.check).to_owned(),
            row.sessions.to_string(),
            format!("{} %", row.share),
            row.requests.to_string(),
            row.failed.to_string(),
            or_nothing(row.container),
            or_nothing(row.host),
        ]);
    }
    let mut text = table.render(out::width());
    for row in &view.balancers {
        if let Some(standing) = &row.standing {
            let up = standing.uptime.and_then(|seconds| i64::try_from(seconds).ok()).and_then(TimeDelta::try_seconds);
            let up = up.map_or_else(String::new, |up| format!(", up {}", age(up)));
            let keeps = match &row.persist {
                Some(path) => format!("remembers its slots in {}", path.display()),
                None if row.kind == "haproxy" => "forgets every switch when it restarts: set `persist`".to_owned(),
                None => continue,
            };
            text.push_str(&format!("{}: {} {}{up}, {keeps}\n", row.lb, row.kind, standing.version));
        }
    }
    for difference in &view.differences {
        text.push_str(&format!("◆ {}: {}\n    → {}\n", difference.lb, difference.sentence(), difference.remedy()));
    }
    text
}

impl View {
    /// Tells on standard error what could not be seen; whether there was anything.
    pub(super) fn complain(&self) -> bool {
        for row in &self.balancers {
            if let Some(error) = &row.error {
                complain(&format!("balancer {}: {error}", row.lb));
            }
        }
        for (host, container, why) in &self.sight.unreachable {
            complain(&format!("{container} on {host} gets no requests: {why}"));
        }
        self.balancers.iter().any(|row| row.error.is_some())
    }
}
