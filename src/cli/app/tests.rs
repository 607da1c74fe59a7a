//! The three verbs over files of a temporary directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use tempfile::TempDir;

use super::*;

const FULL: &str = include_str!("../../delivery/template/full.toml");

fn checked(text: &str) -> Checked {
    Template::check(Path::new("shop/quarterdeck.toml"), text, None)
}

fn config(text: &str) -> (TempDir, Config) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.toml");
    fs::write(&file, text.replace("~", &dir.path().display().to_string())).unwrap();
    let flags = crate::config::Flags { config: Some(file), state: Some(dir.path().join("state")), ..Default::default() };
    let layers = Layers { etc: dir.path().join("etc.toml"), flags, sockets: vec![dir.path().join("sock")], ..Layers::default() };
    let config = layers.load().unwrap_or_else(|error| panic!("{error}"));
    (dir, config)
}

#[test]
fn golden() {
    let broken = FULL
        .replace("memory   = \"64m\"", "memroy = \"64m\"")
        .replace("\"postgres:15.4\"", "\"docker.io/postgres\"")
        .replace("after   = \"testing\"", "after = \"tests\"");
    insta::assert_snapshot!("app_check", page(Path::new("shop/quarterdeck.toml"), &checked(&broken)));
    insta::assert_snapshot!("app_check_well", page(Path::new("shop/quarterdeck.toml"), &checked(FULL)));
    let report = Report::of(Path::new("shop/quarterdeck.toml"), &checked(&broken));
    insta::assert_snapshot!("app_check_json", json::pretty(&report).unwrap());
    let template = checked(
        &FULL
            .replace("LOG = \"info\"", "API_KEY = \"hunter2\", DATABASE_URL = \"postgres://shop:hunter2@db/shop\"")
            .replace("\"-h\", \"/srv\"", "\"--token\", \"hunter2\""),
    )
    .template
    .unwrap();
    let view = show::View::of(&template, "production".into(), None).unwrap();
    let (sheet, document) = (view.sheet(), json::pretty(&view.document()).unwrap());
    assert!(!sheet.contains("hunter2") && !document.contains("hunter2"));
    insta::assert_snapshot!("app_show", sheet);
    insta::assert_snapshot!("app_show_json", document);
}

#[test]
fn apps_files_and_directories_are_found() {
    let (dir, config) = config(
        "[apps.shop]\ntemplate = \"~/shop/quarterdeck.toml\"\n[apps.crm]\ntemplate = { git = \"ssh://git@git.internal/crm\", branch = \"main\" }\n[apps.bare]\n",
    );
    let root = dir.path().display().to_string();
    let file = |located: Located| match located {
        Located::File(file) => file,
        Located::Commit(_) => PathBuf::from("in a commit"),
    };
    let found = |subject: &str| locate(&config, Some(subject)).map(|(located, app)| (file(located), app.map(|app| app.to_string())));
    assert_eq!(found("crm").unwrap(), (PathBuf::from("in a commit"), Some("crm".to_owned())));
    assert_eq!(found("shop").unwrap(), (dir.path().join("shop/quarterdeck.toml"), Some("shop".to_owned())));
    assert_eq!(found(&root).unwrap(), (dir.path().join("quarterdeck.toml"), None));
    assert_eq!(found("src/none.toml").unwrap(), (PathBuf::from("src/none.toml"), None));
    assert_eq!(file(locate(&config, None).unwrap().0), PathBuf::from("quarterdeck.toml"));
    for (subject, hint) in [("shpo", "did you mean \"shop\""), ("bare", "no template")] {
        let words = found(subject).unwrap_err().words();
        assert!(words.contains(hint), "{subject}: {words}");
    }
}

#[test]
fn unreadable_templates_and_unknown_environments_say_so() {
    let dir = TempDir::new().unwrap();
    let latin = dir.path().join("latin.toml");
    fs::write(&latin, b"[app]\nname = \"\xff\"").unwrap();
    for (file, hint) in
        [(latin.as_path(), "is not UTF-8 text (byte 14)"), (&dir.path().join("none.toml"), "no such file"), (dir.path(), "cannot read it")]
    {
        let words = read(file).unwrap_err().words();
        assert!(words.contains(hint), "{words}");
    }
    let template = checked(FULL).template.unwrap();
    assert_eq!(show::chosen(&template, None).unwrap().len(), 2);
    assert!(show::chosen(&template, Some("prodution")).unwrap_err().words().contains("did you mean \"production\"?"));
}
