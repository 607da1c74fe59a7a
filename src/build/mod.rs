//! From a commit to images in a registry: checkout, keys, `.dockerignore`, preparation, tests, the builder, push.
//!
//! [`git`] gets the commit without running anything of it; [`build`] does the rest on one engine, a [`Bench`], and tells its progress.
//! Nothing of a repository ever runs on this machine: its commands run in containers of the engine that builds. What was built is
//! remembered behind [`Builds`], by a key over everything that went into it.

mod app;
mod bench;
mod builds;
mod context;
mod dockerfile;
mod errand;
mod fault;
pub mod git;
mod ignore;
mod key;
mod login;
mod make;
mod prepare;
mod progress;
mod recipe;
mod report;
pub mod version;

pub use app::{Built, ImageOutcome, build};
pub use bench::{Bench, Central};
pub use builds::{Builds, BuiltImage, RecordsError};
pub use context::{Context, ContextError, Sent};
pub use fault::BuildFault;
pub use ignore::{Ignore, IgnoreError};
pub use key::{ImageKey, Ingredients, TreeFile};
pub use login::{LoginError, Logins, server_of};
pub use progress::{Progress, Say};
pub use recipe::Material;
pub use report::Layer;
