//! Which deployment is looked at.

use super::Screen;
use crate::{
    board::run::Brief,
    ui::{layers::run::RunLayer, panel::Selection, screen::Request, view::View},
};

impl Screen {
    /// The one that the cursor is on; else the one that is under way there, or anywhere. With several, a menu.
    pub(super) fn open_run(&mut self, selection: &Selection, view: &View<'_>) -> Vec<Request> {
        if let Selection::Deployment(id) = selection {
            self.layers.push(Box::new(RunLayer::open(id.clone())));
            return Vec::new();
        }
        let briefs = view.board.run.briefs();
        let is_there = |brief: &&Brief| match selection {
            Selection::Lane { app, environment } => {
                brief.app == *app && environment.as_ref().is_none_or(|environment| brief.environment == *environment)
            }
            _ => false,
        };
        let there: Vec<&Brief> = briefs.iter().filter(is_there).collect();
        let all = if there.is_empty() { briefs.iter().collect() } else { there };
        match &*all {
            [] => self.say("no deployment is under way"),
            [one] => self.layers.push(Box::new(RunLayer::open(one.id.clone()))),
            several => self.layers.push(Box::new(RunLayer::choose(several.iter().map(|brief| brief.id.clone()).collect()))),
        }
        Vec::new()
    }
}
