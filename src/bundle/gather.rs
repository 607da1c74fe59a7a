//! Asks the engines for what the model does not hold: inspect documents and last lines of the containers in question. Bounded in
//! containers, bytes and time; what could not be had is listed.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::{BundleError, Contents, Material, Redactor};
use crate::{
    alerts::Triage,
    engine::{
        DocumentPort,
        logs::{LogMode, LogOrder, LogPort, LogReport, LogState},
    },
    fleet::{Container, ContainerKey, Fleet, Matrix, MatrixBy},
    logs::{Filter, LogLine, SourceId},
};

/// So many containers are handed on with log and document, the worst first.
const CONTAINERS: usize = 24;
/// The newest lines of each.
const LINES: u64 = 2000;
/// The most that is kept of one log, in bytes; its oldest lines give way.
const LOG: usize = 1 << 20;
/// How long all engines together may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Documents asked for at a time.
const AT_ONCE: usize = 8;

/// A container in question and what was learned of it.
pub(super) struct Subject {
    pub key: ContainerKey,
    pub name: String,
    pub document: Option<serde_json::Value>,
    /// Oldest first, each as it stands in the file; without secrets only after redaction.
    pub lines: Option<Log>,
}

/// Lines of one log.
#[derive(Default)]
pub(super) struct Log {
    lines: VecDeque<String>,
    bytes: usize,
    /// Older ones that made room.
    pub dropped: u64,
}

impl Log {
    pub fn push(&mut self, line: &LogLine) {
        let text = format!("{} {} {}{}", line.at, line.stream.word(), line.text.plain(), if line.cut { " …" } else { "" });
        self.bytes += text.len();
        self.lines.push_back(text);
        while self.bytes > LOG {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
            self.dropped += 1;
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.lines.len());
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Gathers everything and takes the secrets out of it.
///
/// # Errors
/// When it cannot be made sure that no secret is left.
pub async fn gather(material: Material, documents: &DocumentPort, logs: &LogPort) -> Result<Contents, BundleError> {
    let matrix = Matrix::build(&material.fleet, MatrixBy::Environment, material.filter.clone(), material.now);
    let usage = material.usage.iter().map(|(key, usage)| (key, *usage));
    let triage = Triage::of(&material.fleet, &matrix, usage, material.now);
    let (wanted, left_out) = wanted(&material, &triage);
    let mut missing: Vec<String> = Vec::new();
    if left_out > 0 {
        missing.push(format!("log and document of {left_out} more containers: the worst {CONTAINERS} are here"));
    }
    let deadline = Instant::now() + PATIENCE;
    let mut subjects = read_documents(&material.fleet, &wanted, documents, deadline, &mut missing).await;
    read_logs(&mut subjects, &material.fleet, logs, deadline, &mut missing).await;
    let mut redactor = Redactor::default();
    for subject in &mut subjects {
        match &mut subject.document {
            Some(document) => redactor.learn(document),
            None => {
                // Whose secrets nobody knows, whose lines nobody can clear of them.
                if subject.lines.take().is_some() {
                    missing.push(format!("log of {}: left out, because its secrets are not known without its document", subject.name));
                }
            }
        }
    }
    redactor.prepare().map_err(BundleError::Secrets)?;
    Ok(Contents::of(material, &triage, &matrix, &subjects, missing, &redactor))
}

/// The containers in question, worst first, and how many were left out: the troubled ones; where a filter names some of which none is
/// troubled, those.
fn wanted(material: &Material, triage: &Triage) -> (Vec<ContainerKey>, usize) {
    let mut keys: Vec<ContainerKey> = Vec::new();
    for key in triage.alerts().iter().flat_map(|alert| &alert.members) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    if let Some(filter) = material.filter.as_ref().filter(|_| keys.is_empty()) {
        let selected =
            |container: &&Container| material.fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host));
        keys.extend(material.fleet.containers().filter(selected).map(|container| container.key.clone()));
    }
    let left_out = keys.len().saturating_sub(CONTAINERS);
    keys.truncate(CONTAINERS);
    (keys, left_out)
}

async fn read_documents(
    fleet: &Fleet,
    wanted: &[ContainerKey],
    documents: &DocumentPort,
    deadline: Instant,
    missing: &mut Vec<String>,
) -> Vec<Subject> {
    let ask = |key: ContainerKey| async move {
        let answer = timeout_at(deadline, documents.inspect(&key)).await;
        (key, answer.unwrap_or_else(|_| Err("it did not come in time".to_owned())))
    };
    // In the order in which they were asked for, whoever answers first.
    let answers: Vec<_> = stream::iter(wanted.iter().cloned()).map(ask).buffered(AT_ONCE).collect().await;
    let subject = |(key, answer): (ContainerKey, Result<serde_json::Value, String>)| {
        let name = fleet.container(&key).map_or_else(|| key.id.short().to_owned(), |container| container.name.to_string());
        let name = format!("{}/{name}", key.host);
        let document = answer.map_err(|why| missing.push(format!("document of {name}: {why}"))).ok();
        Subject { key, name, document, lines: None }
    };
    answers.into_iter().map(subject).collect()
}

async fn read_logs(subjects: &mut [Subject], fleet: &Fleet, logs: &LogPort, deadline: Instant, missing: &mut Vec<String>) {
    let mut reader = logs.open(LogMode::Search, Filter::new());
    let mut open: BTreeMap<SourceId, usize> = BTreeMap::new();
    for ((index, subject), id) in subjects.iter_mut().enumerate().zip(0..) {
        if !fleet.host(&subject.key.host).is_some_and(|host| host.link.is_live()) {
            missing.push(format!("log of {}: its host cannot be reached at the moment", subject.name));
            continue;
        }
        let source = SourceId(id);
        open.insert(source, index);
        subject.lines = Some(Log::default());
        reader.add(LogOrder { source, container: subject.key.clone(), since: None, until: None, tail: Some(LINES) });
    }
    while !open.is_empty() {
        let Ok(Some(report)) = timeout_at(deadline, reader.next()).await else { break };
        match report {
            LogReport::Lines { source, lines, .. } => {
                let log = open.get(&source).and_then(|index| subjects[*index].lines.as_mut());
                if let Some(log) = log {
                    lines.iter().for_each(|line| log.push(line));
                }
            }
            LogReport::State { source, state, .. } => {
                let Some(subject) = open.get(&source).map(|index| &mut subjects[*index]) else { continue };
                let why = match &state {
                    LogState::Failed { reason } => Some(reason.to_string()),
                    LogState::Gone => Some("the container was removed, and its log with it".to_owned()),
                    LogState::Queued | LogState::Reading | LogState::Broken { .. } | LogState::Gap { .. } => None,
                    LogState::Waiting | LogState::Done => None,
                };
                if let Some(why) = why {
                    missing.push(format!("log of {}: {why}", subject.name));
                    subject.lines = subject.lines.take().filter(|log| log.bytes > 0);
                }
                if state.is_last() {
                    open.remove(&source);
                }
            }
        }
    }
    for index in open.values() {
        missing.push(format!("log of {}: not all of it came within {} s", subjects[*index].name, PATIENCE.as_secs()));
    }
    for subject in subjects.iter() {
        if let Some(dropped) = subject.lines.as_ref().map(|log| log.dropped).filter(|dropped| *dropped > 0) {
            missing.push(format!("log of {}: the {dropped} oldest of its last {LINES} lines, to keep it small", subject.name));
        }
    }
}
