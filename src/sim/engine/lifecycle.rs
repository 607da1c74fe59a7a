//! What can happen to a container, with the events a real engine emits for it, in its order.

use std::time::Duration;

use super::{
    clock::Moment,
    container::{Container, HealthState, RUNS, Run, RunState},
    event::{Event, Subject},
    host::Host,
    schedule::Due,
};
use crate::sim::scenario::Restart;

/// What a client may do to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `start`.
    Start,
    /// `stop`: SIGTERM; it always ends at once, with code 0.
    Stop,
    /// `restart`.
    Restart,
    /// `kill`, with this signal: one that ends processes does so.
    Kill(String),
    /// `pause`.
    Pause,
    /// `unpause`.
    Unpause,
    /// `rename`, to this name.
    Rename(String),
    /// `rm`, forced or not.
    Remove(bool),
}

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was so already (304).
    Already,
}

/// Why an act was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The engine's sentence.
    pub message: String,
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// What follows later from what happens now: after so long on the timeline, this.
pub type Plan = Vec<(Duration, Due)>;

/// A run shorter than this makes the next restart wait longer, as in dockerd.
const SHORT: i64 = 10_000_000_000;

impl Host {
    /// Does `act` to the container at `index`. `me` is the host's place in the fleet.
    pub fn act(&mut self, me: usize, index: usize, act: &Act, now: Moment, plan: &mut Plan) -> Result<Outcome, Refusal> {
        let Some(container) = self.containers.get(index) else { return Err(Refusal::new(404, "No such container")) };
        let (state, id, name) = (container.state, container.id.clone(), container.name.clone());
        match act {
            Act::Start => match state {
                RunState::Running | RunState::Restarting => return Ok(Outcome::Already),
                RunState::Paused => return Err(Refusal::new(409, "cannot start a paused container, try unpause instead")),
                RunState::Created | RunState::Exited => {
                    self.containers[index].streak = 0;
                    self.start(me, index, now, plan);
                }
            },
            Act::Stop => {
                if matches!(state, RunState::Created | RunState::Exited) {
                    return Ok(Outcome::Already);
                }
                self.halt(index, "15", 0, now);
                self.tell(index, "stop", now);
            }
            Act::Restart => {
                if state.lives() {
                    self.halt(index, "15", 0, now);
                    self.tell(index, "stop", now);
                }
                self.containers[index].streak = 0;
                self.start(me, index, now, plan);
                self.tell(index, "restart", now);
            }
            Act::Kill(signal) => {
                if !state.lives() {
                    let message = format!("cannot kill container: {name}: container {id} is not running");
                    return Err(Refusal::new(409, message));
                }
                let Some(number) = signal_number(signal) else {
                    return Err(Refusal::new(400, format!("invalid signal: {signal}")));
                };
                if matches!(number, 1 | 2 | 3 | 6 | 9 | 15) {
                    self.halt(index, &number.to_string(), 128 + number, now);
                } else {
                    let event = Event::of(&self.containers[index], "kill", now.wall).with("signal", number.to_string());
                    self.emit(event);
                }
            }
            Act::Pause => match state {
                RunState::Running => {
                    self.containers[index].state = RunState::Paused;
                    self.tell(index, "pause", now);
                }
                RunState::Paused => return Err(Refusal::new(409, format!("container {id} is already paused"))),
                RunState::Created | RunState::Exited => return Err(Refusal::new(409, format!("container {id} is not running"))),
                RunState::Restarting => {
                    return Err(Refusal::new(409, format!("Container {id} is restarting, wait until the container is running")));
                }
            },
            Act::Unpause => {
                if state != RunState::Paused {
                    return Err(Refusal::new(409, format!("Container {id} is not paused")));
                }
                self.containers[index].state = RunState::Running;
                self.tell(index, "unpause", now);
            }
            Act::Rename(to) => {
                let to = to.strip_prefix('/').unwrap_or(to);
                check_name(to)?;
                if let Some(other) = self.containers.iter().find(|other| *other.name == *to) {
                    let message = format!(
                        "Conflict. The container name \"/{to}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                        other.id
                    );
                    return Err(Refusal::new(409, message));
                }
                self.containers[index].name = to.into();
                let event = Event::of(&self.containers[index], "rename", now.wall).with("oldName", format!("/{name}"));
                self.emit(event);
            }
            Act::Remove(force) => {
                if state.lives() || state == RunState::Restarting {
                    if !force {
                        let message = format!(
                            "cannot remove container \"/{name}\": container is {}: stop the container before removing or force remove",
                            state.word()
                        );
                        return Err(Refusal::new(409, message));
                    }
                    if state.lives() {
                        self.halt(index, "9", 137, now);
                    }
                }
                self.tell(index, "destroy", now);
                self.containers.remove(index);
            }
        }
        Ok(Outcome::Done)
    }

    /// Starts the process of a container that has none.
    pub fn start(&mut self, me: usize, index: usize, now: Moment, plan: &mut Plan) {
        let Some(container) = self.containers.get_mut(index) else { return };
        container.life += 1;
        container.state = RunState::Running;
        container.stopped = false;
        container.exit_code = 0;
        container.oom_killed = false;
        if container.runs.len() == RUNS {
            container.runs.remove(0);
        }
        container.runs.push(Run { start: now.wall, end: None, exit_code: 0 });
        let (id, life) = (container.id.clone(), container.life);
        if container.spec.checked {
            container.health = HealthState::Starting;
            if container.health_wanted != HealthState::Starting {
                plan.push((Duration::from_secs(5), Due::Verdict(me, id.clone(), life)));
            }
        }
        if let Some(after) = container.crash {
            plan.push((after, Due::Crash(me, id, life)));
        }
        self.network(index, "connect", now);
        self.tell(index, "start", now);
    }

    /// The process of a container ends by itself; its policy may start it again.
    pub fn die(&mut self, me: usize, index: usize, exit_code: i64, oom: bool, now: Moment, plan: &mut Plan) {
        if !self.containers.get(index).is_some_and(|container| container.state.lives()) {
            return;
        }
        if oom {
            self.tell(index, "oom", now);
        }
        self.end(index, exit_code, now);
        let Some(container) = self.containers.get_mut(index) else { return };
        container.oom_killed = oom;
        let again = match container.spec.restart {
            Restart::No => false,
            Restart::Always => true,
            Restart::UnlessStopped => !container.stopped,
            Restart::OnFailure => exit_code != 0,
        };
        if !again {
            return;
        }
        let short = container.runs.last().is_some_and(|run| now.wall - run.start < SHORT);
        container.streak = if short { (container.streak + 1).min(10) } else { 0 };
        container.state = RunState::Restarting;
        container.restarts += 1;
        let wait = Duration::from_millis(100 << container.streak).min(Duration::from_secs(60));
        plan.push((wait, Due::Restart(me, container.id.clone(), container.life)));
    }

    /// The health check changes its mind.
    pub fn judge(&mut self, index: usize, verdict: HealthState, now: Moment) {
        let Some(container) = self.containers.get_mut(index) else { return };
        if container.state != RunState::Running || container.health == verdict || container.health == HealthState::None {
            return;
        }
        container.health = verdict;
        self.tell(index, &format!("health_status: {}", verdict.word()), now);
    }

    /// A command runs in a container: the three events of it.
    pub fn exec(&mut self, index: usize, command: &str, now: Moment) {
        let Some(container) = self.containers.get(index) else { return };
        let id = super::seed::hex(&format!("{} {}", container.id, self.emitted));
        for action in [format!("exec_create: {command}"), format!("exec_start: {command}"), "exec_die".to_owned()] {
            let event = Event::of(&self.containers[index], action, now.wall).with("execID", id.clone());
            self.emit(event);
        }
    }

    /// A person or the engine ends the process by a signal: the policy rests.
    pub fn halt(&mut self, index: usize, signal: &str, exit_code: i64, now: Moment) {
        let Some(container) = self.containers.get_mut(index) else { return };
        container.stopped = true;
        if container.state == RunState::Restarting {
            container.state = RunState::Exited;
            container.life += 1;
            return;
        }
        let event = Event::of(container, "kill", now.wall).with("signal", signal);
        self.emit(event);
        self.end(index, exit_code, now);
    }

    /// The process ends: `die`, then the network is left.
    fn end(&mut self, index: usize, exit_code: i64, now: Moment) {
        let Some(container) = self.containers.get_mut(index) else { return };
        container.life += 1;
        container.state = RunState::Exited;
        container.exit_code = exit_code;
        if container.spec.checked {
            container.health = HealthState::Unhealthy;
        }
        if let Some(run) = container.runs.last_mut() {
            run.end = Some(now.wall);
            run.exit_code = exit_code;
        }
        let event = Event::of(container, "die", now.wall).with("exitCode", exit_code.to_string());
        self.emit(event);
        self.network(index, "disconnect", now);
    }

    fn network(&mut self, index: usize, action: &str, now: Moment) {
        let Some(container) = self.containers.get(index) else { return };
        let subject = Subject::Network { network: self.machine.network.clone(), container: container.id.clone() };
        self.emit(Event { at: now.wall, action: action.to_owned(), subject, extra: None });
    }

    fn tell(&mut self, index: usize, action: &str, now: Moment) {
        if let Some(event) = self.containers.get(index).map(|container| Event::of(container, action, now.wall)) {
            self.emit(event);
        }
    }
}

/// The first life of a container that was there before the scenario, without events.
pub fn revive(container: &mut Container, me: usize, plan: &mut Plan) {
    if container.state == RunState::Running
        && let Some(after) = container.crash
    {
        plan.push((after, Due::Crash(me, container.id.clone(), container.life)));
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.len() >= 2 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inside) {
        return Ok(());
    }
    Err(Refusal::new(400, format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")))
}

fn signal_number(signal: &str) -> Option<i64> {
    let upper = signal.to_ascii_uppercase();
    match upper.strip_prefix("SIG").unwrap_or(&upper) {
        "" | "KILL" => Some(9),
        "TERM" => Some(15),
        "INT" => Some(2),
        "QUIT" => Some(3),
        "HUP" => Some(1),
        "ABRT" => Some(6),
        "USR1" => Some(10),
        "USR2" => Some(12),
        number => number.parse().ok().filter(|number| (1..=64).contains(number)),
    }
}
