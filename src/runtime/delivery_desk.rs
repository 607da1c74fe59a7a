//! The console's end of the delivery desk: orders go there, news come back. It is started with the first order.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::board::{News, Order};

/// So many orders wait at most; more are refused with a word at the foot: a person gives them, one key each.
pub const ORDERS: usize = 32;
/// So much news waits at most; then the desk waits, and reads on when the console has taken some.
pub const NEWS: usize = 64;

/// Between two looks at whether there is a ledger, as long as there is none.
const LOOK: Duration = Duration::from_secs(2);

/// Both ends of the conversation.
type Link = (mpsc::Sender<Order>, mpsc::Receiver<News>);

/// Starts the desk: a thread that takes orders and tells news.
pub type StartDesk = Box<dyn Fn() -> Result<Link, String>>;

/// Whether there is a ledger to tell from; a look that costs next to nothing.
pub type HasLedger = Box<dyn Fn() -> bool>;

/// The desk, as the console's loop sees it.
pub struct DeliveryDesk {
    start: StartDesk,
    has_ledger: HasLedger,
    link: Option<Link>,
    /// The next look for a ledger; `None`: the desk was begun, or cannot be.
    due: Option<Instant>,
}

impl DeliveryDesk {
    /// One that is started by this when it is needed.
    pub fn new(start: StartDesk, has_ledger: HasLedger) -> Self {
        Self { start, has_ledger, link: None, due: Some(Instant::now()) }
    }

    /// When [`DeliveryDesk::wake`] has something to look at.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Starts the desk once there is a ledger: what others do shows without an order. Before that there is no thread and nothing open.
    ///
    /// # Errors
    /// Why it cannot start, in one line for the foot; said once.
    pub fn wake(&mut self, now: Instant) -> Result<(), String> {
        if self.due.is_none_or(|due| now < due) {
            return Ok(());
        }
        self.due = Some(now + LOOK);
        if (self.has_ledger)() { self.begin() } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<(), String> {
        self.due = None;
        self.link = Some((self.start)()?);
        Ok(())
    }

    /// Hands an order over.
    ///
    /// # Errors
    /// Why it is not done, in one line for the foot.
    pub fn order(&mut self, order: Order) -> Result<(), String> {
        if self.link.as_ref().is_none_or(|(orders, _)| orders.is_closed()) {
            self.begin()?;
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
