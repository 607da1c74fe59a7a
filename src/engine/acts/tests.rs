use super::*;
use crate::stock::Kind;

#[test]
fn what_is_sent() {
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
        assert_eq!(route(&act, Object::Container, "ab12"), (method, path.to_owned()), "{act}");
    }
    for (kind, id, path) in [
        (Kind::Image, "sha256:ab12", "/images/sha256:ab12"),
        (Kind::Image, "registry:5000/shop/web:1.0", "/images/registry:5000/shop/web:1.0"),
        (Kind::Image, "a?force=1#x", "/images/a%3Fforce%3D1%23x"),
        (Kind::Volume, "shop-data", "/volumes/shop-data"),
        (Kind::Network, "9f2c", "/networks/9f2c"),
    ] {
        assert_eq!(route(&Act::Discard, Object::Stock(kind), id), (Method::DELETE, path.to_owned()), "{kind:?}");
    }
}
