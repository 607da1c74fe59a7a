//! (under way)
use crate::{
    action::Action,
    fleet::ContainerKey,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        view::View,
    },
};
use ratatui::{buffer::Buffer, layout::Rect};
/// The panel's own state.
#[derive(Default)]
pub struct Hosts;
impl Panel for Hosts {
    fn id(&self) -> PanelId {
        PanelId::Hosts
    }
    fn subtitle(&self, _: &View<'_>) -> String {
        String::new()
    }
    fn refresh(&mut self, _: Refresh<'_>, _: &View<'_>) {}
    fn selection(&self, _: &View<'_>) -> Selection {
        Selection::Nothing
    }
    fn act(&mut self, _: Action, _: &View<'_>) -> Outcome {
        Outcome::Ignored
    }
    fn click(&mut self, _: u16, _: u16, _: &View<'_>) -> Outcome {
        Outcome::Ignored
    }
    fn render(&mut self, _: &mut Buffer, _: Rect, _: &View<'_>) {}
    fn hints(&self) -> &'static [Action] {
        &[]
    }
    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }
}
