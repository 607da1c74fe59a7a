//! The way to an engine when sshd does not forward to Unix sockets: `docker system dial-stdio`, run on the host.
//!
//! It costs a process there per stream and counts against sshd's `MaxSessions` (10), hence the limit. It also serves as the question
//! *why* a socket cannot be reached, as sshd does not say.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    driver::{OpenError, Target},
    quote::shell_word,
    session::Session,
    stream::{ExecEnd, SshStream},
};
use crate::{config::DEFAULT_SOCKET, engine::transport::ConnectError, fleet::LinkCause};

/// Streams by command at a time on one session: sshd allows 10 by default, and two stay for reading host metrics.
pub(super) const STREAMS: usize = 8;
/// How long the docker command may take to answer a first request.
const ANSWER: Duration = Duration::from_secs(8);

/// The command that joins its standard streams with the engine's socket.
pub(super) fn command(socket: &str) -> String {
    if socket == DEFAULT_SOCKET {
        return "docker system dial-stdio".to_owned();
    }
    format!("docker -H {} system dial-stdio", shell_word(&format!("unix://{socket}")))
}

/// What running the command showed.
#[derive(Debug)]
pub(super) enum Answer {
    /// An engine answers behind it.
    Engine,
    /// It ended without an answer.
    Ended(ExecEnd),
    /// Commands cannot be run either.
    NoCommand(String),
    /// The session ended, or nothing came in time.
    Failed(ConnectError),
}

/// Sends one harmless request through the command.
pub(super) async fn ask(session: &Session, socket: &str) -> Answer {
    let opened = match session.open(Target::Command(command(socket))).await {
        Ok(opened) => opened,
        Err(OpenError::Over(error)) => return Answer::Failed(error),
        Err(OpenError::Prohibited(text) | OpenError::Failed(text)) => return Answer::NoCommand(text),
        Err(OpenError::Late) => return Answer::NoCommand("no answer".to_owned()),
    };
    let end = opened.end;
    let mut stream = match SshStream::new(opened.socket, opened.state, None) {
        Ok(stream) => stream,
        Err(error) => return Answer::NoCommand(error.to_string()),
    };
    let mut start = [0; 7];
    let talk = async {
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await?;
        stream.read_exact(&mut start).await
    };
    match timeout(ANSWER, talk).await {
        Ok(Ok(_)) if start == *b"HTTP/1." => Answer::Engine,
        // It may have ended before it read anything; its standard error arrives with its end.
        Ok(Ok(_) | Err(_)) => match timeout(ANSWER, async { end?.await.ok() }).await {
            Ok(Some(end)) => Answer::Ended(end),
            Ok(None) | Err(_) => Answer::Ended(ExecEnd::default()),
        },
        Err(_) => {
            let message = format!("`{}` did not answer in {} s", command(socket), ANSWER.as_secs());
            Answer::Failed(ConnectError::new(LinkCause::NoAnswer, message))
        }
    }
}

/// A command that says which it is: `missing`, `denied` or `open`. Runs nothing but `test`.
pub(super) fn probe_command(socket: &str) -> String {
    let script = "if ! test -e \"$0\"; then echo missing; elif test -r \"$0\" && test -w \"$0\"; then echo open; else echo denied; fi";
    format!("sh -c {} {}", shell_word(script), shell_word(socket))
}

/// Reads the word of [`probe_command`]; `None`: no answer to build on.
pub(super) async fn probe(session: &Session, socket: &str) -> Option<String> {
    let opened = session.open(Target::Command(probe_command(socket))).await.ok()?;
    let mut stream = SshStream::new(opened.socket, opened.state, None).ok()?;
    let mut word = String::new();
    timeout(ANSWER, (&mut stream).take(64).read_to_string(&mut word)).await.ok()?.ok()?;
    Some(word.trim().to_owned())
}

/// What the docker command's last words mean; `None`: nothing about the socket.
pub(super) fn verdict(end: &ExecEnd, user: &str, socket: &str) -> Option<ConnectError> {
    let text = String::from_utf8_lossy(&end.stderr).to_lowercase();
    // Only docker's own words count: sshd and the shell say "no such file" of home folders and commands.
    let of_docker = |line: &&str| line.contains("docker daemon") || line.contains("dial unix");
    let mut lines = text.lines().filter(of_docker);
    if lines.clone().any(|line| line.contains("permission denied")) {
        return Some(denied(user, socket));
    }
    let nobody = ["cannot connect to the docker daemon", "no such file or directory", "connection refused"];
    lines.any(|line| nobody.iter().any(|words| line.contains(words))).then(|| nobody_there(socket))
}

pub(super) fn denied(user: &str, socket: &str) -> ConnectError {
    ConnectError::new(LinkCause::Permission, format!("permission denied on {socket}: add user {user} to the group docker there"))
}

pub(super) fn nobody_there(socket: &str) -> ConnectError {
    ConnectError::new(
        LinkCause::NoEngine,
        format!("no engine answers on {socket}: start it there (`systemctl start docker`), or name its socket in the URL"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sockets_are_named_and_quoted() {
        assert_eq!(command(DEFAULT_SOCKET), "docker system dial-stdio");
        assert_eq!(command("/run/user/1000/docker.sock"), "docker -H unix:///run/user/1000/docker.sock system dial-stdio");
        assert_eq!(command("/tmp/a b'; x"), r"docker -H 'unix:///tmp/a b'\''; x' system dial-stdio");
    }

    #[test]
    fn last_words_are_understood() {
        let cause = |status: i32, text: &str| verdict(&ExecEnd { status, stderr: text.into() }, "ops", "/s").map(|error| error.cause);
        let refused = "Got permission denied while trying to connect to the Docker daemon socket";
        assert_eq!(cause(1, refused), Some(LinkCause::Permission));
        assert_eq!(cause(1, "Cannot connect to the Docker daemon at unix:///s. Is the docker daemon running?"), Some(LinkCause::NoEngine));
        assert_eq!(cause(1, "dial unix /s: connect: no such file or directory"), Some(LinkCause::NoEngine));
        assert_eq!(cause(127, "bash: line 1: docker: command not found"), None);
        assert_eq!(cause(127, "sh: docker: No such file or directory"), None);
        assert_eq!(cause(1, "Could not chdir to home directory /home/ops: No such file or directory"), None);
        assert_eq!(cause(1, "This account is currently not available."), None);
    }
}
