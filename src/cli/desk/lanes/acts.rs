//! Freezes, thaws and answers: the same code that the verbs run, its words told at the foot of the screen.

use std::rc::Rc;

use chrono::Utc;

use super::{
    super::Desk,
    picture::{attempt, freeze as frozen, or_nothing},
};
use crate::{
    board::{
        News,
        lanes::{self, Question, Subject},
    },
    cli::{
        approve,
        build::Fresh,
        exit::Failure,
        freeze::{self, Done, Wish},
    },
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId},
    ledger::{Answer, Deployment, DeploymentFilter},
    run::journal::State,
};

/// Tells how a place stands.
pub(super) async fn tell_standing(desk: &Rc<Desk>, subject: Subject) {
    let answer = standing(desk, &subject).await.map_err(Failure::words);
    desk.tell(News::Lanes(lanes::News::Asked(subject, Utc::now(), answer))).await;
}

async fn standing(desk: &Desk, subject: &Subject) -> Result<Question, Failure> {
    let ledger = desk.history.ledger();
    let (app, environment, only) = match subject {
        Subject::Place { app, environment } => (app.clone(), environment.clone(), None),
        Subject::Deployment(id) => {
            let found = ledger.deployments().find(&id.to_string()).await.map_err(Failure::failed)?;
            (found.app, found.environment, Some(found.id))
        }
    };
    let known = or_nothing(ledger.freezes().of(&app, &environment).await)?;
    // What a host told of it was read with the lanes.
    let frozen = known.as_ref().map(frozen).or_else(|| desk.lanes.of(&app, |known| known.frozen.get(&environment).cloned()));
    let filter = DeploymentFilter { app: Some(app.clone()), environment: Some(environment.clone()), ..DeploymentFilter::default() };
    let past = or_nothing(ledger.deployments().list(filter).await)?;
    let is_asked =
        |one: &&Deployment| matches!(one.state, State::Waiting | State::Running) && only.as_ref().is_none_or(|only| *only == one.id);
    let mut waiting = Vec::new();
    for one in past.iter().rev().filter(is_asked) {
        let told = attempt(desk, one).await?;
        if told.missing() > 0 {
            waiting.push(told);
        }
    }
    Ok(Question { app, environment, frozen, waiting })
}

pub(super) async fn freeze(desk: &Rc<Desk>, place: (&AppName, &EnvironmentId), reason: &str) {
    carry_out(desk, Wish::Freeze, place, reason).await;
}

pub(super) async fn thaw(desk: &Rc<Desk>, place: (&AppName, &EnvironmentId), reason: &str) {
    carry_out(desk, Wish::Thaw, place, reason).await;
    // What a host told of it holds no more.
    desk.lanes.note(place.0, |known| drop(known.frozen.remove(place.1)));
    desk.lanes.look_again();
}

async fn carry_out(desk: &Rc<Desk>, wish: Wish, (app, environment): (&AppName, &EnvironmentId), reason: &str) {
    // As our copy has it: a server that is down keeps nobody from freezing.
    let (policy, warning) = match freeze::policy(&desk.sources, app, environment, Fresh::AsFetched).await {
        Ok(policy) => (policy, None),
        Err(why) => (None, Some(why)),
    };
    let done = freeze::carry_out(&desk.sources, wish, (app, environment), policy.as_ref(), reason).await;
    let line = match done {
        Ok(Done { told, left }) => [told].into_iter().chain(left).chain(warning).collect::<Vec<_>>().join(" · "),
        Err(failure) => format!("{app} in {environment}: {}", failure.words()),
    };
    desk.lanes.glance_again();
    desk.tell(News::Said(line)).await;
}

pub(super) async fn answer(desk: &Rc<Desk>, deployment: &DeploymentId, answer: Answer, reason: &str) {
    let line = approve::give(&desk.sources, &deployment.to_string(), answer, reason).await.unwrap_or_else(Failure::words);
    desk.lanes.glance_again();
    desk.tell(News::Said(line)).await;
}
