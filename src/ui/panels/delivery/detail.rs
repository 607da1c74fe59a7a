//! The lane under the cursor, whole.

use chrono::{DateTime, Local, Utc};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    drift::{self, Odd},
    lane::{self, Lane, commit_line, size_words, span, speed_words, way_back_words},
};
use crate::{
    action::{Action, Context},
    board::lanes::{Behind, Commit, Good, Stop, Try, Way, WayBack},
    delivery::plan::Speed,
    run::journal::State,
    text::{bytes, count, counted},
    ui::{
        frame,
        panels::facts::{self, Fact},
        theme::{Role, Symbol},
        view::View,
    },
};

/// Paints the pane: its title, how many apps are hidden above it, and the facts.
pub(super) fn render(buffer: &mut Buffer, area: Rect, way: &Way, lane: usize, (facts, hidden): (&[Fact], usize), view: &View<'_>) {
    if area.height < 2 {
        return;
    }
    let title = match lane::of(way).into_iter().nth(lane) {
        Some(Lane::Environment(environment)) => format!("{} in {environment}", way.app),
        Some(Lane::Commits) => format!("commits of {}", way.app),
        Some(Lane::Build) | None => format!("newest build of {}", way.app),
    };
    let more = if hidden > 0 { format!(" {} more ", counted(hidden, "app")) } else { String::new() };
    frame::rule(buffer, area, 0, &format!(" {title} "), &more, view);
    facts::render(buffer, area, 1, facts, view);
}

/// Everything that is known of it.
pub(super) fn facts<'o>(way: &Way, lane: usize, odd: impl Fn(&Stop) -> &'o [Odd], view: &View<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(why) = &way.fault {
        facts.push(Fact::new("template", format!("cannot be read: {}", one_line(why))).in_role(Role::StateBad));
    }
    if let Some(why) = &view.board.lanes.unread {
        facts.push(Fact::new("ledger", format!("not read any more: {why}")).in_role(Role::StateBad));
    }
    match lane::of(way).get(lane) {
        Some(Lane::Commits) => of_commits(way, view, &mut facts),
        Some(Lane::Build) | None => of_build(way, view, &mut facts),
        Some(Lane::Environment(environment)) => {
            if let Some(stop) = way.stop(environment) {
                of_stop(way, stop, odd(stop), view, &mut facts);
            }
        }
    }
    facts
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" · ")
}

fn moment(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The key of an action here.
fn key<'v>(action: Action, view: &View<'v>) -> &'v str {
    view.keymap.reverse(action, &[Context::Delivery, Context::Global]).unwrap_or("")
}

fn of_commits(way: &Way, view: &View<'_>, facts: &mut Vec<Fact>) {
    let source = &way.source;
    if let Some(why) = &source.fault {
        facts.push(Fact::new("repository", format!("not reached: {}", one_line(why))).in_role(Role::StateAttention));
    }
    let age = source.at.map(|at| format!("as of {} ago", view.calm_age(at)));
    let least = if source.more { "more than " } else { "" };
    let built = way.build.as_ref().map_or_else(|| "and nothing was built yet".to_owned(), |build| format!("since {}", build.version));
    let text = match (age, source.unbuilt.len()) {
        (None, _) => "not read yet".to_owned(),
        (Some(age), 0) => format!("nothing new {built}, {age}"),
        (Some(age), commits) => {
            format!("{least}{} {built}, {age}: {} builds the newest", counted(commits, "commit"), key(Action::DeliveryBuild, view))
        }
    };
    facts.push(Fact::new("new", text));
    facts.extend(commits(&source.unbuilt, view));
}

fn commits<'c>(commits: &'c [Commit], view: &'c View<'_>) -> impl Iterator<Item = Fact> + 'c {
    let dot = view.theme.symbol(Symbol::Dot);
    commits.iter().map(move |commit| {
        Fact::new("", format!("{} {dot} {} {dot} {}", commit_line(commit), commit.author, view.calm_age(commit.at))).in_role(Role::TextDim)
    })
}

fn of_build(way: &Way, view: &View<'_>, facts: &mut Vec<Fact>) {
    let dot = view.theme.symbol(Symbol::Dot);
    if let Some((at, why)) = &way.failed_build {
        let text = format!("the newest attempt, {} ago: {}", view.calm_age(*at), one_line(why));
        facts.push(Fact::new("failed", text).in_role(Role::StateBad));
    }
    if view.board.lanes.builds.get(&way.app).is_some_and(|build| build.is_under_way()) {
        let text = format!("a build is under way: {} shows how it goes on", key(Action::DeliveryBuild, view));
        facts.push(Fact::new("now", text).in_role(Role::StateProgress));
    }
    let Some(build) = &way.build else {
        let text =
            format!("nothing was built yet, as far as the ledger tells: {} builds the newest commit", key(Action::DeliveryBuild, view));
        facts.push(Fact::new("build", text));
        return;
    };
    let took = build.took.map_or_else(String::new, |took| format!(" {dot} took {}", span(took)));
    facts.push(Fact::new("build", format!("{} {dot} {} {dot} {}{took}", build.version, moment(build.at), build.by)));
    for size in &build.sizes {
        let was = size.growth.and_then(|growth| size.bytes.checked_add_signed(growth.saturating_neg()));
        let beside = match was {
            Some(was) if was != size.bytes => {
                format!("{} {dot} {} now, {} in the build before", size_words(size), bytes(size.bytes), bytes(was))
            }
            Some(_) => format!("{}, as in the build before", size_words(size)),
            None => size_words(size),
        };
        facts.push(Fact::new("image", beside));
    }
}

fn of_stop(way: &Way, stop: &Stop, odd: &[Odd], view: &View<'_>, facts: &mut Vec<Fact>) {
    let dot = view.theme.symbol(Symbol::Dot);
    facts.extend(stop.tries.iter().map(|one| of_try(one, view)));
    if let Some(frozen) = &stop.frozen {
        let since = frozen.since.map_or_else(String::new, |since| format!(" since {} ({})", moment(since), view.calm_age(since)));
        let host = frozen.host.as_ref().map_or_else(String::new, |host| format!(" {dot} told by {host}, another ledger's"));
        let text = format!("by {}{since}: {}{host} {dot} {} thaws it", frozen.who, frozen.why, key(Action::DeliveryFreeze, view));
        facts.push(Fact::new("frozen", text).in_role(Role::StateAttention));
    }
    facts.extend(odd.iter().map(|odd| Fact::new("odd", odd.words()).in_role(Role::StateAttention)));
    match &stop.good {
        Some(good) => facts.extend(of_good(good, view)),
        None => facts.push(Fact::new("good", "nothing was good here yet, as far as the ledger tells")),
    }
    let (words, role) = way_back_words(&stop.way_back, view.theme);
    match &stop.way_back {
        WayBack::Unknown => {}
        WayBack::Nowhere => facts.push(Fact::new("way back", "no release before this one was good here")),
        WayBack::Fault { why, at } => {
            let text = format!("nobody can tell, {} ago: {}", view.calm_age(*at), one_line(why));
            facts.push(Fact::new("way back", text).in_role(Role::StateAttention));
        }
        WayBack::Ready { to, hosts, at, .. } => {
            let slow = hosts.values().any(|speed| hosts.values().next() != Some(speed));
            let by_host: Vec<String> =
                hosts.iter().filter(|(_, speed)| slow || matches!(speed, Speed::Impossible(_))).map(of_host).collect();
            let by_host = if by_host.is_empty() { String::new() } else { format!(" {dot} {}", by_host.join(", ")) };
            let text = format!("{words} to {to}{by_host} {dot} as of {} ago", view.calm_age(*at));
            facts.push(Fact::new("way back", text).in_role(if role == Role::TextDim { Role::Text } else { role }));
        }
    }
    let before = stop.before.as_ref().map_or("the newest build", |before| before.as_str());
    match &stop.behind {
        Behind::Unknown => {}
        Behind::Same if stop.before.is_none() => facts.push(Fact::new("behind", "nothing: it is the newest build")),
        Behind::Same => facts.push(Fact::new("behind", format!("nothing: {before} has the same build"))),
        Behind::Rebuilt => facts.push(Fact::new("behind", format!("{before} has another build of the same commit"))),
        Behind::Ahead(commits) => {
            let text = format!("{} that {before} has not", counted(*commits, "commit"));
            facts.push(Fact::new("ahead", text).in_role(Role::StateAttention));
        }
        Behind::Fault(why) => facts.push(Fact::new("behind", format!("nobody can tell: {}", one_line(why))).in_role(Role::TextDim)),
        Behind::Commits(list, more) => {
            let least = if *more { "more than " } else { "" };
            facts.push(Fact::new("behind", format!("{least}{} that {before} has:", counted(list.len(), "commit"))));
            facts.extend(commits(list, view));
        }
    }
    facts.extend(of_hosts(way, stop, view));
}

fn of_host((host, speed): (&crate::fleet::HostId, &Speed)) -> String {
    match speed {
        Speed::Impossible(why) => format!("{host} impossible: {why}"),
        Speed::Flip | Speed::Recheck | Speed::Start | Speed::Pull => format!("{host} {}", speed_words(speed).0),
    }
}

fn of_try(one: &Try, view: &View<'_>) -> Fact {
    let asked = format!("deployment {}: {}, asked for by {} {} ago", one.deployment, one.release, one.by, view.calm_age(one.asked));
    let why = one.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", one_line(reason)));
    let answer = || format!("{} approves, {} rejects", key(Action::DeliveryApprove, view), key(Action::DeliveryReject, view));
    let run = || format!("{} shows it", key(Action::RunOpen, view));
    match one.state {
        State::Waiting if one.missing() == 0 => {
            let text = format!("{asked}; approved by {}: it begins where its asker waits; {}", one.approved_by.join(", "), run());
            Fact::new("approved", text).in_role(Role::StateAttention)
        }
        State::Waiting => {
            let given = if one.approved_by.is_empty() { String::new() } else { format!(" ({} has)", one.approved_by.join(", ")) };
            let text = format!("{asked}; {} more must say yes, not {}{given}: {}", one.missing(), one.by, answer());
            Fact::new("waits", text).in_role(Role::StateAttention)
        }
        State::Running => match &one.asks {
            Some(question) => Fact::new("asks", format!("{question} {asked}: {}", answer())).in_role(Role::StateAttention),
            None => Fact::new("under way", format!("{asked}: {}", run())).in_role(Role::StateProgress),
        },
        State::Parked => Fact::new("parked", format!("{asked}{why}; {}", run())).in_role(Role::StateAttention),
        State::Failed => Fact::new("failed", format!("{asked}{why}")).in_role(Role::StateBad),
        State::Unwound if one.started.is_none() => Fact::new("rejected", format!("{asked}{why}")).in_role(Role::TextDim),
        State::Unwound => Fact::new("taken back", format!("{asked}{why}")).in_role(Role::StateBad),
        State::Good => Fact::new("good", asked),
    }
}

fn of_good(good: &Good, view: &View<'_>) -> Vec<Fact> {
    let dot = view.theme.symbol(Symbol::Dot);
    let agreed = if good.approved_by.is_empty() { String::new() } else { format!(", approved by {}", good.approved_by.join(", ")) };
    let kind = if good.rollback { "rolled back" } else { "deployed" };
    let took = good.took.map_or_else(String::new, |took| format!(" in {}", span(took)));
    let text = format!(
        "{} {dot} since {} ({}) {dot} deployment {}, {kind} by {}{agreed}{took}",
        good.release,
        moment(good.at),
        view.calm_age(good.at),
        good.deployment,
        good.by
    );
    let mut facts = vec![Fact::new("good", text)];
    if let Some(why) = &good.override_reason {
        facts.push(Fact::new("overridden", format!("a gate was passed over: {why}")).in_role(Role::StateBad));
    }
    if !good.owed.is_empty() {
        let hosts: Vec<&str> = good.owed.iter().map(|host| host.as_str()).collect();
        facts.push(Fact::new("owed", format!("{} did not get it", hosts.join(", "))).in_role(Role::StateAttention));
    }
    if let Some((requests, failed, p99)) = good.proof {
        let slowest = p99.map_or_else(String::new, |p99| format!(" {dot} p99 {p99:.0} ms"));
        let role = if failed > 0 { Role::StateBad } else { Role::Text };
        facts
            .push(Fact::new("proof", format!("{} of {} requests failed meanwhile{slowest}", count(failed), count(requests))).in_role(role));
    }
    facts
}

/// What runs on each host.
fn of_hosts(way: &Way, stop: &Stop, view: &View<'_>) -> Vec<Fact> {
    let mut hosts: Vec<(crate::fleet::HostId, Vec<String>)> = Vec::new();
    for expected in &stop.expected {
        for container in drift::running(&way.app, &stop.environment, &expected.service, view.fleet) {
            let words = format!("{} {}", expected.service, container.version.text);
            match hosts.iter_mut().find(|(host, _)| *host == container.key.host) {
                Some((_, known)) => known.push(words),
                None => hosts.push((container.key.host.clone(), vec![words])),
            }
        }
    }
    hosts.sort();
    let stale = |host: &crate::fleet::HostId| if view.is_stale(host) { view.theme.symbol(Symbol::Stale) } else { "" };
    let line = |(nth, (host, running)): (usize, (crate::fleet::HostId, Vec<String>))| {
        let role = if view.is_stale(&host) { Role::StateStale } else { Role::TextDim };
        Fact::new(if nth == 0 { "runs" } else { "" }, format!("{}{host}: {}", stale(&host), running.join(", "))).in_role(role)
    };
    hosts.into_iter().enumerate().map(line).collect()
}
