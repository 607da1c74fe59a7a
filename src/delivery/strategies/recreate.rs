//! All at once, the old ones down first: the shortest way where being away for a moment does not matter, and the only one where two versions must
//! never run side by side.

use super::{Strategy, unit::units};
use crate::delivery::{
    plan::{Plan, ServicePlan},
    steps::{Draft, StepId},
};

/// `recreate`.
pub(super) struct Recreate;

impl Strategy for Recreate {
    fn name(&self) -> &'static str {
        "recreate"
    }

    fn wave(&self, plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        draft.next_batch();
        let units = units(plan, services);
        // No new one starts before the last old one is down, on any host.
        let made: Vec<_> = units.iter().map(|unit| unit.make(draft, after)).collect();
        let stopped: Vec<_> = units.iter().zip(&made).flat_map(|(unit, made)| unit.stop(draft, made)).collect();
        let mut ready = Vec::new();
        for unit in &units {
            let serves = unit.serve(draft, &stopped);
            let admitted = unit.admit(draft, &serves, crate::delivery::steps::FULL);
            unit.put_away(draft, &admitted);
            ready.extend(admitted);
        }
        ready
    }
}
