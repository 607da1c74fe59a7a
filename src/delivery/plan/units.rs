//! What becomes of each container of one service.

use std::sync::Arc;

use super::{
    Change, Incoming, Old, PlanError, Publish, Stale,
    blueprint::Blueprint,
    hosts::Cast,
    links::{Links, add_addresses},
    make::{Request, is_stateful},
    ports::PortBook,
};
use crate::{
    delivery::{
        observed::{Aspect, HostView, Instance},
        release::label,
        seal,
        spec::{ImageSource, Order, RenderedService},
    },
    fleet::{ContainerState, HostId, ServiceName},
};

/// One service while its changes are found.
pub(super) struct Unit<'a, 'b> {
    pub(super) request: &'b Request<'a>,
    pub(super) cast: &'b Cast<'a>,
    pub(super) name: &'b ServiceName,
    pub(super) service: &'b RenderedService,
    pub(super) order: Order,
    pub(super) links: &'b mut Links,
    pub(super) book: &'b mut PortBook,
    pub(super) warnings: &'b mut Vec<Arc<str>>,
    pub(super) stale: &'b mut Vec<Stale>,
}

/// Its changes, by host and number.
pub(super) fn changes(unit: &mut Unit<'_, '_>) -> Result<Vec<Change>, PlanError> {
    would_move(unit)?;
    let mut found = Vec::new();
    let views: Vec<_> = unit.cast.views.iter().map(|(host, view)| (host.clone(), *view)).collect();
    for (host, view) in views {
        let wanted = if unit.service.hosts.contains(&host) { unit.service.spec.per_host } else { 0 };
        for n in 1..=wanted {
            one(unit, &host, view, n, &mut found)?;
        }
        // Numbers beyond what is wanted, all of them on a host that is the service's no more.
        for instance in view.in_use(unit.name).filter(|instance| instance.n > wanted) {
            if instance.volumes.is_empty() {
                found.push(gone(&host, instance));
            } else {
                let volumes = instance.volumes.join(", ");
                let line = format!("{} on {host} is wanted no more; it writes to {volumes} and stays", instance.name);
                unit.warnings.push(line.into());
            }
        }
    }
    Ok(found)
}

fn one(unit: &mut Unit<'_, '_>, host: &HostId, view: &HostView, n: u16, found: &mut Vec<Change>) -> Result<(), PlanError> {
    let mut vars = unit.service.spec.vars.clone();
    let needs = &unit.service.spec.needs;
    add_addresses(&mut vars, unit.warnings, (unit.request, unit.cast, unit.links), (unit.name, needs, host))?;
    let blueprint = unit.request.blueprint(unit.name, unit.service, n, vars)?;
    if view.foreign.contains(&blueprint.name) {
        return Err(PlanError::Foreign { host: host.clone(), name: Arc::clone(&blueprint.name) });
    }
    let made = blueprint.made(&unit.service.spec.image, &unit.service.spec);
    let mut here: Vec<_> = view.in_use(unit.name).filter(|instance| instance.n == n).collect();
    // The one that runs, the newest of several: the others are doubles of an accident.
    here.sort_by_key(|instance| (instance.state != ContainerState::Running, std::cmp::Reverse(instance.deployment.clone())));
    let mut here = here.into_iter();
    let current = here.next();
    // A secret that nobody can compare counts as the same: another console's key is no reason to replace anything.
    let sealed = seal::parse(blueprint.labels.get(label::SEALED).map_or("", |text| text));
    let has_others = |instance: &Instance| !seal::compare(&instance.sealed, &sealed).differ.is_empty();
    let mut reasons = current.map(|current| made.differs(&current.made)).unwrap_or_default();
    if current.is_some_and(has_others) && !reasons.contains(&Aspect::Secrets) {
        reasons.push(Aspect::Secrets);
    }
    let named = unit.request.options.service.as_ref() == Some(unit.name);
    let outside = matches!(unit.service.spec.image, ImageSource::Outside(_));
    if named && outside && current.is_some_and(|current| current.image != blueprint.image) && !reasons.contains(&Aspect::Image) {
        reasons.insert(0, Aspect::Image);
    }
    let change = match current {
        Some(current) if reasons.is_empty() => {
            unit.links.add_bound(unit.name, host, view.address, &current.ports);
            let old = Old::of(current);
            match old.running {
                true => Change { host: host.clone(), n, reasons, outgoing: None, incoming: None, keeps: Some(old) },
                false => Change { host: host.clone(), n, reasons, outgoing: None, incoming: Some(Incoming::Back(old)), keeps: None },
            }
        }
        current => {
            let kept = kept(unit, view, n).filter(|kept| made.differs(&kept.made).is_empty() && !has_others(kept));
            let incoming = match kept {
                Some(kept) => {
                    unit.links.add_bound(unit.name, host, view.address, &kept.ports);
                    Incoming::Back(Old::of(kept))
                }
                None => fresh(unit, host, view, current, blueprint)?,
            };
            let back = kept.map(|kept| kept.id.clone());
            let old = view.instances.iter().filter(|instance| instance.kept && instance.service == *unit.name && instance.n == n);
            let old = old.filter(|instance| current.is_some() && Some(&instance.id) != back.as_ref());
            let stale = |instance| Stale { host: host.clone(), service: unit.name.clone(), container: Old::of(instance).subject() };
            unit.stale.extend(old.map(stale));
            Change { host: host.clone(), n, reasons, outgoing: current.map(Old::of), incoming: Some(incoming), keeps: None }
        }
    };
    found.push(change);
    found.extend(here.map(|double| gone(host, double)));
    Ok(())
}

/// A kept container that can be started where it stands.
fn kept<'a>(unit: &Unit<'_, '_>, view: &'a HostView, n: u16) -> Option<&'a Instance> {
    let ours = |instance: &&Instance| instance.kept && instance.service == *unit.name && instance.n == n;
    let free = |instance: &&Instance| {
        let someone_else = |port: u16, protocol| {
            view.ports.iter().any(|taken| {
                let goes = unit.order == Order::StopFirst && view.in_use(unit.name).any(|other| other.id == taken.by);
                taken.port == port && taken.protocol == protocol && taken.by != instance.id && !goes && runs(view, &taken.by)
            })
        };
        !instance.ports.iter().any(|port| someone_else(port.host, port.protocol))
    };
    view.instances.iter().filter(ours).filter(free).max_by_key(|instance| instance.deployment.clone())
}

/// Whether a container that has a port is more than another kept one of ours.
fn runs(view: &HostView, id: &crate::fleet::ContainerId) -> bool {
    !view.instances.iter().any(|instance| instance.id == *id && instance.kept && instance.state != ContainerState::Running)
}

/// A new container with its ports.
fn fresh(
    unit: &mut Unit<'_, '_>,
    host: &HostId,
    view: &HostView,
    current: Option<&Instance>,
    mut blueprint: Blueprint,
) -> Result<Incoming, PlanError> {
    for port in &unit.service.spec.ports {
        let before = current.filter(|_| unit.order == Order::StopFirst).and_then(|current| current.port(port.container, port.protocol));
        let (outside, ours) = match (port.host, before) {
            (Some(fixed), _) => {
                let of_service = |id: &crate::fleet::ContainerId| {
                    view.instances.iter().any(|instance| instance.service == *unit.name && instance.id == *id)
                };
                let taken = |port: u16, protocol| {
                    view.ports.iter().any(|taken| taken.port == port && taken.protocol == protocol && !of_service(&taken.by))
                };
                if taken(fixed, port.protocol) {
                    return Err(PlanError::PortTaken { host: host.clone(), service: unit.name.clone(), port: fixed });
                }
                (fixed, false)
            }
            // Others hold it: it stays, and if somebody took it meanwhile that must be told, not mended in silence.
            (None, Some(before)) => (before, !super::links::is_reached(unit.request, unit.name, unit.service)),
            (None, None) => (unit.book.choose(host, view, port.protocol)?, true),
        };
        unit.book.give(host, port.protocol, outside);
        let address = port.address.or(view.address);
        blueprint.ports.push(Publish { container: port.container, protocol: port.protocol, host: outside, address, ours });
    }
    blueprint.tell_ports();
    let first = blueprint.ports.first();
    unit.links.add(
        unit.name,
        host,
        first.and_then(|port| port.address.filter(|ip| !ip.is_unspecified())).or(view.address),
        first.map(|port| port.host),
    );
    let pull = !view.images.contains(&blueprint.image);
    debug_assert!(blueprint.labels.contains_key(label::MADE), "every container says what it was made from");
    Ok(Incoming::New { blueprint: Box::new(blueprint), pull })
}

fn gone(host: &HostId, instance: &Instance) -> Change {
    let old = Some(Old::of(instance));
    Change { host: host.clone(), n: instance.n, reasons: Vec::new(), outgoing: old, incoming: None, keeps: None }
}

/// Data does not follow a container: a service whose data is elsewhere is not started without it.
fn would_move(unit: &Unit<'_, '_>) -> Result<(), PlanError> {
    if !is_stateful(&unit.service.spec) {
        return Ok(());
    }
    let holder = |host: &HostId| {
        let view = unit.cast.views.get(host)?;
        view.instances.iter().find(|instance| instance.service == *unit.name && !instance.volumes.is_empty())
    };
    let empty = unit.service.hosts.iter().find(|host| unit.cast.views.contains_key(*host) && holder(host).is_none());
    let elsewhere = unit.cast.views.keys().filter(|host| !unit.service.hosts.contains(*host)).find_map(|host| Some((host, holder(host)?)));
    match (empty, elsewhere) {
        (Some(to), Some((from, instance))) => Err(PlanError::WouldMove {
            service: unit.name.clone(),
            volume: instance.volumes.first().cloned().unwrap_or_default(),
            from: from.clone(),
            to: to.clone(),
        }),
        (Some(_) | None, _) => Ok(()),
    }
}
