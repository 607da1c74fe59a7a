//! What opens above the logs: the lines in which a search or a filter is typed, the form of the time span, the menu of exports, and a line
//! shown whole.

mod export_menu;
mod pattern_line;
mod span_form;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use self::{export_menu::ExportMenu, pattern_line::PatternLine, span_form::SpanForm};
use super::{Layer, inspect::Inspect};
use crate::{
    logs::{Entry, Fields, Level, LogLine, Source},
    ui::view::View,
};

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLayer {
    /// A search in what is held.
    Search,
    /// One more filter, or one less.
    Filter,
    /// A search of the whole logs, on their hosts.
    Hunt,
    /// Since, until, how many; a moment to jump to.
    Span,
    /// Where the lines should be written to.
    Export {
        /// What the screen shows of them, as text.
        on_screen: String,
    },
    /// This line, whole.
    Line(u64),
}

impl LogLayer {
    /// The layer; `None` where there is nothing to open it on.
    pub fn open(self, view: &View<'_>) -> Option<Box<dyn Layer>> {
        let tape = view.logs?;
        Some(match self {
            Self::Search => Box::new(PatternLine::search(tape)),
            Self::Filter => Box::new(PatternLine::filter(tape)),
            Self::Hunt => Box::new(PatternLine::hunt(tape)),
            Self::Span => Box::new(SpanForm::open(tape)),
            Self::Export { on_screen } => Box::new(ExportMenu::open(tape, on_screen)),
            Self::Line(number) => match tape.shelf().ring().get(number)? {
                Entry::Line(line) => {
                    let source = tape.source(line.source)?;
                    let heading = format!("{} {} · {}", source.key.host, source.name, line.at);
                    Box::new(Inspect::document(source.key.clone(), heading, &document(line, source)))
                }
                // A marker says all it has to say.
                Entry::Marker(_) => return None,
            },
        })
    }
}

/// A line with all that is known of it; a structured one with its fields as they nest.
fn document(line: &LogLine, source: &Source) -> Value {
    let mut document = json!({
        "text": line.text.plain(),
        "time": line.at.to_string(),
        "host": source.key.host.as_str(),
        "container": &*source.name,
        "service": source.service.to_string(),
        "version": &*source.version,
        "stream": line.stream.word(),
        "level": line.level.map(Level::word),
    });
    let bytes = line.text.bytes();
    let fields = match serde_json::from_slice::<Map<String, Value>>(bytes) {
        Ok(object) => Some(Value::Object(object)),
        Err(_) => Fields::parse(bytes).map(|fields| {
            let level = fields.level.map(|level| ("level".to_owned(), level.word().into()));
            let message = fields.message.map(|message| ("message".to_owned(), message.into()));
            let rest = fields.rest.into_iter().map(|(key, value)| (key, Value::String(value)));
            Value::Object(level.into_iter().chain(message).chain(rest).collect())
        }),
    };
    if let (Some(fields), Some(document)) = (fields, document.as_object_mut()) {
        document.insert(super::inspect::LINE_FIELDS.to_owned(), fields);
    }
    document
}
