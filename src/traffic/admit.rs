//! One container into a slot and out of it again, safely: filled, drained, checked, probed, and only then sent requests.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Balancer, Check, Slot, Trouble, slot::SlotState};

/// Between two looks at a slot.
const LOOK: Duration = Duration::from_millis(100);

/// Which slot gets which address.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// The balancer's group.
    pub backend: &'a str,
    /// One of its slots.
    pub slot: &'a str,
    /// Where its requests go.
    pub address: SocketAddr,
    /// Its share, against a full one's 100.
    pub share: u16,
    /// So long for a check to pass.
    pub within: Duration,
}

/// Sends requests to an address. A slot that is filled for this and does not pass goes back to maintenance; one that drained drains on.
///
/// # Errors
/// What the balancer refuses, what its checks or our own `probe` say.
pub async fn admit(balancer: &dyn Balancer, wish: &Admission<'_>, probe: impl Future<Output = Result<(), String>>) -> Result<(), Trouble> {
    let Admission { backend, slot, address, share, within: _ } = *wish;
    let before = look(balancer, backend, slot).await?;
    match before.state {
        SlotState::Ready if before.address == Some(address) => return balancer.set_weight(backend, slot, share).await,
        SlotState::Drain if before.address == Some(address) => {}
        SlotState::Maint => balancer.add(backend, slot, address).await?,
        SlotState::Ready | SlotState::Drain => {
            let now = before.address.map_or_else(|| "nowhere".to_owned(), |now| now.to_string());
            return Err(Trouble::Refused(format!("{backend}/{slot} sends to {now} meanwhile: look again")));
        }
    }
    let passed = async {
        checked(balancer, wish).await?;
        probe.await.map_err(|answer| Trouble::Refused(format!("{address} does not answer us: {answer}")))?;
        balancer.set_weight(backend, slot, share).await?;
        balancer.ready(backend, slot).await
    };
    let outcome = passed.await;
    if outcome.is_err() && before.state == SlotState::Maint {
        // Why it did not pass matters more than that it could not be put back.
        if let Err(error) = balancer.remove(backend, slot).await {
            tracing::warn!(backend, slot, %error, "a slot that did not pass was not put back to maintenance");
        }
    }
    outcome
}

/// Sends a slot nothing new and waits for what it has; how many requests are left at the deadline.
///
/// # Errors
/// What the balancer refuses.
pub async fn empty(balancer: &dyn Balancer, backend: &str, slot: &str, within: Duration) -> Result<u32, Trouble> {
    balancer.drain(backend, slot).await?;
    let until = Instant::now() + within;
    loop {
        let left = balancer.in_flight(backend, slot).await?;
        if left == 0 || Instant::now() >= until {
            return Ok(left);
        }
        sleep(LOOK).await;
    }
}

async fn checked(balancer: &dyn Balancer, wish: &Admission<'_>) -> Result<(), Trouble> {
    let Admission { backend, slot, address, within, .. } = *wish;
    let until = Instant::now() + within;
    loop {
        let now = look(balancer, backend, slot).await?;
        if now.address != Some(address) || now.state != SlotState::Drain {
            return Err(Trouble::Refused(format!(
                "{backend}/{slot} was changed by somebody else, or the balancer was restarted: look again"
            )));
        }
        let why = match now.check {
            // Nothing but our own probe can tell then.
            Check::Passed | Check::Never => return Ok(()),
            Check::Awaited | Check::Asleep => "no check has ended".to_owned(),
            Check::Failed(why) => format!("its checks say {why}"),
        };
        if Instant::now() >= until {
            return Err(Trouble::Refused(format!("{address} is not up in {backend}/{slot} after {} s: {why}", within.as_secs())));
        }
        sleep(LOOK).await;
    }
}

async fn look(balancer: &dyn Balancer, backend: &str, slot: &str) -> Result<Slot, Trouble> {
    let backends = balancer.targets(Some(backend)).await?;
    let found = backends.into_iter().flat_map(|backend| backend.slots).find(|known| *known.name == *slot);
    found.ok_or_else(|| Trouble::Refused(format!("backend {backend} has no slot {slot}")))
}

#[cfg(test)]
mod tests;
