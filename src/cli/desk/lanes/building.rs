//! A build of the newest commit: first what it would take in, then the verb's own build, with its words as news.

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::Utc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{super::Desk, picture::or_nothing, source};
use crate::{
    board::{
        News,
        lanes::{self, BuildWord, Source, build_run::LINES},
    },
    build::Progress,
    cli::{
        build::{self, Hearer, LayerCount, LayerWord, Link, Named, progress_line},
        exit::Failure,
    },
    fleet::AppName,
    text::clean_line,
};

/// Between two words to the screen: more often nobody could read them.
const WORD: Duration = Duration::from_millis(250);

/// Tells which commits a build would take in.
pub(super) async fn tell_commits(desk: &Rc<Desk>, app: AppName) {
    let result = commits(desk, &app).await.map_err(Failure::words);
    desk.tell(News::Lanes(lanes::News::Commits(app, Utc::now(), result))).await;
}

async fn commits(desk: &Desk, app: &AppName) -> Result<Source, Failure> {
    // An app that is not there is told with the nearest name.
    Named::find(&desk.sources.config, app.as_str())?;
    source::read(desk, app).await;
    let builds = or_nothing(desk.history.ledger().app_builds().newest(app).await)?;
    Ok(source::unbuilt(desk, app, builds.first()).await)
}

/// Builds it, and tells how that goes on. One build of an app at a time.
pub(super) async fn build(desk: &Rc<Desk>, app: &AppName) {
    if !desk.lanes.note(app, |known| !std::mem::replace(&mut known.building, true)) {
        return desk.tell(News::Said(format!("{app} is being built already"))).await;
    }
    let say = |word| desk.tell(News::Lanes(lanes::News::Build(app.clone(), word)));
    say(BuildWord::Begun(Utc::now())).await;
    let heard = Heard::default();
    let mut ear = heard.clone();
    let work = newest(desk, app, &mut ear);
    tokio::pin!(work);
    let mut ticks = interval(WORD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            done = &mut work => break done.map_err(|failure| clean_line(&failure.words())),
            _ = ticks.tick() => {
                for word in heard.words() {
                    say(word).await;
                }
            }
        }
    };
    for word in heard.words() {
        say(word).await;
    }
    desk.lanes.note(app, |known| known.building = false);
    say(BuildWord::Ended(Utc::now(), result)).await;
    desk.lanes.look_again();
}

async fn newest(desk: &Desk, app: &AppName, ear: &mut Heard) -> Result<String, Failure> {
    desk.sources.may_act("build")?;
    let named = Named::find(&desk.sources.config, app.as_str())?;
    // The newest commit: what a work tree has beside it is for who stands in it.
    let rev = named.committed();
    let commit = named.fetch(rev, &desk.sources.config).await?;
    let link = Link::open(&desk.sources).await?;
    let stop = CancellationToken::new();
    let built = build::build(&desk.sources, &commit, &link, &desk.sources.logins, true, &stop, ear).await?;
    Ok(built.version)
}

/// What a build said since somebody listened last. A lock, as a build may speak from another thread; nobody holds it for longer than a line.
#[derive(Clone, Default)]
struct Heard {
    inner: Arc<Mutex<Since>>,
}

#[derive(Default)]
struct Since {
    /// At most as many as are kept: drop oldest.
    lines: VecDeque<String>,
    moving: Option<String>,
    layers: LayerCount,
}

impl Heard {
    fn with<T>(&self, hear: impl FnOnce(&mut Since) -> T) -> T {
        hear(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was said since.
    fn words(&self) -> Vec<BuildWord> {
        self.with(|since| {
            let lines = (!since.lines.is_empty()).then(|| BuildWord::Lines(since.lines.drain(..).collect()));
            lines.into_iter().chain(since.moving.take().map(BuildWord::Moving)).collect()
        })
    }
}

impl Since {
    fn push(&mut self, line: &str) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        // What a step prints begins further right than what it is.
        let indent = line.len() - line.trim_start().len();
        self.lines.push_back(format!("{}{}", " ".repeat(indent), clean_line(line)));
        self.moving = None;
    }
}

impl Hearer for Heard {
    fn take(&mut self, progress: &Progress) {
        self.with(|since| match progress {
            Progress::Layer { id, phase, bytes } => match since.layers.take(id, phase, *bytes) {
                Some(LayerWord::Line(line)) => since.push(&line),
                Some(LayerWord::Moving(text)) => since.moving = Some(text),
                None => {}
            },
            other => {
                since.layers.over();
                if let Some(line) = progress_line(other, true) {
                    since.push(&line);
                }
            }
        });
    }

    fn over(&mut self) {
        self.with(|since| {
            since.layers.over();
            since.moving = None;
        });
    }

    fn remark(&mut self, line: &str) {
        self.with(|since| since.push(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_keeps_its_end_and_foreign_text_is_harmless() {
        let mut ear = Heard::default();
        let heard = ear.clone();
        for line in 0..1000 {
            ear.take(&Progress::Output(format!("line {line} \u{1b}[31m").into()));
        }
        ear.take(&Progress::Layer { id: "a".into(), phase: "Pushing".into(), bytes: Some((1 << 20, None)) });
        let words = heard.words();
        let BuildWord::Lines(lines) = &words[0] else { panic!("{words:?}") };
        assert_eq!((lines.len(), &words[1]), (LINES, &BuildWord::Moving("1 layer, 1.00 MB".into())));
        assert!(lines[0].starts_with("    line 800 ") && !lines[0].contains('\u{1b}'), "{:?}", lines[0]);
        assert_eq!(heard.words(), []);
    }
}
