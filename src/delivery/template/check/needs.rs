//! `needs`: each names a service, none in a circle, and none that starts later.

use std::collections::HashSet;

use super::Judge;
use crate::{delivery::template::read::values::unknown, fleet::ServiceName, written::Fault};

pub(super) fn check(judge: &mut Judge<'_>) {
    let services = &judge.template.spec.services;
    let known: Vec<&str> = services.keys().map(ServiceName::as_str).collect();
    for (name, service) in services {
        for (index, need) in service.needs.iter().enumerate() {
            let origin = judge.places.value(&format!("services.{name}.needs.{index}"));
            let message = match services.get(need) {
                None => unknown("service", need.as_str(), &known),
                Some(_) if need == name => format!("{need} needs itself"),
                Some(needed) if needed.start > service.start => {
                    format!("{need:?} starts later: it has start = {}, {name} has start = {}", needed.start, service.start)
                }
                Some(_) => continue,
            };
            judge.faults.push(Fault::new(&origin, format!("services.{name}.needs: {message}")));
        }
    }
    for (name, job) in &judge.template.spec.jobs {
        for (index, need) in job.needs.iter().enumerate().filter(|(_, need)| !services.contains_key(*need)) {
            let origin = judge.places.value(&format!("jobs.{name}.needs.{index}"));
            let message = format!("jobs.{name}.needs: {}", unknown("service", need.as_str(), &known));
            judge.faults.push(Fault::new(&origin, message));
        }
    }
    circles(judge);
}

/// Each circle once, at the need that closes it.
fn circles(judge: &mut Judge<'_>) {
    let services = &judge.template.spec.services;
    let mut done: HashSet<&ServiceName> = HashSet::new();
    for start in services.keys() {
        // The way from the start to where we stand, each with the next of its needs to follow.
        let mut way: Vec<(&ServiceName, usize)> = vec![(start, 0)];
        while let Some((name, next)) = way.last_mut() {
            let name = *name;
            let index = *next;
            *next += 1;
            let needs = services.get(name).map_or(&[][..], |service| &service.needs);
            let Some(need) = needs.get(index).filter(|_| !done.contains(name)) else {
                done.insert(name);
                way.pop();
                continue;
            };
            let seen = way.iter().position(|(other, _)| *other == need);
            match seen {
                // Itself is told by the rule above.
                Some(_) if need == name => {}
                Some(at) => {
                    let circle: Vec<&str> = way[at..].iter().map(|(name, _)| name.as_str()).chain([need.as_str()]).collect();
                    let origin = judge.places.value(&format!("services.{name}.needs.{index}"));
                    judge.faults.push(Fault::new(&origin, format!("services.{name}.needs: a circle: {}", circle.join(" needs "))));
                }
                None if services.contains_key(need) && !done.contains(need) => way.push((need, 0)),
                None => {}
            }
        }
    }
}
