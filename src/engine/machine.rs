//! A host's own figures: over its SSH session, or straight from the kernel where the engine is on this machine.
//!
//! A Unix socket says nothing about where its engine is: it may be forwarded, or lead into a virtual machine. This machine's figures count
//! only where the engine describes this machine.

use std::{path::PathBuf, sync::Arc};

use super::docker::Client;
use crate::{
    config::Endpoint,
    fleet::EngineInfo,
    rights::{HOST_METRICS, Leaving, Rights},
    stats::{Disk, MachineReading, MachineSample},
};

/// The one data root that the fixed command asks `df` for.
const USUAL_ROOT: &str = "/var/lib/docker";

/// How a host's figures are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its engine listens on a Unix socket here.
    Here,
    /// Elsewhere.
    There,
}

/// Asks once. Never fails: where the host cannot be asked, the reading says why.
pub(super) async fn read(client: Client, place: Place, rights: Rights, engine: Option<Arc<EngineInfo>>) -> MachineReading {
    let Some(engine) = engine else { return MachineReading::Engine("the engine has not described itself yet".into()) };
    let read = match place {
        Place::Here => read_here(engine).await,
        Place::There => read_there(&client, &rights, &engine).await,
    };
    read.map_or_else(|why| MachineReading::Engine(Arc::from(crate::text::clean_line(&why))), MachineReading::Host)
}

/// Bytes that may still be written to the disk that an engine's data is on; `None` where nobody can see it.
pub async fn free_disk(client: Client, endpoint: &Endpoint, rights: &Rights) -> Option<u64> {
    let place = match endpoint {
        Endpoint::Unix { .. } => Place::Here,
        Endpoint::Tcp { .. } | Endpoint::Tls { .. } | Endpoint::Ssh { .. } => Place::There,
    };
    let handshake = client.handshake().await.ok()?;
    let engine = client.info(&handshake).await.ok()?;
    match read(client, place, rights.clone(), Some(Arc::new(engine))).await {
        MachineReading::Host(sample) => sample.disk.map(|disk| disk.available),
        MachineReading::Engine(why) => {
            tracing::debug!(%why, "the engine's disk cannot be seen");
            None
        }
    }
}

async fn read_there(client: &Client, rights: &Rights, engine: &EngineInfo) -> Result<MachineSample, String> {
    let Some(reading) = client.link().host_metrics() else {
        return Err("this way to the engine is none to its host: only ssh is".to_owned());
    };
    rights.check(Leaving::SshExec(HOST_METRICS)).map_err(|denied| denied.to_string())?;
    let told = reading.await.map_err(|error| error.to_string())?;
    let mut sample = MachineSample::parse(&told).map_err(|error| error.to_string())?;
    if !engine.data_root.is_empty() && &*engine.data_root != USUAL_ROOT {
        // What `df` told is another disk, or may be.
        sample.disk = None;
    }
    Ok(sample)
}

/// Files of the kernel's own answer at once; a disk may hang, so this is not done on the engine's thread.
async fn read_here(engine: Arc<EngineInfo>) -> Result<MachineSample, String> {
    tokio::task::spawn_blocking(move || {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).map_err(|error| format!("/proc/{name}: {error}"));
        let told = format!("{}\n{}\n{}", file("stat")?, file("meminfo")?, file("loadavg")?);
        let sample = MachineSample::parse(&told).map_err(|error| error.to_string())?;
        if !is_this_machine(&sample, &engine) {
            return Err("its socket is here, but the engine describes another machine".to_owned());
        }
        Ok(MachineSample { disk: disk(&engine.data_root), ..sample })
    })
    .await
    .map_err(|error| error.to_string())?
}

/// Memory tells machines apart: engines take it from the same file, to the byte.
fn is_this_machine(sample: &MachineSample, engine: &EngineInfo) -> bool {
    sample.memory == engine.memory && sample.cpus >= engine.cpus
}

fn disk(root: &str) -> Option<Disk> {
    let path = PathBuf::from(if root.is_empty() { USUAL_ROOT } else { root });
    let told = rustix::fs::statvfs(&path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some(Disk { used: bytes(told.f_blocks.saturating_sub(told.f_bfree)), available: bytes(told.f_bavail) })
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)] // A test that cannot go on has failed.
mod tests {
    use super::*;
    use crate::fleet::fixture;

    fn engine() -> EngineInfo {
        fixture::fleet().hosts().find_map(|host| host.engine.clone()).unwrap()
    }

    #[tokio::test]
    async fn this_machine_is_read_where_the_engine_describes_it() {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total = text.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024;
        let here = EngineInfo { memory: total, cpus: 1, data_root: "/".into(), ..engine() };
        let sample = read_here(Arc::new(here)).await.unwrap();
        assert!(sample.memory == total && sample.ticks > 0 && sample.cpus > 0);
        assert!(sample.disk.is_some_and(|disk| disk.used > 0 && disk.share() <= 1.0));
        let other = EngineInfo { memory: total / 2, cpus: 1, ..engine() };
        assert!(read_here(Arc::new(other)).await.unwrap_err().contains("another machine"));
    }
}
