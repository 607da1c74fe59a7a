//! What a layer makes of a key press.

use crate::{
    action::Action,
    fleet::{HostId, ServiceKey},
};

/// What a layer made of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerOutcome {
    /// Taken; the layer stays.
    Stay,
    /// Not its business: the console decides.
    Pass,
    /// It is done.
    Close,
    /// It is done; run this.
    Run(Action),
    /// It is done; go there.
    Go(Destination),
}

/// A place in the fleet that the palette can lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A host's row.
    Host(HostId),
    /// A service's row.
    Service(ServiceKey),
}
