//! Strategies that have new ones beside old ones: what they roll must be able to stand there twice.
//!
//! They roll what we build and what a balancer sends requests to. A database of an outside image is neither: it changes only when it is
//! named, alone, and old before new.

use super::Judge;
use crate::{
    delivery::spec::{ImageSource, Order, RenderedService, StrategyKind, StrategySpec},
    written::Fault,
};

pub(super) fn check(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for (environment, rendered) in &judge.rendered {
        let Some(policy) = judge.template.environments.get(*environment).map(|found| &found.policy) else { continue };
        if let StrategyKind::Canary { .. } = policy.strategy.kind
            && rendered.services.values().all(|running| running.spec.traffic.is_none())
        {
            let origin = judge.places.value(&format!("environments.{environment}.strategy"));
            let message = "no service here has traffic, so there are no requests to part: rolling does the same without them";
            found.push(Fault::new(&origin, format!("environments.{environment}.strategy: canary: {message}")));
        }
        let Some(word) = side_by_side(&policy.strategy) else { continue };
        for (service, running) in rendered.services.iter().filter(|(_, running)| is_rolled(running)) {
            let fixed = running.spec.ports.iter().position(|port| port.host.is_some());
            let written = running.spec.volumes.iter().position(|volume| !volume.read_only);
            for (key, index, what) in [("ports", fixed, "a fixed port of the host"), ("volumes", written, "a volume that it writes to")] {
                let Some(index) = index else { continue };
                let origin = judge.places.service(environment.as_str(), service.as_str(), &format!("{key}.{index}"));
                let message = format!("in {environment}, {word} has new ones beside old ones, and both cannot have {what}");
                found.push(Fault::new(&origin, format!("services.{service}.{key}: {message}")));
            }
        }
    }
    judge.faults.extend(found);
}

fn is_rolled(running: &RenderedService) -> bool {
    matches!(running.spec.image, ImageSource::Built(_)) || running.spec.traffic.is_some()
}

/// The words that ask for old and new at once.
fn side_by_side(strategy: &StrategySpec) -> Option<&'static str> {
    match strategy.kind {
        StrategyKind::BlueGreen { .. } => Some("blue-green"),
        StrategyKind::Canary { .. } => Some("canary"),
        StrategyKind::Rolling { .. } | StrategyKind::Recreate => {
            (strategy.order == Some(Order::StartFirst)).then_some("order = \"start-first\"")
        }
    }
}
