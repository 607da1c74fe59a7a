//! `init`: makes the state directory, and shares it with a group.

use super::{
    args::Global,
    exit::{Exit, Failure},
    fleet,
    gather::wait,
    out,
};
use crate::{
    config::Layers,
    ledger::{Place, StateDir},
    rights::Rights,
};

/// Makes it and the ledger in it, so that whatever stands in the way shows now.
pub fn run(global: &Global, shared: Option<&str>) -> Result<Exit, Failure> {
    let config = Layers::from_process(global.flags()).load().map_err(Failure::usage)?;
    if let Rights::View { because } = config.rights() {
        return Err(Failure::refused(format!("init is refused: {because}")));
    }
    let dir = StateDir::at(&config.state);
    let sharing = match shared {
        Some(group) => dir.share(group),
        None => dir.prepare(),
    };
    let sharing = sharing.map_err(Failure::failed)?;
    let ledger = fleet::ledger(&config, &Rights::Act)?;
    wait(async { ledger.audit().rows(Some(chrono::Utc::now())).await.map_err(Failure::failed) })?;
    let place = match ledger.place() {
        file @ Place::File(_) => format!("ledger {file}"),
        server @ Place::Server(_) => server.to_string(),
    };
    out::print(&format!("state directory {}: {sharing}\n{place}\n", dir.path().display()))?;
    Ok(Exit::DONE)
}
