//! A name is a variable or a secret, not both.

use std::{collections::BTreeMap, sync::Arc};

use super::Judge;
use crate::{
    delivery::spec::{Deliver, SecretUse},
    written::Fault,
};

pub(super) fn check(judge: &mut Judge<'_>) {
    let mut found = Vec::new();
    for (environment, rendered) in &judge.rendered {
        for (name, running) in &rendered.services {
            for variable in both(&running.spec.vars, &running.spec.secrets) {
                let places = [
                    format!("environments.{environment}.services.{name}.vars.{variable}"),
                    format!("environments.{environment}.vars.{variable}"),
                    format!("services.{name}.vars.{variable}"),
                ];
                let place = places.iter().find(|path| judge.places.said(path).is_some()).unwrap_or(&places[2]);
                found.push(Fault::new(
                    &judge.places.key(place),
                    format!("services.{name}: {variable} is a variable and a secret: one of them"),
                ));
            }
        }
    }
    for (name, job) in &judge.template.spec.jobs {
        for variable in both(&job.vars, &job.secrets) {
            let place = judge.places.key(&format!("jobs.{name}.vars.{variable}"));
            found.push(Fault::new(&place, format!("jobs.{name}: {variable} is a variable and a secret: one of them")));
        }
    }
    judge.faults.extend(found);
}

fn both<'a>(vars: &'a BTreeMap<Arc<str>, Arc<str>>, secrets: &'a [SecretUse]) -> impl Iterator<Item = &'a Arc<str>> {
    let secrets = secrets.iter().filter(|secret| secret.deliver == Deliver::Variable);
    secrets.map(|secret| &secret.name).filter(|name| vars.contains_key(*name))
}
