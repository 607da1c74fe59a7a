//! `releases`: what of an app can be deployed or brought back, and where it was good.

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::Serialize;

use super::{
    args::{Format, Global, Output},
    deed::failure,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    json, out,
    table::{Column, Table},
};
use crate::{
    fleet::AppName,
    ledger::{Ledger, LedgerError, RecordedRelease},
    text,
};

/// Prints an app's releases, newest first.
pub fn run(global: &Global, app: &str, output: Output) -> Result<Exit, Failure> {
    let ledger = Sources::load(global)?.ledger()?;
    wait(async {
        let releases = list(&ledger, &AppName::new(app)).await?;
        out::print(&match output.format {
            Format::Json => json::array(&releases.iter().map(Row::of).collect::<Vec<_>>())?,
            Format::Table => table(&releases, Utc::now()).render(out::width()),
        })?;
        Ok(Exit::DONE)
    })
}

/// An app's releases, newest first.
pub(in crate::cli) async fn list(ledger: &Ledger, app: &AppName) -> Result<Vec<RecordedRelease>, Failure> {
    match ledger.releases().list(app).await {
        // Nothing was recorded, and nothing is what there is to tell.
        Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
        other => other.map_err(failure),
    }
}

/// A release as JSON.
#[derive(Serialize)]
struct Row<'a> {
    app: &'a str,
    release: String,
    version: &'a str,
    config: &'a str,
    created: String,
    by: &'a str,
    images: Vec<Image<'a>>,
    good: Vec<Good<'a>>,
}

#[derive(Serialize)]
struct Image<'a> {
    image: &'a str,
    reference: &'a str,
}

#[derive(Serialize)]
struct Good<'a> {
    environment: &'a str,
    deployment: String,
    since: String,
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl<'a> Row<'a> {
    fn of(recorded: &'a RecordedRelease) -> Self {
        let release = &recorded.release;
        Self {
            app: release.app.as_str(),
            release: release.id().to_string(),
            version: &release.version,
            config: release.config.as_str(),
            created: moment(recorded.created),
            by: &recorded.by,
            images: release.images.iter().map(|(image, reference)| Image { image, reference }).collect(),
            good: recorded
                .good
                .iter()
                .map(|good| Good {
                    environment: good.environment.as_str(),
                    deployment: good.deployment.to_string(),
                    since: moment(good.at),
                })
                .collect(),
        }
    }
}

fn table(releases: &[RecordedRelease], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(vec![
        Column::new("RELEASE").whole(),
        Column::new("CREATED").whole().rank(2),
        Column::new("BY").least(6).rank(1),
        Column::new("GOOD IN").least(16),
    ]);
    for recorded in releases {
        let good = recorded.good.iter().map(|good| format!("{} ({} ago)", good.environment, text::since(good.at, now)));
        table.push(vec![
            recorded.release.id().to_string(),
            recorded.created.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string(),
            recorded.by.clone(),
            good.collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}
