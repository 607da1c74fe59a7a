//! Which deployment a plan is asked for.

use super::Screen;
use crate::{
    action::Action,
    ui::{panel::Selection, screen::Request, view::View},
};

impl Screen {
    pub(super) fn open_sheet(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let _ = (action, selection, view);
        self.say("not yet");
        Vec::new()
    }
}
