//! The way back to what still runs behind the switch: one word to the balancer moves all requests, on all hosts at once, and all that follows
//! from it is done afterwards. No strategy spreads it: there is nothing to start and no capacity to lose.

use super::unit::{Unit, units};
use crate::delivery::{
    plan::{Change, Incoming, Old, Plan, ServicePlan},
    steps::{Act, Draft, Member, Route, StepId},
};

/// Whether every container of a service that changes gives way to one that is warm.
pub(super) fn is_flip(plan: &Plan, service: &ServicePlan) -> bool {
    let warm = |change: &Change| {
        let comes = matches!(&change.incoming, Some(Incoming::Back(Old { running: true, .. })));
        comes && change.outgoing.as_ref().is_some_and(|old| old.running)
    };
    let mut changes = service.changes.iter().filter(|change| change.is_change()).peekable();
    plan.options.rollback && service.traffic.is_some() && changes.peek().is_some() && changes.all(warm)
}

/// Gates, one switch for each service, and then what is tidied up.
pub(super) fn flip(plan: &Plan, services: &[&ServicePlan], draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
    draft.next_batch();
    let mut switched = Vec::new();
    for service in services {
        let units = units(plan, &[*service]);
        let Some(route) = units.iter().find_map(|unit| unit.route()) else { continue };
        let serve: Vec<_> = units.iter().flat_map(|unit| unit.serve(draft, after)).collect();
        let at = vec![draft.push(None, Some(&service.service), &serve, switch(route, &units))];
        for unit in &units {
            // Its name tells that it is in use again, and the other's that it is not.
            unit.make(draft, &at);
            unit.go(draft, &at);
        }
        switched.extend(at);
    }
    switched
}

fn switch(route: Route, units: &[Unit<'_>]) -> Act {
    let to =
        units.iter().filter_map(|unit| Some(Member { host: unit.host().clone(), container: unit.change.incoming.as_ref()?.subject() }));
    let from =
        units.iter().filter_map(|unit| Some(Member { host: unit.host().clone(), container: unit.change.outgoing.as_ref()?.subject() }));
    Act::Switch { route, to: to.collect(), from: from.collect() }
}
