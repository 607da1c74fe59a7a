//! The verbs' pages for who hands them on: the same texts, whole and in UTC.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{args::Columns, events, exit::Failure, hosts, json, versions};
use crate::fleet::{
    Fleet, Selector,
    rows::{EventRow, HostRow},
};

/// The version matrix with its drift.
pub fn versions(fleet: &Fleet, filter: &Selector, now: DateTime<Utc>) -> String {
    versions::page(fleet, filter.clone(), Columns::Environment, now, None)
}

/// The hosts; an error of a link is whole.
pub fn hosts(fleet: &Fleet) -> String {
    hosts::table(&HostRow::all(fleet)).render(None)
}

/// Events, oldest first.
pub fn events(rows: &[EventRow], fleet: &Fleet) -> String {
    rows.iter().map(|row| events::line(row, &Utc, events::names(fleet))).collect()
}

/// Rows as JSON.
///
/// # Errors
/// Only for values that JSON cannot hold.
pub fn array<T: Serialize>(rows: &[T]) -> Result<String, String> {
    json::array(rows).map_err(Failure::words)
}

/// A document as JSON over many lines.
///
/// # Errors
/// As [`array`].
pub fn document(document: &serde_json::Value) -> Result<String, String> {
    json::pretty(document).map_err(Failure::words)
}
