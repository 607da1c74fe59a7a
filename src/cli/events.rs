//! `events`: what happened on the hosts, and with `-f` what happens.

use std::fmt::Display;

use chrono::{DateTime, Local, TimeDelta, TimeZone, Utc};

use super::{
    TimeSpec,
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, News, Watch, selector, wait},
    json,
    out::{self, complain},
    table::{NOTHING, or_nothing},
};
use crate::{
    fleet::{EventKind, Fleet, HostId, Selector, rows::EventRow},
    text::width,
};

/// Where the story begins when nobody says: without `-f` there must be something to tell.
const STORY: TimeDelta = TimeDelta::hours(1);

/// What is asked for.
pub struct Request<'a> {
    /// Go on as events happen.
    pub follow: bool,
    /// From here.
    pub since: Option<TimeSpec>,
    /// To here.
    pub until: Option<TimeSpec>,
    /// Which.
    pub filter: &'a [String],
    /// How.
    pub output: Output,
}

/// A stretch of time; events at its ends belong to it.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Span {
    fn holds(self, at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at <= until)
    }
}

/// Prints the past, then, if asked, what comes.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let filter = selector(request.filter)?;
    let sources = Sources::load(global)?;
    let local = Local::now();
    let now = local.to_utc();
    let resolve = |spec: TimeSpec| spec.resolve(&local);
    let since = request.since.map(resolve).or_else(|| (!request.follow).then_some(now - STORY));
    let span = Span { since, until: request.until.map(resolve) };
    if let (Some(since), Some(until)) = (span.since, span.until)
        && until < since
    {
        return Err(Failure::usage("--until is before --since"));
    }
    let format = request.output.format;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        if let Some(since) = span.since {
            watch.recall(since, span.until.map_or(now, |until| until.min(now)).max(since)).await;
        }
        let names = names(watch.fleet());
        // What came while the hosts were asked is told with the past; all of it only once.
        let past = past(watch.fleet(), &filter, span);
        match format {
            Format::Json if !request.follow => out::print(&json::array(&past)?)?,
            Format::Json | Format::Table => {
                out::print(&past.iter().map(|row| told(row, format, names)).collect::<Result<String, _>>()?)?;
            }
        }
        let exit = watch.finish();
        if request.follow {
            follow(&mut watch, &filter, span, format, names).await?;
        }
        Ok(exit)
    })
}

/// Goes on until the end of the span, or until it is interrupted.
async fn follow(watch: &mut Watch, filter: &Selector, span: Span, format: Format, names: usize) -> Result<(), Failure> {
    let left = span.until.map(|until| (until - Utc::now()).to_std().unwrap_or_default());
    let end = async {
        match left {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        let news = tokio::select! {
            news = watch.news() => news,
            () = &mut end => return Ok(()),
        };
        match news {
            Some(News::Event(event)) => {
                if event.kind != EventKind::Link && span.holds(event.at) && filter.matches_event(&event, watch.fleet()) {
                    out::print(&told(&EventRow::new(watch.fleet(), &event), format, names)?)?;
                }
            }
            Some(News::Link(host)) => complain(&turned(watch.fleet(), &host)),
            Some(News::Measured) => {}
            None => return Ok(()),
        }
    }
}

fn turned(fleet: &Fleet, host: &HostId) -> String {
    let error = fleet.host(host).and_then(|host| host.link.error());
    match error {
        Some(error) => format!("host {:?} is lost: {error}", host.as_str()),
        None => format!("host {:?} is back", host.as_str()),
    }
}

/// What the fleet's log holds of a span, by the engines' clocks.
fn past(fleet: &Fleet, filter: &Selector, span: Span) -> Vec<EventRow> {
    let events = fleet.events().iter().filter(|event| event.kind != EventKind::Link && span.holds(event.at));
    let mut rows: Vec<EventRow> =
        events.filter(|event| filter.matches_event(event, fleet)).map(|event| EventRow::new(fleet, event)).collect();
    rows.sort_by_key(|row| row.ts);
    rows
}

/// How wide the column of host names is.
pub(super) fn names(fleet: &Fleet) -> usize {
    fleet.hosts().map(|host| width(host.spec.id.as_str())).max().unwrap_or(0)
}

fn told(row: &EventRow, format: Format, names: usize) -> Result<String, Failure> {
    match format {
        Format::Json => json::line(row),
        Format::Table => Ok(line(row, &Local, names)),
    }
}

/// An event as a line: lines come one by one, so their columns are fixed.
pub(super) fn line<Z: TimeZone>(row: &EventRow, zone: &Z, names: usize) -> String
where
    Z::Offset: Display,
{
    let at = row.ts.with_timezone(zone).format("%Y-%m-%d %H:%M:%S");
    let name = if row.name.is_empty() { row.id.as_str() } else { &*row.name };
    let of = match (&row.service, &row.app) {
        (Some(service), Some(app)) => format!("{app}/{service}"),
        (Some(service), None) => service.to_string(),
        (None, _) => NOTHING.to_owned(),
    };
    let exit = row.exit_code.map(|code| format!("  exit {code}")).unwrap_or_default();
    let by = row.by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default();
    let environment = or_nothing(row.environment.as_ref());
    format!("{at}  {:<names$}  {:<9}  {:<24}  {name:<32}  {of:<24}  {environment}{exit}{by}\n", row.host, row.kind, row.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Delta, EngineEvent, fixture};

    fn all() -> Span {
        Span { since: None, until: None }
    }

    #[test]
    fn golden() {
        let fleet = fixture::fleet();
        let rows = past(&fleet, &Selector::default(), all());
        insta::assert_snapshot!("events_lines", rows.iter().map(|row| line(row, &Utc, names(&fleet))).collect::<String>());
        insta::assert_snapshot!("events_json", json::array(&rows).unwrap());
    }

    #[test]
    fn spans_and_filters() {
        let mut fleet = fixture::fleet();
        let known = past(&fleet, &Selector::default(), all());
        let at = known[0].ts;
        let (before, after) = (at - TimeDelta::seconds(1), at + TimeDelta::seconds(1));
        for (since, until, count) in
            [(Some(at), Some(at), 1), (Some(after), None, 0), (None, Some(before), 0), (Some(before), Some(after), 1)]
        {
            assert_eq!(past(&fleet, &Selector::default(), Span { since, until }).len(), count, "{since:?} {until:?}");
        }
        // A container that is gone is told by what its event carries; what is about no container, by its host.
        let event = EngineEvent {
            at: after,
            host: "app-01".into(),
            kind: EventKind::Container,
            action: "destroy".into(),
            id: "ff".into(),
            name: "old-web-1".into(),
            image: Some("shop/web:1.0.1-3-abcdef0".into()),
            exit_code: None,
            signal: None,
            old_name: None,
            labels: fixture::labels(&[("com.docker.compose.project", "old"), ("com.docker.compose.service", "web")]),
        };
        let pull = EngineEvent { kind: EventKind::Image, action: "pull".into(), id: "x".into(), name: "x".into(), ..event.clone() };
        for event in [event, pull] {
            fleet.apply(Delta::Event { event, live: false, at: after });
        }
        for (filter, count) in [("app:old", 1), ("app:old version:1.0.1-3-*", 1), ("app:shop", 0), ("host:app-01", 2), ("host:app-03", 1)] {
            assert_eq!(past(&fleet, &Selector::parse(filter).unwrap(), all()).len(), count, "{filter}");
        }
    }
}
