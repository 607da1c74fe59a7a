//! `check`: what is bad now as one line for a monitoring system, with the exit codes and performance data of a Nagios plugin
//! (<https://nagios-plugins.org/doc/guidelines.html>).

use std::{collections::BTreeSet, time::Duration};

use chrono::{TimeDelta, Utc};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, PATIENCE, Watch, selector, wait},
    json, out,
};
use crate::{
    alerts::{AlertRow, Rule, Triage, Usage},
    fleet::{ContainerKey, Fleet, HostId, LinkState, Matrix, MatrixBy, Selector, Severity, trouble::LOOP_WINDOW},
    stats::Wanted,
    text::counted,
};

/// A sample that is there already is not asked for again.
const AGAIN: Duration = Duration::from_secs(60);

/// So many entries are named in the first line; all of them follow below it.
const NAMED: usize = 3;
/// So many entries are told below the first line: monitoring systems cut what is longer than some kilobytes.
const TOLD: usize = 40;

/// How a check ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Something wants attention.
    Warning,
    /// Something is bad now.
    Critical,
    /// Nothing that is seen is bad, but not everything is seen.
    Unknown,
}

impl Status {
    /// What is bad comes before what is not seen, and that before what wants attention.
    fn of(triage: &Triage, unseen: usize) -> Self {
        let of_hosts = |alert: &&crate::alerts::Alert| !alert.rule.is_of_host();
        let loudest = triage.alerts().iter().filter(of_hosts).map(|alert| alert.severity()).max();
        match loudest {
            Some(Severity::Bad) => Self::Critical,
            _ if unseen > 0 => Self::Unknown,
            Some(Severity::Attention) => Self::Warning,
            Some(Severity::Quiet) | None => Self::Ok,
        }
    }

    fn exit(self) -> Exit {
        Exit(match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Report {
    status: Status,
    exit_code: i32,
    summary: String,
    hosts: usize,
    hosts_live: usize,
    containers: usize,
    running: usize,
    alerts: Vec<AlertRow>,
    /// What could not be seen, a sentence each.
    missing: Vec<String>,
    #[serde(skip)]
    figures: Vec<Figure>,
}

/// One figure of the performance data.
#[derive(Debug)]
struct Figure {
    label: &'static str,
    value: usize,
    /// From which value on it is a warning, and critical; `0`: any is.
    warning: Option<usize>,
    critical: Option<usize>,
    max: Option<usize>,
}

/// Judges the fleet and prints. Whatever goes wrong is `UNKNOWN` on standard output, where monitoring systems read.
pub fn run(global: &Global, terms: &[String], usage: bool, output: Output) -> Result<Exit, Failure> {
    match judge(global, terms, usage) {
        Ok(report) => {
            out::print(&match output.format {
                Format::Json => json::line(&report)?,
                Format::Table => page(&report),
            })?;
            Ok(report.status.exit())
        }
        Err(failure) => {
            out::print(&format!("QUARTERDECK UNKNOWN - {}\n", plain(&failure.words())))?;
            Ok(Status::Unknown.exit())
        }
    }
}

fn judge(global: &Global, terms: &[String], usage: bool) -> Result<Report, Failure> {
    let filter = selector(terms)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Triage).await;
        // A container in a crash loop may run at this very moment: what its engine remembers tells.
        let now = Utc::now();
        watch.recall(now - LOOP_WINDOW - TimeDelta::minutes(1), now).await;
        let mut missing = watch.shortfalls();
        let mut used = Vec::new();
        if usage {
            measure_once(&mut watch, &filter).await;
            let measured = measured(&watch, &filter);
            used.extend(measured.iter().filter_map(|(key, usage)| usage.map(|usage| (key.clone(), usage))));
            if used.len() < measured.len() {
                missing.push(format!("the memory of {}: no sample came in time", counted(measured.len() - used.len(), "container")));
            }
        }
        Ok(report(watch.fleet(), filter, missing, &used, Utc::now()))
    })
}

/// What each selected container that runs on a live host uses, once it was sampled.
fn measured(watch: &Watch, filter: &Selector) -> Vec<(ContainerKey, Option<Usage>)> {
    let live = watch.fleet().hosts().filter(|host| host.link.is_live());
    let rows = live.flat_map(|host| watch.fleet().containers_on(&host.spec.id).map(move |container| (container, host)));
    let mine = rows.filter(|(container, host)| container.is_running() && filter.matches(container, host));
    let usage = |key, machine| watch.book().last(key).map(|last| Usage::of(last.memory, last.memory_limit, machine));
    mine.map(|(container, host)| (container.key.clone(), usage(&container.key, host.engine.as_ref().map(|engine| engine.memory)))).collect()
}

/// Waits for one sample of each; longer where there are many, as the budget of a host is small.
async fn measure_once(watch: &mut Watch, filter: &Selector) {
    let near: Vec<ContainerKey> = measured(watch, filter).into_iter().map(|(key, _)| key).collect();
    let most = watch.fleet().hosts().map(|host| watch.fleet().container_count(&host.spec.id)).max().unwrap_or(0);
    let until = Instant::now() + PATIENCE + Duration::from_secs_f64(most as f64 / crate::stats::pace::rate(None, 1.0));
    while measured(watch, filter).iter().any(|(_, usage)| usage.is_none()) {
        watch.measure(&Wanted { near: near.clone(), every: AGAIN, ..Wanted::default() });
        match timeout_at(until, watch.news()).await {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

fn report(fleet: &Fleet, filter: Selector, missing: Vec<String>, used: &[(ContainerKey, Usage)], now: chrono::DateTime<Utc>) -> Report {
    let filter = Some(filter).filter(|filter| !filter.is_empty());
    let matrix = Matrix::build(fleet, MatrixBy::Environment, filter.clone(), now);
    let triage = Triage::of(fleet, &matrix, used.iter().map(|(key, usage)| (key, *usage)), now);
    let unseen = unseen(fleet, filter.as_ref());
    let status = Status::of(&triage, unseen.len());
    let (mut containers, mut running) = fleet.counts();
    if let Some(filter) = &filter {
        let selected =
            |container: &&crate::fleet::Container| fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host));
        let all: Vec<bool> = fleet.containers().filter(selected).map(|container| container.is_running()).collect();
        (containers, running) = (all.len(), all.iter().filter(|runs| **runs).count());
    }
    let hosts = fleet.hosts().len();
    let live = fleet.hosts().filter(|host| host.link.is_live()).count();
    let any = |label, rule, critical: bool| {
        let value = triage.broken(rule);
        Figure { label, value, warning: (!critical).then_some(0), critical: critical.then_some(0), max: None }
    };
    let figures = vec![
        Figure { label: "hosts_live", value: live, warning: None, critical: None, max: Some(hosts) },
        Figure { label: "hosts_lost", value: unseen.len(), warning: None, critical: None, max: Some(hosts) },
        Figure { label: "containers", value: containers, warning: None, critical: None, max: None },
        Figure { label: "running", value: running, warning: None, critical: None, max: Some(containers) },
        any("crash_looping", Rule::CrashLooping, true),
        any("oom", Rule::OutOfMemory, true),
        any("unhealthy", Rule::Unhealthy, true),
        any("exited", Rule::Exited, true),
        any("drift", Rule::Drift, false),
        any("near_memory_limit", Rule::NearMemory, false),
    ];
    let alerts: Vec<AlertRow> = triage.alerts().iter().map(|alert| AlertRow::new(fleet, alert)).collect();
    Report {
        status,
        exit_code: status.exit().0,
        summary: summary(&alerts, &unseen, live, hosts, containers),
        hosts,
        hosts_live: live,
        containers,
        running,
        alerts,
        missing,
        figures,
    }
}

/// The hosts that may hide something of what is asked for. One that never answered may hold anything.
fn unseen(fleet: &Fleet, filter: Option<&Selector>) -> BTreeSet<HostId> {
    let is_lost = |link: &LinkState| match link {
        LinkState::Live { .. } => false,
        LinkState::Connecting | LinkState::Stale { .. } | LinkState::Retrying { .. } | LinkState::Refused { .. } => true,
    };
    let lost = fleet.hosts().filter(|host| is_lost(&host.link));
    let concerns = |host: &&crate::fleet::Host| filter.is_none_or(|filter| filter.may_match_on(host));
    lost.filter(concerns).map(|host| host.spec.id.clone()).collect()
}

fn summary(alerts: &[AlertRow], unseen: &BTreeSet<HostId>, live: usize, hosts: usize, containers: usize) -> String {
    // Hosts that are not seen are named once, whether their link is lost or was never made.
    let of_services = |bad: bool| {
        let alerts = alerts.iter().filter(move |alert| alert.service.is_some() && (alert.severity == "bad") == bad);
        alerts.map(|alert| alert.sentence.clone())
    };
    let mut told: Vec<String> = of_services(true).collect();
    if !unseen.is_empty() {
        let names: Vec<&str> = unseen.iter().take(NAMED).map(HostId::as_str).collect();
        let more = if unseen.len() > NAMED { format!(" and {} more", unseen.len() - NAMED) } else { String::new() };
        told.push(format!("{} not seen: {}{more}", counted(unseen.len(), "host"), names.join(", ")));
    }
    told.extend(of_services(false));
    if told.is_empty() {
        return format!("nothing is wrong, {live} of {} live, {}", counted(hosts, "host"), counted(containers, "container"));
    }
    let more = if told.len() > NAMED { format!("; and {} more", told.len() - NAMED) } else { String::new() };
    format!("{}{more}", told[..told.len().min(NAMED)].join("; "))
}

/// The first line with its performance data, and below it every entry.
fn page(report: &Report) -> String {
    let figures: Vec<String> = report.figures.iter().map(Figure::text).collect();
    let mut page = format!("QUARTERDECK {} - {} | {}\n", report.status.word(), plain(&report.summary), figures.join(" "));
    for alert in report.alerts.iter().take(TOLD) {
        let since =
            alert.since.map_or(String::new(), |since| format!(" since {}", since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
        page.push_str(&format!("{}: {}{since}\n", alert.severity, plain(&alert.sentence)));
    }
    if report.alerts.len() > TOLD {
        page.push_str(&format!("and {} more\n", report.alerts.len() - TOLD));
    }
    for line in &report.missing {
        page.push_str(&format!("not seen: {}\n", plain(line)));
    }
    page
}

impl Figure {
    /// `label=value;warning;critical;min;max`.
    fn text(&self) -> String {
        let or_empty = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
        let (warning, critical, max) = (or_empty(self.warning), or_empty(self.critical), or_empty(self.max));
        format!("{}={};{warning};{critical};0;{max}", self.label, self.value)
    }
}

/// `|` begins the performance data.
fn plain(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Delta, LinkCause, fixture};

    fn lost(host: &str) -> Delta {
        let now = fixture::now();
        let error = "no route | to host".into();
        Delta::Link {
            host: host.into(),
            link: LinkState::Retrying { since: now, cause: LinkCause::Unreachable, error, next: now },
            at: now,
        }
    }

    fn checked(deltas: Vec<Delta>, filter: &str) -> Report {
        let mut fleet = fixture::fleet();
        for delta in deltas {
            fleet.apply(delta);
        }
        report(&fleet, Selector::parse(filter).unwrap(), Vec::new(), &[], fixture::now())
    }

    #[test]
    fn bad_before_unseen_before_attention() {
        let stale = |host: &str| Delta::Link { host: host.into(), link: LinkState::Stale { since: fixture::now() }, at: fixture::now() };
        for (deltas, filter, code) in [
            (vec![], "", 2),
            (vec![], "app:billing", 2),
            (vec![], "app:shop", 1),
            (vec![], "service:web", 0),
            (vec![], "env:testing", 0),
            (vec![], "name:nobody", 0),
            (vec![lost("app-04")], "", 2),
            (vec![lost("app-04")], "app:shop", 3),
            (vec![lost("app-04")], "service:web", 3),
            (vec![lost("app-04")], "env:testing", 0),
            (vec![lost("app-04")], "host:app-05", 0),
            (vec![stale("app-04")], "service:web", 3),
        ] {
            let report = checked(deltas.clone(), filter);
            assert_eq!(report.exit_code, code, "{filter:?} {deltas:?}: {}", report.summary);
        }
    }

    #[test]
    fn golden() {
        insta::assert_snapshot!("check_page", page(&checked(vec![lost("app-04")], "")));
        insta::assert_snapshot!("check_well", page(&checked(vec![], "service:web")));
        insta::assert_snapshot!("check_json", json::line(&checked(vec![], "app:billing")).unwrap());
    }

    #[test]
    fn the_first_line_holds_one_bar_and_its_figures_parse() {
        let text = page(&checked(vec![lost("app-04"), lost("app-05")], ""));
        let first = text.lines().next().unwrap();
        let (_, figures) = first.split_once(" | ").unwrap();
        assert_eq!(first.matches('|').count(), 1, "{first}");
        for figure in figures.split(' ') {
            let (label, values) = figure.split_once('=').unwrap();
            let values: Vec<&str> = values.split(';').collect();
            assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && values.len() == 5, "{figure}");
            assert!(values.iter().all(|value| value.is_empty() || value.parse::<usize>().is_ok()), "{figure}");
        }
    }
}
