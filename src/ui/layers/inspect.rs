//! Everything the engine knows about one container, as a foldable document (under way).

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome};
use crate::{
    action::{Action, Answer, Context, RequestId},
    fleet::ContainerKey,
    ui::view::View,
};

/// The open document.
pub struct Inspect {
    request: RequestId,
    key: ContainerKey,
    lines: Vec<String>,
}

impl Inspect {
    /// Opens it empty; the answer to `request` fills it.
    pub fn open(request: RequestId, key: ContainerKey) -> Self {
        Self { request, key, lines: Vec::new() }
    }
}

impl Layer for Inspect {
    fn context(&self) -> Context {
        Context::Inspect
    }
    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        if action == Action::LayerClose { LayerOutcome::Close } else { LayerOutcome::Pass }
    }
    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }
    fn is_full(&self) -> bool {
        true
    }
    fn answer(&mut self, answer: &Answer) {
        if answer.request == self.request {
            self.lines = format!("{:#?}", answer.result).lines().map(str::to_owned).collect();
        }
    }
    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let _ = (&self.key, view);
        for (y, line) in (0..area.height).zip(&self.lines) {
            crate::ui::widgets::Pen::new(buffer, area, y).text(line, ratatui::style::Style::default());
        }
    }
}
