//! What a run still knows of a balancer that was restarted under it, on one that plays the part.

use std::{path::PathBuf, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::*;
use crate::{
    run::engine_port::Balancer as _,
    traffic::{Counters, slot::sample},
};

/// A balancer with one slot and a state file; it can be killed between a change and the file.
#[derive(Default)]
struct Killed {
    slot: Mutex<Option<Slot>>,
    /// What a restart brings back.
    written: Mutex<Option<Slot>>,
    lives: Mutex<u32>,
    /// Whether it dies before it has written down what comes next.
    dies: Mutex<bool>,
    /// Whether it writes anything down.
    forgets: bool,
}

impl Killed {
    fn new(forgets: bool) -> Arc<Self> {
        let slot = sample("s1", Some("127.0.0.1:1"), SlotState::Maint);
        Arc::new(Self { slot: Mutex::new(Some(slot.clone())), written: Mutex::new(Some(slot)), forgets, ..Self::default() })
    }

    fn restart(&self) {
        *self.lives.lock().unwrap() += 1;
        *self.slot.lock().unwrap() = self.written.lock().unwrap().clone();
    }

    fn did(&self, change: impl FnOnce(&mut Slot)) -> BoxFuture<'static, Result<(), Trouble>> {
        self.slot.lock().unwrap().as_mut().map(change);
        std::future::ready(Ok(())).boxed()
    }

    fn state(&self) -> SlotState {
        self.slot.lock().unwrap().as_ref().unwrap().state
    }
}

impl Balancer for Killed {
    fn kind(&self) -> &'static str {
        "killed"
    }

    fn targets<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>> {
        let slots = self.slot.lock().unwrap().clone().into_iter().collect();
        let backend = Backend { name: "web".into(), sticky: false, slots, counters: Counters::default() };
        std::future::ready(Ok(vec![backend])).boxed()
    }

    fn add<'a>(&'a self, _: &'a str, _: &'a str, address: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(|slot| (slot.address, slot.state) = (Some(address), SlotState::Drain))
    }

    fn ready<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(|slot| slot.state = SlotState::Ready)
    }

    fn set_weight<'a>(&'a self, _: &'a str, _: &'a str, share: u16) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(|slot| slot.share = share)
    }

    fn drain<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(|slot| slot.state = SlotState::Drain)
    }

    fn in_flight<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<u32, Trouble>> {
        std::future::ready(Ok(0)).boxed()
    }

    fn remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.did(|slot| slot.state = SlotState::Maint)
    }

    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>> {
        let told = match std::mem::take(&mut *self.dies.lock().unwrap()) {
            true => {
                self.restart();
                Err(Trouble::Away("connection refused".to_owned()))
            }
            false if self.forgets => Ok(None),
            false => {
                self.written.lock().unwrap().clone_from(&self.slot.lock().unwrap());
                Ok(Some(PathBuf::from("state")))
            }
        };
        std::future::ready(told).boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>> {
        let life = format!("pid {}", self.lives.lock().unwrap()).into();
        std::future::ready(Ok(Standing { version: "1".into(), life, uptime: None })).boxed()
    }
}

fn run(balancer: &Arc<Killed>) -> RunTraffic {
    RunTraffic::new(Balancers::from_iter([("edge".into(), Arc::clone(balancer) as Arc<dyn Balancer>)]))
}

fn to(state: SlotState) -> [(Arc<str>, SlotChange); 1] {
    [("s1".into(), SlotChange::State(state))]
}

#[tokio::test]
async fn a_change_that_was_not_written_down_is_made_again_and_nothing_else_is_missed() {
    let balancer = Killed::new(false);
    let traffic = run(&balancer);
    traffic.set_slots("edge", "web", &to(SlotState::Drain)).await.unwrap();
    *balancer.dies.lock().unwrap() = true;
    let lost = traffic.set_slots("edge", "web", &to(SlotState::Ready)).await;
    assert!(matches!(lost, Err(PortError::Away(_))), "{lost:?}");
    assert_eq!(balancer.state(), SlotState::Drain, "it came back as it was written down");
    traffic.set_slots("edge", "web", &to(SlotState::Ready)).await.unwrap();
    assert_eq!(balancer.state(), SlotState::Ready);
    balancer.restart();
    traffic.slots("edge", "web").await.unwrap();
    assert_eq!(balancer.state(), SlotState::Ready);
}

#[tokio::test]
async fn one_that_forgets_is_found_out() {
    let balancer = Killed::new(true);
    let traffic = run(&balancer);
    traffic.set_slots("edge", "web", &to(SlotState::Ready)).await.unwrap();
    balancer.restart();
    let lost = traffic.slots("edge", "web").await.unwrap_err();
    assert!(matches!(&lost, PortError::Undone(text) if text.contains("forgot what this run did")), "{lost:?}");
}
