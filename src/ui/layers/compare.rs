//! A lane beside the one before it: what is there and not here. Nothing of it can be done from here.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Rect};

use super::{Layer, LayerOutcome, plan_lines::wrap};
use crate::{
    action::{Action, Context},
    board::lanes::{Commit, Comparison, Pair},
    text::counted,
    ui::{
        frame,
        theme::{Role, Symbol, Theme},
        view::View,
        widgets::Pen,
    },
};

/// The open comparison.
pub struct Compare {
    pair: Pair,
    top: usize,
    rows: usize,
    length: usize,
}

/// A line of it.
struct Line {
    indent: u16,
    text: String,
    role: Role,
}

impl Compare {
    /// Opens it empty; the desk's answer fills it.
    pub fn open(pair: Pair) -> Self {
        Self { pair, top: 0, rows: 1, length: 0 }
    }

    fn before(&self) -> String {
        self.pair.before.as_ref().map_or_else(|| "the newest build".to_owned(), ToString::to_string)
    }
}

impl Layer for Compare {
    fn context(&self) -> Context {
        Context::Compare
    }

    fn act(&mut self, action: Action, _: &View<'_>) -> LayerOutcome {
        if let Some(by) = action.list_step(self.rows) {
            self.top = self.top.saturating_add_signed(by).min(self.length.saturating_sub(self.rows));
            return LayerOutcome::Stay;
        }
        match action {
            Action::LayerClose | Action::SelectionOpen => LayerOutcome::Close,
            _ => LayerOutcome::Pass,
        }
    }

    fn type_key(&mut self, _: KeyEvent, _: &View<'_>) -> LayerOutcome {
        LayerOutcome::Stay
    }

    fn is_full(&self) -> bool {
        true
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        let theme = view.theme;
        for row in 0..area.height {
            Pen::new(buffer, area, row).fill(" ", theme.style(Role::Screen));
        }
        let title = format!(" {}: {} beside {} ", self.pair.app, self.pair.environment, self.before());
        frame::rule(buffer, area, 0, &title, "", view);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        self.rows = usize::from(body.height).max(1);
        let cells = usize::from(area.width.saturating_sub(6)).max(16);
        let told = view.board.lanes.comparison.as_ref().filter(|(pair, _)| *pair == self.pair);
        let lines = match told {
            None => vec![Line::new(0, format!("being read {}", theme.symbol(Symbol::Cut)), Role::TextDim)],
            Some((_, Err(why))) => {
                let lines = wrap(why, cells).into_iter().map(|text| Line::new(0, text, Role::Text));
                let head = Line::new(0, format!("{} nobody can tell:", theme.symbol(Symbol::Bad)), Role::StateBad);
                [head].into_iter().chain(lines).collect()
            }
            Some((_, Ok(comparison))) => self.lines(comparison, cells, view),
        };
        self.length = lines.len();
        self.top = self.top.min(self.length.saturating_sub(self.rows));
        for (row, line) in (0..body.height).zip(lines.iter().skip(self.top)) {
            Pen::new(buffer, body, row).skip(1 + line.indent).text(&line.text, theme.style(line.role));
        }
        let mut pen = Pen::new(buffer, area, area.height.saturating_sub(1));
        pen.skip(1);
        if let Some(key) = view.keymap.reverse(Action::LayerClose, &[Context::Compare, Context::Global]) {
            pen.text(key, theme.style(Role::HintKey)).skip(1).text("back", theme.style(Role::HintText));
        }
        let hidden = self.length.saturating_sub(self.top + self.rows);
        if hidden > 0 {
            pen.right(&format!("{hidden} lines more below "), theme.style(Role::StateAttention));
        }
    }
}

impl Line {
    fn new(indent: u16, text: impl Into<String>, role: Role) -> Self {
        Self { indent, text: text.into(), role }
    }
}

impl Compare {
    fn lines(&self, comparison: &Comparison, cells: usize, view: &View<'_>) -> Vec<Line> {
        let (here, before) = (&self.pair.environment, self.before());
        let nothing = "nothing good yet";
        let mut lines = vec![
            Line::new(0, format!("{here} has {}", comparison.here.as_deref().unwrap_or(nothing)), Role::Text),
            Line::new(0, format!("{before} has {}", comparison.there.as_deref().unwrap_or(nothing)), Role::Text),
        ];
        if comparison.here.is_none() || comparison.there.is_none() {
            return lines;
        }
        lines.push(Line::new(0, "", Role::Text));
        if comparison.is_nothing() {
            lines.push(Line::new(0, "they are the same: commits, settings and images", Role::TextDim));
            return lines;
        }
        let least = if comparison.more { "at least " } else { "" };
        match &comparison.ahead {
            Err(why) => {
                let text = format!("commits: nobody can tell: {why}");
                lines.extend(wrap(&text, cells).into_iter().map(|text| Line::new(0, text, Role::StateAttention)));
            }
            Ok(ahead) if ahead.is_empty() && comparison.behind.is_empty() => lines.push(Line::new(0, "the same commit", Role::TextDim)),
            Ok(ahead) => {
                if !ahead.is_empty() {
                    lines.push(Line::new(0, format!("{least}{} that {here} has not", counted(ahead.len(), "commit")), Role::TextStrong));
                    lines.extend(ahead.iter().map(|commit| commit_line(commit, view)));
                }
                if !comparison.behind.is_empty() {
                    let text = format!("{least}{} that {before} has not", counted(comparison.behind.len(), "commit"));
                    lines.push(Line::new(0, text, Role::StateAttention));
                    lines.extend(comparison.behind.iter().map(|commit| commit_line(commit, view)));
                }
            }
        }
        lines.push(Line::new(0, "", Role::Text));
        let arrow = if view.theme.is_ascii() { "->" } else { "→" };
        let direction = format!("{here} {arrow} {before}");
        if comparison.services.is_empty() {
            lines.push(Line::new(0, "settings: the same", Role::TextDim));
        } else {
            lines.push(Line::new(0, format!("settings, {direction}"), Role::TextStrong));
        }
        for service in &comparison.services {
            lines.push(Line::new(2, format!("{}: {}", service.service, service.summary), Role::Text));
            for change in &service.changes {
                let change = ascii(change, view.theme);
                lines.extend(wrap(&change, cells.saturating_sub(4)).into_iter().map(|text| Line::new(4, text, Role::TextDim)));
            }
        }
        lines.push(Line::new(0, "", Role::Text));
        if comparison.images.is_empty() {
            lines.push(Line::new(0, "images: the same", Role::TextDim));
        } else {
            lines.push(Line::new(0, format!("images, {direction}"), Role::TextStrong));
        }
        for image in &comparison.images {
            let text = format!("{}: {} {arrow} {}", image.service, short(image.here.as_deref()), short(image.there.as_deref()));
            lines.push(Line::new(2, text, Role::Text));
        }
        lines
    }
}

fn commit_line(commit: &Commit, view: &View<'_>) -> Line {
    let dot = view.theme.symbol(Symbol::Dot);
    let text = format!("{} {} {dot} {} {dot} {}", commit.sha, commit.subject, commit.author, view.calm_age(commit.at));
    Line::new(2, text, Role::Text)
}

fn ascii(text: &str, theme: &Theme) -> String {
    if theme.is_ascii() { text.replace('→', "->") } else { text.to_owned() }
}

/// `web@3f9a12`: the end of the repository and the digest's first digits.
fn short(image: Option<&str>) -> String {
    let Some(image) = image else { return "none".to_owned() };
    let (repository, digest) = image.split_once('@').unwrap_or((image, ""));
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let digits: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    if digits.is_empty() { name.to_owned() } else { format!("{name}@{digits}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{
            News,
            lanes::{
                self,
                comparison::{ImageDifference, ServiceDifference},
            },
        },
        fleet::{AppName, EnvironmentId},
        ui::{
            fixture::{Scene, text},
            panels::lane_sample as sample,
        },
    };

    fn pair() -> Pair {
        Pair { app: AppName::new("shop"), environment: EnvironmentId::new("production"), before: Some(EnvironmentId::new("staging")) }
    }

    fn comparison() -> Comparison {
        let image = |digit: &str| Some(format!("registry:5000/shop/web@sha256:{}", digit.repeat(64)).into());
        Comparison {
            here: Some("1.0.1-22-7e56158+c1f09ab2".into()),
            there: Some("1.0.1-24-a91c2f3+77c0de12".into()),
            ahead: Ok(vec![sample::commit("a91c2f3", "faster cart", "li", 80), sample::commit("51be0aa", "fix tax", "ana", 95)]),
            behind: Vec::new(),
            more: false,
            services: vec![ServiceDifference {
                service: "web".into(),
                summary: "variables, secrets".into(),
                changes: vec![
                    "GREETING: \"hello from production\" → \"hello from staging\"".into(),
                    "API_TOKEN: another value".into(),
                    "secret DB_PASSWORD: new".into(),
                ],
            }],
            images: vec![
                ImageDifference { service: "web".into(), here: image("e"), there: image("b") },
                ImageDifference { service: "cron".into(), here: None, there: image("c") },
            ],
        }
    }

    fn shown(result: Option<Result<Comparison, String>>, theme: &str, size: (u16, u16)) -> String {
        let mut scene = Scene::drawn().in_theme(theme);
        if let Some(result) = result {
            scene.board.learn(News::Lanes(lanes::News::Compared(pair(), result.map(Box::new))));
        }
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        Compare::open(pair()).render(&mut buffer, area, &scene.view());
        text(&buffer)
    }

    #[test]
    fn screens() {
        for (theme, size) in [("harbor", (80, 24)), ("mono", (80, 24)), ("harbor", (160, 50))] {
            insta::assert_snapshot!(format!("compare-{theme}-{}x{}", size.0, size.1), shown(Some(Ok(comparison())), theme, size));
        }
        let beside = Comparison {
            ahead: Err("git log: a commit that is not pushed".into()),
            behind: vec![sample::commit("04bd1c9", "hotfix", "bo", 3)],
            ..comparison()
        };
        insta::assert_snapshot!("compare-unknown", shown(Some(Ok(beside)), "harbor", (80, 14)));
    }

    #[test]
    fn what_is_not_known_or_the_same_is_said() {
        assert!(shown(None, "harbor", (80, 10)).contains("being read"));
        assert!(shown(Some(Err("the ledger is locked".into())), "harbor", (80, 10)).contains("the ledger is locked"));
        let (services, images) = Default::default();
        let same = Comparison { there: comparison().here, ahead: Ok(Vec::new()), services, images, ..comparison() };
        assert!(shown(Some(Ok(same.clone())), "harbor", (80, 10)).contains("they are the same"));
        let empty = Comparison { here: None, ..same };
        assert!(shown(Some(Ok(empty)), "harbor", (80, 10)).contains("production has nothing good yet"));
    }
}
