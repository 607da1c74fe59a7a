//! Following a run by what it writes into the ledger: for who started it, and for anybody else. The run needs none of them.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::ExitStatus,
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use super::{carry::Ending, errand::Started, history::History, lines::Lines, stage::Stage};
use crate::{
    cli::{
        args::{Format, Global, Output},
        deployments::journal,
        exit::{Exit, Failure},
        fleet::Sources,
        gather::wait,
        json, out,
    },
    delivery::{release::DeploymentId, strategies::Script},
    fleet::HostId,
    rights::Rights,
    run::{
        Order, STALE, Sign, find_locks,
        journal::{Entry, Progress, State, Word, beginning},
    },
    text::{age, clean_line},
};

/// Between two looks into the ledger.
const LOOK: Duration = Duration::from_millis(250);
/// Of the words of a run that failed before it could write any into the ledger, the last.
const WORDS: usize = 16 * 1024;
/// A run that has written nothing for so long is asked for a sign of life.
const DOUBT: Duration = Duration::from_secs(30);
/// Longer than anybody follows.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// What a process that was interrupted ends with, by the shells' custom.
const INTERRUPTED: Exit = Exit(130);

/// How somebody follows a run that he has started.
#[derive(Clone, Copy)]
pub(super) struct Attention {
    /// Only until it has begun.
    pub(super) detach: bool,
    /// Standard output is for an object at the end.
    pub(super) quiet: bool,
}

/// What a person wants who presses Ctrl-C.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Detach,
    Park,
    Unwind,
}

/// The end of a run, as its journal tells it.
struct End {
    state: State,
    reason: Option<String>,
    owed: Vec<HostId>,
}

impl End {
    fn of(entries: &[Entry]) -> Option<Self> {
        entries.iter().fold(None, |end, entry| match &entry.word {
            Word::Ended { state, reason, owed } => {
                Some(Self { state: *state, reason: reason.as_deref().map(clean_line), owed: owed.iter().cloned().collect() })
            }
            Word::Begun { .. } | Word::Resumed { .. } => None,
            _ => end,
        })
    }

    fn ending(&self) -> Ending<'_> {
        Ending { state: self.state, reason: self.reason.as_deref(), owed: self.owed.iter().collect() }
    }
}

/// Reads a journal as it grows.
struct Reader<'a> {
    history: &'a History,
    id: DeploymentId,
    /// The next row's number.
    next: u64,
    lines: Lines,
    script: Option<Script>,
}

impl<'a> Reader<'a> {
    fn new(history: &'a History, id: &DeploymentId) -> Self {
        Self { history, id: id.clone(), next: 0, lines: Lines::default(), script: None }
    }

    /// What was written since the last look.
    async fn more(&mut self) -> Result<Vec<Entry>, Failure> {
        let entries = self.history.since(&self.id, self.next).await?;
        if let Some(last) = entries.last() {
            self.next = last.seq + 1;
        }
        if let Some((_, script)) = beginning(&entries) {
            self.script = Some(script.clone());
        }
        Ok(entries)
    }

    /// Puts the lines of rows where a person sees them.
    fn tell(&mut self, entries: &[Entry], to: &mut dyn FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
        let text: String = entries.iter().filter_map(|entry| self.lines.line(entry)).map(|line| line + "\n").collect();
        if text.is_empty() { Ok(()) } else { to(&text) }
    }
}

/// Without standard error nobody looks; the ledger has it.
fn aside(text: &str) -> Result<(), Failure> {
    let _ = io::stderr().write_all(text.as_bytes());
    Ok(())
}

/// Follows a run that we have started until it is good, has ended, or we leave it.
///
/// # Errors
/// When the ledger cannot be read; the run goes on.
pub(super) async fn attend(history: &History, mut run: Started, attention: Attention) -> Result<Exit, Failure> {
    let id = run.deployment.clone();
    let mut interrupts = interrupts()?;
    let mut reader = Reader::new(history, &id);
    if !run.begins {
        // What was written before is told by `deployment show`.
        let before = reader.more().await?;
        before.iter().for_each(|entry| drop(reader.lines.line(entry)));
    }
    let first = reader.next;
    let mut end = None;
    loop {
        let ended = tokio::select! {
            status = run.child.wait() => Some(status.map_err(|error| Failure::failed(format!("deployment {id}: {error}")))?),
            () = sleep(LOOK) => None,
            _ = interrupts.recv() => {
                match ask(&id, &mut interrupts).await? {
                    (Answer::Detach, exit) => {
                        out::complain(&goes_on(&id));
                        return Ok(exit);
                    }
                    (Answer::Park, _) => order(history, &id, Order::Park).await,
                    (Answer::Unwind, _) => order(history, &id, Order::Unwind).await,
                }
                None
            }
        };
        let mut rows = reader.more().await?;
        if run.begins && reader.script.is_none() {
            // An earlier beginning that never got its locks is written over by this one.
            reader.next = 0;
            rows.clear();
        } else if run.begins && rows.first().is_some_and(|row| row.seq == 0 && row.at < run.at) {
            (reader.next, reader.script) = (0, None);
            rows.clear();
        }
        if !attention.detach {
            reader.tell(&rows, &mut aside)?;
        }
        end = End::of(&rows).or(end.filter(|_| rows.iter().all(|row| !matches!(row.word, Word::Resumed { .. }))));
        match (&end, ended) {
            // It says so once its locks are free: whoever comes next must not find them.
            (Some(end), None) if end.state == State::Good && has_spoken(&run) => {
                warm(&id, reader.script.as_ref(), history).await?;
                return say(&id, end, None, attention);
            }
            (Some(end), Some(status)) => return say(&id, end, Some(status), attention),
            (None, Some(status)) => return unsaid(&run, status),
            // Once it has written more than what it means to do, it has its locks.
            (None, None) if attention.detach && reader.next > first + u64::from(run.begins) => {
                if !attention.quiet {
                    out::print(&format!("{id}\n"))?;
                }
                return Ok(Exit::DONE);
            }
            (Some(_) | None, None) => {}
        }
    }
}

/// Waits until a run that we have started has its locks, without a word; it goes on by itself.
///
/// # Errors
/// What kept it from beginning, or what it ended in before anybody looked.
pub(in crate::cli) async fn begins(history: &History, run: &mut Started) -> Result<(), Failure> {
    let id = run.deployment.clone();
    loop {
        let ended = tokio::select! {
            status = run.child.wait() => Some(status.map_err(|error| Failure::failed(format!("deployment {id}: {error}")))?),
            () = sleep(LOOK) => None,
        };
        let mut rows = history.since(&id, 0).await?;
        if rows.first().is_some_and(|row| row.at < run.at) {
            // An earlier beginning that never got its locks is written over by this one.
            rows.clear();
        }
        match (End::of(&rows), ended) {
            (Some(end), _) if matches!(end.state, State::Good | State::Parked) => return Ok(()),
            (Some(end), _) => return Err(Failure::failed(end.ending().headline(&id).trim_end())),
            // Once it has written more than what it means to do, it has its locks.
            (None, None) if rows.len() > 1 => return Ok(()),
            (None, None) => {}
            (None, Some(status)) => {
                let said = words(&run.log, run.said);
                let said = said.lines().map(|line| line.trim_start_matches("quarterdeck: ")).collect::<Vec<_>>().join("\n");
                let said = if said.is_empty() { format!("its run ended without a word ({status})") } else { said };
                return Err(Failure::failed(format!("deployment {id} has not begun: {said}")));
            }
        }
    }
}

fn goes_on(id: &DeploymentId) -> String {
    format!("deployment {id} goes on by itself: quarterdeck deployment follow {id}, or: quarterdeck deployment park {id}")
}

/// Tells the run; what cannot be told any more is no reason to leave.
async fn order(history: &History, id: &DeploymentId, order: Order) {
    if let Err(failure) = history.order(id, order, "Ctrl-C").await {
        out::complain(&failure.words());
    }
}

fn say(id: &DeploymentId, end: &End, status: Option<ExitStatus>, attention: Attention) -> Result<Exit, Failure> {
    let ending = end.ending();
    if !attention.quiet {
        out::print(&ending.headline(id))?;
    }
    ending.remedies(id).iter().for_each(|remedy| out::complain(remedy));
    // The run knows more than whether it went well: who has the lock, say.
    Ok(match (ending.exit(), status.and_then(|status| status.code())) {
        (Exit::FAILED, Some(code)) if code != 0 => Exit(code),
        (exit, _) => exit,
    })
}

/// It has ended and wrote no end: what it said instead, or which signal it was.
fn unsaid(run: &Started, status: ExitStatus) -> Result<Exit, Failure> {
    let id = &run.deployment;
    aside(&words(&run.log, run.said))?;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ok(Exit(code)),
        (None, signal) => {
            let signal = signal.map(|signal| format!(" by signal {signal}")).unwrap_or_default();
            Err(Failure::failed(format!(
                "the run of deployment {id} was ended{signal}: quarterdeck deployment resume {id}, or: quarterdeck deployment unwind {id}"
            )))
        }
    }
}

/// Whether a run has said anything yet. One that cannot be heard is waited for to its end.
fn has_spoken(run: &Started) -> bool {
    std::fs::metadata(&run.log).is_ok_and(|found| found.len() > run.said)
}

/// What it has to say, as far as somebody wants to read it.
pub(in crate::cli) fn words(log: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    match read() {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text[text.len().saturating_sub(WORDS)..]).into_owned();
            text.lines().map(|line| clean_line(line) + "\n").collect()
        }
        Err(error) => format!("quarterdeck: {}: {error}\n", log.display()),
    }
}

/// That something is kept warm, and how to end that.
async fn warm(id: &DeploymentId, script: Option<&Script>, history: &History) -> Result<(), Failure> {
    if script.is_some_and(Lines::has_warm) {
        let time = history.plan(id).await?.map(|plan| plan.strategy.keep_warm).unwrap_or_default();
        let time = chrono::TimeDelta::from_std(time).map(age).unwrap_or_default();
        out::complain(&format!("the old ones stay warm for {time}; quarterdeck deployment finish {id} puts them away before"));
    }
    Ok(())
}

fn interrupts() -> Result<Signal, Failure> {
    signal(SignalKind::interrupt()).map_err(|error| Failure::failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// What is to become of a run that somebody does not want to look at any more. Where nobody can be asked it goes on; a second Ctrl-C says the same.
async fn ask(id: &DeploymentId, interrupts: &mut Signal) -> Result<(Answer, Exit), Failure> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok((Answer::Detach, INTERRUPTED));
    }
    loop {
        aside(&format!("\ndeployment {id} runs by itself. d: leave it to itself, p: park it where it is, u: unwind it. [d/p/u] "))?;
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read > 0).then_some(line))
        });
        let line = tokio::select! {
            line = line => line.map_err(|error| error.to_string()).and_then(|line| line.map_err(|error| error.to_string())),
            _ = interrupts.recv() => {
                aside("\n")?;
                return Ok((Answer::Detach, Exit::DONE));
            }
        };
        match line.ok().flatten().as_deref().map(str::trim) {
            None | Some("d" | "detach") => return Ok((Answer::Detach, Exit::DONE)),
            Some("p" | "park") => return Ok((Answer::Park, Exit::DONE)),
            Some("u" | "unwind") => return Ok((Answer::Unwind, Exit::DONE)),
            Some(_) => {}
        }
    }
}

/// `deployment follow`: from the journal's first row to its end.
///
/// # Errors
/// When there is no such deployment, or the ledger cannot be read.
pub(in crate::cli) fn follow(global: &Global, id: &str, output: Output) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    let history = History::of(&sources)?;
    wait(async {
        let found = history.find(id).await?;
        let found = found.ok_or_else(|| Failure::usage(format!("there is no deployment {id:?}: `quarterdeck deployments` lists them")))?;
        let mut interrupts = interrupts()?;
        let mut reader = Reader::new(&history, &found.id);
        let mut seen: Vec<Entry> = Vec::new();
        let mut doubt = Instant::now() + DOUBT;
        loop {
            let rows = reader.more().await?;
            if !rows.is_empty() {
                doubt = Instant::now() + DOUBT;
            } else if Instant::now() > doubt {
                // Said once; a run that was only stopped for a while goes on.
                doubt += if told_dead(&sources, &found.id, &seen).await? { FOREVER } else { DOUBT };
            }
            let known = seen.len();
            seen.extend(rows.iter().cloned());
            match output.format {
                Format::Table => reader.tell(&rows, &mut out::print)?,
                Format::Json if rows.is_empty() => {}
                Format::Json => {
                    // The sentences of later rows speak of what the first has told.
                    for line in journal(&seen).iter().skip(known) {
                        out::print(&json::line(line)?)?;
                    }
                }
            }
            if let Some(end) = End::of(&seen) {
                let ending = end.ending();
                if output.format == Format::Table {
                    out::print(&ending.headline(&found.id))?;
                }
                ending.remedies(&found.id).iter().for_each(|remedy| out::complain(remedy));
                return Ok(ending.exit());
            }
            if known == 0 && seen.is_empty() {
                not_begun(&history, &found.id).await?;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = interrupts.recv() => return Ok(INTERRUPTED),
            }
        }
    })
}

/// Tells whoever follows that its run may be dead: what does not breathe writes nothing more. Who may only look cannot read that.
async fn told_dead(sources: &Sources, id: &DeploymentId, seen: &[Entry]) -> Result<bool, Failure> {
    let Some((plan, _)) = beginning(seen).filter(|_| matches!(sources.rights, Rights::Act)) else { return Ok(false) };
    let stage = Stage::new(sources, &plan.app, &plan.environment, false)?;
    for host in &plan.hosts {
        let Ok(locks) = find_locks(&stage.port, host).await else { continue };
        let Some(lock) = locks.into_iter().find(|lock| lock.mark.deployment.as_ref() == Some(id)) else { continue };
        return match Sign::of(&stage.port, host, lock.mark).await {
            Ok(Sign { silence: Some(silence), .. }) if silence > STALE => {
                out::complain(&format!(
                    "no sign of life from its run for {} s: quarterdeck deployment resume {id}, or: quarterdeck deployment unwind {id}",
                    silence.as_secs()
                ));
                Ok(true)
            }
            Ok(_) | Err(_) => Ok(false),
        };
    }
    Ok(false)
}

/// One that was turned down has no journal and will have none.
async fn not_begun(history: &History, id: &DeploymentId) -> Result<(), Failure> {
    let found = history.deployment(id).await?;
    match found.state {
        State::Waiting | State::Running => Ok(()),
        State::Parked | State::Good | State::Failed | State::Unwound => {
            let reason = found.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Err(Failure::failed(format!("deployment {id} has ended without a journal{reason}")))
        }
    }
}

/// Whether a journal tells of nothing but a beginning that never got its locks.
pub(super) fn is_idle(entries: &[Entry]) -> bool {
    let progress = Progress::of(entries);
    progress.begun.is_empty()
        && progress.ended == Some(State::Failed)
        && entries.iter().all(|entry| matches!(entry.word, Word::Begun { .. } | Word::Ended { .. }))
}
