//! One container's row as `apply` keeps it: what is shown, and which knowledge it rests on.
//!
//! The ordering rule. Engine clocks and ours differ, so what arrived is ordered by *our* clock only. Every piece of knowledge about a
//! row's state carries a stamp: for an event when it arrived, for an inspect when its answer came, for a list when it was *asked for* (a
//! list is taken somewhere between question and answer; an event that arrives in between may be newer than it). A piece replaces the
//! state when its stamp is not older than the one the row rests on (`as_of`); an older piece only fills in what never changes. Engine
//! times are compared only with times of the same engine (a stop and the end that follows it).

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    container::{Container, ContainerState, Health, ImageRef},
    delta::{ContainerDetail, ContainerSummary},
    event::EngineEvent,
    ids::ContainerKey,
};

/// How many ends a row remembers.
const DEATHS_KEPT: usize = 8;
/// An end within this time after a signal counts as asked for: longer than any sane stop timeout, shorter than a process that survived it.
const STOP_WINDOW: TimeDelta = TimeDelta::minutes(5);
/// A `stop` comes so long after the end that it asked for, at most.
const AFTERWARDS: TimeDelta = TimeDelta::seconds(2);
/// What starts again so soon after its end was started by its policy, whose first pauses are shorter, and not by a person.
const POLICY_WINDOW: TimeDelta = TimeDelta::seconds(2);
/// Ends nearer than this are one: no process starts and ends twice so fast.
const SAME_END: TimeDelta = TimeDelta::milliseconds(20);

/// A container and the bookkeeping of `apply`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub container: Container,
    /// The stamp of the newest knowledge of its state.
    pub as_of: DateTime<Utc>,
    /// Whether it was ever seen with a HEALTHCHECK: then a start begins with `starting`.
    pub checked: bool,
}

impl Row {
    /// A row from a list or an inspect.
    pub fn from_summary(key: ContainerKey, summary: &ContainerSummary, stamp: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        let container = Container {
            image_id: summary.image_id.clone(),
            labels: summary.labels.clone(),
            state: summary.state,
            health: summary.health,
            command: summary.command.clone(),
            seen: at,
            ..Container::named(key, &summary.name, summary.image.clone(), summary.created)
        };
        let mut row = Self { container, as_of: stamp, checked: false };
        row.take_summary(summary, stamp, at);
        row
    }

    /// A row from an event, where it says enough: only `create` and `start` are sure that the container exists.
    pub fn from_event(event: &EngineEvent, at: DateTime<Utc>) -> Option<Self> {
        let image = ImageRef::parse(event.image.as_deref()?);
        if event.name.is_empty() || !matches!(event.verb(), "create" | "start") {
            return None;
        }
        let container = Container { state: ContainerState::Created, seen: at, ..Container::told_by(event, image) };
        let mut row = Self { container, as_of: at, checked: false };
        row.take_event(event, at);
        Some(row)
    }

    /// Takes what a list says.
    pub fn take_summary(&mut self, summary: &ContainerSummary, stamp: DateTime<Utc>, at: DateTime<Utc>) {
        let row = &mut self.container;
        row.seen = row.seen.max(at);
        row.created = summary.created;
        if row.labels != summary.labels {
            row.labels = summary.labels.clone();
        }
        // An image whose tag moved on is listed by its bare id: the name it was started by is the better knowledge.
        let forgotten = summary.image.repository.is_empty() && !row.image.repository.is_empty();
        if !forgotten || (row.image_id != summary.image_id && !row.image_id.as_str().is_empty()) {
            row.image = summary.image.clone();
        }
        row.image_id = summary.image_id.clone();
        row.command = summary.command.clone();
        self.checked |= summary.health != Health::None;
        if stamp < self.as_of {
            return;
        }
        self.as_of = stamp;
        row.name = summary.name.clone();
        if row.ports != summary.ports {
            row.ports.clone_from(&summary.ports);
        }
        let was_running = row.is_running();
        let changed = row.state != summary.state;
        row.state = summary.state;
        let health = if row.is_running() { summary.health } else { Health::None };
        if row.health != health {
            (row.health, row.witness.health) = (health, Some(at));
        }
        if row.state == ContainerState::Restarting {
            row.witness.restarting = row.witness.restarting.max(Some(at));
            // By policy: also an end with code 0 was none that the policy takes for the last.
            if let Some(finished) = row.finished.filter(|_| changed && row.stop_asked.is_none()) {
                note_death(row, finished);
            }
        }
        match (was_running, row.is_running()) {
            // Started while nobody looked: its moment is unknown until inspected.
            (false, true) => self.forget_end(),
            (true, false) if changed => (row.finished, row.exit_code, row.oom_killed) = (None, summary.exit_code, None),
            (false, false) => row.exit_code = summary.exit_code.or(row.exit_code),
            (true, _) => {}
        }
        if self.container.state == ContainerState::Running {
            self.container.exit_code = None;
        } else if summary.exit_code.is_some() {
            self.container.exit_code = summary.exit_code;
        }
    }

    /// Takes what an inspect says.
    pub fn take_detail(&mut self, detail: &ContainerDetail, at: DateTime<Utc>) {
        let current = at >= self.as_of;
        self.take_summary(&detail.summary, at, at);
        let row = &mut self.container;
        row.image = if detail.summary.image.repository.is_empty() { row.image.clone() } else { detail.summary.image.clone() };
        row.restarts = Some(detail.restarts);
        row.cpu_limit = detail.cpu_limit;
        if current {
            row.started = detail.started;
            row.finished = if row.state == ContainerState::Running { None } else { detail.finished };
            row.exit_code = if row.state == ContainerState::Running { None } else { detail.summary.exit_code };
            row.oom_killed = Some(detail.oom_killed);
        }
    }

    /// Takes what an event says of the state. `destroy` is not for here: it ends the row.
    pub fn take_event(&mut self, event: &EngineEvent, at: DateTime<Utc>) {
        self.container.seen = self.container.seen.max(at);
        if at < self.as_of {
            return;
        }
        let row = &mut self.container;
        match event.verb() {
            "start" | "restart" => {
                // `restart` follows the `start` it reports.
                if event.verb() == "start" || row.state != ContainerState::Running {
                    if let Some(finished) = row.finished.filter(|at| event.at - *at <= POLICY_WINDOW && row.stop_asked.is_none()) {
                        note_death(row, finished);
                    }
                    self.forget_end();
                    let row = &mut self.container;
                    row.state = ContainerState::Running;
                    row.started = Some(event.at);
                    row.oom_killed = Some(false);
                    row.health = if self.checked { Health::Starting } else { Health::None };
                    row.witness.health = self.checked.then_some(event.at);
                }
            }
            "die" | "died" => {
                row.state = ContainerState::Exited;
                row.health = Health::None;
                row.exit_code = event.exit_code;
                row.finished = Some(event.at);
                let asked = row.stop_asked.is_some_and(|asked| event.at - asked <= STOP_WINDOW);
                if !asked {
                    row.stop_asked = None;
                    // An end with code 0 is a finished job; one that its policy starts again shows as restarting.
                    if event.exit_code != Some(0) {
                        note_death(row, event.at);
                    }
                }
            }
            "kill" if ends_a_process(event.signal.as_deref()) => (row.stop_asked, row.witness.oom) = (Some(event.at), None),
            "stop" => {
                // Comes after the end it asked for; engines that tell no `kill` before it leave only this to know it by.
                (row.stop_asked, row.witness.oom) = (Some(event.at), None);
                if row.ended_by_itself() {
                    row.deaths.pop();
                }
                if row.is_running() {
                    row.state = ContainerState::Exited;
                    row.health = Health::None;
                }
            }
            "pause" => row.state = ContainerState::Paused,
            "unpause" => row.state = ContainerState::Running,
            "rename" if !event.name.is_empty() => row.name = event.name.clone(),
            "oom" => (row.oom_killed, row.witness.oom) = (Some(true), Some(event.at)),
            "health_status" => {
                let Some(health) = verdict(event) else { return };
                self.checked = true;
                if row.is_running() {
                    (row.health, row.witness.health) = (health, Some(event.at));
                }
            }
            // Nothing of the state is in it (exec_create, attach, top, resize, update, …).
            _ => return,
        }
        self.as_of = at;
    }

    /// Takes what an event of before we looked tells of the past; the state it leaves alone. `asked`: somebody had asked for the end that
    /// it reports.
    pub fn take_history(&mut self, event: &EngineEvent, asked: bool) {
        let row = &mut self.container;
        match event.verb() {
            "die" | "died" if !asked && event.exit_code != Some(0) => note_death(row, event.at),
            "oom" => row.witness.oom = row.witness.oom.max(Some(event.at)),
            "kill" | "stop" if is_stop(event) => {
                row.witness.oom = row.witness.oom.filter(|oom| *oom > event.at);
                // A `stop` is told after the end that it asked for.
                row.deaths.retain(|death| !(TimeDelta::zero()..=AFTERWARDS).contains(&(event.at - *death)));
            }
            "health_status" if verdict(event) == Some(row.health) => row.witness.health = row.witness.health.max(Some(event.at)),
            // Nothing else of the past is asked for.
            _ => {}
        }
    }

    fn forget_end(&mut self) {
        let row = &mut self.container;
        row.started = None;
        row.finished = None;
        row.exit_code = None;
        row.oom_killed = None;
        row.stop_asked = None;
    }
}

/// Whether an event says that somebody asked the main process to end.
pub(super) fn is_stop(event: &EngineEvent) -> bool {
    event.verb() == "stop" || event.verb() == "kill" && ends_a_process(event.signal.as_deref())
}

/// Whether an end at `at` lies within the time in which it was asked for at `asked`.
pub(super) fn was_asked(asked: DateTime<Utc>, at: DateTime<Utc>) -> bool {
    // A `stop` is told after the end that it asked for.
    (-AFTERWARDS..=STOP_WINDOW).contains(&(at - asked))
}

/// The verdict that a `health_status` reports.
fn verdict(event: &EngineEvent) -> Option<Health> {
    let word = event.action.split_once(':').map_or("", |(_, word)| word.trim());
    Some(Health::parse(word)).filter(|health| *health != Health::None)
}

/// Remembers an unexpected end, once: inspect, event and history tell the same one moments apart.
fn note_death(row: &mut Container, at: DateTime<Utc>) {
    if row.deaths.iter().any(|known| (*known - at).abs() < SAME_END) {
        return;
    }
    let place = row.deaths.partition_point(|known| *known < at);
    row.deaths.insert(place, at);
    let surplus = row.deaths.len().saturating_sub(DEATHS_KEPT);
    row.deaths.drain(..surplus);
}

/// Whether two states of a row look the same: when it was last confirmed is shown only where a host is lost, as the host's own age.
pub(super) fn looks_same(a: &Container, b: &Container) -> bool {
    a.state == b.state
        && a.health == b.health
        && a.name == b.name
        && a.image_id == b.image_id
        && a.digest == b.digest
        && a.version == b.version
        && a.identity == b.identity
        && a.image == b.image
        && a.exit_code == b.exit_code
        && a.oom_killed == b.oom_killed
        && a.created == b.created
        && a.started == b.started
        && a.finished == b.finished
        && a.restarts == b.restarts
        && a.cpu_limit == b.cpu_limit
        && a.ports == b.ports
        && a.command == b.command
        && a.deaths == b.deaths
        && a.stop_asked == b.stop_asked
        && a.witness == b.witness
        && a.labels == b.labels
}

/// Whether a signal is meant to end a process: programs reload or report on HUP, USR1, USR2 and WINCH, CONT and STOP freeze and thaw.
/// Apache's images stop by WINCH; their end is still told by the `stop` that follows it.
fn ends_a_process(signal: Option<&str>) -> bool {
    let word = signal.unwrap_or("15").trim_start_matches("SIG");
    !matches!(word, "1" | "HUP" | "10" | "USR1" | "12" | "USR2" | "28" | "WINCH" | "18" | "CONT" | "19" | "STOP" | "20" | "TSTP")
}
