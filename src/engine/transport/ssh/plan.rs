//! How one host is reached: URL, configuration and settings merged into a [`Plan`].
//!
//! Owns the rules of precedence and the tokens (`%h`, `~`). Makes no connection; may run `ssh -G` (bounded) where the files need it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::{
    client_config::{self, HostOptions, Lookup},
    settings::SshSettings,
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// How long `ssh -G` may take: it reads files and runs `Match exec`.
const ASK_DEADLINE: Duration = Duration::from_secs(5);

/// The keys that are tried when none is configured.
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// One stop on the way: a host as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hop {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

/// All that is needed to log in on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// As written by the person; what a command that they should run names.
    pub(super) written: Hop,
    pub(super) hostname: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// Private keys in the order they are tried; missing ones are skipped.
    pub(super) keys: Vec<PathBuf>,
    /// Whether only these may be offered from the agent.
    pub(super) identities_only: bool,
    pub(super) agent: Option<PathBuf>,
    pub(super) known_hosts: Vec<PathBuf>,
    /// The name and port under which the host key is known.
    pub(super) known_as: (String, u16),
    /// The bastions on the way, the nearest to us first.
    pub(super) jumps: Vec<Hop>,
    /// Name look-up and TCP connection.
    pub(super) connect: Duration,
}

impl Hop {
    /// `[user@]host[:port]` or `ssh://…`, as in `ProxyJump`.
    fn parse(text: &str) -> Result<Self, ConnectError> {
        let bad = || ConnectError::new(LinkCause::Configuration, format!("ProxyJump {text:?} is not [user@]host[:port]"));
        let text = text.trim();
        let rest = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
                (host, rest.strip_prefix(':'))
            }
            None => match rest.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                Some(_) | None => (rest, None),
            },
        };
        let port = port.map(str::parse).transpose().map_err(|_| bad())?;
        let hop = Self { user, host: host.to_owned(), port };
        hop.check()?;
        Ok(hop)
    }

    /// Refuses what a command line would read as an option or as several words.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        let safe = |word: &str| !word.is_empty() && !word.starts_with('-') && !word.contains(|c: char| c.is_whitespace() || c.is_control());
        let bad = if !safe(&self.host) { Some(&self.host) } else { self.user.as_ref().filter(|user| !safe(user)) };
        match bad {
            Some(word) => Err(ConnectError::new(
                LinkCause::Configuration,
                format!("{word:?} cannot be a host or account name: it is empty, begins with \"-\" or contains white space"),
            )),
            None => Ok(()),
        }
    }

    /// The arguments that name this stop to `ssh`: `-p 2222 ops@app-01`.
    pub(super) fn command(&self) -> String {
        let port = self.port.map(|port| format!("-p {port} ")).unwrap_or_default();
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{port}{user}{}", self.host)
    }
}

impl Plan {
    /// Merges what was written with the configuration. `jumps`: the bastions of a chain that is already known.
    pub(super) async fn resolve(written: Hop, settings: &SshSettings, jumps: Option<Vec<Hop>>) -> Result<Self, ConnectError> {
        written.check()?;
        let options = options(&written, settings).await?;
        if let Some(keyword) = options.unsupported {
            return Err(ConnectError::new(
                LinkCause::Configuration,
                format!(
                    "ssh_config sets {keyword} for {}, which only the ssh program can do: set ssh = \"openssh\" for this host",
                    written.host
                ),
            ));
        }
        Self::merge(written, settings, options, jumps)
    }

    fn merge(written: Hop, settings: &SshSettings, options: HostOptions, jumps: Option<Vec<Hop>>) -> Result<Self, ConnectError> {
        let port = written.port.or(options.port).unwrap_or(22);
        let user = written.user.clone().or(options.user).unwrap_or_else(|| settings.user.clone());
        let hostname = match &options.hostname {
            Some(name) => expand(name, &[('h', &written.host)])?,
            None => written.host.clone(),
        };
        let port_text = port.to_string();
        let home_text = settings.home.to_string_lossy();
        let tokens = [
            ('h', hostname.as_str()),
            ('n', written.host.as_str()),
            ('p', &port_text),
            ('r', &user),
            ('u', &settings.user),
            ('d', &home_text),
        ];
        let path = |text: &str| expand(text, &tokens).map(|text| below(&settings.home, &text));
        let ssh = settings.home.join(".ssh");

        let mut keys = settings.identities.clone();
        for file in options.identity_files.iter().filter(|file| *file != "none") {
            keys.push(path(file)?);
        }
        if options.identity_files.is_empty() {
            keys.extend(DEFAULT_KEYS.map(|name| ssh.join(name)));
        }
        let agent = match options.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => settings.agent.clone(),
            Some("none") => None,
            Some(text) => Some(path(text)?),
        };
        let known_hosts = match &settings.known_hosts {
            Some(files) => files.clone(),
            None => {
                let user =
                    options.user_known_hosts.unwrap_or_else(|| vec!["~/.ssh/known_hosts".to_owned(), "~/.ssh/known_hosts2".to_owned()]);
                let global = options.global_known_hosts;
                let global = global.unwrap_or_else(|| vec!["/etc/ssh/ssh_known_hosts".to_owned(), "/etc/ssh/ssh_known_hosts2".to_owned()]);
                user.iter().chain(&global).filter(|file| *file != "none").map(|file| path(file)).collect::<Result<_, _>>()?
            }
        };
        let jumps = match (jumps, options.proxy_jump.as_deref()) {
            (Some(jumps), _) => jumps,
            (None, None | Some("none")) => Vec::new(),
            (None, Some(list)) => list.split(',').map(Hop::parse).collect::<Result<_, _>>()?,
        };
        let known_as = match options.host_key_alias {
            Some(alias) => (alias, 22),
            None => (hostname.clone(), port),
        };
        let connect = options.connect_timeout.unwrap_or(settings.deadlines.connect);
        let identities_only = options.identities_only.unwrap_or(false);
        Ok(Self { written, hostname, port, user, keys, identities_only, agent, known_hosts, known_as, jumps, connect })
    }

    /// `ops@app-01.internal:22`: who is reached, for messages.
    pub(super) fn target(&self) -> String {
        format!("{}@{}:{}", self.user, self.hostname, self.port)
    }
}

async fn options(written: &Hop, settings: &SshSettings) -> Result<HostOptions, ConnectError> {
    let configuration = |error: String| ConnectError::new(LinkCause::Configuration, error);
    let (files, home, host) = (settings.config_files.clone(), settings.home.clone(), written.host.clone());
    // Files on a network file system may take their time: not on the threads that serve every host.
    let read = tokio::task::spawn_blocking(move || client_config::load(&files, &home, &host)).await;
    match read.map_err(|error| configuration(format!("reading ssh_config failed: {error}")))? {
        Ok(Lookup::Options(options)) => Ok(*options),
        Ok(Lookup::AskSsh) => ask_ssh(written, settings).await.map_err(configuration),
        Err(error) => Err(configuration(error.to_string())),
    }
}

/// The configuration that makes the `ssh` program read the same files as we do, whatever the account database calls our home.
pub(super) fn as_one_file(settings: &SshSettings) -> String {
    let mut text = String::new();
    for file in &settings.config_files {
        text.push_str(&format!("Include \"{}\"\nMatch all\n", file.display()));
    }
    let home = settings.home.display();
    let known = match &settings.known_hosts {
        Some(files) => files.iter().map(|file| format!(" \"{}\"", file.display())).collect(),
        None => format!(" \"{home}/.ssh/known_hosts\" \"{home}/.ssh/known_hosts2\""),
    };
    text.push_str(&format!("UserKnownHostsFile{known}\n"));
    text
}

async fn ask_ssh(written: &Hop, settings: &SshSettings) -> Result<HostOptions, String> {
    let program = settings.program.display();
    let mut command = Command::new(&settings.program);
    command.args(["-G", "-F", "/dev/stdin"]).env("HOME", &settings.home);
    if let Some(user) = &written.user {
        command.arg("-l").arg(user);
    }
    if let Some(port) = written.port {
        command.arg("-p").arg(port.to_string());
    }
    command.arg("--").arg(&written.host).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let asked = async {
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(as_one_file(settings).as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let needed = "ssh_config uses Match or CanonicalizeHostname, which only the ssh program evaluates";
    match timeout(ASK_DEADLINE, asked).await {
        Ok(Ok(output)) if output.status.success() => HostOptions::from_ssh(&String::from_utf8_lossy(&output.stdout)),
        Ok(Ok(output)) => Err(format!("{needed}: {program} -G {} failed: {}", written.host, String::from_utf8_lossy(&output.stderr))),
        Ok(Err(error)) => Err(format!("{needed}: {program} -G cannot be run: {error}")),
        Err(_) => Err(format!("{needed}: {program} -G {} did not answer in {} s", written.host, ASK_DEADLINE.as_secs())),
    }
}

/// Replaces `%x`; an unknown token is an error, as guessing a path would hide the key that was meant.
fn expand(text: &str, tokens: &[(char, &str)]) -> Result<String, ConnectError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            token => match tokens.iter().find(|(name, _)| Some(*name) == token) {
                Some((_, value)) => out.push_str(value),
                None => {
                    let reason = format!("ssh_config: the token %{} in {text:?} is not known here: write the value", token.unwrap_or(' '));
                    return Err(ConnectError::new(LinkCause::Configuration, reason));
                }
            },
        }
    }
    Ok(out)
}

/// A path with `~` put in; a relative one stands in the home folder.
fn below(home: &Path, text: &str) -> PathBuf {
    match text.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => home.join(text),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn hop(text: &str) -> Hop {
        Hop::parse(text).expect(text)
    }

    #[test]
    fn hops_are_read_in_every_form() {
        assert_eq!(hop("gate"), Hop { user: None, host: "gate".into(), port: None });
        assert_eq!(hop("ops@gate:2222"), Hop { user: Some("ops".into()), host: "gate".into(), port: Some(2222) });
        assert_eq!(hop("ssh://a@b@[fe80::1]:22"), Hop { user: Some("a@b".into()), host: "fe80::1".into(), port: Some(22) });
        assert_eq!(hop("fe80::1").host, "fe80::1");
        for bad in ["", "-oProxyCommand=x", "a b", "ops@", "gate:ssh", "[::1", "-x@gate"] {
            assert_eq!(Hop::parse(bad).expect_err(bad).cause, LinkCause::Configuration, "{bad}");
        }
    }

    async fn plan(config: &str, written: &str) -> Result<Plan, ConnectError> {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("config"), config).expect("written");
        let mut settings = SshSettings::below(PathBuf::from("/home/me"), "me".to_owned());
        settings.config_files = vec![home.path().join("config")];
        settings.agent = Some(PathBuf::from("/run/agent"));
        Plan::resolve(hop(written), &settings, None).await
    }

    #[tokio::test]
    async fn the_url_wins_over_the_configuration_and_tokens_are_put_in() {
        let config = "Host app-*\nHostName %h.internal\nUser ops\nPort 2222\nIdentityFile ~/.ssh/%r_%n\nIdentitiesOnly yes\nProxyJump a@one,two:23\n\
                      UserKnownHostsFile ~/known none\nGlobalKnownHostsFile /dev/null\nConnectTimeout 3\nIdentityAgent none\n";
        let found = plan(config, "app-01").await.expect("a plan");
        assert_eq!(found.target(), "ops@app-01.internal:2222");
        assert_eq!(found.keys, [PathBuf::from("/home/me/.ssh/ops_app-01")]);
        assert_eq!(found.known_hosts, [PathBuf::from("/home/me/known"), PathBuf::from("/dev/null")]);
        assert_eq!(found.known_as, ("app-01.internal".to_owned(), 2222));
        assert_eq!((found.connect, found.agent.clone(), found.identities_only), (Duration::from_secs(3), None, true));
        assert_eq!(found.jumps, [hop("a@one"), hop("two:23")]);
        assert_eq!(plan(config, "root@app-01:22").await.expect("a plan").target(), "root@app-01.internal:22");
        let plain = plan(config, "db").await.expect("a plan");
        assert_eq!((plain.target().as_str(), plain.keys.len(), plain.agent), ("me@db:22", 3, Some(PathBuf::from("/run/agent"))));
        let alias = plan("HostKeyAlias cluster\nPort 2200\n", "x").await.expect("a plan");
        assert_eq!(alias.known_as, ("cluster".to_owned(), 22));
    }

    #[tokio::test]
    async fn what_cannot_be_done_says_what_to_do() {
        let error = plan("ProxyCommand nc %h %p\n", "db").await.expect_err("unsupported");
        assert!(error.cause == LinkCause::Configuration && error.message.contains("set ssh = \"openssh\""), "{error}");
        let error = plan("IdentityFile ~/%C\n", "db").await.expect_err("unknown token");
        assert!(error.message.contains("%C"), "{error}");
    }

    #[tokio::test]
    async fn a_match_is_evaluated_by_ssh_itself() {
        if std::process::Command::new("ssh").arg("-V").output().is_err() {
            eprintln!("SKIPPED: there is no ssh program");
            return;
        }
        let found = plan("Match host db exec \"true\"\nUser matched\nPort 29\nIdentityFile ~/.ssh/special\n", "db").await.expect("a plan");
        assert_eq!(found.target(), "matched@db:29");
        assert_eq!(found.keys, [PathBuf::from("/home/me/.ssh/special")]);
        assert!(found.known_hosts.contains(&PathBuf::from("/home/me/.ssh/known_hosts")), "{:?}", found.known_hosts);
    }
}
