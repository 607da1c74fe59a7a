//! Releases and deployments that were, what ran where at a moment, and what changed near something.

use std::rc::Rc;

use super::Desk;
use crate::board::past::Order;

/// Does what is asked.
pub(super) async fn obey(_desk: Rc<Desk>, order: Order) {
    match order {}
}
