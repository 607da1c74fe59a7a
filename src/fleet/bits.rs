//! Whether two containers run the same bits, as far as the engines' answers can tell.

use std::collections::BTreeSet;

use super::{
    container::{Container, canonical_repository},
    model::Fleet,
};

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// The same bits, proven.
    Same,
    /// Different bits, proven.
    Different,
    /// Neither is proven. Never called drift.
    CannotTell,
}

/// Compares the bits of two containers: digests in the same repository; else, between engines of one store kind, image ids; else the
/// unpacked layers, which can only prove a difference.
pub fn compare(fleet: &Fleet, a: &Container, b: &Container) -> Sameness {
    if a.image_id == b.image_id && !a.image_id.as_str().is_empty() {
        // Ids are digests of content in either store.
        return Sameness::Same;
    }
    let (fact_a, fact_b) = (fleet.image(&a.key.host, &a.image_id), fleet.image(&b.key.host, &b.image_id));
    if a.image.canonical_repository() == b.image.canonical_repository() && !a.image.repository.is_empty() {
        let (ours, theirs) = (digests(fleet, a), digests(fleet, b));
        if !ours.is_empty() && !theirs.is_empty() {
            return if ours.is_disjoint(&theirs) { Sameness::Different } else { Sameness::Same };
        }
    }
    let store = |container: &Container| Some(fleet.host(&container.key.host)?.engine.as_ref()?.containerd_store);
    if let (Some(ours), Some(theirs)) = (store(a), store(b))
        && ours == theirs
        && !a.image_id.as_str().is_empty()
        && !b.image_id.as_str().is_empty()
    {
        return Sameness::Different;
    }
    match (fact_a, fact_b) {
        (Some(ours), Some(theirs)) if !ours.layers.is_empty() && !theirs.layers.is_empty() && ours.layers != theirs.layers => {
            Sameness::Different
        }
        _ => Sameness::CannotTell,
    }
}

/// The digests under which the container's image is known in its own repository.
fn digests<'a>(fleet: &'a Fleet, container: &'a Container) -> BTreeSet<&'a str> {
    let repository = container.image.canonical_repository();
    let listed = fleet.image(&container.key.host, &container.image_id).into_iter().flat_map(|fact| &fact.repo_digests);
    let named = listed.filter_map(|reference| reference.split_once('@'));
    named
        .filter(|(place, _)| canonical_repository(place) == repository)
        .map(|(_, digest)| digest)
        .chain(container.image.digest.as_deref())
        .collect()
}
