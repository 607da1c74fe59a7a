//! The Docker HTTP API over a [`Link`](super::transport::Link). The only place that names bollard.
//!
//! [`Client`] owns the connection pool, deadlines, the rights check and the meter; every request to an engine leaves through
//! `Client::send` or, for logs, `Client::wire`. The answers that are asked often or must survive a foreign engine's quirks (list, inspect, events) are
//! decoded here, leniently and into small rows; the rest of the API is bollard's, over the same pool.

mod archive;
mod build;
mod build_container;
mod build_progress;
mod build_trace;
mod client;
mod decode;
mod deploy;
mod error;
mod exec;
mod lines;
mod logs;
mod meter;
mod once;
mod push;
mod push_auth;
mod push_image;
mod requests;
mod stock;
mod wire;

pub use archive::{ArchiveBody, ArchivePieces, PathStat};
pub use build::{BuildEnd, BuildEvent, BuildOrder, BuildStream, Builder, ContextPieces, StepFailure};
pub use build_container::Errand;
pub use client::Client;
pub use deploy::MarkImage;
pub use error::EngineError;
pub use exec::{Duplex, ExecId, ExecOrder, ExecState};
pub use lines::Lines;
pub use logs::{LogBody, LogQuery};
pub use meter::Meter;
pub use once::OnceError;
pub use push::{Transfer, TransferEvent, split_tag};
pub use push_auth::{RegistryAuth, RegistryAuths};
pub use push_image::{ImageLayer, ImageReport};
pub use requests::{Handshake, parse_event, stock_path};
