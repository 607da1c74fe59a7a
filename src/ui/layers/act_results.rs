//! How far an act is on each of its targets. It can be closed: the act goes on, and the foot says so.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome, frame};
use crate::{
    act::{Class, Run, RunId, Stage},
    action::{Action, Context},
    text::width,
    ui::{
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the box at most.
const WIDTH: u16 = 112;

/// The open results of one run.
pub struct ActResults {
    run: RunId,
    offset: usize,
    page: usize,
    length: usize,
}

impl ActResults {
    /// Opens them.
    pub fn of(run: RunId) -> Self {
        Self { run, offset: 0, page: 1, length: 0 }
    }

    fn scroll(&mut self, by: isize) -> LayerOutcome {
        self.offset = self.offset.saturating_add_signed(by).min(self.length.saturating_sub(self.page));
        LayerOutcome::Stay
    }
}

impl Layer for ActResults {
    fn context(&self) -> Context {
        Context::ActResults
    }

    fn run(&self) -> Option<RunId> {
        Some(self.run)
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            return self.scroll(by);
        }
        match action {
            Action::ActsCancel => match view.runs.get(self.run) {
                Some(run) if !run.is_over() && !run.cancelled => LayerOutcome::Ask(Request::CancelActs(self.run)),
                Some(_) | None => LayerOutcome::Stay,
            },
            Action::LayerClose | Action::SelectionOpen | Action::ActsShowResults => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let Some(run) = view.runs.get(self.run) else { return };
        let theme = view.theme;
        let width_of = WIDTH.min(area.width.saturating_sub(2));
        let rows: Vec<Row> = rows(run, usize::from(width_of.saturating_sub(4)));
        self.length = rows.len();
        let place = frame::centred(area, width_of, u16::try_from(rows.len() + 4).unwrap_or(u16::MAX));
        let inside = frame::paint(place, buffer, theme, &run.plan.title(), &foot(run, view));
        self.page = usize::from(inside.height.saturating_sub(2)).max(1);
        self.offset = self.offset.min(self.length.saturating_sub(self.page));
        for (row, line) in (0..inside.height.saturating_sub(2)).zip(rows.iter().skip(self.offset)) {
            let (symbol, role) = line.sign;
            let mut pen = Pen::new(buffer, inside, row);
            if let Some(symbol) = symbol {
                pen.text(theme.symbol(symbol), theme.style(role));
            }
            pen.to(inside.x + 2).text(&line.head, theme.style(Role::Text)).text(&line.words, theme.style(role));
        }
        let hidden = self.length.saturating_sub(self.offset + self.page);
        let sum = run.line();
        if let Some(last) = inside.height.checked_sub(1) {
            let mut pen = Pen::new(buffer, inside, last);
            pen.text(&sum, theme.style(if run.is_over() { Role::TextStrong } else { Role::StateProgress }));
            if hidden > 0 {
                pen.right(&format!("{hidden} lines more below"), theme.style(Role::TextDim));
            }
        }
    }
}

/// A line of the list; long words take several.
struct Row {
    sign: (Option<Symbol>, Role),
    head: String,
    words: String,
}

fn rows(run: &Run, cells: usize) -> Vec<Row> {
    let steps = &run.plan.steps;
    let host_cells = steps.iter().map(|step| width(step.target.host.as_str())).max().unwrap_or(0);
    let name_cells = steps.iter().map(|step| width(&step.target.name)).max().unwrap_or(0);
    let pad = |text: &str, cells: usize| format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))));
    let mut out = Vec::new();
    for (step, stage) in steps.iter().zip(&run.stages) {
        let head = format!("{}  {}  ", pad(step.target.host.as_str(), host_cells), pad(&step.target.name, name_cells));
        let room = cells.saturating_sub(width(&head) + 2).max(16);
        let (symbol, role, words) = told(run, stage);
        let mut lines = super::plan_lines::wrap(&words, room).into_iter();
        out.push(Row { sign: (Some(symbol), role), head: head.clone(), words: lines.next().unwrap_or_default() });
        let air = " ".repeat(width(&head));
        out.extend(lines.map(|words| Row { sign: (None, role), head: air.clone(), words }));
    }
    out
}

fn told(run: &Run, stage: &Stage) -> (Symbol, Role, String) {
    match stage {
        Stage::Waiting if run.cancelled => (Symbol::Dot, Role::TextDim, "called off".to_owned()),
        Stage::Waiting => (Symbol::Dot, Role::TextDim, "waits".to_owned()),
        Stage::Recording => (Symbol::Dot, Role::TextDim, "is written into the audit".to_owned()),
        Stage::Sent if run.cancelled => (Symbol::Progress, Role::StateProgress, "sent: it cannot be recalled".to_owned()),
        Stage::Sent => (Symbol::Progress, Role::StateProgress, "sent".to_owned()),
        Stage::Unsure { why } => {
            (Symbol::Progress, Role::StateAttention, format!("sent, and the answer got lost ({why}): asking the engine what is"))
        }
        Stage::Over { result, unrecorded } => {
            let (symbol, role) = match result.class(&run.plan.act) {
                Class::Good => (Symbol::Done, Role::StateDone),
                Class::CalledOff => (Symbol::Dot, Role::TextDim),
                Class::Unreached => (Symbol::Stale, Role::StateAttention),
                Class::Forbidden | Class::Bad => (Symbol::Bad, Role::StateBad),
            };
            let unrecorded = unrecorded.as_ref().map_or(String::new(), |why| format!(" · not in the audit: {why}"));
            (symbol, role, format!("{}{unrecorded}", result.sentence(&run.plan.act)))
        }
    }
}

fn foot(run: &Run, view: &View<'_>) -> String {
    let contexts = Context::focus(Context::Global, Some(Context::ActResults));
    let key = |action, words: &str| view.keymap.reverse(action, &contexts).map(|key| format!("{key} {words}"));
    let cancel = (!run.is_over() && !run.cancelled).then(|| key(Action::ActsCancel, "calls off what is not sent")).flatten();
    let close = key(Action::LayerClose, if run.is_over() { "closes" } else { "closes, it goes on" });
    [cancel, close].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        act::{Act, Outcome, Policy, Progress, plan},
        rights::Rights,
        ui::fixture::{Scene, text},
    };

    fn shown(results: &mut ActResults, scene: &Scene, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        results.render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    /// A run in the middle, with every kind of word on the screen.
    fn under_way(theme: &str) -> Scene {
        let mut scene = Scene::drawn().in_theme(theme);
        let keys: Vec<_> =
            scene.fleet.containers().filter(|one| one.identity.service.service.as_str() == "web").map(|one| one.key.clone()).collect();
        let planned = plan(Act::Stop { grace: Some(5) }, &keys, &scene.fleet, &Rights::Act, &Policy::default());
        scene.runs.begin(Run::new(RunId(1), Arc::new(planned)));
        let over = |result| Stage::Over { result, unrecorded: None };
        let stages = [
            over(Outcome::Done),
            Stage::Sent,
            Stage::Unsure { why: "the connection closed in the middle of POST /containers/d4e5/stop: broken pipe".into() },
            over(Outcome::Refused { status: 409, message: "container is being removed".into() }),
            over(Outcome::Unreachable { why: "its host is lost: connection timed out".into() }),
            Stage::Recording,
        ];
        for (step, stage) in stages.into_iter().enumerate() {
            scene.runs.apply(Progress { run: RunId(1), step, stage });
        }
        scene
    }

    #[test]
    fn only_what_goes_on_can_be_called_off() {
        let mut scene = under_way("harbor");
        let mut results = ActResults::of(RunId(1));
        assert_eq!(results.act(Action::ActsCancel, &scene.view()), LayerOutcome::Ask(Request::CancelActs(RunId(1))));
        scene.runs.call_off(RunId(1));
        assert_eq!(results.act(Action::ActsCancel, &scene.view()), LayerOutcome::Stay);
        let text = shown(&mut results, &scene, (100, 20));
        assert!(text.contains("sent: it cannot be recalled") && text.contains("called off"), "{text}");
        for step in 0..7 {
            scene.runs.apply(Progress { run: RunId(1), step, stage: Stage::Over { result: Outcome::Done, unrecorded: None } });
        }
        assert_eq!(results.act(Action::ActsCancel, &scene.view()), LayerOutcome::Stay);
        assert_eq!(results.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
        assert!(shown(&mut results, &scene, (100, 20)).contains("stopped 7 of 7"));
    }

    #[test]
    fn screens() {
        for theme in ["harbor", "mono"] {
            let scene = under_way(theme);
            for size in [(80, 24), (160, 50)] {
                let text = shown(&mut ActResults::of(RunId(1)), &scene, size);
                insta::assert_snapshot!(format!("act-results-{theme}-{}x{}", size.0, size.1), text);
            }
        }
    }

    #[test]
    fn no_size_is_too_small() {
        let scene = under_way("harbor");
        for width in 1..40 {
            for height in 1..12 {
                shown(&mut ActResults::of(RunId(1)), &scene, (width, height));
            }
        }
    }
}
