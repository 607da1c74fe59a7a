//! A growing part of the requests goes to the new ones, and their figures are held against the old ones' at each step. What gets no
//! requests from a balancer goes first on one host, and on the others when the requests are through; what cannot stand beside itself is rolled.

use super::{
    Strategy,
    blue_green::{approval, beside, stand},
    rolling::roll,
    unit::Unit,
};
use crate::delivery::{
    plan::{Plan, ServicePlan},
    spec::{CanaryThen, StrategyKind},
    steps::{Act, Draft, FULL, StepId, Watched},
};

/// `canary`.
pub(super) struct Canary;

impl Strategy for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    fn wave(&self, plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let (beside, rolled) = beside(plan, services);
        let after = roll(plan, &rolled, draft, after);
        draft.next_batch();
        let (asked, quiet): (Vec<_>, Vec<_>) =
            beside.into_iter().partition(|unit| unit.route().is_some() && unit.change.incoming.is_some());
        // The first quiet one runs along with the canary; a quiet service has at least one.
        let (ahead, behind) = first_of_each(&quiet);
        let mut ready: Vec<_> = ahead.iter().flat_map(|unit| unit.replace(draft, &after)).collect();
        ready.extend(asked.iter().flat_map(|unit| stand(unit, draft, &after)));
        let mut at = if ready.is_empty() { after } else { ready };
        at = self.grow(plan, &asked, &ahead, draft, &at);
        draft.next_batch();
        let mut done: Vec<_> = behind.iter().flat_map(|unit| unit.replace(draft, &at)).collect();
        for unit in &asked {
            unit.go(draft, &at);
        }
        done.extend(at);
        done
    }
}

impl Canary {
    /// From the first share to the whole.
    fn grow(&self, plan: &Plan, asked: &[Unit<'_>], ahead: &[Unit<'_>], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let StrategyKind::Canary { steps, compare, then } = &plan.strategy.kind else { return after.to_vec() };
        let mut at = after.to_vec();
        let mut was = 0;
        // On the way back nobody waits for figures.
        let steps = if plan.options.rollback { &[] } else { &**steps };
        for step in steps {
            let share = u16::from(step.weight.min(100));
            at = share_out(asked, draft, &at, was, share);
            was = share;
            for unit in asked.iter().take(1) {
                if let Some(route) = unit.route() {
                    let act = Act::Compare { route, new: watched(asked), time: step.bake, limits: compare.clone() };
                    at = vec![draft.push(None, Some(&unit.service.service), &at, act)];
                }
            }
            if asked.is_empty() && !ahead.is_empty() {
                at = vec![draft.push(None, None, &at, Act::Bake { time: step.bake, watch: watched(ahead) })];
            }
        }
        if *then == CanaryThen::Approve && !plan.options.rollback {
            at = approval(plan, draft, &at);
        }
        if was == FULL { at } else { share_out(asked, draft, &at, was, FULL) }
    }
}

/// The new ones get `to` of a hundred requests, the old ones the rest. A new one that comes in gets its slot; the old ones give way after
/// that, so that there is never nobody.
fn share_out(asked: &[Unit<'_>], draft: &mut Draft, after: &[StepId], was: u16, to: u16) -> Vec<StepId> {
    let mut at = Vec::new();
    for unit in asked {
        let (Some(route), Some(incoming)) = (unit.route(), &unit.change.incoming) else { continue };
        let act = match was {
            0 => Act::Admit { route, container: incoming.subject(), weight: to },
            _ => Act::Weigh { route, container: incoming.subject(), to, was },
        };
        at.push(draft.push(Some(unit.host()), Some(&unit.service.service), after, act));
    }
    let new = if at.is_empty() { after.to_vec() } else { at };
    let mut at = Vec::new();
    for unit in asked.iter().filter(|_| to < FULL) {
        let (Some(route), Some(old)) = (unit.route(), unit.change.outgoing.as_ref().filter(|old| old.running)) else { continue };
        let act = Act::Weigh { route, container: old.subject(), to: FULL - to, was: FULL - was };
        at.push(draft.push(Some(unit.host()), Some(&unit.service.service), &new, act));
    }
    if at.is_empty() { new } else { at }
}

fn watched(units: &[Unit<'_>]) -> Vec<Watched> {
    let one = |unit: &Unit<'_>| {
        let container = unit.change.incoming.as_ref()?.subject();
        Some(Watched { host: unit.host().clone(), container, gate: unit.service.gate.clone() })
    };
    units.iter().filter_map(one).collect()
}

fn first_of_each<'a>(units: &[Unit<'a>]) -> (Vec<Unit<'a>>, Vec<Unit<'a>>) {
    let (mut ahead, mut behind): (Vec<Unit<'a>>, Vec<Unit<'a>>) = (Vec::new(), Vec::new());
    for unit in units {
        match ahead.iter().any(|other| other.service.service == unit.service.service) {
            true => behind.push(*unit),
            false => ahead.push(*unit),
        }
    }
    (ahead, behind)
}
