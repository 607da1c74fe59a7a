//! The order of a switch, and what is left when it fails, on a balancer that plays a part.

use std::{path::PathBuf, sync::Mutex};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::*;
use crate::traffic::{Backend, Counters, Standing, slot::sample};

/// One slot; its checks say one thing after the other, a look at a time.
struct Played {
    slot: Mutex<Slot>,
    checks: Mutex<Vec<Check>>,
    deeds: Mutex<Vec<String>>,
    flights: Mutex<Vec<u32>>,
}

impl Played {
    fn new(slot: Slot, checks: &[Check]) -> Self {
        let checks = checks.iter().rev().cloned().collect();
        Self { slot: Mutex::new(slot), checks: Mutex::new(checks), deeds: Mutex::default(), flights: Mutex::default() }
    }

    fn did(&self, deed: &str, change: impl FnOnce(&mut Slot)) -> BoxFuture<'static, Result<(), Trouble>> {
        self.deeds.lock().unwrap().push(deed.to_owned());
        change(&mut self.slot.lock().unwrap());
        std::future::ready(Ok(())).boxed()
    }

    fn deeds(&self) -> Vec<String> {
        self.deeds.lock().unwrap().clone()
    }

    async fn admit(&self, probe: Result<(), String>) -> Result<(), String> {
        let wish = Admission { backend: "web", slot: "s1", address: address(), share: 50, within: Duration::from_millis(300) };
        admit(self, &wish, async { probe }).await.map_err(|trouble| trouble.to_string())
    }
}

fn address() -> SocketAddr {
    "10.0.0.1:80".parse().unwrap()
}

impl Balancer for Played {
    fn kind(&self) -> &'static str {
        "played"
    }

    fn targets<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>> {
        let mut slot = self.slot.lock().unwrap().clone();
        if slot.state != SlotState::Maint
            && let Some(check) = self.checks.lock().unwrap().pop()
        {
            slot.check = check.clone();
            self.slot.lock().unwrap().check = check;
        }
        let backend = Backend { name: "web".into(), sticky: false, slots: vec![slot], counters: Counters::default() };
        std::future::ready(Ok(vec![backend])).boxed()
    }

    fn add<'a>(&'a self, _: &'a str, _: &'a str, address: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did("add", |slot| (slot.address, slot.state, slot.check) = (Some(address), SlotState::Drain, Check::Awaited))
    }

    fn ready<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did("ready", |slot| slot.state = SlotState::Ready)
    }

    fn set_weight<'a>(&'a self, _: &'a str, _: &'a str, share: u16) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(&format!("share {share}"), |slot| slot.share = share)
    }

    fn drain<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did("drain", |slot| slot.state = SlotState::Drain)
    }

    fn in_flight<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<u32, Trouble>> {
        std::future::ready(Ok(self.flights.lock().unwrap().pop().unwrap_or(0))).boxed()
    }

    fn remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did("remove", |slot| slot.state = SlotState::Maint)
    }

    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>> {
        std::future::ready(Ok(Standing { version: "1".into(), life: "1".into(), uptime: None })).boxed()
    }
}

fn blank() -> Slot {
    sample("s1", Some("127.0.0.1:1"), SlotState::Maint)
}

fn refused() -> Check {
    Check::Failed("L4CON".into())
}

#[tokio::test]
async fn a_slot_is_filled_checked_probed_and_only_then_ready() {
    let balancer = Played::new(blank(), &[Check::Awaited, refused(), Check::Awaited, Check::Passed]);
    assert_eq!(balancer.admit(Ok(())).await, Ok(()));
    assert_eq!(balancer.deeds(), ["add", "share 50", "ready"]);
    let again = Played::new(balancer.slot.into_inner().unwrap(), &[]);
    assert_eq!(again.admit(Ok(())).await, Ok(()));
    assert_eq!(again.deeds(), ["share 50"], "what is ready stays ready");
}

#[tokio::test]
async fn what_does_not_pass_never_gets_a_request_and_goes_back() {
    let dead = Played::new(blank(), &[Check::Awaited, refused()]);
    assert_eq!(dead.admit(Ok(())).await, Err("10.0.0.1:80 is not up in web/s1 after 0 s: its checks say L4CON".to_owned()));
    assert_eq!(dead.deeds(), ["add", "remove"]);
    let unchecked = Played::new(blank(), &[Check::Awaited]);
    assert!(unchecked.admit(Ok(())).await.unwrap_err().contains("no check has ended"));
    let mute = Played::new(blank(), &[Check::Passed]);
    assert_eq!(mute.admit(Err("timed out".to_owned())).await, Err("10.0.0.1:80 does not answer us: timed out".to_owned()));
    assert_eq!(mute.deeds(), ["add", "remove"]);
}

#[tokio::test]
async fn a_warm_slot_comes_back_and_stays_warm_when_it_cannot() {
    let warm = || sample("s1", Some("10.0.0.1:80"), SlotState::Drain);
    let good = Played::new(warm(), &[Check::Passed]);
    assert_eq!(good.admit(Ok(())).await, Ok(()));
    assert_eq!(good.deeds(), ["share 50", "ready"]);
    let bad = Played::new(warm(), &[refused()]);
    assert!(bad.admit(Ok(())).await.is_err());
    assert_eq!(bad.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn a_slot_in_use_elsewhere_is_not_taken() {
    for state in [SlotState::Ready, SlotState::Drain] {
        let other = Played::new(sample("s1", Some("10.0.0.2:80"), state), &[]);
        assert!(other.admit(Ok(())).await.unwrap_err().contains("sends to 10.0.0.2:80 meanwhile"));
        assert_eq!(other.deeds(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn emptying_waits_for_what_is_under_way_and_tells_what_is_left() {
    let balancer = Played::new(sample("s1", Some("10.0.0.1:80"), SlotState::Ready), &[]);
    *balancer.flights.lock().unwrap() = vec![0, 1, 7];
    assert_eq!(empty(&balancer, "web", "s1", Duration::from_secs(20)).await, Ok(0));
    *balancer.flights.lock().unwrap() = vec![3; 100];
    assert_eq!(empty(&balancer, "web", "s1", Duration::from_millis(250)).await, Ok(3));
    assert_eq!(balancer.deeds(), ["drain", "drain"]);
}
