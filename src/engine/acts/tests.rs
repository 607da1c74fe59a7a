use super::*;

#[test]
fn what_is_sent() {
    let id = ContainerId::new("ab12");
    for (act, method, path) in [
        (Act::Start, Method::POST, "/containers/ab12/start"),
        (Act::Stop { grace: None }, Method::POST, "/containers/ab12/stop"),
        (Act::Stop { grace: Some(3) }, Method::POST, "/containers/ab12/stop?t=3"),
        (Act::Restart { grace: Some(0) }, Method::POST, "/containers/ab12/restart?t=0"),
        (Act::Kill { signal: "SIGHUP".to_owned() }, Method::POST, "/containers/ab12/kill?signal=SIGHUP"),
        (Act::Pause, Method::POST, "/containers/ab12/pause"),
        (Act::Unpause, Method::POST, "/containers/ab12/unpause"),
        (Act::Rename { to: "web-2".to_owned() }, Method::POST, "/containers/ab12/rename?name=web%2D2"),
        (Act::Remove { force: true, volumes: false }, Method::DELETE, "/containers/ab12?force=true&v=false"),
    ] {
        assert_eq!(route(&act, &id), (method, path.to_owned()), "{act}");
    }
}
