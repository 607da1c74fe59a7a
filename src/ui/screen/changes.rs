//! What changed near a selection.

use super::Screen;
use crate::ui::{panel::Selection, screen::Request, view::View};

impl Screen {
    pub(super) fn open_changes(&mut self, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let _ = (selection, view);
        self.say("not yet");
        Vec::new()
    }
}
