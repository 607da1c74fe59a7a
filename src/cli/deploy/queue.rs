//! `--wait`: whoever finds a lock waits here until it is free; who does not wait is told whose it is.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::stage::Stage;
use crate::{
    cli::{args::Patience, exit::Failure, out},
    delivery::{
        observed::{Mark, Observed, Sight},
        plan::Options,
    },
    fleet::HostId,
    run::Sign,
};

/// Between two looks at a lock.
const LOOK: Duration = Duration::from_secs(1);

/// How long somebody waits for a lock.
pub(super) enum Queue {
    /// Not at all.
    Never,
    /// For ever.
    Always,
    /// Until then.
    Until(Instant),
}

impl Queue {
    pub(super) fn new(asked: Option<Patience>) -> Self {
        match asked {
            None => Self::Never,
            Some(Patience::Endless) => Self::Always,
            Some(Patience::For(time)) => Self::Until(Instant::now() + time),
        }
    }

    /// Whether there is still patience.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Until(then) => Instant::now() < *then,
        }
    }

    /// What is there, once no host that is asked for has a lock. A stale lock is nobody's to take: that wants a person's word.
    ///
    /// # Errors
    /// When somebody has it, and there is no patience left.
    pub(super) async fn turn(
        &self,
        stage: &Stage,
        options: &Options,
        look: impl AsyncFn() -> Result<Observed, Failure>,
    ) -> Result<Observed, Failure> {
        let mut told: Option<Arc<str>> = None;
        loop {
            let observed = look().await?;
            let Some((host, mark)) = lock(&observed, options) else { return Ok(observed) };
            let (host, mark) = (host.clone(), mark.clone());
            let who = Arc::clone(&mark.holder);
            let sign = match Sign::of(&stage.port, &host, mark.clone()).await {
                Ok(sign) => sign,
                // It was there a moment ago; how alive it is nobody can tell.
                Err(_) => Sign { host, mark, silence: None },
            };
            let taken = sign.taken();
            if !self.waits() {
                return Err(Failure::locked(taken));
            }
            if told.as_ref() != Some(&who) {
                out::complain(&format!("waiting: {taken}"));
                told = Some(who);
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = tokio::signal::ctrl_c() => return Err(Failure::failed("nothing was done: you have left the queue")),
            }
        }
    }
}

/// The first lock on a host that is asked for.
fn lock<'a>(observed: &'a Observed, options: &Options) -> Option<(&'a HostId, &'a Mark)> {
    observed.hosts.iter().find_map(|(host, sight)| {
        let is_asked = !options.without.contains(host) && options.host.as_ref().is_none_or(|only| only == host);
        match sight {
            Sight::Seen(view) if is_asked => Some((host, view.lock.as_ref()?)),
            Sight::Seen(_) | Sight::Lost(_) => None,
        }
    })
}
