//! The way of a version from commit to production and back. Pure: what is to run where, and in which steps; nothing here sends anything.
//!
//! The [`template`] is what an app's repository says. A [`Spec`] is what it said at the build's commit; a [`Revision`] what one
//! environment adds to it; [`Rendered`] both in one, which is what runs. [`Policy`] is how it gets there: always today's. A
//! [`Release`](release::Release) put against what is [`Observed`](observed::Observed) gives a [`Plan`](plan::Plan), and a
//! [`Strategy`](strategies::Strategy) turns that into [`Step`](steps::Step)s.

pub mod observed;
pub mod packed;
pub mod plan;
pub mod release;
pub mod retention;
pub mod seal;
pub mod spec;
pub mod steps;
pub mod strategies;
pub mod template;

pub use spec::{Policy, Rendered, Revision, Spec};
pub use template::Template;
