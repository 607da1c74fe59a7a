//! A deployment's journal folded into what a person looks at: a row for each host with what was reached there, why it waits, and the log
//! that tells more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    brief::Stand,
    mark::{Mark, Marks},
    why::{Asker, Why},
};
use crate::{
    delivery::{
        plan::{Incoming, Plan},
        release::DeploymentId,
        steps::{Act, Phase, Step, StepId, Subject},
        strategies::Script,
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::Deployment,
    run::{
        Pulse,
        journal::{Entry, Progress, State, Word, beginning, measured},
    },
};

/// All that a story is told from.
pub struct Account<'a> {
    /// Its row.
    pub deployment: &'a Deployment,
    /// Its journal, whole; empty for one that was not begun.
    pub entries: &'a [Entry],
    /// What its run is at.
    pub pulse: Option<&'a Pulse>,
    /// The plan that stands in the ledger, for one that was not begun.
    pub plan: Option<&'a Plan>,
    /// How long such deployments took lately.
    pub about: Option<Duration>,
    /// For one that says that it runs and does not: the last sign of life, and who has its lock.
    pub silent: Option<(DateTime<Utc>, Option<Arc<str>>)>,
    /// What is to be done about it, as the verbs say it.
    pub remedies: Vec<String>,
    /// Whether what it keeps warm is still its own.
    pub keeps_warm: bool,
}

/// A deployment as it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its id.
    pub id: DeploymentId,
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// What is put there.
    pub version: Arc<str>,
    /// What was there.
    pub from: Option<Arc<str>>,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub asked: DateTime<Utc>,
    /// How it stands.
    pub stand: Stand,
    /// When its run began.
    pub began: Option<DateTime<Utc>>,
    /// When it was good, failed or taken back.
    pub ended: Option<DateTime<Utc>>,
    /// How long such deployments took lately.
    pub about: Option<Duration>,
    /// Whether nothing has happened yet on any host.
    pub takes_locks: bool,
    /// Everything that is shown of a host, and of what is on none.
    pub marks: Vec<Mark>,
    /// Host by host.
    pub rows: Vec<Row>,
    /// What clients got.
    pub traffic: Option<Traffic>,
    /// Why it goes back, stands still or failed.
    pub reason: Option<String>,
    /// Where the evidence of a failure is.
    pub evidence: Option<String>,
    /// What is to be done, as the verbs say it.
    pub remedies: Vec<String>,
    /// Until when it keeps the old ones warm.
    pub warm: Option<DateTime<Utc>>,
    /// What would be done, for one that was not begun.
    pub plan: Vec<String>,
}

/// What clients got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Requests that the balancers counted.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Of our own requests, in milliseconds.
    pub p99: Option<f64>,
    /// The same before the first word to a balancer.
    pub p99_before: Option<f64>,
}

/// A host.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `None`: what is on no host.
    pub host: Option<HostId>,
    /// In the order of the story's marks; `None`: nothing of this happens here.
    pub cells: Vec<Option<Cell>>,
    /// Why it waits.
    pub why: Option<Why>,
    /// From the first step here to the last, once all are done.
    pub took: Option<Duration>,
    /// Whose log tells more.
    pub log: Option<Subject>,
    /// New and old containers.
    pub containers: Vec<Subject>,
    /// Every step.
    pub lines: Vec<Line>,
}

/// What was reached of one mark on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How far it is.
    pub sign: Sign,
    /// How many of how many containers, where there are several and not all are there.
    pub part: Option<(usize, usize)>,
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// To come.
    Blank,
    /// Now.
    Now,
    /// Done.
    Done,
    /// It failed.
    Failed,
    /// It is being taken back.
    Back,
    /// It was taken back.
    Gone,
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How far it is.
    pub sign: Sign,
    /// What is done.
    pub text: String,
    /// When it began.
    pub at: Option<DateTime<Utc>>,
    /// How long it took.
    pub took: Option<Duration>,
    /// Why it failed.
    pub error: Option<Arc<str>>,
}

/// The last that a journal says of a step.
#[derive(Clone, Debug)]
struct Course {
    begun: DateTime<Utc>,
    last: DateTime<Utc>,
    sign: Sign,
    error: Option<Arc<str>>,
}

fn courses(entries: &[Entry]) -> BTreeMap<StepId, Course> {
    let mut courses: BTreeMap<StepId, Course> = BTreeMap::new();
    for entry in entries {
        let (step, sign, error) = match &entry.word {
            Word::Intent { step } => (step, Sign::Now, None),
            Word::Outcome { step, error: None } => (step, Sign::Done, None),
            Word::Outcome { step, error } => (step, Sign::Failed, error.clone()),
            Word::UndoIntent { step } => (step, Sign::Back, None),
            Word::UndoOutcome { step, error: None } => (step, Sign::Gone, None),
            Word::UndoOutcome { step, error } => (step, Sign::Failed, error.clone()),
            Word::Begun { .. }
            | Word::Resumed { .. }
            | Word::GivenUp { .. }
            | Word::Turned { .. }
            | Word::Bundle { .. }
            | Word::Counted { .. }
            | Word::Measured { .. }
            | Word::Good
            | Word::Ended { .. } => continue,
        };
        let fresh = Course { begun: entry.at, last: entry.at, sign, error: error.clone() };
        let course = courses.entry(*step).or_insert(fresh);
        if matches!(sign, Sign::Now | Sign::Back) {
            course.begun = entry.at;
        }
        // Why it failed stays with it on the way back.
        let error = error.or_else(|| course.error.take().filter(|_| matches!(sign, Sign::Back | Sign::Gone)));
        (course.last, course.sign, course.error) = (entry.at, sign, error);
    }
    courses
}

impl Story {
    /// Tells it.
    pub fn of(account: &Account<'_>) -> Self {
        let deployment = account.deployment;
        let progress = Progress::of(account.entries);
        // What never got its locks did nothing; whoever begins it anew writes over it.
        let begun = beginning(account.entries);
        let mut stand = Stand::of(deployment);
        if stand == Stand::Running {
            stand = match &account.silent {
                Some((since, holder)) => Stand::Silent { since: *since, holder: holder.clone() },
                None if progress.turned.is_some() && !progress.good => Stand::TakingBack,
                None => Stand::Running,
            };
        }
        let (marks, rows) = match begun {
            Some((plan, script)) => rows(plan, script, &progress, account, &stand),
            None => (Vec::new(), Vec::new()),
        };
        let proof = measured(account.entries).or_else(|| account.pulse.and_then(|pulse| pulse.traffic.as_ref()));
        let traffic = proof.and_then(|proof| {
            let (requests, failed) = proof.during.counted()?;
            Some(Traffic { requests, failed, p99: proof.during.p99_ms(), p99_before: proof.before.p99_ms() })
        });
        let because = progress.turned.as_ref().map(|turn| crate::text::clean_line(&turn.because));
        let evidence = account.entries.iter().rev().find_map(|entry| match &entry.word {
            Word::Bundle { place } => Some(crate::text::clean_line(place)),
            _ => None,
        });
        let warm = begun.filter(|(_, script)| {
            let is_kept = script.cool.iter().any(|step| !progress.done.contains(&step.id));
            deployment.state == State::Good && account.keeps_warm && is_kept
        });
        let warm = warm.and_then(|(plan, _)| Some(deployment.finished? + chrono::TimeDelta::from_std(plan.strategy.keep_warm).ok()?));
        let plan = match (begun, account.plan) {
            (None, Some(plan)) => plan.to_string().lines().map(str::to_owned).collect(),
            (Some(_) | None, _) => Vec::new(),
        };
        Self {
            id: deployment.id.clone(),
            app: deployment.app.clone(),
            environment: deployment.environment.clone(),
            version: Arc::clone(&deployment.release.version),
            from: deployment.from_release.as_ref().map(|from| Arc::clone(&from.version)),
            by: deployment.by.clone(),
            asked: deployment.asked,
            takes_locks: stand == Stand::Running && begun.is_some() && progress.begun.is_empty(),
            stand,
            began: deployment.started,
            ended: deployment.finished,
            about: account.about,
            marks,
            rows,
            traffic,
            reason: deployment.reason.clone().or(because),
            evidence,
            remedies: account.remedies.clone(),
            warm,
            plan,
        }
    }

    /// The row that is most worth looking at: one that failed, that waits, that was changed last.
    pub fn focus(&self) -> usize {
        let has = |row: &Row, sign: Sign| row.cells.iter().flatten().any(|cell| cell.sign == sign);
        let of_host = |wanted: &dyn Fn(&Row) -> bool| self.rows.iter().position(|row| row.host.is_some() && wanted(row));
        of_host(&|row| has(row, Sign::Failed))
            .or_else(|| of_host(&|row| row.why.is_some() && row.log.is_some()))
            .or_else(|| of_host(&|row| row.why.is_some()))
            .or_else(|| {
                self.rows.iter().rposition(|row| row.host.is_some() && row.cells.iter().flatten().any(|cell| cell.sign != Sign::Blank))
            })
            .unwrap_or(0)
    }
}

/// All of them, and what is shown of each.
fn rows(plan: &Plan, script: &Script, progress: &Progress, account: &Account<'_>, stand: &Stand) -> (Vec<Mark>, Vec<Row>) {
    let courses = courses(account.entries);
    let marks_of = Marks::of(plan);
    let marked: Vec<(&Step, Option<Mark>)> = script.steps.iter().map(|step| (step, marks_of.mark(step))).collect();
    let is_now = |mark: Mark| {
        marked.iter().any(|(step, of)| *of == Some(mark) && courses.get(&step.id).is_some_and(|course| course.sign == Sign::Now))
    };
    let mut marks: Vec<Mark> = Vec::new();
    for (step, mark) in &marked {
        let Some(mark) = mark else { continue };
        // A pause is worth a word only while it lasts.
        let is_shown = *mark != Mark::Paused || (stand.is_moving() && is_now(Mark::Paused));
        if is_shown && mark.is_named_after(step) && !marks.contains(mark) {
            marks.push(*mark);
        }
    }
    let asker = Asker { plan, script, progress };
    let hosts = plan.hosts.iter().map(Some).chain([None]);
    let rows = hosts.filter_map(|host| {
        let own: Vec<(&Step, Option<Mark>)> = marked.iter().filter(|(step, _)| step.host.as_ref() == host).copied().collect();
        let any = own.iter().any(|(_, mark)| mark.is_some_and(|mark| marks.contains(&mark)));
        any.then(|| row(host, &own, &marks, &courses, (&asker, account, stand)))
    });
    let rows: Vec<Row> = rows.collect();
    (marks, rows)
}

fn row(
    host: Option<&HostId>,
    own: &[(&Step, Option<Mark>)],
    marks: &[Mark],
    courses: &BTreeMap<StepId, Course>,
    (asker, account, stand): (&Asker<'_>, &Account<'_>, &Stand),
) -> Row {
    let cell = |mark: &Mark| {
        let of_it: Vec<&Step> = own.iter().filter(|(_, of)| *of == Some(*mark)).map(|(step, _)| *step).collect();
        (!of_it.is_empty()).then(|| cell(*mark, &of_it, courses))
    };
    let cells: Vec<Option<Cell>> = marks.iter().map(cell).collect();
    let waits = own.iter().filter_map(|(step, _)| {
        let course = courses.get(&step.id).filter(|course| matches!(course.sign, Sign::Now | Sign::Back))?;
        let wait = account.pulse.and_then(|pulse| pulse.waits.get(&step.id));
        Some((*step, course, wait))
    });
    // What says most: what was answered already, then what only waits, then what began first.
    let waits = waits.min_by_key(|(step, course, wait)| (wait.is_none(), !step.act.only_looks(), course.begun));
    let waits = waits.filter(|_| stand.is_moving());
    let why = waits.as_ref().map(|(step, course, wait)| asker.why(step, course.begun, *wait, course.sign == Sign::Back));
    let work: Vec<&Step> =
        own.iter().map(|(step, _)| *step).filter(|step| step.phase > Phase::Prepare && step.phase < Phase::Clean).collect();
    let is_over = !work.is_empty() && work.iter().all(|step| courses.get(&step.id).is_some_and(|course| course.sign == Sign::Done));
    let of_work = || work.iter().filter_map(|step| courses.get(&step.id));
    let took = of_work().map(|course| course.begun).min().zip(of_work().map(|course| course.last).max());
    let took = took.filter(|_| is_over && host.is_some()).and_then(|(from, to)| (to - from).to_std().ok());
    let changes: Vec<_> =
        asker.plan.services.iter().flat_map(|service| &service.changes).filter(|change| Some(&change.host) == host).collect();
    let incoming: BTreeSet<Subject> = changes.iter().filter_map(|change| Some(change.incoming.as_ref()?.subject())).collect();
    let outgoing = changes.iter().filter_map(|change| Some(change.outgoing.as_ref()?.subject()));
    let containers = changes.iter().filter_map(|change| change.incoming.as_ref().map(Incoming::subject)).chain(outgoing).collect();
    let about = |step: &Step| match &step.act {
        Act::Create { blueprint } | Act::Job { blueprint, .. } => Some(blueprint.subject()),
        act => act.container().filter(|container| incoming.contains(container)).cloned(),
    };
    let is_running = |step: &&Step| match &step.act {
        Act::Start { .. } | Act::Job { .. } | Act::Gate { .. } => courses.get(&step.id).is_some_and(|course| course.sign != Sign::Blank),
        _ => false,
    };
    let failed = work.iter().find(|step| courses.get(&step.id).is_some_and(|course| course.error.is_some())).and_then(|step| about(step));
    let waiting = waits.and_then(|(step, ..)| about(step).filter(|_| is_running(&step)));
    let newest = work.iter().filter(|step| is_running(step)).max_by_key(|step| courses.get(&step.id).map(|course| course.begun));
    let log = waiting.or(failed).or_else(|| newest.and_then(|step| about(step)));
    Row {
        host: host.cloned(),
        cells,
        why,
        took,
        log,
        containers,
        lines: own.iter().map(|(step, _)| line(step, courses.get(&step.id))).collect(),
    }
}

fn cell(mark: Mark, steps: &[&Step], courses: &BTreeMap<StepId, Course>) -> Cell {
    let signs: Vec<Sign> = steps.iter().map(|step| courses.get(&step.id).map_or(Sign::Blank, |course| course.sign)).collect();
    let any = |sign: Sign| signs.contains(&sign);
    let sign = match () {
        () if any(Sign::Failed) => Sign::Failed,
        () if any(Sign::Back) => Sign::Back,
        () if any(Sign::Gone) && (any(Sign::Done) || any(Sign::Now)) => Sign::Back,
        () if any(Sign::Gone) => Sign::Gone,
        () if signs.iter().all(|sign| *sign == Sign::Done) => Sign::Done,
        () if any(Sign::Now) || any(Sign::Done) => Sign::Now,
        () => Sign::Blank,
    };
    let named: Vec<Sign> = steps.iter().zip(&signs).filter(|(step, _)| mark.is_named_after(step)).map(|(_, sign)| *sign).collect();
    let counts = matches!(mark, Mark::Started | Mark::Healthy | Mark::InTraffic | Mark::OldDrained | Mark::OldStopped);
    let is_part = counts && named.len() > 1 && sign == Sign::Now;
    Cell { sign, part: is_part.then(|| (named.iter().filter(|sign| **sign == Sign::Done).count(), named.len())) }
}

fn line(step: &Step, course: Option<&Course>) -> Line {
    let took = course
        .filter(|course| !matches!(course.sign, Sign::Now | Sign::Back))
        .and_then(|course| (course.last - course.begun).to_std().ok());
    Line {
        sign: course.map_or(Sign::Blank, |course| course.sign),
        text: step.act.to_string(),
        at: course.map(|course| course.begun),
        took,
        error: course.and_then(|course| course.error.clone()),
    }
}
