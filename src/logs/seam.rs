//! Reading on after a broken link: no line lost, none twice.
//!
//! What is measured of dockerd: stamps are not monotonic across a container's two streams, `since` is exact and inclusive, and `since`
//! without `tail` makes the engine read the whole file. So a new answer begins two seconds before the last second seen, is limited to a
//! number of lines that is sure to reach back that far, and what the memory of the last seconds holds is dropped. The answer comes in the
//! order of the file, so its first line decides: known, and nothing is missing; unknown, and either the limit was too small (ask for more)
//! or the file was rotated in between, which no engine reports: a possible gap.
//!
//! Engines also stumble over a rotation in the middle of an answer (measured with 20.10): they tell the old file again, and leave out as much
//! of the new one. What is told again gives that away; what was left out is still there for who asks anew.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{LogLine, Stamp};

/// How far before the last second seen a new answer begins.
const OVERLAP_SECONDS: i64 = 2;
/// How much of what was seen is remembered, by the lines' own stamps: the overlap, the begun second, and room for inversions.
const MEMORY: i64 = 5_000_000_000;
/// And no more lines than these (4 MiB); a flood that fills them moves the beginning of the next answer later instead.
const MEMORY_LINES: usize = 1 << 18;
/// A stamp this far before the newest is no inversion: the host's clock was set back.
const SET_BACK: i64 = 2_000_000_000;
/// Lines of the two streams are written in another order than they are stamped, but not by more than this.
const INVERSION: i64 = 100_000_000;
/// The smallest limit of an answer.
const TAIL: u64 = 1000;
/// How often the limit is doubled before the whole file is asked for.
const DOUBLINGS: u32 = 6;

/// The memory of one container's stream.
#[derive(Clone, Debug, Default)]
pub struct Seam {
    seen: VecDeque<(Stamp, u64)>,
    newest: Option<Stamp>,
    /// The first line ever seen: what lies before it was never asked for.
    first: Option<Stamp>,
    /// The newest line that had to be forgotten while it was still of use.
    forgotten: Option<Stamp>,
    resume: Option<Resume>,
}

/// An answer that continues an earlier one.
#[derive(Clone, Debug)]
struct Resume {
    /// What was seen before and may come again, with how often.
    known: HashMap<u64, u32>,
    /// The newest stamp before the break.
    newest: Stamp,
    /// Nothing of the answer was looked at yet.
    first: bool,
    /// Whether more could be asked for.
    limited: bool,
    /// The very first line: what the answer holds before it was never asked for.
    beginning: Option<Stamp>,
}

/// How to ask for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continue {
    /// The beginning, inclusive.
    pub since: Stamp,
    /// At most so many lines; `None`: the whole file.
    pub tail: Option<u64>,
}

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is new.
    New,
    /// It was told before.
    Known,
    /// It was told before by this same answer: the engine lost its place in a rotated file, and this answer cannot be trusted further.
    Again,
    /// The answer does not reach back to what was seen: ask again for more, forget this answer.
    TooShort,
    /// It is new, but what lies between it and what was seen before may be lost: the log was rotated.
    Gap,
}

impl Seam {
    /// A memory of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest stamp seen; `None` before the first line.
    pub fn newest(&self) -> Option<Stamp> {
        self.newest
    }

    /// How to continue after a break that lasted `away`, on the `attempt`th try (from 0) for this break. `None`: nothing was seen, so the first
    /// question stands.
    ///
    /// Until the next call, [`Seam::judge`] expects the lines of that answer.
    pub fn resume(&mut self, away: Duration, attempt: u32) -> Option<Continue> {
        let newest = self.newest?;
        let begin = Stamp(newest.floor().saturating_mul(1_000_000_000)).earlier(OVERLAP_SECONDS);
        let since = self.forgotten.map_or(begin, |forgotten| begin.max(Stamp(forgotten.0 + 1)));
        let mut known: HashMap<u64, u32> = HashMap::with_capacity(self.seen.len());
        for (_, mark) in &self.seen {
            *known.entry(*mark).or_default() += 1;
        }
        let span = self.seen.front().map_or(1, |(oldest, _)| (newest.0 - oldest.0).max(1_000_000_000));
        let rate = self.seen.len() as f64 / (span as f64 / 1e9);
        let expected = (rate * (away.as_secs_f64() + 3.0) * 4.0) as u64;
        let tail = (attempt < DOUBLINGS).then(|| expected.max(TAIL).saturating_mul(1 << attempt));
        self.resume = Some(Resume { known, newest, first: true, limited: tail.is_some(), beginning: self.first });
        Some(Continue { since, tail })
    }

    /// Judges the next line of an answer, in its order, and remembers it.
    pub fn judge(&mut self, line: &LogLine) -> Verdict {
        let mark = mark(line);
        let verdict = self.compare(line.at, mark);
        match verdict {
            Verdict::New | Verdict::Gap => self.remember(line.at, mark),
            Verdict::Known | Verdict::Again | Verdict::TooShort => {}
        }
        verdict
    }

    /// The answer is over. [`Verdict::New`]: all is well; otherwise as [`Seam::judge`]: not even the overlap came.
    pub fn end(&mut self) -> Verdict {
        match self.resume.take() {
            Some(Resume { first: true, limited: true, .. }) => Verdict::TooShort,
            Some(Resume { first: true, limited: false, .. }) => Verdict::Gap,
            Some(Resume { first: false, .. }) | None => Verdict::New,
        }
    }

    fn compare(&mut self, at: Stamp, mark: u64) -> Verdict {
        match self.compare_with_break(at, mark) {
            Verdict::New if self.is_told(at, mark) => Verdict::Again,
            verdict => verdict,
        }
    }

    fn compare_with_break(&mut self, at: Stamp, mark: u64) -> Verdict {
        let Some(resume) = &mut self.resume else { return Verdict::New };
        let count = resume.known.get_mut(&mark).filter(|count| **count > 0);
        let known = count.is_some();
        if let Some(count) = count {
            *count -= 1;
        }
        // The answer comes in the file's order: what is new comes after all that is known.
        if !known && resume.first && resume.beginning.is_some_and(|beginning| at <= beginning) {
            return Verdict::Known;
        }
        let first = std::mem::replace(&mut resume.first, false);
        let verdict = match (known, first) {
            (true, _) => Verdict::Known,
            (false, false) => Verdict::New,
            (false, true) if resume.limited => Verdict::TooShort,
            (false, true) => Verdict::Gap,
        };
        let beyond = at.0 > resume.newest.0.saturating_add(MEMORY);
        if beyond || verdict == Verdict::TooShort {
            self.resume = None;
        }
        verdict
    }

    /// Whether this very line stands before the newest. Equal lines of one stamp, where a clock is coarse, follow each other.
    fn is_told(&self, at: Stamp, mark: u64) -> bool {
        self.newest.is_some_and(|newest| at < newest)
            && self.seen.iter().rev().take_while(|(then, _)| then.0 >= at.0 - INVERSION).any(|(_, seen)| *seen == mark)
    }

    fn remember(&mut self, at: Stamp, mark: u64) {
        let newest = match self.newest {
            Some(newest) if at.0 < newest.0 - SET_BACK => {
                self.seen.clear();
                (self.forgotten, self.first) = (None, None);
                at
            }
            Some(newest) => newest.max(at),
            None => at,
        };
        self.newest = Some(newest);
        self.first.get_or_insert(at);
        self.seen.push_back((at, mark));
        while let Some((oldest, _)) = self.seen.front()
            && oldest.0 < newest.0 - MEMORY
        {
            self.seen.pop_front();
        }
        if self.seen.len() > MEMORY_LINES
            && let Some((oldest, _)) = self.seen.pop_front()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
    }
}

/// Tells a line by stream, stamp and bytes. Not against malice: a container that makes collisions hides its own lines only.
fn mark(line: &LogLine) -> u64 {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(K);
    let bytes = line.text.bytes();
    let mut hash = mix(mix(bytes.len() as u64, line.stream as u64), line.at.0.cast_unsigned());
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    for byte in rest {
        hash = mix(hash, u64::from(*byte));
    }
    hash
}

#[cfg(test)]
mod tests;
