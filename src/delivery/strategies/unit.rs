//! One container out, another in: the steps that all strategies are made of.

use std::{sync::Arc, time::Duration};

use crate::{
    delivery::{
        plan::{Change, Incoming, Old, Plan, ServicePlan},
        release::kept_name,
        spec::{Order, Restart, StrategyKind},
        steps::{Act, Draft, FULL, Route, StepId},
    },
    fleet::HostId,
};

/// What is under way when a container is drained may take so long; then it is cut, counted and shown.
const DRAIN: Duration = Duration::from_secs(30);

/// A container of a service that changes.
#[derive(Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) service: &'a ServicePlan,
    pub(super) change: &'a Change,
    /// Whether the old one runs on behind the switch for a while.
    warm: bool,
}

/// Everything of some services that changes, by host.
pub(super) fn units<'a>(plan: &Plan, services: &[&'a ServicePlan]) -> Vec<Unit<'a>> {
    let unit = |service: &'a ServicePlan, change: &'a Change| Unit { service, change, warm: stays_warm(plan, service, change) };
    let all = services.iter().flat_map(|service| service.changes.iter().map(move |change| unit(service, change)));
    let mut units: Vec<_> = all.filter(|unit| unit.change.is_change()).collect();
    units.sort_by(|a, b| a.change.host.cmp(&b.change.host));
    units
}

/// Whether a container runs on behind the switch: one whose requests come from a balancer, so that the way back is a word to that.
fn stays_warm(plan: &Plan, service: &ServicePlan, change: &Change) -> bool {
    let beside = service.order == Order::StartFirst && plan.strategy.kind != StrategyKind::Recreate;
    let replaced = change.incoming.is_some() && change.outgoing.as_ref().is_some_and(|old| old.running);
    beside && replaced && service.traffic.is_some() && !plan.strategy.keep_warm.is_zero()
}

/// The end of the window: what was kept warm is put away.
pub(super) fn cool(plan: &Plan, draft: &mut Draft) {
    let services: Vec<_> = plan.services.iter().collect();
    for unit in units(plan, &services).into_iter().filter(|unit| unit.warm) {
        let (Some(route), Some(old)) = (unit.route(), &unit.change.outgoing) else { continue };
        let withdrawn = unit.push(draft, &[], Act::Withdraw { route, container: old.subject() });
        let act = Act::SetRestart { container: old.subject(), to: Restart::No, was: old.restart, revive: None };
        let told = unit.push(draft, &[withdrawn], act);
        unit.push(draft, &[told], Act::Stop { container: old.subject(), grace: unit.service.stop });
    }
}

impl<'a> Unit<'a> {
    pub(super) fn host(&self) -> &'a HostId {
        &self.change.host
    }

    fn push(&self, draft: &mut Draft, after: &[StepId], act: Act) -> StepId {
        draft.push(Some(&self.change.host), Some(&self.service.service), after, act)
    }

    pub(super) fn route(&self) -> Option<Route> {
        let traffic = self.service.traffic.as_ref()?;
        Some(Route { lb: Arc::clone(&traffic.lb), backend: Arc::clone(&traffic.backend), port: traffic.port })
    }

    /// Old and new in the order that the service allows. The answer is the moment from which the new one serves: nobody waits for the old one to
    /// be put away.
    pub(super) fn replace(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        match self.service.order {
            Order::StartFirst => self.start_first(draft, after),
            Order::StopFirst => self.stop_first(draft, after),
        }
    }

    fn start_first(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let ready = self.come(draft, after);
        self.go(draft, &ready);
        ready
    }

    /// The new one is made before the old one stops: that much less time is lost.
    fn stop_first(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let made = self.make(draft, after);
        let stopped = self.stop(draft, &made);
        let serves = self.serve(draft, &stopped);
        let ready = self.admit(draft, &serves, FULL);
        self.put_away(draft, &ready);
        ready
    }

    /// The new one up to its first request.
    fn come(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let made = self.make(draft, after);
        let serves = self.serve(draft, &made);
        self.admit(draft, &serves, FULL)
    }

    /// The old one from its last request on.
    pub(super) fn go(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let stopped = if self.warm { self.drain(draft, after) } else { self.stop(draft, after) };
        self.put_away(draft, &stopped)
    }

    /// The new one is there and does not run.
    pub(super) fn make(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        match &self.change.incoming {
            Some(Incoming::New { blueprint, .. }) => vec![self.push(draft, after, Act::Create { blueprint: blueprint.clone() })],
            Some(Incoming::Back(old)) => {
                let mut after = after.to_vec();
                if old.name != old.home {
                    let act = Act::Rename { container: old.subject(), to: Arc::clone(&old.home), was: Arc::clone(&old.name) };
                    after = vec![self.push(draft, &after, act)];
                }
                if old.name != old.home && !old.running {
                    let act = Act::SetRestart { container: old.subject(), to: old.restart, was: Restart::No, revive: None };
                    after = vec![self.push(draft, &after, act)];
                }
                after
            }
            None => after.to_vec(),
        }
    }

    /// It runs and its gate is open.
    pub(super) fn serve(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let Some(incoming) = &self.change.incoming else { return after.to_vec() };
        let (container, restart) = match incoming {
            Incoming::New { blueprint, .. } => (blueprint.subject(), blueprint.restart),
            Incoming::Back(old) => (old.subject(), old.restart),
        };
        let mut after = after.to_vec();
        if !matches!(incoming, Incoming::Back(Old { running: true, .. })) {
            after = vec![self.push(draft, &after, Act::Start { container: container.clone(), restart })];
        }
        vec![self.push(draft, &after, Act::Gate { container, gate: self.service.gate.clone() })]
    }

    /// The balancer sends it requests.
    pub(super) fn admit(&self, draft: &mut Draft, after: &[StepId], weight: u16) -> Vec<StepId> {
        match (self.route(), &self.change.incoming) {
            (Some(route), Some(incoming)) => {
                vec![self.push(draft, after, Act::Admit { route, container: incoming.subject(), weight })]
            }
            (Some(_) | None, _) => after.to_vec(),
        }
    }

    /// The balancer sends the old one nothing any more.
    fn drain(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        match (self.route(), self.running_old()) {
            (Some(route), Some(old)) => {
                vec![self.push(draft, after, Act::Drain { route, container: old.subject(), within: DRAIN, weight: FULL })]
            }
            (Some(_) | None, _) => after.to_vec(),
        }
    }

    /// The old one does not run, and no engine will start it again.
    pub(super) fn stop(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let mut after = self.drain(draft, after);
        let Some(old) = &self.change.outgoing else { return after };
        if let (Some(route), true) = (self.route(), old.running) {
            after = vec![self.push(draft, &after, Act::Withdraw { route, container: old.subject() })];
        }
        let revive = old.running.then(|| old.gate.clone());
        after = vec![self.push(draft, &after, Act::SetRestart { container: old.subject(), to: Restart::No, was: old.restart, revive })];
        // Whether it runs now or not: one that ends again and again may stand still when the plan is made, and run a moment later.
        vec![self.push(draft, &after, Act::Stop { container: old.subject(), grace: self.service.stop })]
    }

    /// The old one has the name of a kept one.
    pub(super) fn put_away(&self, draft: &mut Draft, after: &[StepId]) -> Vec<StepId> {
        let Some(old) = &self.change.outgoing else { return after.to_vec() };
        let act = Act::Rename { container: old.subject(), to: kept_name(&old.home), was: Arc::clone(&old.home) };
        vec![self.push(draft, after, act)]
    }

    fn running_old(&self) -> Option<&'a Old> {
        self.change.outgoing.as_ref().filter(|old| old.running)
    }
}
