//! Templates in git: read at their revision by every verb, and nothing of the repository runs on this machine, whatever is planted in it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{Ended, Program};

/// Hooks that git knows.
const HOOKS: [&str; 12] = [
    "post-checkout",
    "post-index-change",
    "reference-transaction",
    "pre-auto-gc",
    "post-merge",
    "post-update",
    "update",
    "pre-receive",
    "post-receive",
    "fsmonitor-watchman",
    "proc-receive",
    "push-to-checkout",
];

/// Settings that name a command.
const SETTINGS: [&str; 17] = [
    "core.fsmonitor",
    "core.pager",
    "core.editor",
    "core.sshCommand",
    "core.askPass",
    "core.gitProxy",
    "core.alternateRefsCommand",
    "filter.evil.smudge",
    "filter.evil.clean",
    "filter.evil.process",
    "diff.evil.textconv",
    "diff.external",
    "merge.evil.driver",
    "gpg.program",
    "uploadpack.packObjectsHook",
    "interactive.diffFilter",
    "sequence.editor",
];

struct Shop {
    program: Program,
    config: String,
    repository: PathBuf,
    traps: PathBuf,
}

impl Shop {
    fn new() -> Self {
        let program = Program::new();
        let template = program.file("shop/quarterdeck.toml", "");
        let repository = Path::new(&template).parent().unwrap().to_owned();
        let traps = repository.with_file_name("traps");
        fs::create_dir(&traps).unwrap();
        let config = program.file(
            "config.toml",
            &format!(
                "[build]\nhost = \"gone\"\n[hosts.gone]\nurl = \"unix:///nowhere/docker.sock\"\n[apps.shop]\ntemplate = {{ git = {repository:?}, branch = \"main\" }}\n[apps.tree]\ntemplate = {template:?}\n[apps.ext]\ntemplate = {{ git = \"ext::sh -c touch% {}/ext\" }}\n",
                traps.display()
            ),
        );
        let shop = Self { program, config, repository, traps };
        shop.git(&["init", "--quiet", "--initial-branch=main"]);
        shop.commit("one");
        shop.commit("two");
        shop.plant();
        shop
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(words)
            .current_dir(&self.repository)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn command(&self, name: &str) -> String {
        format!("touch {}/{name}; false", self.traps.display())
    }

    fn commit(&self, greeting: &str) {
        let trap = |name: &str| format!(r#"["/bin/sh", "-c", "{}"]"#, self.command(name));
        let text = format!(
            r#"[app]
name = "shop"
registry = "registry.invalid:5000"
version = "1.0"

[images.web]
context = "web"
prepare = {{ image = "base:latest", run = {}, out = "out" }}
test = {}

[services.web]
image = "web"
ports = ["80"]
vars = {{ GREETING = "{greeting}" }}

[jobs.migrate]
image = "web"
command = {}

[environments.testing]
hosts = ["gone"]
auto = true
verify = {{ command = {}, image = "web" }}
"#,
            trap("prepare"),
            trap("test"),
            trap("job"),
            trap("verify")
        );
        self.program.file("shop/quarterdeck.toml", &text);
        self.program.file("shop/web/Dockerfile", "FROM base:latest\n");
        self.program.file("shop/.gitattributes", "* filter=evil diff=evil merge=evil\n");
        let update = self.command("submodule");
        let url = format!("ext::sh -c touch% {}/submodule-url", self.traps.display());
        self.program.file("shop/.gitmodules", &format!("[submodule \"lib\"]\n\tpath = lib\n\turl = {url}\n\tupdate = !{update}\n"));
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", greeting]);
    }

    /// Everything in the repository that names a command, and would tell of it.
    fn plant(&self) {
        let hooks = self.repository.join(".git/hooks");
        fs::create_dir_all(&hooks).unwrap();
        for hook in HOOKS {
            let file = hooks.join(hook);
            fs::write(&file, format!("#!/bin/sh\n{}\n", self.command(hook))).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for setting in SETTINGS {
            self.git(&["config", setting, &self.command(setting)]);
        }
        self.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
        self.git(&["config", "credential.helper", &format!("!{}", self.command("credential"))]);
        self.git(&["config", "submodule.lib.update", &format!("!{}", self.command("submodule-config"))]);
        self.git(&["config", "alias.fetch-pack", &format!("!{}", self.command("alias"))]);
        self.git(&["config", "remote.origin.url", &format!("ext::sh -c touch% {}/origin", self.traps.display())]);
        self.git(&["config", "remote.origin.uploadpack", &self.command("uploadpack")]);
        self.git(&["config", "include.path", "../.gitconfig-of-the-tree"]);
        // Whoever asks git in the plain way steps into them.
        let plain = Command::new("git").arg("status").current_dir(&self.repository).env("GIT_CONFIG_GLOBAL", "/dev/null").output();
        assert!(plain.is_ok() && !self.sprung().is_empty(), "the traps work");
        fs::remove_dir_all(&self.traps).unwrap();
        fs::create_dir(&self.traps).unwrap();
    }

    fn run(&self, words: &str) -> Ended {
        let words: Vec<&str> = ["-c", &self.config].into_iter().chain(words.split(' ')).collect();
        self.program.run(&words)
    }

    fn sprung(&self) -> Vec<String> {
        fs::read_dir(&self.traps).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn nothing_of_a_repository_runs_here() {
    let shop = Shop::new();
    // Each comes as far as it can without an engine, and the template was read for it.
    for (words, code, told) in [
        ("app check shop", 0, "no mistakes"),
        ("app check shop --rev HEAD~1", 0, "no mistakes"),
        ("app check tree --rev main", 2, "is the template of \"tree\""),
        ("app show shop testing", 0, "GREETING"),
        ("plan shop testing", 2, "nothing of shop was built yet"),
        ("deploy shop testing --yes", 2, "nothing of shop was built yet"),
        ("deploy shop tesing --yes", 2, "did you mean \"testing\"?"),
        ("rollback shop testing --yes", 2, "was good in testing"),
        ("build shop", 3, "host \"gone\""),
        ("build shop --rev HEAD~1", 3, "host \"gone\""),
        ("pipeline shop", 3, "host \"gone\""),
        ("app check ext", 1, "cannot be fetched"),
        ("app show ext", 1, "cannot be fetched"),
        ("plan ext testing", 1, "cannot be fetched"),
        ("deploy ext testing --yes", 1, "cannot be fetched"),
        ("build ext", 1, "cannot be fetched"),
        ("pipeline ext", 1, "cannot be fetched"),
    ] {
        let ended = shop.run(words);
        assert_eq!(ended.code, Some(code), "{words}: {ended:?}");
        assert!(ended.out.contains(told) || ended.err.contains(told), "{words}: {ended:?}");
        assert_eq!(shop.sprung(), [""; 0], "{words}");
    }
    // The same from the work tree itself, with changes in it.
    shop.program.file("shop/web/Dockerfile", "FROM base:latest\nRUN true\n");
    for words in ["build tree", "pipeline tree", &format!("build {}/quarterdeck.toml", shop.repository.display())] {
        let ended = shop.run(words);
        let told = ["host \"gone\"", "the configuration takes it for", "is the template of"];
        assert!(told.iter().any(|told| ended.err.contains(told)), "{words}: {ended:?}");
        assert_eq!(shop.sprung(), [""; 0], "{words}");
    }
}

#[test]
fn the_branch_as_it_is_now_and_as_it_was() {
    let shop = Shop::new();
    let shown = |words: &str| {
        let ended = shop.run(words);
        assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
        ended
    };
    assert!(shown("app show shop testing").out.contains("two"));
    assert!(shown("app show shop testing --rev HEAD~1").out.contains("one"));
    assert!(shown("app show shop testing --read-only").out.contains("two"));
    shop.git(&["config", "--unset", "filter.evil.process"]);
    shop.git(&["config", "filter.evil.clean", "cat"]);
    shop.git(&["config", "--unset", "core.fsmonitor"]);
    shop.git(&["config", "core.hooksPath", "/dev/null"]);
    shop.commit("three");
    assert!(shown("app show shop testing").out.contains("three"));

    // Its server is down: who looks or goes back is told how old what they see is; who deploys waits for it.
    fs::rename(&shop.repository, shop.repository.with_file_name("away")).unwrap();
    let ended = shown("app show shop testing");
    assert!(ended.out.contains("three") && ended.err.contains("cannot be fetched") && ended.err.contains(" old"), "{ended:?}");
    let back = shop.run("rollback shop testing --yes");
    assert!(back.code == Some(2) && back.err.contains("was good in testing"), "{back:?}");
    let deploy = shop.run("deploy shop testing --yes");
    assert!(deploy.code == Some(1) && deploy.err.contains("cannot be fetched"), "{deploy:?}");
}
