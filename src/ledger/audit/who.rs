//! Who acts: what the system vouches for, and what the environment merely claims.

use rustix::process::{Uid, getpid, getuid};
use serde::Serialize;

use super::super::state_dir::{known_user, user_name};
use crate::text::{clean_line, fit};

/// The kernel's sign for "nobody logged in": a service, or a container without audit.
const NOBODY: u32 = u32::MAX;

/// Longer claims are nobody's.
const CLAIM_LIMIT: usize = 256;

/// Who acts, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The user that logged in, as the kernel remembers it through `su` and `sudo`; `None` where nobody did.
    pub login: Option<u32>,
    /// The user that the process runs as.
    pub uid: u32,
    /// The name of the first that is known of these two.
    pub name: Option<String>,
    /// `SUDO_USER`: a claim, for anybody can set a variable.
    pub sudo_user: Option<String>,
    /// `SSH_CONNECTION`, client and server address with ports: a claim as well.
    pub ssh_connection: Option<String>,
    /// The machine that the process runs on.
    pub machine: Option<String>,
    /// The process.
    pub pid: u32,
}

impl Who {
    /// Who runs this process.
    pub fn of_process() -> Self {
        let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        let claim = |name: &str| {
            let text = clean_line(&std::env::var(name).ok().filter(|text| !text.is_empty())?);
            Some(fit(&text, CLAIM_LIMIT).into_owned())
        };
        let login = login.filter(|uid| *uid != NOBODY);
        let uid = getuid().as_raw();
        Self {
            login,
            uid,
            name: known_user(Uid::from_raw(login.unwrap_or(uid))),
            sudo_user: claim("SUDO_USER"),
            ssh_connection: claim("SSH_CONNECTION"),
            machine: std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| clean_line(name.trim())),
            pid: u32::try_from(getpid().as_raw_nonzero().get()).unwrap_or_default(),
        }
    }

    /// The name, or the number where there is none: `ana`, `uid 1001`.
    pub fn short(&self) -> String {
        self.name.clone().unwrap_or_else(|| user_name(self.login.unwrap_or(self.uid)))
    }
}
