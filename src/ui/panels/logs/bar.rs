//! What the stream is and how it stands: the words in the title line, and the lines below the rows where there is something to say.

use ratatui::{buffer::Buffer, layout::Rect};

use super::window::Window;
use crate::{
    logs::{Hunt, Standing, Tape, search::Term},
    text::{count, counted, width},
    ui::{
        theme::{Role, Symbol, Theme},
        view::View,
        widgets::Pen,
    },
};

/// So many rows at most tell how far a search is.
const PROGRESS: usize = 5;

/// `shop/api in production · 4 sources · live · 31 lines/s`
pub fn heading(tape: &Tape, theme: &Theme) -> String {
    let dot = theme.symbol(Symbol::Dot);
    if let Some(hunt) = tape.as_hunt() {
        let total = hunt.total();
        let state = match (hunt.over, total.done) {
            (true, _) => counted(total.logs, "log"),
            (false, done) => format!("{done} of {} logs", total.logs),
        };
        let (scanned, found) = (count(total.scanned), count(total.found));
        return format!("search /{}/ in {} {dot} {state} {dot} {scanned} lines {dot} {found} found", hunt.pattern, tape.title());
    }
    let rate = match tape.rate() {
        0 => String::new(),
        rate => format!(" {dot} {} lines/s", count(rate)),
    };
    format!("{} {dot} {} {dot} {}{rate}", tape.title(), counted(tape.sources(), "source"), state(tape))
}

fn state(tape: &Tape) -> String {
    let sources = tape.sources();
    let not_live = [
        (Standing::Broken, "interrupted"),
        (Standing::Failed, "unreadable"),
        (Standing::Queued, "waiting for their turn"),
        (Standing::Asked, "asked"),
    ];
    let told = not_live.into_iter().find(|(standing, _)| tape.count(*standing) > 0);
    match told {
        Some((standing, word)) if tape.count(standing) == sources => word.to_owned(),
        Some((standing, word)) => format!("{} of {sources} {word}", tape.count(standing)),
        None if sources == 0 => "ended".to_owned(),
        None if tape.count(Standing::Waiting) == sources => "not running".to_owned(),
        None if tape.span().until.is_some() => "up to a time".to_owned(),
        None => "live".to_owned(),
    }
}

/// `level ≥ warn · include order · 128 matches`
pub fn aside(tape: &Tape, theme: &Theme) -> String {
    let shelf = tape.shelf();
    let mut words: Vec<String> = Vec::new();
    if let Some(level) = shelf.filter().level() {
        words.push(format!("level {} {level}", if theme.is_ascii() { ">=" } else { "≥" }));
    }
    let terms = shelf.filter().terms();
    match terms {
        [] => {}
        [term] => words.push(term_words(term)),
        [first, rest @ ..] => words.push(format!("{} +{}", term_words(first), rest.len())),
    }
    if let Some(search) = shelf.search().filter(|_| tape.as_hunt().is_none()) {
        let more = if shelf.is_settled() { "" } else { "+" };
        words.push(format!("{}{more} matches", count(search.found().len() as u64)));
    }
    match words.is_empty() {
        true => String::new(),
        false => format!(" {} ", words.join(&format!(" {} ", theme.symbol(Symbol::Dot)))),
    }
}

/// `include order`, cut to a length that leaves room for others.
pub fn term_words(term: &Term) -> String {
    let (verb, regex) = match term {
        Term::Include(regex) => ("include", regex),
        Term::Exclude(regex) => ("exclude", regex),
    };
    let pattern = crate::text::clean_line(regex.as_str());
    format!("{verb} {}", crate::text::fit(&pattern, 24))
}

/// Why no line is shown.
pub fn nothing_to_see(tape: &Tape) -> String {
    let shelf = tape.shelf();
    match tape.as_hunt() {
        Some(hunt) if !hunt.over => "searching …".to_owned(),
        Some(hunt) => format!("nothing matches {:?}", hunt.pattern),
        None if !shelf.ring().is_empty() && shelf.is_settled() => {
            format!("none of the {} lines passes the filters", count(shelf.ring().len() as u64))
        }
        None if !shelf.ring().is_empty() => "filtering …".to_owned(),
        None if tape.cast().sources().is_empty() => "nothing matches: what is started later will be read".to_owned(),
        None => "no line yet".to_owned(),
    }
}

/// How many rows the foot of the panel takes.
pub fn rows(tape: &Tape, window: &Window, area: Rect) -> u16 {
    let progress = tape.as_hunt().map_or(0, |hunt| progress_rows(hunt, area.width).len());
    let told = usize::from(!notices(tape, window).is_empty());
    u16::try_from(progress + told).unwrap_or(0).min(area.height / 2)
}

/// Paints them.
pub fn render(buffer: &mut Buffer, area: Rect, tape: &Tape, window: &Window, view: &View<'_>) {
    let theme = view.theme;
    let mut row = 0;
    let notices = notices(tape, window);
    if !notices.is_empty() {
        let mut pen = Pen::new(buffer, area, row);
        pen.skip(1);
        for (nth, (role, words)) in notices.iter().enumerate() {
            if nth > 0 {
                pen.skip(1).text(theme.symbol(Symbol::Dot), theme.style(Role::TextDim)).skip(1);
            }
            pen.text(words, theme.style(*role));
        }
        row += 1;
    }
    for line in tape.as_hunt().map(|hunt| progress_rows(hunt, area.width)).unwrap_or_default() {
        Pen::new(buffer, area, row).skip(1).text(&line, theme.style(Role::TextDim));
        row += 1;
    }
}

fn notices(tape: &Tape, window: &Window) -> Vec<(Role, String)> {
    let shelf = tape.shelf();
    let mut told = Vec::new();
    let waiting = count(window.waiting(shelf) as u64);
    match (window.is_paused(), window.waiting(shelf)) {
        (true, 0) => told.push((Role::StateAttention, "paused".to_owned())),
        (true, _) => told.push((Role::StateAttention, format!("paused: {waiting} lines wait"))),
        (false, 0) => {}
        (false, _) => told.push((Role::Accent, format!("{waiting} newer lines below"))),
    }
    if shelf.must_wait() {
        told.push((Role::StateAttention, "the memory for them is full: the engines keep what follows".to_owned()));
    }
    if shelf.ring().dropped() > 0 {
        told.push((Role::TextDim, format!("{} oldest lines made room", count(shelf.ring().dropped()))));
    }
    if let Some(hunt) = tape.as_hunt().filter(|hunt| !hunt.missing.is_empty()) {
        let place = if hunt.over { ": listed below what was found" } else { "" };
        told.push((Role::StateAttention, format!("{} not searched{place}", count(hunt.missing.len() as u64))));
    }
    told
}

/// `app-01 2/3 120,000 lines 4 found`, as many in a row as fit, while the search runs.
fn progress_rows(hunt: &Hunt, columns: u16) -> Vec<String> {
    if hunt.over {
        return Vec::new();
    }
    let widest = hunt.hosts.keys().map(|host| width(host.as_str())).max().unwrap_or(0).min(24);
    let cell = widest + 36;
    let in_a_row = (usize::from(columns) / cell).max(1);
    let cells: Vec<String> = hunt
        .hosts
        .iter()
        .filter(|(_, progress)| progress.done < progress.logs)
        .map(|(host, progress)| {
            let name = crate::text::fit(host.as_str(), widest);
            let words = format!("{}/{}  {} lines  {} found", progress.done, progress.logs, count(progress.scanned), count(progress.found));
            format!("{name}{}  {words:<32}", " ".repeat(widest.saturating_sub(width(&name))))
        })
        .collect();
    let mut rows: Vec<String> = cells.chunks(in_a_row).map(|row| row.join("  ").trim_end().to_owned()).collect();
    if rows.len() > PROGRESS {
        let shown = in_a_row * (PROGRESS - 1);
        rows.truncate(PROGRESS - 1);
        rows.push(format!("… and {} more hosts", cells.len() - shown));
    }
    rows
}
