//! The reading side of the open stream: takes what the engines say, puts it in order, and hands it to the [`Tape`] that the screen shows.
//!
//! It works in turns of a bounded time between two looks at the keyboard, so that no container writes fast enough to make a frame late.
//! What there is no time or no room for stays in the reader's bounded queue; when that is full the engines wait, and their own logs keep
//! what is not read yet.

mod export;
mod take;

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use self::export::ExportJob;
use crate::{
    engine::logs::{LogMode, LogOrder, LogPort, LogReader, LogReport},
    logs::{CastStep, Entry, ExportForm, Filter, Merge, Source, SourceId, Tape},
};

/// How long one turn may take lines out of the queue and into the tape.
const SHARE: Duration = Duration::from_millis(4);
/// How long it may work on filters and searches beside that.
const WORK: Duration = Duration::from_millis(3);
/// Between two turns that nobody's key asked for: lines that come one by one are taken together.
const REST: Duration = Duration::from_millis(6);
/// A piece of work on filters and searches, in bytes of the ring: some hundred microseconds.
const PIECE: usize = 128 << 10;
/// The first lines of several logs wait this long for each other, so that the past appears in its order.
const GATHER: Duration = Duration::from_millis(400);
/// So many items may wait in the merge for their turn; more stay in the queue.
const WAITING: usize = 200_000;
/// What a search may hold while slower logs keep the order open. Beyond it, it ends and says so.
const HUNT_HELD: usize = 256 << 20;
/// Markers are a source of their own in the merge.
const MARKERS: SourceId = SourceId(u32::MAX);

/// The desk. Closing the stream, or dropping the desk, ends every reading.
pub struct LogDesk {
    port: LogPort,
    reader: Option<LogReader>,
    merge: Merge<Entry>,
    /// Sources whose first lines are waited for, and until when.
    gathering: Option<(HashSet<SourceId>, Instant)>,
    /// Until then nothing is taken.
    rest: Instant,
    /// Whether there was more than the last turn could do.
    behind: bool,
    /// Bytes in the merge of a search.
    held: usize,
    export: Option<ExportJob>,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub struct Turn {
    /// Whether the screen may look different.
    pub news: bool,
    /// One line for the foot.
    pub note: Option<String>,
}

impl LogDesk {
    /// A desk with nothing on it.
    pub fn new(port: LogPort, now: Instant) -> Self {
        Self { port, reader: None, merge: Merge::live(), gathering: None, rest: now, behind: false, held: 0, export: None }
    }

    /// Begins to read a stream; `steps` are its first members. What was read before is read no further.
    pub fn open(&mut self, tape: &Tape, steps: Vec<CastStep>, now: Instant) {
        let (mode, filter, merge) = match tape.as_hunt() {
            None => (LogMode::Follow, Filter::new(), Merge::live()),
            Some(hunt) => {
                let mut filter = Filter::new();
                // What is no expression is refused where it is typed.
                if filter.include(&hunt.pattern).is_err() {
                    return;
                }
                (LogMode::Search, filter, Merge::whole())
            }
        };
        self.close();
        self.merge = merge;
        self.reader = Some(self.port.open(mode, filter));
        (self.rest, self.behind) = (now, false);
        if tape.as_hunt().is_some() {
            tape.cast().sources().iter().for_each(|source| self.merge.open(source.id));
        } else {
            let awaited: HashSet<SourceId> = tape.cast().sources().iter().map(|source| source.id).collect();
            self.gathering = (awaited.len() > 1).then_some((awaited, now + GATHER));
        }
        self.obey(tape, steps, now);
    }

    /// Reads no further.
    pub fn close(&mut self) {
        self.reader = None;
        self.merge = Merge::live();
        self.gathering = None;
        self.held = 0;
    }

    /// Does what the cast says.
    pub fn obey(&mut self, tape: &Tape, steps: Vec<CastStep>, now: Instant) {
        for step in steps {
            let Some(reader) = &mut self.reader else { return };
            match step {
                CastStep::Join { source, fresh } => reader.add(order(tape, &source, fresh)),
                // A task whose container is gone ends by itself, with the last line that the engine had for it.
                CastStep::Wake(source) | CastStep::Leave(source) => reader.wake(source),
                CastStep::Mark(marker) => self.merge.push(MARKERS, Entry::Marker(marker), now),
            }
        }
    }

    /// Writes what the tape shows to a file, piece by piece in the turns that follow.
    pub fn export(&mut self, tape: &Tape, form: ExportForm, path: PathBuf) -> Result<(), std::io::Error> {
        self.export = Some(ExportJob::begin(tape, form, path)?);
        Ok(())
    }

    /// Whether an export is under way.
    pub fn is_exporting(&self) -> bool {
        self.export.is_some()
    }

    /// Whether a report would be taken now.
    pub fn listens(&self, tape: Option<&Tape>, now: Instant) -> bool {
        self.reader.is_some() && now >= self.rest && !self.behind && tape.is_some_and(|tape| self.has_room(tape))
    }

    /// Whether what is taken finds room. The whole answer that a search waits for is bounded by itself.
    fn has_room(&self, tape: &Tape) -> bool {
        (self.merge.held() <= WAITING || tape.as_hunt().is_some()) && !tape.shelf().must_wait()
    }

    /// The next report. Waits for ever when nothing is read; cancel-safe.
    pub async fn arrival(&mut self) -> Option<LogReport> {
        match &mut self.reader {
            Some(reader) => reader.next().await,
            None => std::future::pending().await,
        }
    }

    /// When a turn is due even if nothing arrives.
    pub fn due(&self, tape: Option<&Tape>, now: Instant) -> Option<Instant> {
        let tape = tape?;
        if self.behind || self.export.is_some() || !tape.shelf().is_settled() {
            return Some(self.rest.max(now));
        }
        let gathered = self.gathering.as_ref().map(|(_, until)| *until);
        // What is looked at must not make room: then only a key goes on.
        let merged = if tape.shelf().must_wait() { None } else { self.merge.due(now) };
        let rested = (self.reader.is_some() && self.rest > now).then_some(self.rest);
        [gathered.or(merged), rested, tape.ticks_at()].into_iter().flatten().min()
    }

    /// One turn: `first` has arrived already, and what else is there is taken as far as the time reaches.
    pub fn turn(&mut self, first: Option<LogReport>, tape: &mut Tape) -> Turn {
        let start = Instant::now();
        let before = (tape.shelf().ring().numbers(), tape.shelf().shown(), tape.shelf().is_settled());
        let mut turn = Turn::default();
        let mut stood = first.map(|report| self.take(report, tape, start)).unwrap_or_default();
        self.behind = false;
        if start >= self.rest {
            stood |= self.drain(tape, start);
            self.rest = start + REST;
        }
        self.give_out(tape, start);
        if self.merge.held() == 0 {
            stood |= tape.tell_missing();
        }
        let limit = Instant::now() + WORK;
        while !tape.shelf_mut().work(PIECE) && Instant::now() < limit {}
        if let Some(job) = &mut self.export
            && let Some(note) = job.work(tape, limit)
        {
            self.export = None;
            turn.note = Some(note);
        }
        let ticked = tape.tick(start);
        turn.news = ticked || stood || before != (tape.shelf().ring().numbers(), tape.shelf().shown(), tape.shelf().is_settled());
        turn
    }

    /// Takes reports while there is time and room.
    fn drain(&mut self, tape: &mut Tape, start: Instant) -> bool {
        let mut stood = false;
        loop {
            if !self.has_room(tape) {
                break;
            }
            if start.elapsed() > SHARE {
                self.behind = true;
                break;
            }
            let Some(report) = self.reader.as_mut().and_then(LogReader::try_next) else { break };
            stood |= self.take(report, tape, start);
        }
        stood
    }

    /// Hands what has its turn to the tape.
    fn give_out(&mut self, tape: &mut Tape, now: Instant) {
        if self.gathering.as_ref().is_some_and(|(awaited, until)| !awaited.is_empty() && now < *until) {
            return;
        }
        self.gathering = None;
        while !tape.shelf().must_wait() {
            let Some(entry) = self.merge.pop(now) else { return };
            self.held = self.held.saturating_sub(entry.cost());
            tape.push(entry);
        }
    }
}

fn order(tape: &Tape, source: &Source, fresh: bool) -> LogOrder {
    let span = tape.span();
    // What began after the stream is read from its first line.
    let tail = if fresh { None } else { tape.tail() };
    LogOrder { source: source.id, container: source.key.clone(), since: span.since, until: span.until, tail }
}
