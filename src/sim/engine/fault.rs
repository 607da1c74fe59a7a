//! What a fault does to a host when it begins and when it ends.

use std::time::Duration;

use super::{
    clock::Moment,
    container::{HealthState, RunState},
    gate::{Bytes, Deeds, Door},
    lifecycle::Plan,
    schedule::Due,
    world::Slot,
};
use crate::sim::scenario::{Fault, FaultKind, Restart, glob};

/// The steps of an event flood: so often during its time a part of it is emitted.
const FLOOD_STEPS: u32 = 20;

/// The message of `http-500` when the scenario gives none: hostile on purpose.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}driver failed:\n\u{202e}txet desrever\u{202c} on /var/lib/docker";

/// The bytes of `garbage` when the scenario gives none.
const GARBAGE: &[u8] = b"\x00\xffSSH-2.0-OpenSSH_9.2\r\n\x1b[31mnot http at all\r\n";

/// Begins `fault`, number `number`, on the host at place `me`.
pub fn begin(slot: &Slot, me: usize, number: usize, fault: &Fault, now: Moment, plan: &mut Plan) {
    let ends = (fault.lasts.0, Due::FaultEnds(number, me));
    match fault.kind {
        FaultKind::Partition => slot.gate.set_bytes(Bytes::Wait),
        FaultKind::Slow => slot.gate.set_delay(Some(fault.delay.0)),
        FaultKind::Stop => {
            slot.gate.set_door(Door::Backlog);
            slot.gate.set_bytes(Bytes::Wait);
        }
        FaultKind::Garbage => {
            slot.gate.set_bytes(Bytes::Garbage(fault.text.as_ref().map_or(GARBAGE, |text| text.as_bytes()).to_vec()));
        }
        FaultKind::HalfChunk => slot.gate.set_bytes(Bytes::Half),
        FaultKind::Http500 => slot.gate.set_failure(Some(fault.text.clone().unwrap_or_else(|| HOSTILE.to_owned()))),
        FaultKind::Act409 => slot.gate.set_deeds(Deeds::Refused(409, fault.text.clone().unwrap_or_else(|| HOSTILE.to_owned()))),
        FaultKind::Act500 => slot.gate.set_deeds(Deeds::Refused(500, fault.text.clone().unwrap_or_else(|| HOSTILE.to_owned()))),
        FaultKind::ActHang => slot.gate.set_deeds(Deeds::Unanswered),
        FaultKind::DaemonRestart => {
            slot.gate.set_door(Door::Gone);
            slot.gate.cut();
            let mut host = slot.host();
            for index in 0..host.containers.len() {
                if host.containers[index].state.lives() {
                    let stopped = host.containers[index].stopped;
                    host.halt(index, "15", 0, now);
                    host.containers[index].stopped = stopped;
                }
            }
            host.forget();
        }
        FaultKind::EventFlood => {
            let step = fault.events.div_ceil(FLOOD_STEPS);
            plan.push((Duration::ZERO, Due::Flood(me, step, FLOOD_STEPS, fault.lasts.0 / FLOOD_STEPS)));
            return;
        }
        FaultKind::Die | FaultKind::Oom | FaultKind::Unhealthy | FaultKind::Flap => {
            strike(slot, me, fault, now, plan);
            if fault.kind != FaultKind::Unhealthy {
                return;
            }
        }
    }
    plan.push(ends);
}

/// Ends `fault` on the host at place `me`.
pub fn end(slot: &Slot, me: usize, fault: &Fault, now: Moment, plan: &mut Plan) {
    match fault.kind {
        FaultKind::Partition | FaultKind::Garbage | FaultKind::HalfChunk => slot.gate.set_bytes(Bytes::Flow),
        FaultKind::Slow => slot.gate.set_delay(None),
        FaultKind::Stop => {
            slot.gate.set_bytes(Bytes::Flow);
            slot.gate.set_door(Door::Open);
        }
        FaultKind::Http500 => slot.gate.set_failure(None),
        FaultKind::Act409 | FaultKind::Act500 | FaultKind::ActHang => slot.gate.set_deeds(Deeds::Done),
        FaultKind::DaemonRestart => {
            let mut host = slot.host();
            for index in 0..host.containers.len() {
                let container = &host.containers[index];
                let again = match container.spec.restart {
                    Restart::No | Restart::OnFailure => false,
                    Restart::Always => container.state != RunState::Created,
                    Restart::UnlessStopped => !container.stopped && container.state != RunState::Created,
                };
                if again && matches!(container.state, RunState::Exited | RunState::Restarting) {
                    host.start(me, index, now, plan);
                }
            }
            drop(host);
            slot.gate.set_door(Door::Open);
        }
        FaultKind::Unhealthy => {
            let mut host = slot.host();
            for index in 0..host.containers.len() {
                if hit(fault, &host.containers[index].name) {
                    host.judge(index, HealthState::Healthy, now);
                }
            }
        }
        FaultKind::EventFlood | FaultKind::Die | FaultKind::Oom | FaultKind::Flap => {}
    }
}

fn strike(slot: &Slot, me: usize, fault: &Fault, now: Moment, plan: &mut Plan) {
    let mut host = slot.host();
    for index in 0..host.containers.len() {
        if !hit(fault, &host.containers[index].name) {
            continue;
        }
        match fault.kind {
            FaultKind::Die => host.die(me, index, fault.exit_code, false, now, plan),
            FaultKind::Oom => host.die(me, index, 137, true, now, plan),
            FaultKind::Unhealthy => host.judge(index, HealthState::Unhealthy, now),
            FaultKind::Flap => {
                let id = host.containers[index].id.clone();
                plan.push((Duration::ZERO, Due::Flap(me, id, now.timeline + fault.lasts.0, fault.exit_code)));
            }
            FaultKind::Partition
            | FaultKind::Slow
            | FaultKind::DaemonRestart
            | FaultKind::EventFlood
            | FaultKind::Stop
            | FaultKind::Garbage
            | FaultKind::HalfChunk
            | FaultKind::Http500
            | FaultKind::Act409
            | FaultKind::Act500
            | FaultKind::ActHang => {}
        }
    }
}

fn hit(fault: &Fault, name: &str) -> bool {
    fault.container.as_ref().is_some_and(|pattern| glob(pattern.get_ref(), name))
}
