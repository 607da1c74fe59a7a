//! The steps from nothing to the schema of today, a folder for each engine: their types and triggers differ, their tables and columns do
//! not. Step N leads to schema N. A step is never changed once it was released: a new table is a new step.

/// For SQLite.
pub(super) const SQLITE: [&str; 5] = [
    include_str!("sqlite/1_audit.sql"),
    include_str!("sqlite/2_builds.sql"),
    include_str!("sqlite/3_delivery.sql"),
    include_str!("sqlite/4_app_builds.sql"),
    include_str!("sqlite/5_pulses.sql"),
];

/// For PostgreSQL.
pub(super) const POSTGRES: [&str; 5] = [
    include_str!("postgres/1_audit.sql"),
    include_str!("postgres/2_builds.sql"),
    include_str!("postgres/3_delivery.sql"),
    include_str!("postgres/4_app_builds.sql"),
    include_str!("postgres/5_pulses.sql"),
];

/// The schema of today.
pub(super) const KNOWN: i64 = SQLITE.len() as i64;

const _: () = assert!(SQLITE.len() == POSTGRES.len(), "a step for one engine is a step for both");
