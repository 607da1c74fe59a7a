//! What a report means for the tape: lines into the merge, states into markers and standings.

use std::time::Instant;

use chrono::Utc;

use super::{HUNT_HELD, LogDesk, MARKERS};
use crate::{
    engine::logs::{LogReport, LogState},
    logs::{Entry, Marker, MarkerKind, SourceId, Stamp, Standing, Tape},
};

impl LogDesk {
    /// Takes one report; whether how a reading stands changed.
    pub(super) fn take(&mut self, report: LogReport, tape: &mut Tape, now: Instant) -> bool {
        match report {
            LogReport::Lines { source, lines, scanned } => {
                self.heard(source);
                let (hunt, cast) = tape.hunt_and_cast();
                let is_hunt = hunt.is_some();
                if let Some(hunt) = hunt {
                    hunt.scanned(cast, source, scanned, lines.len() as u64);
                }
                for line in lines {
                    let entry = Entry::Line(line);
                    if is_hunt {
                        self.held += entry.cost();
                    }
                    self.merge.push(source, entry, now);
                }
                if is_hunt && self.held > HUNT_HELD {
                    self.cut_short(tape);
                }
                is_hunt
            }
            LogReport::State { source, state, at } => {
                if !matches!(state, LogState::Reading) {
                    self.heard(source);
                }
                self.stand(source, state, Stamp::of(at), tape, now);
                true
            }
        }
    }

    fn heard(&mut self, source: SourceId) {
        if let Some((awaited, _)) = &mut self.gathering {
            awaited.remove(&source);
        }
    }

    fn stand(&mut self, source: SourceId, state: LogState, at: Stamp, tape: &mut Tape, now: Instant) {
        let (standing, kind) = match &state {
            LogState::Queued => {
                let reason = "too many logs of this host are followed; it waits for its turn".into();
                (Standing::Queued, tape.as_hunt().is_none().then_some(MarkerKind::Unreadable { reason }))
            }
            LogState::Reading => (Standing::Reading, None),
            LogState::Broken { .. } => (Standing::Broken, None),
            LogState::Gap { away, .. } => (Standing::Reading, Some(MarkerKind::Gap { away: *away })),
            LogState::Waiting => (Standing::Waiting, None),
            LogState::Done | LogState::Gone => (Standing::Over, None),
            LogState::Failed { reason } => (Standing::Failed, Some(MarkerKind::Unreadable { reason: reason.clone() })),
        };
        tape.set_standing(source, standing);
        if let (Some(kind), Some(member)) = (kind, tape.source(source)) {
            let marker = |at| Marker { at, host: member.key.host.clone(), source: Some((member.id, member.name.clone())), kind };
            match &state {
                // In the source's own lane: before the lines that follow it.
                LogState::Gap { after, .. } => self.merge.push(source, Entry::Marker(marker(*after)), now),
                // A search tells what it missed in a list of its own.
                _ if tape.as_hunt().is_some() => {}
                _ => self.merge.push(MARKERS, Entry::Marker(marker(at)), now),
            }
        }
        let (hunt, cast) = tape.hunt_and_cast();
        let Some(hunt) = hunt else {
            if state.is_last() {
                self.merge.close(source);
            }
            return;
        };
        match &state {
            LogState::Done => hunt.ended(cast, source, None, at),
            LogState::Gone => hunt.ended(cast, source, Some("the container was removed, and its log with it"), at),
            LogState::Failed { reason } => hunt.ended(cast, source, Some(reason), at),
            LogState::Gap { .. } => {
                hunt.fell_short(cast, source, Some("a part may be missing: the log was rotated while the link was lost"), at);
            }
            LogState::Queued | LogState::Reading | LogState::Broken { .. } | LogState::Waiting => {}
        }
        if state.is_last() {
            self.merge.close(source);
        }
    }

    /// Ends a search that found more than can be held while its order is open.
    fn cut_short(&mut self, tape: &mut Tape) {
        self.reader = None;
        let open: Vec<SourceId> = {
            let cast = tape.cast();
            cast.sources().iter().map(|source| source.id).filter(|id| tape.is_open(*id)).collect()
        };
        let at = Stamp::of(Utc::now());
        let why = format!("more than {} matched; narrow the search", crate::text::bytes(HUNT_HELD as u64));
        for id in open {
            tape.set_standing(id, Standing::Failed);
            self.merge.close(id);
            let (hunt, cast) = tape.hunt_and_cast();
            if let Some(hunt) = hunt {
                hunt.ended(cast, id, Some(&why), at);
            }
        }
    }
}
