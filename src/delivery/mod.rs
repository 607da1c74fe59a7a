//! The way of a version from commit to production and back. Pure: what is to run where, and in which steps; nothing here sends anything.
//!
//! The [`template`] is what an app's repository says. A [`Spec`] is what it said at the build's commit; a [`Revision`] what one
//! environment adds to it; [`Rendered`] both in one, which is what runs. [`Policy`] is how it gets there: always today's.

pub mod spec;
pub mod template;

pub use spec::{Policy, Rendered, Revision, Spec};
pub use template::Template;
