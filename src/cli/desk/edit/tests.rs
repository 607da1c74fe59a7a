//! Templates in files and in real repositories: read, changed, and written or not; and what must not run meanwhile.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::*;
use crate::{
    config::Config,
    delivery::template::{Edit, FILE, Over, Place},
};

const TEXT: &str = "# The shop.\n[app]\nname = \"shop\"\nregistry = \"r:5000\"\nversion = \"1\"\n\n[services.web]\nimage = \"web:1\"\nports = [\"80\"]\nvars = { LOG = \"info\", API_TOKEN = \"hunter2-and-more\" }\n\n[environments.production]\nhosts = [\"app-01\"] # one\nvars = { GREETING = \"hello\", LOG = \"warn\" } # said at the door\n";

/// A directory with a template that the configuration knows, in a file or in a bare repository.
struct Stage {
    dir: tempfile::TempDir,
    config: Config,
}

impl Stage {
    fn of_file() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), TEXT).unwrap();
        let config = config(dir.path(), Source::Path(dir.path().join(FILE)));
        Self { dir, config }
    }

    fn of_git() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let stage = Self { config: config(dir.path(), Source::Git { url: String::new(), branch: None }), dir };
        fs::create_dir(stage.work()).unwrap();
        stage.git(&["init", "--quiet", "--initial-branch=main"]);
        stage.git(&["init", "--quiet", "--bare", "--initial-branch=main", stage.bare().to_str().unwrap()]);
        fs::write(stage.work().join(FILE), TEXT).unwrap();
        stage.commit("first");
        let url = stage.bare().to_str().unwrap().to_owned();
        Self { config: config(stage.dir.path(), Source::Git { url, branch: Some("main".into()) }), ..stage }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn bare(&self) -> PathBuf {
        self.dir.path().join("shop.git")
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"])
            .args(words)
            .current_dir(self.work())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, subject: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", subject]);
        self.git(&["push", "--quiet", self.bare().to_str().unwrap(), "main"]);
    }

    /// Every hook that there is, in the remote: it leaves a trace and says no.
    fn plant_hooks(&self) -> PathBuf {
        let trace = self.dir.path().join("a-hook-ran");
        let hooks = self.bare().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for name in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "pre-push", "proc-receive"] {
            let path = hooks.join(name);
            fs::write(&path, format!("#!/bin/sh\necho {name} >>{}\nexit 1\n", trace.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let config = self.bare().join("config");
        let text = fs::read_to_string(&config).unwrap();
        let command = format!("touch {}", trace.display());
        fs::write(&config, format!("{text}[core]\n\tfsmonitor = {command:?}\n\talternateRefsCommand = {command:?}\n")).unwrap();
        trace
    }

    async fn draft(&self) -> Draft {
        let reading = Arc::new(reading(&self.config, "shop".into(), None).await.unwrap_or_else(|failure| panic!("{}", failure.words())));
        let place = Place { environment: "production".into(), service: None };
        let edits = vec![Edit { place, name: "GREETING".into(), value: Some("good morning".into()) }];
        let (verdict, text) = edit::judge(&reading, &edits);
        assert_eq!(verdict, edit::Verdict::default());
        Draft { reading, environment: "production".into(), service: "web".into(), edits, text: text.unwrap() }
    }

    /// As the desk does it, with the patches in a directory of ours.
    async fn put(&self, draft: &Draft) -> Result<Written, String> {
        let (who, here) = (Who { name: Some("ana".into()), machine: Some("jump".into()), ..Who::default() }, self.dir.path());
        let done = match &draft.reading.home {
            Home::File(_) => put(&self.config, draft, &who).await,
            Home::Git { .. } => {
                let named = Named::find(&self.config, "shop").unwrap_or_else(|failure| panic!("{}", failure.words()));
                let parent = named.newest(&self.config).await.unwrap_or_else(|failure| panic!("{}", failure.words()));
                branch::propose(&named.repository, &parent, &named.path(), draft, &who, here).await
            }
        };
        done.map_err(Failure::words)
    }
}

fn config(dir: &Path, template: Source) -> Config {
    let path = dir.join("config.toml");
    let template = match template {
        Source::Path(path) => format!("{:?}", path.display().to_string()),
        Source::Git { url, branch } => format!(
            "{{ git = {:?}, branch = {:?} }}",
            if url.is_empty() { "/nowhere" } else { &url },
            branch.unwrap_or_else(|| "main".into())
        ),
    };
    let text = format!(
        "state = {:?}\n[hosts.app-01]\nurl = \"tcp://127.0.0.1:1\"\n[apps.shop]\ntemplate = {template}\n",
        dir.join("state").display().to_string()
    );
    fs::write(&path, text).unwrap();
    let layers = crate::config::Layers { etc: path, ..crate::config::Layers::default() };
    layers.load().unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn what_the_screen_is_told_holds_no_secret_and_says_what_is_this_environments_own() {
    let stage = Stage::of_file();
    let reading = reading(&stage.config, "shop".into(), None).await.unwrap_or_else(|failure| panic!("{}", failure.words()));
    let sheet = reading.sheet(&"production".into()).unwrap();
    let web = sheet.sections.iter().find(|section| section.title == "services.web").unwrap();
    let row = |key: &str| web.rows.iter().find(|row| row.key == key).unwrap();
    assert_eq!((row("vars.LOG").value.as_str(), &row("vars.LOG").over), ("\"warn\"", &Some(Over::Value("\"info\"".into()))));
    assert_eq!(row("vars.GREETING").over, Some(Over::Nothing));
    assert_eq!(row("image").over, None);
    assert!(row("vars.GREETING").source.to_string().ends_with("quarterdeck.toml:14"), "{}", row("vars.GREETING").source);
    assert!(!format!("{:?}", reading.sheets).contains("hunter2") && !format!("{reading:?}").contains("hunter2"));
    // Who is not registered has no template, whatever lies in the current directory.
    let unknown = super::reading(&stage.config, "src".into(), None).await.map(drop).map_err(Failure::words).unwrap_err();
    assert!(unknown.contains("[apps.src]"), "{unknown}");
    fs::write(stage.dir.path().join(FILE), "[app]\nnme = \"x\"\n").unwrap();
    let wrong = super::reading(&stage.config, "shop".into(), None).await.map(drop).map_err(Failure::words).unwrap_err();
    assert!(wrong.contains("did you mean \"name\"?"), "{wrong}");
}

#[tokio::test]
async fn a_file_is_written_and_what_changed_meanwhile_is_kept() {
    let stage = Stage::of_file();
    let draft = stage.draft().await;
    assert!(matches!(stage.put(&draft).await, Ok(Written::File(_))));
    let text = fs::read_to_string(stage.dir.path().join(FILE)).unwrap();
    assert_eq!(text, TEXT.replace("\"hello\"", "\"good morning\""));
    let again = stage.put(&draft).await.unwrap_err();
    assert!(again.contains("it has changed since it was read"), "{again}");
    assert_eq!(fs::read_to_string(stage.dir.path().join(FILE)).unwrap(), text);
}

#[tokio::test]
async fn a_repository_gets_a_branch_and_nothing_of_it_runs() {
    let stage = Stage::of_git();
    let draft = stage.draft().await;
    let trace = stage.plant_hooks();
    let written = stage.put(&draft).await.unwrap();
    let Written::Branch { name, sha, .. } = &written else { panic!("{written}") };
    assert_eq!(name, "quarterdeck/shop-production-greeting");
    assert!(!trace.exists(), "{}", fs::read_to_string(&trace).unwrap_or_default());
    let bare = stage.bare();
    let ask = |words: &[&str]| stage.git(&[&["--git-dir", bare.to_str().unwrap(), "-c", "core.fsmonitor=false"], words].concat());
    assert_eq!(ask(&["rev-parse", name]).trim(), sha);
    assert_eq!(ask(&["show", &format!("{name}:{FILE}")]), TEXT.replace("\"hello\"", "\"good morning\""));
    assert_eq!(ask(&["log", "--format=%an %ae|%s", "-1", name]).trim().rsplit('|').next(), Some("shop: GREETING of web in production"));
    assert_eq!(ask(&["rev-parse", &format!("{name}^")]), ask(&["rev-parse", "main"]), "on top of what was read, and main is where it was");
    // The name is taken: another one.
    let Ok(Written::Branch { name, .. }) = stage.put(&draft).await else { panic!("not pushed") };
    assert_eq!(name, "quarterdeck/shop-production-greeting-2");
}

#[tokio::test]
async fn what_is_refused_becomes_a_patch_that_git_takes() {
    let stage = Stage::of_git();
    let draft = stage.draft().await;
    // It says no by itself, without any hook: to everything below this name.
    stage.git(&["--git-dir", stage.bare().to_str().unwrap(), "config", "receive.maxInputSize", "1"]);
    let written = stage.put(&draft).await.unwrap();
    let Written::Patch { path, why } = &written else { panic!("{written}") };
    assert!(!why.is_empty() && path == &stage.dir.path().join("quarterdeck-shop-production-greeting.patch"), "{written}");
    stage.git(&["am", "--quiet", path.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(stage.work().join(FILE)).unwrap(), TEXT.replace("\"hello\"", "\"good morning\""));
    // A patch is never written over another.
    let Ok(Written::Patch { path, .. }) = stage.put(&draft).await else { panic!("pushed") };
    assert!(path.ends_with("quarterdeck-shop-production-greeting-2.patch"), "{}", path.display());
}

#[tokio::test]
async fn a_repository_that_went_on_is_not_overwritten() {
    let stage = Stage::of_git();
    let draft = stage.draft().await;
    fs::write(stage.work().join(FILE), TEXT.replace("one", "two")).unwrap();
    stage.commit("second");
    let error = stage.put(&draft).await.unwrap_err();
    assert!(error.contains("has changed since it was read"), "{error}");
    let branches = stage.git(&["--git-dir", stage.bare().to_str().unwrap(), "branch", "--list"]);
    assert_eq!(branches.trim(), "* main");
}
