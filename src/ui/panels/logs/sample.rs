//! A stream for tests of the screen: four sources of one service, every kind of line and marker.

use bytes::Bytes;
use chrono::TimeDelta;

use crate::{
    fleet::{Health, fixture},
    logs::{CastRule, Entry, Level, LogLine, LogStream, Marker, MarkerKind, RawText, SourceId, Span, Stamp, Standing, Tape},
};

/// A line of a source, so many milliseconds before the fixture's now.
pub fn line(ago: i64, source: u32, level: Option<Level>, text: &str) -> Entry {
    let at = Stamp::of(fixture::now() - TimeDelta::milliseconds(ago));
    let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
    let stream = if level >= Some(Level::Error) { LogStream::Err } else { LogStream::Out };
    Entry::Line(LogLine { at, source: SourceId(source), stream, level, late: false, cut: false, text })
}

fn marker(ago: i64, host: &str, source: Option<u32>, kind: MarkerKind) -> Entry {
    let at = Stamp::of(fixture::now() - TimeDelta::milliseconds(ago));
    Entry::Marker(Marker { at, host: host.into(), source: source.map(|id| (SourceId(id), "api-1".into())), kind })
}

/// shop/api in production, with nothing in it yet.
pub fn empty() -> Tape {
    let fleet = fixture::fleet();
    let api = fleet.containers().find(|container| container.identity.service.to_string() == "shop/api").unwrap();
    let rule = CastRule::Service { service: api.identity.service.clone(), environment: Some(Some("production".into())) };
    let (mut tape, _) = Tape::follow(1, rule, "shop/api in production".to_owned(), Span::default(), &fleet);
    (0..4).for_each(|id| {
        tape.set_standing(SourceId(id), Standing::Reading);
    });
    tape
}

/// The same with everything that can stand in a stream.
pub fn full() -> Tape {
    let mut tape = empty();
    for n in 0..30 {
        tape.push(line(60_000 - n * 100, (n % 4) as u32, Some(Level::Info), &format!("INFO  order {} accepted", 8000 + n)));
    }
    let late = match line(1_500, 2, Some(Level::Info), "INFO  this one came late") {
        Entry::Line(line) => Entry::Line(LogLine { late: true, ..line }),
        marker => marker,
    };
    let entries = [
        line(1_886, 0, Some(Level::Info), "INFO  order 8123 accepted"),
        line(1_880, 3, Some(Level::Error), "ERROR order 8124 failed: db timeout after 3000 ms"),
        marker(
            1_800,
            "app-07",
            Some(3),
            MarkerKind::Replaced { from: "1.0.1-19-04bd1c9".into(), to: "1.0.1-22-7e56158".into(), elsewhere: None },
        ),
        line(1_700, 3, None, "listening on :80"),
        line(1_650, 1, Some(Level::Warn), r#"{"level":"warn","msg":"order 8125 is slow","ms":3000,"path":"/api/orders/7"}"#),
        line(1_600, 1, Some(Level::Debug), "DEBUG \u{1b}[32mgreen\u{1b}[0m and \u{1b}[2J harmless \u{202e}too"),
        late,
        line(1_400, 0, Some(Level::Info), &format!("INFO  {}", "a long line that goes on and on ".repeat(12))),
        line(1_300, 0, None, &"x".repeat(40_000)),
        marker(1_200, "app-05", None, MarkerKind::Lost { error: "connection timed out".into() }),
        marker(1_100, "app-04", Some(0), MarkerKind::OutOfMemory),
        marker(1_050, "app-04", Some(0), MarkerKind::Health(Health::Unhealthy)),
        line(1_000, 2, Some(Level::Info), "INFO  GET /cart/日本語 200 12 ms"),
    ];
    entries.into_iter().for_each(|entry| tape.push(entry));
    while !tape.shelf_mut().work(1 << 20) {}
    tape
}
