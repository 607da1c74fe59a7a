//! `logs`: the lines of any number of containers in one order; with `-f` as they come, through replaced containers and lost links.
//!
//! Without `-f` it is a search: every selected log is read once, a few of a host at a time, and what could not be read is listed on
//! standard error at the end.

use std::{
    collections::{BTreeMap, HashSet},
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use chrono::{Local, Utc};

use super::{
    TimeSpec,
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    out::{self, complain},
};
use crate::{
    engine::logs::{LogMode, LogOrder, LogReader, LogReport, LogState},
    fleet::Selector,
    logs::{Cast, CastRule, CastStep, Entry, Filter, Level, LogLine, Marker, MarkerKind, Merge, Source, SourceId, Stamp, record},
    text::{count, fit, width},
};

/// How many lines of each container's past are shown when it is followed and nobody says.
const PAST: u64 = 100;
/// What a search may hold while it waits for slower logs to know the order. Beyond it, it ends and says so.
const HELD: usize = 512 << 20;
/// How often the progress of a search is told.
const TELL: Duration = Duration::from_millis(200);
/// Markers are a source of their own in the merge.
const MARKERS: SourceId = SourceId(u32::MAX);
/// How much is gathered for one write.
const PAGE: usize = 256 << 10;
/// The widest column of containers' names.
const NAMES: usize = 40;

/// What is asked for.
pub struct Request<'a> {
    /// Whose logs.
    pub selector: &'a [String],
    /// Go on as lines come.
    pub follow: bool,
    /// Begin here.
    pub since: Option<TimeSpec>,
    /// End here.
    pub until: Option<TimeSpec>,
    /// The newest lines of each container.
    pub tail: Option<u64>,
    /// Every one must match.
    pub grep: &'a [String],
    /// None may match.
    pub exclude: &'a [String],
    /// The least severity.
    pub level: Option<Level>,
    /// How to print.
    pub output: Output,
}

/// Which part of each log.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Option<Stamp>,
    until: Option<Stamp>,
    tail: Option<u64>,
}

impl Span {
    fn order(self, source: &Source) -> LogOrder {
        let Self { since, until, tail } = self;
        LogOrder { source: source.id, container: source.key.clone(), since, until, tail }
    }
}

/// Prints what is there, then, if asked, what comes.
///
/// # Errors
/// Wrong usage; an output that cannot be written.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let chosen = selector(request.selector)?;
    let filter = filter(request)?;
    let local = Local::now();
    let moment = |spec: TimeSpec| Stamp::of(spec.resolve(&local));
    let tail = request.tail.or_else(|| (request.follow && request.since.is_none()).then_some(PAST));
    let span = Span { since: request.since.map(moment), until: request.until.map(moment), tail };
    if span.since.zip(span.until).is_some_and(|(since, until)| until < since) {
        return Err(Failure::usage("--until is before --since"));
    }
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        // What made the fleet is no news.
        let format = request.output.format;
        if request.follow {
            follow(&mut watch, chosen, filter, span, format).await
        } else {
            search(&watch, chosen, filter, span, format).await
        }
    })
}

fn filter(request: &Request<'_>) -> Result<Filter, Failure> {
    let mut filter = Filter::new();
    for pattern in request.grep {
        filter.include(pattern).map_err(Failure::usage)?;
    }
    for pattern in request.exclude {
        filter.exclude(pattern).map_err(Failure::usage)?;
    }
    filter.set_level(request.level);
    Ok(filter)
}

/// Reads every selected log once.
async fn search(watch: &Watch, chosen: Selector, filter: Filter, span: Span, format: Format) -> Result<Exit, Failure> {
    let words = chosen.to_string();
    let (cast, steps) = Cast::start(CastRule::Matching(chosen), watch.fleet());
    let mut reader = watch.logs().open(LogMode::Search, filter);
    let mut merge: Merge<LogLine> = Merge::whole();
    for step in &steps {
        if let CastStep::Join { source, .. } = step {
            merge.open(source.id);
            reader.add(span.order(source));
        }
    }
    let mut printer = Printer::new(&cast, format);
    let mut open: HashSet<SourceId> = cast.sources().iter().map(|source| source.id).collect();
    let mut missing: BTreeMap<SourceId, String> = BTreeMap::new();
    let mut progress = Progress::new(open.len());
    let mut held = 0;
    while !open.is_empty() {
        let Some(report) = reader.next().await else { break };
        let now = Instant::now();
        match report {
            LogReport::Lines { source, lines, scanned } => {
                progress.scanned += scanned;
                for line in lines {
                    held += cost(&line);
                    merge.push(source, line, now);
                }
            }
            LogReport::State { source, state, .. } => {
                if state.is_last() {
                    merge.close(source);
                    open.remove(&source);
                }
                let why = match state {
                    LogState::Failed { reason } => Some(reason.to_string()),
                    LogState::Gone => Some("the container was removed, and its log with it".to_owned()),
                    LogState::Gap { .. } => Some("a part may be missing: the log was rotated while the link was lost".to_owned()),
                    LogState::Queued | LogState::Reading | LogState::Broken { .. } | LogState::Waiting | LogState::Done => None,
                };
                missing.extend(why.map(|why| (source, why)));
            }
        }
        while let Some(line) = merge.pop(now) {
            held -= cost(&line);
            printer.found(&cast, &line)?;
        }
        if held > HELD {
            let mut too_much = |source: SourceId| {
                missing
                    .entry(source)
                    .or_insert_with(|| format!("more than {} matched; narrow the search", crate::text::bytes(HELD as u64)));
            };
            open.drain().for_each(&mut too_much);
            drop(reader);
            cast.sources().iter().for_each(|source| merge.close(source.id));
            while let Some(line) = merge.pop(now) {
                printer.found(&cast, &line)?;
            }
            break;
        }
        progress.tell(now, cast.sources().len() - open.len(), &mut printer)?;
    }
    progress.clear();
    printer.end_search();
    printer.flush()?;
    for (id, reason) in &missing {
        if let Some(source) = cast.source(*id) {
            complain(&format!("not searched: {}/{}: {reason}", source.key.host, source.name));
        }
    }
    let hosts = watch.shortfalls();
    for host in &hosts {
        complain(&format!("not searched: {host}"));
    }
    match (missing.is_empty() && hosts.is_empty(), cast.sources().is_empty()) {
        (false, _) => Ok(Exit::INCOMPLETE),
        (true, true) => Err(Failure::failed(format!("no container matches {words:?}"))),
        (true, false) => Ok(Exit::DONE),
    }
}

fn cost(line: &LogLine) -> usize {
    line.text.bytes().len() + 128
}

/// Goes on until the end of the span, or until it is interrupted.
async fn follow(watch: &mut Watch, chosen: Selector, filter: Filter, span: Span, format: Format) -> Result<Exit, Failure> {
    let (mut cast, steps) = Cast::start(CastRule::Matching(chosen), watch.fleet());
    let mut reader = watch.logs().open(LogMode::Follow, filter);
    let mut stage = Stage { merge: Merge::live(), missing: HashSet::new(), span };
    watch.look_at(cast.sources().iter().map(|source| &source.key));
    stage.obey(steps, &mut reader);
    let mut printer = Printer::new(&cast, format);
    for host in watch.shortfalls() {
        complain(&format!("not followed yet: {host}"));
    }
    if cast.sources().is_empty() {
        complain("no container matches yet");
    }
    loop {
        let now = Instant::now();
        while let Some(entry) = stage.merge.pop(now) {
            printer.entry(&cast, &entry)?;
        }
        printer.flush()?;
        let due = stage.merge.due(now).unwrap_or(now + Duration::from_secs(3600));
        tokio::select! {
            report = reader.next() => match report {
                Some(report) => stage.take(report, &cast, now),
                None => break,
            },
            change = watch.change() => match change {
                Some(change) => {
                    let known = cast.sources().len();
                    let steps = cast.observe(watch.fleet(), &change);
                    watch.look_at(cast.sources().iter().skip(known).map(|source| &source.key));
                    stage.obey(steps, &mut reader);
                }
                None => break,
            },
            () = tokio::time::sleep_until(due.into()) => {}
            () = over(span.until) => {
                for source in cast.sources() {
                    stage.merge.close(source.id);
                }
                stage.merge.close(MARKERS);
                while let Some(entry) = stage.merge.pop(now) {
                    printer.entry(&cast, &entry)?;
                }
                break;
            }
        }
    }
    printer.flush()?;
    Ok(if stage.missing.is_empty() { watch.finish() } else { Exit::INCOMPLETE })
}

/// Resolves a moment after `until`, when the last of its lines are here.
async fn over(until: Option<Stamp>) {
    match until {
        Some(until) => tokio::time::sleep((until.moment() + chrono::TimeDelta::seconds(2) - Utc::now()).to_std().unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}

/// What is followed and held back for its turn.
struct Stage {
    merge: Merge<Entry>,
    /// What could not be read.
    missing: HashSet<SourceId>,
    span: Span,
}

impl Stage {
    fn obey(&mut self, steps: Vec<CastStep>, reader: &mut LogReader) {
        for step in steps {
            match step {
                CastStep::Join { source, fresh } => {
                    let order = self.span.order(&source);
                    reader.add(if fresh { LogOrder { tail: None, ..order } } else { order });
                }
                CastStep::Wake(source) => reader.wake(source),
                // Its task ends by itself, with the last line that the engine had for it.
                CastStep::Leave(source) => reader.wake(source),
                CastStep::Mark(marker) => self.mark(marker),
            }
        }
    }

    fn take(&mut self, report: LogReport, cast: &Cast, now: Instant) {
        match report {
            LogReport::Lines { source, lines, .. } => {
                for line in lines {
                    self.merge.push(source, Entry::Line(line), now);
                }
            }
            LogReport::State { source, state, at } => {
                let Some(member) = cast.source(source) else { return };
                let who = || Some((member.id, member.name.clone()));
                let marker = |at, kind| Marker { at, host: member.key.host.clone(), source: who(), kind };
                let at = Stamp::of(at);
                match state {
                    // In the source's own lane: before the lines that follow it.
                    LogState::Gap { after, away } => {
                        self.merge.push(source, Entry::Marker(marker(after, MarkerKind::Gap { away })), now);
                    }
                    LogState::Failed { reason } => {
                        self.missing.insert(source);
                        self.mark(marker(at, MarkerKind::Unreadable { reason }));
                    }
                    LogState::Queued => {
                        let reason = "too many logs of this host are followed; it waits for its turn".into();
                        self.mark(marker(at, MarkerKind::Unreadable { reason }));
                    }
                    LogState::Gone | LogState::Done => self.merge.close(source),
                    LogState::Reading | LogState::Broken { .. } | LogState::Waiting => {}
                }
            }
        }
    }

    fn mark(&mut self, marker: Marker) {
        self.merge.push(MARKERS, Entry::Marker(marker), Instant::now());
    }
}

/// Writes entries, many at a time.
struct Printer {
    format: Format,
    /// How many rows the array of a search has so far.
    rows: u64,
    page: String,
    host: usize,
    name: usize,
}

impl Printer {
    fn new(cast: &Cast, format: Format) -> Self {
        let mut printer = Self { format, rows: 0, page: String::new(), host: 0, name: 0 };
        cast.sources().iter().for_each(|source| printer.make_room(source));
        printer
    }

    fn make_room(&mut self, source: &Source) {
        self.host = self.host.max(width(source.key.host.as_str()));
        self.name = self.name.max(width(&source.name).min(NAMES));
    }

    /// One line of a search: in JSON, a row of an array.
    fn found(&mut self, cast: &Cast, line: &LogLine) -> Result<(), Failure> {
        if self.format == Format::Json {
            self.page.push_str(if self.rows == 0 { "[\n" } else { ",\n" });
            self.rows += 1;
        }
        self.put(cast, line)?;
        if self.format == Format::Json {
            self.page.truncate(self.page.trim_end().len());
        }
        if self.page.len() > PAGE { self.flush() } else { Ok(()) }
    }

    /// The end of a search.
    fn end_search(&mut self) {
        if self.format == Format::Json {
            self.page.push_str(if self.rows == 0 { "[]\n" } else { "\n]\n" });
        }
    }

    /// One entry of a log that goes on: in JSON, a line.
    fn entry(&mut self, cast: &Cast, entry: &Entry) -> Result<(), Failure> {
        match (entry, self.format) {
            (Entry::Line(line), _) => self.put(cast, line)?,
            (Entry::Marker(marker), Format::Table) => {
                self.page.push_str(&record::text_marker(marker));
                self.page.push('\n');
            }
            (Entry::Marker(marker), Format::Json) => {
                let source = marker.source.as_ref().and_then(|(id, _)| cast.source(*id));
                self.page.push_str(&record::json_marker(marker, source));
                self.page.push('\n');
            }
        }
        if self.page.len() > PAGE { self.flush() } else { Ok(()) }
    }

    fn put(&mut self, cast: &Cast, line: &LogLine) -> Result<(), Failure> {
        let Some(source) = cast.source(line.source) else { return Ok(()) };
        match self.format {
            Format::Table => {
                self.make_room(source);
                let (host, name) = (source.key.host.as_str(), fit(&source.name, self.name));
                let late = if line.late { "‹" } else { "│" };
                let cut = if line.cut { " …" } else { "" };
                let (host_gap, name_gap) = (gap(self.host, host), gap(self.name, &name));
                let text = line.text.plain();
                self.page.push_str(&format!("{} {host}{host_gap} {name}{name_gap} {late} {text}{cut}\n", line.at.clock()));
            }
            Format::Json => {
                self.page.push_str(&record::json(line, source));
                self.page.push('\n');
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.page.is_empty() {
            return Ok(());
        }
        out::print(&std::mem::take(&mut self.page))
    }
}

fn gap(cells: usize, text: &str) -> String {
    " ".repeat(cells.saturating_sub(width(text)))
}

/// How far a search is, on a terminal.
struct Progress {
    shown: bool,
    on: bool,
    last: Option<Instant>,
    total: usize,
    scanned: u64,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self { shown: false, on: std::io::stderr().is_terminal(), last: None, total, scanned: 0 }
    }

    fn tell(&mut self, now: Instant, done: usize, printer: &mut Printer) -> Result<(), Failure> {
        if self.last.is_some_and(|last| now < last + TELL) {
            return Ok(());
        }
        self.last = Some(now);
        self.clear();
        printer.flush()?;
        if self.on && done < self.total {
            eprint!("searched {done} of {} logs, {} lines", self.total, count(self.scanned));
            self.shown = true;
        }
        Ok(())
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::{
        fleet::fixture,
        logs::{LogStream, RawText},
    };

    fn cast() -> Cast {
        let chosen = Selector::parse("service:api env:production").unwrap();
        Cast::start(CastRule::Matching(chosen), &fixture::fleet()).0
    }

    fn line(source: u32, text: &str) -> LogLine {
        let at = Stamp::of(fixture::now());
        let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
        LogLine {
            at,
            source: SourceId(source),
            stream: LogStream::Err,
            level: Some(Level::Warn),
            late: source == 1,
            cut: source == 2,
            text,
        }
    }

    fn printed(format: Format, entries: &[Entry]) -> String {
        let cast = cast();
        let mut printer = Printer::new(&cast, format);
        for entry in entries {
            printer.entry(&cast, entry).unwrap();
        }
        printer.page
    }

    #[test]
    fn a_table_for_people() {
        let cast = cast();
        let lost =
            Marker { at: Stamp::of(fixture::now()), host: "app-04".into(), source: None, kind: MarkerKind::Lost { error: "gone".into() } };
        let entries = [
            Entry::Line(line(0, "slow \u{1b}[31mquery\u{1b}[0m\u{1b}[2J")),
            Entry::Marker(lost),
            Entry::Line(line(1, "late")),
            Entry::Line(line(2, "cut")),
        ];
        let text = printed(Format::Table, &entries);
        let rows: Vec<&str> = text.lines().collect();
        let name = |id: usize| format!("{} {}", cast.sources()[id].key.host, cast.sources()[id].name);
        assert!(rows[0].ends_with(&format!("{} │ slow query␛", name(0))), "{text}");
        assert!(rows[1].starts_with("~~~~ ") && rows[1].ends_with("app-04 lost: gone · its lines are missing from here ~~~~"), "{text}");
        assert!(rows[2].ends_with(&format!("{} ‹ late", name(1))) && rows[3].ends_with("│ cut …"), "{text}");
    }

    #[test]
    fn json_for_programs() {
        let cast = cast();
        let mut printer = Printer::new(&cast, Format::Json);
        printer.found(&cast, &line(0, "a\u{1b}[2J\u{9b}")).unwrap();
        printer.found(&cast, &line(1, "b")).unwrap();
        printer.end_search();
        assert!(!printer.page.chars().any(|c| c.is_control() && c != '\n'), "{}", printer.page);
        let rows: Vec<Value> = serde_json::from_str(&printer.page).unwrap();
        assert_eq!((rows.len(), rows[0]["line"].as_str()), (2, Some("a\u{1b}[2J\u{9b}")));
        let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["container", "host", "level", "line", "service", "stream", "ts"]);
        assert_eq!(
            (rows[1]["service"].as_str(), rows[1]["stream"].as_str(), rows[1]["level"].as_str()),
            (Some("api"), Some("stderr"), Some("warn"))
        );

        let mut empty = Printer::new(&cast, Format::Json);
        empty.end_search();
        assert_eq!(empty.page, "[]\n");
        let followed = printed(Format::Json, &[Entry::Line(line(0, "x")), Entry::Line(line(0, "y"))]);
        assert_eq!(
            followed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].clone()).collect::<Vec<_>>(),
            ["x", "y"]
        );
    }
}
