//! The requests that only read, as Docker's API documents them: method, path and the query keys of each.
//!
//! A query key that is not listed refuses the request: keys may change what a route does.

use http::Method;

/// Longer paths are nobody's container or image: names are limited to 255 bytes.
const PATH_LIMIT: usize = 1024;
/// Filters may be long; a request line beyond this is refused by engines too.
const LIMIT: usize = 16 * 1024;

/// A piece of a route's path.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Is(&'static str),
    /// One name or id.
    Name,
    /// An image reference, which may hold slashes.
    Image,
}
use Part::{Image, Is, Name};

/// Path, and the query keys that are known to change nothing but the answer.
type Route = (&'static [Part], &'static [&'static str]);

const ROUTES: &[Route] = &[
    (&[Is("_ping")], &[]),
    (&[Is("version")], &[]),
    (&[Is("info")], &[]),
    (&[Is("events")], &["since", "until", "filters"]),
    (&[Is("system"), Is("df")], &["type", "verbose"]),
    (&[Is("containers"), Is("json")], &["all", "limit", "size", "filters"]),
    (&[Is("containers"), Name, Is("json")], &["size"]),
    (&[Is("containers"), Name, Is("logs")], &["follow", "stdout", "stderr", "since", "until", "timestamps", "tail", "details"]),
    (&[Is("containers"), Name, Is("stats")], &["stream", "one-shot"]),
    (&[Is("containers"), Name, Is("top")], &["ps_args"]),
    (&[Is("containers"), Name, Is("changes")], &[]),
    (&[Is("images"), Is("json")], &["all", "filters", "shared-size", "digests", "manifests"]),
    (&[Is("images"), Image, Is("json")], &["manifests", "platform"]),
    (&[Is("images"), Image, Is("history")], &["platform"]),
    (&[Is("distribution"), Image, Is("json")], &[]),
    (&[Is("volumes")], &["filters"]),
    (&[Is("volumes"), Name], &[]),
    (&[Is("networks")], &["filters"]),
    (&[Is("networks"), Name], &["verbose", "scope"]),
    (&[Is("services")], &["filters", "insertDefaults", "status"]),
    (&[Is("tasks")], &["filters"]),
    (&[Is("nodes")], &["filters"]),
];

/// Whether the request is on the list, written canonically.
pub(super) fn reads_only(method: &Method, path_and_query: &str) -> bool {
    if !(method == Method::GET || method == Method::HEAD) || path_and_query.len() > LIMIT {
        return false;
    }
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    if path.len() > PATH_LIMIT {
        return false;
    }
    let Some(rest) = path.strip_prefix('/') else { return false };
    let segments: Vec<&str> = rest.split('/').collect();
    let segments = match segments.split_first() {
        Some((first, rest)) if is_version(first) => rest,
        _ => &segments,
    };
    ROUTES.iter().any(|(parts, keys)| fits(parts, segments) && query.is_none_or(|query| plain_query(query, keys)))
}

fn fits(parts: &[Part], segments: &[&str]) -> bool {
    match (parts, segments) {
        ([], []) => true,
        ([Is(word), parts @ ..], [segment, rest @ ..]) => word == segment && fits(parts, rest),
        ([Name, parts @ ..], [segment, rest @ ..]) => is_name(segment, "_.-") && fits(parts, rest),
        ([Image, parts @ ..], segments) => {
            let Some(tail) = segments.len().checked_sub(parts.len()) else { return false };
            tail > 0 && segments[..tail].iter().all(|segment| is_name(segment, "_.-:@")) && fits(parts, &segments[tail..])
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// `v1.41`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix("v1.").is_some_and(|minor| (1..=3).contains(&minor.len()) && minor.bytes().all(|b| b.is_ascii_digit()))
}

/// Begins with a letter or digit, so neither `.` nor `..`; no escape, so nothing hides.
fn is_name(segment: &str, signs: &str) -> bool {
    segment.starts_with(|c: char| c.is_ascii_alphanumeric()) && segment.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

fn plain_query(query: &str, keys: &[&str]) -> bool {
    query.is_empty()
        || query.split('&').all(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            keys.contains(&key) && escapes_hold(value) && (key != "ps_args" || is_ps_args(value))
        })
}

fn escapes_hold(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let ok = match byte {
            b'%' => bytes.next().is_some_and(|b| b.is_ascii_hexdigit()) && bytes.next().is_some_and(|b| b.is_ascii_hexdigit()),
            _ => byte.is_ascii_alphanumeric() || b"-_.~+*:,/".contains(&byte),
        };
        if !ok {
            return false;
        }
    }
    true
}

/// The engine runs `ps` on the host with these: only the forms that print no environment (`e`) and read no file.
fn is_ps_args(value: &str) -> bool {
    matches!(value, "-ef" | "aux" | "-eo+pid,ppid,user,pcpu,pmem,etime,args" | "-eo%20pid,ppid,user,pcpu,pmem,etime,args")
}
