//! The way of each app from commit to production, one row of lanes an app; below, all that is known of the lane under the cursor. Owns the
//! cursor, which holds a lane and not a place on the screen, and which hosts stand out.

mod detail;
mod drift;
mod empty;
mod lane;
mod layout;
mod row;
#[cfg(test)]
pub(in crate::ui) mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    action::Action,
    board::{Order, Watch, lanes},
    fleet::{AppName, ContainerKey, EnvironmentId},
    text::counted,
    ui::{
        panel::{Outcome, Panel, PanelId, Refresh, Selection},
        screen::Request,
        theme::Symbol,
        view::View,
    },
};
use drift::Odd;
use lane::Lane;
pub(in crate::ui) use lane::span;

/// So many facts of the pane below are one page.
const PAGE: usize = 4;

/// The panel.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The app under the cursor; `None`: the first.
    app: Option<AppName>,
    /// The lane under the cursor; an app that has none of this name shows its last.
    lane: Option<Lane>,
    /// The first app that is shown.
    offset: usize,
    /// The first lane that is shown, where not all have room.
    first: usize,
    /// Facts of the pane below that are scrolled past.
    skipped: usize,
    /// Hosts that do not run what is good, by place.
    odd: BTreeMap<(AppName, EnvironmentId), Vec<Odd>>,
    /// Where the last frame put which lane.
    placed: Vec<(Rect, AppName, Lane)>,
}

impl Delivery {
    /// Works out what every lane's hosts run.
    fn look(&mut self, view: &View<'_>) {
        self.odd.clear();
        for way in view.board.lanes.ways.iter().flatten() {
            for stop in &way.stops {
                let odd = drift::odd(&way.app, stop, view.fleet);
                if !odd.is_empty() {
                    self.odd.insert((way.app.clone(), stop.environment.clone()), odd);
                }
            }
        }
    }

    /// Which app and lane the cursor is on, by their places.
    fn place(&self, ways: &[lanes::Way]) -> Option<(usize, usize)> {
        let app = self.app.as_ref().and_then(|app| ways.iter().position(|way| way.app == *app)).unwrap_or(0);
        let lanes = lane::of(ways.get(app)?);
        let lane = match &self.lane {
            Some(lane) => lanes.iter().position(|one| one == lane).unwrap_or(lanes.len().saturating_sub(1)),
            // The first environment: where what was built comes first.
            None => 2.min(lanes.len().saturating_sub(1)),
        };
        Some((app, lane))
    }

    /// Goes to an app, and to one of its lanes; without one it stays in the lane of the same name.
    fn go(&mut self, ways: &[lanes::Way], app: usize, lane: Option<usize>) {
        let Some(way) = ways.get(app) else { return };
        self.app = Some(way.app.clone());
        if let Some(lane) = lane {
            self.lane = lane::of(way).into_iter().nth(lane);
        }
        self.skipped = 0;
    }

    fn step(&mut self, action: Action, view: &View<'_>) -> Outcome {
        let ways = view.board.lanes.ways.as_deref().unwrap_or_default();
        let Some((app, lane)) = self.place(ways) else { return Outcome::Ignored };
        let lanes = ways.get(app).map_or(0, |way| lane::of(way).len());
        match action {
            Action::ListMoveUp => self.go(ways, app.saturating_sub(1), None),
            Action::ListMoveDown => self.go(ways, (app + 1).min(ways.len().saturating_sub(1)), None),
            Action::ListMoveLeft => self.go(ways, app, Some(lane.saturating_sub(1))),
            Action::ListMoveRight => self.go(ways, app, Some((lane + 1).min(lanes.saturating_sub(1)))),
            Action::ListMoveFirst => self.go(ways, 0, None),
            Action::ListMoveLast => self.go(ways, ways.len().saturating_sub(1), None),
            Action::ListPageUp => self.skipped = self.skipped.saturating_sub(PAGE),
            Action::ListPageDown => self.skipped += PAGE,
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }
}

impl Panel for Delivery {
    fn id(&self) -> PanelId {
        PanelId::Delivery
    }

    fn subtitle(&self, view: &View<'_>) -> String {
        let Some(ways) = &view.board.lanes.ways else { return "apps".to_owned() };
        let stops = || ways.iter().flat_map(|way| &way.stops);
        let waiting = stops().flat_map(|stop| &stop.tries).filter(|one| one.missing() > 0).count();
        let frozen = stops().filter(|stop| stop.frozen.is_some()).count();
        let dot = format!(" {} ", view.theme.symbol(Symbol::Dot));
        let waits = if waiting == 1 { "1 waits for a yes".to_owned() } else { format!("{waiting} wait for a yes") };
        let figures = [(ways.len(), counted(ways.len(), "app")), (waiting, waits), (frozen, format!("{frozen} frozen"))];
        let told: Vec<String> = figures.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        if told.is_empty() { "no app".to_owned() } else { told.join(&dot) }
    }

    fn aside(&self, view: &View<'_>) -> Option<String> {
        let ways = view.board.lanes.ways.as_ref()?;
        let oldest = ways.iter().filter_map(|way| way.source.at).min()?;
        Some(format!(" repositories as of {} ago ", view.calm_age(oldest)))
    }

    fn refresh(&mut self, _: Refresh<'_>, view: &View<'_>) {
        self.look(view);
    }

    fn keeps_up(&self) -> bool {
        false
    }

    fn enter(&mut self, view: &View<'_>) {
        self.look(view);
    }

    fn selection(&self, view: &View<'_>) -> Selection {
        let ways = view.board.lanes.ways.as_deref().unwrap_or_default();
        let Some((app, lane)) = self.place(ways) else { return Selection::Nothing };
        let environment = match ways.get(app).map(lane::of).and_then(|lanes| lanes.into_iter().nth(lane)) {
            Some(Lane::Environment(environment)) => Some(environment),
            Some(Lane::Commits | Lane::Build) | None => None,
        };
        ways.get(app).map_or(Selection::Nothing, |way| Selection::Lane { app: way.app.clone(), environment })
    }

    fn act(&mut self, action: Action, view: &View<'_>) -> Outcome {
        match action {
            Action::SelectionOpen => match self.selection(view) {
                Selection::Lane { app, environment } => {
                    let place = environment.map_or_else(String::new, |environment| format!(" env:{environment}"));
                    Outcome::Go { panel: PanelId::History, filter: Some(format!("app:{app}{place}")) }
                }
                _ => Outcome::Ignored,
            },
            Action::DeliveryReload if view.simulated => Outcome::Say(lanes::SIMULATED.to_owned()),
            Action::DeliveryReload => Outcome::Request(Request::Deliver(Order::Lanes(lanes::Order::Reload))),
            other => self.step(other, view),
        }
    }

    fn click(&mut self, x: u16, y: u16, _: &View<'_>) -> Outcome {
        let hit = self.placed.iter().find(|(place, ..)| place.contains((x, y).into()));
        let Some((_, app, lane)) = hit else { return Outcome::Ignored };
        (self.app, self.lane, self.skipped) = (Some(app.clone()), Some(lane.clone()), 0);
        Outcome::Done
    }

    fn render(&mut self, buffer: &mut Buffer, area: Rect, view: &View<'_>) {
        self.placed.clear();
        if area.is_empty() {
            return;
        }
        let page = &view.board.lanes;
        let ways = page.ways.as_deref().unwrap_or_default();
        let Some((app, lane)) = self.place(ways) else { return empty::render(buffer, area, view) };
        let heights: Vec<u16> = ways.iter().map(|way| row::height(way, self, view)).collect();
        let rows = layout::rows(&heights, app, self.offset, area.height);
        self.offset = rows.first;
        let mut y = 0;
        for (index, height) in rows.shown {
            let Some(way) = ways.get(index) else { continue };
            let height = height.min(area.height - y);
            let body = Rect { y: area.y + y, height, ..area };
            let current = (index == app).then_some(lane);
            let columns = layout::columns(lane::of(way).len(), current.unwrap_or(lane), self.first, area.width);
            if current.is_some() {
                self.first = columns.first;
            }
            for (place, lane) in row::render(buffer, body, way, (&columns, current), self, view) {
                let place = Rect { x: place.x - area.x, y: place.y - area.y, ..place };
                self.placed.push((place, way.app.clone(), lane));
            }
            y += height;
        }
        let below = rows.hidden;
        let pane = Rect { y: area.y + y, height: area.height.saturating_sub(y), ..area };
        let odd = |stop: &lanes::Stop| {
            let place = ways.get(app).map(|way| (way.app.clone(), stop.environment.clone()));
            place.and_then(|place| self.odd.get(&place)).map_or(&[][..], Vec::as_slice)
        };
        if let Some(way) = ways.get(app) {
            let facts = detail::facts(way, lane, odd, view);
            let skipped = self.skipped.min(facts.len().saturating_sub(1));
            detail::render(buffer, pane, way, lane, (facts.get(skipped..).unwrap_or_default(), below), view);
            self.skipped = skipped;
        }
    }

    fn hints(&self) -> &'static [Action] {
        &[
            Action::DeliveryDeploy,
            Action::DeliveryPromote,
            Action::DeliveryRollBack,
            Action::DeliveryBuild,
            Action::DeliveryApprove,
            Action::DeliveryCompare,
            Action::DeliveryFreeze,
            Action::SelectionOpen,
            Action::ChangesShow,
            Action::DeliveryReject,
            Action::TemplateOpen,
            Action::DeliveryReload,
            Action::GlobalOpenHelp,
        ]
    }

    fn visible(&self, _: &View<'_>) -> Vec<ContainerKey> {
        Vec::new()
    }

    fn watches(&self, view: &View<'_>) -> Watch {
        // Nobody keeps records of a simulated fleet: there is nothing to read.
        if view.simulated { Watch::Nothing } else { Watch::Lanes }
    }
}
