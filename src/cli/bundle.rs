//! `bundle`: everything that a colleague needs to take over, in one file, secrets masked.

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};

use super::{
    args::Global,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    out,
};
use crate::bundle::{self, Material, Screen};

/// So much of what engines remember is handed on.
const STORY: TimeDelta = TimeDelta::hours(1);

/// Writes the file and tells where.
pub fn run(global: &Global, path: Option<PathBuf>, terms: &[String]) -> Result<Exit, Failure> {
    let filter = selector(terms)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Triage).await;
        let now = Utc::now();
        watch.recall(now - STORY, now).await;
        let material = Material {
            fleet: watch.fleet().clone(),
            filter: Some(filter).filter(|filter| !filter.is_empty()),
            usage: Default::default(),
            screen: Screen::None,
            now,
            simulated: sources.sim.is_some(),
        };
        let contents = bundle::gather(material, watch.documents(), watch.logs()).await.map_err(Failure::failed)?;
        let path = path.unwrap_or_else(|| bundle::usual_name(now));
        let size = contents.write(&path).map_err(Failure::failed)?;
        out::print(&format!("{}\n", bundle::told(&path, &contents, size)))?;
        Ok(watch.finish())
    })
}
