//! `freeze` and `thaw`: an environment in which nothing may be deployed.

use super::{
    args::Global,
    deed::Deed,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::wait,
    out,
};
use crate::{
    fleet::{AppName, EnvironmentId},
    ledger::audit::Who,
};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing more may be deployed there.
    Freeze,
    /// It may again.
    Thaw,
}

/// Records it and says so.
pub fn run(global: &Global, wish: Wish, app: &str, environment: &str, reason: &str) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    let (verb, action) = match wish {
        Wish::Freeze => ("freeze", "environment.freeze"),
        Wish::Thaw => ("thaw", "environment.thaw"),
    };
    sources.may_act(verb)?;
    let ledger = sources.ledger()?;
    let (app, environment) = (AppName::new(app), EnvironmentId::new(environment));
    let (freezes, who) = (ledger.freezes(), Who::of_process());
    let deed = Deed { action, target: format!("{app} in {environment}"), reason };
    wait(async {
        let text = match wish {
            Wish::Freeze => {
                let name = who.short();
                deed.perform(&ledger, &who, freezes.freeze(&app, &environment, &name, reason)).await?;
                format!("{app} in {environment}: frozen; only a rollback to what was good there goes through\n")
            }
            Wish::Thaw => match deed.perform(&ledger, &who, freezes.thaw(&app, &environment)).await? {
                Some(was) => format!("{app} in {environment}: thawed; {} froze it: {}\n", was.who, was.why),
                None => format!("{app} in {environment}: was not frozen\n"),
            },
        };
        out::print(&text)?;
        Ok(Exit::DONE)
    })
}
