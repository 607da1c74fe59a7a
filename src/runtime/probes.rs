//! Asks the engines what a screen would say more about: one small task a question, a few at a time, each with a bound on what it reads.

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use crate::{
    alerts::{Check, Finding, Probe, Tail, TailLine},
    engine::{
        DocumentPort,
        logs::{LogMode, LogOrder, LogPort, LogReport, LogState},
    },
    fleet::ContainerKey,
    logs::{Filter, LogLine, SourceId, Stamp},
};

/// Questions under way at a time; what is over waits for the next frame, which asks again.
const AT_ONCE: usize = 4;
/// So many lines are told.
const LINES: usize = 8;
/// How many of the newest lines are read for those before a moment: first few, then many. An engine finds the newest ones from the end
/// of its file; asked for a time alone it reads the whole file.
const REACH: [u64; 2] = [100, 4000];
/// The most that is kept of one line.
const TEXT: usize = 2000;

/// The questions under way. Dropping it ends them.
pub struct Probes {
    logs: LogPort,
    documents: DocumentPort,
    tasks: JoinSet<(Probe, Finding)>,
    busy: HashSet<Probe>,
}

impl Probes {
    /// None yet.
    pub fn new(logs: LogPort, documents: DocumentPort) -> Self {
        Self { logs, documents, tasks: JoinSet::new(), busy: HashSet::new() }
    }

    /// Asks, unless it is asked already or too much is.
    pub fn ask(&mut self, probe: Probe) {
        if self.busy.len() >= AT_ONCE || !self.busy.insert(probe.clone()) {
            return;
        }
        let (logs, documents) = (self.logs.clone(), self.documents.clone());
        self.tasks.spawn(async move {
            let finding = match &probe {
                Probe::Health(container) => match documents.inspect(container).await {
                    Ok(document) => Finding::Health(Check::of(&document)),
                    Err(why) => Finding::Failed(why),
                },
                Probe::Tail { container, until } => match tail(&logs, container, *until).await {
                    Ok(tail) => Finding::Tail(tail),
                    Err(why) => Finding::Failed(why),
                },
            };
            (probe, finding)
        });
    }

    /// The next answer; waits for ever when nothing is asked. Cancel-safe.
    pub async fn next(&mut self) -> (Probe, Finding) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((probe, finding))) => {
                    self.busy.remove(&probe);
                    return (probe, finding);
                }
                // A task that panicked leaves its question unanswered: it is never asked again.
                Some(Err(error)) => tracing::error!(%error, "a question about a trouble failed"),
                None => std::future::pending().await,
            }
        }
    }
}

/// The last lines of a container before a moment.
async fn tail(logs: &LogPort, container: &ContainerKey, until: Option<DateTime<Utc>>) -> Result<Tail, String> {
    let until = until.map(Stamp::of);
    let mut found = Tail::default();
    for reach in REACH {
        found = read(logs, container, until, reach).await?;
        if !found.out_of_reach {
            break;
        }
    }
    Ok(found)
}

/// Reads the newest `reach` lines and keeps the last ones before a moment.
async fn read(logs: &LogPort, container: &ContainerKey, until: Option<Stamp>, reach: u64) -> Result<Tail, String> {
    let mut reader = logs.open(LogMode::Search, Filter::new());
    let tail = if until.is_some() { reach } else { LINES as u64 };
    reader.add(LogOrder { source: SourceId(0), container: container.clone(), since: None, until: None, tail: Some(tail) });
    let mut lines: VecDeque<TailLine> = VecDeque::with_capacity(LINES);
    let (mut seen, mut before) = (0, 0);
    while let Some(report) = reader.next().await {
        match report {
            LogReport::Lines { lines: new, .. } => {
                seen += new.len() as u64;
                for line in new.into_iter().filter(|line| until.is_none_or(|until| line.at <= until)) {
                    before += 1;
                    if lines.len() == LINES {
                        lines.pop_front();
                    }
                    lines.push_back(told(&line));
                }
            }
            LogReport::State { state: LogState::Failed { reason }, .. } => return Err(reason.to_string()),
            LogReport::State { state: LogState::Gone, .. } => return Err("the container was removed, and its log with it".to_owned()),
            LogReport::State { state, .. } if state.is_last() => break,
            LogReport::State { .. } => {}
        }
    }
    // All that was asked for came, and too few of it are from before the moment.
    let out_of_reach = until.is_some() && seen >= tail && before < LINES as u64;
    Ok(Tail { lines: lines.into(), out_of_reach })
}

fn told(line: &LogLine) -> TailLine {
    let plain = line.text.plain();
    let text = plain.char_indices().nth(TEXT).map_or(&*plain, |(end, _)| &plain[..end]).to_owned();
    TailLine { at: line.at, stream: line.stream, text }
}
