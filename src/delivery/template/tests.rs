//! The documented template, the directory of broken ones, the directory of Compose files, and texts at random.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    config::PolicyConfig,
    delivery::spec::{ImageSource, ServicePatch, StrategyKind, Traffic},
    fleet::{HostId, ServiceName},
};

const FULL: &str = include_str!("full.toml");

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the documented configuration knows, and two policies.
fn around() -> Surroundings {
    let hosts = [("app-03", Some("production")), ("app-02", None), ("test-01", None)];
    let secrets = names(&["DB_PASSWORD", "POSTGRES_PASSWORD"]);
    let environments = ["testing", "staging", "production"];
    let strict = PolicyConfig { verify: true, after: Some("staging".into()), ..PolicyConfig::default() };
    let lost = PolicyConfig { after: Some("nowhere".into()), ..PolicyConfig::default() };
    Surroundings {
        hosts: hosts.into_iter().map(|(name, environment)| (HostId::new(name), environment.map(EnvironmentId::new))).collect(),
        balancers: vec!["edge".to_owned()],
        secrets: environments.into_iter().map(|name| (("shop".into(), name.into()), secrets.clone())).collect(),
        ports: Some(20_000..=29_999),
        policies: [("staging".into(), strict), ("guarded".into(), lost)].into_iter().collect(),
        app: None,
    }
}

fn parsed(text: &str) -> Template {
    Template::parse(Path::new(FILE), text).unwrap_or_else(|faults| panic!("{faults}"))
}

fn rendered(template: &Template, environment: &str) -> Rendered {
    template.render(&environment.into()).unwrap()
}

fn said(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// `UPDATE_BAD=1` writes the texts anew; the difference is then read before it is committed.
#[test]
fn every_broken_template_says_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/templates");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap();
        let checked = Template::check(Path::new(name), &text, Some(&around()));
        assert!(checked.template.is_none() && !checked.faults.is_empty(), "{}", path.display());
        let found = said(&checked.faults);
        let expected = path.with_extension("err");
        if std::env::var_os("UPDATE_BAD").is_some() {
            fs::write(&expected, format!("{found}\n")).unwrap();
        }
        assert_eq!(fs::read_to_string(&expected).unwrap().trim_end(), found, "{}", path.display());
        count += 1;
    }
    assert!(count >= 30, "{count}");
}

#[test]
fn the_documented_template_is_accepted_whole() {
    let checked = Template::check(Path::new(FILE), FULL, Some(&around()));
    assert_eq!(said(&checked.faults), "");
    assert_eq!(said(&checked.warnings), "");
    let template = checked.template.unwrap();
    assert_eq!(template.version, VersionSource::Literal("1.0.1".into()));
    assert_eq!(template.spec.images["web"].test_target.as_deref(), Some("test"));
    let production = &template.environments["production"];
    assert_eq!((production.policy.approve, production.policy.after.clone()), (1, Some("testing".into())));
    assert!(matches!(production.policy.strategy.kind, StrategyKind::Rolling { pause, .. } if pause == Duration::from_secs(2)));
    insta::assert_json_snapshot!("rendered_production", rendered(&template, "production"));
    insta::assert_json_snapshot!("policy_production", production.policy);
}

#[test]
fn the_stronger_word_holds() {
    let text = FULL
        .replace("vars     = { LOG = \"info\" }", "vars     = { LOG = \"info\", A = \"service\", B = \"service\" }")
        .replace("[environments.testing.services.web]", "[environments.testing.services.web]\nvars = { A = \"both\" }");
    let text = text.replace("{ GREETING = \"hello from testing\" }", "{ GREETING = \"hello\", A = \"environment\", B = \"environment\" }");
    let template = parsed(&text);
    let testing = rendered(&template, "testing");
    let vars = &testing.services["web"].spec.vars;
    let of = |name: &str| vars.get(name).map(|value| value.as_ref());
    assert_eq!((of("LOG"), of("A"), of("B"), of("GREETING")), (Some("info"), Some("both"), Some("environment"), Some("hello")));
    assert_eq!(testing.services["web"].spec.traffic, None);
    assert_eq!(testing.services["web"].hosts, [HostId::new("test-01")]);
    let production = rendered(&template, "production");
    let (web, db) = (&production.services["web"], &production.services["db"]);
    assert_eq!((web.spec.memory, web.hosts.len(), db.hosts.as_slice()), (Some(128 << 20), 2, &[HostId::new("app-02")][..]));
    assert_eq!(web.spec.traffic, Some(Traffic { lb: "edge".into(), backend: "shop_web".into(), port: 80 }));
    // A job gets the environment's variables too.
    assert_eq!(testing.jobs["migrate"].vars.get("B").map(|value| value.as_ref()), Some("environment"));
}

#[test]
fn a_release_of_yesterday_is_rendered_with_todays_policy() {
    let yesterday = parsed(FULL);
    let today =
        parsed(&FULL.replace("backend = \"shop_web\"", "backend = \"shop_new\"").replace("[\"app-02\", \"app-03\"]", "[\"app-09\"]"));
    let production: EnvironmentId = "production".into();
    let old = &yesterday.environments[&production];
    let new = &today.environments[&production];
    let both = render(&yesterday.spec, &production, &old.revision, &new.policy);
    assert_eq!(both.services["web"].spec.traffic.as_ref().map(|traffic| &*traffic.backend), Some("shop_new"));
    assert_eq!(both.services["web"].hosts, [HostId::new("app-09")]);
    // What the spec has not is left out, not invented.
    let mut revision = old.revision.clone();
    revision.services.insert("gone".into(), ServicePatch::default());
    assert_eq!(render(&yesterday.spec, &production, &revision, &new.policy).services.len(), 2);
}

#[test]
fn services_start_by_needs_then_start_then_as_written() {
    let service = |name: &str, start: i32, needs: &str| {
        format!("[services.{name}]\nimage = \"x:1\"\nports = [\"80\"]\nstart = {start}\nneeds = [{needs}]\n")
    };
    let text = [
        "[app]\nname = \"a\"\nregistry = \"r\"\nversion = \"1\"\n".to_owned(),
        service("late", 5, ""),
        service("web", 0, "\"api\""),
        service("api", 0, "\"db\""),
        service("db", 0, ""),
        service("early", -5, ""),
        service("also", 0, ""),
    ];
    let template = parsed(&text.concat());
    let order: Vec<String> = start_order(&template.spec.services).iter().map(ToString::to_string).collect();
    assert_eq!(order, ["early", "db", "api", "web", "also", "late"]);
}

#[test]
fn a_circle_still_has_an_order() {
    let mut spec = parsed(FULL).spec;
    spec.services["db"].needs = vec!["web".into(), "nobody".into(), "db".into()];
    let order = start_order(&spec.services);
    assert_eq!(order, [ServiceName::new("db"), ServiceName::new("web")]);
}

#[test]
fn the_same_settings_have_the_same_name() {
    let one = parsed(FULL);
    // The same said in another order, with other blanks and comments.
    let two = parsed(&FULL.replace("vars  = { GREETING", "vars = {   GREETING").replace("auto  = true", "# as before\nauto = true"));
    let testing: EnvironmentId = "testing".into();
    let hash = one.environments[&testing].revision.hash();
    assert_eq!(hash, two.environments[&testing].revision.hash());
    assert_eq!((hash.as_str().len(), hash.short().len()), (64, 8));
    assert_eq!(canonical(&one.environments[&testing].revision), r#"{"services":{},"vars":{"GREETING":"hello from testing"}}"#);
    let other = parsed(&FULL.replace("hello from testing\" }", "hallo\" }"));
    assert_ne!(hash, other.environments[&testing].revision.hash());
    // Policy is no part of a release.
    let strict = parsed(&FULL.replace("approve = 1", "approve = 2"));
    let production: EnvironmentId = "production".into();
    assert_eq!(one.environments[&production].revision.hash(), strict.environments[&production].revision.hash());
    // A name that labels and records hold must never change by itself.
    assert_eq!(one.environments[&production].revision.hash().short(), "dbc66e3a");
}

#[test]
fn a_revision_reads_back_as_it_was_written() {
    let template = parsed(FULL);
    for environment in template.environments.values() {
        let revision: Revision = serde_json::from_str(&canonical(&environment.revision)).unwrap();
        assert_eq!(revision, environment.revision);
        let policy: Policy = serde_json::from_str(&serde_json::to_string(&environment.policy).unwrap()).unwrap();
        assert_eq!(policy, environment.policy);
    }
    let spec: Spec = serde_json::from_str(&canonical(&template.spec)).unwrap();
    assert_eq!(spec, template.spec);
}

#[test]
fn differences_are_told_in_words() {
    let old = rendered(&parsed(FULL), "production");
    assert!(Diff::of(&old, &old).is_empty());
    let changed = |from: &str, to: &str| {
        let diff = Diff::of(&old, &rendered(&parsed(&FULL.replace(from, to)), "production"));
        let lines = diff.services.iter().flat_map(|service| {
            let title = format!("{}: {}{}", service.name, service.summary(), if service.replaces() { "" } else { ", nothing replaced" });
            std::iter::once(title).chain(service.changes.iter().map(|change| format!("  {change}")))
        });
        let jobs = diff.jobs.iter().map(|job| format!("job {}: {}", job.name, job.summary()));
        lines.chain(jobs).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(changed("LOG = \"info\"", "LOG = \"debug\""), "web: variables only\n  LOG: \"info\" → \"debug\"");
    assert_eq!(changed("memory = \"128m\"", "memory = \"1g\""), "web: memory only\n  memory: \"128m\" → \"1g\"");
    assert_eq!(changed("postgres:15.4", "postgres:16.0"), "db: image only\n  image: \"postgres:15.4\" → \"postgres:16.0\"");
    assert_eq!(
        changed("secrets  = [\"DB_PASSWORD\"]", "secrets  = [\"DB_TOKEN\"]\nvolumes = [\"a:/b:ro\"]"),
        "web: secrets, volumes\n  secret DB_PASSWORD: removed\n  secret DB_TOKEN: new\n  volumes: none → [\"a:/b:ro\"]"
    );
    assert_eq!(changed("backend = \"shop_web\"", "backend = \"b\"").lines().next(), Some("web: traffic only, nothing replaced"));
    assert_eq!(changed("when = \"before\"", "when = \"after\""), "job migrate: time of the job only");
    let without = FULL.replace("needs    = [\"db\"]", "").replace("needs = [\"db\"]", "");
    let begin = without.find("[services.db]").unwrap();
    let end = without.find("[jobs.migrate]").unwrap();
    let without =
        format!("{}{}", &without[..begin], &without[end..]).replace("[environments.production.services.db]\nhosts = [\"app-02\"]", "");
    let diff = Diff::of(&old, &rendered(&parsed(&without[..]), "production"));
    assert_eq!(diff.services.iter().map(|service| service.summary()).collect::<Vec<_>>(), ["needs only", "removed"]);
}

#[test]
fn every_setting_knows_who_said_it() {
    let template = parsed(FULL);
    let mut around = around();
    around.policies.insert("production".into(), PolicyConfig { approve: 3, ..PolicyConfig::default() });
    let explained = explain(&template, &"production".into(), Some(&around)).unwrap();
    let lines: Vec<String> = explained
        .sections
        .iter()
        .flat_map(|section| section.rows.iter().map(move |row| format!("{}.{} = {}  # {}", section.title, row.key, row.value, row.source)))
        .collect();
    insta::assert_snapshot!("explained_production", lines.join("\n"));
    assert!(explain(&template, &"nowhere".into(), None).is_none());
}

#[test]
fn surroundings_tighten_and_never_loosen() {
    let around = around();
    let template = parsed(FULL);
    let policy = &template.environments["testing"].policy;
    assert_eq!(around.tightened(&"testing".into(), policy), *policy);
    assert_eq!(around.tightened(&"staging".into(), policy).after, Some("staging".into()));
    let mut strict = around;
    strict.policies.insert("testing".into(), PolicyConfig { approve: 2, ..PolicyConfig::default() });
    assert_eq!(strict.tightened(&"testing".into(), policy).approve, 2);
    strict.app = Some("other".into());
    let checked = Template::check(Path::new(FILE), FULL, Some(&strict));
    assert!(said(&checked.faults).contains("is the template of \"other\""), "{}", said(&checked.faults));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = r#"
[app]
name = "shop"
registry = "r"
version = { file = "package.json", key = "version" }
[images.web]
[images.old]
[services.web]
image = "web"
vars = { API_TOKEN = "x", DATABASE_URL = "postgres://shop:hunter2@db/shop" }
[services.cache]
image = "library/redis"
ports = ["26379:6379"]
[environments.testing]
hosts = ["app-03"]
"#;
    let checked = Template::check(Path::new(FILE), text, Some(&around()));
    assert_eq!(said(&checked.faults), "");
    insta::assert_snapshot!("warnings", said(&checked.warnings));
    assert!(matches!(checked.template.unwrap().version, VersionSource::File { .. }));
    let bare = Template::check(Path::new(FILE), "[app]\nname = \"a\"\nregistry = \"r\"\nversion = \"1\"\n", None);
    assert_eq!(bare.warnings.len(), 2, "{}", said(&bare.warnings));
}

#[test]
fn compose_files_become_templates() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let imported =
            import(Path::new(&name), &fs::read_to_string(&path).unwrap(), "shop").unwrap_or_else(|faults| panic!("{name}: {faults}"));
        let losses: Vec<String> = imported.losses.iter().map(|loss| format!("{}: {}", loss.origin.short(), loss.message)).collect();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        insta::with_settings!({ omit_expression => true, snapshot_path => "../../../tests/compose/snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(stem, format!("{}\n--- lost\n{}\n", imported.template, losses.join("\n")));
        });
        // What it makes is a template, unless the losses say what it lacks.
        let parses = Template::parse(Path::new(FILE), &imported.template).is_ok();
        assert_eq!(parses, !losses.iter().any(|loss| loss.contains("in the template, ")), "{name}");
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

#[test]
fn no_secret_of_a_compose_file_is_copied() {
    let text = "services:\n  a:\n    image: x:1\n    environment:\n      DB_PASSWORD: hunter2\n      API_TOKEN: ${API_TOKEN:-hunter2}\n      \
                DATABASE_URL: postgres://a:hunter2@db/a\n    command: redis --requirepass ${REDIS_PASSWORD:-hunter2}\n";
    let imported = import(Path::new("c.yaml"), text, "a").unwrap();
    assert!(imported.template.contains("secrets = [\"DB_PASSWORD\", \"API_TOKEN\", \"DATABASE_URL\"]"), "{}", imported.template);
    assert!(!format!("{imported:?}").contains("hunter2"), "{imported:?}");
}

#[test]
fn what_is_no_compose_file_is_refused_with_its_line() {
    for (text, hint) in [("", "no services"), ("a: 1", "no services"), ("services: {}", "no services"), ("services:\n  a: [", "c.yaml:")] {
        let error = import(Path::new("c.yaml"), text, "a").unwrap_err().to_string();
        assert!(error.starts_with("c.yaml:") && error.contains(hint), "{text}: {error}");
    }
}

/// The documented template with one piece of it replaced by something else.
fn damaged() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[\\PC\\n]{0,12}",
        "[\\[\\]{}=\",.a-z0-9-]{0,12}",
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("-1".to_owned())
    ];
    (0..FULL.len(), 0..40usize, piece).prop_map(|(at, length, piece)| {
        let from = FULL.floor_char_boundary(at);
        let to = FULL.floor_char_boundary((at + length).min(FULL.len())).max(from);
        format!("{}{piece}{}", &FULL[..from], &FULL[to..])
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in "[\\PC\\n]{0,80}", damaged in damaged()) {
        for text in [text, damaged] {
            let checked = Template::check(Path::new(FILE), &text, Some(&around()));
            prop_assert_eq!(checked.template.is_some(), checked.faults.is_empty());
            for fault in checked.faults.iter().chain(&checked.warnings) {
                prop_assert!(!fault.to_string().chars().any(char::is_control), "{}", fault);
            }
            if let Some(template) = checked.template {
                for name in template.environments.keys() {
                    prop_assert!(explain(&template, name, Some(&around())).is_some());
                }
            }
        }
    }

    #[test]
    fn no_compose_text_panics(text in "services:\\n( {1,3}[-a-c&*:\\[\\]{}\"$ ]{0,12}\\n){0,6}", which in 0..3usize, at in 0..2000usize, piece in "[-:{}\\[\\]&*$ \\n\"a]{0,6}") {
        let _ = import(Path::new("c.yaml"), &text, "a").is_ok();
        let whole = [
            include_str!("../../../tests/compose/rails.yaml"),
            include_str!("../../../tests/compose/swarm.yaml"),
            include_str!("../../../tests/compose/gitea.yaml"),
        ][which];
        let at = whole.floor_char_boundary(at.min(whole.len()));
        let end = whole.floor_char_boundary((at + piece.len()).min(whole.len()));
        let damaged = format!("{}{piece}{}", &whole[..at], &whole[end..]);
        if let Ok(imported) = import(Path::new("c.yaml"), &damaged, "a") {
            let parses = Template::parse(Path::new(FILE), &imported.template).is_ok();
            prop_assert_eq!(parses, !imported.losses.iter().any(|loss| loss.message.starts_with("in the template, ")));
        }
    }
}

#[test]
fn an_image_of_ours_and_one_of_a_registry() {
    let spec = parsed(FULL).spec;
    assert_eq!(spec.services["web"].image, ImageSource::Built("web".into()));
    assert_eq!(spec.services["db"].image, ImageSource::Outside("postgres:15.4".into()));
}
