//! The Docker HTTP API in front of a simulated host: reads a request, looks at the host, answers as dockerd does.
//!
//! Owns status codes, headers and JSON shapes. What a container *is* or what happens to it is the [`engine`](super::engine)'s.

mod containers;
mod machine;
pub mod query;
pub mod route;
mod streams;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use serde_json::{Value, json};

use self::{
    query::Query,
    route::{Route, Verb, View},
};
use super::engine::{
    clock::Moment,
    gate::Deeds,
    host::{Host, Machine, Missing},
    lifecycle::{Act, Outcome, Refusal},
    log,
    world::World,
};

/// The oldest API version that is answered.
const OLDEST: (u32, u32) = (1, 24);

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Answer = Result<Response<Body>, Refusal>;

/// The connection ends without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection ends here")]
pub struct Aborted;

/// Answers one request to the host at place `me`.
///
/// # Errors
/// [`Aborted`] when the connection ends without an answer.
pub async fn answer(world: Arc<World>, me: usize, request: Request<Incoming>) -> Result<Response<Body>, Aborted> {
    let Some(slot) = world.hosts.get(me) else { return Ok(plain(StatusCode::NOT_FOUND, json!({}))) };
    let machine = slot.host().machine.clone();
    let (delay, failure) = slot.gate.answer();
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let mut deeds = slot.gate.deeds();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let fault = if changes { deeds.borrow_and_update().clone() } else { Deeds::Done };
    let answer = match (failure, &fault) {
        (Some(message), _) => Err(Refusal::new(500, message)),
        (None, Deeds::Refused(status, message)) => Err(Refusal::new(*status, message.clone())),
        (None, Deeds::Done | Deeds::Unanswered) => perform(&world, me, &machine, &request),
    };
    if fault == Deeds::Unanswered {
        // The sender lives as long as the host: the wait ends with the fault, or with the connection.
        let _ = deeds.wait_for(|now| *now != Deeds::Unanswered).await;
        return Err(Aborted);
    }
    let mut response = answer.unwrap_or_else(|refusal| {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        plain(status, json!({ "message": refusal.message }))
    });
    let headers = response.headers_mut();
    for (name, value) in [
        ("Api-Version", machine.api.clone()),
        ("Docker-Experimental", "false".to_owned()),
        ("Ostype", "linux".to_owned()),
        ("Server", format!("Docker/{} (linux)", machine.engine)),
    ] {
        // A scenario's version with odd characters is left out of the headers.
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

fn perform(world: &Arc<World>, me: usize, machine: &Machine, request: &Request<Incoming>) -> Answer {
    let (asked, path) = route::version(request.uri().path());
    let newest = route::parse_version(&machine.api).unwrap_or((1, 51));
    if let Some(asked) = asked {
        check_version(asked, newest)?;
    }
    let api = asked.unwrap_or(newest);
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let now = world.clock.now();
    let slot = world.hosts.get(me).ok_or_else(|| Refusal::new(404, "page not found"))?;
    let host = || slot.host();
    let json = |value: Value| Ok(json_answer(machine, value));
    match route::route(request.method(), path) {
        Route::Ping => Ok(text("OK")),
        Route::Version => json(machine::version(machine)),
        Route::Info => json(machine::info(&host(), now)),
        Route::Events => streams::events(world, me, &query),
        Route::Df => json(machine::df(&host(), now)),
        Route::Containers => json(containers::list(&host(), &query, now)?),
        Route::Container(id, View::Inspect) => {
            let host = host();
            json(containers::inspect(&host, find(&host, &id)?))
        }
        Route::Container(id, View::Logs) => streams::logs(world, me, &id, &query, api),
        Route::Container(id, View::Stats) => streams::stats(world, me, &id, &query),
        Route::Container(id, View::Top) => {
            let host = host();
            json(containers::top(&host, find(&host, &id)?)?)
        }
        Route::Container(id, View::Changes) => {
            find(&host(), &id)?;
            json(json!([{ "Path": "/tmp", "Kind": 0 }, { "Path": "/tmp/serve.pid", "Kind": 1 }]))
        }
        Route::Act(id, verb) => act(world, me, &id, verb, &query),
        Route::Images => json(machine::images(&host())),
        Route::Image(name) => json(machine::image(&host(), &name)?),
        Route::RemoveImage(name) => json(machine::remove_image(&mut host(), &name)?),
        Route::Networks => json(machine::networks(machine)),
        Route::Network(name) => json(machine::network(machine, &name)?),
        Route::Volumes => json(json!({ "Volumes": [], "Warnings": null })),
        Route::Unknown => Err(Refusal::new(404, "page not found")),
    }
}

fn check_version(asked: (u32, u32), newest: (u32, u32)) -> Result<(), Refusal> {
    let (major, minor) = asked;
    if asked > newest {
        let message = format!("client version {major}.{minor} is too new. Maximum supported API version is {}.{}", newest.0, newest.1);
        return Err(Refusal::new(400, message));
    }
    if asked < OLDEST {
        let message = format!(
            "client version {major}.{minor} is too old. Minimum supported API version is {}.{}, please upgrade your client to a newer version",
            OLDEST.0, OLDEST.1
        );
        return Err(Refusal::new(400, message));
    }
    Ok(())
}

fn act(world: &World, me: usize, id: &str, verb: Verb, query: &Query) -> Answer {
    let done = StatusCode::NO_CONTENT;
    let act = match verb {
        Verb::Start => Act::Start,
        Verb::Stop => Act::Stop,
        Verb::Restart => Act::Restart,
        Verb::Kill => Act::Kill(query.get("signal").unwrap_or_default().to_owned()),
        Verb::Pause => Act::Pause,
        Verb::Unpause => Act::Unpause,
        Verb::Rename => Act::Rename(query.get("name").unwrap_or_default().to_owned()),
        Verb::Remove => Act::Remove(query.flag("force", false)),
    };
    let status = match world.act(me, id, &act)? {
        Outcome::Done => done,
        Outcome::Already => StatusCode::NOT_MODIFIED,
    };
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = status;
    Ok(response)
}

/// The place of the container that a request means.
fn find(host: &Host, name: &str) -> Result<usize, Refusal> {
    host.find(name).map_err(|missing| match missing {
        Missing::Nothing => Refusal::new(404, format!("No such container: {name}")),
        Missing::Several => Refusal::new(400, format!("multiple IDs found with provided prefix: {name}")),
    })
}

fn plain(status: StatusCode, value: Value) -> Response<Body> {
    body(status, "application/json", Full::new(Bytes::from(format!("{value}\n"))).boxed_unsync())
}

fn json_answer(machine: &Machine, value: Value) -> Response<Body> {
    body(StatusCode::OK, "application/json", Full::new(json_bytes(machine, &value)).boxed_unsync())
}

/// The JSON and a newline; broken where the host's scenario wants it broken.
fn json_bytes(machine: &Machine, value: &Value) -> Bytes {
    let text = format!("{value}\n");
    Bytes::from(if machine.broken_utf8 { log::raw(text.as_bytes()) } else { text.into_bytes() })
}

fn text(words: &'static str) -> Response<Body> {
    body(StatusCode::OK, "text/plain; charset=utf-8", Full::new(Bytes::from_static(words.as_bytes())).boxed_unsync())
}

fn body(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// Whole seconds since 1970.
fn seconds(wall: i64) -> i64 {
    wall.div_euclid(1_000_000_000)
}

/// How long ago, in the engine's words: `3 days`, `About a minute`.
fn ago(wall: i64, now: Moment) -> String {
    let seconds = ((now.wall - wall) / 1_000_000_000).max(0);
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 14 => format!("{} days", hours / 24),
        () if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", hours / 24 / 365),
    }
}
