//! What can be done to the selected or marked containers, each with its key; what cannot be done now says why.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Layer, LayerOutcome, frame};
use crate::{
    action::{Action, Availability, Context, Denial, Selected, availability},
    rights::Rights,
    text::width,
    ui::{
        theme::{Role, Symbol},
        view::View,
        widgets::Pen,
    },
};

/// The acts as the menu lists them: the frequent ones first, what takes away last.
pub const ACTS: [Action; 9] = [
    Action::ContainerRestart,
    Action::ContainerStop,
    Action::ContainerStart,
    Action::ContainerPause,
    Action::ContainerUnpause,
    Action::ContainerKill,
    Action::ContainerRename,
    Action::ContainerRemove,
    Action::ContainerRemoveForced,
];

/// The open menu.
pub struct ActMenu {
    /// Whom it is about, in words.
    subject: String,
    rows: Vec<(Action, Option<Denial>)>,
    at: usize,
}

impl ActMenu {
    /// Opens it over a panel whose cursor stands on `selected`; `subject` names that in words.
    pub fn open(panel: Context, selected: Selected, subject: String, view: &View<'_>) -> Self {
        let read_only = matches!(view.rights, Rights::View { .. });
        let judged = |action: Action| match availability(action, read_only, panel, selected) {
            Availability::Allowed => (action, None),
            Availability::Denied(denial) => (action, Some(denial)),
        };
        let rows: Vec<_> = ACTS.into_iter().map(judged).collect();
        let at = rows.iter().position(|(_, denial)| denial.is_none()).unwrap_or(0);
        Self { subject, rows, at }
    }

    /// Runs a row, unless it is grey: its reason is on the screen.
    fn choose(&self, action: Action) -> LayerOutcome {
        match self.rows.iter().find(|(row, _)| *row == action) {
            Some((_, None)) => LayerOutcome::Run(action),
            Some((_, Some(_))) => LayerOutcome::Stay,
            None => LayerOutcome::Pass,
        }
    }
}

impl Layer for ActMenu {
    fn context(&self) -> Context {
        Context::ActMenu
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        let last = self.rows.len().saturating_sub(1);
        match action {
            Action::ListMoveDown => self.at = if self.at >= last { 0 } else { self.at + 1 },
            Action::ListMoveUp => self.at = self.at.checked_sub(1).unwrap_or(last),
            Action::ListMoveFirst => self.at = 0,
            Action::ListMoveLast => self.at = last,
            Action::SelectionOpen => return self.rows.get(self.at).map_or(LayerOutcome::Stay, |(action, _)| self.choose(*action)),
            Action::LayerClose | Action::ActsOpenMenu => return LayerOutcome::Close,
            Action::ActsShowResults => return LayerOutcome::Run(action),
            other => return self.choose(other),
        }
        LayerOutcome::Stay
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        let contexts = Context::focus(Context::Global, Some(Context::ActMenu));
        let place = frame::centred(area, 74, u16::try_from(self.rows.len() + 2).unwrap_or(u16::MAX));
        let foot = view.keymap.reverse(Action::LayerClose, &contexts).map_or(String::new(), |key| format!("{key}: nothing happens"));
        let inside = frame::paint(place, buffer, theme, &self.subject, &foot);
        let height = usize::from(inside.height).max(1);
        let first = (self.at + 1).saturating_sub(height);
        let keys: Vec<&str> = self.rows.iter().map(|(action, _)| view.keymap.reverse(*action, &contexts).unwrap_or("")).collect();
        let key_cells = keys.iter().map(|key| width(key)).max().unwrap_or(0);
        let cells = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        for (row, (index, (action, denial))) in (0..).zip(self.rows.iter().enumerate().skip(first).take(height)) {
            let current = index == self.at;
            let ground = if current { theme.style(Role::LayerCursor) } else { Style::default() };
            if current {
                Pen::new(buffer, inside, row).fill(" ", ground);
            }
            let style = |role: Role| ground.patch(theme.style(if denial.is_some() { Role::HintDenied } else { role }));
            let sign = if current { theme.symbol(Symbol::Cursor) } else { " " };
            let words = denial.map_or_else(|| action.row().doc.to_owned(), |denial| denial.to_string());
            let mut pen = Pen::new(buffer, inside, row);
            pen.text(sign, ground.patch(theme.style(Role::Accent))).skip(1).text(keys[index], style(Role::HintKey));
            pen.to(inside.x + cells(key_cells + 4)).text(verb(*action), style(Role::Text));
            pen.to(inside.x + cells(key_cells + 15)).text(&words, style(Role::TextDim));
        }
    }
}

/// `stop`, the verb of `container.stop`.
fn verb(action: Action) -> &'static str {
    action.id().split_once('.').map_or(action.id(), |(_, verb)| verb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture::{Scene, text};

    const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

    fn shown(menu: &mut ActMenu, scene: &Scene, size: (u16, u16)) -> String {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        menu.render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    #[test]
    fn what_is_grey_says_why_and_does_not_run() {
        let scene = Scene::drawn();
        let mut menu = ActMenu::open(Context::Hosts, Selected::Host, "nothing selected".to_owned(), &scene.view());
        for action in ACTS {
            assert_eq!(menu.act(action, &scene.view()), LayerOutcome::Stay, "{action}");
        }
        assert_eq!(menu.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Stay);
        assert!(shown(&mut menu, &scene, (80, 24)).contains("needs a container or a service, not a host"));
        assert_eq!(menu.act(Action::LayerClose, &scene.view()), LayerOutcome::Close);
        let scene = Scene { rights: Rights::view("a test"), ..Scene::drawn() };
        let mut menu = ActMenu::open(Context::Containers, Selected::Container, "web-1 on app-04".to_owned(), &scene.view());
        assert_eq!(menu.act(Action::ContainerStop, &scene.view()), LayerOutcome::Stay);
        assert!(shown(&mut menu, &scene, (80, 24)).contains("this console is read-only"));
    }

    #[test]
    fn a_key_or_enter_runs_a_row() {
        let scene = Scene::drawn();
        let mut menu = ActMenu::open(Context::Containers, Selected::Container, "web-1 on app-04".to_owned(), &scene.view());
        assert_eq!(menu.act(Action::ContainerStop, &scene.view()), LayerOutcome::Run(Action::ContainerStop));
        menu.act(Action::ListMoveDown, &scene.view());
        assert_eq!(menu.act(Action::SelectionOpen, &scene.view()), LayerOutcome::Run(Action::ContainerStop));
        assert_eq!(menu.act(Action::AppQuit, &scene.view()), LayerOutcome::Pass);
    }

    /// No slip of the shift key may take something away: in no keymap is it one letter from another act.
    #[test]
    fn taking_away_is_no_letter() {
        use crate::ui::keymap;
        for (name, _) in keymap::BUILT_IN {
            let keys = keymap::load(name, None).0;
            let key = keys.reverse(Action::ContainerRemove, &Context::focus(Context::Global, Some(Context::ActMenu)));
            assert!(key.is_some_and(|key| key.chars().count() > 1), "{name}: {key:?}");
            assert!(keys.reverse(Action::ActsOpenMenu, &[Context::Containers, Context::Global]).is_some(), "{name}");
        }
    }

    #[test]
    fn screens() {
        for (theme, scene) in [("harbor", Scene::drawn()), ("mono", Scene::drawn().in_theme("mono"))] {
            for size in SIZES {
                let mut menu = ActMenu::open(Context::Containers, Selected::Container, "3 marked containers".to_owned(), &scene.view());
                insta::assert_snapshot!(format!("act-menu-{theme}-{}x{}", size.0, size.1), shown(&mut menu, &scene, size));
            }
        }
    }
}
