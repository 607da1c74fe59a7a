//! Authentication by public key: the agent's keys, then key files. No passwords, no prompts.
//!
//! The order is ssh's own: keys of the agent that the configuration names come first, as a server counts every offer
//! (`MaxAuthTries`, 6 by default). Secrets are read by libssh2 and the agent only.

use std::path::PathBuf;

use super::{
    identity::KeyFile,
    known_hosts::{fingerprint, key_kind},
    plan::Plan,
    wire::{self, code},
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// What was offered and what could not be, for the sentence that says why nobody was let in.
#[derive(Default)]
struct Trials {
    offered: Vec<String>,
    passed_over: Vec<String>,
}

/// Logs `plan.user` in.
pub(super) fn authenticate(session: &ssh2::Session, plan: &Plan) -> Result<(), ConnectError> {
    let mut trials = Trials::default();
    let keys: Vec<(&PathBuf, KeyFile)> = plan
        .keys
        .iter()
        .filter_map(|path| match KeyFile::load(path)? {
            Ok(key) => Some((path, key)),
            Err(error) => {
                trials.passed_over.push(format!("{} ({error})", path.display()));
                None
            }
        })
        .collect();
    let in_agent = by_agent(session, plan, &keys, &mut trials)?;
    if session.authenticated() {
        return Ok(());
    }
    for (path, key) in &keys {
        if key.public.as_ref().is_some_and(|public| in_agent.contains(public)) {
            continue;
        }
        if key.is_hardware() {
            trials.passed_over.push(format!("{} (a hardware key: set ssh = \"openssh\" for this host)", path.display()));
        } else if key.encrypted {
            trials.passed_over.push(format!("{} (has a passphrase and is not in the agent: run `ssh-add {0}`)", path.display()));
        } else {
            let described = key.public.as_deref().map_or_else(String::new, |public| format!(" {}", fingerprint(public)));
            trials.offered.push(format!("{}{described}", path.display()));
            let result = session.userauth_pubkey_file(&plan.user, None, path, None);
            if accepted(result, plan, &mut trials)? {
                return Ok(());
            }
        }
    }
    Err(refused(session, plan, &trials))
}

/// Offers the agent's keys; returns the public halves of all that were offered.
fn by_agent(session: &ssh2::Session, plan: &Plan, keys: &[(&PathBuf, KeyFile)], trials: &mut Trials) -> Result<Vec<Vec<u8>>, ConnectError> {
    let Some(socket) = &plan.agent else { return Ok(Vec::new()) };
    let listed = session.agent().and_then(|mut agent| {
        agent.set_identity_path(socket)?;
        agent.connect()?;
        agent.list_identities()?;
        let identities = agent.identities()?;
        Ok((agent, identities))
    });
    let (agent, mut identities) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            // A dead agent is no reason not to try the files; if these fail too, it is part of the reason.
            trials.passed_over.push(format!("the agent at {} ({})", socket.display(), error.message()));
            return Ok(Vec::new());
        }
    };
    let place = |blob: &[u8]| keys.iter().position(|(_, key)| key.public.as_deref() == Some(blob));
    if plan.identities_only {
        identities.retain(|identity| place(identity.blob()).is_some());
    }
    identities.sort_by_key(|identity| place(identity.blob()).unwrap_or(usize::MAX));
    let mut offered = Vec::new();
    for identity in &identities {
        offered.push(identity.blob().to_vec());
        trials.offered.push(format!("{} {} of the agent", key_kind(identity.blob()).unwrap_or("key"), fingerprint(identity.blob())));
        if accepted(agent.userauth(&plan.user, identity), plan, trials)? {
            break;
        }
    }
    Ok(offered)
}

/// Whether the server accepted; an error when the session cannot go on.
fn accepted(result: Result<(), ssh2::Error>, plan: &Plan, trials: &mut Trials) -> Result<bool, ConnectError> {
    let Err(error) = result else { return Ok(true) };
    match code(&error) {
        wire::TIMEOUT => Err(ConnectError::new(
            LinkCause::NoAnswer,
            format!("{}: sshd or the agent did not answer during authentication", plan.target()),
        )),
        wire::SOCKET_DISCONNECT | wire::SOCKET_RECV | wire::SOCKET_SEND => {
            let offers = trials.offered.len();
            let message = format!(
                "{}: the server closed the connection after {offers} keys (MaxAuthTries?): name the right key by IdentityFile and set IdentitiesOnly yes",
                plan.target()
            );
            Err(ConnectError::new(LinkCause::Authentication, message))
        }
        wire::AUTHENTICATION_FAILED | wire::PUBLICKEY_UNVERIFIED => Ok(false),
        // The key could not be used at all; the next one may.
        _ => {
            if let Some(key) = trials.offered.pop() {
                trials.passed_over.push(format!("{key} ({})", error.message()));
            }
            Ok(false)
        }
    }
}

fn refused(session: &ssh2::Session, plan: &Plan, trials: &Trials) -> ConnectError {
    let offered =
        if trials.offered.is_empty() { "no key could be offered".to_owned() } else { format!("refused: {}", trials.offered.join(", ")) };
    let passed_over = if trials.passed_over.is_empty() { String::new() } else { format!("; not tried: {}", trials.passed_over.join(", ")) };
    let methods = match session.auth_methods(&plan.user) {
        Ok(methods) if !methods.split(',').any(|method| method == "publickey") => format!("; the server accepts only {methods}"),
        Ok(_) => String::new(),
        // It was closed at some earlier offer; libssh2 does not always say at which.
        Err(_) => {
            "; the server closed the connection (MaxAuthTries?): name the right key by IdentityFile and set IdentitiesOnly yes".to_owned()
        }
    };
    let message = format!(
        "{}: {offered}{passed_over}{methods}: put a public key into ~{}/.ssh/authorized_keys there (a missing account looks the same)",
        plan.target(),
        plan.user
    );
    ConnectError::new(LinkCause::Authentication, message)
}
