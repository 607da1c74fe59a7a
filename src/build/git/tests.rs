//! Real repositories in temporary directories: what is read of them, and what of them never runs here.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::*;

/// A work tree of a person's, and our state directory.
struct Stage {
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(stage.root()).unwrap();
        stage.git(&["init", "--quiet", "--initial-branch=main"]);
        stage
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    /// As the person would, with none of this machine's settings.
    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"])
            .args(words)
            .current_dir(self.root())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn repository(&self) -> Repository {
        Repository::new(Place::around(&self.root()).unwrap(), &self.dir.path().join("state"))
    }

    async fn fetched(&self) -> Repository {
        let repository = self.repository();
        repository.fetch().await.unwrap();
        repository
    }
}

async fn newest(repository: &Repository) -> Snapshot {
    repository.snapshot(repository.resolve(None).await.unwrap()).await.unwrap()
}

/// Every file below a directory with its text; links as `-> target`.
fn listed(dir: &Path, name: &str, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{name}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            listed(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_symlink() {
            found.push(format!("{path} -> {}", fs::read_link(entry.path()).unwrap().display()));
        } else {
            let x = if entry.metadata().unwrap().permissions().mode() & 0o100 == 0 { "" } else { "*" };
            found.push(format!("{path}{x}={}", fs::read_to_string(entry.path()).unwrap().trim()));
        }
    }
}

#[tokio::test]
async fn commits_trees_and_files() {
    let stage = Stage::new();
    stage.file("a.txt", "one");
    stage.file("web/run.sh", "#!/bin/sh");
    fs::set_permissions(stage.root().join("web/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", stage.root().join("link")).unwrap();
    let first = stage.commit("The first\u{1b}[2J one");
    stage.git(&["tag", "v1"]);
    stage.file("a.txt", "two");
    let second = stage.commit("The second");
    stage.git(&["branch", "other", "v1"]);
    stage.file("not-committed", "x");

    let repository = stage.fetched().await;
    let snapshot = newest(&repository).await;
    assert_eq!((snapshot.commit.sha.as_str(), snapshot.count, snapshot.commit.author.as_str()), (second.as_str(), 2, "Ada"));
    for (rev, sha) in
        [("v1", &first), ("main", &second), ("HEAD~1", &first), ("@", &second), (&first[..8], &first), ("origin/other", &first)]
    {
        assert_eq!(&repository.resolve(Some(rev)).await.unwrap().sha, sha, "{rev}");
    }
    for rev in ["nowhere", "--output=/tmp/x", "HEAD:a.txt", ""] {
        let error = repository.resolve(Some(rev)).await.unwrap_err();
        assert!(matches!(error, GitError::NoRevision { .. }), "{rev}: {error}");
    }
    let (old, new) = (repository.resolve(Some("v1")).await.unwrap(), snapshot.commit.clone());
    let between = repository.between(&old, &new, 10).await.unwrap();
    assert_eq!(between.iter().map(|commit| commit.subject.as_str()).collect::<Vec<_>>(), ["The second"]);
    assert_eq!(old.subject, "The first␛[2J one");

    let files = repository.files(&snapshot.tree).await.unwrap();
    let told: Vec<String> = files.iter().map(|file| format!("{} {}", file.mode, file.path)).collect();
    assert_eq!(told, ["100644 a.txt", "120000 link", "100755 web/run.sh"]);
    assert_eq!(repository.read(&files, "a.txt").await.unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(repository.read(&files, "link").await.unwrap(), None, "a link is not followed");

    let out = tempfile::tempdir().unwrap();
    repository.checkout(&snapshot.tree, out.path()).await.unwrap();
    let mut found = Vec::new();
    listed(out.path(), "", &mut found);
    assert_eq!(found, ["a.txt=two", "link -> /etc/passwd", "web/run.sh*=#!/bin/sh"], "nothing of the work tree leaks");
}

#[tokio::test]
async fn a_tree_with_changes_is_a_tree_of_its_own() {
    let stage = Stage::new();
    stage.file("a.txt", "one");
    stage.file("gone.txt", "x");
    stage.file(".gitignore", "*.log\n");
    stage.commit("first");
    let repository = stage.fetched().await;
    let clean = newest(&repository).await;
    stage.file("ignored.log", "x");
    stage.file(".git/info/exclude", "private\n");
    stage.file("private", "x");
    assert_eq!(repository.with_changes(clean.clone()).await.unwrap(), clean);

    stage.file("a.txt", "changed");
    stage.file("new/b.txt", "new");
    fs::remove_file(stage.root().join("gone.txt")).unwrap();
    let dirty = repository.with_changes(clean.clone()).await.unwrap();
    let digits = dirty.dirty.clone().unwrap();
    assert!(digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    let out = tempfile::tempdir().unwrap();
    repository.checkout(&dirty.tree, out.path()).await.unwrap();
    let mut found = Vec::new();
    listed(out.path(), "", &mut found);
    assert_eq!(found, [".gitignore=*.log", "a.txt=changed", "new/b.txt=new"]);
    assert_eq!(repository.with_changes(clean.clone()).await.unwrap().dirty, Some(digits.clone()), "the same changes are called the same");
    stage.file("a.txt", "changed again");
    assert_ne!(repository.with_changes(clean).await.unwrap().dirty, Some(digits));
    assert_eq!(stage.git(&["status", "--porcelain"]).lines().count(), 3, "the person's own index is as it was");
}

#[tokio::test]
async fn what_is_no_history_is_refused_with_the_remedy() {
    let stage = Stage::new();
    let error = stage.repository().fetch().await.unwrap_err();
    assert!(matches!(error, GitError::NoCommit { .. }), "{error}");
    stage.file("a", "1");
    stage.commit("first");
    stage.file("a", "2");
    stage.commit("second");
    let url = format!("file://{}", stage.root().display());
    stage.git(&["clone", "--quiet", "--depth=1", &url, "../shallow"]);
    stage.git(&["-C", "../shallow", "worktree", "add", "--quiet", "../linked"]);
    for name in ["shallow", "linked"] {
        let place = Place::around(&stage.dir.path().join(name)).unwrap();
        let error = Repository::new(place, &stage.dir.path().join("state")).fetch().await.unwrap_err();
        assert!(matches!(error, GitError::Shallow { .. }) && error.to_string().contains("git fetch --unshallow"), "{error}");
    }
    let url = format!("file://{}", stage.dir.path().join("shallow").display());
    let remote = Repository::new(Place::Remote { url, branch: None }, &stage.dir.path().join("state"));
    let error = remote.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Shallow { .. }), "{error}");

    let outside = tempfile::tempdir().unwrap();
    assert!(matches!(Place::around(outside.path()), Err(GitError::NoRepository { .. })));
    for url in ["ext::sh -c touch% /tmp/x", "foo::bar"] {
        let remote = Repository::new(Place::Remote { url: url.to_owned(), branch: None }, &stage.dir.path().join("state"));
        let error = remote.fetch().await.unwrap_err().to_string();
        assert!(error.contains("not allowed") && error.contains("https, http, ssh, git and paths only"), "{error}");
    }
}

#[tokio::test]
async fn a_remote_has_its_branch() {
    let stage = Stage::new();
    stage.file("a", "1");
    let first = stage.commit("first");
    stage.git(&["checkout", "--quiet", "-b", "next"]);
    let second = stage.commit("second");
    stage.git(&["checkout", "--quiet", "main"]);
    let url = format!("file://{}", stage.root().display());
    for (branch, sha) in [(None, &first), (Some("next"), &second)] {
        let place = Place::Remote { url: url.clone(), branch: branch.map(str::to_owned) };
        let repository = Repository::new(place, &stage.dir.path().join("state"));
        repository.fetch().await.unwrap();
        assert_eq!(&repository.resolve(None).await.unwrap().sha, sha);
    }
    // History that was written anew comes in, too.
    stage.git(&["reset", "--quiet", "--hard", "next"]);
    stage.git(&["commit", "--quiet", "--amend", "--allow-empty", "-m", "amended"]);
    let repository = Repository::new(Place::Remote { url, branch: Some("main".to_owned()) }, &stage.dir.path().join("state"));
    repository.fetch().await.unwrap();
    assert_eq!(repository.resolve(None).await.unwrap().subject, "amended");
}

/// Everything by which git can be made to run a command from a repository, each leaving a file of its own behind.
#[tokio::test]
async fn nothing_planted_runs() {
    let stage = Stage::new();
    let traps = stage.dir.path().join("traps");
    fs::create_dir(&traps).unwrap();
    let trap = |name: &str| {
        let script = stage.dir.path().join(format!("trap-{name}"));
        fs::write(&script, format!("#!/bin/sh\ntouch {}/{name}\ncat\n", traps.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script.to_str().unwrap().to_owned()
    };
    stage.file(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n*.bin filter=proc\n");
    stage.file("a.txt", "one");
    stage.file("b.bin", "one");
    stage.file(".gitmodules", &format!("[submodule \"sub\"]\n\tpath = sub\n\turl = ./sub\n\tupdate = !{}\n", trap("submodule")));
    stage.file("quarterdeck.toml", "x = 1");
    stage.commit("first");
    // A repository inside, with settings of its own.
    fs::create_dir(stage.root().join("sub")).unwrap();
    stage.git(&["-C", "sub", "init", "--quiet"]);
    stage.git(&["-C", "sub", "commit", "--quiet", "--allow-empty", "-m", "inner"]);
    stage.git(&["-c", "advice.addEmbeddedRepo=false", "add", "--all"]);
    stage.git(&["commit", "--quiet", "-m", "second"]);
    stage.git(&["-C", "sub", "config", "core.fsmonitor", &trap("sub-fsmonitor")]);
    for (key, name) in [
        ("core.fsmonitor", "fsmonitor"),
        ("core.sshCommand", "ssh"),
        ("core.pager", "pager"),
        ("core.editor", "editor"),
        ("core.askPass", "askpass"),
        ("core.alternateRefsCommand", "alternates"),
        ("filter.evil.clean", "clean"),
        ("filter.evil.smudge", "smudge"),
        ("filter.proc.process", "process"),
        ("diff.evil.textconv", "textconv"),
        ("diff.evil.command", "diff"),
        ("diff.external", "external"),
        ("merge.evil.driver", "merge"),
        ("uploadpack.packObjectsHook", "pack"),
        ("gpg.program", "gpg"),
        ("credential.helper", "credential"),
        ("alias.log", "alias"),
    ] {
        stage.git(&["config", key, &trap(name)]);
    }
    stage.git(&["config", "log.showSignature", "true"]);
    for hook in
        ["pre-commit", "post-checkout", "post-index-change", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor-watchman"]
    {
        fs::copy(trap(&format!("hook-{hook}")), stage.root().join(".git/hooks").join(hook)).unwrap();
    }
    stage.file("a.txt", "two");
    stage.file("b.bin", "two");
    stage.file("sub/changed", "x");
    // The traps work: the person's own git falls into the first it meets.
    let _ = Command::new("git").args(["status", "--short"]).current_dir(stage.root()).stdin(Stdio::null()).output().unwrap();
    assert!(fs::read_dir(&traps).unwrap().count() > 0, "no trap works");
    fs::remove_dir_all(&traps).unwrap();
    fs::create_dir(&traps).unwrap();

    let repository = stage.fetched().await;
    let snapshot = newest(&repository).await;
    let dirty = repository.with_changes(snapshot.clone()).await.unwrap();
    assert!(dirty.dirty.is_some());
    let out = tempfile::tempdir().unwrap();
    repository.checkout(&dirty.tree, out.path()).await.unwrap();
    assert_eq!(fs::read_to_string(out.path().join("a.txt")).unwrap(), "two", "as it lies there, not as a filter has it");
    let files = repository.files(&dirty.tree).await.unwrap();
    repository.read(&files, "b.bin").await.unwrap();
    repository.between(&repository.resolve(Some("HEAD~1")).await.unwrap(), &snapshot.commit, 5).await.unwrap();
    let sprung: Vec<_> = fs::read_dir(&traps).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(sprung.is_empty(), "these ran: {sprung:?}");
}

#[tokio::test]
async fn where_it_comes_from_as_others_know_it() {
    let stage = Stage::new();
    stage.file("a", "1");
    stage.commit("first");
    let repository = stage.fetched().await;
    assert_eq!(repository.source().await, stage.root().canonicalize().unwrap().display().to_string());
    for (url, told) in [
        ("https://ada:hunter2@git.example/shop.git", "https://git.example/shop.git"),
        ("https://token@git.example/shop.git", "https://git.example/shop.git"),
        ("ssh://git@git.example:22/shop", "ssh://git@git.example:22/shop"),
        ("git@git.example:shop", "git@git.example:shop"),
    ] {
        stage.git(&["config", "remote.origin.url", url]);
        assert_eq!(repository.source().await, told);
    }
}

#[tokio::test]
async fn a_copy_that_others_may_write_is_not_used() {
    let stage = Stage::new();
    stage.file("a", "1");
    stage.commit("first");
    let repository = stage.fetched().await;
    let state = stage.dir.path().join("state");
    let room = fs::read_dir(&state).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&room).unwrap().permissions().mode() & 0o077, 0);
    fs::set_permissions(&room, fs::Permissions::from_mode(0o770)).unwrap();
    let error = repository.fetch().await.unwrap_err().to_string();
    assert!(error.contains("others may write there"), "{error}");
}

#[tokio::test]
async fn many_at_once_fetch_one_copy() {
    let stage = Stage::new();
    stage.file("a", "1");
    let sha = stage.commit("first");
    let fetches = (0..4).map(|_| async {
        let repository = stage.repository();
        repository.fetch().await?;
        repository.resolve(None).await
    });
    for commit in futures_util::future::join_all(fetches).await {
        assert_eq!(commit.unwrap().sha, sha);
    }
}
