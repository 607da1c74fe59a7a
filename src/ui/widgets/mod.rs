//! The few building blocks that several panels share: painting clean text, columns that fit, a cursor that holds an object.

pub mod columns;
pub mod cursor;
pub mod paint;

pub use columns::{Align, Column, Placed, place};
pub use cursor::Cursor;
pub use paint::Pen;
