//! A variable changed from the screen on real engines, by keys alone: the template with what it says here, the form, the change with its plan,
//! the file written with its comments kept; then its configuration is applied, and the containers have it.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
    terminal::pty::Console,
};

const LIMIT: Duration = Duration::from_secs(60);
const HOSTS: [&str; 2] = ["app-01", "app-02"];

const TEMPLATE: &str = r#"# The shop, as the lab has it.
[app]
name = "shop"            # and nothing else
registry = "registry.invalid"
version = "1.0.1"

[services.web]
image = "base:latest"
command = ["sh", "-c", "mkdir -p /srv; echo $GREETING >/srv/index.html; exec httpd -f -p 80 -h /srv"]
ports = ["80"]
vars = { LOG = "info" }  # for every environment
health = { http = "/", port = 80, interval = "200ms", rise = 2, timeout = "20s" }
stop = "1s"

[environments.production]
hosts = ["app-01", "app-02"]
vars = { GREETING = "one" } # said at the door
# fast, because nobody looks
strategy = { kind = "rolling", batch = 1, pause = "0s", bake = "0s", keep-warm = "0s" }
"#;

struct Stand {
    lab: Lab,
    program: Program,
    template: String,
}

impl Stand {
    fn raise(lab: Lab) -> Self {
        let program = Program::new();
        let template = program.file("shop/quarterdeck.toml", TEMPLATE);
        let state = program.file("state/.keep", "").replace("/.keep", "");
        let hosts: String = HOSTS
            .iter()
            .map(|name| {
                let host = lab.host(name);
                let (unix, address) = (host["unix"].as_str().unwrap(), host["address"].as_str().unwrap());
                format!("[hosts.{name}]\nurl = \"unix://{unix}\"\naddress = {address:?}\nenvironment = \"production\"\n")
            })
            .collect();
        program.file(
            ".config/quarterdeck/config.toml",
            &format!("state = {state:?}\nclock = false\n{hosts}[apps.shop]\ntemplate = {template:?}\n"),
        );
        Self { lab, program, template }
    }

    fn good(&self, args: &[&str]) -> Ended {
        let ended = self.program.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    fn console(&self, args: &[&str], (columns, rows): (u16, u16)) -> Console {
        let words = self.program.words(args);
        let mut console = Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), columns, rows, "xterm-256color");
        console.expect("1.0.1-1-aaaaaa1");
        console
    }

    /// What the containers of a host were given.
    fn greetings(&self) -> Vec<String> {
        let of = |host: &&str| {
            let ids = self.lab.docker(host, &["ps", "-q", "--filter", "label=quarterdeck.service=web"]);
            let text = self.lab.docker(host, &["inspect", "-f", "{{json .Config.Env}}", ids.trim()]);
            let all: Vec<String> = serde_json::from_str(text.trim()).unwrap();
            all.into_iter().find_map(|var| var.strip_prefix("GREETING=").map(str::to_owned)).unwrap_or_default()
        };
        HOSTS.iter().map(of).collect()
    }
}

/// Through the template and its form to the preview of a greeting.
fn type_greeting(console: &mut Console, greeting: &str) {
    console.send(b"e");
    console.expect("in production");
    console.expect("[services.web]");
    console.send(b"e");
    console.expect("Variables of web in production");
    console.send(b"\x15");
    console.send(greeting.as_bytes());
    console.expect("for every service in production");
    console.send(b"\r");
    console.expect("what applying it would do");
    console.expect("variables, no pull");
    console.expect("writes it to");
}

#[test]
fn a_variable_is_changed_by_keys_alone() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("edit", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let stand = Stand::raise(lab);
    stand.good(&["deploy", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--yes"]);
    assert_eq!(stand.greetings(), ["one", "one"]);

    // Who may only look sees the template, and is told why nothing is changed.
    let mut console = stand.console(&["--read-only"], (80, 24));
    console.send(b"e");
    console.expect("[services.web]");
    console.send(b"e");
    console.expect("template.edit is refused");
    drop(console);

    let mut written = TEMPLATE.to_owned();
    for (size, before, after) in [((160, 50), "one", "two of them"), ((80, 24), "two of them", "three")] {
        let mut console = stand.console(&[], size);
        type_greeting(&mut console, after);
        assert_eq!(fs::read_to_string(&stand.template).unwrap(), written, "nothing is written before somebody says so");
        console.send(b"y");
        console.expect("written to");
        written = written.replace(&format!("GREETING = {before:?}"), &format!("GREETING = {after:?}"));
        assert_eq!(fs::read_to_string(&stand.template).unwrap(), written, "that value, and no other byte");
        console.send(b"\x1b");
        console.expect_that("the template as it reads now", |screen| {
            let text = screen.contents();
            text.contains("[services.web]") && text.contains(after)
        });
        stand.good(&["config", "apply", "shop", "production", "--yes"]);
        assert_eq!(stand.greetings(), [after, after]);
        console.send(b"\x1b");
        // First it is gone: a letter right behind escape would be one key with it.
        console.expect_that("the home panel", |screen| {
            let text = screen.contents();
            text.contains("by environment") && !text.contains("[services.web]")
        });
        console.send(b"q");
        assert_eq!(console.exit(LIMIT), Some(0));
    }

    // Somebody else was quicker: theirs stays.
    let mut console = stand.console(&[], (160, 50));
    type_greeting(&mut console, "four");
    let theirs = written.replace("three", "theirs");
    fs::write(&stand.template, &theirs).unwrap();
    console.send(b"y");
    console.expect("it has changed since it was read");
    assert_eq!(fs::read_to_string(&stand.template).unwrap(), theirs);

    let rows = stand.good(&["audit", "--format", "json"]).rows();
    let edits: Vec<&Value> = rows.iter().filter(|row| row["action"] == "app.edit-template").collect();
    let outcomes: Vec<&str> = edits.iter().map(|row| row["outcome"].as_str().unwrap_or_default()).collect();
    assert_eq!(outcomes, ["done", "done", "failed"], "{edits:#?}");
    assert!(
        edits.iter().all(|row| row["argument"].as_str().is_some_and(|text| text.contains("GREETING") && !text.contains("two"))),
        "{edits:#?}"
    );
}
