//! `freeze` and `thaw`: an environment in which nothing may be deployed. It stands in the ledger and on the environment's hosts, so that an operator
//! with another ledger is held by it, too.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::{
    app,
    args::Global,
    build::Fresh,
    deed::{Deed, failure},
    deploy::stage::Stage,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    delivery::{observed::Mark, release::Names, spec::Policy},
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{Ledger, LedgerError, audit::Who},
    run::{self, Barrier, Holder, PortError},
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing more may be deployed there.
    Freeze,
    /// It may again.
    Thaw,
}

/// An environment and what stands around it.
struct Place<'a> {
    app: &'a AppName,
    environment: &'a EnvironmentId,
    ledger: &'a Ledger,
    stage: &'a Stage,
    hosts: BTreeSet<&'a HostId>,
    who: Who,
}

/// Records it, puts it on the hosts or takes it from there, and says so.
pub fn run(global: &Global, wish: Wish, app: &str, environment: &str, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    sources.may_act(if wish == Wish::Freeze { "freeze" } else { "thaw" })?;
    let ledger = sources.ledger()?;
    let (app, environment) = (AppName::new(app), EnvironmentId::new(environment));
    let policy = policy(&sources, &app, &environment);
    let stage = Stage::new(&sources, &app, &environment, false)?;
    let place = Place {
        app: &app,
        environment: &environment,
        ledger: &ledger,
        hosts: stage.hosts(policy.as_ref()),
        stage: &stage,
        who: Who::of_process(),
    };
    wait(async {
        match wish {
            Wish::Freeze => place.freeze(reason).await,
            Wish::Thaw => place.thaw(reason).await,
        }
    })
}

/// Where the registered template puts it. A template that cannot be read must not keep anybody from freezing.
fn policy(sources: &Sources, app: &AppName, environment: &EnvironmentId) -> Option<Policy> {
    sources.config.delivery.apps.get(app)?;
    match wait(app::registered(&sources.config, app.as_str(), Fresh::LastKnown)) {
        Ok((template, _)) => template.environments.get(environment).map(|said| said.policy.clone()),
        Err(fault) => {
            out::complain(&format!("only hosts that the configuration marks as {environment} are looked at: {}", fault.words()));
            None
        }
    }
}

impl Place<'_> {
    async fn freeze(&self, reason: &str) -> Result<Exit, Failure> {
        let freezes = self.ledger.freezes();
        let known = match freezes.of(self.app, self.environment).await {
            Ok(known) => known,
            Err(LedgerError::Absent { .. }) => None,
            Err(error) => return Err(failure(error)),
        };
        let (who, why) = match known {
            // It was frozen before, and a host that was away then is back.
            Some(known) if self.is_bare_somewhere().await => (known.who, known.why),
            Some(_) | None => {
                let who = self.who.short();
                let deed = Deed { action: "environment.freeze", target: self.target(), reason };
                deed.perform(self.ledger, &self.who, freezes.freeze(self.app, self.environment, &who, reason)).await?;
                (who, reason.to_owned())
            }
        };
        let machine = self.who.machine.as_deref().map(|machine| format!("@{machine}")).unwrap_or_default();
        let holder = Holder { who: format!("{who}{machine}").into(), nonce: "".into() };
        let put = |host| run::freeze(&self.stage.port, self.names(), std::slice::from_ref(host), &holder, &why);
        let left: Vec<_> = join_all(self.hosts.iter().copied().map(put)).await.into_iter().filter_map(Result::err).collect();
        out::print(&format!("{}: frozen; only a rollback to what was good there goes through\n", self.target()))?;
        Ok(self.told(&left, "not frozen there: freeze it again when it answers"))
    }

    async fn thaw(&self, reason: &str) -> Result<Exit, Failure> {
        let deed = Deed { action: "environment.thaw", target: self.target(), reason };
        let was = deed.perform(self.ledger, &self.who, self.ledger.freezes().thaw(self.app, self.environment)).await?;
        let lift = |host| run::lift(&self.stage.port, self.names(), std::slice::from_ref(host), Barrier::Freeze);
        let (mut left, mut lifted): (Vec<_>, Vec<(HostId, Mark)>) = (Vec::new(), Vec::new());
        for done in join_all(self.hosts.iter().copied().map(lift)).await {
            match done {
                Ok(marks) => lifted.extend(marks),
                Err(fault) => left.push(fault),
            }
        }
        let of_host = || lifted.first().map(|(_, mark)| (mark.holder.to_string(), mark.reason.as_deref().unwrap_or_default().to_owned()));
        out::print(&match was.map(|was| (was.who, was.why)).or_else(of_host) {
            Some((who, why)) => format!("{}: thawed; {who} froze it: {why}\n", self.target()),
            None => format!("{}: was not frozen\n", self.target()),
        })?;
        Ok(self.told(&left, "it may be frozen there still: thaw it again when it answers"))
    }

    fn names(&self) -> Names<'_> {
        Names { app: self.app, environment: self.environment }
    }

    fn target(&self) -> String {
        format!("{} in {}", self.app, self.environment)
    }

    async fn is_bare_somewhere(&self) -> bool {
        let looks = join_all(self.hosts.iter().map(|host| self.stage.port.view(host))).await;
        looks.into_iter().any(|view| view.is_ok_and(|view| view.freeze.is_none()))
    }

    fn told(&self, left: &[(HostId, PortError)], what: &str) -> Exit {
        for (host, error) in left {
            out::complain(&format!("host {host:?}: {error}: {what}"));
        }
        if left.is_empty() { Exit::DONE } else { Exit::INCOMPLETE }
    }
}
