//! Writes what a tape shows to a file: a piece in each turn, so that a large export makes no frame late.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::PathBuf,
    time::Instant,
};

use crate::{
    logs::{Entry, ExportForm, Tape, record},
    text::count,
};

/// So many lines are written between two looks at the clock.
const PIECE: usize = 200;

/// An export under way.
pub struct ExportJob {
    path: PathBuf,
    out: BufWriter<File>,
    form: ExportForm,
    tape: u64,
    next: u64,
    end: u64,
    written: u64,
}

impl ExportJob {
    /// Makes the file. What came by now is written; what comes later is not. No file is overwritten.
    pub fn begin(tape: &Tape, form: ExportForm, path: PathBuf) -> io::Result<Self> {
        let out = BufWriter::new(File::create_new(&path)?);
        let end = tape.shelf().ring().numbers().end;
        Ok(Self { path, out, form, tape: tape.number(), next: 0, end, written: 0 })
    }

    /// Goes on until `limit`; one line for the foot at the end.
    pub fn work(&mut self, tape: &Tape, limit: Instant) -> Option<String> {
        if tape.number() != self.tape {
            return Some(format!("{}: the stream was closed after {} lines", self.path.display(), count(self.written)));
        }
        // What the filters have not seen yet would be missing.
        if !tape.shelf().is_settled() {
            return None;
        }
        while Instant::now() < limit {
            for _ in 0..PIECE {
                let Some(number) = tape.shelf().at_or_after(self.next).filter(|number| *number < self.end) else {
                    return Some(match self.out.flush() {
                        Ok(()) => format!("wrote {} lines to {}", count(self.written), self.path.display()),
                        Err(error) => self.failed(&error),
                    });
                };
                self.next = number + 1;
                if let Err(error) = self.write(tape, number) {
                    return Some(self.failed(&error));
                }
            }
        }
        None
    }

    fn write(&mut self, tape: &Tape, number: u64) -> io::Result<()> {
        let row = match (tape.shelf().ring().get(number), self.form) {
            (None, _) => return Ok(()),
            (Some(Entry::Marker(marker)), ExportForm::Text) => record::text_marker(marker),
            (Some(Entry::Marker(marker)), ExportForm::JsonLines) => {
                record::json_marker(marker, marker.source.as_ref().and_then(|(id, _)| tape.source(*id)))
            }
            (Some(Entry::Line(line)), form) => match (tape.source(line.source), form) {
                (None, _) => return Ok(()),
                (Some(source), ExportForm::Text) => record::text(line, source),
                (Some(source), ExportForm::JsonLines) => record::json(line, source),
            },
        };
        self.written += 1;
        writeln!(self.out, "{row}")
    }

    fn failed(&self, error: &io::Error) -> String {
        format!("{}: {error}; {} lines were written", self.path.display(), count(self.written))
    }
}
