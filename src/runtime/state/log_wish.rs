//! What a person's wish means for the open stream.

use super::State;
use crate::{
    logs::{CastRule, CastStep, FilterError, LogWish, Span, Stamp, Tape},
    runtime::Effect,
};

impl State {
    /// The open stream.
    pub fn tape(&self) -> Option<&Tape> {
        self.logs.as_ref()
    }

    /// The same, for who reads it.
    pub fn tape_mut(&mut self) -> Option<&mut Tape> {
        self.logs.as_mut()
    }

    /// What the reading side must do because the fleet changed, or because a stream was opened.
    pub fn take_log_steps(&mut self) -> Vec<CastStep> {
        std::mem::take(&mut self.log_steps)
    }

    /// Carries out a wish as far as it concerns what was read already.
    pub(super) fn wish(&mut self, wish: LogWish) -> Vec<Effect> {
        match wish {
            LogWish::Open { rule, title } => self.open(rule, title, Span::default()),
            LogWish::Span(span) => match &self.logs {
                Some(tape) => self.open(tape.rule().clone(), tape.title().to_owned(), span),
                None => Vec::new(),
            },
            LogWish::Hunt(pattern) => self.hunt(pattern),
            LogWish::Close => {
                self.logs = None;
                vec![Effect::CloseLogs]
            }
            LogWish::Export(form) => vec![Effect::ExportLogs(form)],
            LogWish::Include(pattern) => self.change(|tape| tape.shelf_mut().include(&pattern)),
            LogWish::Exclude(pattern) => self.change(|tape| tape.shelf_mut().exclude(&pattern)),
            LogWish::Search(pattern) => self.change(|tape| tape.shelf_mut().seek(&pattern)),
            LogWish::PopFilter => self.change(|tape| {
                tape.shelf_mut().pop_filter();
                Ok(())
            }),
            LogWish::Level(level) => self.change(|tape| {
                tape.shelf_mut().set_level(level);
                Ok(())
            }),
            LogWish::Hold(from) => self.change(|tape| {
                tape.shelf_mut().hold(from);
                Ok(())
            }),
        }
    }

    fn change(&mut self, what: impl FnOnce(&mut Tape) -> Result<(), FilterError>) -> Vec<Effect> {
        let Some(tape) = &mut self.logs else { return Vec::new() };
        match what(tape) {
            Ok(()) => Vec::new(),
            Err(error) => vec![Effect::Say(error.to_string())],
        }
    }

    /// Opens a stream; the filters of the one before stay on where it reads the same logs.
    fn open(&mut self, rule: CastRule, title: String, span: Span) -> Vec<Effect> {
        let before = self.logs.take().filter(|tape| *tape.rule() == rule && tape.as_hunt().is_none());
        let (mut tape, steps) = Tape::follow(self.next_tape(), rule, title, span, &self.fleet);
        if let Some(before) = before {
            tape.shelf_mut().set_filter(before.shelf().filter().clone());
        }
        self.logs = Some(tape);
        self.log_steps = steps;
        vec![Effect::ReadLogs]
    }

    fn hunt(&mut self, pattern: String) -> Vec<Effect> {
        let Some(before) = &self.logs else { return Vec::new() };
        let (rule, title, span) = (before.rule().clone(), before.title().to_owned(), before.span());
        let (mut tape, steps) = Tape::hunt(self.next_tape(), rule, title, span, (pattern.clone(), Stamp::of(self.now)), &self.fleet);
        if let Err(error) = tape.shelf_mut().seek(&pattern) {
            return vec![Effect::Say(error.to_string())];
        }
        self.logs = Some(tape);
        self.log_steps = steps;
        vec![Effect::ReadLogs]
    }

    fn next_tape(&mut self) -> u64 {
        self.tapes += 1;
        self.tapes
    }
}
