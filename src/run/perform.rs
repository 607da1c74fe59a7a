//! One act, done once: looks first, does what is missing, and is therefore the same whether it is the first try or the third.

use std::time::Duration;

use super::{
    balance,
    failure::{Failure, FailureKind},
    gate,
    halt::Halt,
    pace::Pace,
    port::{Port, PortError, Question},
    pulse::{Notes, Vigil},
    records::Records,
};
use crate::{
    delivery::{
        observed::word,
        plan::Blueprint,
        release::{DeploymentId, label},
        spec::{Deliver, Protocol, Restart},
        steps::{Act, StepId, Subject},
        strategies::Script,
    },
    fleet::{ContainerState, ContainerSummary, HostId},
};

/// So long a host may be away within one act: an engine that restarts is back by then.
const PATIENCE: Duration = Duration::from_secs(45);
/// Somebody may take a port between our look and our start; more often than so, something else is wrong.
const PORT_TRIES: usize = 10;
/// So much of a job's log goes into its failure.
const JOB_LINES: u32 = 5;

/// Where acts are performed.
pub(super) struct Scene<'a, P, R> {
    pub(super) port: &'a P,
    pub(super) records: &'a R,
    pub(super) deployment: &'a DeploymentId,
    pub(super) script: &'a Script,
    pub(super) halt: Halt,
    /// What steps tell while they wait.
    pub(super) notes: &'a Notes,
    /// Where it acts.
    pub(super) hosts: &'a [HostId],
    /// Held while a balancer's slot is looked for and filled.
    pub(super) filling: tokio::sync::Mutex<()>,
}

impl<P: Port, R: Records> Scene<'_, P, R> {
    /// Performs an act of a step, and again while the host is away for a moment.
    pub(super) async fn perform(&self, step: StepId, host: Option<&HostId>, act: &Act) -> Result<(), Failure> {
        let begun = self.port.now();
        let mut wait = Duration::from_millis(250);
        let vigil = Vigil::new(&self.halt, self.notes, step, begun);
        loop {
            let failure = match self.once(&vigil, host, act).await {
                Err(failure) if failure.kind == FailureKind::Away => failure,
                other => return other,
            };
            let spent = (self.port.now() - begun).to_std().unwrap_or_default();
            if spent >= PATIENCE || (self.halt.is_said() && act.only_looks()) {
                return Err(failure);
            }
            vigil.waits_for(&failure.text);
            self.port.sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(4));
        }
    }

    async fn once(&self, vigil: &Vigil<'_>, host: Option<&HostId>, act: &Act) -> Result<(), Failure> {
        match (act, host) {
            (Act::Pause { time }, _) => gate::wait(self.port, vigil, *time).await,
            (Act::Bake { time, watch }, _) => gate::bake(self.port, vigil, *time, watch).await,
            (Act::Approve { question }, _) => self.approve(vigil, question).await,
            (Act::Compare { route, new, time, limits }, _) => balance::compare(self.port, vigil, route, new, (*time, limits)).await,
            (Act::Switch { route, to, from }, _) => balance::switch((self.port, vigil, &self.filling, self.hosts), route, to, from).await,
            (act, Some(host)) => self.on_host(vigil, host, act).await,
            (act, None) => Err(Failure::new(FailureKind::Refused, format!("{act}: on no host"))),
        }
    }

    async fn on_host(&self, vigil: &Vigil<'_>, host: &HostId, act: &Act) -> Result<(), Failure> {
        let port = self.port;
        match act {
            Act::Pull { image } => Ok(port.pull(host, image, &|bytes, of| vigil.has(bytes, of)).await?),
            Act::EnsureNetwork { name } => Ok(port.ensure_network(host, name).await?),
            Act::EnsureVolume { name } => Ok(port.ensure_volume(host, name).await?),
            Act::Create { blueprint } => self.create(host, blueprint).await,
            Act::Start { container, .. } => self.start(host, container).await,
            Act::Gate { container, gate } => {
                let found = self.there(host, container).await?;
                gate::pass(port, vigil, host, &found, gate).await
            }
            Act::SetRestart { container, to, .. } => match self.find(host, container).await? {
                Some(found) => gone_is(port.set_restart(host, &found.id, *to).await, *to == Restart::No),
                None if *to == Restart::No => Ok(()),
                None => Err(missing(container)),
            },
            Act::Stop { container, grace } => match self.find(host, container).await? {
                Some(found) if may_run(found.state) => gone_is(port.stop(host, &found.id, *grace).await, true),
                Some(_) | None => Ok(()),
            },
            Act::Rename { container, to, .. } => {
                let found = self.there(host, container).await?;
                if found.name == *to { Ok(()) } else { Ok(port.rename(host, &found.id, to).await?) }
            }
            Act::Remove { container } => match self.find(host, container).await? {
                Some(found) => gone_is(port.remove(host, &found.id).await, true),
                None => Ok(()),
            },
            Act::Job { blueprint, timeout, .. } => self.job(host, blueprint, *timeout).await,
            Act::Verify { container, path, port: inside, contains, timeout } => {
                let found = self.there(host, container).await?;
                let at = gate::place(port, host, &found, *inside).await?;
                let question = Question::Http { at, path: path.clone(), contains: contains.clone() };
                gate::until(port, vigil, host, &found.id, &question, (Duration::from_secs(1), 1, *timeout)).await
            }
            Act::Admit { route, container, weight } => {
                let found = self.there(host, container).await?;
                let filling = balance::Filling { turn: &self.filling, hosts: self.hosts };
                balance::admit((port, vigil, filling), host, &found, route, *weight).await
            }
            Act::Drain { route, container, within, .. } => match self.find(host, container).await? {
                Some(found) => balance::drain((port, vigil), host, &found, route, *within).await,
                None => Ok(()),
            },
            Act::Withdraw { route, container } => match self.find(host, container).await? {
                Some(found) => balance::withdraw(port, host, &found, route).await,
                None => Ok(()),
            },
            Act::Weigh { route, container, to, .. } => {
                let found = self.there(host, container).await?;
                balance::weigh(port, host, &found, route, *to).await
            }
            Act::Pause { .. } | Act::Bake { .. } | Act::Approve { .. } | Act::Compare { .. } | Act::Switch { .. } => {
                Err(Failure::new(FailureKind::Refused, format!("{act}: not on a host")))
            }
        }
    }

    /// A container, if it is there.
    pub(super) async fn find(&self, host: &HostId, container: &Subject) -> Result<Option<ContainerSummary>, Failure> {
        let all = self.port.containers(host).await?;
        Ok(all.into_iter().find(|found| container.is(&found.id, &found.name)))
    }

    async fn there(&self, host: &HostId, container: &Subject) -> Result<ContainerSummary, Failure> {
        self.find(host, container).await?.ok_or_else(|| missing(container))
    }

    async fn create(&self, host: &HostId, blueprint: &Blueprint) -> Result<(), Failure> {
        for _ in 0..2 {
            if let Some(found) = self.find(host, &blueprint.subject()).await? {
                if found.labels.get(label::DEPLOYMENT) != blueprint.labels.get(label::DEPLOYMENT) {
                    let text = format!("{} is there already, without our labels: rename or remove it", blueprint.name);
                    return Err(Failure::new(FailureKind::Refused, text));
                }
                let has_files = blueprint.secrets.iter().any(|secret| secret.deliver == Deliver::File);
                if found.state != ContainerState::Created || !has_files {
                    return Ok(());
                }
                // Whoever made it may have died before its files were in.
                gone_is(self.port.remove(host, &found.id).await, true)?;
            }
            match self.port.create(host, blueprint).await {
                Ok(_) => return Ok(()),
                // Our own request of a moment ago, or another's: the next look tells.
                Err(PortError::NameTaken(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::new(FailureKind::Refused, format!("the name {} is taken by a container that cannot be seen", blueprint.name)))
    }

    async fn start(&self, host: &HostId, container: &Subject) -> Result<(), Failure> {
        let mut blueprint = self.blueprint(container).cloned();
        for _ in 0..PORT_TRIES {
            let found = match (self.find(host, container).await?, &blueprint) {
                (Some(found), _) => found,
                // It was taken down to be made anew with another port, or somebody pruned it.
                (None, Some(blueprint)) => {
                    self.create(host, blueprint).await?;
                    continue;
                }
                (None, None) => return Err(missing(container)),
            };
            if runs(found.state) {
                return Ok(());
            }
            let taken = match self.port.start(host, &found.id).await {
                Err(error @ PortError::PortTaken(_)) => error,
                other => return other.map_err(Failure::from),
            };
            let Some(moved) = blueprint.filter(|blueprint| blueprint.ports.iter().any(|port| port.ours)) else { return Err(taken.into()) };
            // A container whose start failed once does not get its new port: it is made anew under its name.
            gone_is(self.port.remove(host, &found.id).await, true)?;
            blueprint = Some(next_ports(moved, &found, &self.port.containers(host).await?));
        }
        Err(Failure::new(FailureKind::Refused, format!("{}: {PORT_TRIES} ports were taken one after the other", container.name)))
    }

    /// What a container of this deployment is made from.
    fn blueprint(&self, container: &Subject) -> Option<&Blueprint> {
        self.script.steps.iter().find_map(|step| match &step.act {
            Act::Create { blueprint } if container.id.is_none() && blueprint.name == container.name => Some(&**blueprint),
            _ => None,
        })
    }

    async fn job(&self, host: &HostId, blueprint: &Blueprint, timeout: Duration) -> Result<(), Failure> {
        self.create(host, blueprint).await?;
        let found = self.there(host, &blueprint.subject()).await?;
        // One that has ended is not run again: it did what it does.
        if found.state == ContainerState::Created {
            self.port.start(host, &found.id).await?;
        }
        let (begun, mut pace) = (self.port.now(), Pace::default());
        loop {
            let life = self.port.life(host, &found.id).await?;
            let Some(life) = life else { return Err(missing(&blueprint.subject())) };
            if !may_run(life.state) && life.state != ContainerState::Created {
                return match life.exit_code {
                    Some(0) => Ok(()),
                    code => Err(Failure::gate(self.last_words(host, &found, &ended(code)).await)),
                };
            }
            if (self.port.now() - begun).to_std().unwrap_or_default() >= timeout {
                let text = self.last_words(host, &found, &format!("it did not end within {timeout:?}")).await;
                gone_is(self.port.stop(host, &found.id, Duration::from_secs(1)).await, true)?;
                return Err(Failure::gate(text));
            }
            self.port.sleep(pace.next()).await;
        }
    }

    async fn last_words(&self, host: &HostId, found: &ContainerSummary, what: &str) -> String {
        match self.port.tail(host, &found.id, JOB_LINES).await {
            Ok(text) if !text.trim().is_empty() => format!("{what}; its last words: {}", crate::text::clean_line(text.trim())),
            Ok(_) | Err(_) => what.to_owned(),
        }
    }

    async fn approve(&self, vigil: &Vigil<'_>, question: &str) -> Result<(), Failure> {
        loop {
            match self.records.answer(self.deployment, question).await {
                Ok(Some(Ok(()))) => return Ok(()),
                Ok(Some(Err(reason))) => return Err(Failure::gate(format!("rejected: {reason}"))),
                Ok(None) => gate::wait(self.port, vigil, Duration::from_secs(1)).await?,
                Err(error) => return Err(Failure::new(FailureKind::Refused, error.to_string())),
            }
        }
    }
}

/// Every port of ours one further on than any that is known to be taken.
fn next_ports(mut blueprint: Blueprint, failed: &ContainerSummary, all: &[ContainerSummary]) -> Blueprint {
    let taken = |port: u16, protocol: Protocol| {
        all.iter().filter(|other| other.id != failed.id).any(|other| {
            let live = other.ports.iter().any(|one| one.public == Some(port) && *one.protocol == *word(protocol));
            let wanted = format!("={port}");
            let later = other.labels.get(label::PORTS).is_some_and(|text| text.split(',').any(|one| one.ends_with(&wanted)));
            live || later
        })
    };
    let ours: Vec<_> = blueprint.ports.iter().filter(|port| port.ours).map(|port| (port.host, port.protocol)).collect();
    let mut given = Vec::new();
    for (from, protocol) in ours {
        let free = (from.saturating_add(1)..u16::MAX).find(|port| !taken(*port, protocol) && !given.contains(port));
        if let Some(to) = free {
            given.push(to);
            blueprint = blueprint.moved(from, protocol, to);
        }
    }
    blueprint
}

fn missing(container: &Subject) -> Failure {
    Failure::new(FailureKind::Refused, format!("{} is not there any more", container.name))
}

/// How a container ended, as a sentence.
pub(super) fn ended(code: Option<i64>) -> String {
    code.map_or_else(|| "it ended".to_owned(), |code| format!("it ended with exit code {code}"))
}

/// Whether its main process lives.
pub(super) fn runs(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running)
}

/// Whether its main process lives or may come to life again by itself.
pub(super) fn may_run(state: ContainerState) -> bool {
    match state {
        ContainerState::Running | ContainerState::Paused | ContainerState::Restarting | ContainerState::Unknown => true,
        ContainerState::Created | ContainerState::Removing | ContainerState::Exited | ContainerState::Dead => false,
    }
}

/// What is gone already needs no ending.
fn gone_is(answer: Result<(), PortError>, fine: bool) -> Result<(), Failure> {
    match answer {
        Err(PortError::Gone(_)) if fine => Ok(()),
        other => other.map_err(Failure::from),
    }
}
