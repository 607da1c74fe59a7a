//! `make screenshots`: draws `screenshots/*.svg` with the real renderer, from the simulated fleet over its real sockets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::Utc;
use crossterm::event::{KeyCode, KeyEvent};
use quarterdeck::{
    action::Command,
    config::Endpoint,
    engine::{Engine, HostCommand, Question, Report, Target},
    fleet::{EnvironmentId, HostId, HostSpec},
    rights::Rights,
    runtime::{Effect, Settings, State},
    sim::{Scenario, spawn_in_thread},
    ui::{
        keymap,
        panel::Refresh,
        screen::Screen,
        svg::{SvgOptions, svg},
        theme::{self, Capabilities},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};
use tokio::sync::mpsc;

/// A picture: file, theme, size, keys typed.
const PICTURES: [(&str, &str, (u16, u16), &str); 8] = [
    ("versions", "harbor", (140, 36), ""),
    ("versions-light", "harbor-light", (140, 36), ""),
    ("versions-80x24", "harbor", (80, 24), ""),
    ("containers", "harbor", (140, 36), "2"),
    ("hosts", "fjord", (140, 36), "3"),
    ("events", "harbor", (140, 36), "8"),
    ("palette", "ember", (140, 36), ":"),
    ("inspect", "harbor", (140, 36), "2i"),
];

fn main() {
    let dir = std::env::temp_dir().join(format!("quarterdeck-screenshots-{}", std::process::id()));
    let fleet = spawn_in_thread(Scenario::open("harbor").unwrap(), &dir).unwrap();
    let targets: Vec<Target> = fleet
        .hosts()
        .iter()
        .map(|host| Target {
            spec: HostSpec {
                id: HostId::new(&host.name),
                url: format!("sim://{}", host.name).into(),
                environment: Some(EnvironmentId::new(&host.environment)),
                tags: Vec::new(),
                unprotected: false,
            },
            endpoint: Endpoint::Unix { path: host.socket.clone() },
        })
        .collect();
    std::fs::create_dir_all("screenshots").unwrap();
    for (name, theme, size, keys) in PICTURES {
        let picture = draw(&targets, theme, size, keys);
        std::fs::write(Path::new("screenshots").join(format!("{name}.svg")), picture).unwrap();
        println!("screenshots/{name}.svg");
    }
    drop(fleet);
    let _ = std::fs::remove_dir_all(&dir);
}

/// The screen after these keys, once everything that was asked for is there.
fn draw(targets: &[Target], theme: &str, (width, height): (u16, u16), keys: &str) -> String {
    let can = Capabilities::detect(|name| match name {
        "COLORTERM" => Some("truecolor".to_owned()),
        "TERM" => Some("xterm-256color".to_owned()),
        "LANG" => Some("C.UTF-8".to_owned()),
        _ => None,
    });
    let settings = Settings {
        theme: theme::load(theme, None, can).0,
        keymap: keymap::load("default", None).0,
        clock: true,
        mouse: true,
        simulated: true,
        kept: quarterdeck::runtime::Kept::default(),
        load_theme: Box::new(move |name| Ok(theme::load(name, None, can).0)),
    };
    let specs = targets.iter().map(|target| target.spec.clone()).collect();
    let mut state = State::new(specs, Vec::new(), Rights::Act, settings, Utc::now());
    let (engine, mut reports) = Engine::start(targets.to_vec(), Rights::Act).unwrap();
    let mut screen = Screen::default();
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let mut typed = keys.chars();
    // Quiet for a while: nothing more comes that was asked for.
    let mut last_news = Instant::now();
    let mut next_key = Instant::now() + Duration::from_millis(1500);
    loop {
        if drain(&mut reports, &mut state, &mut screen) {
            last_news = Instant::now();
        }
        let settled = state.settle(Utc::now());
        screen.refresh(settled.refresh().unwrap_or(Refresh::All), &state.view());
        if Instant::now() > next_key
            && let Some(key) = typed.next()
        {
            let requests = screen.key(KeyEvent::from(KeyCode::Char(key)), &state.view());
            for effect in requests.into_iter().flat_map(|request| state.update(request)) {
                if let Effect::Engine(Command::ReadInspect { request, container }) = effect {
                    let asked = HostCommand::Ask { request, question: Question::InspectRaw(container.id.clone()) };
                    assert!(engine.command(&container.host, asked));
                }
            }
            next_key = Instant::now() + Duration::from_millis(300);
            last_news = Instant::now();
        }
        buffer.reset();
        screen.render(&mut buffer, area, &state.view());
        let rows = screen.visible(&state.view());
        for key in rows {
            if state.view().fleet.container(&key).is_some_and(|container| container.restarts.is_none()) {
                let _asked_again_next_round = engine.command(&key.host, HostCommand::Inspect(vec![key.id.clone()]));
            }
        }
        if typed.as_str().is_empty() && Instant::now() > next_key && last_news.elapsed() > Duration::from_millis(700) {
            break;
        }
        if next_key.elapsed() > Duration::from_secs(8) {
            break;
        }
        std::thread::sleep(Duration::from_millis(40));
    }
    let view = state.view();
    svg(&buffer, &SvgOptions::of(view.theme))
}

fn drain(reports: &mut mpsc::Receiver<Report>, state: &mut State, screen: &mut Screen) -> bool {
    let mut news = false;
    while let Ok(report) = reports.try_recv() {
        match report {
            Report::Delta(delta) => news |= state.apply(delta),
            Report::Answer(answer) => {
                screen.answer(&answer);
                news = true;
            }
            // Nobody asks for it here.
            Report::History { .. } | Report::Stock { .. } | Report::Measured(_) | Report::Acted { .. } => {}
        }
    }
    news
}
