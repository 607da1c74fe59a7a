//! From method and path to what is asked. Pure; foreign input: nothing here may panic.

use http::Method;

use super::query::decode;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `_ping`.
    Ping,
    /// `version`.
    Version,
    /// `info`.
    Info,
    /// `events`.
    Events,
    /// `system/df`.
    Df,
    /// `containers/json`.
    Containers,
    /// `containers/{id}/…`, to look.
    Container(String, View),
    /// `POST containers/{id}/…` and `DELETE containers/{id}`.
    Act(String, Verb),
    /// `images/json`.
    Images,
    /// `images/{name}/json`.
    Image(String),
    /// `DELETE images/{name}`.
    RemoveImage(String),
    /// `networks`.
    Networks,
    /// `networks/{id}`.
    Network(String),
    /// `volumes`.
    Volumes,
    /// Nothing known.
    Unknown,
}

/// What to see of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `json`.
    Inspect,
    /// `logs`.
    Logs,
    /// `stats`.
    Stats,
    /// `top`.
    Top,
    /// `changes`.
    Changes,
}

/// What to do to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `restart`.
    Restart,
    /// `kill`.
    Kill,
    /// `pause`.
    Pause,
    /// `unpause`.
    Unpause,
    /// `rename`.
    Rename,
    /// `DELETE`.
    Remove,
}

/// An API version, as in `/v1.41/`.
pub type ApiVersion = (u32, u32);

/// Splits `/v1.41/x` into version and `/x`.
pub fn version(path: &str) -> (Option<ApiVersion>, &str) {
    let split = || {
        let rest = path.strip_prefix("/v")?;
        let end = rest.find('/')?;
        Some((parse_version(&rest[..end])?, &rest[end..]))
    };
    match split() {
        Some((version, rest)) => (Some(version), rest),
        None => (None, path),
    }
}

/// Reads `1.41`.
pub fn parse_version(text: &str) -> Option<ApiVersion> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What a path without its version asks for.
pub fn route(method: &Method, path: &str) -> Route {
    let parts: Vec<String> = path.trim_matches('/').split('/').map(|part| decode(part, false)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let get = *method == Method::GET;
    match parts.as_slice() {
        ["_ping"] if get || *method == Method::HEAD => Route::Ping,
        ["version"] if get => Route::Version,
        ["info"] if get => Route::Info,
        ["events"] if get => Route::Events,
        ["system", "df"] if get => Route::Df,
        ["containers", "json"] if get => Route::Containers,
        ["containers", id, view] if get => {
            let view = match *view {
                "json" => View::Inspect,
                "logs" => View::Logs,
                "stats" => View::Stats,
                "top" => View::Top,
                "changes" => View::Changes,
                _ => return Route::Unknown,
            };
            Route::Container((*id).to_owned(), view)
        }
        ["containers", id, verb] if *method == Method::POST => {
            let verb = match *verb {
                "start" => Verb::Start,
                "stop" => Verb::Stop,
                "restart" => Verb::Restart,
                "kill" => Verb::Kill,
                "pause" => Verb::Pause,
                "unpause" => Verb::Unpause,
                "rename" => Verb::Rename,
                _ => return Route::Unknown,
            };
            Route::Act((*id).to_owned(), verb)
        }
        ["containers", id] if *method == Method::DELETE => Route::Act((*id).to_owned(), Verb::Remove),
        ["images", "json"] if get => Route::Images,
        ["images", name @ .., "json"] if get && !name.is_empty() => Route::Image(name.join("/")),
        ["images", name @ ..] if *method == Method::DELETE && !name.is_empty() => Route::RemoveImage(name.join("/")),
        ["networks"] if get => Route::Networks,
        ["networks", id] if get => Route::Network((*id).to_owned()),
        ["volumes"] if get => Route::Volumes,
        _ => Route::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::{Route, Verb, View, route, version};
    use crate::sim::http::query::Query;

    #[test]
    fn known_paths() {
        for (method, path, want) in [
            (Method::HEAD, "/_ping", Route::Ping),
            (Method::GET, "/containers/web%2D1/json", Route::Container("web-1".to_owned(), View::Inspect)),
            (Method::POST, "/containers/web/kill", Route::Act("web".to_owned(), Verb::Kill)),
            (Method::DELETE, "/containers/web", Route::Act("web".to_owned(), Verb::Remove)),
            (Method::GET, "/images/registry:5000/a/b:1/json", Route::Image("registry:5000/a/b:1".to_owned())),
            (Method::POST, "/info", Route::Unknown),
            (Method::GET, "/", Route::Unknown),
        ] {
            assert_eq!(route(&method, path), want, "{method} {path}");
        }
        assert_eq!(version("/v1.41/info"), (Some((1, 41)), "/info"));
        assert_eq!(version("/version"), (None, "/version"));
        assert_eq!(version("/vx/info"), (None, "/vx/info"));
    }

    proptest! {
        #[test]
        fn any_request_is_read_without_panic(path in ".{0,80}", text in "[ -~é]{0,80}", key in "(since|until|tail|all|filters)") {
            let (_, rest) = version(&path);
            for method in [Method::GET, Method::POST, Method::DELETE, Method::HEAD] {
                let _ = route(&method, rest);
            }
            let query = Query::parse(&format!("{key}={text}&{text}"));
            let _ = (query.flag(&key, true), query.moment(&key), query.filters());
        }

        #[test]
        fn moments_keep_their_nanoseconds(seconds in 1i64..9_000_000_000, nanos in 0i64..1_000_000_000) {
            let query = Query::parse(&format!("since={seconds}.{nanos:09}"));
            prop_assert_eq!(query.moment("since"), Some(seconds * 1_000_000_000 + nanos));
        }
    }
}
