//! A line as it leaves the program: a row of text for people, an object for programs. One form for the command line and for exports.

use serde::Serialize;

use super::{Level, LogLine, Marker, Source};
use crate::text::harmless_json;

/// The fields of a line.
#[derive(Serialize)]
struct Row<'a> {
    ts: chrono::DateTime<chrono::Utc>,
    host: &'a str,
    container: Option<&'a str>,
    service: Option<&'a str>,
    stream: &'static str,
    level: Option<&'static str>,
    line: std::borrow::Cow<'a, str>,
}

/// A line as one JSON object: `ts host container service stream level line`. Its text as it came (bytes that are no UTF-8 replaced), yet
/// escaped so that no terminal acts on it.
pub fn json(line: &LogLine, source: &Source) -> String {
    written(&Row {
        ts: line.at.moment(),
        host: source.key.host.as_str(),
        container: Some(&source.name),
        service: Some(source.service.service.as_str()),
        stream: line.stream.word(),
        level: line.level.map(Level::word),
        line: String::from_utf8_lossy(line.text.bytes()),
    })
}

/// A marker in the same form, with `marker` for its stream.
pub fn json_marker(marker: &Marker, source: Option<&Source>) -> String {
    written(&Row {
        ts: marker.at.moment(),
        host: marker.host.as_str(),
        container: marker.source.as_ref().map(|(_, name)| &**name),
        service: source.map(|source| source.service.service.as_str()),
        stream: "marker",
        level: None,
        line: marker.text().into(),
    })
}

fn written(row: &Row<'_>) -> String {
    // A row of texts and a moment is always JSON.
    harmless_json(serde_json::to_string(row).unwrap_or_default())
}

/// A line as a row of text: its moment to the nanosecond, UTC, then whose, then what.
pub fn text(line: &LogLine, source: &Source) -> String {
    let sign = if line.late { "‹" } else { "│" };
    let cut = if line.cut { " …" } else { "" };
    format!("{} {} {} {sign} {}{cut}", line.at, source.key.host, source.name, line.text.plain())
}

/// A marker as a row of text.
pub fn text_marker(marker: &Marker) -> String {
    let sign = if marker.kind.breaks() { "~~~~" } else { "────" };
    format!("{sign} {} {sign}", marker.text())
}
