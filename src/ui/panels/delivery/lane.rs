//! What a lane says, line by line, the most important first.

use chrono::TimeDelta;

use super::drift::Odd;
use crate::{
    board::lanes::{Behind, Build, Commit, Estimate, Good, Size, Source, Stop, Try, Way, WayBack},
    delivery::plan::Speed,
    fleet::EnvironmentId,
    run::journal::State,
    text::{bytes, count, counted},
    ui::{
        theme::{Role, Symbol, Theme},
        view::View,
    },
};

/// So long a gate that was passed over is called to mind.
const OVERRIDE: TimeDelta = TimeDelta::hours(24);

/// A lane of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Lane {
    /// What is not built.
    Commits,
    /// The newest build.
    Build,
    /// Where it runs.
    Environment(EnvironmentId),
}

/// The lanes of an app, from left to right.
pub(super) fn of(way: &Way) -> Vec<Lane> {
    let stops = way.stops.iter().map(|stop| Lane::Environment(stop.environment.clone()));
    [Lane::Commits, Lane::Build].into_iter().chain(stops).collect()
}

/// One line of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub sign: Option<(Symbol, Role)>,
    pub text: String,
    /// The same where the text has no room.
    pub short: Option<String>,
    pub role: Role,
    /// Where there is no room, the highest goes first.
    pub rank: u8,
}

impl Line {
    fn new(rank: u8, text: impl Into<String>) -> Self {
        Self { sign: None, text: text.into(), short: None, role: Role::TextDim, rank }
    }

    fn or(self, short: impl Into<String>) -> Self {
        Self { short: Some(short.into()), ..self }
    }

    fn of(self, role: Role) -> Self {
        Self { role, ..self }
    }

    fn with(self, symbol: Symbol, role: Role) -> Self {
        Self { sign: Some((symbol, role)), role, ..self }
    }
}

/// What the first lane says.
pub(super) fn commits(source: &Source, view: &View<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    if source.fault.is_some() {
        let age = source.at.map(|at| view.calm_age(at));
        let long = age.as_ref().map_or_else(|| "not read".to_owned(), |age| format!("as of {age}"));
        lines.push(Line::new(0, long).or(age.unwrap_or_else(|| "not read".to_owned())).with(Symbol::Stale, Role::StateAttention));
    }
    match (source.at, source.unbuilt.len(), source.more) {
        (None, ..) if source.fault.is_none() => lines.push(Line::new(0, "being read")),
        (None, ..) => {}
        (Some(_), 0, _) => lines.push(Line::new(0, "all built")),
        (Some(_), count, more) => {
            let least = if more { "+" } else { "" };
            lines.push(Line::new(0, format!("{count}{least} new")).of(Role::Text));
            lines.extend(source.unbuilt.iter().map(|commit| Line::new(3, commit_line(commit))));
        }
    }
    lines
}

/// `c04aa17 faster cart`.
pub(super) fn commit_line(commit: &Commit) -> String {
    format!("{} {}", commit.sha, commit.subject)
}

/// What the second lane says.
pub(super) fn build(way: &Way, view: &View<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    match &way.build {
        Some(build) => lines.push(Line::new(0, build.version.to_string()).of(Role::Text)),
        None => lines.push(Line::new(0, "nothing built yet")),
    }
    let ours = view.board.lanes.builds.get(&way.app);
    if ours.is_some_and(|build| build.is_under_way()) {
        lines.push(Line::new(0, "being built").with(Symbol::Progress, Role::StateProgress));
    } else if let Some((at, _)) = &way.failed_build {
        lines.push(Line::new(0, format!("failed {} ago", view.calm_age(*at))).with(Symbol::Bad, Role::StateBad));
    }
    if let Some(build) = &way.build {
        lines.push(built(build, view));
        // What weighs what it did is no news.
        let grown = build.sizes.iter().filter(|size| size.growth != Some(0));
        lines.extend(grown.map(|size| Line::new(4, size_words(size))));
    }
    lines
}

fn built(build: &Build, view: &View<'_>) -> Line {
    let dot = view.theme.symbol(Symbol::Dot);
    let took = build.took.map_or_else(String::new, |took| format!(" {dot} {}", span(took)));
    Line { sign: Some((Symbol::Done, Role::TextDim)), ..Line::new(2, format!("{} {}{took}", view.calm_age(build.at), build.by)) }
}

/// `web +0.2 MB`, `web 12.1 MB` where it did not grow.
pub(super) fn size_words(size: &Size) -> String {
    match size.growth {
        Some(growth) if growth > 0 => format!("{} +{}", size.image, bytes(growth.unsigned_abs())),
        Some(growth) if growth < 0 => format!("{} -{}", size.image, bytes(growth.unsigned_abs())),
        Some(_) | None => format!("{} {}", size.image, bytes(size.bytes)),
    }
}

/// What the lane of an environment says.
pub(super) fn stop(stop: &Stop, odd: &[Odd], view: &View<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    match &stop.good {
        Some(good) => lines.push(Line::new(0, good.release.version.to_string()).of(Role::Text)),
        None => lines.push(Line::new(0, "nothing good yet")),
    }
    if let [first, rest @ ..] = odd {
        let more = if rest.is_empty() { String::new() } else { format!(" +{}", rest.len()) };
        let what = first.runs.as_deref().unwrap_or("runs none");
        lines.push(Line::new(0, format!("{}{more} {what}", first.host)).with(Symbol::Odd, Role::StateAttention));
    }
    lines.extend(stop.tries.iter().map(|one| attempt(one, view)));
    if let Some(frozen) = &stop.frozen {
        lines.push(
            Line::new(0, format!("frozen {}: {}", frozen.who, frozen.why))
                .or(format!("frozen {}", frozen.who))
                .with(Symbol::Odd, Role::StateAttention),
        );
    }
    if let Some(good) = &stop.good {
        if let Some(why) = good.override_reason.as_ref().filter(|_| view.now - good.at < OVERRIDE) {
            lines.push(Line::new(1, format!("overridden: {why}")).or("overridden").with(Symbol::Bad, Role::StateBad));
        }
        lines.push(standing(good, view));
    }
    lines.extend(behind(&stop.behind));
    lines.extend(stop.good.as_ref().and_then(|good| good.proof).map(|(requests, failed, _)| {
        let line = Line::new(5, format!("{} of {} failed", count(failed), count(requests))).or(format!(
            "{}/{} failed",
            count(failed),
            count(requests)
        ));
        if failed > 0 { line.with(Symbol::Bad, Role::StateBad) } else { line }
    }));
    if stop.good.is_some() {
        lines.push(way_back(&stop.way_back, view.theme));
    }
    lines
}

/// `✔ 3d 4h ana · bo said yes`: since when it is good there, who asked, who agreed.
fn standing(good: &Good, view: &View<'_>) -> Line {
    let dot = view.theme.symbol(Symbol::Dot);
    let agreed = match good.approved_by.as_slice() {
        [] => String::new(),
        names => format!(" {dot} approved {}", names.join(", ")),
    };
    let back = if good.rollback { format!(" {dot} rolled back") } else { String::new() };
    let text = format!("{} {}{agreed}{back}", view.calm_age(good.at), good.by);
    Line { sign: Some((Symbol::Done, Role::TextDim)), ..Line::new(2, text) }
}

/// A deployment that is not good, or not yet: `◐ 45 waits for 1 yes`.
fn attempt(one: &Try, view: &View<'_>) -> Line {
    let number = one.deployment.number;
    let age = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or_else(String::new, |at| format!(" {}", view.calm_age(at)));
    match one.state {
        State::Waiting if one.missing() == 0 => Line::new(0, format!("{number} approved, not begun"))
            .or(format!("{number} approved"))
            .with(Symbol::Progress, Role::StateAttention),
        State::Waiting => {
            let yes = if one.missing() == 1 { "a yes".to_owned() } else { format!("{} yes", one.missing()) };
            Line::new(0, format!("{number} waits for {yes}")).or(format!("{number} waits")).with(Symbol::Progress, Role::StateAttention)
        }
        State::Running if one.asks.is_some() => {
            Line::new(0, format!("{number} asks for a yes")).or(format!("{number} asks")).with(Symbol::Progress, Role::StateAttention)
        }
        State::Running => Line::new(0, format!("{number} under way{}", age(one.started)))
            .or(format!("{number} under way"))
            .with(Symbol::Progress, Role::StateProgress),
        State::Parked => Line::new(0, format!("{number} parked{}", age(one.started))).with(Symbol::Bad, Role::StateAttention),
        State::Failed => Line::new(0, format!("{number} failed{}", age(one.finished))).with(Symbol::Bad, Role::StateBad),
        // Nothing of it was begun: somebody said no.
        State::Unwound if one.started.is_none() => {
            Line::new(2, format!("{number} rejected{}", age(one.finished))).with(Symbol::Odd, Role::TextDim)
        }
        State::Unwound => Line::new(0, format!("{number} taken back{}", age(one.finished)))
            .or(format!("{number} taken back"))
            .with(Symbol::Bad, Role::StateBad),
        State::Good => Line::new(2, format!("{number} good{}", age(one.finished))),
    }
}

fn behind(behind: &Behind) -> Option<Line> {
    Some(match behind {
        Behind::Unknown | Behind::Same => return None,
        Behind::Commits(commits, more) => {
            let least = if *more { "more than " } else { "" };
            let short = format!("{}{} behind", commits.len(), if *more { "+" } else { "" });
            Line::new(4, format!("{least}{} behind", counted(commits.len(), "commit"))).or(short)
        }
        Behind::Ahead(commits) => Line::new(4, format!("{} ahead", counted(*commits, "commit")))
            .or(format!("{commits} ahead"))
            .with(Symbol::Odd, Role::StateAttention),
        Behind::Rebuilt => Line::new(4, "another build of it").or("another build"),
        Behind::Fault(_) => Line::new(4, "how far behind: unknown").or("unknown").with(Symbol::Stale, Role::TextDim),
    })
}

/// The readiness light: `⟲ flip < 1 s`.
fn way_back(way_back: &WayBack, theme: &Theme) -> Line {
    let (words, role) = way_back_words(way_back, theme);
    let short = words.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Line::new(1, words).or(short).of(role)
}

/// How fast one would be back, with its sign and its role.
pub(super) fn way_back_words(way_back: &WayBack, theme: &Theme) -> (String, Role) {
    let sign = if theme.is_ascii() { "<<" } else { "⟲" };
    match way_back {
        WayBack::Unknown => (format!("{sign} being read"), Role::TextDim),
        WayBack::Nowhere => (format!("{sign} nothing to go back to"), Role::TextDim),
        WayBack::Fault { .. } => (format!("{sign} unknown"), Role::StateAttention),
        WayBack::Ready { speed, estimate, .. } => {
            let (word, role) = speed_words(speed);
            let most = if theme.is_ascii() { "<=" } else { "≤" };
            let time = match (speed, estimate) {
                (Speed::Impossible(_), _) | (_, Estimate::Unknown) => String::new(),
                (_, Estimate::Moment) => " < 1 s".to_owned(),
                (_, Estimate::AsBefore(took)) => format!(" {}", span(*took)),
                (_, Estimate::AtMost(took)) => format!(" {most} {}", span(*took)),
            };
            (format!("{sign} {word}{time}"), role)
        }
    }
}

/// How fast a host is, in a word.
pub(super) fn speed_words(speed: &Speed) -> (&'static str, Role) {
    match speed {
        Speed::Flip => ("flip", Role::TextDim),
        Speed::Recheck => ("flip after a check", Role::TextDim),
        Speed::Start => ("start", Role::TextDim),
        Speed::Pull => ("pull", Role::StateAttention),
        Speed::Impossible(_) => ("impossible", Role::StateBad),
    }
}

/// `38 s`, `1m 10s`: how long something took.
pub(in crate::ui) fn span(span: std::time::Duration) -> String {
    match span.as_secs() {
        0 => "< 1 s".to_owned(),
        secs if secs < 60 => format!("{secs} s"),
        secs if secs < 3600 => format!("{}m {}s", secs / 60, secs % 60),
        secs => format!("{}h {}m", secs / 3600, secs % 3600 / 60),
    }
}
