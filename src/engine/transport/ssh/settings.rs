//! What the SSH transport takes from its surroundings: folders, files, the agent, deadlines. Given, never looked up later.

use std::{env, path::PathBuf, time::Duration};

/// How the SSH transport finds its files and how long it waits.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// The home folder: `~` in every path. From `HOME`, as the person set it; the account database is not asked.
    pub home: PathBuf,
    /// Our own account, used where neither the URL nor the configuration names one.
    pub user: String,
    /// `ssh_config` files, the first value wins: the user's, then the system's.
    pub config_files: Vec<PathBuf>,
    /// Files of known host keys in place of those that the configuration names.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// Private keys that are tried before those of the configuration.
    pub identities: Vec<PathBuf>,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// The `ssh` program: for `ssh -G`, and for hosts that are reached by it.
    pub program: PathBuf,
    /// Whether a fixed `test` command may be run on a host whose engine cannot be reached, to say why. Not with view rights only.
    pub may_probe: bool,
    /// The deadlines.
    pub deadlines: Deadlines,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Name look-up and TCP connection, unless `ConnectTimeout` says otherwise.
    pub connect: Duration,
    /// From the server's first byte to being logged in.
    pub handshake: Duration,
    /// Opening one stream.
    pub open: Duration,
    /// How often an idle session says that it is alive.
    pub keepalive: Duration,
    /// How long the network may refuse every byte that waits to be sent, before the session is given up.
    pub stall: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(15),
            open: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            stall: Duration::from_secs(30),
        }
    }
}

impl SshSettings {
    /// Settings below this home folder, with the system's configuration and no agent.
    pub fn below(home: PathBuf, user: String) -> Self {
        Self {
            config_files: vec![home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")],
            home,
            user,
            known_hosts: None,
            identities: Vec::new(),
            agent: None,
            program: PathBuf::from("ssh"),
            may_probe: false,
            deadlines: Deadlines::default(),
        }
    }

    /// Settings from `HOME`, `USER` (else `LOGNAME`) and `SSH_AUTH_SOCK`.
    pub fn from_environment() -> Self {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let home = named("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let user = named("USER").or_else(|| named("LOGNAME")).map_or_else(|| "root".to_owned(), |user| user.to_string_lossy().into_owned());
        Self { agent: named("SSH_AUTH_SOCK").map(PathBuf::from), ..Self::below(home, user) }
    }
}
