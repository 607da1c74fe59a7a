//! From a connected socket to a logged-in session: key exchange, host key, authentication. Blocking, on the session's own thread.
//!
//! Every call is bounded by the session's time-out; whoever gives up earlier shuts the socket down, which ends any call at once.

use std::{os::fd::OwnedFd, time::Duration};

use super::{
    auth,
    known_hosts::{KnownKeys, Verdict, fingerprint, key_kind},
    plan::Plan,
    wire::{self, code},
};
use crate::{engine::transport::ConnectError, fleet::LinkCause};

/// Logs in.
pub(super) fn log_in(socket: OwnedFd, plan: &Plan, deadline: Duration) -> Result<ssh2::Session, ConnectError> {
    let failed = |error: ssh2::Error| explain(&error, plan);
    let mut session = ssh2::Session::new().map_err(failed)?;
    session.set_timeout(u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX));
    let known = KnownKeys::load(&plan.known_hosts, &plan.known_as.0, plan.known_as.1);
    if let Some(algorithms) = known.algorithms() {
        session.method_pref(ssh2::MethodType::HostKey, &algorithms).map_err(failed)?;
    }
    session.set_tcp_stream(socket);
    session.handshake().map_err(failed)?;
    check_host_key(&session, &known, plan)?;
    auth::authenticate(&session, plan)?;
    session.set_blocking(false);
    Ok(session)
}

fn explain(error: &ssh2::Error, plan: &Plan) -> ConnectError {
    let target = plan.target();
    let (cause, reason) = match code(error) {
        wire::TIMEOUT => (LinkCause::NoAnswer, "sshd did not answer in time".to_owned()),
        wire::SOCKET_DISCONNECT | wire::SOCKET_RECV | wire::SOCKET_SEND => {
            (LinkCause::Closed, "the connection was closed during the handshake (sshd busy, MaxStartups, or a firewall)".to_owned())
        }
        wire::KEX_FAILURE | wire::KEY_EXCHANGE_FAILURE | wire::METHOD_NONE => {
            (LinkCause::Protocol, format!("no common way of key exchange: {}: set ssh = \"openssh\" for this host", error.message()))
        }
        _ => (LinkCause::Protocol, format!("the SSH handshake failed: {}", error.message())),
    };
    ConnectError::new(cause, format!("{target}: {reason}"))
}

fn check_host_key(session: &ssh2::Session, known: &KnownKeys, plan: &Plan) -> Result<(), ConnectError> {
    let Some((key, _)) = session.host_key() else {
        return Err(ConnectError::new(LinkCause::Protocol, format!("{}: the server showed no host key", plan.target())));
    };
    match host_key_message(known.check(key), key, plan) {
        None => Ok(()),
        Some((cause, message)) => Err(ConnectError::new(cause, message)),
    }
}

/// What is wrong with a host key, and what to do; `None`: it is the known one.
fn host_key_message(verdict: Verdict, key: &[u8], plan: &Plan) -> Option<(LinkCause, String)> {
    let (name, port) = &plan.known_as;
    let shown = format!("{} {}", key_kind(key).unwrap_or("host key"), fingerprint(key));
    let login = format!("ssh {}", plan.written.command());
    let entry = if *port == 22 { name.clone() } else { format!("[{name}]:{port}") };
    let message = match verdict {
        Verdict::Known => return None,
        Verdict::Unknown => {
            format!("{entry}: the host key is unknown ({shown}): compare it on the host, then run `{login}` once and accept it")
        }
        Verdict::Changed(place) => format!(
            "{entry}: THE HOST KEY HAS CHANGED: the server shows {shown}, {place} knows another one: if the host was reinstalled, \
             run `ssh-keygen -R '{entry}' -f {}`, then `{login}`; else someone may be in between",
            place.file.display()
        ),
        Verdict::OtherType(place) => format!(
            "{entry}: the server shows {shown}, {place} knows it only by a key of another type, which it does not show: compare it on \
             the host, then run `ssh-keygen -R '{entry}' -f {}` and `{login}`",
            place.file.display()
        ),
        Verdict::Revoked(place) => format!("{entry}: the host key {shown} is revoked by {place}: give the host a new key"),
        Verdict::Authority(place) => {
            let message = format!(
                "{entry}: {place} vouches for it by a certificate authority, which only the ssh program can check: set ssh = \"openssh\" for this host"
            );
            return Some((LinkCause::Configuration, message));
        }
    };
    Some((LinkCause::HostKey, message))
}
