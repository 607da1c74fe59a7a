//! Whom an act is for: the marked rows, else what the cursor is on.

use crate::{
    action::Selected,
    fleet::{Container, ContainerKey, matrix::Column},
    text::counted,
    ui::{
        panel::{Panel, PanelId, Selection},
        view::View,
    },
};

/// The marks count where they are seen; elsewhere the cursor alone says what is meant.
fn marked(panel: &dyn Panel, view: &View<'_>) -> bool {
    panel.id() == PanelId::Containers && !view.marks.is_empty()
}

/// What kind of thing the next act would be about.
pub(super) fn selected(panel: &dyn Panel, view: &View<'_>) -> Selected {
    if marked(panel, view) { Selected::Container } else { panel.selection(view).kind() }
}

/// The containers that the next act would be about. Of a service those that the screen shows: in this column, within the filter.
pub(super) fn targets(panel: &dyn Panel, view: &View<'_>) -> Vec<ContainerKey> {
    if marked(panel, view) {
        return view.marks.iter().cloned().collect();
    }
    match panel.selection(view) {
        Selection::Container(key) => vec![key],
        Selection::Service { service, column } => {
            let in_column = |container: &&Container| match &column {
                Some(Column::Environment(environment)) => container.identity.environment == *environment,
                Some(Column::Host(host)) => container.key.host == *host,
                None => true,
            };
            let in_filter = |container: &&Container| match (view.filter.selector(), view.fleet.host(&container.key.host)) {
                (Some(selector), Some(host)) => selector.matches(container, host),
                (Some(_), None) => false,
                (None, _) => true,
            };
            view.fleet.containers_of(&service).filter(in_column).filter(in_filter).map(|container| container.key.clone()).collect()
        }
        Selection::Nothing
        | Selection::Group
        | Selection::Host(_)
        | Selection::Event(_)
        | Selection::Line
        | Selection::Lane { .. }
        | Selection::Deployment(_) => Vec::new(),
    }
}

/// The same in words: `web-1 on app-04`, `3 marked containers`, `shop/web: 4 containers`.
pub(super) fn subject(panel: &dyn Panel, view: &View<'_>) -> String {
    let targets = targets(panel, view);
    match (targets.as_slice(), panel.selection(view)) {
        ([only], _) => {
            let name = view.fleet.container(only).map_or(only.id.short(), |container| &container.name);
            format!("{name} on {}", only.host)
        }
        (several, _) if marked(panel, view) => format!("{} marked containers", several.len()),
        (several, Selection::Service { service, .. }) => format!("{service}: {}", counted(several.len(), "container")),
        _ => "nothing selected".to_owned(),
    }
}
