//! The way of each app from commit to production.

use std::rc::Rc;

use super::Desk;
use crate::board::lanes::Order;

/// Does what is asked.
pub(super) async fn obey(_desk: Rc<Desk>, order: Order) {
    match order {}
}
