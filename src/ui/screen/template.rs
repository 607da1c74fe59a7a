//! Which template is looked at.

use super::Screen;
use crate::ui::{panel::Selection, screen::Request, view::View};

impl Screen {
    pub(super) fn open_template(&mut self, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let _ = (selection, view);
        self.say("not yet");
        Vec::new()
    }
}
