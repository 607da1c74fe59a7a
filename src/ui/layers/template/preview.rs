//! The third stage: the lines of the template that change, and what the configuration-only release of it would do. `y` writes it.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::around;
use crate::{
    action::{Action, Context},
    board::edit::{DiffLine, Draft, Home, LineKind, Written, diff},
    ui::{
        frame,
        layers::plan_lines::wrap,
        panel::Selection,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// What the preview made of an input.
pub(super) enum Said {
    Stay,
    Say(String),
    /// To the form again.
    Back,
    /// It is done: to the template as it reads now.
    Leave,
    /// Write it.
    Write(Arc<Draft>),
    /// Show the plan of the release, to start it.
    Apply(Selection),
}

/// A change that is shown.
pub(super) struct Preview {
    draft: Arc<Draft>,
    diff: Vec<DiffLine>,
    /// It was told to be written: once.
    sent: bool,
    offset: usize,
    page: usize,
    length: usize,
}

impl Preview {
    pub(super) fn of(draft: Arc<Draft>) -> Self {
        let diff = diff(&draft.reading.file, &draft.reading.text, &draft.text);
        Self { draft, diff, sent: false, offset: 0, page: 1, length: 0 }
    }

    pub(super) fn act(&mut self, action: Action, view: &View<'_>) -> Option<Said> {
        if let Some(by) = action.list_step(self.page) {
            self.offset = self.offset.saturating_add_signed(by).min(self.length.saturating_sub(self.page));
            return Some(Said::Stay);
        }
        let written = view.board.edit.written(&self.draft);
        Some(match (action, written) {
            (Action::LayerClose, Some(Ok(_))) => Said::Leave,
            (Action::LayerClose, None) if self.sent => Said::Say("it is being written".to_owned()),
            (Action::LayerClose, Some(Err(_)) | None) => Said::Back,
            (Action::SelectionOpen, Some(Ok(Written::File(_)))) => {
                Said::Apply(Selection::Lane { app: self.draft.reading.app.clone(), environment: Some(self.draft.environment.clone()) })
            }
            (Action::SelectionOpen, Some(Ok(_))) => Said::Leave,
            // The key that opened this may still be held: it must not answer.
            (Action::SelectionOpen, Some(Err(_)) | None) => Said::Say("y writes it".to_owned()),
            _ => return None,
        })
    }

    pub(super) fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> Said {
        let is_planned = view.board.edit.preview(&self.draft).is_some();
        match event.code {
            KeyCode::Char('y') if self.sent => Said::Stay,
            KeyCode::Char('y') if !is_planned => Said::Say("the plan is still being made".to_owned()),
            KeyCode::Char('y') => {
                self.sent = true;
                Said::Write(Arc::clone(&self.draft))
            }
            KeyCode::Char('n' | 'q') if !self.sent => Said::Back,
            _ => Said::Stay,
        }
    }

    pub(super) fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let written = view.board.edit.written(&self.draft);
        let hints: &[(Action, &str)] = match written {
            Some(Ok(Written::File(_))) => &[(Action::SelectionOpen, "plan of the release"), (Action::LayerClose, "back to the template")],
            Some(Ok(Written::Branch { .. } | Written::Patch { .. })) => &[(Action::LayerClose, "back to the template")],
            Some(Err(_)) | None => &[(Action::LayerClose, "back to the form, nothing written")],
        };
        let Draft { reading, environment, service, .. } = &*self.draft;
        let title = format!("Change {} of {service} in {environment} {} {}", self.draft.names(), theme.symbol(Symbol::Dot), reading.app);
        let body = around(buffer, area, view, (&title, ""), Context::Confirm, hints);
        let cells = usize::from(body.width).saturating_sub(4);
        let status = self.status(view);
        let status: Vec<String> = wrap(&status.0, cells.saturating_sub(2)).into_iter().take(3).collect();
        let rows = u16::try_from(status.len()).unwrap_or(1).min(body.height.saturating_sub(1));
        let list = Rect { height: body.height - rows - u16::from(body.height > rows + 1), ..body };
        let lines = self.lines(view, cells);
        self.length = lines.len();
        self.page = usize::from(list.height).max(1);
        self.offset = self.offset.min(self.length.saturating_sub(self.page));
        for (row, line) in (0..list.height).zip(lines.iter().skip(self.offset)) {
            line.paint(buffer, list, row, view);
        }
        let (_, symbol, role) = self.status(view);
        for (row, text) in status.iter().take(usize::from(rows)).enumerate() {
            let y = body.bottom() - rows + u16::try_from(row).unwrap_or(0);
            let mut pen = Pen::new(buffer, Rect { y, height: 1, ..body }, 0);
            pen.skip(1);
            if let Some(symbol) = symbol.filter(|_| row == 0) {
                pen.text(theme.symbol(symbol), theme.style(role));
            } else if row == 0 && written.is_none() && !self.sent {
                pen.text("y", theme.style(Role::HintKey));
            }
            pen.to(body.x + 3).text(text, theme.style(if role == Role::StateBad { Role::StateBad } else { Role::Text }));
        }
        let hidden = self.length.saturating_sub(self.offset + self.page);
        if hidden > 0 {
            Pen::new(buffer, Rect { y: list.bottom(), height: 1, ..body }, 0)
                .right(&format!("{hidden} lines more below "), theme.style(Role::StateAttention));
        }
    }

    /// Where it stands: what `y` does, or what came of it.
    fn status(&self, view: &View<'_>) -> (String, Option<Symbol>, Role) {
        let board = &view.board.edit;
        match (board.written(&self.draft), board.preview(&self.draft)) {
            (Some(Ok(written @ Written::File(_))), _) => {
                (format!("{written}; it holds with the next release"), Some(Symbol::Done), Role::StateDone)
            }
            (Some(Ok(written @ Written::Branch { .. })), _) => {
                (format!("{written}; it holds once it is merged and applied"), Some(Symbol::Done), Role::StateDone)
            }
            (Some(Ok(written @ Written::Patch { .. })), _) => {
                (format!("{written}; give it to who may push: git am"), Some(Symbol::Odd), Role::StateAttention)
            }
            (Some(Err(why)), _) => (crate::text::clean_line(why), Some(Symbol::Bad), Role::StateBad),
            (None, _) if self.sent => ("writing …".to_owned(), Some(Symbol::Progress), Role::StateProgress),
            (None, None) => ("asking the hosts what would happen …".to_owned(), Some(Symbol::Progress), Role::StateProgress),
            (None, Some(_)) => {
                let what = match &self.draft.reading.home {
                    Home::File(_) => format!("writes it to {}", self.draft.reading.home),
                    Home::Git { source, .. } => format!("commits it to a branch of its own and pushes that to {source}"),
                };
                (what, None, Role::Text)
            }
        }
    }

    fn lines(&self, view: &View<'_>, cells: usize) -> Vec<Line> {
        let theme = view.theme;
        let digits = self.diff.iter().map(|line| line.number.to_string().len()).max().unwrap_or(1);
        let mut lines = vec![Line::text("", Role::Text)];
        for one in &self.diff {
            let head = format!("{:>digits$}  ", one.number);
            // A tab would be one cell wide.
            let text = one.text.replace('\t', "    ");
            lines.push(match one.kind {
                LineKind::Same => Line::text(format!("{head}{text}"), Role::TextDim),
                LineKind::Gone => Line::signed(("-", Role::Accent), format!("{head}{text}"), Role::Text),
                LineKind::Come => Line::signed(("+", Role::Accent), format!("{head}{text}"), Role::TextStrong),
                LineKind::Gap => Line::text(theme.symbol(Symbol::Cut), Role::TextDim),
            });
        }
        lines.extend([Line::text("", Role::Text), Line::Rule("what applying it would do")]);
        match view.board.edit.preview(&self.draft) {
            None => {}
            Some(Ok(plan)) => {
                for text in plan.lines() {
                    let indent = text.len() - text.trim_start().len();
                    for (nth, part) in wrap(text.trim_start(), cells.saturating_sub(indent + 2)).into_iter().enumerate() {
                        let indent = indent + if nth > 0 { 2 } else { 0 };
                        lines.push(Line::text(format!("{}{part}", " ".repeat(indent)), Role::Text));
                    }
                }
            }
            Some(Err(why)) => {
                for (nth, part) in format!("no plan: {why}").lines().flat_map(|line| wrap(line, cells)).enumerate() {
                    lines.push(match nth {
                        0 => Line::signed((theme.symbol(Symbol::Odd), Role::StateAttention), part, Role::Text),
                        _ => Line::text(part, Role::Text),
                    });
                }
            }
        }
        lines
    }
}

/// One line below the title.
enum Line {
    Rule(&'static str),
    Text { sign: Option<(String, Role)>, text: String, role: Role },
}

impl Line {
    fn text(text: impl Into<String>, role: Role) -> Self {
        Self::Text { sign: None, text: text.into(), role }
    }

    fn signed((sign, of_sign): (&str, Role), text: String, role: Role) -> Self {
        Self::Text { sign: Some((sign.to_owned(), of_sign)), text, role }
    }

    fn paint(&self, buffer: &mut Buffer, area: Rect, row: u16, view: &View<'_>) {
        match self {
            Self::Rule(title) => frame::rule(buffer, area, row, &format!(" {title} "), "", view),
            Self::Text { sign, text, role } => {
                let mut pen = Pen::new(buffer, area, row);
                pen.skip(1);
                if let Some((sign, role)) = sign {
                    pen.text(sign, view.theme.style(*role));
                }
                pen.to(area.x + 3).text(text, view.theme.style(*role));
            }
        }
    }
}
