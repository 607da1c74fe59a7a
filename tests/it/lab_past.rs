//! The past on the screen, after two deployments by verbs and one restart by hand: in the history, in what changed near the service, and at a
//! moment between the two.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use crate::{lab::Lab, program::Program, terminal::pty::Console};

const HOST: &str = "app-01";

/// Says what the shop's pages are to say; that makes another release of it.
fn template(program: &Program, greeting: &str) -> String {
    let text = format!(
        r#"
[app]
name = "shop"
registry = "registry.invalid"
version = "1.0.1"

[services.web]
image = "base:latest"
command = ["sh", "-c", "mkdir -p /srv; echo $GREETING >/srv/index.html; exec httpd -f -p 80 -h /srv"]
ports = ["80"]
health = {{ http = "/", port = 80, interval = "200ms", rise = 2, timeout = "20s" }}
stop = "1s"

[environments.production]
hosts = ["{HOST}"]
strategy = {{ kind = "recreate", bake = "0s", keep-warm = "0s" }}

[environments.production.services.web]
vars = {{ GREETING = "{greeting}" }}
"#
    );
    program.file("shop/quarterdeck.toml", &text)
}

/// Puts it there; the release and the deployment.
fn deploy(program: &Program, greeting: &str) -> (String, String) {
    template(program, greeting);
    let ended = program.run(&["deploy", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--yes"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let newest = program.run(&["deployments", "shop", "--format", "json"]).rows().remove(0);
    assert_eq!(newest["state"], "good", "{newest:#}");
    (newest["release"].as_str().unwrap().to_owned(), newest["id"].as_str().unwrap().to_owned())
}

#[test]
fn history_a_moment_and_what_changed() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("past", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let address = lab.host(HOST)["address"].as_str().unwrap().to_owned();
    let shop = template(&program, "one");
    let state = program.file("state/.keep", "").replace("/.keep", "");
    program.file(
        ".config/quarterdeck/config.toml",
        &format!(
            "state = {state:?}\n[hosts.{HOST}]\nurl = \"tcp://{address}:2375\"\naddress = {address:?}\nenvironment = \"production\"\n[apps.shop]\ntemplate = {shop:?}\n"
        ),
    );
    let (old, first) = deploy(&program, "one");
    let between = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let (new, second) = deploy(&program, "two");
    assert_ne!(old, new);

    let words = program.words(&[]);
    let mut console = Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), 160, 50, "xterm-256color");
    console.expect("1/1 live");
    console.expect("1.0.1-1-aaaaaa1");
    let web = lab.docker(HOST, &["ps", "-q", "--filter", "label=quarterdeck.service=web", "--filter", "label=quarterdeck.app=shop"]);
    lab.docker(HOST, &["restart", "-t", "1", web.trim()]);

    // Newest first, with the journal of the one under the cursor.
    console.send(b"7");
    console.expect_that("both deployments, the newer one first, and its journal", |screen| {
        let text = screen.contents();
        let place = |id: &str| text.find(id);
        place(&second).zip(place(&first)).is_some_and(|(second, first)| second < first) && text.contains("ended good")
    });

    // Between the two the first one's release ran, and now another one does.
    console.send(b"t");
    console.expect("what ran at");
    console.send(between.as_bytes());
    console.expect(&between);
    console.send(b"\r");
    console.expect_that("the first release then, the second now, and that they differ", |screen| {
        let text = screen.contents();
        text.contains("1 differs now") && text.lines().any(|line| line.contains(&old) && line.contains(&new))
    });

    // On the service's cell: both deployments by their releases, what they changed, and the restart that nobody recorded.
    console.send(b"1");
    console.expect("SERVICE");
    console.send(b"w");
    console.expect_that("what changed", |screen| {
        let text = screen.contents();
        let restarted = text.lines().any(|line| line.contains("restarted") && line.contains("by hand"));
        let deployed = [&old, &new].into_iter().all(|release| text.contains(&format!("deployed {release}")));
        restarted && deployed && text.contains("web: GREETING") && text.contains("ledger since")
    });
    let text = console.text();
    // What the deployments themselves did is not told a second time.
    let rows = text.lines().filter(|line| line.contains("by hand") && !line.contains("not through"));
    assert_eq!(rows.count(), 1, "{text}");

    // From there the newer deployment in full, and back out again.
    console.send(b"j\r");
    console.expect(&format!("Deployment {second}"));
    console.send(b"\x1b");
    console.expect("What changed near");
    console.send(b"\x1b");
    console.expect("SERVICE");
    console.send(b"q");
    assert_eq!(console.exit(Duration::from_secs(20)), Some(0), "{}", console.text());
}
