//! The processes of one container, read once; the key that tries a host again reads them again.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome};
use crate::{
    action::{Action, Answer, Command, Context, RequestId},
    fleet::{ContainerKey, processes::Processes as Told},
    text::width,
    ui::{
        frame,
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// What came of the question.
enum Found {
    Asked,
    Told(Told),
    Failed(String),
}

/// The open list.
pub struct Processes {
    request: RequestId,
    key: ContainerKey,
    found: Found,
    top: usize,
    rows: usize,
}

impl Processes {
    /// Opens it empty; the answer to `request` fills it.
    pub fn open(request: RequestId, key: ContainerKey) -> Self {
        Self { request, key, found: Found::Asked, top: 0, rows: 1 }
    }

    fn count(&self) -> usize {
        match &self.found {
            Found::Told(told) => told.processes.len(),
            Found::Asked | Found::Failed(_) => 0,
        }
    }

    fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by).min(self.count().saturating_sub(self.rows));
    }
}

impl Layer for Processes {
    fn context(&self) -> Context {
        Context::Processes
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.rows) {
            self.scroll(by);
            return LayerOutcome::Stay;
        }
        match action {
            Action::LinkRetry => {
                LayerOutcome::Ask(Request::Ask(Command::ReadProcesses { request: self.request, container: self.key.clone() }))
            }
            Action::LayerClose => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn answer(&mut self, answer: &Answer) {
        if answer.request == self.request {
            self.found = match &answer.result {
                Ok(value) => Found::Told(Told::parse(value)),
                Err(error) => Found::Failed(error.clone()),
            };
            self.scroll(0);
        }
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let ground = view.theme.style(Role::Screen);
        for row in 0..area.height {
            Pen::new(buffer, area, row).fill(" ", ground);
        }
        let name = view.fleet.container(&self.key).map_or(self.key.id.short(), |container| &container.name);
        let dot = view.theme.symbol(Symbol::Dot);
        let count = match self.count() {
            0 => String::new(),
            1 => " 1 process ".to_owned(),
            count => format!(" {count} processes "),
        };
        frame::rule(buffer, area, 0, &format!(" Processes of {name} {dot} {} ", self.key.host), &count, view);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        self.rows = usize::from(body.height.saturating_sub(1)).max(1);
        match &self.found {
            Found::Asked => {
                let text = format!("asking {} {}", self.key.host, view.theme.symbol(Symbol::Cut));
                Pen::new(buffer, body, 1).skip(1).text(&text, view.theme.style(Role::TextDim));
            }
            Found::Failed(error) => {
                let mut pen = Pen::new(buffer, body, 1);
                pen.skip(1).text(view.theme.symbol(Symbol::Bad), view.theme.style(Role::StateBad)).skip(1);
                pen.text(&format!("{}: {error}", self.key.host), view.theme.style(Role::Text));
            }
            Found::Told(told) => render_rows(buffer, body, told, self.top, view),
        }
        let mut pen = Pen::new(buffer, area, area.height.saturating_sub(1));
        pen.skip(1);
        for (action, word) in [(Action::LinkRetry, "read again"), (Action::LayerClose, "close")] {
            if let Some(key) = view.keymap.reverse(action, &[Context::Processes, Context::Global]) {
                pen.text(key, view.theme.style(Role::HintKey)).skip(1).text(word, view.theme.style(Role::HintText)).skip(2);
            }
        }
    }
}

fn render_rows(buffer: &mut Buffer, area: Rect, told: &Told, top: usize, view: &View<'_>) {
    let last = told.titles.len().saturating_sub(1);
    let shown: Vec<&Vec<String>> = told.processes.iter().skip(top).take(usize::from(area.height.saturating_sub(1))).collect();
    let cells = |column: usize| {
        let texts = shown.iter().filter_map(|row| row.get(column));
        texts.map(|text| width(text)).fold(width(&told.titles[column]), usize::max).min(24)
    };
    let widths: Vec<usize> = (0..told.titles.len()).map(cells).collect();
    let mut line = |row: u16, texts: &[String], role: Role| {
        let mut pen = Pen::new(buffer, area, row);
        pen.skip(1);
        for (column, text) in texts.iter().enumerate() {
            let style = view.theme.style(role);
            if column == last {
                pen.text(text, style);
                continue;
            }
            // Figures to the right: they are all but names.
            let is_figure = text.starts_with(|c: char| c.is_ascii_digit());
            let text = view.theme.fit(text, widths[column]);
            let air = u16::try_from(widths[column] - width(&text).min(widths[column])).unwrap_or(0);
            let (before, after) = if is_figure { (air, 2) } else { (0, air + 2) };
            pen.skip(before).text(&text, style).skip(after);
        }
    };
    line(0, &told.titles, Role::TableHeader);
    for (row, texts) in (1..).zip(shown.iter()) {
        line(row, texts, Role::Text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fleet::fixture,
        ui::fixture::{Scene, text},
    };

    fn key() -> ContainerKey {
        ContainerKey { host: "app-09".into(), id: crate::fleet::ContainerId::new(fixture::hex("app-09/db")) }
    }

    fn paint(open: &mut Processes, scene: &Scene) -> String {
        let area = Rect::new(0, 0, 80, 12);
        let mut buffer = Buffer::empty(area);
        open.render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    #[test]
    fn asked_told_scrolled_and_asked_again() {
        let scene = Scene::drawn();
        let mut open = Processes::open(RequestId(7), key());
        assert!(paint(&mut open, &scene).contains("asking app-09"), "{}", paint(&mut open, &scene));
        let rows: Vec<_> =
            (1..=30).map(|pid| json!([pid.to_string(), "postgres", "12.5", format!("postgres: worker {pid} password=hunter2")])).collect();
        let told = json!({ "Titles": ["PID", "USER", "%CPU", "COMMAND"], "Processes": rows });
        open.answer(&Answer { request: RequestId(6), key: key(), result: Ok(json!(null)) });
        assert!(paint(&mut open, &scene).contains("asking"), "another question's answer");
        open.answer(&Answer { request: RequestId(7), key: key(), result: Ok(told) });
        let shown = paint(&mut open, &scene);
        assert!(shown.contains("Processes of db") && shown.contains("30 processes") && !shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(" PID  USER"), "{shown}");
        open.act(Action::ListMoveLast, &scene.view());
        let end = paint(&mut open, &scene);
        assert!(end.contains("worker 30") && !end.contains("worker 1 "), "{end}");
        let again = LayerOutcome::Ask(Request::Ask(Command::ReadProcesses { request: RequestId(7), container: key() }));
        assert_eq!(open.act(Action::LinkRetry, &scene.view()), again);
        open.answer(&Answer { request: RequestId(7), key: key(), result: Err("container is not running".to_owned()) });
        assert!(paint(&mut open, &scene).contains("app-09: container is not running"));
        assert_eq!(open.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
    }
}
