//! How the link of every host stands now, for all who use it beside the host's own task: logs, visits, documents, acts.

use std::{collections::HashMap, sync::Arc};

use thiserror::Error;
use tokio::sync::watch;

use super::{docker::Client, transport::ConnectError};
use crate::fleet::{HostId, LinkCause};

/// One host's link.
#[derive(Clone, Default)]
pub(super) enum Live {
    /// Not made yet, or the engine side has ended.
    #[default]
    None,
    /// Live, or stale and kept.
    Up(Client),
    /// Lost, or never made, and why.
    Down(ConnectError),
}

impl Live {
    /// The client of the link, while there is one.
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            Self::Up(client) => Some(client),
            Self::None | Self::Down(_) => None,
        }
    }

    /// The error of whoever needs the link of this host now and finds none.
    fn unreachable(&self, host: &HostId) -> ConnectError {
        match self {
            Self::Down(error) => ConnectError::new(error.cause, format!("host {host:?} is not reachable now: {error}")),
            Self::None | Self::Up(_) => ConnectError::new(LinkCause::Unreachable, format!("host {host:?} is not reachable now")),
        }
    }
}

/// The links of all hosts.
#[derive(Clone)]
pub(super) struct Links(Arc<HashMap<HostId, watch::Receiver<Live>>>);

impl Links {
    pub(super) fn new(links: HashMap<HostId, watch::Receiver<Live>>) -> Self {
        Self(Arc::new(links))
    }

    /// One link, however it stands; `None`: nobody knows the host.
    pub(super) fn of(&self, host: &HostId) -> Option<watch::Receiver<Live>> {
        self.0.get(host).cloned()
    }

    /// The client of a live link, and what tells of its end.
    ///
    /// # Errors
    /// That there is none now, and why.
    pub(super) fn client(&self, host: &HostId) -> Result<(Client, Lifeline), ConnectError> {
        let mut link = self.of(host).ok_or_else(|| Live::None.unreachable(host))?;
        let live = link.borrow_and_update().clone();
        match live.client() {
            Some(client) => Ok((client.clone(), Lifeline::new(host.clone(), link))),
            None => Err(live.unreachable(host)),
        }
    }
}

/// Tells when the link that was live is lost.
pub struct Lifeline {
    host: HostId,
    link: watch::Receiver<Live>,
}

/// A link was lost.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the link to host {host:?} was lost: {cause}")]
pub struct LinkLost {
    /// Whose.
    pub host: HostId,
    /// Why.
    pub cause: ConnectError,
}

impl Lifeline {
    /// For a link that this receiver has last seen live.
    pub(super) fn new(host: HostId, link: watch::Receiver<Live>) -> Self {
        Self { host, link }
    }

    /// Resolves when the link was lost. Cancel-safe; tells it once.
    pub async fn lost(&mut self) -> LinkLost {
        // An error means that the engine side has ended, and every link with it.
        let ended = self.link.changed().await.is_err();
        let cause = match &*self.link.borrow() {
            Live::Down(error) => error.clone(),
            Live::Up(_) if !ended => ConnectError::new(LinkCause::Closed, "it was made anew meanwhile"),
            Live::None | Live::Up(_) => ConnectError::new(LinkCause::Closed, "the engine side has ended"),
        };
        LinkLost { host: self.host.clone(), cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_needs_a_lost_link_hears_which_and_why() {
        let (live, link) = watch::channel(Live::None);
        let host = HostId::new("app-03");
        let links = Links::new(HashMap::from([(host.clone(), link.clone())]));
        let refused = |links: &Links| links.client(&host).err().map(|error| error.to_string());
        assert_eq!(refused(&links).as_deref(), Some("host \"app-03\" is not reachable now"));
        let hangs = ConnectError::new(LinkCause::NoAnswer, "the engine has not answered for 17 s");
        let mut lifeline = Lifeline::new(host.clone(), link);
        live.send_replace(Live::Down(hangs.clone()));
        assert_eq!(refused(&links).as_deref(), Some("host \"app-03\" is not reachable now: the engine has not answered for 17 s"));
        let lost = lifeline.lost().await;
        assert_eq!(
            (lost.to_string().as_str(), lost.cause),
            ("the link to host \"app-03\" was lost: the engine has not answered for 17 s", hangs)
        );
        drop(live);
        assert_eq!(lifeline.lost().await.cause.cause, LinkCause::NoAnswer, "the last that was known");
    }
}
