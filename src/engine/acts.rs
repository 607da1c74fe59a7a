//! Carries out acts on one host: each is sent exactly once. An answer that gets lost is never a reason to send again: the engine is asked
//! what is, and that is the outcome.
//!
//! An act outlives the link it was sent over, and ends with the host's task.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Report,
    docker::{Client, EngineError, OnceError, stock_path},
    live::Live,
};
use crate::{
    act::{Act, ActId, ActWord, Object, Outcome, Seen, Verdict},
    fleet::{ContainerId, HostId},
    stock::Kind,
};

/// An order that waited longer than this for its host is not carried out: what happens long after it was asked for is a surprise.
const FRESH: TimeDelta = TimeDelta::seconds(5);
/// How long a lost host is waited for to learn what became of an act, beyond the time for its answer.
const RETURN: Duration = Duration::from_secs(60);
/// Between two looks at what became of an act.
const LOOK: Duration = Duration::from_millis(300);

/// An order as it came.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub request: ActId,
    pub object: Object,
    pub target: Arc<str>,
    pub act: Act,
    pub asked: DateTime<Utc>,
}

/// The acts under way on one host; dropping it ends them, what was sent goes on over there.
pub(super) struct Acts {
    host: HostId,
    out: mpsc::Sender<Report>,
    live: watch::Receiver<Live>,
    images: Arc<Mutex<()>>,
    tasks: JoinSet<()>,
}

impl Acts {
    pub fn new(host: HostId, out: mpsc::Sender<Report>, live: watch::Receiver<Live>) -> Self {
        Self { host, out, live, images: Arc::default(), tasks: JoinSet::new() }
    }

    /// Begins one. How many are under way at once is bounded by who orders them.
    pub fn begin(&mut self, order: Order) {
        while self.tasks.try_join_next().is_some() {}
        let one = One { host: self.host.clone(), out: self.out.clone(), live: self.live.clone(), images: Arc::clone(&self.images) };
        self.tasks.spawn(one.perform(order));
    }
}

/// One act under way.
struct One {
    host: HostId,
    out: mpsc::Sender<Report>,
    live: watch::Receiver<Live>,
    /// Held while an image goes: an engine that is asked for two names of one image at once answers the second with an error of its own
    /// ("unrecognized image ID").
    images: Arc<Mutex<()>>,
}

impl One {
    async fn perform(self, order: Order) {
        let request = order.request;
        tracing::info!(host = %self.host, target = %order.target, act = %order.act, request = request.0, "act");
        let outcome = self.outcome(order).await;
        tracing::info!(host = %self.host, request = request.0, outcome = %outcome, "act over");
        self.say(request, ActWord::Over(outcome)).await;
    }

    async fn say(&self, request: ActId, word: ActWord) {
        // Nobody reads any more: the program ends.
        let _ = self.out.send(Report::Acted { host: self.host.clone(), request, word }).await;
    }

    async fn outcome(&self, order: Order) -> Outcome {
        let Order { request, object, target, act, asked } = order;
        if Utc::now() - asked > FRESH {
            return Outcome::Unreachable { why: "the host could not be reached in time".into() };
        }
        let Some(client) = self.live.borrow().client().cloned() else {
            return Outcome::Unreachable { why: "the host cannot be reached now".into() };
        };
        let _alone = match (&act, object) {
            (Act::Discard, Object::Stock(Kind::Image)) => Some(self.images.lock().await),
            _ => None,
        };
        let before = match look(&client, object, &target).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Outcome::Gone,
            Err(error) => return unsent(error),
        };
        if act.is_needless(&before) {
            return Outcome::Already;
        }
        let (method, path) = route(&act, object, &target);
        let sent = Instant::now();
        match client.once(method, &path, act.limit(before.stop_timeout)).await {
            Ok(StatusCode::NOT_MODIFIED) => Outcome::Already,
            Ok(_) => Outcome::Done,
            Err(OnceError::Refused { status: 404, .. }) => Outcome::Gone,
            Err(OnceError::Refused { status, message }) => Outcome::Refused { status, message: message.into() },
            Err(OnceError::NotSent(error)) => unsent(error),
            Err(OnceError::Unsure(error)) => {
                let why: Arc<str> = error.to_string().into();
                self.say(request, ActWord::Unsure { why: Arc::clone(&why) }).await;
                self.resolve(&act, (object, &target), &before, sent, &why).await
            }
        }
    }

    /// Asks the engine what is until that is plain, or nobody can tell.
    async fn resolve(&self, act: &Act, (object, id): (Object, &str), before: &Seen, sent: Instant, why: &str) -> Outcome {
        let settled = sent + act.settles_within(before.stop_timeout);
        let given_up = Instant::now() + act.settles_within(before.stop_timeout) + RETURN;
        let mut live = self.live.clone();
        loop {
            let client = match timeout_at(given_up, live.wait_for(|live| live.client().is_some())).await {
                Ok(Ok(live)) => live.client().cloned(),
                Ok(Err(_)) | Err(_) => None,
            };
            let Some(client) = client else {
                return Outcome::Unknown { why: format!("{why}, and the host did not come back to be asked").into() };
            };
            // A link that is about to be called lost answers with an error: the next look asks its successor.
            if let Ok(now) = look(&client, object, id).await {
                let seen = || now.as_ref().map_or_else(|| "it is gone".to_owned(), Seen::sentence).into();
                match act.verdict(before, now.as_ref()) {
                    Verdict::Done => return Outcome::DoneUnheard { seen: seen() },
                    Verdict::NotYet if Instant::now() >= settled => return Outcome::Undone { seen: seen() },
                    Verdict::NotYet => {}
                    Verdict::Gone => return Outcome::Gone,
                    Verdict::Untold => return Outcome::Unknown { why: format!("{why}, and what is does not show it").into() },
                }
            } else if Instant::now() >= given_up {
                return Outcome::Unknown { why: format!("{why}, and the engine does not answer").into() };
            }
            sleep(LOOK).await;
        }
    }
}

/// What a target is now; `None`: there is none.
async fn look(client: &Client, object: Object, id: &str) -> Result<Option<Seen>, EngineError> {
    let seen = match object {
        Object::Container => client.inspect_raw(&ContainerId::new(id)).await.map(|document| Seen::of(&document)),
        Object::Stock(kind) => client.stands(kind, id).await.map(|()| Seen::there()),
    };
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error before anything was sent.
fn unsent(error: EngineError) -> Outcome {
    match error {
        EngineError::Denied(denied) => Outcome::Denied { why: denied.to_string().into() },
        EngineError::Status { status, message } => Outcome::Refused { status, message: message.into() },
        EngineError::Connect(_) | EngineError::Timeout { .. } | EngineError::Broken { .. } | EngineError::Protocol { .. } => {
            Outcome::Unreachable { why: error.to_string().into() }
        }
    }
}

/// Method and path, as Docker's API documents them.
fn route(act: &Act, object: Object, id: &str) -> (Method, String) {
    let post = |verb: &str| (Method::POST, format!("/containers/{id}/{verb}"));
    let with_grace = |verb: &str, grace: &Option<u32>| match grace {
        Some(seconds) => post(&format!("{verb}?t={seconds}")),
        None => post(verb),
    };
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match act {
        Act::Start => post("start"),
        Act::Stop { grace } => with_grace("stop", grace),
        Act::Restart { grace } => with_grace("restart", grace),
        Act::Kill { signal } => post(&format!("kill?signal={}", escaped(signal))),
        Act::Pause => post("pause"),
        Act::Unpause => post("unpause"),
        Act::Rename { to } => post(&format!("rename?name={}", escaped(to))),
        Act::Discard => {
            let path = match object {
                Object::Container => format!("/containers/{id}"),
                Object::Stock(kind) => stock_path(kind, id),
            };
            (Method::DELETE, path)
        }
        Act::Remove { force, volumes } => (Method::DELETE, format!("/containers/{id}?force={force}&v={volumes}")),
    }
}

#[cfg(test)]
mod tests;
