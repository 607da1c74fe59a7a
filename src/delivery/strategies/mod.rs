//! How a change goes over the hosts: a plan in, ordered steps out. Pure.
//!
//! A strategy says how the containers of one wave change; [`frame`] puts around it what all have in common: images and networks first,
//! jobs, the proof at the end. A new strategy is one file and one row in [`of`].

mod blue_green;
mod canary;
mod flip;
mod frame;
mod recreate;
mod rolling;
#[cfg(test)]
mod tests;
mod unit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    plan::{Plan, ServicePlan},
    spec::StrategyKind,
    steps::{Act, Draft, Step, StepId},
};
use crate::fleet::ServiceName;

/// A way to change what runs.
pub trait Strategy: Sync {
    /// As a template says it.
    fn name(&self) -> &'static str;

    /// Writes the steps that change the services of one wave, none of them before `after`; the answer is what a later wave waits for. What only
    /// tidies up need not be in it.
    fn wave(&self, plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId>;
}

/// The strategy of this kind.
pub fn of(kind: &StrategyKind) -> &'static dyn Strategy {
    match kind {
        StrategyKind::Recreate => &recreate::Recreate,
        StrategyKind::Rolling { .. } => &rolling::Rolling,
        StrategyKind::BlueGreen { .. } => &blue_green::BlueGreen,
        StrategyKind::Canary { .. } => &canary::Canary,
    }
}

/// The steps of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Script {
    /// What is done; in an order in which each may run when all before it have.
    pub steps: Vec<Step>,
    /// What is done after it failed and was taken back.
    pub failed: Vec<Step>,
    /// What is done when the old ones have been kept warm long enough, under a lock of its own.
    pub cool: Vec<Step>,
}

/// The steps of a plan.
pub fn script(plan: &Plan) -> Script {
    if plan.is_nothing() {
        return Script::default();
    }
    frame::script(plan, of(&plan.strategy.kind))
}

/// How many containers of a service serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Capacity {
    /// Now.
    pub before: usize,
    /// At least, at any moment of the deployment and of its way back.
    pub least: usize,
    /// When it is good.
    pub after: usize,
}

/// What a script promises of each service.
pub fn capacity(plan: &Plan, steps: &[Step]) -> BTreeMap<ServiceName, Capacity> {
    let of = |service: &ServicePlan| {
        let stays = service.changes.iter().filter(|change| change.keeps.is_some()).count();
        let goes = service.changes.iter().filter(|change| change.outgoing.as_ref().is_some_and(|old| old.running)).count();
        let comes = service.changes.iter().filter(|change| change.incoming.is_some()).count();
        // The old ones that are stopped while nothing has come in their place, batch by batch; and those in whose place nothing comes.
        let (mut away, mut gone): (BTreeMap<u32, usize>, usize) = (BTreeMap::new(), 0);
        for change in &service.changes {
            let Some(old) = change.outgoing.as_ref().filter(|old| old.running) else { continue };
            let place =
                |wanted: &dyn Fn(&Act) -> bool| steps.iter().position(|step| step.host.as_ref() == Some(&change.host) && wanted(&step.act));
            let stop = place(&|act| matches!(act, Act::Stop { container, .. } if *container == old.subject()));
            let gate = change
                .incoming
                .as_ref()
                .and_then(|incoming| place(&|act| matches!(act, Act::Gate { container, .. } if *container == incoming.subject())));
            match (stop, gate) {
                (Some(stop), Some(gate)) if stop < gate => *away.entry(steps[stop].batch).or_default() += 1,
                (Some(_), None) => gone += 1,
                (Some(_), Some(_)) | (None, _) => {}
            }
        }
        let before = stays + goes;
        let least = before - gone - away.values().max().copied().unwrap_or(0);
        Capacity { before, least, after: stays + comes }
    };
    plan.services.iter().map(|service| (service.service.clone(), of(service))).collect()
}
