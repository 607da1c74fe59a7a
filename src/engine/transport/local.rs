//! A command on this machine: for links whose engine runs here, and for the `ssh` program.

use std::{io, process::Stdio};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use super::{COMMAND_OUTPUT, CommandEnd, ConnectError};
use crate::fleet::LinkCause;

/// What is kept of its standard error: its end.
const ERRORS_KEPT: usize = 4096;

/// Runs it with `input` on its standard input. It is ended when the future is dropped.
pub(crate) async fn run(words: &[String], input: &[u8]) -> Result<CommandEnd, ConnectError> {
    let Some((program, args)) = words.split_first() else {
        return Err(ConnectError::new(LinkCause::Configuration, "an empty command cannot be run"));
    };
    let mut command = Command::new(program);
    command.args(args);
    attend(command, &format!("{program} on this machine"), input).await
}

/// Runs a program that is ready to be started; `name` is its name in errors. It is ended when the future is dropped.
pub(super) async fn attend(mut command: Command, name: &str, input: &[u8]) -> Result<CommandEnd, ConnectError> {
    let failed = |error: io::Error| ConnectError::new(LinkCause::Protocol, format!("{name}: {error}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // Who does not read what it is given says so with its status.
            let _unread = stdin.write_all(input).await;
        }
    };
    let read = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(COMMAND_OUTPUT as u64 + 1).read_to_end(&mut output).await?;
        }
        io::Result::Ok(output)
    };
    let complain = async {
        let mut errors = Vec::new();
        if let Some(stderr) = stderr {
            stderr.take(COMMAND_OUTPUT as u64).read_to_end(&mut errors).await?;
        }
        errors.drain(..errors.len().saturating_sub(ERRORS_KEPT));
        io::Result::Ok(errors)
    };
    let ((), output, errors) = tokio::join!(write, read, complain);
    let (output, errors) = (output.map_err(failed)?, errors.map_err(failed)?);
    if output.len() > COMMAND_OUTPUT {
        return Err(ConnectError::new(LinkCause::Protocol, format!("{name} said more than {} MB", COMMAND_OUTPUT >> 20)));
    }
    let status = child.wait().await.map_err(failed)?.code();
    Ok(CommandEnd { status, output, errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_reads_says_and_ends() {
        let words = |script: &str| ["sh", "-c", script].map(str::to_owned);
        let end = run(&words("cat; echo bad >&2; exit 3"), b"text").await.unwrap();
        assert_eq!(end, CommandEnd { status: Some(3), output: b"text".to_vec(), errors: b"bad\n".to_vec() });
        assert!(run(&["/no/such/program".to_owned()], b"").await.unwrap_err().message.contains("/no/such/program"));
        assert!(run(&[], b"").await.is_err());
    }
}
