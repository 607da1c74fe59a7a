//! The panel *Delivery* on a real terminal, by keys alone: a repository of its own, and a host that nobody answers on.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::{program::Program, terminal::pty::Console};

const LIMIT: Duration = Duration::from_secs(30);

const TEMPLATE: &str = r#"
[app]
name     = "shop"
registry = "registry:5000"
version  = "1.0"

[images.web]
context = "web"

[services.web]
image = "web"
ports = ["80"]

[environments.testing]
hosts = ["test-01"]

[environments.production]
hosts = ["test-01"]
after = "testing"
"#;

/// A person's home with an app that was never built.
fn home() -> (Program, String) {
    let program = Program::new();
    let repository = PathBuf::from(program.file("src/quarterdeck.toml", TEMPLATE)).parent().unwrap().to_owned();
    let git = |words: &[&str]| {
        let own = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"];
        let output = Command::new("git").args(own).args(words).current_dir(&repository).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "first light"]);
    let socket = repository.with_file_name("none.sock");
    let config = format!("[hosts.test-01]\nurl = \"unix://{}\"\n[apps.shop]\ntemplate = \"{}\"\n", socket.display(), repository.display());
    let file = program.file("config.toml", &config);
    (program, file)
}

fn console(program: &Program, args: &[&str]) -> Console {
    let words = program.words(args);
    Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), 80, 24, "xterm-256color")
}

#[test]
fn a_lane_is_looked_at_frozen_and_built_by_keys() {
    let (program, config) = home();
    let mut console = console(&program, &["--config", &config]);
    console.expect("Versions");
    console.send(b"6");
    console.expect("nothing good yet");
    console.expect("PRODUCTION");
    // What a build would take in is shown first, and esc leaves everything as it is.
    console.send(b"b");
    console.expect("first light");
    console.send(b"\x1b");
    console.expect_that("the lanes alone", |screen| !screen.contents().contains("Build shop"));
    // Freezing wants a reason, and what is on the screen is what is frozen.
    console.send(b"F");
    console.expect("Freeze: shop in testing");
    console.send(b"the fair\r");
    console.expect("shop in testing: frozen");
    console.expect("1 frozen");
    // Nothing waits there, and that is said.
    console.send(b"a");
    console.expect("nothing waits for a yes in testing of shop");
    console.send(b"F");
    console.expect("Thaw: shop in testing");
    console.send(b"it is over\r");
    console.expect("thawed;");
    console.send(b"q");
    assert_eq!(console.exit(LIMIT), Some(0), "{}", console.text());
    let told = program.run(&["--config", &config, "audit", "--format", "json"]);
    let acts: Vec<String> = told.rows().iter().map(|row| format!("{}: {}", row["action"], row["argument"])).collect();
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert!(acts.iter().any(|act| act.contains("environment.freeze") && act.contains("the fair")), "{acts:?}");
    assert!(fs::exists(&config).unwrap());
}

#[test]
fn without_apps_and_in_a_simulated_fleet_it_says_why_it_is_empty() {
    let program = Program::new();
    let config = program.file("config.toml", "[hosts.test-01]\nurl = \"unix:///nowhere.sock\"\n");
    for (args, expected) in [(vec!["--config", &config], "template = { git ="), (vec!["--sim"], "a simulated fleet takes no deployments")] {
        let mut console = console(&program, &args);
        console.expect("Versions");
        console.send(b"6");
        console.expect(expected);
        console.send(b"q");
        assert_eq!(console.exit(LIMIT), Some(0), "{}", console.text());
    }
}
