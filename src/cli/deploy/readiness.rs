//! How fast an environment would be back at the release before, told by the plan of that rollback: nothing is done, and nobody's secrets
//! are looked up.

use std::{collections::BTreeMap, time::Duration};

use super::{
    aim::{Aim, Given},
    history::History,
    stage::Stage,
};
use crate::{
    cli::{exit::Failure, fleet::Sources},
    delivery::{
        observed::{Mark, Sight},
        plan::{Incoming, Options, Out, Plan, ServicePlan, Speed},
        release::{DeploymentId, ReleaseId},
        template::{Surroundings, Template},
    },
    fleet::{EnvironmentId, HostId},
    ledger::{DeploymentFilter, LedgerError},
    run::journal::State,
};

/// So many of the last rollbacks are looked through for some that were as fast.
const LOOKED_THROUGH: u32 = 5;

/// What the hosts and the ledger tell of the way back.
pub(in crate::cli) struct Readiness {
    /// Who froze the environment, as a host tells it.
    pub(in crate::cli) freeze: Option<(HostId, Mark)>,
    /// `None`: there is no release before the one that is there.
    pub(in crate::cli) back: Option<Back>,
}

/// The way.
pub(in crate::cli) struct Back {
    /// To what.
    pub(in crate::cli) to: ReleaseId,
    /// How fast each host is; the slowest of its containers counts.
    pub(in crate::cli) hosts: BTreeMap<HostId, Speed>,
    /// The slowest of them that takes part.
    pub(in crate::cli) speed: Speed,
    /// How long rollbacks took that were as fast as this one, the newest first.
    pub(in crate::cli) took: Vec<Duration>,
}

/// Looks at the hosts and plans the way back.
///
/// # Errors
/// Why there is no plan.
pub(in crate::cli) async fn readiness(
    sources: &Sources,
    (template, around): (&Template, &Surroundings),
    environment: &EnvironmentId,
    (stage, history): (&Stage, &History),
) -> Result<Readiness, Failure> {
    let aim = Aim::in_template(template.clone(), around, environment.as_str())?;
    let mut observed = stage.observe(&aim.policy).await;
    history.note_owed(&mut observed, &aim.app, &aim.environment).await?;
    let freeze = observed.hosts.iter().find_map(|(host, sight)| match sight {
        Sight::Seen(view) => view.freeze.clone().map(|mark| (host.clone(), mark)),
        Sight::Lost(_) => None,
    });
    let good = match history.ledger().deployments().good(&aim.app, environment).await {
        Err(LedgerError::Absent { .. }) => Vec::new(),
        other => other.map_err(Failure::failed)?,
    };
    if good.iter().all(|older| good.first().is_some_and(|now| now.release == older.release)) {
        return Ok(Readiness { freeze, back: None });
    }
    let release = history.way_back(&aim.app, environment, None).await?;
    // A freeze lets the way back through for a reason, and here only its speed is asked for.
    let options = Options { rollback: true, reason: Some("to tell how fast it would be".into()), ..Options::default() };
    let ports = sources.config.delivery.ports.clone();
    let mut plan = aim.plan(&release, &observed, &DeploymentId::new(0, 0), &options, Given { ports, stage, audit: "" })?;
    // Where the plan says how fast its own undo would be, it carries how fast it is itself: what the balancers say of it counts too.
    plan.back = speeds(&plan);
    stage.note_balancers(&mut plan).await;
    let speed = slowest(&plan);
    let took = earlier(history, &aim, &speed).await?;
    Ok(Readiness { freeze, back: Some(Back { to: release.id(), hosts: plan.back, speed, took }) })
}

/// How fast each host does what the plan asks of it.
fn speeds(plan: &Plan) -> BTreeMap<HostId, Speed> {
    let mut speeds: BTreeMap<HostId, Speed> = BTreeMap::new();
    for service in &plan.services {
        for change in service.changes.iter().filter(|change| change.is_change()) {
            let speed = speed(service, change.incoming.as_ref());
            let slowest = speeds.entry(change.host.clone()).or_insert_with(|| speed.clone());
            *slowest = speed.max(slowest.clone());
        }
    }
    let away = plan.out.iter().filter_map(|(host, out)| match out {
        Out::Silent(why) => Some((host.clone(), Speed::Impossible(why.clone()))),
        Out::Without | Out::NotAsked => None,
    });
    speeds.extend(away);
    speeds
}

fn speed(service: &ServicePlan, incoming: Option<&Incoming>) -> Speed {
    match incoming {
        Some(Incoming::Back(old)) if old.running && service.traffic.is_some() => Speed::Flip,
        Some(Incoming::New { pull: true, .. }) => Speed::Pull,
        // What is there only has to be started, or made from an image that is there; what only goes takes no longer.
        Some(Incoming::Back(_) | Incoming::New { pull: false, .. }) | None => Speed::Start,
    }
}

/// A host that does not answer is left behind by a rollback; where none answers there is no way.
fn slowest(plan: &Plan) -> Speed {
    let taking_part = plan.back.iter().filter(|(host, _)| !plan.out.contains_key(*host)).map(|(_, speed)| speed);
    let none = || plan.back.values().next().cloned().unwrap_or(Speed::Flip);
    taking_part.max().cloned().unwrap_or_else(none)
}

/// How long the last rollbacks there took that were as fast.
async fn earlier(history: &History, aim: &Aim, speed: &Speed) -> Result<Vec<Duration>, Failure> {
    let filter = DeploymentFilter {
        app: Some(aim.app.clone()),
        environment: Some(aim.environment.clone()),
        state: Some(State::Good),
        ..DeploymentFilter::default()
    };
    let past = history.ledger().deployments().list(filter).await.map_err(Failure::failed)?;
    let mut took = Vec::new();
    for rollback in past.iter().filter(|past| past.rollback).take(LOOKED_THROUGH as usize) {
        let (Some(started), Some(finished)) = (rollback.started, rollback.finished) else { continue };
        let Some(plan) = history.plan(&rollback.id).await? else { continue };
        let of_host = speeds(&plan);
        if of_host.values().max() == Some(speed) {
            took.extend((finished - started).to_std().ok());
        }
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        delivery::{
            plan::fixture::{Shop, summary},
            release::kept_name,
        },
        fleet::ContainerState,
    };

    /// A shop of two hosts that runs version 2; its first version was kept on the first host, in this state.
    fn shop(traffic: bool, kept: Option<ContainerState>) -> Shop {
        let of_web = || if traffic { Shop::of_web(2).with_traffic() } else { Shop::of_web(2) };
        let made = |plan: &Plan, host: usize| match &plan.services[0].changes[host].incoming {
            Some(Incoming::New { blueprint, .. }) => blueprint.clone(),
            other => panic!("{other:?}"),
        };
        let first = of_web().plan(1).unwrap();
        let mut shop = of_web().running(1);
        let second = shop.plan(2).unwrap();
        let mut old = summary(&made(&first, 0), kept.unwrap_or(ContainerState::Exited));
        old.name = kept_name(&old.name);
        let now = |host| summary(&made(&second, host), ContainerState::Running);
        let all = if kept.is_some() { vec![old, now(0)] } else { vec![now(0)] };
        shop.see(&HostId::new("app-01"), &all);
        shop.see(&HostId::new("app-02"), &[now(1)]);
        shop.options.rollback = true;
        shop.number = 3;
        shop
    }

    #[test]
    fn the_slowest_container_of_a_host_counts() {
        for (traffic, kept, expected) in [
            (true, Some(ContainerState::Running), Speed::Flip),
            (true, Some(ContainerState::Exited), Speed::Start),
            (false, Some(ContainerState::Exited), Speed::Start),
            (true, None, Speed::Pull),
        ] {
            let plan = shop(traffic, kept).plan(1).unwrap();
            assert_eq!(speeds(&plan).get("app-01"), Some(&expected), "{traffic} {kept:?}");
            // The other host kept nothing.
            assert_eq!(speeds(&plan).get("app-02"), Some(&Speed::Pull));
        }
    }

    #[test]
    fn who_does_not_answer_is_named_and_slows_nobody_down() {
        let mut shop = shop(true, Some(ContainerState::Running));
        shop.lose("app-02");
        let mut plan = shop.plan(1).unwrap();
        plan.back = speeds(&plan);
        assert_eq!(plan.back.get("app-02"), Some(&Speed::Impossible(Arc::from("no route to host"))));
        assert_eq!(slowest(&plan), Speed::Flip);
        plan.back.remove("app-01");
        assert!(matches!(slowest(&plan), Speed::Impossible(_)));
    }
}
