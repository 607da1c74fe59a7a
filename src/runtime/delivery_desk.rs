//! The console's end of the delivery desk: orders go there, news come back. It is started with the first order.

use tokio::sync::mpsc;

use crate::board::{News, Order};

/// So many orders wait at most; more are refused with a word at the foot: a person gives them, one key each.
pub const ORDERS: usize = 32;
/// So much news waits at most; then the desk waits, and reads on when the console has taken some.
pub const NEWS: usize = 64;

/// Both ends of the conversation.
type Link = (mpsc::Sender<Order>, mpsc::Receiver<News>);

/// Starts the desk: a thread that takes orders and tells news.
pub type StartDesk = Box<dyn Fn() -> Result<Link, String>>;

/// The desk, as the console's loop sees it.
pub struct DeliveryDesk {
    start: StartDesk,
    link: Option<Link>,
}

impl DeliveryDesk {
    /// One that is started by this when it is needed.
    pub fn new(start: StartDesk) -> Self {
        Self { start, link: None }
    }

    /// Hands an order over.
    ///
    /// # Errors
    /// Why it is not done, in one line for the foot.
    pub fn order(&mut self, order: Order) -> Result<(), String> {
        if self.link.as_ref().is_none_or(|(orders, _)| orders.is_closed()) {
            self.link = Some((self.start)()?);
        }
        match &self.link {
            Some((orders, _)) => {
                orders.try_send(order).map_err(|_| "the delivery desk has too much to do; try again in a moment".to_owned())
            }
            None => Ok(()),
        }
    }

    /// The next news; waits for ever while there is none. Cancel-safe.
    pub async fn news(&mut self) -> News {
        if let Some((_, news)) = &mut self.link
            && let Some(told) = news.recv().await
        {
            return told;
        }
        // Ended or never begun: the next order starts it.
        std::future::pending().await
    }
}
