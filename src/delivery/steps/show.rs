//! Steps as lines that a person reads: number, host, what is done, what it waits for.

use std::fmt;

use super::{Act, FULL, Gate, GateProbe, Member, Step, StepId};
use crate::delivery::observed::restart_word;

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&(self.0 + 1), f)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull { image } => write!(f, "pull {image}"),
            Self::EnsureNetwork { name } => write!(f, "network {name}"),
            Self::EnsureVolume { name } => write!(f, "volume {name}"),
            Self::Create { blueprint } => write!(f, "create {}", blueprint.name),
            Self::Start { container, .. } => write!(f, "start {}", container.name),
            Self::Gate { container, gate } => write!(f, "gate {} {gate}", container.name),
            Self::SetRestart { container, to, .. } => write!(f, "restart={} {}", restart_word(*to), container.name),
            Self::Stop { container, .. } => write!(f, "stop {}", container.name),
            Self::Rename { to, was, .. } => write!(f, "rename {was} to {to}"),
            Self::Remove { container } => write!(f, "remove {}", container.name),
            Self::Job { blueprint, timeout, one_way } => {
                write!(f, "job {} within {timeout:?}{}", blueprint.name, if *one_way { ", one way" } else { "" })
            }
            Self::Admit { route, container, weight } => {
                write!(f, "admit {} to {}/{}{}", container.name, route.lb, route.backend, Share(*weight))
            }
            Self::Drain { route, container, .. } => write!(f, "drain {} of {}/{}", container.name, route.lb, route.backend),
            Self::Withdraw { route, container } => write!(f, "withdraw {} from {}/{}", container.name, route.lb, route.backend),
            Self::Weigh { container, to, .. } => write!(f, "weigh {} {to}", container.name),
            Self::Switch { route, to, from } => {
                write!(f, "switch {}/{} from {} to {}", route.lb, route.backend, Named(from), Named(to))
            }
            Self::Approve { question } => write!(f, "approve: {question}"),
            Self::Compare { route, time, limits, .. } => write!(
                f,
                "compare {}/{} for {time:?}, errors x{}, latency x{}, {} requests",
                route.lb, route.backend, limits.errors, limits.latency, limits.min_requests
            ),
            Self::Verify { container, path, contains, .. } => {
                write!(f, "verify {} {path}", container.name)?;
                contains.as_ref().map_or(Ok(()), |text| write!(f, " contains {text:?}"))
            }
            Self::Pause { time } => write!(f, "pause {time:?}"),
            Self::Bake { time, watch } => write!(f, "bake {time:?}, {} watched", watch.len()),
        }
    }
}

/// Containers by their names.
struct Named<'a>(&'a [Member]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, member) in self.0.iter().enumerate() {
            write!(f, "{}{} on {}", if at == 0 { "" } else { ", " }, member.container.name, member.host)?;
        }
        Ok(())
    }
}

/// A share, said only when it is not the whole.
struct Share(u16);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == FULL { Ok(()) } else { write!(f, " at {}", self.0) }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.probe {
            GateProbe::Http { path, port } => write!(f, "http :{port}{path}")?,
            GateProbe::Tcp { port } => write!(f, "tcp :{port}")?,
            GateProbe::Command(command) => write!(f, "command {}", command.join(" "))?,
            GateProbe::Log(pattern) => write!(f, "log /{pattern}/")?,
            GateProbe::Image { port: Some(port) } => write!(f, "healthcheck or tcp :{port}")?,
            GateProbe::Image { port: None } => f.write_str("healthcheck or running")?,
        }
        write!(f, ", {} in a row within {:?}", self.rise, self.timeout)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().map_or("–", |host| host.as_str());
        write!(f, "{:>3} {host} {}", self.id, self.act)?;
        for (at, id) in self.after.iter().enumerate() {
            write!(f, "{}{id}", if at == 0 { "  < " } else { " " })?;
        }
        Ok(())
    }
}
