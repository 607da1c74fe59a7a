//! What of the settings differs between two releases in an environment, by name: never a value.

use std::{fmt::Display, time::Duration};

use indexmap::IndexMap;

use crate::{
    delivery::{
        release::Release,
        spec::{OnFailure, Policy, Rendered, StrategyKind, StrategySpec},
        template::{Diff, Differs, Part, Standing, render},
    },
    fleet::EnvironmentId,
};

/// `web: GREETING`, `web: secret TOKEN`, `web: memory`, `worker: new`.
pub(super) fn changed(old: &Release, new: &Release, environment: &EnvironmentId) -> Vec<String> {
    let rendered = |release: &Release| -> Rendered { render(&release.spec, environment, &release.revision, &nowhere()) };
    let diff = Diff::of(&rendered(old), &rendered(new));
    diff.services.iter().map(named).chain(diff.jobs.iter().map(named)).collect()
}

fn named<N: Display>(differs: &Differs<N>) -> String {
    let parts: Vec<String> = differs
        .changes
        .iter()
        .map(|change| match (&change.name, change.part) {
            (Some(name), Part::Secrets) => format!("secret {name}"),
            (Some(name), _) => name.to_string(),
            (None, part) => part.to_string(),
        })
        .collect();
    let what = match differs.standing {
        Standing::Added => "new".to_owned(),
        Standing::Removed => "gone".to_owned(),
        Standing::Changed => parts.join(", "),
    };
    format!("{}: {what}", differs.name)
}

/// Where a release goes, and how, is no part of it: the same for both.
fn nowhere() -> Policy {
    Policy {
        hosts: Vec::new(),
        service_hosts: IndexMap::new(),
        service_traffic: IndexMap::new(),
        auto: false,
        after: None,
        approve: 0,
        strategy: StrategySpec {
            kind: StrategyKind::Recreate,
            order: None,
            bake: Duration::ZERO,
            max_failures: 0,
            keep_warm: Duration::ZERO,
            on_failure: OnFailure::Deployment,
        },
        verify: None,
    }
}
