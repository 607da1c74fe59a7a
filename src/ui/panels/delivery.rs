//! The panel *Delivery*.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::Action,
    board::Watch,
    fleet::ContainerKey,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        view::View,
    },
};

/// The panel.
#[derive(Debug, Default)]
pub struct Delivery {}

impl Panel for Delivery {
    fn id(&self) -> PanelId {
        PanelId::Delivery
    }

    fn subtitle(&self, _view: &View<'_>) -> String {
        String::new()
    }

    fn refresh(&mut self, _refresh: Refresh<'_>, _view: &View<'_>) {}

    fn keeps_up(&self) -> bool {
        false
    }

    fn selection(&self, _view: &View<'_>) -> Selection {
        Selection::Nothing
    }

    fn act(&mut self, _action: Action, _view: &View<'_>) -> Outcome {
        Outcome::Ignored
    }

    fn click(&mut self, _x: u16, _y: u16, _view: &View<'_>) -> Outcome {
        Outcome::Ignored
    }

    fn render(&mut self, _buffer: &mut Buffer, _area: Rect, _view: &View<'_>) {}

    fn hints(&self) -> &'static [Action] {
        &[]
    }

    fn visible(&self, _view: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }

    fn watches(&self, _view: &View<'_>) -> Watch {
        Watch::Lanes
    }
}
