//! A plan as text: what a person reads before saying yes.

use std::fmt;

use super::{Change, Incoming, Out, Plan, Speed};
use crate::{
    delivery::{spec::Order, strategies},
    fleet::ServiceName,
};

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip => f.write_str("flip"),
            Self::Recheck => f.write_str("flip after a check"),
            Self::Start => f.write_str("start"),
            Self::Pull => f.write_str("pull"),
            Self::Impossible(why) => write!(f, "impossible: {why}"),
        }
    }
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without => f.write_str("left out; it is owed this"),
            Self::NotAsked => f.write_str("not asked for"),
            Self::Silent(why) => write!(f, "no answer: {why}; it is owed this"),
        }
    }
}

impl Plan {
    /// The headline: `shop in production: 1.0.1-22-7e56158+c1f09ab2 in place of 1.0.0-20-aaaaaaa+c1f09ab2, rolling`.
    pub fn headline(&self) -> String {
        let from: Vec<_> = self.from.iter().filter(|from| **from != self.release).map(ToString::to_string).collect();
        let place = if from.is_empty() { String::new() } else { format!(" in place of {}", from.join(" and ")) };
        let way = strategies::of(&self.strategy.kind).name();
        let word = if self.options.rollback { "roll back" } else { "deploy" };
        format!("{word} {} in {}: {}{place}, {way}", self.app, self.environment, self.release)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        for (host, why) in &self.out {
            writeln!(f, "  without {host}: {why}; it is not locked")?;
        }
        if self.is_nothing() {
            return writeln!(f, "  nothing to do: all of it runs");
        }
        let script = strategies::script(self);
        let capacity = strategies::capacity(self, &script.steps);
        for service in &self.services {
            let order = match service.order {
                Order::StartFirst => "new beside old",
                Order::StopFirst => "old down first",
            };
            let changes = service.changes.iter().filter(|change| change.is_change()).count();
            let kept = service.changes.len() - changes;
            match (changes, capacity.get(&service.service)) {
                (0, _) | (_, None) => writeln!(f, "  {}: stays, {kept} containers", service.service)?,
                (_, Some(count)) => writeln!(
                    f,
                    "  {}: {changes} change, {kept} stay; {order}; {} serve now, at least {} meanwhile, {} then",
                    service.service, count.before, count.least, count.after
                )?,
            }
            for change in service.changes.iter().filter(|change| change.is_change()) {
                line(f, &service.service, change)?;
            }
        }
        for job in &self.jobs {
            let way = if job.one_way { ", cannot be undone" } else { "" };
            writeln!(f, "  job {} on {}, {:?}{way}", job.name, job.host, job.when)?;
        }
        for line in &self.lost {
            writeln!(f, "  lost: {line}")?;
        }
        for line in &self.warnings {
            writeln!(f, "  note: {line}")?;
        }
        for (host, speed) in &self.back {
            writeln!(f, "  back on {host}: {speed}")?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, service: &ServiceName, change: &Change) -> fmt::Result {
    let host = &change.host;
    let n = if change.n > 1 { format!(" {}", change.n) } else { String::new() };
    let release = |old: &super::Old| old.release.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let reasons: Vec<_> = change.reasons.iter().map(|reason| reason.word()).collect();
    write!(f, "    {host} {service}{n}: ")?;
    match (&change.outgoing, &change.incoming) {
        (Some(old), Some(Incoming::New { blueprint, pull })) => {
            let pull = if *pull { "" } else { ", no pull" };
            write!(f, "replace {} ({}{pull})", release(old), reasons.join(", "))?;
            ports(f, blueprint)?;
        }
        (None, Some(Incoming::New { blueprint, .. })) => {
            f.write_str("create")?;
            ports(f, blueprint)?;
        }
        (Some(old), Some(Incoming::Back(back))) => write!(f, "replace {} by the kept {}", release(old), release(back))?,
        (None, Some(Incoming::Back(back))) => write!(f, "start {}", release(back))?,
        (Some(old), None) => write!(f, "remove {}", release(old))?,
        (None, None) => f.write_str("keep")?,
    }
    writeln!(f)
}

fn ports(f: &mut fmt::Formatter<'_>, blueprint: &super::Blueprint) -> fmt::Result {
    for port in &blueprint.ports {
        write!(f, ", {}→{}", port.container, port.host)?;
    }
    Ok(())
}
