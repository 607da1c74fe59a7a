//! How values of ours stand in columns: times as milliseconds, lists and structures as JSON, names and ids as their text.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row as _, any::AnyRow};

use super::store::Trouble;

pub(super) fn text(row: &AnyRow, index: usize) -> Result<String, Trouble> {
    Ok(row.try_get(index)?)
}

pub(super) fn maybe_text(row: &AnyRow, index: usize) -> Result<Option<String>, Trouble> {
    Ok(row.try_get(index)?)
}

pub(super) fn number(row: &AnyRow, index: usize) -> Result<i64, Trouble> {
    Ok(row.try_get(index)?)
}

pub(super) fn maybe_number(row: &AnyRow, index: usize) -> Result<Option<i64>, Trouble> {
    Ok(row.try_get(index)?)
}

/// A count, which is never below 0.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// A count as a column holds it.
pub(super) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A text with a written form of ours.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, Trouble> {
    text.parse().map_err(Trouble::damaged)
}

pub(super) fn moment(millis: i64) -> Result<DateTime<Utc>, Trouble> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| Trouble::damaged(format!("{millis} is no time")))
}

pub(super) fn maybe_moment(millis: Option<i64>) -> Result<Option<DateTime<Utc>>, Trouble> {
    millis.map(moment).transpose()
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(Trouble::damaged)
}

/// Our own structures always have a JSON form.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(Trouble::damaged)
}
