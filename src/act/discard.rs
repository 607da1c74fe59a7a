//! The plan for taking away what engines keep beside their containers. What is in use is never taken: the engine refuses it too, for
//! nothing is sent by force.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Act, Asks, Consequence, Fate, Object, Plan, Policy, Step, Target, Weight,
    plan::{left_out, noun, unreachable},
};
use crate::{
    action::Confirm,
    fleet::{Fleet, HostId},
    rights::Rights,
    stock::{Kind, Thing},
    text::{self, counted},
};

/// Plans to take these away. An image with several names loses them one by one.
pub fn discard(things: &[(HostId, Thing)], fleet: &Fleet, rights: &Rights, policy: &Policy) -> Plan {
    let mut steps: Vec<Step> = things.iter().flat_map(|(host, thing)| steps(host, thing, fleet)).collect();
    steps.sort_by(|a, b| a.target.cmp(&b.target));
    steps.dedup_by(|a, b| a.target == b.target);
    let has = |kind: Kind| steps.iter().any(|step| step.target.object == Object::Stock(kind));
    let undo = match (has(Kind::Volume), has(Kind::Image)) {
        (true, _) => "what is in a volume cannot be brought back",
        (false, true) => "an image comes back only with a pull or a build",
        (false, false) => "a network is made anew by who needs it",
    };
    let confirm = if has(Kind::Volume) { Confirm::TypeName } else { Act::Discard.action().row().confirm };
    let refusal = match rights {
        Rights::Act => steps.is_empty().then(|| "nothing is selected".into()),
        Rights::View { because } => Some(Arc::clone(because)),
    };
    let asks: Asks = policy.asks(confirm, Act::Discard.word(), &steps);
    let consequences = consequences(things, &steps);
    Plan { act: Act::Discard, consequences, asks, refusal, undo: undo.into(), deployment: None, steps }
}

fn steps<'a>(host: &'a HostId, thing: &'a Thing, fleet: &'a Fleet) -> impl Iterator<Item = Step> + 'a {
    let fate = match unreachable(fleet, host) {
        Some(why) => Fate::Unreachable { why },
        None => fate(thing),
    };
    let environment = fleet.host(host).and_then(|host| host.spec.environment.clone());
    let several = thing.handles.len() > 1;
    thing.handles.iter().map(move |handle| Step {
        target: Target {
            host: host.clone(),
            name: if several { Arc::clone(handle) } else { Arc::clone(&thing.name) },
            id: Arc::clone(handle),
            object: Object::Stock(thing.kind),
        },
        service: None,
        environment: environment.clone(),
        now: now(thing),
        fate: fate.clone(),
        notes: Vec::new(),
    })
}

fn fate(thing: &Thing) -> Fate {
    let cannot = |why: String| Fate::Impossible { why: why.into() };
    match thing.users.as_slice() {
        _ if thing.stays => Fate::Act,
        _ if thing.own => cannot("it is the engine's own".to_owned()),
        [] => Fate::Act,
        [only] => cannot(format!("{} uses it", only.name)),
        [first, more @ ..] => cannot(format!("{} and {} more use it", first.name, more.len())),
    }
}

fn now(thing: &Thing) -> Arc<str> {
    if thing.stays {
        return "a name of an image that stays".into();
    }
    let size = thing.bytes.filter(|bytes| *bytes > 0).map(|bytes| format!(", {}", text::bytes(bytes))).unwrap_or_default();
    let used = if thing.users.is_empty() { "unused" } else { "in use" };
    format!("{}, {used}{size}", thing.kind.word()).into()
}

/// What comes back on each host, and what nobody can say.
fn consequences(things: &[(HostId, Thing)], steps: &[Step]) -> Vec<Consequence> {
    let acted = |host: &HostId, thing: &Thing| {
        steps.iter().any(|step| step.fate == Fate::Act && step.target.host == *host && thing.handles.contains(&step.target.id))
    };
    let mut hosts: BTreeMap<&HostId, (usize, u64, usize)> = BTreeMap::new();
    for (host, thing) in things.iter().filter(|(host, thing)| acted(host, thing)) {
        let (count, bytes, unsaid) = hosts.entry(host).or_default();
        *count += 1;
        *bytes += thing.bytes.unwrap_or(0);
        *unsaid += usize::from(thing.bytes.is_none());
    }
    let line = |(host, (count, bytes, unsaid)): (&HostId, (usize, u64, usize))| {
        let more = if unsaid > 0 {
            format!(
                ", and what {} takes, which the engine does not say",
                if count == 1 { "it".to_owned() } else { format!("{unsaid} of them") }
            )
        } else {
            String::new()
        };
        format!("{host}: {}, {} come back at least{more}", counted(count, noun(steps)), text::bytes(bytes))
    };
    let mut found: Vec<Consequence> = hosts.into_iter().map(|host| Consequence { weight: Weight::Note, text: line(host).into() }).collect();
    found.extend(left_out(steps));
    found.sort_by_key(|consequence| std::cmp::Reverse(consequence.weight));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::fixture, stock::User};

    fn thing(kind: Kind, name: &str, bytes: Option<u64>) -> Thing {
        let handles = vec![name.into()];
        Thing { kind, id: name.into(), name: name.into(), handles, stays: false, bytes, unnamed: false, own: false, users: Vec::new() }
    }

    fn used(thing: Thing) -> Thing {
        Thing { users: vec![User { id: "c1".into(), name: "web-1".into(), running: false }], ..thing }
    }

    fn planned(things: &[Thing], host: &str) -> Plan {
        let things: Vec<(HostId, Thing)> = things.iter().map(|thing| (HostId::new(host), thing.clone())).collect();
        discard(&things, &fixture::fleet(), &Rights::Act, &Policy { guarded: std::collections::BTreeSet::new() })
    }

    #[test]
    fn what_is_in_use_or_the_engines_own_stays() {
        let own = Thing { own: true, ..thing(Kind::Network, "bridge", Some(0)) };
        let plan = planned(&[used(thing(Kind::Image, "shop/web:1", Some(9))), own, thing(Kind::Network, "old", Some(0))], "test-01");
        let fates: Vec<(&str, &Fate)> = plan.steps.iter().map(|step| (&*step.target.name, &step.fate)).collect();
        let cannot = |why: &str| Fate::Impossible { why: why.into() };
        assert_eq!(fates, [("bridge", &cannot("it is the engine's own")), ("old", &Fate::Act), ("shop/web:1", &cannot("web-1 uses it"))]);
        assert_eq!(plan.asks, Asks::Yes);
        assert_eq!(plan.title(), "Remove 3 things on 1 host");
    }

    #[test]
    fn a_volume_wants_its_name_typed_and_its_bytes_are_told() {
        let plan = planned(&[thing(Kind::Volume, "shop-data", Some(5 << 20)), thing(Kind::Volume, "f00d", None)], "test-01");
        assert!(matches!(&plan.asks, Asks::Word { word, .. } if &**word == "remove 2 volumes"), "{:?}", plan.asks);
        let line = &plan.consequences[0].text;
        assert!(line.contains("2 volumes, 5.00 MB come back at least, and what 1 of them takes"), "{line}");
        let one = planned(&[thing(Kind::Volume, "shop-data", None)], "test-01");
        assert!(matches!(&one.asks, Asks::Word { word, .. } if &**word == "shop-data"), "{:?}", one.asks);
    }

    #[test]
    fn an_image_loses_its_names_one_by_one() {
        let two = Thing { handles: vec!["shop/web:1".into(), "shop/web:latest".into()], ..thing(Kind::Image, "shop/web:1", Some(9)) };
        let plan = planned(&[two], "test-01");
        let ids: Vec<&str> = plan.steps.iter().map(|step| &*step.target.id).collect();
        assert_eq!(ids, ["shop/web:1", "shop/web:latest"]);
        assert!(plan.consequences[0].text.contains("1 image"), "{:?}", plan.consequences);
    }

    #[test]
    fn nothing_is_sent_to_a_host_that_does_not_answer() {
        let plan = planned(&[thing(Kind::Network, "old", Some(0))], "nowhere");
        assert_eq!((plan.affected(), plan.asks), (0, Asks::Nothing));
        assert!(plan.consequences[0].text.contains("cannot be reached"), "{:?}", plan.consequences);
    }
}
