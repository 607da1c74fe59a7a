//! Freezes: a container of the locks' make under a name of its own, so that whoever may pass over it leaves it in place. And locks of runs that nobody
//! will carry on.

use std::sync::Arc;

use chrono::SecondsFormat;

use super::{
    lock::Holder,
    port::{MarkOrder, Port, PortError},
};
use crate::{
    delivery::{
        observed::{HostView, Mark},
        release::{Names, label},
    },
    fleet::HostId,
};

/// What stands on a host against others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Nothing may be deployed.
    Freeze,
    /// A run is at it, or was.
    Lock,
}

/// Freezes an environment on these hosts. One that is frozen stays so, by whom and why it was.
///
/// # Errors
/// The first host that does not do it; those before it are frozen.
pub async fn freeze<P: Port>(
    port: &P,
    names: Names<'_>,
    hosts: &[HostId],
    holder: &Holder,
    reason: &str,
) -> Result<(), (HostId, PortError)> {
    let text = |text: &dyn std::fmt::Display| -> Arc<str> { text.to_string().into() };
    let labels = [
        (label::APP, text(&names.app)),
        (label::ENVIRONMENT, text(&names.environment)),
        (label::KIND, "freeze".into()),
        (label::HOLDER, Arc::clone(&holder.who)),
        (label::REASON, crate::text::clean_line(reason).into()),
        (label::AT, port.now().to_rfc3339_opts(SecondsFormat::Secs, true).into()),
    ];
    let labels = labels.into_iter().map(|(key, value)| (Arc::from(key), value)).collect();
    let order = MarkOrder { name: names.freeze(), labels };
    for host in hosts {
        match port.mark(host, &order).await {
            Ok(_) => {}
            Err(PortError::NameTaken(_)) => match standing(port, names, host, Barrier::Freeze).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let text = format!("a container named {} is there without our labels: remove it", names.freeze());
                    return Err((host.clone(), PortError::Refused(text)));
                }
                Err(error) => return Err((host.clone(), error)),
            },
            Err(error) => return Err((host.clone(), error)),
        }
    }
    Ok(())
}

/// Takes a freeze away, or the lock of a run that nobody will carry on; the answer is what was there. By id: what somebody puts up in the same
/// moment stays.
///
/// # Errors
/// The first host that does not do it; those before it are free.
pub async fn lift<P: Port>(
    port: &P,
    names: Names<'_>,
    hosts: &[HostId],
    barrier: Barrier,
) -> Result<Vec<(HostId, Mark)>, (HostId, PortError)> {
    let mut lifted = Vec::new();
    for host in hosts {
        let fault = |error| (host.clone(), error);
        let Some(mark) = standing(port, names, host, barrier).await.map_err(fault)? else { continue };
        match port.remove(host, &mark.id).await {
            Ok(()) | Err(PortError::Gone(_)) => lifted.push((host.clone(), mark)),
            Err(error) => return Err(fault(error)),
        }
    }
    Ok(lifted)
}

async fn standing<P: Port>(port: &P, names: Names<'_>, host: &HostId, barrier: Barrier) -> Result<Option<Mark>, PortError> {
    let view = HostView::read(names, None, &port.containers(host).await?, &[]);
    Ok(match barrier {
        Barrier::Freeze => view.freeze,
        Barrier::Lock => view.lock,
    })
}
