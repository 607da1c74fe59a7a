//! The desk on a simulated fleet: what its engines hold comes out once and in order, whatever happens to the containers meanwhile.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::Utc;
use tokio::sync::mpsc;

use super::*;
use crate::{
    config::Endpoint,
    engine::{Engine, HostCommand, Report, Target},
    fleet::{HostId, HostSpec},
    logs::{CastRule, LogWish, MarkerKind, Span, Standing},
    rights::Rights,
    runtime::{Effect, Settings, State},
    sim::{Act, Scenario, Simulation},
    ui::{keymap, screen::Request, theme},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A console without a screen: its loop's part that concerns logs.
struct Deck {
    state: State,
    desk: LogDesk,
    reports: mpsc::Receiver<Report>,
    notes: Vec<String>,
    engine: Engine,
}

impl Deck {
    fn over(fleet: &Simulation) -> Self {
        let target = |host: &crate::sim::SimHost| Target {
            spec: HostSpec {
                id: HostId::new(&host.name),
                url: "unix://sim".into(),
                environment: Some(host.environment.as_str().into()),
                tags: Vec::new(),
                unprotected: false,
            },
            endpoint: Endpoint::Unix { path: host.socket.clone() },
        };
        let targets: Vec<Target> = fleet.hosts().iter().map(target).collect();
        let can = theme::Capabilities { depth: theme::Depth::None, symbols: theme::SymbolSet::Ascii };
        let settings = Settings {
            theme: theme::load("mono", None, can).0,
            keymap: keymap::load("default", None).0,
            clock: false,
            mouse: false,
            simulated: true,
            kept: Default::default(),
            load_theme: Box::new(|_| Err("none".to_owned())),
        };
        let specs = targets.iter().map(|target| target.spec.clone()).collect();
        let state = State::new(specs, Vec::new(), Rights::view("a test"), settings, Utc::now());
        let (engine, reports) = Engine::start(targets, Rights::view("a test")).unwrap();
        let desk = LogDesk::new(engine.logs().clone(), Instant::now());
        Self { state, desk, reports, notes: Vec::new(), engine }
    }

    fn wish(&mut self, wish: LogWish) {
        for effect in self.state.update(Request::Logs(wish)) {
            match effect {
                Effect::ReadLogs => {
                    let steps = self.state.take_log_steps();
                    let tape = self.state.tape().unwrap();
                    self.desk.open(tape, steps, Instant::now());
                    // As the screen asks for the rows it shows.
                    for key in tape.containers() {
                        let _full = self.engine.command(&key.host, HostCommand::Inspect(vec![key.id.clone()]));
                    }
                }
                Effect::CloseLogs => self.desk.close(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Runs until `holds`, with a deadline.
    async fn until(&mut self, what: &str, holds: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.state) {
            assert!(Instant::now() < deadline, "waited in vain for {what}; {:#?}", self.markers());
            let due = self.desk.due(self.state.tape(), Instant::now()).unwrap_or(deadline).min(deadline);
            let listens = self.desk.listens(self.state.tape(), Instant::now());
            let mut arrived = None;
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some(Report::Delta(delta)) => { self.state.apply(delta); }
                    Some(Report::Answer(_) | Report::History { .. } | Report::Stock { .. } | Report::Measured(_) | Report::Acted { .. }) => {}
                    None => panic!("the engine ended"),
                },
                report = self.desk.arrival(), if listens => arrived = report,
                () = tokio::time::sleep_until(due.min(Instant::now() + Duration::from_millis(100)).into()) => {}
            }
            let steps = self.state.take_log_steps();
            if let Some(tape) = self.state.tape_mut() {
                self.desk.obey(tape, steps, Instant::now());
                self.notes.extend(self.desk.turn(arrived, tape).note);
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.state.tape().unwrap().shelf().ring().range(0..u64::MAX).map(|(_, entry)| entry)
    }

    fn markers(&self) -> Vec<String> {
        match self.state.tape() {
            Some(_) => {
                self.entries().filter_map(|entry| if let Entry::Marker(marker) = entry { Some(marker.text()) } else { None }).collect()
            }
            None => Vec::new(),
        }
    }

    fn lines(&self) -> Vec<&crate::logs::LogLine> {
        self.entries().filter_map(|entry| if let Entry::Line(line) = entry { Some(line) } else { None }).collect()
    }
}

fn lines(state: &State) -> usize {
    state.tape().unwrap().shelf().ring().range(0..u64::MAX).filter(|(_, entry)| matches!(entry, Entry::Line(_))).count()
}

fn harbor(dir: &Path) -> Simulation {
    Simulation::start(Scenario::open("harbor").unwrap(), dir).unwrap()
}

fn rule(selector: &str) -> CastRule {
    CastRule::Matching(crate::fleet::Selector::parse(selector).unwrap())
}

fn open(selector: &str) -> LogWish {
    LogWish::Open { rule: rule(selector), title: selector.to_owned() }
}

/// Every container of the fleet is known.
async fn listed(deck: &mut Deck, fleet: &Simulation) {
    let count = fleet.truth().len();
    let deadline = Instant::now() + PATIENCE;
    while deck.state.view().fleet.counts().0 < count {
        assert!(Instant::now() < deadline, "the fleet is not listed");
        if let Some(Report::Delta(delta)) = deck.reports.recv().await {
            deck.state.apply(delta);
        }
    }
}

#[tokio::test]
async fn the_past_of_many_logs_appears_in_its_order_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = harbor(dir.path());
    let mut deck = Deck::over(&fleet);
    listed(&mut deck, &fleet).await;
    deck.wish(open("service:web host:app-01,app-02"));
    deck.until("the past", |state| lines(state) > 500).await;
    let past = deck.lines().len();
    assert!(deck.lines()[..500].iter().filter(|line| line.late).count() < 5);
    deck.until("more", |state| lines(state) > past + 5).await;
    let mut own: std::collections::HashMap<_, Vec<_>> = std::collections::HashMap::new();
    for line in deck.lines() {
        own.entry(line.source).or_default().push((line.at, line.text.bytes().to_vec()));
    }
    assert_eq!(own.len(), 6);
    for lines in own.values() {
        let mut sorted = lines.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), lines.len(), "no line twice, the order kept");
    }
    assert_eq!(deck.state.tape().unwrap().count(Standing::Reading), own.len());
}

#[tokio::test]
async fn what_happens_to_a_container_stands_in_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = harbor(dir.path());
    let mut deck = Deck::over(&fleet);
    listed(&mut deck, &fleet).await;
    deck.wish(open("host:app-04 service:web"));
    let inspected =
        |state: &State| state.tape().unwrap().containers().all(|key| state.view().fleet.container(key).unwrap().started.is_some());
    deck.until("lines and starts", |state| lines(state) > 10 && inspected(state)).await;
    fleet.act("app-04", "shop-web-1", &Act::Restart).unwrap();
    deck.until("the restart", |state| marked(state, |kind| matches!(kind, MarkerKind::Restarted))).await;
    let before = deck.lines().len();
    deck.until("lines after it", |state| lines(state) > before + 3).await;
    fleet.act("app-04", "shop-web-2", &Act::Remove(true)).unwrap();
    deck.until("the removal", |state| marked(state, |kind| matches!(kind, MarkerKind::Removed))).await;
    assert!(deck.markers().iter().any(|text| text.contains("app-04 shop-web-1 restarted")), "{:?}", deck.markers());
    deck.until("two of three", |state| state.tape().unwrap().sources() == 2).await;
    deck.wish(LogWish::Close);
    assert!(deck.state.tape().is_none() && deck.desk.due(None, Instant::now()).is_none());
}

fn marked(state: &State, is_it: impl Fn(&MarkerKind) -> bool) -> bool {
    let shelf = state.tape().unwrap().shelf();
    shelf.ring().range(0..u64::MAX).any(|(_, entry)| matches!(entry, Entry::Marker(marker) if is_it(&marker.kind)))
}

#[tokio::test]
async fn a_search_asks_every_log_and_lists_what_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = harbor(dir.path());
    let mut deck = Deck::over(&fleet);
    listed(&mut deck, &fleet).await;
    deck.wish(open("service:worker"));
    deck.wish(LogWish::Span(Span { since: Some(crate::logs::Stamp::of(Utc::now()).earlier(1200)), ..Span::default() }));
    fleet.act("app-01", "billing-worker-1", &Act::Remove(true)).unwrap();
    deck.wish(LogWish::Hunt("failed: db".to_owned()));
    deck.until("its end", |state| state.tape().unwrap().as_hunt().is_some_and(|hunt| hunt.told)).await;
    let hunt = deck.state.tape().unwrap().as_hunt().unwrap();
    let total = hunt.total();
    assert_eq!((total.done, deck.lines().len() as u64), (total.logs, total.found));
    assert!(total.found > 0 && total.scanned > total.found && total.logs > 20, "{total:?}");
    assert!(deck.lines().iter().all(|line| line.text.plain().contains("failed: db")));
    assert!(deck.lines().is_sorted_by_key(|line| line.at));
    // The removal may have been seen before the search began: then the log was not to be searched.
    if let [missing] = deck.markers().as_slice() {
        assert!(missing.contains("app-01 billing-worker-1 was not searched: the container was removed"), "{missing}");
    }
}

#[tokio::test]
async fn an_export_writes_what_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = harbor(&dir.path().join("sim"));
    let mut deck = Deck::over(&fleet);
    listed(&mut deck, &fleet).await;
    deck.wish(open("host:app-01 service:api"));
    deck.until("lines", |state| lines(state) > 100).await;
    deck.wish(LogWish::Include("order".to_owned()));
    deck.until("the filter", |state| state.tape().unwrap().shelf().is_settled()).await;
    for form in [ExportForm::Text, ExportForm::JsonLines] {
        let path = dir.path().join(form.extension());
        deck.notes.clear();
        let tape = deck.state.tape().unwrap();
        let expected = tape.shelf().shown();
        deck.desk.export(tape, form, path.clone()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while deck.notes.is_empty() {
            assert!(Instant::now() < deadline, "the export does not end");
            let tape = deck.state.tape_mut().unwrap();
            deck.notes.extend(deck.desk.turn(None, tape).note);
        }
        assert!(deck.notes[0].starts_with(&format!("wrote {} lines to ", crate::text::count(expected as u64))), "{:?}", deck.notes);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), expected);
        assert!(text.lines().all(|line| line.contains("order")), "{text}");
        if form == ExportForm::JsonLines {
            for line in text.lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(row["host"], "app-01");
            }
        }
        assert!(deck.desk.export(deck.state.tape().unwrap(), form, path).is_err(), "no file is overwritten");
    }
}

#[tokio::test]
async fn what_is_held_makes_the_engines_wait_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = harbor(dir.path());
    let mut deck = Deck::over(&fleet);
    listed(&mut deck, &fleet).await;
    deck.wish(LogWish::Open { rule: rule("service:web"), title: String::new() });
    deck.wish(LogWish::Span(Span { tail: Some(20_000), ..Span::default() }));
    deck.until("a beginning", |state| lines(state) > 100).await;
    let oldest = deck.lines()[0].clone();
    deck.wish(LogWish::Hold(Some(deck.state.tape().unwrap().shelf().oldest().unwrap())));
    deck.until("much", |state| lines(state) > 20_000).await;
    assert_eq!(*deck.lines()[0], oldest);
    assert_eq!(deck.state.tape().unwrap().shelf().ring().dropped(), 0);
}
