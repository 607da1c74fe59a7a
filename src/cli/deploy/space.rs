//! That there is room for what a deployment pulls, before it begins: a disk that fills in the middle takes what runs down with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::join_all;

use super::{history::History, stage::Stage};
use crate::{
    cli::exit::Failure,
    delivery::plan::{Incoming, Plan},
    fleet::HostId,
    text::bytes,
};

/// What comes is compressed, and lies beside what it becomes until it is unpacked.
const SLACK: f64 = 1.2;

/// That every host has room. A host whose disk nobody can see, and an image that was built elsewhere, are not judged.
///
/// # Errors
/// The hosts without, with what is free and what is needed.
pub(super) async fn suffices(stage: &Stage, history: &History, plan: &Plan) -> Result<(), Failure> {
    let pulled = pulled(plan);
    let images: BTreeSet<&Arc<str>> = pulled.values().flatten().collect();
    let mut sizes = BTreeMap::new();
    for image in images {
        if let Some(size) = history.size(image).await {
            sizes.insert(Arc::clone(image), size);
        }
    }
    let needed = needed(&pulled, &sizes);
    let asked = needed.into_iter().map(|(host, needed)| async move { (stage.port.free_disk(&host).await, host, needed) });
    let short: Vec<String> = join_all(asked)
        .await
        .into_iter()
        .filter_map(|(free, host, needed)| {
            let free = free.filter(|free| *free < needed)?;
            Some(format!(
                "host {:?}: {} free on the disk of its engine, {} needed for the images",
                host.as_str(),
                bytes(free),
                bytes(needed)
            ))
        })
        .collect();
    match short.is_empty() {
        true => Ok(()),
        false => Err(Failure::failed(format!("{}: nothing was done; make room: quarterdeck retention", short.join("\n")))),
    }
}

/// What comes to each host.
fn pulled(plan: &Plan) -> BTreeMap<HostId, BTreeSet<Arc<str>>> {
    let mut pulled: BTreeMap<HostId, BTreeSet<Arc<str>>> = BTreeMap::new();
    for change in plan.services.iter().flat_map(|service| &service.changes) {
        if let Some(Incoming::New { blueprint, pull: true }) = &change.incoming {
            pulled.entry(change.host.clone()).or_default().insert(Arc::clone(&blueprint.image));
        }
    }
    pulled
}

/// Bytes that each host needs, as far as the images' sizes are known.
fn needed(pulled: &BTreeMap<HostId, BTreeSet<Arc<str>>>, sizes: &BTreeMap<Arc<str>, u64>) -> BTreeMap<HostId, u64> {
    let with_slack = |size: u64| {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate of bytes")]
        let whole = (size as f64 * SLACK) as u64;
        whole
    };
    let of = |images: &BTreeSet<Arc<str>>| with_slack(images.iter().filter_map(|image| sizes.get(image)).sum());
    pulled.iter().map(|(host, images)| (host.clone(), of(images))).filter(|(_, needed)| *needed > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::plan::fixture::Shop;

    #[test]
    fn what_is_known_is_counted_once_a_host() {
        let shop = Shop::of_web(2);
        let plan = shop.plan(1).unwrap();
        let pulled = pulled(&plan);
        assert_eq!(pulled.len(), 2);
        let image = pulled.values().next().unwrap().first().unwrap().clone();
        let sizes = [(image, 100 << 20)].into();
        let needed = needed(&pulled, &sizes);
        assert!(needed.values().all(|bytes| *bytes == 120 << 20), "{needed:?}");
        assert!(super::needed(&pulled, &BTreeMap::new()).is_empty());
    }
}
