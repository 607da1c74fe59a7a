//! The `git` program, so that nothing of a repository runs on this machine: no hook, no fsmonitor, no filter, no alias, no helper of a
//! transport, and nobody is asked for a password.
//!
//! A repository's own configuration is never read: the only git directory that is ever named is a bare one of ours. A person's own
//! configuration is read to fetch (their URLs, proxies and credential helpers are meant for that), and for nothing else.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use super::GitError;
use crate::text::clean_line;

/// For what only reads objects.
const QUICK: Duration = Duration::from_secs(120);
/// For what crosses the network.
const FETCH: Duration = Duration::from_secs(900);

/// Variables of ours that git may see; everything else, `GIT_*` above all, stays here.
const KEPT: [&str; 17] = [
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SUDO_UID",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Said on every command line, stronger than any file.
const SETTINGS: [&str; 17] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.quotePath=false",
    "core.pager=cat",
    "credential.interactive=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    "protocol.file.allow=always",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "diff.ignoreSubmodules=all",
    "gc.autoDetach=false",
    "log.showSignature=false",
];

/// A person's own variables for ssh, passed on when fetching.
const SSH: [&str; 2] = ["GIT_SSH_COMMAND", "GIT_SSH"];

/// Whose configuration is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The machine's and the person's.
    Person,
    /// Nobody's.
    Nobody,
}

/// One git directory of ours, and how it is asked.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    /// A tree of files, and the index beside it that is of no use to anybody else.
    work: Option<(PathBuf, PathBuf)>,
}

impl Git {
    /// Over a bare git directory of ours.
    pub fn bare(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), work: None }
    }

    /// The same objects over a tree of files, with an index of its own.
    pub fn over(&self, tree: &Path, index: &Path) -> Self {
        Self { dir: self.dir.clone(), work: Some((tree.to_owned(), index.to_owned())) }
    }

    /// Asks for something that stays on this machine; gives its output.
    ///
    /// # Errors
    /// [`GitError::Missing`], [`GitError::Failed`] with git's words.
    pub async fn ask<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Vec<u8>, GitError> {
        self.tell(words, &[]).await
    }

    /// [`Git::ask`], with an input.
    ///
    /// # Errors
    /// As there.
    pub async fn tell<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Result<Vec<u8>, GitError> {
        run(self.command(words, Trust::Nobody), words, input, QUICK).await.map(|said| said.out)
    }

    /// Asks for something that crosses the network, with the person's own configuration; gives git's warnings.
    ///
    /// # Errors
    /// As [`Git::ask`].
    pub async fn fetch<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String, GitError> {
        let mut command = self.command(words, Trust::Person);
        let own = SSH.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
        let own: Vec<(&&str, OsString)> = own.collect();
        let configured = own.is_empty() && self.person("core.sshCommand").await.is_some();
        if own.is_empty() && !configured {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        command.envs(own);
        run(command, words, &[], FETCH).await.map(|said| String::from_utf8_lossy(&said.warnings).into_owned())
    }

    /// A setting of the person's own.
    pub async fn person(&self, key: &str) -> Option<String> {
        let words = ["config", "--global", "--includes", "--get", key];
        let said = run(self.command(&words, Trust::Person), &words, &[], QUICK).await.ok()?;
        Some(String::from_utf8(said.out).ok()?.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn command<S: AsRef<OsStr>>(&self, words: &[S], trust: Trust) -> Command {
        let mut command = Command::new("git");
        command
            .env_clear()
            .env("PATH", absolute_path())
            .envs(KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_ATTR_NOSYSTEM", "1").env("GIT_NO_LAZY_FETCH", "1");
        command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0").env("GCM_INTERACTIVE", "never");
        if trust == Trust::Nobody {
            command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_CONFIG_GLOBAL", "/dev/null");
        }
        if let Some((_, index)) = &self.work {
            command.env("GIT_INDEX_FILE", index);
        }
        command.arg("--no-pager").arg("--literal-pathspecs");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if trust == Trust::Nobody {
            command.args(["-c", "core.attributesFile=/dev/null", "-c", "core.excludesFile=/dev/null"]);
        }
        // Named, and so not looked for: no other directory's configuration is read, whoever owns it.
        command.arg("--git-dir").arg(&self.dir);
        if let Some((tree, _)) = &self.work {
            command.arg("--work-tree").arg(tree);
        }
        command.args(words).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// Where programs are looked for, without what depends on the directory one happens to be in: a repository may hold a `git` of its own.
pub(in crate::build) fn absolute_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).filter(|place| place.is_absolute());
    // Without a place that it can be put together of there is none.
    std::env::join_paths(places).unwrap_or_default()
}

/// What git says of a success.
struct Said {
    out: Vec<u8>,
    warnings: Vec<u8>,
}

async fn run<S: AsRef<OsStr>>(mut command: Command, words: &[S], input: &[u8], limit: Duration) -> Result<Said, GitError> {
    let what = words.first().map(|word| word.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
    let failed = |reason: String| GitError::Failed { what: what.clone(), reason };
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitError::Missing,
        _ => failed(clean_line(&error.to_string())),
    })?;
    let stdin = child.stdin.take();
    let whole = async {
        let write = async {
            if let Some(mut stdin) = stdin
                && let Err(error) = stdin.write_all(input).await
            {
                // It ended without reading all; its own words say why.
                tracing::debug!(%error, "git did not read its input");
            }
        };
        tokio::join!(write, child.wait_with_output()).1
    };
    let output = match timeout(limit, whole).await {
        Ok(output) => output.map_err(|error| failed(clean_line(&error.to_string())))?,
        Err(_) => return Err(failed(format!("no end within {} s", limit.as_secs()))),
    };
    match output.status.success() {
        true => Ok(Said { out: output.stdout, warnings: output.stderr }),
        false => Err(failed(reason(&output.stderr, &output.status.to_string()))),
    }
}

/// What git says of a failure: its `fatal:` and `error:` lines, else its last one.
fn reason(stderr: &[u8], status: &str) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling = |line: &&&str| {
        let words = ["fatal:", "error:", "remote: ", "ssh:", "! [rejected]"];
        words.iter().any(|word| line.starts_with(word)) || line.contains("Permission denied") || line.contains("verification failed")
    };
    let told: Vec<&str> = lines.iter().filter(telling).copied().collect();
    let told = if told.is_empty() { lines.last().copied().into_iter().collect() } else { told };
    let text = clean_line(&told.join(" · "));
    if text.is_empty() { status.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says() {
        for (stderr, expected) in [
            ("warning: x\nfatal: bad object\n", "fatal: bad object"),
            (
                "ops@git: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
                "ops@git: Permission denied (publickey). · fatal: Could not read from remote repository.",
            ),
            ("odd\x1b[31m", "odd␛[31m"),
            ("", "exit status: 1"),
        ] {
            assert_eq!(reason(stderr.as_bytes(), "exit status: 1"), expected);
        }
    }

    #[test]
    fn a_command_line_names_everything() {
        let git = Git::bare(Path::new("/cache")).over(Path::new("/tree"), Path::new("/index"));
        let command = git.command(&["status"], Trust::Nobody);
        let std = command.as_std();
        let words: Vec<String> = std.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert!(
            words.windows(2).any(|pair| pair == ["-c", "core.fsmonitor=false"])
                && words.windows(2).any(|pair| pair == ["--git-dir", "/cache"])
        );
        let env = |name: &str| {
            std.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value).map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!(env("GIT_TERMINAL_PROMPT").as_deref(), Some("0"));
        assert_eq!(env("GIT_CONFIG_GLOBAL").as_deref(), Some("/dev/null"));
        assert_eq!(env("GIT_INDEX_FILE").as_deref(), Some("/index"));
        assert_eq!(env("GIT_DIR"), None);
        let path = env("PATH").unwrap();
        assert!(std::env::split_paths(&path).all(|place| place.is_absolute()) && std.get_current_dir() == Some(Path::new("/")), "{path}");
    }
}
