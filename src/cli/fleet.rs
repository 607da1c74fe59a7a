//! From flags to a running engine side: the configuration, the hosts (configured, named on the command line, or simulated) and
//! the rights, put together once for console and verbs alike.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use super::{args::Global, exit::Failure, sim::SimFleet};
use crate::{
    act::Journal,
    build::Logins,
    config::{Config, Endpoint, HostConfig, Layers, LedgerConfig},
    engine::{Engine, Report, Target},
    fleet::{
        EnvironmentId, HostId, HostSpec,
        identity::{IdentityMatch, IdentityRule, IdentityRuleSpec},
    },
    ledger::{Access, Ledger, Server, StateDir},
    rights::Rights,
    runtime::journal::AuditJournal,
    sim::SimHost,
    text::clean,
};

/// Where everything of one run comes from.
pub struct Sources {
    /// The configuration.
    pub config: Config,
    /// What may leave the process.
    pub rights: Rights,
    /// The hosts.
    pub targets: Vec<Target>,
    /// The rules that name what others started.
    pub rules: Vec<IdentityRule>,
    /// Where a person's own themes and keymaps are.
    pub config_dir: Option<PathBuf>,
    /// Who we are to registries, as the Docker CLI knows it.
    pub logins: Logins,
    /// The simulated fleet, where `--sim` asks for one: it lives as long as this.
    pub sim: Option<SimFleet>,
}

impl Sources {
    /// Reads the configuration and resolves the hosts.
    ///
    /// # Errors
    /// Every mistake in the configuration, each with file and line.
    pub fn load(global: &Global) -> Result<Self, Failure> {
        let layers = Layers::from_process(global.flags());
        let config_dir = layers.config_dir();
        let logins = Logins::of(layers.docker_config_dir.clone());
        let mut config = layers.load().map_err(Failure::usage)?;
        let rules = config.identity.iter().map(rule).collect::<Result<_, _>>()?;
        let sim = global.sim.as_deref().map(SimFleet::start).transpose()?;
        if let Some(fleet) = sim.as_ref().filter(|_| global.state.is_none()) {
            // What is done to simulated containers is nobody's record.
            config.state = fleet.state_dir();
            config.delivery.ledger = LedgerConfig::Sqlite;
        }
        let targets = match &sim {
            Some(fleet) => fleet.hosts().iter().map(simulated).collect(),
            None => config.hosts.iter().map(target).collect(),
        };
        Ok(Self { rights: config.rights(), targets, rules, config_dir, logins, sim, config })
    }

    /// The model's view of the hosts.
    pub fn specs(&self) -> Vec<HostSpec> {
        self.targets.iter().map(|target| target.spec.clone()).collect()
    }

    /// The ledger, which opens with the first call; to look only where the rights say so.
    ///
    /// # Errors
    /// A ledger that this program cannot use.
    pub fn ledger(&self) -> Result<Ledger, Failure> {
        ledger(&self.config, &self.rights)
    }

    /// That this process may act; `what` is about to be done.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_act(&self, what: &str) -> Result<(), Failure> {
        match &self.rights {
            Rights::Act => Ok(()),
            Rights::View { because } => Err(Failure::refused(format!("{what} is refused: {because}"))),
        }
    }

    /// Who keeps the audit of this run's acts.
    ///
    /// # Errors
    /// A ledger that this program cannot use.
    pub fn journal(&self) -> Result<Arc<dyn Journal>, Failure> {
        Ok(Arc::new(AuditJournal::new(self.ledger()?.audit())))
    }

    /// Starts the engine side.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(&self) -> Result<(Engine, mpsc::Receiver<Report>), Failure> {
        Engine::start(self.targets.clone(), self.rights.clone()).map_err(|error| Failure::failed(format!("cannot start: {error}")))
    }
}

/// The ledger that a configuration names.
///
/// # Errors
/// A ledger that this program cannot use.
pub fn ledger(config: &Config, rights: &Rights) -> Result<Ledger, Failure> {
    let access = match rights {
        Rights::View { .. } => Access::Look,
        Rights::Act => Access::Record,
    };
    Ok(match &config.delivery.ledger {
        LedgerConfig::Sqlite => Ledger::lazy(StateDir::at(&config.state), access),
        LedgerConfig::Postgres(url) => Ledger::lazy(Server::at(url), access),
    })
}

fn target(host: &HostConfig) -> Target {
    let text = |raw: &str| -> std::sync::Arc<str> { clean(raw).as_ref().into() };
    Target {
        spec: HostSpec {
            id: host.id.clone(),
            url: text(&host.url),
            environment: host.environment.clone(),
            tags: host.tags.iter().map(|tag| text(tag)).collect(),
            unprotected: matches!(host.endpoint, Endpoint::Tcp { .. }) && host.endpoint.unprotected(),
        },
        endpoint: host.endpoint.clone(),
    }
}

fn simulated(host: &SimHost) -> Target {
    let spec = HostSpec {
        id: HostId::new(clean(&host.name)),
        url: format!("sim://{}", clean(&host.name)).into(),
        environment: Some(EnvironmentId::new(clean(&host.environment))),
        tags: Vec::new(),
        unprotected: false,
    };
    Target { spec, endpoint: Endpoint::Unix { path: host.socket.clone() } }
}

fn rule(rule: &crate::config::IdentityRule) -> Result<IdentityRule, Failure> {
    let label = rule.label.iter().map(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, "*"));
        (key.to_owned(), value.to_owned())
    });
    let spec = IdentityRuleSpec {
        matching: IdentityMatch { name: rule.name.clone(), image: rule.image.clone(), label: label.collect(), host: rule.host.clone() },
        app: rule.app.clone(),
        service: rule.service.clone(),
        environment: rule.environment.clone(),
    };
    IdentityRule::new(&spec).map_err(|error| Failure::usage(format!("{}: {error}", rule.origin)))
}
