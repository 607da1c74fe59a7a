//! `app` of the built binary: what it prints, how it ends, and that nothing of a template is run.

use crate::program::Program;

const FULL: &str = include_str!("../../src/delivery/template/full.toml");

const CONFIG: &str = r#"
[apps.shop]
template = "shop/quarterdeck.toml"
[apps.crm]
template = { git = "/nowhere/crm" }
[hosts.app-02]
url = "unix:///nobody-a"
[hosts.app-03]
url = "unix:///nobody-b"
[hosts.test-01]
url = "unix:///nobody-c"
[lb.edge]
kind = "haproxy"
host = "app-03"
admin = "unix:///run/haproxy/admin.sock"
[secrets.shop.production]
DB_PASSWORD = { env = "A" }
POSTGRES_PASSWORD = { env = "A" }
[secrets.shop.testing]
DB_PASSWORD = { env = "B" }
"#;

#[test]
fn a_template_is_checked_by_its_file_and_by_its_app() {
    let program = Program::new();
    let file = program.file("shop/quarterdeck.toml", FULL);
    let ended = program.run(&["app", "check", &file]);
    assert_eq!((ended.code, ended.out), (Some(0), format!("{file}: no mistakes\n")));
    assert!(ended.err.contains("no configuration"), "{}", ended.err);

    let config = program.file("config.toml", CONFIG);
    let ended = program.run(&["-c", &config, "app", "check", "shop"]);
    let message = "services.db.secrets: \"POSTGRES_PASSWORD\" has no source in testing: in the configuration, [secrets.shop.testing] \
                   POSTGRES_PASSWORD = { file = \"…\" }";
    assert_eq!((ended.code, ended.out), (Some(2), format!("{file}:35:12: {message}\n{file}: 1 mistake\n")));
    let ended = program.run(&["-c", &config, "app", "check", "shop", "--format", "json"]);
    assert_eq!((ended.code, ended.json()["mistakes"][0]["line"].as_u64()), (Some(2), Some(35)));

    let ended = program.run(&["-c", &config, "app", "check", "crm"]);
    assert!(ended.code == Some(1) && ended.err.contains("/nowhere/crm: cannot be fetched"), "{}", ended.err);
    let ended = program.run(&["-c", &config, "app", "show", "shop"]);
    assert!(ended.code == Some(2) && ended.err.contains(":35:12: "), "{}", ended.err);
    let ended = program.run(&["app", "show", &file, "production"]);
    assert!(ended.code == Some(0) && ended.out.contains("[services.web]"), "{}", ended.err);
    let ended = program.run(&["app", "show", &file, "--format", "json"]);
    assert_eq!(ended.rows().len(), 2);
}

#[test]
fn without_a_name_the_directory_counts() {
    let program = Program::new();
    let file = program.file("here/quarterdeck.toml", &FULL.replace("[services.db]", "[services.bd]"));
    let folder = std::path::Path::new(&file).parent().unwrap().to_owned();
    let output = program.command(&["app", "check"]).current_dir(&folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.starts_with("quarterdeck.toml:23:13: services.web.needs: there is no service \"db\""), "{text}");
    let output = program.command(&["app", "check"]).current_dir(folder.parent().unwrap()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("quarterdeck app import"), "{text}");
}

#[test]
fn a_compose_file_becomes_a_template_that_is_checked() {
    let program = Program::new();
    let compose = program.file("blog/compose.yaml", include_str!("../compose/wordpress.yaml"));
    let ended = program.run(&["app", "import", &compose]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("name     = \"blog\"") && !ended.out.contains("somewordpress") && !ended.err.contains("somewordpress"));
    assert!(ended.err.lines().any(|line| line.contains("compose.yaml:25: services.wordpress.volumes")), "{}", ended.err);
    let file = program.file("blog/quarterdeck.toml", &ended.out);
    let ended = program.run(&["app", "check", &file]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);

    let broken = program.file("broken.yaml", "services:\n  a: [\n");
    let ended = program.run(&["app", "import", &broken]);
    assert!(ended.code == Some(2) && ended.err.contains("broken.yaml:"), "{}", ended.err);
}
