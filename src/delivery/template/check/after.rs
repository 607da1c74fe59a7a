//! `after`: each names another environment, none in a circle.

use super::Judge;
use crate::{delivery::template::read::values::unknown, fleet::EnvironmentId};

pub(super) fn check(judge: &mut Judge<'_>) {
    let environments = &judge.template.environments;
    let known: Vec<&str> = environments.keys().map(EnvironmentId::as_str).collect();
    let mut told: Vec<&EnvironmentId> = Vec::new();
    for (name, environment) in environments {
        let Some(after) = &environment.policy.after else { continue };
        let origin = judge.places.value(&format!("environments.{name}.after"));
        if !environments.contains_key(after) {
            judge.fault(&origin, format!("environments.{name}.after: {}", unknown("environment", after.as_str(), &known)));
            continue;
        }
        // Each environment comes after at most one: the way is a line.
        let mut way = vec![name];
        let mut next = after;
        while !way.contains(&next) {
            way.push(next);
            match environments.get(next).and_then(|environment| environment.policy.after.as_ref()) {
                Some(after) => next = after,
                None => break,
            }
        }
        if next == name && !told.contains(&name) {
            told.extend(&way);
            let circle: Vec<&str> = way.iter().map(|name| name.as_str()).chain([name.as_str()]).collect();
            judge.fault(&origin, format!("environments.{name}.after: a circle: {}: no build would ever get in", circle.join(" after ")));
        }
    }
}
