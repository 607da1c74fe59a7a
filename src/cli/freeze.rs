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

/// What came of it.
pub struct Done {
    /// In one line.
    pub told: String,
    /// Hosts that were not reached, and what to do about them; a line each.
    pub left: Vec<String>,
}

/// Records it, puts it on the hosts or takes it from there, and says so.
pub fn run(global: &Global, wish: Wish, app: &str, environment: &str, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    wish.may(&sources)?;
    let (app, environment) = (AppName::new(app), EnvironmentId::new(environment));
    let done = wait(async {
        let policy = policy(&sources, &app, &environment, Fresh::LastKnown).await.unwrap_or_else(|why| {
            out::complain(&why);
            None
        });
        carry_out(&sources, wish, (&app, &environment), policy.as_ref(), reason).await
    })?;
    out::print(&format!("{}\n", done.told))?;
    done.left.iter().for_each(|line| out::complain(line));
    Ok(if done.left.is_empty() { Exit::DONE } else { Exit::INCOMPLETE })
}

impl Wish {
    fn may(self, sources: &Sources) -> Result<(), Failure> {
        sources.may_act(match self {
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
        })
    }
}

/// Records it, and puts it on the hosts or takes it from there.
///
/// # Errors
/// When this process may not, and what the ledger says; a host that is not reached is no error.
pub async fn carry_out(
    sources: &Sources,
    wish: Wish,
    (app, environment): (&AppName, &EnvironmentId),
    policy: Option<&Policy>,
    reason: &str,
) -> Result<Done, Failure> {
    wish.may(sources)?;
    let ledger = sources.ledger()?;
    let stage = Stage::new(sources, app, environment, false)?;
    let place = Place { app, environment, ledger: &ledger, hosts: stage.hosts(policy), stage: &stage, who: Who::of_process() };
    match wish {
        Wish::Freeze => place.freeze(reason).await,
        Wish::Thaw => place.thaw(reason).await,
    }
}

/// Where the registered template puts it.
///
/// # Errors
/// A line for who is about to act: a template that cannot be read must not keep anybody from freezing.
pub async fn policy(sources: &Sources, app: &AppName, environment: &EnvironmentId, fresh: Fresh) -> Result<Option<Policy>, String> {
    if !sources.config.delivery.apps.contains_key(app) {
        return Ok(None);
    }
    match app::registered(&sources.config, app.as_str(), fresh).await {
        Ok((template, _)) => Ok(template.environments.get(environment).map(|said| said.policy.clone())),
        Err(fault) => Err(format!("only hosts that the configuration marks as {environment} are looked at: {}", fault.words())),
    }
}

impl Place<'_> {
    async fn freeze(&self, reason: &str) -> Result<Done, Failure> {
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
        let told = format!("{}: frozen; only a rollback to what was good there goes through", self.target());
        Ok(Done { told, left: lines(&left, "not frozen there: freeze it again when it answers") })
    }

    async fn thaw(&self, reason: &str) -> Result<Done, Failure> {
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
        let told = match was.map(|was| (was.who, was.why)).or_else(of_host) {
            Some((who, why)) => format!("{}: thawed; {who} froze it: {why}", self.target()),
            None => format!("{}: was not frozen", self.target()),
        };
        Ok(Done { told, left: lines(&left, "it may be frozen there still: thaw it again when it answers") })
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
}

fn lines(left: &[(HostId, PortError)], what: &str) -> Vec<String> {
    left.iter().map(|(host, error)| format!("host {host:?}: {error}: {what}")).collect()
}
