//! `exec`: a command in one container, with a terminal where we have one; its exit code is ours.

use std::io::IsTerminal as _;

use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::Global,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    inspect::one,
    out::complain,
};
use crate::{
    action::Action,
    engine::exec::{ExecOrder, ExecPort},
    fleet::ContainerKey,
    runtime::{
        terminal::{
            Residue,
            guest::{self, Frames, Keys, RawMode, Screen},
            window_size,
        },
        visit::{End, Visit, Visiting},
    },
};

/// What is asked for.
pub struct Request {
    pub selector: Vec<String>,
    pub no_tty: bool,
    pub no_stdin: bool,
    pub command: Vec<String>,
}

/// Runs the command, and ends as it does.
pub fn run(global: &Global, request: Request) -> Result<Exit, Failure> {
    perform(global, request).map_err(Failure::ours)
}

fn perform(global: &Global, request: Request) -> Result<Exit, Failure> {
    let filter = selector(&request.selector)?;
    let sources = Sources::load(global)?;
    sources.may_act("exec")?;
    let audit = sources.ledger()?.audit();
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let key = one(watch.fleet(), &filter, &request.selector.join(" "), &watch.shortfalls())?;
        let name = watch.fleet().container(&key).map_or_else(String::new, |container| container.name.to_string());
        let tty = !request.no_tty && !request.no_stdin && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let command = match request.command.is_empty() {
            true => shell(watch.exec(), &key, &name).await?,
            false => request.command,
        };
        let size = window_size().ok().filter(|_| tty).map(|size| (size.width, size.height));
        let order = ExecOrder { command, tty, stdin: !request.no_stdin, size };
        let visit = Visit { key, name, action: Action::ContainerExec.id(), order };
        let visiting = visit.begin(watch.exec(), &audit).await.map_err(Failure::failed)?;
        attend(visiting, &mut watch, tty, !request.no_stdin).await
    })
}

async fn shell(port: &ExecPort, key: &ContainerKey, name: &str) -> Result<Vec<String>, Failure> {
    match port.find_shell(key).await {
        Ok(Some(shell)) => Ok(shell),
        Ok(None) => {
            let host = &key.host;
            Err(Failure::failed(format!("{name} on {host} has no shell: give a command of its own, exec SELECTOR -- COMMAND")))
        }
        Err(error) => Err(Failure::failed(format!("host {:?}: {error}", key.host.as_str()))),
    }
}

/// Stays until the command's output ends, the link is lost, or a signal says to go.
async fn attend(mut visiting: Visiting, watch: &mut Watch, tty: bool, stdin: bool) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("standard input: {error}"));
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else {
        return Err(Failure::failed("signals cannot be received"));
    };
    let mut screen = if tty { Screen::Terminal(Residue::default()) } else { Screen::Pipes(Frames::default()) };
    let raw = tty.then(RawMode::enter).transpose().map_err(failed)?;
    let mut keys = stdin.then(Keys::of_stdin).transpose().map_err(failed)?;
    let (end, code) = {
        let guest = guest::attend(&mut visiting.streams, keys.as_mut(), &mut screen);
        tokio::pin!(guest);
        loop {
            tokio::select! {
                left = &mut guest => break (End::Left(left), None),
                lost = visiting.control.lost() => break (End::Lost(lost), None),
                // The fleet is followed meanwhile: a full bus would stop the task that keeps the link.
                Some(_) = watch.news() => {}
                _ = resized.recv(), if tty => {
                    if let Ok(size) = window_size() {
                        visiting.control.resize(size.width, size.height);
                    }
                }
                _ = interrupt.recv() => break (End::Interrupted, Some(130)),
                _ = terminate.recv() => break (End::Interrupted, Some(143)),
                _ = hangup.recv() => break (End::Interrupted, Some(129)),
            }
        }
    };
    screen.leave().await;
    drop(keys);
    drop(raw);
    let parting = visiting.end(end).await;
    match parting.code.or(code) {
        Some(code) => Ok(Exit(code)),
        None => {
            complain(&parting.sentence);
            Ok(Exit::OURS)
        }
    }
}
