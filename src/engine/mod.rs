//! The engine side: one task per host, a bounded bus of [`Delta`](crate::fleet::Delta)s out of it, and the transports under it.
//!
//! Knows nothing of screens. `docker/` is the only place that names bollard.

pub mod transport;
