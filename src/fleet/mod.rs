//! The fleet model: what is known about every host, container and service, and how it came to be known.
//!
//! Pure: no clock, no I/O. [`Delta`]s come in through [`Fleet::apply`], the only way to change it; queries
//! ([`matrix`], [`selector`], [`summary`], [`drift`]) read it. Every text in it is already [clean](crate::text::clean).

pub mod bits;
pub mod change;
pub mod container;
pub mod delta;
pub mod drift;
pub mod event;
pub mod fixture;
pub mod host;
pub mod identity;
pub mod ids;
mod index;
pub mod link;
pub mod mask;
pub mod matrix;
pub mod model;
pub mod pattern;
pub mod processes;
pub mod recent;
mod row;
pub mod rows;
pub mod selector;
pub mod summary;
pub mod trouble;
pub mod veil;
pub mod version;

pub use change::Change;
pub use container::{Container, ContainerState, Health, ImageRef, Port, Witness};
pub use delta::{ContainerDetail, ContainerSummary, Delta, ImageFact};
pub use event::{EngineEvent, EventKind};
pub use host::{EngineInfo, Host, HostSpec};
pub use identity::{Identity, IdentityRule, IdentityRuleSpec};
pub use ids::{AppName, ContainerId, ContainerKey, EnvironmentId, HostId, ImageId, ServiceKey, ServiceName};
pub use link::{LinkCause, LinkState};
pub use matrix::{Matrix, MatrixBy};
pub use model::Fleet;
pub use selector::{Selector, SelectorError};
pub use summary::Summary;
pub use trouble::{Severity, Trouble};
pub use veil::Veil;
pub use version::Version;
