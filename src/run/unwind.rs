//! The way back: each step's inverse, in the opposite order, as much at once as the way forward allowed.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{
    evidence,
    executor::{Drive, Outcome, Stop, fence, sentence, sentences},
    failure::{Failure, FailureKind},
    halt::Halt,
    journal::{State, Word},
    log::outcome,
    perform::Scene,
    port::Port,
    records::Records,
};
use crate::delivery::{
    spec::OnFailure,
    steps::{Act, Phase, Step, StepId},
};

impl<'a, P: Port, R: Records> Drive<'a, P, R> {
    /// What a person asked for: everything that was begun.
    pub(super) async fn told_back(&mut self) -> Result<Outcome, Stop> {
        let scope = self.begun(&|_| true);
        self.turn("taken back by a person".into(), scope, State::Unwound).await
    }

    /// A step failed: evidence first, then back as far as the policy says.
    pub(super) async fn failed(&mut self, step: &Step, failure: Failure) -> Result<Outcome, Stop> {
        let because = sentence(step, &failure);
        if let Some(place) = evidence::keep(self.scene, self.plan, step, &because).await {
            self.log.write(self.held, vec![Word::Bundle { place }]).await?;
        }
        let (scope, state) = match self.plan.strategy.on_failure {
            OnFailure::Park => return Err(Stop(because)),
            OnFailure::Deployment => (self.begun(&|_| true), State::Unwound),
            OnFailure::Batch => (self.begun(&|other| other.batch == step.batch), State::Failed),
            OnFailure::Host => (self.begun(&|other| other.host.is_some() && other.host == step.host), State::Failed),
        };
        let one_way = |other: &&Step| matches!(other.act, Act::Job { one_way: true, .. }) && self.log.progress.begun.contains(&other.id);
        if let Some(job) = self.scene.script.steps.iter().find(one_way) {
            return Err(Stop(format!("{because}; it is not taken back by itself, as this cannot be undone: {}", job.act)));
        }
        self.turn(because.into(), scope, state).await
    }

    fn begun(&self, wanted: &dyn Fn(&Step) -> bool) -> BTreeSet<StepId> {
        let begun = |step: &&Step| step.phase < Phase::Clean && self.log.progress.begun.contains(&step.id) && wanted(step);
        self.scene.script.steps.iter().filter(begun).map(|step| step.id).collect()
    }

    async fn turn(&mut self, because: Arc<str>, scope: BTreeSet<StepId>, state: State) -> Result<Outcome, Stop> {
        let word = Word::Turned { because: Arc::clone(&because), scope: scope.clone(), to: state };
        self.log.write(self.held, vec![word]).await?;
        self.back(because, &scope, state).await
    }

    /// Takes back what was decided to be taken back.
    pub(super) async fn back(&mut self, because: Arc<str>, scope: &BTreeSet<StepId>, state: State) -> Result<Outcome, Stop> {
        let stuck = self.unwind(scope).await?;
        let left = self.after_failure().await?;
        if stuck.is_empty() {
            let reason = if left.is_empty() { because } else { format!("{because}; {left}").into() };
            return Ok(Outcome { state, reason: Some(reason), owed: BTreeSet::new() });
        }
        let owed = stuck.iter().filter_map(|(step, _)| step.host.clone()).collect();
        let reason = format!("{because}; not all of it is taken back: {}", sentences(&stuck));
        Ok(Outcome { state: State::Failed, reason: Some(reason.into()), owed })
    }

    /// Jobs for this case; what is wrong with them is told and changes nothing.
    async fn after_failure(&mut self) -> Result<String, Stop> {
        let mut left = Vec::new();
        let script = self.scene.script;
        let calm = self.calm();
        for step in &script.failed {
            if self.log.progress.done.contains(&step.id) {
                continue;
            }
            self.log.write(self.held, vec![Word::Intent { step: step.id }]).await?;
            let result = calm.perform(step.id, step.host.as_ref(), &step.act).await;
            self.log.write(self.held, vec![outcome(step.id, &result)]).await?;
            if let Err(failure) = result {
                left.push(sentence(step, &failure));
            }
        }
        Ok(left.join("; "))
    }

    /// The way back is not broken off by what broke off the way forward.
    fn calm(&self) -> Scene<'a, P, R> {
        Scene {
            port: self.scene.port,
            records: self.scene.records,
            deployment: self.scene.deployment,
            script: self.scene.script,
            halt: Halt::default(),
            notes: self.scene.notes,
            hosts: self.scene.hosts,
            filling: tokio::sync::Mutex::new(()),
        }
    }

    /// Performs the inverses of these steps; the answer is where that did not work.
    ///
    /// A step's inverse waits for the inverses of all that came after it. An old container that is started again and does not get well holds up other
    /// hosts, which still serve, but not the rest of its own.
    pub(super) async fn unwind(&mut self, scope: &BTreeSet<StepId>) -> Result<Vec<(&'a Step, Failure)>, Stop> {
        let calm = self.calm();
        let held = self.held;
        let steps: Vec<&'a Step> = self.scene.script.steps.iter().filter(|step| scope.contains(&step.id)).collect();
        let mut stuck: Vec<(&'a Step, Failure)> = Vec::new();
        let mut under_way: BTreeSet<StepId> = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut words = Vec::new();
        loop {
            let undone = &self.log.progress.undone;
            let over = |other: &Step, of: &Step| {
                let soft =
                    |(step, failure): &(&Step, Failure)| step.id == other.id && failure.kind == FailureKind::Gate && step.host == of.host;
                undone.contains(&other.id) || stuck.iter().any(soft)
            };
            let ready = |step: &&&'a Step| {
                let waits =
                    !undone.contains(&step.id) && !under_way.contains(&step.id) && !stuck.iter().any(|(other, _)| other.id == step.id);
                waits && steps.iter().filter(|other| other.after.contains(&step.id)).all(|other| over(other, step))
            };
            let ready: Vec<&'a Step> = steps.iter().filter(ready).copied().collect();
            let (effects, looks): (Vec<_>, Vec<_>) = ready.into_iter().partition(|step| !step.act.inverse().is_empty());
            let more = !looks.is_empty();
            words.extend(looks.iter().map(|step| Word::UndoOutcome { step: step.id, error: None }));
            words.extend(effects.iter().map(|step| Word::UndoIntent { step: step.id }));
            self.log.write(held, std::mem::take(&mut words)).await?;
            for step in effects {
                under_way.insert(step.id);
                let calm = &calm;
                running.push(async move {
                    let result = match fence(calm, held, step).await {
                        Ok(()) => undo(calm, step).await,
                        Err(failure) => Err(failure),
                    };
                    (step, result)
                });
            }
            if more {
                continue;
            }
            let Some((step, result)) = running.next().await else { return Ok(stuck) };
            under_way.remove(&step.id);
            let error = result.as_ref().err().map(|failure| Arc::from(failure.text.as_str()));
            words.push(Word::UndoOutcome { step: step.id, error });
            match result {
                // Known from here on; written down before anything that follows from it begins.
                Ok(()) => drop(self.log.progress.undone.insert(step.id)),
                Err(failure) if matches!(failure.kind, FailureKind::Fenced | FailureKind::Undone) => return Err(failure.into()),
                Err(failure) => stuck.push((step, failure)),
            }
        }
    }
}

async fn undo<P: Port, R: Records>(scene: &Scene<'_, P, R>, step: &Step) -> Result<(), Failure> {
    for act in step.act.inverse() {
        scene.perform(step.id, step.host.as_ref(), &act).await?;
    }
    Ok(())
}
