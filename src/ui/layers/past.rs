//! What opens above the past: the lines in which a filter or a moment is typed, a deployment in full, a text of a failure's evidence, and
//! what changed near something.

mod changes;
mod line;
mod pages;
mod reader;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::{changes::Changes, line::PastLine, reader::Reader};
use super::Layer;
use crate::{
    board::{
        Order,
        past::{self, Filter, Near},
    },
    delivery::release::DeploymentId,
    ui::{screen::Request, view::View},
};

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastLayer {
    /// Which of the past is listed; what is typed already.
    Filter(String),
    /// What ran where at which moment.
    Moment,
    /// A deployment in full.
    Account(DeploymentId),
    /// A text of the evidence of a failure.
    Text {
        /// The directory, as the journal names it.
        place: Arc<str>,
        /// The file in it.
        name: String,
    },
    /// What changed near something.
    Changes(Near),
}

/// What was typed for the panel in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastChoice {
    /// List this.
    Filter(Filter),
    /// Show what ran at this moment.
    Moment(DateTime<Utc>),
}

impl PastLayer {
    /// The layer, and what has to be asked for it.
    pub fn open(self, view: &View<'_>) -> (Box<dyn Layer>, Option<Request>) {
        match self {
            Self::Filter(text) => (Box::new(PastLine::filter(&text)), None),
            Self::Moment => (Box::new(PastLine::moment()), None),
            Self::Account(id) => (Box::new(Reader::account(id)), None),
            Self::Text { place, name } => {
                let order = past::Order::Read { place: Arc::clone(&place), name: name.clone() };
                (Box::new(Reader::text(place, name)), Some(Request::Deliver(Order::Past(order))))
            }
            Self::Changes(near) => (Box::new(Changes::open(near, view)), None),
        }
    }
}
