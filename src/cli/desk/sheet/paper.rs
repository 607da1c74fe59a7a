//! A plan as the sheet lays it out: what changes on each host, what stays, what it passes, what must be answered.

use std::collections::{BTreeMap, BTreeSet};

use super::{Draft, figures, place::Place};
use crate::{
    act::Policy,
    board::sheet::{Asks, Capacity, Kind, Opens, Row, Sheet, Shut, Silent, span},
    cli::{
        deploy::{self, Gate, word},
        desk::Desk,
        exit::Failure,
    },
    delivery::{
        observed::{Aspect, Observed, Sight},
        plan::{Change, Incoming, Plan, ServicePlan},
        release::ReleaseId,
        spec::{Batch, BlueGreenBy, CanaryThen, StrategyKind, StrategySpec},
        strategies,
        template::render,
    },
    fleet::{HostId, ServiceName},
    ledger::audit::Who,
    text::counted,
};

/// Names that a row tells before it only counts.
const NAMED: usize = 3;

/// The sheet of a draft.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) async fn sheet(
    desk: &Desk,
    made: &deploy::Wish<'_>,
    draft: &Draft,
    (place, kind): (&Place, Kind),
    silent: Vec<Silent>,
) -> Result<Sheet, Failure> {
    let plan = &draft.plan;
    let (gate, approvals) = match &draft.gate {
        Gate::Open(needed) => (None, *needed),
        Gate::Shut { why, opens, .. } => (Some(Shut { why: why.clone(), opens: shown(*opens) }), 0),
    };
    let (past, acting) = figures::lately(desk, plan).await?;
    let in_flight = figures::in_flight(&made.stage, plan, &draft.observed).await;
    let variables = variables(made, draft).await?;
    let script = strategies::script(plan);
    let capacity = strategies::capacity(plan, &script.steps);
    let changes = |service: &&ServicePlan| service.changes.iter().any(Change::is_change);
    let version = &*plan.release.version;
    Ok(Sheet {
        title: place.title(kind, Some(version)),
        is_nothing: plan.is_nothing(),
        replaces: replaced(plan),
        commits: figures::commits(desk, plan).await,
        good: figures::good(desk, &made.aim, plan).await?,
        way: way(&plan.strategy, plan.options.rollback),
        past,
        rows: rows(plan, &variables, &in_flight),
        jobs: plan.jobs.iter().map(|job| job_line(job.one_way, &job.name, &job.host)).collect(),
        capacity: plan
            .services
            .iter()
            .filter(changes)
            .filter_map(|service| {
                let count = capacity.get(&service.service)?;
                let (before, least, after) = (count.before, count.least, count.after);
                Some(Capacity { service: service.service.clone(), before, least, after })
            })
            .collect(),
        acting: draft.obstacles.iter().cloned().chain(acting).collect(),
        stays: stays(plan, &draft.observed),
        lost: plan.lost.iter().map(ToString::to_string).collect(),
        out: plan.out.iter().map(|(host, out)| (host.clone(), out.to_string())).collect(),
        silent,
        back: plan.back.iter().map(|(host, speed)| (host.clone(), speed.clone())).collect(),
        keep_warm: plan.strategy.keep_warm,
        passes: passes(plan, gate.is_some()),
        gate,
        approvals,
        asker: Who::of_process().short(),
        notes: plan.warnings.iter().map(ToString::to_string).collect(),
        asks: asks(made, plan),
    })
}

fn shown(opens: deploy::Opens) -> Opens {
    match opens {
        deploy::Opens::Nothing => Opens::Nothing,
        deploy::Opens::Reason => Opens::Reason,
        deploy::Opens::Override => Opens::Override,
    }
}

/// A guarded environment's name is typed, and that of one whose policy wants a second pair of eyes; else what the verbs ask.
fn asks(made: &deploy::Wish<'_>, plan: &Plan) -> Asks {
    let environment = &plan.environment;
    let typed = |word: &str, because: &str| Asks::Word { word: word.into(), because: because.into() };
    match word(plan) {
        _ if Policy::default().guarded.contains(environment) => typed(environment.as_str(), &format!("this is {environment}")),
        _ if made.aim.policy.approve > 0 => typed(environment.as_str(), "its policy is strict"),
        Some((word, because)) => typed(word, because),
        None => Asks::Key,
    }
}

fn job_line(one_way: bool, name: &str, host: &HostId) -> String {
    let way = if one_way { ": it cannot be undone" } else { "" };
    format!("job {name} on {host}{way}")
}

fn passes(plan: &Plan, shut: bool) -> Option<String> {
    let (by, reason) = match (&plan.options.override_reason, &plan.options.reason) {
        (Some(reason), _) => ("passes over the gate, and that stays in history", reason),
        (None, Some(reason)) => ("goes on", reason),
        (None, None) => return None,
    };
    (!shut).then(|| format!("{by}: {reason}"))
}

/// Releases that go; the version alone where it tells them apart.
fn replaced(plan: &Plan) -> Vec<String> {
    let other = plan.from.iter().filter(|from| **from != plan.release);
    other.map(|from| short(from, &plan.release)).collect()
}

fn short(release: &ReleaseId, beside: &ReleaseId) -> String {
    if release.version == beside.version { release.to_string() } else { release.version.to_string() }
}

/// The strategy in words.
fn way(strategy: &StrategySpec, is_rollback: bool) -> String {
    let name = strategies::of(&strategy.kind).name();
    let mut words = match &strategy.kind {
        StrategyKind::Recreate => vec![format!("{name}, all at once, old ones down first")],
        StrategyKind::Rolling { batch, pause } => {
            let batch = match batch {
                Batch::Count(1) => "one host at a time".to_owned(),
                Batch::Count(count) => format!("{count} hosts at a time"),
                Batch::Percent(share) => format!("{share} % of the hosts at a time"),
            };
            let pause = (!pause.is_zero() && !is_rollback).then(|| format!("pause {}", span(*pause)));
            std::iter::once(format!("{name}, {batch}")).chain(pause).collect()
        }
        StrategyKind::BlueGreen { by } => {
            let by = match by {
                BlueGreenBy::Colour => "all new ones beside all old ones",
                BlueGreenBy::Host => "new ones on other hosts",
            };
            vec![format!("{name}, {by}, then one switch")]
        }
        StrategyKind::Canary { steps, then, .. } => {
            let shares: Vec<_> = steps.iter().map(|step| format!("{} % for {}", step.weight, span(step.bake))).collect();
            let then = match then {
                CanaryThen::Auto => "then the rest",
                CanaryThen::Approve => "then a person's word",
            };
            vec![format!("{name}, {}, {then}", shares.join(", "))]
        }
    };
    if !strategy.bake.is_zero() && !is_rollback {
        words.push(format!("bake {}", span(strategy.bake)));
    }
    words.join(", ")
}

/// Variables whose values differ from those of what runs, by service; names only.
async fn variables(made: &deploy::Wish<'_>, draft: &Draft) -> Result<BTreeMap<ServiceName, Vec<String>>, Failure> {
    let Some(from) = draft.plan.from.iter().find(|from| **from != draft.release.id()) else { return Ok(BTreeMap::new()) };
    let aim = &made.aim;
    let Some(old) = made.history.release(&aim.app, from).await? else { return Ok(BTreeMap::new()) };
    let [old, new] = [&old, &draft.release].map(|release| render(&release.spec, &aim.environment, &release.revision, &aim.policy));
    let differ = |(name, service): (&ServiceName, &crate::delivery::spec::RenderedService)| {
        let before = &old.services.get(name)?.spec.vars;
        let now = &service.spec.vars;
        let names: BTreeSet<_> = before.keys().chain(now.keys()).filter(|key| before.get(*key) != now.get(*key)).collect();
        let words = names.into_iter().map(|key| match (before.contains_key(key), now.contains_key(key)) {
            (true, true) => format!("{key} changed"),
            (false, _) => format!("{key} is new"),
            (true, false) => format!("{key} goes"),
        });
        Some((name.clone(), words.collect()))
    };
    Ok(new.services.iter().filter_map(differ).collect())
}

/// Host by host; services to which the same happens stand together.
fn rows(plan: &Plan, variables: &BTreeMap<ServiceName, Vec<String>>, in_flight: &BTreeMap<(HostId, ServiceName), u32>) -> Vec<Row> {
    let usual = plan.from.first();
    let mut rows: Vec<Row> = Vec::new();
    let all = plan.services.iter().flat_map(|service| service.changes.iter().map(move |change| (service, change)));
    let mut all: Vec<_> = all.filter(|(_, change)| change.is_change()).collect();
    all.sort_by_key(|(_, change)| &change.host);
    for (service, change) in all {
        let what = happens(change, plan, variables.get(&service.service).map_or(&[], Vec::as_slice));
        let old = change.outgoing.as_ref().and_then(|old| old.release.as_ref());
        let odd = old.filter(|old| Some(*old) != usual).map(|old| short(old, usual.unwrap_or(&plan.release)));
        let requests = in_flight.get(&(change.host.clone(), service.service.clone())).copied();
        let name = service.service.to_string();
        match rows.last_mut().filter(|row| row.host == change.host && row.what == what && row.odd == odd) {
            Some(row) => {
                if !row.services.contains(&name) {
                    row.services.push(name);
                    row.in_flight = row.in_flight.map_or(requests, |sum| Some(sum + requests.unwrap_or(0)));
                }
            }
            None => rows.push(Row { host: change.host.clone(), services: vec![name], what, odd, in_flight: requests }),
        }
    }
    rows
}

/// What happens to one container.
fn happens(change: &Change, plan: &Plan, variables: &[String]) -> Vec<String> {
    let mut what = Vec::new();
    match (&change.outgoing, &change.incoming) {
        (None, Some(Incoming::New { .. })) => what.push("is new here".to_owned()),
        (Some(_), None) => what.push("goes, nothing comes in its place".to_owned()),
        (Some(_), Some(Incoming::Back(_))) => what.push("the kept one comes back".to_owned()),
        (None, Some(Incoming::Back(_))) => what.push("is started again".to_owned()),
        (Some(_), Some(Incoming::New { .. })) | (None, None) => {}
    }
    for reason in &change.reasons {
        match reason {
            Aspect::Image => what.push("new image".to_owned()),
            Aspect::Variables if !variables.is_empty() => {
                what.extend(variables.iter().take(NAMED).cloned());
                let more = variables.len().saturating_sub(NAMED);
                what.extend((more > 0).then(|| format!("{} more", counted(more, "variable"))));
            }
            Aspect::Variables => what.push("variables changed".to_owned()),
            reason => what.push(format!("{} changed", reason.word())),
        }
    }
    if let Some(Incoming::New { blueprint, pull }) = &change.incoming {
        what.extend(blueprint.ports.iter().filter(|port| !port.ours).map(|port| format!("port {}", port.host)));
        if !pull && change.reasons.contains(&Aspect::Image) {
            what.push("already there".to_owned());
        }
    }
    if plan.options.rollback && what.is_empty() {
        what.push("made anew".to_owned());
    }
    what
}

/// Services that stay as they are, and the volumes of all.
fn stays(plan: &Plan, observed: &Observed) -> Vec<String> {
    let still = |service: &&ServicePlan| !service.changes.is_empty() && !service.changes.iter().any(Change::is_change);
    let services = plan.services.iter().filter(still).map(|service| service.service.to_string());
    let views = observed.hosts.values().filter_map(|sight| match sight {
        Sight::Seen(view) => Some(view),
        Sight::Lost(_) => None,
    });
    let volumes: BTreeSet<_> = views.flat_map(|view| &view.instances).flat_map(|instance| &instance.volumes).collect();
    services.chain(volumes.into_iter().map(|volume| format!("volume {volume}"))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::{
        plan::fixture::{Shop, rolling, strategy},
        spec::CanaryStep,
    };

    #[test]
    fn rows_tell_what_changes_and_what_is_under_way() {
        let shop = Shop::of_web(2).with_db().running(1);
        let plan = shop.plan(2).unwrap();
        let first = plan.hosts[0].clone();
        let variables = [(ServiceName::new("web"), vec!["GREETING changed".to_owned()])].into();
        let rows = rows(&plan, &variables, &[((first.clone(), ServiceName::new("web")), 3)].into());
        let told: Vec<_> = rows.iter().map(|row| (row.host.clone(), row.services.join(" "), row.what.join(", "), row.in_flight)).collect();
        let web = |host: &HostId, requests| (host.clone(), "web".to_owned(), "new image".to_owned(), requests);
        assert_eq!(told, [web(&first, Some(3)), web(&plan.hosts[1], None)]);
        assert_eq!(stays(&plan, &shop.observed), ["db", "volume shop-production-data"]);
        assert_eq!(replaced(&plan), ["1.0.1-1-aaaaaa1"]);
    }

    #[test]
    fn what_comes_anew_goes_for_good_or_is_the_odd_one() {
        let new = Shop::of_web(1).plan(1).unwrap();
        assert_eq!(rows(&new, &BTreeMap::new(), &BTreeMap::new())[0].what, ["is new here"]);
        let mut shop = Shop::of_web(3).running(1);
        let odd = Shop::of_web(3).running(2).observed;
        let last = shop.hosts[2].clone();
        shop.observed.hosts.insert(last.clone(), odd.hosts[&last].clone());
        let plan = shop.plan(3).unwrap();
        let told: Vec<_> = rows(&plan, &BTreeMap::new(), &BTreeMap::new()).into_iter().map(|row| row.odd).collect();
        assert_eq!(told, [None, None, Some("1.0.2-2-aaaaaa2".to_owned())]);
    }

    #[test]
    fn a_strategy_in_words() {
        let secs = Duration::from_secs;
        let canary = StrategyKind::Canary {
            steps: vec![CanaryStep { weight: 5, bake: secs(120) }],
            compare: crate::delivery::spec::Compare { errors: 1.5, latency: 1.5, min_requests: 200 },
            then: CanaryThen::Approve,
        };
        let baked = |spec: StrategySpec| StrategySpec { bake: secs(10), ..spec };
        for (spec, back, words) in [
            (baked(rolling(Batch::Count(1), secs(2))), false, "rolling, one host at a time, pause 2 s, bake 10 s"),
            (baked(rolling(Batch::Percent(25), secs(2))), true, "rolling, 25 % of the hosts at a time"),
            (strategy(StrategyKind::Recreate), false, "recreate, all at once, old ones down first"),
            (
                strategy(StrategyKind::BlueGreen { by: BlueGreenBy::Colour }),
                false,
                "blue-green, all new ones beside all old ones, then one switch",
            ),
            (strategy(canary), false, "canary, 5 % for 2 m, then a person's word"),
        ] {
            assert_eq!(way(&spec, back), words);
        }
    }
}
