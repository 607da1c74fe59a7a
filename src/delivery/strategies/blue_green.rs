//! All new ones beside all old ones, then one switch. What cannot stand beside itself (a volume, a fixed port) is rolled.

use super::{
    Strategy,
    rolling::roll,
    unit::{Unit, units},
};
use crate::delivery::{
    plan::{Plan, ServicePlan},
    spec::Order,
    steps::{Act, Draft, FULL, StepId},
};

/// `blue-green`.
pub(super) struct BlueGreen;

impl Strategy for BlueGreen {
    fn name(&self) -> &'static str {
        "blue-green"
    }

    fn wave(&self, plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let (beside, rolled) = beside(plan, services);
        let after = roll(plan, &rolled, draft, after);
        draft.next_batch();
        let standing: Vec<_> = beside.iter().map(|unit| stand(unit, draft, &after)).collect();
        // Nobody gets a request before the last one stands.
        let all = standing.concat();
        let all = if all.is_empty() { after } else { all };
        let admitted: Vec<_> = beside.iter().map(|unit| unit.admit(draft, &all, FULL)).collect();
        let switched = admitted.concat();
        let switched = if switched.is_empty() { all } else { switched };
        for unit in &beside {
            unit.go(draft, &switched);
        }
        switched
    }
}

/// What can stand beside itself, and the services that cannot.
pub(super) fn beside<'a>(plan: &Plan, services: &[&'a ServicePlan]) -> (Vec<Unit<'a>>, Vec<&'a ServicePlan>) {
    let (first, rolled): (Vec<_>, Vec<_>) = services.iter().copied().partition(|service| service.order == Order::StartFirst);
    (units(plan, &first), rolled)
}

/// It serves, and nobody asks it yet.
pub(super) fn stand(unit: &Unit<'_>, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let made = unit.make(draft, after);
    unit.serve(draft, &made)
}

/// A person's yes.
pub(super) fn approval(plan: &Plan, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let question = format!("{} takes all requests of {} in {}", plan.release, plan.app, plan.environment).into();
    vec![draft.push(None, None, after, Act::Approve { question })]
}
