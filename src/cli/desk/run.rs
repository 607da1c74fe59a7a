//! Deployments under way: how far each is, and what it waits for.

use std::rc::Rc;

use super::Desk;
use crate::board::run::Order;

/// Does what is asked.
pub(super) async fn obey(_desk: Rc<Desk>, order: Order) {
    match order {}
}
