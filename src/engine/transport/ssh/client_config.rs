//! `ssh_config(5)`: what the user's and the system's file say of one host.
//!
//! The files are read here, without a process per host, as long as they use what this reader knows: `Host`, `Include`,
//! `Match all` and the keywords of [`HostOptions`]. Another `Match` or `CanonicalizeHostname` makes it [`Lookup::AskSsh`]: then
//! `ssh -G` is asked, and its lines go through the same [`HostOptions::set`]. Unknown keywords are none of our business.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::pattern::{list_matches, matches};

/// Files included from files included …: ssh's own limit.
const INCLUDE_DEPTH: usize = 16;

/// What cannot be done by libssh2 and was asked for; the keyword as a person writes it.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("proxycommand", "ProxyCommand"),
    ("certificatefile", "CertificateFile"),
    ("pkcs11provider", "PKCS11Provider"),
    ("revokedhostkeys", "RevokedHostKeys"),
    ("knownhostscommand", "KnownHostsCommand"),
];

/// What the configuration says of one host; values as written, tokens not yet expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostOptions {
    /// The real name.
    pub(super) hostname: Option<String>,
    /// The account.
    pub(super) user: Option<String>,
    /// The port.
    pub(super) port: Option<u16>,
    /// Every `IdentityFile`, in order: here all values count, not only the first.
    pub(super) identity_files: Vec<String>,
    /// Whether only these keys of the agent may be offered.
    pub(super) identities_only: Option<bool>,
    /// The bastions as written; `none` is `Some("none")`.
    pub(super) proxy_jump: Option<String>,
    /// Files of known keys, the user's.
    pub(super) user_known_hosts: Option<Vec<String>>,
    /// Files of known keys, the system's.
    pub(super) global_known_hosts: Option<Vec<String>>,
    /// The name under which the host's key is known.
    pub(super) host_key_alias: Option<String>,
    /// The agent's socket, `SSH_AUTH_SOCK` or `none`.
    pub(super) identity_agent: Option<String>,
    /// How long connecting may take.
    pub(super) connect_timeout: Option<Duration>,
    /// The first keyword that libssh2 cannot honour.
    pub(super) unsupported: Option<&'static str>,
}

/// What reading the files gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// All that they say of this host.
    Options(Box<HostOptions>),
    /// They use what only ssh itself can evaluate.
    AskSsh,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {reason}", file.display())]
pub(super) struct ConfigError {
    file: PathBuf,
    line: usize,
    reason: String,
}

impl HostOptions {
    /// Applies one keyword; the first value wins.
    pub(super) fn set(&mut self, keyword: &str, values: &[String]) -> Result<(), String> {
        let Some(first) = values.first() else { return Err(format!("{keyword} has no value")) };
        match keyword {
            "hostname" => keep(&mut self.hostname, first),
            "user" => keep(&mut self.user, first),
            "port" => {
                let port = first.parse().ok().filter(|port| *port > 0);
                let port: u16 = port.ok_or_else(|| format!("{first:?} is no port: 1 to 65535"))?;
                self.port.get_or_insert(port);
            }
            "identityfile" if !self.identity_files.contains(first) => self.identity_files.push(first.clone()),
            "identitiesonly" => {
                let only = yes_or_no(first)?;
                self.identities_only.get_or_insert(only);
            }
            // Between these two the first one wins, whichever it is.
            "proxyjump" if self.unsupported != Some("ProxyCommand") => keep(&mut self.proxy_jump, first),
            "proxycommand" if self.proxy_jump.is_some() => {}
            "proxycommand" if first == "none" => self.proxy_jump = Some("none".to_owned()),
            "userknownhostsfile" => keep(&mut self.user_known_hosts, values),
            "globalknownhostsfile" => keep(&mut self.global_known_hosts, values),
            "hostkeyalias" => keep(&mut self.host_key_alias, first),
            "identityagent" => keep(&mut self.identity_agent, first),
            "connecttimeout" if first != "none" => {
                let seconds: u64 = first.parse().map_err(|_| format!("{first:?} is no number of seconds"))?;
                self.connect_timeout.get_or_insert(Duration::from_secs(seconds.clamp(1, 300)));
            }
            _ => {
                let known = UNSUPPORTED.iter().find(|(lower, _)| *lower == keyword);
                if let Some((_, name)) = known.filter(|_| first != "none") {
                    self.unsupported.get_or_insert(name);
                }
            }
        }
        Ok(())
    }

    /// Applies the output of `ssh -G`: one keyword and its values a line.
    pub(super) fn from_ssh(output: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for line in output.lines() {
            let Some((keyword, rest)) = line.split_once(' ') else { continue };
            let listed = matches!(keyword, "userknownhostsfile" | "globalknownhostsfile");
            let values: Vec<String> =
                if listed { rest.split_whitespace().map(str::to_owned).collect() } else { vec![rest.trim().to_owned()] };
            options.set(keyword, &values)?;
        }
        Ok(options)
    }
}

fn keep<T: ToOwned + ?Sized>(slot: &mut Option<T::Owned>, value: &T) {
    if slot.is_none() {
        *slot = Some(value.to_owned());
    }
}

fn yes_or_no(word: &str) -> Result<bool, String> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{word:?} is neither yes nor no")),
    }
}

/// What these files say of `host`, read in this order: the first value wins. A file that does not exist says nothing.
pub(super) fn load(files: &[PathBuf], home: &Path, host: &str) -> Result<Lookup, ConfigError> {
    let mut reader = Reader { home, host, options: HostOptions::default(), ask_ssh: false };
    for file in files {
        reader.file(file, INCLUDE_DEPTH)?;
    }
    Ok(if reader.ask_ssh { Lookup::AskSsh } else { Lookup::Options(Box::new(reader.options)) })
}

struct Reader<'a> {
    home: &'a Path,
    host: &'a str,
    options: HostOptions,
    ask_ssh: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), ConfigError> {
        match fs::read(path) {
            Ok(bytes) => self.text(&String::from_utf8_lossy(&bytes), path, depth),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
            Err(error) => Err(ConfigError { file: path.to_owned(), line: 0, reason: format!("cannot be read: {error}") }),
        }
    }

    fn text(&mut self, text: &str, path: &Path, depth: usize) -> Result<(), ConfigError> {
        let mut active = true;
        for (number, line) in text.lines().enumerate() {
            let fail = |reason: String| ConfigError { file: path.to_owned(), line: number + 1, reason };
            let Some((keyword, values)) = split_line(line).map_err(fail)? else { continue };
            match keyword.as_str() {
                "host" => active = list_matches(values.iter().map(String::as_str), self.host),
                "match" if values.len() == 1 && values[0].eq_ignore_ascii_case("all") => active = true,
                "match" => {
                    self.ask_ssh = true;
                    active = false;
                }
                "canonicalizehostname" if active && values.first().is_some_and(|value| !value.eq_ignore_ascii_case("no")) => {
                    self.ask_ssh = true;
                }
                "include" if active && depth == 0 => return Err(fail("too many levels of Include".to_owned())),
                "include" if active => {
                    for value in &values {
                        for file in included(value, self.home, path) {
                            self.file(&file, depth - 1)?;
                        }
                    }
                }
                _ if active => self.options.set(&keyword, &values).map_err(fail)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files an `Include` names, sorted; relative ones stand in `~/.ssh`, or in `/etc/ssh` when a file there names them.
fn included(value: &str, home: &Path, from: &Path) -> Vec<PathBuf> {
    let base = if from.starts_with("/etc/ssh") { PathBuf::from("/etc/ssh") } else { home.join(".ssh") };
    let path = match value.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => base.join(value),
    };
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let part = part.as_os_str().to_string_lossy();
        if !part.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part.as_ref()));
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            // A folder that cannot be listed includes nothing, as in ssh.
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let names = entries.flatten().map(|entry| entry.file_name());
            next.extend(names.filter(|name| matches(&part, &name.to_string_lossy())).map(|name| folder.join(name)));
        }
        next.sort();
        found = next;
    }
    found
}

/// One line: the keyword in lower case and its values; `None` for an empty line or a comment.
fn split_line(line: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let keyword = keyword.to_ascii_lowercase();
    if matches!(keyword.as_str(), "proxycommand" | "remotecommand" | "localcommand" | "knownhostscommand") {
        return Ok(Some((keyword, vec![rest.trim().to_owned()])));
    }
    Ok(Some((keyword, split_values(rest)?)))
}

fn split_values(text: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(values),
            Some(_) => {}
        }
        let mut value = String::new();
        let mut quoted = false;
        while let Some(c) = chars.next_if(|c| quoted || !c.is_whitespace()) {
            match c {
                '"' => quoted = !quoted,
                '\\' if matches!(chars.peek(), Some('"' | '\\')) => value.extend(chars.next()),
                _ => value.push(c),
            }
        }
        if quoted {
            return Err("a quote is not closed".to_owned());
        }
        values.push(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, host: &str) -> Result<Lookup, ConfigError> {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("config");
        fs::write(&file, text).expect("written");
        load(&[file], home.path(), host)
    }

    fn options(text: &str, host: &str) -> HostOptions {
        match read(text, host).expect("readable") {
            Lookup::Options(options) => *options,
            Lookup::AskSsh => panic!("ssh should not be needed for {text}"),
        }
    }

    #[test]
    fn the_first_value_wins_and_identities_add_up() {
        let text = "IdentityFile ~/.ssh/everywhere\nHost app-*  !app-09\n  User ops\n Port=2222\n\tIdentityFile \"~/my keys/id\"\nHost *\n User nobody\n HostName %h.internal # here\n";
        let found = options(text, "app-01");
        assert_eq!(found.user.as_deref(), Some("ops"));
        assert_eq!(found.port, Some(2222));
        assert_eq!(found.hostname.as_deref(), Some("%h.internal"));
        assert_eq!(found.identity_files, ["~/.ssh/everywhere", "~/my keys/id"]);
        assert_eq!(options(text, "app-09").user.as_deref(), Some("nobody"));
    }

    #[test]
    fn what_libssh2_cannot_do_is_named() {
        assert_eq!(options("Host a\nProxyCommand nc -X 5 %h %p\n", "a").unsupported, Some("ProxyCommand"));
        assert_eq!(options("Host a\nProxyCommand nc %h %p\n", "b").unsupported, None);
        let first_wins = options("ProxyJump gate\nProxyCommand nc %h %p\n", "a");
        assert_eq!((first_wins.proxy_jump.as_deref(), first_wins.unsupported), (Some("gate"), None));
        assert_eq!(options("ProxyCommand none\nProxyJump gate\n", "a").proxy_jump.as_deref(), Some("none"));
        assert_eq!(options("CertificateFile ~/.ssh/id-cert.pub\n", "a").unsupported, Some("CertificateFile"));
    }

    #[test]
    fn match_all_is_read_and_other_matches_are_left_to_ssh() {
        assert_eq!(options("Host b\nUser x\nMatch all\nUser y\n", "a").user.as_deref(), Some("y"));
        for text in ["Match exec \"true\"\nUser x\n", "Match host a user b\n", "CanonicalizeHostname yes\n"] {
            assert_eq!(read(text, "a"), Ok(Lookup::AskSsh), "{text}");
        }
    }

    #[test]
    fn includes_are_followed_sorted_and_scoped() {
        let home = tempfile::tempdir().expect("a folder");
        let ssh = home.path().join(".ssh");
        fs::create_dir_all(ssh.join("conf.d")).expect("made");
        fs::write(ssh.join("conf.d/b.conf"), "User second\nHost other\nPort 9\n").expect("written");
        fs::write(ssh.join("conf.d/a.conf"), "User first\n").expect("written");
        fs::write(ssh.join("config"), "Host app\nInclude conf.d/*.conf ~/absent\nPort 5\n").expect("written");
        let found = load(&[ssh.join("config")], home.path(), "app").expect("readable");
        let Lookup::Options(found) = found else { panic!("no ssh needed") };
        assert_eq!((found.user.as_deref(), found.port), (Some("first"), Some(5)));
        fs::write(ssh.join("config"), "Include config\n").expect("written");
        let error = load(&[ssh.join("config")], home.path(), "app").expect_err("a loop");
        assert!(error.to_string().contains("too many levels"), "{error}");
    }

    #[test]
    fn bad_lines_name_file_and_line() {
        for (text, reason) in [
            ("\nPort ssh\n", "is no port"),
            ("\nPort 0\n", "is no port"),
            ("\nUser \"a\n", "not closed"),
            ("\nUser\n", "has no value"),
            ("\nIdentitiesOnly maybe\n", "neither yes nor no"),
        ] {
            let error = read(text, "a").expect_err(text).to_string();
            assert!(error.contains(":2: ") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn the_answer_of_ssh_is_read_by_the_same_rules() {
        let found = HostOptions::from_ssh(
            "host foo\nuser bob\nhostname 1.2.3.4\nport 22\nidentityfile ~/.ssh/a b\nidentityfile ~/.ssh/c\nconnecttimeout none\n\
             proxyjump a,b\nuserknownhostsfile /x/1 /x/2\nstricthostkeychecking ask\nsecuritykeyprovider internal\n",
        )
        .expect("readable");
        assert_eq!(found.hostname.as_deref(), Some("1.2.3.4"));
        assert_eq!(found.identity_files, ["~/.ssh/a b", "~/.ssh/c"]);
        assert_eq!(found.user_known_hosts.as_deref(), Some(&["/x/1".to_owned(), "/x/2".to_owned()][..]));
        assert_eq!((found.connect_timeout, found.unsupported), (None, None));
    }

    proptest! {
        #[test]
        fn foreign_files_never_panic(text in "(Host|Match|User|Port|Include|ProxyJump|=|\"|#|\\*|!|[ a-z0-9\t\n\\\\]|.){0,60}") {
            let home = Path::new("/nonexistent");
            let mut reader = Reader { home, host: "app", options: HostOptions::default(), ask_ssh: false };
            // Any verdict will do; only a panic is wrong.
            let _verdict = reader.text(&text, Path::new("/nonexistent/config"), 2);
        }
    }
}
