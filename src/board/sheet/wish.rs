//! What is wanted: what to do, from where the cursor stood, and what a person added on the sheet.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId, HostId},
};

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest build, or the release of the deployment that is looked at.
    Deploy,
    /// What is good in one environment, in the next.
    Promote,
    /// The last good release before, or the release of the deployment that is looked at.
    RollBack,
    /// Today's configuration of what runs.
    Apply,
}

impl Kind {
    /// The word that a title begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "Deploy",
            Self::Promote => "Promote",
            Self::RollBack => "Roll back",
            Self::Apply => "Apply configuration",
        }
    }
}

/// What the cursor stood on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An app somewhere; `None`: nobody said where.
    Place {
        /// The app.
        app: AppName,
        /// For a promotion where it comes from, else where it is to go.
        environment: Option<EnvironmentId>,
    },
    /// A deployment that was: its app, its environment, its release.
    Deployment(DeploymentId),
}

/// What a plan is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What to do.
    pub kind: Kind,
    /// With what.
    pub about: About,
    /// Where to, once a person has chosen.
    pub environment: Option<EnvironmentId>,
    /// Hosts that do not answer and are left out.
    pub without: BTreeSet<HostId>,
    /// Why at all: what a rollback needs to go through a freeze.
    pub reason: Option<Arc<str>>,
    /// Why a gate is passed over.
    pub override_reason: Option<Arc<str>>,
}

impl Wish {
    /// Without anything that a person adds on the sheet.
    pub fn new(kind: Kind, about: About) -> Self {
        Self { kind, about, environment: None, without: BTreeSet::new(), reason: None, override_reason: None }
    }

    /// What is wanted, before anything is known.
    pub fn title(&self) -> String {
        let word = self.kind.word();
        match (&self.about, self.kind, &self.environment) {
            (About::Deployment(id), ..) => format!("{word} as in deployment {id}"),
            (About::Place { app, .. }, Kind::Promote, Some(to)) => format!("{word} {app} to {to}"),
            (About::Place { app, environment: Some(from) }, Kind::Promote, None) => format!("{word} {app} from {from}"),
            (About::Place { app, .. }, _, Some(at)) | (About::Place { app, environment: Some(at) }, _, None) => {
                format!("{word} {app} in {at}")
            }
            (About::Place { app, environment: None }, _, None) => format!("{word} {app}"),
        }
    }
}
