//! Waiting until a container serves, and watching that it goes on.

use std::time::Duration;

use super::{
    failure::Failure,
    pace::Pace,
    perform::ended,
    port::{Life, Place, Port, PortError, Question, outside},
    pulse::Vigil,
};
use crate::{
    delivery::{
        observed::{BoundPort, bound_ports},
        release::label,
        steps::{Gate, GateProbe, SETTLED, Watched},
    },
    fleet::{ContainerId, ContainerState, ContainerSummary, Health, HostId},
};

/// What is told of a container that can only be watched.
pub const NOTHING_TO_ASK: &str = "there is nothing to ask: it must go on running";
/// So many bad answers in a row while it bakes are no accident.
const BAKE_FALLS: u32 = 3;
/// Nobody hears a halt later than so.
const NAP: Duration = Duration::from_secs(1);

/// Sleeps, unless told to stop.
pub(super) async fn wait<P: Port>(port: &P, vigil: &Vigil<'_>, time: Duration) -> Result<(), Failure> {
    let mut left = time;
    loop {
        if vigil.is_halted() {
            return Err(Failure::halted());
        }
        if left.is_zero() {
            return Ok(());
        }
        let nap = left.min(NAP);
        port.sleep(nap).await;
        left -= nap;
    }
}

/// Where one of its ports is asked: outside if it is published, else at its own address.
pub(super) async fn place<P: Port>(port: &P, host: &HostId, found: &ContainerSummary, inside: u16) -> Result<Place, Failure> {
    if let Some(published) = published(found, inside) {
        return Ok(Place::Published { address: port.address(host), port: published });
    }
    match port.life(host, &found.id).await? {
        Some(Life { address: Some(address), .. }) => Ok(Place::Inside { address, port: inside }),
        Some(life) => Err(dead(&life, "it has no address to ask")),
        None => Err(Failure::gate("it is gone")),
    }
}

/// The port as its label says it: an engine tells it only while the container runs.
pub(super) fn published(found: &ContainerSummary, inside: u16) -> Option<u16> {
    let bound: Vec<BoundPort> = found.labels.get(label::PORTS).map(|text| bound_ports(text)).unwrap_or_default();
    outside(&bound, inside)
}

/// Waits until a container serves.
pub(super) async fn pass<P: Port>(
    port: &P,
    vigil: &Vigil<'_>,
    host: &HostId,
    found: &ContainerSummary,
    gate: &Gate,
) -> Result<(), Failure> {
    let clock = (gate.interval, gate.rise, gate.timeout);
    let inside = match &gate.probe {
        GateProbe::Image { port: inside } => {
            let life = port.life(host, &found.id).await?.ok_or_else(|| Failure::gate("it is gone"))?;
            if life.health != Health::None {
                return healthcheck(port, vigil, host, &found.id, clock).await;
            }
            match inside {
                Some(inside) => Some(*inside),
                None => return settle(port, vigil, host, &found.id, &life).await,
            }
        }
        GateProbe::Http { port, .. } | GateProbe::Tcp { port } => Some(*port),
        GateProbe::Command(_) | GateProbe::Log(_) => None,
    };
    let question = match question(port, host, found, &gate.probe, inside).await? {
        Some(question) => question,
        None => return Err(Failure::gate("there is nothing to ask it")),
    };
    until(port, vigil, host, &found.id, &question, clock).await
}

async fn question<P: Port>(
    port: &P,
    host: &HostId,
    found: &ContainerSummary,
    probe: &GateProbe,
    inside: Option<u16>,
) -> Result<Option<Question>, Failure> {
    let at = match inside {
        Some(inside) => Some(place(port, host, found, inside).await?),
        None => None,
    };
    Ok(match (probe, at) {
        (GateProbe::Http { path, .. }, Some(at)) => Some(Question::Http { at, path: path.clone(), contains: None }),
        (GateProbe::Tcp { .. } | GateProbe::Image { .. }, Some(at)) => Some(Question::Tcp { at }),
        (GateProbe::Command(command), _) => Some(Question::Command(command.clone())),
        (GateProbe::Log(pattern), _) => Some(Question::Log(pattern.clone())),
        (GateProbe::Http { .. } | GateProbe::Tcp { .. } | GateProbe::Image { .. }, None) => None,
    })
}

/// Asks until there were enough good answers in a row. The whole time is `timeout`; what ends before does not wait for it.
pub(super) async fn until<P: Port>(
    port: &P,
    vigil: &Vigil<'_>,
    host: &HostId,
    id: &ContainerId,
    question: &Question,
    (interval, rise, timeout): (Duration, u16, Duration),
) -> Result<(), Failure> {
    let begun = port.now();
    let mut good = 0;
    let mut last = "it was not asked".to_owned();
    loop {
        match port.probe(host, id, question).await {
            Ok(Ok(())) => good += 1,
            Ok(Err(answer)) => (good, last) = (0, answer),
            // Its host may be back in a moment; the deadline holds all the same.
            Err(PortError::Away(answer)) => (good, last) = (0, answer),
            Err(error) => return Err(error.into()),
        }
        vigil.asked(good, (good == 0).then_some(last.as_str()));
        if good >= rise {
            return Ok(());
        }
        if good == 0 {
            match port.life(host, id).await {
                Ok(Some(life)) if matches!(life.state, ContainerState::Exited | ContainerState::Dead) => return Err(dead(&life, &last)),
                Ok(None) => return Err(Failure::gate("it is gone")),
                Ok(Some(_)) | Err(PortError::Away(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if (port.now() - begun).to_std().unwrap_or_default() >= timeout {
            let restarts = again_and_again(port, host, id).await;
            return Err(Failure::gate(format!("not healthy within {timeout:?}: {last}{restarts}")));
        }
        wait(port, vigil, interval).await?;
    }
}

/// Who asks only hears that nobody answers; the engine knows that it was started anew each time.
async fn again_and_again<P: Port>(port: &P, host: &HostId, id: &ContainerId) -> String {
    match port.life(host, id).await {
        Ok(Some(life)) if life.restarts > 0 => {
            let code = life.exit_code.filter(|_| life.state == ContainerState::Restarting);
            let code = code.map(|code| format!(", the last time with exit code {code}")).unwrap_or_default();
            format!("; it ends again and again ({} restarts){code}", life.restarts)
        }
        Ok(_) | Err(_) => String::new(),
    }
}

async fn healthcheck<P: Port>(
    port: &P,
    vigil: &Vigil<'_>,
    host: &HostId,
    id: &ContainerId,
    (interval, _, timeout): (Duration, u16, Duration),
) -> Result<(), Failure> {
    let (begun, mut pace) = (port.now(), Pace::default());
    loop {
        let life = port.life(host, id).await?.ok_or_else(|| Failure::gate("it is gone"))?;
        match (life.state, life.health) {
            (ContainerState::Running, Health::Healthy) => return Ok(()),
            (ContainerState::Running, Health::Unhealthy) => return Err(Failure::gate("its HEALTHCHECK says unhealthy")),
            (ContainerState::Exited | ContainerState::Dead, _) => return Err(dead(&life, "its HEALTHCHECK did not pass")),
            _ if (port.now() - begun).to_std().unwrap_or_default() >= timeout => {
                return Err(Failure::gate(format!("its HEALTHCHECK did not pass within {timeout:?}")));
            }
            // The engine asks it; to look at what it was answered costs the container nothing.
            _ => {
                vigil.waits_for(&format!("its HEALTHCHECK says {}", life.health));
                wait(port, vigil, pace.next().min(interval)).await?;
            }
        }
    }
}

/// Nothing to ask: it must stay as it is for a while.
async fn settle<P: Port>(port: &P, vigil: &Vigil<'_>, host: &HostId, id: &ContainerId, first: &Life) -> Result<(), Failure> {
    let mut left = SETTLED;
    vigil.waits_for(NOTHING_TO_ASK);
    while !left.is_zero() {
        wait(port, vigil, NAP).await?;
        left = left.saturating_sub(NAP);
        let life = port.life(host, id).await?.ok_or_else(|| Failure::gate("it is gone"))?;
        if life.state != ContainerState::Running || life.restarts != first.restarts || life.started != first.started {
            return Err(dead(&life, &format!("it did not run for {SETTLED:?} without a restart")));
        }
    }
    Ok(())
}

/// Watches containers for a while: they must go on running, without a restart, and answer.
pub(super) async fn bake<P: Port>(port: &P, vigil: &Vigil<'_>, time: Duration, watch: &[Watched]) -> Result<(), Failure> {
    let begun = port.now();
    let mut seen: Vec<Option<Life>> = vec![None; watch.len()];
    let mut falls = vec![0_u32; watch.len()];
    loop {
        for (at, watched) in watch.iter().enumerate() {
            match look(port, watched, &mut seen[at]).await? {
                Ok(()) => falls[at] = 0,
                Err(answer) => {
                    falls[at] += 1;
                    vigil.asked(0, Some(&format!("{} on {}: {answer}", watched.container.name, watched.host)));
                    if falls[at] >= BAKE_FALLS {
                        let (name, host) = (&watched.container.name, &watched.host);
                        return Err(Failure::gate(format!("{name} on {host} did not stay well: {answer}")));
                    }
                }
            }
        }
        let spent = (port.now() - begun).to_std().unwrap_or_default();
        if spent >= time {
            return Ok(());
        }
        wait(port, vigil, NAP.min(time - spent)).await?;
    }
}

async fn look<P: Port>(port: &P, watched: &Watched, before: &mut Option<Life>) -> Result<Result<(), String>, Failure> {
    let (host, name) = (&watched.host, &watched.container.name);
    let all = match port.containers(host).await {
        Ok(all) => all,
        Err(PortError::Away(answer)) => return Ok(Err(answer)),
        Err(error) => return Err(error.into()),
    };
    let Some(found) = all.iter().find(|found| watched.container.is(&found.id, &found.name)) else {
        return Err(Failure::gate(format!("{name} on {host} is gone")));
    };
    let Some(life) = port.life(host, &found.id).await? else { return Err(Failure::gate(format!("{name} on {host} is gone"))) };
    let first = before.get_or_insert_with(|| life.clone());
    if life.state != ContainerState::Running || life.restarts != first.restarts {
        return Err(dead(&life, &format!("{name} on {host} did not stay up")));
    }
    if life.health == Health::Unhealthy {
        return Ok(Err("its HEALTHCHECK says unhealthy".to_owned()));
    }
    let inside = match &watched.gate.probe {
        GateProbe::Http { port, .. } | GateProbe::Tcp { port } => Some(*port),
        // Asked once at the gate: a line of a log does not come again, and a HEALTHCHECK has been looked at.
        GateProbe::Log(_) | GateProbe::Image { .. } => return Ok(Ok(())),
        GateProbe::Command(_) => None,
    };
    match question(port, host, found, &watched.gate.probe, inside).await? {
        Some(question) => match port.probe(host, &found.id, &question).await {
            Ok(answer) => Ok(answer),
            Err(PortError::Away(answer)) => Ok(Err(answer)),
            Err(error) => Err(error.into()),
        },
        None => Ok(Ok(())),
    }
}

fn dead(life: &Life, last: &str) -> Failure {
    match life.state {
        ContainerState::Exited | ContainerState::Dead => Failure::gate(format!("{last}; {}", ended(life.exit_code))),
        ContainerState::Restarting => Failure::gate(format!("{last}; it ends again and again ({} restarts)", life.restarts)),
        ContainerState::Created | ContainerState::Running | ContainerState::Paused | ContainerState::Removing | ContainerState::Unknown => {
            Failure::gate(format!("{last}; it is {}", life.state))
        }
    }
}
