//! What a copy action puts on the clipboard for a selection.

use super::{panel::Selection, view::View};
use crate::action::Action;

/// The text that `action` copies from `selection`; `None` where there is none.
pub fn copied_text(action: Action, selection: &Selection, view: &View<'_>) -> Option<String> {
    match selection {
        Selection::Nothing | Selection::Group | Selection::Line => None,
        Selection::Service { service, column } => match action {
            Action::SelectionCopyVersion => {
                let cell = view.matrix.row(service)?.cells.get(column.as_ref()?)?;
                cell.versions.first().map(|version| version.version.text.to_string())
            }
            _ => Some(service.to_string()),
        },
        Selection::Event(key) if view.fleet.container(key).is_none() => {
            // Gone, or no container: its own events still say what it was called. A link's events are about the host.
            let event = view.fleet.events().iter().rev().find(|event| event.host == key.host && event.id == key.id)?;
            match (action, key.id.as_str(), &*event.name) {
                (_, "", _) => Some(key.host.to_string()),
                (Action::SelectionCopyId, id, _) | (_, id, "") => Some(id.to_owned()),
                (_, _, name) => Some(name.to_owned()),
            }
        }
        Selection::Container(key) | Selection::Event(key) => match (action, view.fleet.container(key)) {
            (Action::SelectionCopyId, _) => Some(key.id.to_string()),
            (Action::SelectionCopyVersion, container) => container.map(|container| container.version.text.to_string()),
            (_, container) => container.map(|container| container.name.to_string()),
        },
        Selection::Host(host) => Some(host.to_string()),
        Selection::Lane { app, .. } => Some(app.to_string()),
        Selection::Deployment(id) => Some(id.to_string()),
    }
}
