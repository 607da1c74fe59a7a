//! Text: how foreign bytes become harmless text, and how numbers become short text.
//!
//! Everything that comes from outside (engines, files, ssh banners) passes [`clean`] once, at the border where
//! it enters the model; the screen code may then rely on it. Pure.

mod age;
mod clean;
mod json;
mod nearest;
mod time_spec;
mod units;
mod width;
mod words;

pub use age::{age, clock, since};
pub use clean::{clean, clean_bytes, clean_line, clean_within};
pub use json::{acts, harmless_json};
pub use nearest::nearest;
pub use time_spec::{TimeSpec, TimeSpecError};
pub use units::{bytes, count, counted};
pub use width::{fit, fit_left, width};
pub use words::{Unclosed, words};
