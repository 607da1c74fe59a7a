//! A template as it reads in each environment, and a change of it.

use std::rc::Rc;

use super::Desk;
use crate::board::edit::Order;

/// Does what is asked.
pub(super) async fn obey(_desk: Rc<Desk>, order: Order) {
    match order {}
}
