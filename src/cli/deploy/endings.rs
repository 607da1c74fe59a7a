//! What would end a run although nobody wants that: a key that goes with its owner's connection, a login manager that tidies up. Told in the plan.

use std::{fs, path::PathBuf, sync::Arc};

use crate::{cli::fleet::Sources, config::Endpoint, fleet::HostId};

/// Where logind is told what to do, in rising order of weight; a directory's files by name.
const LOGIND: [&str; 5] = [
    "/usr/lib/systemd/logind.conf.d",
    "/usr/local/lib/systemd/logind.conf.d",
    "/etc/systemd/logind.conf",
    "/run/systemd/logind.conf.d",
    "/etc/systemd/logind.conf.d",
];

/// What of this process's surroundings matters to a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Surroundings {
    /// Keys come from an agent, and we came over SSH: it is at the other end of that.
    forwarded_agent: bool,
    /// We are in a session that logind ends when its person leaves.
    in_session: bool,
    /// What the files that it reads say, the heaviest last.
    logind: Vec<String>,
}

/// The lines for the plan of a deployment to these hosts.
pub(super) fn of_process(sources: &Sources, hosts: &[HostId]) -> Vec<Arc<str>> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let over_ssh = sources.targets.iter().any(|target| hosts.contains(&target.spec.id) && matches!(target.endpoint, Endpoint::Ssh { .. }));
    // A session's scope; what a user's own manager started is elsewhere and stays.
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let around = Surroundings {
        forwarded_agent: over_ssh && is_set("SSH_AUTH_SOCK") && is_set("SSH_CONNECTION"),
        in_session: group.lines().any(|line| line.contains("/session-") && line.contains(".scope")),
        logind: LOGIND.iter().flat_map(|place| files(place.into())).filter_map(|file| fs::read_to_string(file).ok()).collect(),
    };
    warnings(&around)
}

fn files(place: PathBuf) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(&place) else { return vec![place] };
    let mut files: Vec<_> =
        found.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    files.sort();
    files
}

fn warnings(around: &Surroundings) -> Vec<Arc<str>> {
    let mut lines = Vec::new();
    if around.forwarded_agent {
        let text = "the key of an agent that came with this connection goes with it: once you are gone, the run reaches no ssh host anew; \
                    a key on this machine stays";
        lines.push(text.into());
    }
    if around.in_session && around.logind.iter().filter_map(|text| kills(text)).next_back().unwrap_or(false) {
        let text = "logind ends what you leave running when you log out (KillUserProcesses=yes), this run too: \
                    loginctl enable-linger, then systemd-run --user --scope quarterdeck …";
        lines.push(text.into());
    }
    lines
}

/// What a file of logind's says of those who log out.
fn kills(text: &str) -> Option<bool> {
    let mut in_login = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_login = line == "[Login]";
        }
        if let Some((_, value)) = line.split_once('=').filter(|(key, _)| in_login && key.trim() == "KillUserProcesses") {
            found = Some(["yes", "true", "on", "1", "y", "t"].contains(&value.trim().to_ascii_lowercase().as_str()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(forwarded_agent: bool, in_session: bool, logind: &[&str]) -> usize {
        let logind = logind.iter().map(|text| (*text).to_owned()).collect();
        warnings(&Surroundings { forwarded_agent, in_session, logind }).len()
    }

    #[test]
    fn what_would_end_a_run_is_told() {
        assert_eq!(said(false, false, &[]), 0);
        assert_eq!(said(true, false, &[]), 1);
        let (yes, no) = ("[Login]\nKillUserProcesses = yes\n", "[Login]\n#KillUserProcesses=yes\nKillUserProcesses=no\n");
        assert_eq!(said(false, true, &[yes]), 1);
        assert_eq!(said(false, false, &[yes]), 0, "nobody ends what is in no session");
        assert_eq!(said(false, true, &[no]), 0);
        assert_eq!(said(false, true, &[yes, no]), 0, "the last word holds");
        assert_eq!(said(false, true, &[no, yes, "[Login]\nNAutoVTs=6\n"]), 1);
        assert_eq!(said(false, true, &["[Other]\nKillUserProcesses=yes\n"]), 0);
        assert_eq!(said(true, true, &[yes]), 2);
    }
}
