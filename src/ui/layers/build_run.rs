//! A build of the newest commit: first what it would take in, then, once somebody has said yes, how it goes on. It can be closed: the
//! build goes on, and its end is told at the foot.

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome, frame, plan_lines::wrap};
use crate::{
    action::{Action, Context},
    board::{
        Order,
        lanes::{self, BuildRun, Source},
    },
    fleet::AppName,
    text::counted,
    ui::{
        panels::span,
        screen::Request,
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// Cells of the box at most.
const WIDTH: u16 = 112;
/// And lines.
const HEIGHT: u16 = 30;

/// The open box.
pub struct BuildLayer {
    app: AppName,
    /// When it was opened: an older answer of the desk is another box's.
    opened: DateTime<Utc>,
    /// Somebody said yes here.
    begun: bool,
    /// Lines from the end that are scrolled past.
    back: usize,
    page: usize,
    note: Option<&'static str>,
}

/// What it shows.
enum Phase<'v> {
    /// What a build would take in; `None`: being read.
    Question(Option<&'v Result<Source, String>>),
    /// How it goes on, or ended.
    Progress(&'v BuildRun),
}

impl BuildLayer {
    /// Opens it; a build that is under way is shown at once.
    pub fn open(app: AppName, view: &View<'_>) -> Self {
        let begun = view.board.lanes.builds.get(&app).is_some_and(|build| build.is_under_way());
        Self { app, opened: view.now, begun, back: 0, page: 1, note: None }
    }

    fn phase<'v>(&self, view: &View<'v>) -> Phase<'v> {
        let page = &view.board.lanes;
        match page.builds.get(&self.app).filter(|build| self.begun && (build.is_under_way() || build.begun >= self.opened)) {
            Some(build) => Phase::Progress(build),
            None => {
                let ours = page.commits.as_ref().filter(|(app, at, _)| *app == self.app && *at >= self.opened);
                Phase::Question(ours.map(|(.., result)| result))
            }
        }
    }

    fn begin(&mut self, view: &View<'_>) -> LayerOutcome {
        match self.phase(view) {
            Phase::Question(Some(_)) if !self.begun => {
                self.begun = true;
                LayerOutcome::Ask(Request::Deliver(Order::Lanes(lanes::Order::Build(self.app.clone()))))
            }
            Phase::Question(_) | Phase::Progress(_) => LayerOutcome::Stay,
        }
    }
}

impl Layer for BuildLayer {
    fn context(&self) -> Context {
        Context::Confirm
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.page) {
            self.back = self.back.saturating_add_signed(by.saturating_neg());
            return LayerOutcome::Stay;
        }
        match (action, self.phase(view)) {
            (Action::SelectionOpen, Phase::Question(_)) => {
                // The key that opened this may still be held or bounce: it must not answer.
                self.note = Some("y builds it");
                LayerOutcome::Stay
            }
            (Action::LayerClose | Action::SelectionOpen, _) => LayerOutcome::Close,
            (_, _) => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, event: KeyEvent, view: &View<'_>) -> LayerOutcome {
        match event.code {
            KeyCode::Char('y') => self.begin(view),
            KeyCode::Char('n' | 'q') => LayerOutcome::Close,
            _ => LayerOutcome::Stay,
        }
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let width = WIDTH.min(area.width.saturating_sub(2));
        let cells = usize::from(width.saturating_sub(4)).max(16);
        let key = view.keymap.reverse(Action::LayerClose, &[Context::Confirm, Context::Global]).unwrap_or("");
        match self.phase(view) {
            Phase::Question(told) => {
                let lines = question(told, cells, view);
                let place = frame::centred(area, width, u16::try_from(lines.len() + 4).unwrap_or(HEIGHT).min(HEIGHT));
                let foot = format!("{key}: nothing happens");
                let inside = frame::paint(place, buffer, view.theme, &format!("Build {}", self.app), &foot);
                let room = inside.height.saturating_sub(2);
                for (row, (text, role)) in (0..room).zip(&lines) {
                    Pen::new(buffer, inside, row).text(text, view.theme.style(*role));
                }
                self.page = usize::from(room).max(1);
                let hidden = lines.len().saturating_sub(self.page);
                if hidden > 0 {
                    Pen::new(buffer, inside, room).text(&format!("and {}", counted(hidden, "commit")), view.theme.style(Role::TextDim));
                }
                let mut pen = Pen::new(buffer, inside, inside.height.saturating_sub(1));
                match told {
                    None => {}
                    Some(_) if self.begun => {
                        pen.text("it begins", view.theme.style(Role::StateProgress));
                    }
                    Some(_) => {
                        let (key, words) = (view.theme.style(Role::HintKey), view.theme.style(Role::Text));
                        pen.text("y", key).skip(1).text("build, test and push the newest commit", words);
                        if let Some(note) = self.note {
                            pen.skip(3).text(note, view.theme.style(Role::StateAttention));
                        }
                    }
                }
            }
            Phase::Progress(build) => {
                let place = frame::centred(area, width, HEIGHT.min(area.height.saturating_sub(2)));
                let foot = if build.is_under_way() { format!("{key}: it goes on") } else { format!("{key} closes") };
                let inside = frame::paint(place, buffer, view.theme, &format!("Build {}", self.app), &foot);
                self.progress(buffer, inside, build, view);
            }
        }
    }
}

impl BuildLayer {
    fn progress(&mut self, buffer: &mut Buffer, inside: Rect, build: &BuildRun, view: &View<'_>) {
        let theme = view.theme;
        let end = end(build, usize::from(inside.width), view);
        let room = usize::from(inside.height).saturating_sub(end.len());
        self.page = room.max(1);
        let lines: Vec<&str> = build.lines.iter().map(String::as_str).chain(build.moving.as_deref()).collect();
        self.back = self.back.min(lines.len().saturating_sub(self.page));
        let last = lines.len() - self.back;
        let first = last.saturating_sub(room);
        for (row, line) in (0..).zip(lines.get(first..last).unwrap_or_default()) {
            // What a step prints matters less than which it is.
            let role = if line.starts_with(' ') { Role::TextDim } else { Role::Text };
            Pen::new(buffer, inside, row).text(line, theme.style(role));
        }
        for (row, (text, role)) in (u16::try_from(room).unwrap_or(u16::MAX)..).zip(&end) {
            Pen::new(buffer, inside, row).text(text, theme.style(*role));
        }
    }
}

/// What a build would take in.
fn question(told: Option<&Result<Source, String>>, cells: usize, view: &View<'_>) -> Vec<(String, Role)> {
    let theme = view.theme;
    let source = match told {
        None => return vec![(format!("the repository is being read {}", theme.symbol(Symbol::Cut)), Role::TextDim)],
        Some(Err(why)) => return wrap(why, cells).into_iter().map(|line| (line, Role::StateBad)).collect(),
        Some(Ok(source)) => source,
    };
    let dot = theme.symbol(Symbol::Dot);
    let mut lines = Vec::new();
    if let Some(why) = &source.fault {
        let text = format!("{} its repository was not reached: {why}", theme.symbol(Symbol::Stale));
        lines.extend(wrap(&text, cells).into_iter().map(|line| (line, Role::StateAttention)));
    }
    let least = if source.more { "more than " } else { "" };
    lines.push(match source.unbuilt.len() {
        0 => ("the newest commit is built already: what did not change is not built again".to_owned(), Role::Text),
        count => (format!("{least}{} since the newest build:", counted(count, "commit")), Role::Text),
    });
    lines.extend(source.unbuilt.iter().map(|commit| {
        let text = format!("  {} {} {dot} {} {dot} {}", commit.sha, commit.subject, commit.author, view.calm_age(commit.at));
        (theme.fit(&text, cells).into_owned(), Role::TextDim)
    }));
    lines
}

/// How it stands: the last lines of the box.
fn end(build: &BuildRun, cells: usize, view: &View<'_>) -> Vec<(String, Role)> {
    let theme = view.theme;
    match &build.ended {
        None => {
            vec![(format!("{} under way, begun {} ago", theme.symbol(Symbol::Progress), view.calm_age(build.begun)), Role::StateProgress)]
        }
        Some((at, Ok(version))) => {
            let took = (*at - build.begun).to_std().map(|took| format!(" in {}", span(took))).unwrap_or_default();
            vec![(format!("{} {version} is built{took}", theme.symbol(Symbol::Done)), Role::StateDone)]
        }
        Some((_, Err(why))) => {
            let text = format!("{} not built: {why}", theme.symbol(Symbol::Bad));
            wrap(&text, cells).into_iter().map(|line| (line, Role::StateBad)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;
    use crate::{
        board::{News, lanes::BuildWord},
        ui::{
            fixture::{Scene, text},
            panels::lane_sample as sample,
        },
    };

    fn shop() -> AppName {
        AppName::new("shop")
    }

    fn shown(layer: &mut BuildLayer, scene: &Scene, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        layer.render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    fn tell(scene: &mut Scene, news: lanes::News) -> Option<String> {
        scene.board.learn(News::Lanes(news))
    }

    fn source(scene: &Scene) -> Source {
        let unbuilt = vec![sample::commit("c04aa17", "faster cart", "li", 1), sample::commit("51be0aa", "fix tax", "ana", 4)];
        Source { unbuilt, more: false, at: Some(scene.now), fault: None }
    }

    fn press(layer: &mut BuildLayer, c: char, scene: &Scene) -> LayerOutcome {
        layer.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &scene.view())
    }

    #[test]
    fn it_is_shown_before_it_begins_and_begins_once() {
        let mut scene = Scene::drawn();
        let old = scene.now - chrono::TimeDelta::seconds(9);
        let told = source(&scene);
        tell(&mut scene, lanes::News::Commits(shop(), old, Ok(told.clone())));
        let mut layer = BuildLayer::open(shop(), &scene.view());
        // An older answer is no answer.
        assert!(shown(&mut layer, &scene, (80, 24)).contains("being read"));
        assert_eq!(press(&mut layer, 'y', &scene), LayerOutcome::Stay);
        let now = scene.now;
        tell(&mut scene, lanes::News::Commits(shop(), now, Ok(told)));
        insta::assert_snapshot!("build-question", shown(&mut layer, &scene, (80, 24)));
        // Enter may be the bounce of what opened it.
        assert_eq!(layer.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
        let order = LayerOutcome::Ask(Request::Deliver(Order::Lanes(lanes::Order::Build(shop()))));
        assert_eq!(press(&mut layer, 'y', &scene), order);
        assert_eq!(press(&mut layer, 'y', &scene), LayerOutcome::Stay);
        assert!(shown(&mut layer, &scene, (80, 24)).contains("it begins"));
        assert_eq!(layer.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
    }

    #[test]
    fn screens_of_progress_and_ends() {
        let mut scene = Scene::drawn();
        let mut layer = BuildLayer::open(shop(), &scene.view());
        layer.begun = true;
        let now = scene.now;
        tell(&mut scene, lanes::News::Build(shop(), BuildWord::Begun(now)));
        let lines =
            ["1.0.1-26-c04aa17: faster cart (li, 2026-11-21 13:40 UTC)", "web: build", "  [1/3] FROM nginx:1.27", "    ok", "web: push"];
        tell(&mut scene, lanes::News::Build(shop(), BuildWord::Lines(lines.map(str::to_owned).to_vec())));
        tell(&mut scene, lanes::News::Build(shop(), BuildWord::Moving("3 layers, 12.0 MB of 40.0 MB".into())));
        insta::assert_snapshot!("build-progress", shown(&mut layer, &scene, (80, 24)));
        let end = now + chrono::TimeDelta::seconds(38);
        tell(&mut scene, lanes::News::Build(shop(), BuildWord::Ended(end, Err("web: the stage test failed: exit code 1".into()))));
        assert!(shown(&mut layer, &scene, (80, 24)).contains("not built: web: the stage test failed"));
        tell(&mut scene, lanes::News::Build(shop(), BuildWord::Ended(end, Ok("1.0.1-26-c04aa17".into()))));
        insta::assert_snapshot!("build-done", shown(&mut layer, &scene, (160, 50)));
        for width in 1..40 {
            for height in 1..12 {
                shown(&mut layer, &scene, (width, height));
            }
        }
    }
}
