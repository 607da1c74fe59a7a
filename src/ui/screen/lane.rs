//! What is done from a lane.

use super::Screen;
use crate::{
    action::Action,
    ui::{panel::Selection, screen::Request, view::View},
};

impl Screen {
    pub(super) fn at_lane(&mut self, action: Action, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        let _ = (action, selection, view);
        self.say("not yet");
        Vec::new()
    }
}
