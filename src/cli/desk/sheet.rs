//! The plan of a deployment before anything happens, and its beginning.

use std::rc::Rc;

use super::Desk;
use crate::board::sheet::Order;

/// Does what is asked.
pub(super) async fn obey(_desk: Rc<Desk>, order: Order) {
    match order {}
}
