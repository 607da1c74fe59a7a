//! Logs: from the engine's frames to lines, and from the lines of many containers to one stream a person can read and search.
//!
//! Pure: no clock, no I/O. The way of a line: [`frame`] → [`LogLine`] → [`seam`] (nothing lost or told twice over a broken link) →
//! [`search`] → [`merge`] (one order over all sources) → [`ring`]; what a console shows of it is a [`tape`]. A line's text stays foreign bytes in a [`RawText`] until
//! [`clean`] makes it harmless; there is no other way to its characters.

pub mod cast;
pub mod clean;
pub mod fields;
pub mod frame;
pub mod hunt;
pub mod level;
mod line;
pub mod marker;
pub mod measure;
pub mod merge;
pub mod record;
pub mod ring;
pub mod seam;
pub mod search;
pub mod shelf;
pub mod sieve;
mod stamp;
pub mod tag;
pub mod tape;
pub mod wish;

pub use cast::{Cast, CastRule, CastStep};
pub use clean::{Ink, Paint, Run, Styled};
pub use fields::Fields;
pub use frame::{FrameError, Framing, LineDecoder};
pub use hunt::Hunt;
pub use level::Level;
pub use line::{Entry, LogLine, LogStream, RawText, Source, SourceId};
pub use marker::{Marker, MarkerKind};
pub use merge::Merge;
pub use ring::Ring;
pub use seam::Seam;
pub use search::{Filter, FilterError};
pub use shelf::{Search, Shelf};
pub use sieve::Sieve;
pub use stamp::Stamp;
pub use tape::{Standing, Tape};
pub use wish::{ExportForm, LogWish, Span};
