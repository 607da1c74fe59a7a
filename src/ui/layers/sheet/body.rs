//! A sheet as lines: what stands in its way first, then what it is, host by host, what it costs, and how it is taken back.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    board::sheet::{Capacity, Commits, Opens, Past, Refusal, Row, Sheet, Silent, span},
    delivery::plan::Speed,
    fleet::{EnvironmentId, HostId},
    text::{counted, width},
    ui::{
        layers::plan_lines::{PlanLine, wrap},
        theme::{Role, Symbol, Theme},
        view::View,
    },
};

/// Cells of the words at the left: `meanwhile` and two.
const WORDS: u16 = 11;

/// Lines with the room they have.
struct Page<'t> {
    theme: &'t Theme,
    cells: usize,
    lines: Vec<PlanLine>,
}

impl<'t> Page<'t> {
    fn new(cells: usize, theme: &'t Theme) -> Self {
        Self { theme, cells, lines: Vec::new() }
    }

    /// Text that takes as many lines as it needs.
    fn text(&mut self, text: &str, role: Role) {
        self.lines.extend(wrap(text, self.cells).into_iter().map(|line| PlanLine::new(0).and(line, role)));
    }

    /// The same behind a sign; more lines stand under the first one's text.
    fn sign(&mut self, symbol: Symbol, text: &str, role: Role) {
        let sign = self.theme.symbol(symbol);
        for (nth, line) in wrap(text, self.cells.saturating_sub(2)).into_iter().enumerate() {
            self.lines.push(match nth {
                0 => PlanLine::new(0).and(format!("{sign} "), role).and(line, role),
                _ => PlanLine::new(2).and(line, role),
            });
        }
    }

    /// The same in the column behind a word.
    fn named(&mut self, word: &str, text: &str, role: Role) {
        for (nth, line) in wrap(text, self.cells.saturating_sub(usize::from(WORDS))).into_iter().enumerate() {
            self.lines.push(match nth {
                0 => PlanLine::new(0).and(padded(word, usize::from(WORDS)), Role::TextDim).and(line, role),
                _ => PlanLine::new(WORDS).and(line, role),
            });
        }
    }

    /// An empty line, unless there is one.
    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(PlanLine::default());
        }
    }

    fn join(&self, parts: &[String]) -> String {
        parts.join(&format!(" {} ", self.theme.symbol(Symbol::Dot)))
    }
}

/// Hosts that are asked now.
pub(super) fn of_hosts(hosts: &[HostId], cells: usize) -> Vec<PlanLine> {
    let names: Vec<_> = hosts.iter().map(HostId::as_str).collect();
    let text = match names.is_empty() {
        true => "planning: reading template and ledger …".to_owned(),
        false => format!("planning: asking {} what runs there …", names.join(", ")),
    };
    wrap(&text, cells).into_iter().map(|line| PlanLine::new(0).and(line, Role::StateProgress)).collect()
}

/// Places to choose one from, each with its digit.
pub(super) fn of_places(environments: &[EnvironmentId], at: usize, view: &View<'_>) -> Vec<PlanLine> {
    let line = |(nth, environment): (usize, &EnvironmentId)| {
        let (sign, role) = if nth == at { (view.theme.symbol(Symbol::Cursor), Role::TextStrong) } else { (" ", Role::Text) };
        PlanLine::new(0).and(format!("{sign} "), Role::Accent).and(format!("{}  ", nth + 1), Role::HintKey).and(environment.as_str(), role)
    };
    environments.iter().enumerate().map(line).collect()
}

/// Why there is no plan, and what helps.
pub(super) fn of_refusal(refusal: &Refusal, silent: &[Silent], cells: usize, view: &View<'_>) -> Vec<PlanLine> {
    let mut page = Page::new(cells, view.theme);
    for (nth, line) in refusal.why.iter().enumerate() {
        match nth {
            0 => page.sign(Symbol::Bad, line, Role::StateBad),
            _ => page.sign(Symbol::Dot, line, Role::Text),
        }
    }
    page.gap();
    hosts_that_are_silent(&mut page, silent);
    page.lines
}

fn hosts_that_are_silent(page: &mut Page<'_>, silent: &[Silent]) {
    for (nth, one) in silent.iter().enumerate() {
        let (key, stale) = (nth + 1, page.theme.symbol(Symbol::Stale));
        let line = PlanLine::new(0).and(format!("{stale} {} ", one.host), Role::StateAttention);
        page.lines.push(match one.left_out {
            true => line
                .and("is left out, and owed this  ", Role::Text)
                .and(key.to_string(), Role::HintKey)
                .and(" takes it in again", Role::HintText),
            false => line
                .and("does not answer  ", Role::Text)
                .and(key.to_string(), Role::HintKey)
                .and(" leaves it out; it is owed this then", Role::HintText),
        });
        for text in wrap(&one.why, page.cells.saturating_sub(2)) {
            page.lines.push(PlanLine::new(2).and(text, Role::TextDim));
        }
    }
}

/// All of a plan.
pub(super) fn of_sheet(sheet: &Sheet, silent: &[Silent], cells: usize, view: &View<'_>) -> Vec<PlanLine> {
    let mut page = Page::new(cells, view.theme);
    in_the_way(&mut page, sheet, silent);
    page.gap();
    what_it_is(&mut page, sheet, view);
    page.gap();
    rows(&mut page, &sheet.rows);
    for job in &sheet.jobs {
        page.text(job, Role::Text);
    }
    page.gap();
    what_it_costs(&mut page, sheet);
    if !sheet.notes.is_empty() {
        page.gap();
    }
    for note in &sheet.notes {
        page.named("note", note, Role::TextDim);
    }
    page.lines
}

/// The worst first.
fn in_the_way(page: &mut Page<'_>, sheet: &Sheet, silent: &[Silent]) {
    if let Some(gate) = &sheet.gate {
        page.sign(Symbol::Bad, &gate.why, Role::StateBad);
        if gate.opens == Opens::Nothing {
            page.sign(Symbol::Dot, "nothing that is said here opens it", Role::TextDim);
        }
    }
    for line in &sheet.acting {
        page.sign(Symbol::Odd, line, Role::StateAttention);
    }
    if let Some(passes) = &sheet.passes {
        page.sign(Symbol::Odd, passes, Role::StateAttention);
    }
    if sheet.approvals > 0 && !sheet.is_nothing {
        let others = counted(sheet.approvals as usize, "approval");
        page.sign(Symbol::Odd, &format!("needs {others} by somebody other than {} before it begins", sheet.asker), Role::StateAttention);
    }
    hosts_that_are_silent(page, silent);
    let others = sheet.out.iter().filter(|(host, _)| silent.iter().all(|one| one.host != *host));
    for (host, why) in others {
        page.sign(Symbol::Stale, &format!("{host}: {why}"), Role::StateAttention);
    }
}

fn what_it_is(page: &mut Page<'_>, sheet: &Sheet, view: &View<'_>) {
    let good = sheet.good.iter().map(|good| format!("good in {} for {}", good.environment, view.calm_age(good.since)));
    let (word, first) = match (sheet.is_nothing, sheet.replaces.is_empty()) {
        (true, _) => ("", "nothing to do: all of it runs".to_owned()),
        (false, true) => ("replaces", "nothing: there is no other release of it".to_owned()),
        (false, false) => ("replaces", sheet.replaces.join(" and ")),
    };
    let text = page.join(&std::iter::once(first).chain(good).collect::<Vec<_>>());
    match word {
        "" => page.text(&text, Role::Text),
        word => page.named(word, &text, Role::Text),
    }
    if let Some(commits) = &sheet.commits {
        page.named(if commits.backwards { "takes back" } else { "brings" }, &of_commits(commits), Role::Text);
    }
    if !sheet.is_nothing {
        page.named("how", &sheet.way, Role::Text);
        page.named("takes", &estimate(&sheet.past), Role::Text);
    }
}

fn of_commits(commits: &Commits) -> String {
    let each: Vec<_> = commits.list.iter().map(|commit| format!("{} ({})", commit.subject, commit.author)).collect();
    let count = match commits.more {
        true => format!("more than {}", counted(commits.list.len(), "commit")),
        false => counted(commits.list.len(), "commit"),
    };
    format!("{count}: {}", each.join(", "))
}

/// How long it takes, by how long it took.
fn estimate(past: &[Past]) -> String {
    let good: Vec<Duration> = past.iter().filter(|one| one.is_good).map(|one| one.took).collect();
    let all_good = good.len() == past.len();
    let each: Vec<_> = past.iter().map(|one| if all_good { span(one.took) } else { format!("{} {}", span(one.took), one.word) }).collect();
    let last = match past.len() {
        0 => return "nobody knows how long: it was never done here before".to_owned(),
        1 => format!("last time {}", each.join("")),
        _ => format!("last {}: {}", counted_word(past.len()), each.join(", ")),
    };
    let tail = match past.len() {
        2 if all_good => ", both good",
        3.. if all_good => ", all good",
        _ => "",
    };
    let mean = u32::try_from(good.len()).ok().and_then(|count| good.iter().sum::<Duration>().checked_div(count));
    match mean {
        // Nobody reads parts of a second in a guess.
        Some(mean) => format!("about {} ({last}{tail})", span(Duration::from_secs(mean.as_secs().max(1)))),
        None => last,
    }
}

fn counted_word(count: usize) -> &'static str {
    if count == 2 { "two" } else { "three" }
}

/// Host by host, in columns.
fn rows(page: &mut Page<'_>, rows: &[Row]) {
    let services: Vec<String> = rows.iter().map(|row| row.services.join(" ")).collect();
    let host_cells = rows.iter().map(|row| width(row.host.as_str())).max().unwrap_or(0);
    let service_cells = services.iter().map(|text| width(text)).max().unwrap_or(0).min(page.cells / 4);
    let odd_sign = page.theme.symbol(Symbol::Odd);
    let requests = rows.iter().filter_map(|row| row.in_flight).map(|count| width(&count.to_string())).max().unwrap_or(0);
    let (indent, mut last) = (host_cells + service_cells + 4, None);
    let mut flight = Some(" requests in flight");
    for (row, services) in rows.iter().zip(&services) {
        // A host's second line needs its name no more.
        let host = if last == Some(&row.host) { "" } else { row.host.as_str() };
        last = Some(&row.host);
        let tail = row.in_flight.map(|count| format!("  {count:>requests$}{}", flight.take().unwrap_or_default()));
        let what = page.join(&row.what);
        let odd = row.odd.as_ref().map(|odd| format!("{odd_sign} was on {odd}"));
        let room = page.cells.saturating_sub(indent + tail.as_deref().map_or(0, width)).max(16);
        let mut words = wrap(&what, room).into_iter();
        let first = words.next().unwrap_or_default();
        let pad = tail.as_ref().map_or(0, |_| room.saturating_sub(width(&first)));
        let mut line = PlanLine::new(0)
            .and(format!("{}  ", padded(host, host_cells)), Role::TextStrong)
            .and(format!("{}  ", padded(services, service_cells)), Role::Text)
            .and(first, Role::Text);
        if let Some(tail) = tail {
            line = line.and(" ".repeat(pad), Role::Text).and(tail, Role::TextDim);
        }
        page.lines.push(line);
        let indent = u16::try_from(indent).unwrap_or(0);
        page.lines.extend(words.map(|text| PlanLine::new(indent).and(text, Role::Text)));
        page.lines.extend(odd.map(|text| PlanLine::new(indent).and(text, Role::StateAttention)));
    }
}

fn padded(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))))
}

fn what_it_costs(page: &mut Page<'_>, sheet: &Sheet) {
    if !sheet.is_nothing {
        let mut parts: Vec<String> = sheet.capacity.iter().map(of_capacity).collect();
        if sheet.acting.is_empty() {
            parts.push("nobody else is acting".to_owned());
        }
        let text = page.join(&parts);
        page.named("meanwhile", &text, Role::Text);
    }
    for line in &sheet.lost {
        page.sign(Symbol::Odd, line, Role::StateAttention);
    }
    if !sheet.stays.is_empty() && !sheet.is_nothing {
        let text = page.join(&sheet.stays);
        page.named("stays", &text, Role::Text);
    }
    for (nth, line) in undo(sheet).iter().enumerate() {
        page.named(if nth == 0 { "undo" } else { "" }, line, Role::Text);
    }
}

fn of_capacity(capacity: &Capacity) -> String {
    let Capacity { service, before, least, after } = capacity;
    match (before, least == before && after == before) {
        (0, _) => format!("{service}: none serve now, then {after}"),
        (_, true) => format!("{service}: all {before} serve"),
        (_, false) if before == after => format!("{service}: {least} of {before} serve"),
        (_, false) => format!("{service}: {least} of {before} serve, then {after}"),
    }
}

/// The way back: hosts with the same speed stand together.
fn undo(sheet: &Sheet) -> Vec<String> {
    let mut by_speed: BTreeMap<&Speed, Vec<&str>> = BTreeMap::new();
    for (host, speed) in &sheet.back {
        by_speed.entry(speed).or_default().push(host.as_str());
    }
    let alone = by_speed.len() == 1;
    let warm = (!sheet.keep_warm.is_zero()).then(|| span(sheet.keep_warm));
    let while_warm = |fast: &str| match &warm {
        Some(warm) => format!("{fast} for {warm}, then the kept ones are started again"),
        None => fast.to_owned(),
    };
    let of = |(speed, hosts): (&Speed, Vec<&str>)| {
        let words = match speed {
            Speed::Flip => while_warm("flip back in under a second"),
            Speed::Recheck => while_warm("flip back after the balancer's check"),
            Speed::Start => "the old ones are kept, and started again".to_owned(),
            Speed::Pull => "the old image is pulled again by its digest".to_owned(),
            Speed::Impossible(why) => format!("there is no way back: {why}"),
        };
        if alone { words } else { format!("on {}: {words}", hosts.join(", ")) }
    };
    by_speed.into_iter().map(of).collect()
}
