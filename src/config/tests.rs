//! Layers over temporary directories, and the directory of broken configurations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

const FULL: &str = include_str!("full.toml");

fn layers(dir: &TempDir) -> Layers {
    let root = dir.path();
    Layers {
        etc: root.join("etc.toml"),
        user: Some(root.join("user.toml")),
        home: Some(root.to_owned()),
        docker_config_dir: Some(root.join("docker")),
        sockets: vec![root.join("one.sock"), root.join("two.sock")],
        ..Layers::default()
    }
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `UPDATE_BAD=1` writes the texts anew; the difference is then read before it is committed.
#[test]
fn every_broken_configuration_says_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/config");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let dir = TempDir::new().unwrap();
        let mut layers = layers(&dir);
        layers.flags.config = Some(path.clone());
        let error = layers.load().map(|_| ()).expect_err(&path.display().to_string());
        let text = error.to_string().replace(&format!("{}/", folder.display()), "").replace(&dir.path().display().to_string(), "~");
        assert!(!text.contains("hunter2"), "{text}");
        let expected = path.with_extension("err");
        if std::env::var_os("UPDATE_BAD").is_some() {
            fs::write(&expected, format!("{text}\n")).unwrap();
        }
        assert_eq!(fs::read_to_string(&expected).unwrap().trim_end(), text, "{}", path.display());
        count += 1;
    }
    assert!(count >= 25, "{count}");
}

#[test]
fn the_documented_file_is_accepted_whole() {
    let dir = TempDir::new().unwrap();
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        put(&dir.path().join(name), "");
    }
    put(&dir.path().join("user.toml"), FULL);
    let config = layers(&dir).load().unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = config.hosts.iter().map(|host| host.id.as_str()).collect();
    assert_eq!(names, ["app-03", "app-02", "test-01"]);
    assert_eq!(config.hosts[1].address.as_deref(), Some("10.0.0.12"));
    let Endpoint::Tls { port: 2376, files, .. } = &config.hosts[1].endpoint else { panic!("{:?}", config.hosts[1]) };
    assert_eq!(files.ca.as_deref(), Some(dir.path().join("ca.pem").as_path()));
    assert_eq!(config.delivery.secrets.len(), 2);
    assert_eq!(config.delivery.policies["production"].approve, 1);
    assert_eq!(config.identity[0].app.as_deref(), Some("legacy"));
    assert!(!config.read_only && config.rights() == crate::rights::Rights::Act);
}

#[test]
fn upper_layers_win_and_tables_merge() {
    let dir = TempDir::new().unwrap();
    let mut layers = layers(&dir);
    put(
        &layers.etc,
        "theme = \"etc\"\nkeymap = \"etc\"\n[hosts.a]\nurl = \"unix:///a\"\ntags = [\"x\", \"y\"]\n[policy.production]\napprove = 2\n",
    );
    put(
        layers.user.as_deref().unwrap(),
        "theme = \"user\"\n[hosts.a]\ntags = [\"z\"]\nenvironment = \"testing\"\n[policy.production]\napprove = 1\n",
    );
    layers.env = env(&[("QUARTERDECK_KEYMAP", "vim"), ("QUARTERDECK_CLOCK", "0")]);
    layers.flags.state = Some("/srv/state".into());
    let config = layers.load().unwrap();
    assert_eq!((config.theme.as_str(), config.keymap.as_str(), config.clock), ("user", "vim", false));
    assert_eq!(config.state, Path::new("/srv/state"));
    assert_eq!(config.hosts[0].tags, ["z"]);
    assert_eq!(config.hosts[0].url, "unix:///a");
    assert_eq!(config.delivery.policies["production"].approve, 2, "a later layer never loosens a policy");
}

#[test]
fn read_only_in_any_layer_wins() {
    for layer in ["etc", "user", "env", "flag"] {
        let dir = TempDir::new().unwrap();
        let mut layers = layers(&dir);
        put(&layers.etc, &format!("\n\nread-only = {}\n", layer == "etc"));
        put(layers.user.as_deref().unwrap(), &format!("read-only = {}\n", layer == "user"));
        layers.env = env(&[("QUARTERDECK_READ_ONLY", if layer == "env" { "true" } else { "false" })]);
        layers.flags.read_only = layer == "flag";
        let config = layers.load().unwrap();
        assert!(config.read_only, "{layer}");
        let origin = config.read_only_origin.clone().unwrap().short();
        let expected = match layer {
            "etc" => format!("{}:3", layers.etc.display()),
            "user" => format!("{}:1", layers.user.unwrap().display()),
            "env" => "$QUARTERDECK_READ_ONLY".to_owned(),
            _ => "--read-only".to_owned(),
        };
        assert_eq!(origin, expected);
        assert!(config.rights().may(&http::Method::POST, "/containers/x/stop", false).unwrap_err().to_string().contains(&expected));
    }
}

#[test]
fn mistyped_variables_are_refused() {
    let dir = TempDir::new().unwrap();
    for (name, value) in [("QUARTERDECK_READONLY", "1"), ("QUARTERDECK_READ_ONLY", "ja"), ("QUARTERDECK_KEEP", "x")] {
        let error = Layers { env: env(&[(name, value)]), ..layers(&dir) }.load().unwrap_err();
        assert!(error.to_string().starts_with(&format!("${name}: ")), "{error}");
    }
}

#[test]
fn host_flags_replace_and_must_differ() {
    let dir = TempDir::new().unwrap();
    let mut layers = layers(&dir);
    put(&layers.etc, "[hosts.a]\nurl = \"unix:///a\"\n");
    layers.flags.hosts = vec!["b=ssh://ops@b.internal".into(), "tcp://10.0.0.9".into(), "unix:///x=y".into()];
    let names: Vec<_> = layers.load().unwrap().hosts.iter().map(|host| host.id.as_str().to_owned()).collect();
    assert_eq!(names, ["b", "10.0.0.9", "local"]);
    layers.flags.hosts = vec!["unix:///a".into(), "unix:///b".into(), "x y=unix:///c".into()];
    assert_eq!(layers.load().unwrap_err().faults.len(), 2);
}

#[test]
fn a_named_file_must_exist_and_be_readable_text() {
    let dir = TempDir::new().unwrap();
    let mut layers = layers(&dir);
    layers.flags.config = Some(dir.path().join("none.toml"));
    assert!(layers.load().unwrap_err().to_string().contains("no such file"));
    layers.flags.config = Some(dir.path().to_owned());
    assert!(layers.load().unwrap_err().to_string().contains("cannot read it"));
    fs::write(dir.path().join("latin.toml"), b"theme = \"\xff\"").unwrap();
    layers.flags.config = Some(dir.path().join("latin.toml"));
    assert!(layers.load().unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_secret_open_to_others_names_chmod() {
    let dir = TempDir::new().unwrap();
    let secret = dir.path().join("db");
    put(&secret, "x");
    put(&dir.path().join("user.toml"), "[secrets.shop.testing]\nA = { file = \"~/db\" }\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let error = layers(&dir).load().unwrap_err().to_string();
    assert!(error.ends_with(&format!("(mode 0644): chmod 600 {}", secret.display())), "{error}");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    layers(&dir).load().unwrap();
}

#[test]
fn without_hosts_the_docker_cli_is_followed() {
    let dir = TempDir::new().unwrap();
    let mut layers = layers(&dir);
    let only = |layers: &Layers| layers.load().unwrap_or_else(|error| panic!("{error}")).hosts.remove(0);
    let host = only(&layers);
    assert_eq!((host.id.as_str(), host.url), ("local", format!("unix://{}", dir.path().join("one.sock").display())));
    assert!(matches!(&host.origin, Origin::LocalSocket { looked_at } if looked_at.len() == 2));
    put(&dir.path().join("two.sock"), "");
    assert!(only(&layers).url.ends_with("two.sock"));

    let digest: String = Sha256::digest(b"lab").iter().map(|byte| format!("{byte:02x}")).collect();
    let docker = dir.path().join("docker");
    put(&docker.join("config.json"), r#"{"currentContext":"lab","auths":{}}"#);
    assert!(layers.load().unwrap_err().to_string().contains("there is none of that name"));
    let meta = docker.join(format!("contexts/meta/{digest}/meta.json"));
    put(&meta, r#"{"Name":"lab","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://lab:2376","SkipTLSVerify":false}}}"#);
    assert!(matches!(only(&layers).endpoint, Endpoint::Tcp { .. }));
    put(&docker.join(format!("contexts/tls/{digest}/docker/ca.pem")), "");
    let host = only(&layers);
    assert!(matches!(&host.endpoint, Endpoint::Tls { port: 2376, files, .. } if files.ca.is_some() && files.key.is_none()));
    assert!(matches!(&host.origin, Origin::Context { name, .. } if name == "lab"));
    layers.flags.hosts = vec!["context://lab".into()];
    assert_eq!(only(&layers).id.as_str(), "lab");
    layers.flags.hosts.clear();
    put(&meta, r#"{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://lab:2376","SkipTLSVerify":true}}}"#);
    assert!(layers.load().unwrap_err().to_string().contains("skips the verification"));

    layers.env = env(&[("DOCKER_HOST", "tcp://10.0.0.7"), ("DOCKER_CONTEXT", "lab")]);
    assert_eq!(only(&layers).endpoint, Endpoint::Tcp { host: "10.0.0.7".into(), port: 2375 });
    layers.env.insert("DOCKER_TLS_VERIFY".into(), "1".into());
    assert_eq!(layers.load().unwrap_err().faults.len(), 3, "three files are missing");
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        put(&docker.join(name), "");
    }
    assert!(matches!(only(&layers).endpoint, Endpoint::Tls { port: 2376, .. }));
}
