//! The routes of the API against the list, and attempts to slip past it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use http::Method;
use proptest::prelude::*;
use regex::Regex;

use super::*;

fn view() -> Rights {
    Rights::view("read-only is set by /etc/quarterdeck/config.toml:3")
}

/// Every route of Docker's API 1.41 to 1.51; `+` marks what a viewer may ask for.
const ROUTES: &str = "
+GET /_ping\n+HEAD /_ping\n+GET /version\n+GET /info\n+GET /events\n+GET /system/df\n-POST /auth\n-POST /session\n-POST /grpc
+GET /containers/json\n-POST /containers/create\n+GET /containers/web-1/json\n+GET /containers/web-1/top\n+GET /containers/web-1/logs
+GET /containers/web-1/changes\n-GET /containers/web-1/export\n+GET /containers/web-1/stats\n-POST /containers/web-1/resize
-POST /containers/web-1/start\n-POST /containers/web-1/stop\n-POST /containers/web-1/restart\n-POST /containers/web-1/kill
-POST /containers/web-1/update\n-POST /containers/web-1/rename\n-POST /containers/web-1/pause\n-POST /containers/web-1/unpause
-POST /containers/web-1/attach\n-GET /containers/web-1/attach/ws\n-POST /containers/web-1/wait\n-DELETE /containers/web-1
-HEAD /containers/web-1/archive\n-GET /containers/web-1/archive\n-PUT /containers/web-1/archive\n-POST /containers/web-1/copy
-POST /containers/prune\n-POST /containers/web-1/exec\n-POST /exec/e1/start\n-POST /exec/e1/resize\n-GET /exec/e1/json
-GET /containers/web-1/checkpoints\n-POST /containers/web-1/checkpoints\n-DELETE /containers/web-1/checkpoints/c1
+GET /images/json\n-POST /build\n-POST /build/prune\n-POST /build/cancel\n-POST /images/create\n+GET /images/registry.internal:5000/shop/web:1.0/json
+GET /images/shop/web@sha256:ab/json\n+GET /images/web/history\n-POST /images/web/push\n-POST /images/web/tag\n-DELETE /images/web
-GET /images/search\n-POST /images/prune\n-POST /commit\n-GET /images/web/get\n-GET /images/a/b/get\n-GET /images/get\n-POST /images/load
+GET /networks\n+GET /networks/n1\n-DELETE /networks/n1\n-POST /networks/create\n-POST /networks/n1/connect\n-POST /networks/n1/disconnect
-POST /networks/prune\n+GET /volumes\n-POST /volumes/create\n+GET /volumes/v1\n-PUT /volumes/v1\n-DELETE /volumes/v1\n-POST /volumes/prune
-GET /swarm\n-POST /swarm/init\n-POST /swarm/join\n-POST /swarm/leave\n-POST /swarm/update\n-GET /swarm/unlockkey\n-POST /swarm/unlock
+GET /nodes\n-GET /nodes/n1\n-DELETE /nodes/n1\n-POST /nodes/n1/update\n+GET /services\n-POST /services/create\n-GET /services/s1
-DELETE /services/s1\n-POST /services/s1/update\n-GET /services/s1/logs\n+GET /tasks\n-GET /tasks/t1\n-GET /tasks/t1/logs
-GET /secrets\n-POST /secrets/create\n-GET /secrets/s1\n-DELETE /secrets/s1\n-POST /secrets/s1/update\n-GET /configs\n-POST /configs/create
-GET /configs/c1\n-DELETE /configs/c1\n-POST /configs/c1/update\n-GET /plugins\n-GET /plugins/privileges\n-POST /plugins/pull
-GET /plugins/p1/json\n-DELETE /plugins/p1\n-POST /plugins/p1/enable\n-POST /plugins/p1/disable\n-POST /plugins/p1/upgrade
-POST /plugins/create\n-POST /plugins/p1/push\n-POST /plugins/p1/set\n+GET /distribution/shop/web:1.0/json\n-GET /debug/pprof/\n-GET /metrics
";

#[test]
fn every_route_of_the_api() {
    let mut count = 0;
    for line in ROUTES.lines().filter(|line| !line.is_empty()) {
        let (expected, (method, path)) = (line.starts_with('+'), line[1..].split_once(' ').unwrap());
        let method: Method = method.parse().unwrap();
        for path in [path.to_owned(), format!("/v1.41{path}"), format!("/v1.51{path}")] {
            assert_eq!(view().may(&method, &path, false).is_ok(), expected, "{method} {path}");
            assert!(view().may(&method, &path, true).is_err(), "upgrade {method} {path}");
            assert!(Rights::Act.may(&method, &path, true).is_ok());
        }
        for other in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::CONNECT, Method::OPTIONS] {
            assert!(view().may(&other, path, false).is_err(), "{other} {path}");
        }
        count += 1;
    }
    assert!(count >= 100, "{count}");
}

#[test]
fn tricks_are_refused() {
    for path in [
        "",
        "/",
        "*",
        "_ping",
        "//_ping",
        "/_ping/",
        "/_PING",
        "/./_ping",
        "/v1.41",
        "/v1.41/",
        "/v1.41/v1.41/_ping",
        "/v2.0/_ping",
        "/v1./_ping",
        "/v1.4111/_ping",
        "/V1.41/_ping",
        "/v1.41x/_ping",
        "/containers/../json",
        "/containers/web/../../exec/json",
        "/containers/%2e%2e/json",
        "/containers/web%2fattach/json",
        "/containers/web%2Fexport",
        "/containers//json",
        "/containers/a/b/json",
        "/containers/web/json/",
        "/containers/web/json#x",
        "/containers/web;x/json",
        "/containers/-x/json",
        "/containers/w\u{e9}b/json",
        "/containers/w b/json",
        "/images//json",
        "/images/../containers/x/archive/json",
        "/images/a/../b/json",
        "/images/.hidden/json",
        "/images/json/",
        "/containers/web/attach/ws?stdin=1",
        "/containers/web/logs?evil=1",
        "/containers/web/top?ps_args=eww",
        "/containers/web/top?ps_args=-ef%20e",
        "/events?since=1&x=2",
        "/containers/json?all=1?x",
        "/containers/json?filters=%zz",
        "/containers/json?filters=%7",
        "/containers/json?all=1\r\nX:1",
        "/containers/json?ALL=1",
        "http://host/_ping",
        "/_ping\0",
        "/libpod/containers/json",
        "/v1.41/libpod/info",
    ] {
        assert!(view().may(&Method::GET, path, false).is_err(), "{path:?}");
    }
    let long = format!("/containers/{}/json", "a".repeat(5000));
    assert!(view().may(&Method::GET, &long, false).is_err());
}

#[test]
fn queries_that_only_read_pass() {
    for path in [
        "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D",
        "/v1.44/containers/ab12/logs?follow=true&stdout=true&stderr=true&since=1700000000&timestamps=true&tail=1000",
        "/containers/ab12/stats?stream=false&one-shot=true",
        "/containers/ab12/top?ps_args=-ef",
        "/events?since=1700000000.123456789&filters=%7B%7D",
        "/_ping?",
    ] {
        assert_eq!(view().may(&Method::GET, path, false), Ok(()), "{path}");
    }
}

#[test]
fn two_commands_by_ssh_and_the_sentence() {
    assert_eq!(view().check(Leaving::SshExec(DIAL_STDIO)), Ok(()));
    assert_eq!(view().check(Leaving::SshExec(HOST_METRICS)), Ok(()));
    for command in ["", "docker system dial-stdio ", "docker system dial-stdio; rm -rf /", "sh"] {
        assert!(view().check(Leaving::SshExec(command)).is_err(), "{command}");
        assert_eq!(Rights::Act.check(Leaving::SshExec(command)), Ok(()));
    }
    let denied = view().may(&Method::POST, "/containers/web/stop?t=1", false).unwrap_err();
    assert_eq!(denied.to_string(), "POST /containers/web/stop is refused: read-only is set by /etc/quarterdeck/config.toml:3");
}

fn reference() -> Regex {
    let name = "[A-Za-z0-9][A-Za-z0-9_.-]*";
    let image = "[A-Za-z0-9][A-Za-z0-9_.:@-]*(/[A-Za-z0-9][A-Za-z0-9_.:@-]*)*";
    Regex::new(&format!(
        r"\A(/v1\.[0-9]{{1,3}})?/(_ping|version|info|events|system/df|containers/json|containers/{name}/(json|logs|stats|top|changes)|images/json|images/{image}/(json|history)|distribution/{image}/json|(volumes|networks)(/{name})?|services|tasks|nodes)(\?[A-Za-z0-9_=&%.~+*:,/-]*)?\z"
    ))
    .unwrap()
}

proptest! {
    #[test]
    fn mutations_never_leave_the_reference(
        line in proptest::sample::select(ROUTES.lines().filter(|l| l.starts_with('+')).collect::<Vec<_>>()),
        prefix in "(/v1\\.[0-9]{1,2})?",
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), "[a-z/.%2eEfF?&=;:@#\\\\ \r\n-]{0,4}", any::<bool>()), 0..4),
    ) {
        let (method, path) = line[1..].split_once(' ').unwrap();
        let mut chars: Vec<char> = format!("{prefix}{path}").chars().collect();
        for (at, text, replace) in edits {
            let at = at.index(chars.len() + 1);
            let end = if replace { (at + 1).min(chars.len()) } else { at };
            chars.splice(at..end, text.chars());
        }
        let path: String = chars.into_iter().collect();
        if view().may(&method.parse().unwrap(), &path, false).is_ok() {
            prop_assert!(reference().is_match(&path), "{path:?}");
        }
    }
}

#[test]
fn a_balancer_is_only_asked_to_show() {
    for line in [
        "show info",
        "show stat",
        "show stat shop_web 4 -1",
        "show servers state",
        "show servers state shop_web",
        "show backend",
        "show table",
    ] {
        assert!(view().check(Leaving::Balancer(line)).is_ok(), "{line}");
    }
    for line in [
        "",
        "show",
        "show env",
        "show sess",
        "show table shop_web",
        "show statx",
        "show stat;set server a/b state maint",
        "show stat\nset server a/b state maint",
        "show stat \\;quit",
        " show stat",
        "SHOW STAT",
        "set server shop_web/s1 state drain",
        "shutdown sessions server a/b",
        "prompt",
    ] {
        assert!(view().check(Leaving::Balancer(line)).is_err(), "{line}");
        assert!(Rights::Act.check(Leaving::Balancer(line)).is_ok());
    }
    let denied = view().check(Leaving::Balancer("set server a/b state drain")).unwrap_err().to_string();
    assert!(denied.starts_with("\"set server a/b state drain\" to the balancer is refused: read-only is set by"), "{denied}");
    assert!(view().check(Leaving::BalancerFile("writing /etc/nginx/x.conf")).is_err());
}
