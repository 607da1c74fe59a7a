//! What goes from environment to environment by itself, and where it stops: pure rules over the environments' policies and what was
//! deployed there before.
//!
//! A release is tried once in an environment and never forced over what a person did there since: who wants it again deploys it by hand,
//! or commits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    delivery::{
        release::{DeploymentId, ReleaseId},
        spec::{ImageSource, Policy, Spec},
    },
    fleet::{EnvironmentId, ServiceName},
    run::journal::State,
};

/// An environment on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Which.
    pub environment: EnvironmentId,
    /// Whether releases go there without being asked for.
    pub auto: bool,
    /// How many people must say yes.
    pub approve: u32,
    /// Where a build must be good before.
    pub after: Option<EnvironmentId>,
}

impl Stage {
    /// What a policy says of the way.
    pub fn new(environment: &EnvironmentId, policy: &Policy) -> Self {
        Self { environment: environment.clone(), auto: policy.auto, approve: policy.approve, after: policy.after.clone() }
    }
}

/// The environments that a build comes to by itself, or whose gate it comes to: each after the one that it is `after`, else as written.
/// What is neither `auto` nor after any other is a person's alone.
pub fn stages(mut all: Vec<Stage>) -> Vec<Stage> {
    let mut way: Vec<Stage> = Vec::new();
    loop {
        let is_next = |stage: &Stage| match &stage.after {
            Some(after) => way.iter().any(|passed| passed.environment == *after),
            None => stage.auto,
        };
        // A loop of `after`, which no template has, would leave its environments out.
        let Some(next) = all.iter().position(is_next) else { return way };
        way.push(all.remove(next));
    }
}

/// A deployment in an environment, as the records have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Which.
    pub id: DeploymentId,
    /// What was put there.
    pub release: ReleaseId,
    /// Only this service was asked for.
    pub service: Option<ServiceName>,
    /// How it stands.
    pub state: State,
    /// Whether any step of it was begun: one that failed before, for want of a lock say, left everything as it was.
    pub stepped: bool,
    /// Why it is not good.
    pub reason: Option<Arc<str>>,
}

/// What is to happen to a release in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It goes there.
    Deploy,
    /// It is good there.
    Passed,
    /// A person has to be asked.
    Ask,
    /// A person is asked already.
    Waits(DeploymentId),
    /// Nothing, until a person does something.
    Stopped {
        /// Which deployment says so.
        by: DeploymentId,
        /// Why, in words that follow the environment's name.
        because: String,
    },
}

/// What is to happen. `past`: the environment's deployments, newest first.
pub fn next(stage: &Stage, release: &ReleaseId, service: Option<&ServiceName>, past: &[Past]) -> Next {
    let ours = past.iter().find(|past| {
        let tried = past.stepped || past.state != State::Failed;
        past.release == *release && past.service.as_ref() == service && tried
    });
    let Some(ours) = ours else { return if stage.auto && stage.approve == 0 { Next::Deploy } else { Next::Ask } };
    let why = ours.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let stopped = |because: String| Next::Stopped { by: ours.id.clone(), because };
    match ours.state {
        State::Waiting => Next::Waits(ours.id.clone()),
        State::Running => stopped(format!("deployment {} is under way", ours.id)),
        State::Parked => stopped(format!("deployment {} is parked{why}; resume or unwind it", ours.id)),
        State::Good => match past.iter().find(|past| past.state == State::Good) {
            Some(last) if last.release != *release => {
                stopped(format!("it was good, and {} was put there since, by deployment {}", last.release, last.id))
            }
            Some(_) | None => Next::Passed,
        },
        State::Unwound if !ours.stepped => stopped(format!("deployment {} was turned down{why}", ours.id)),
        State::Failed | State::Unwound => stopped(format!("deployment {} failed{why}; it is not tried again by itself", ours.id)),
    }
}

/// Image → `repository@sha256:…`.
type Images = BTreeMap<Arc<str>, Arc<str>>;

/// The services that have to be named for a build to change them: its outside images are other ones than those of an older build of the
/// same spec. Empty: the whole of it is to be deployed.
pub fn named(spec: &Spec, images: &Images, older: &Images) -> Vec<ServiceName> {
    let differing: BTreeSet<&Arc<str>> =
        images.iter().filter(|(name, digest)| older.get(*name) != Some(*digest)).map(|(name, _)| name).collect();
    if differing.iter().any(|name| spec.images.contains_key(*name)) {
        return Vec::new();
    }
    let uses = |source: &ImageSource| match source {
        ImageSource::Outside(reference) => differing.contains(reference),
        ImageSource::Built(_) => false,
    };
    spec.services.iter().filter(|(_, service)| uses(&service.image)).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, auto: bool, after: Option<&str>) -> Stage {
        Stage { environment: name.into(), auto, approve: 0, after: after.map(Into::into) }
    }

    #[test]
    fn the_way_goes_from_environment_to_environment() {
        let all = vec![
            stage("production", false, Some("staging")),
            stage("demo", false, None),
            stage("staging", true, Some("testing")),
            stage("testing", true, None),
            stage("second", false, Some("production")),
            stage("lost", true, Some("demo")),
        ];
        let names: Vec<_> = stages(all).into_iter().map(|stage| stage.environment.to_string()).collect();
        assert_eq!(names, ["testing", "staging", "production", "second"]);
    }

    fn release(text: &str) -> ReleaseId {
        format!("{text}+00000000").parse().unwrap()
    }

    fn past(number: u64, version: &str, state: State, stepped: bool) -> Past {
        Past { id: DeploymentId::new(number, 0), release: release(version), service: None, state, stepped, reason: Some("x".into()) }
    }

    #[test]
    fn a_release_is_tried_once_and_nothing_is_forced() {
        let (testing, production) = (stage("testing", true, None), stage("production", false, Some("testing")));
        let guarded = Stage { approve: 1, ..testing.clone() };
        let told = |stage: &Stage, past: &[Past]| match next(stage, &release("1.0-2-aaaaaaa"), None, past) {
            Next::Stopped { because, .. } => because,
            other => format!("{other:?}"),
        };
        let (old, new) = ("1.0-1-aaaaaaa", "1.0-2-aaaaaaa");
        for (past, expected) in [
            (vec![], "Deploy"),
            (vec![past(1, old, State::Good, true)], "Deploy"),
            (vec![past(2, new, State::Good, true), past(1, old, State::Good, true)], "Passed"),
            // It never began: the lock was another's.
            (vec![past(2, new, State::Failed, false)], "Deploy"),
            (vec![past(2, new, State::Failed, true)], "deployment 2-0000 failed: x; it is not tried again by itself"),
            (vec![past(2, new, State::Unwound, true)], "deployment 2-0000 failed: x; it is not tried again by itself"),
            (vec![past(2, new, State::Unwound, false)], "deployment 2-0000 was turned down: x"),
            (vec![past(2, new, State::Parked, true)], "deployment 2-0000 is parked: x; resume or unwind it"),
            (vec![past(2, new, State::Running, true)], "deployment 2-0000 is under way"),
            // Somebody went back by hand.
            (
                vec![past(3, old, State::Good, true), past(2, new, State::Good, true)],
                "it was good, and 1.0-1-aaaaaaa+00000000 was put there since, by deployment 3-0000",
            ),
        ] {
            assert_eq!(told(&testing, &past), expected, "{past:?}");
        }
        assert_eq!((told(&production, &[]), told(&guarded, &[])), ("Ask".to_owned(), "Ask".to_owned()));
        let waits = [past(2, new, State::Waiting, false)];
        assert_eq!(next(&production, &release(new), None, &waits), Next::Waits(DeploymentId::new(2, 0)));
        // One service of it is another matter than the whole.
        assert_eq!(next(&testing, &release(new), Some(&"db".into()), &[past(2, new, State::Good, true)]), Next::Deploy);
    }
}
