//! `drain` and `undrain`: a host or some containers get no new requests, and get them again.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use super::{
    acts,
    args::{Acting, Global},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    traffic::{Deed, View, Wish, carry_out},
};
use crate::{
    fleet::HostId,
    traffic::{
        Slot, SlotState,
        drift::{Duty, Told},
        state_word,
    },
};

/// Sends nothing new to what the words select, and waits.
pub fn drain(global: &Global, acting: &Acting, within: Duration) -> Result<Exit, Failure> {
    run(global, acting, Verb { word: "drain", action: "traffic.drain", wish: Wish::Empty(within) })
}

/// Sends requests again.
pub fn undrain(global: &Global, acting: &Acting) -> Result<Exit, Failure> {
    run(global, acting, Verb { word: "undrain", action: "traffic.undrain", wish: Wish::Admit })
}

#[derive(Clone, Copy)]
struct Verb {
    word: &'static str,
    action: &'static str,
    wish: Wish,
}

/// What a person means: everything at a host's address, also while the host is lost, or certain containers.
enum Meant {
    Host(HostId),
    Addresses(HashSet<SocketAddr>),
}

fn run(global: &Global, acting: &Acting, verb: Verb) -> Result<Exit, Failure> {
    let filter = selector(&acting.selector)?;
    let sources = Sources::load(global)?;
    sources.may_act(verb.word)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let view = View::take(&sources, &watch, &[]).await?;
        let unreached = view.complain();
        let meant = meant(acting, &watch, &view, &filter);
        let deeds = deeds(&view, &meant, verb);
        if deeds.is_empty() {
            let text = acting.selector.join(" ");
            return match chosen(&view, &meant).is_empty() {
                true if unreached => Err(Failure::incomplete(format!("{text:?}: no balancer that answers has a slot for it"))),
                true => Err(Failure::usage(format!("{text:?}: no balancer has a slot for it: see `traffic show`"))),
                false => {
                    acts::show(&format!("{}: nothing to do, so already\n", capital(verb.word)), acting.output.format)?;
                    Ok(watch.finish())
                }
            };
        }
        let plan = plan(&view, &deeds, verb);
        acts::show(&plan, acting.output.format)?;
        if !acting.yes {
            acts::answered(&view.asks(verb.word, &deeds), verb.word, &mut watch).await?;
        }
        let done = carry_out(&sources, &watch, &view, deeds, verb.action, &plan, acting.output.format).await?;
        let reached = watch.finish();
        Ok(match () {
            () if !done => Exit::FAILED,
            () if unreached => Exit::INCOMPLETE,
            () => reached,
        })
    })
}

fn meant(acting: &Acting, watch: &Watch, view: &View, filter: &crate::fleet::Selector) -> Meant {
    let fleet = watch.fleet();
    if let [word] = acting.selector.as_slice()
        && let Some(host) = fleet.hosts().find(|host| host.spec.id.as_str() == word)
    {
        return Meant::Host(host.spec.id.clone());
    }
    let is_meant = |instance: &crate::traffic::drift::Instance| {
        let key = crate::fleet::ContainerKey { host: instance.host.clone(), id: (&*instance.id).into() };
        let container = fleet.container(&key);
        container.zip(fleet.host(&instance.host)).is_some_and(|(container, host)| filter.matches(container, host))
    };
    Meant::Addresses(view.sight().instances.iter().filter(|instance| is_meant(instance)).map(|instance| instance.address).collect())
}

/// The slots that are meant, whatever their state.
fn chosen<'a>(view: &'a View, meant: &Meant) -> Vec<(&'a Told, &'a Slot, SocketAddr)> {
    let mut found = Vec::new();
    for told in view.told() {
        for slot in &told.backend.slots {
            let Some(address) = slot.address.filter(|_| !slot.is_blank()) else { continue };
            let is_meant = match meant {
                Meant::Host(host) => view.host_at(address.ip()) == Some(host),
                Meant::Addresses(addresses) => addresses.contains(&address),
            };
            if is_meant {
                found.push((told, slot, address));
            }
        }
    }
    found
}

fn deeds(view: &View, meant: &Meant, verb: Verb) -> Vec<Deed> {
    let wanted = |(told, slot, address): &(&Told, &Slot, SocketAddr)| match verb.wish {
        Wish::Admit => {
            let serves = view.sight().at(*address).is_some_and(|instance| instance.duty == Duty::Serves);
            let elsewhere = told.backend.slots.iter().any(|other| other.address == slot.address && other.state == SlotState::Ready);
            serves && slot.state != SlotState::Ready && !elsewhere
        }
        Wish::Drain | Wish::Empty(_) | Wish::Remove => {
            slot.state == SlotState::Ready || slot.state == SlotState::Drain && slot.sessions > 0
        }
    };
    let deed = |(told, slot, address): (&Told, &Slot, SocketAddr)| {
        let at = view.sight().at(address);
        Deed {
            lb: told.lb.clone(),
            backend: told.backend.name.clone(),
            slot: slot.name.clone(),
            address,
            host: at.map(|instance| instance.host.clone()).or_else(|| view.host_at(address.ip()).cloned()),
            container: at.map(|instance| instance.name.clone()),
            wish: verb.wish,
        }
    };
    chosen(view, meant).into_iter().filter(wanted).map(deed).collect()
}

fn capital(word: &str) -> String {
    let mut word = word.to_owned();
    word[..1].make_ascii_uppercase();
    word
}

fn plan(view: &View, deeds: &[Deed], verb: Verb) -> String {
    let mut text = format!("{} {}\n", capital(verb.word), crate::text::counted(deeds.len(), "slot"));
    for told in view.told() {
        let of_backend = |deed: &&Deed| deed.lb == told.lb && deed.backend == told.backend.name;
        let touched: Vec<&Deed> = deeds.iter().filter(of_backend).collect();
        if touched.is_empty() {
            continue;
        }
        let serving: Vec<&Slot> = told.backend.slots.iter().filter(|slot| slot.serves() && slot.is_up()).collect();
        let stay = serving.iter().filter(|slot| !touched.iter().any(|deed| deed.slot == slot.name)).count();
        let (all, name) = (serving.len(), &told.backend.name);
        let line = match verb.wish {
            Wish::Admit => format!("    {name} of {}: {all} serve now, {} more then", told.lb, touched.len()),
            Wish::Drain | Wish::Empty(_) | Wish::Remove if stay == 0 && all > 0 => {
                format!("  ● {name} of {}: none of {all} that serve stays: it is down then", told.lb)
            }
            Wish::Drain | Wish::Empty(_) | Wish::Remove => format!("  ◆ {name} of {}: {stay} of {all} that serve stay", told.lb),
        };
        text.push_str(&line);
        text.push('\n');
        if told.backend.sticky && verb.wish != Wish::Admit {
            text.push_str(&format!("  ◆ {name} of {}: clients stick to their server; those that do still come\n", told.lb));
        }
        for deed in touched {
            let slot = told.backend.slots.iter().find(|slot| slot.name == deed.slot);
            let now = slot.map_or("gone", |slot| state_word(slot.state));
            let sessions = slot.map_or(0, |slot| slot.sessions);
            let container = deed.container.as_deref().unwrap_or("nobody we see");
            let host = deed.host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
            let place = deed.place();
            text.push_str(&format!(
                "    {place}  {}  {container}{host}  {now}, {sessions} under way → {}\n",
                deed.address,
                verb.wish.word()
            ));
        }
    }
    let undo = if verb.wish == Wish::Admit { "drain" } else { "undrain" };
    text.push_str(&format!("  undo: quarterdeck {undo} with the same words\n"));
    text
}
