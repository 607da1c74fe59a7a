//! Some hosts at a time. The next batch begins when the new ones of the last one serve; their old ones are put away meanwhile.

use std::collections::BTreeMap;

use super::{
    Strategy,
    unit::{Unit, units},
};
use crate::{
    delivery::{
        plan::{Plan, ServicePlan},
        spec::{Batch, StrategyKind},
        steps::{Act, Draft, StepId},
    },
    fleet::HostId,
};

/// `rolling`.
pub(super) struct Rolling;

impl Strategy for Rolling {
    fn name(&self) -> &'static str {
        "rolling"
    }

    fn wave(&self, plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        roll(plan, services, draft, after)
    }
}

/// Batches of hosts, one after the other; what writes to a volume alone, one container after the other. Other strategies use it for what
/// they cannot do themselves.
pub(super) fn roll(plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    let pause = match &plan.strategy.kind {
        StrategyKind::Rolling { pause, .. } if !plan.options.rollback && !pause.is_zero() => Some(*pause),
        StrategyKind::Rolling { .. } | StrategyKind::Recreate | StrategyKind::BlueGreen { .. } | StrategyKind::Canary { .. } => None,
    };
    let mut after = after.to_vec();
    let mut first = true;
    for batch in batches(plan, services) {
        if let Some(time) = pause.filter(|_| !first) {
            after = vec![draft.push(None, None, &after, Act::Pause { time })];
        }
        first = false;
        draft.next_batch();
        // Nothing may wait for what is put away: stopping takes as long as it takes.
        after = batch.iter().flat_map(|unit| unit.replace(draft, &after)).collect();
    }
    after
}

fn batches<'a>(plan: &Plan, services: &[&'a ServicePlan]) -> Vec<Vec<Unit<'a>>> {
    let (alone, together): (Vec<_>, Vec<_>) = units(plan, services).into_iter().partition(|unit| unit.service.stateful);
    let mut hosts: BTreeMap<&HostId, Vec<Unit<'a>>> = BTreeMap::new();
    for unit in together {
        hosts.entry(unit.host()).or_default().push(unit);
    }
    // Hosts on which something of it is down already come first: they have nothing to lose.
    let mut hosts: Vec<_> = hosts.into_values().collect();
    hosts.sort_by_key(|units| units.iter().all(|unit| unit.change.outgoing.as_ref().is_some_and(|old| old.running)));
    let size = size(plan, hosts.len());
    let batches = hosts.chunks(size).map(|chunk| chunk.concat());
    alone.into_iter().map(|unit| vec![unit]).chain(batches).collect()
}

fn size(plan: &Plan, hosts: usize) -> usize {
    let batch = match &plan.strategy.kind {
        StrategyKind::Rolling { batch, .. } => *batch,
        StrategyKind::Recreate | StrategyKind::BlueGreen { .. } | StrategyKind::Canary { .. } => Batch::Count(1),
    };
    let size = match batch {
        Batch::Count(count) => usize::from(count),
        Batch::Percent(percent) => hosts * usize::from(percent) / 100,
    };
    size.max(1)
}
