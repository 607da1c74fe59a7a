//! The template `quarterdeck.toml` of an app: text in, a checked value or all of its mistakes out.
//!
//! Owns the file format, the rules of what overrides what, and the words in which two states of an environment differ. Pure: what the
//! configuration knows comes in as [`Surroundings`], and no file is opened here.

mod check;
mod compose;
mod diff;
mod explain;
mod facts;
mod hash;
mod notation;
mod part;
mod places;
mod quantity;
mod quote;
mod read;
mod render;
mod rewrite;
mod surroundings;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;

use super::spec::{Compare, Policy, Rendered, Revision, Spec, StrategySpec};
use crate::{
    fleet::EnvironmentId,
    written::{self, Fault, Faults, Origin, Reader},
};

pub use compose::{Imported, import};
pub use diff::{Change, Diff, Differs, Standing};
pub use explain::{Explained, Over, Row, Section, Source, explain};
pub use hash::canonical;
pub use part::Part;
pub use render::{render, start_order};
pub use rewrite::{Edit, RewriteError, rewrite};
pub use surroundings::Surroundings;
pub use variables::{Level, Place, SaidVariable, Variable};

use places::Places;

/// The name of the file in the app's repository.
pub const FILE: &str = "quarterdeck.toml";

/// From asking a container to end to ending it.
const STOP: Duration = Duration::from_secs(10);
/// From one question to the next.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);
/// Good answers in a row.
const HEALTH_RISE: u16 = 2;
/// The gate's whole deadline.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(30);
/// A verification's whole time.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(60);
/// A job's whole time.
const JOB_TIMEOUT: Duration = Duration::from_secs(600);
/// How long new ones must stay well.
const BAKE: Duration = Duration::from_secs(10);
/// How long old ones stay running behind the switch.
const KEEP_WARM: Duration = Duration::from_secs(600);
/// When a canary counts as worse.
const COMPARE: Compare = Compare { errors: 1.5, latency: 1.5, min_requests: 200 };

/// A template without a mistake.
#[derive(Clone, Debug)]
pub struct Template {
    /// What is built and run, the same in every environment.
    pub spec: Spec,
    /// Where the first part of a version comes from.
    pub version: VersionSource,
    /// In the order of the file.
    pub environments: IndexMap<EnvironmentId, Environment>,
    places: Places,
}

/// One `[environments.*]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// What it adds to the spec: a part of the release.
    pub revision: Revision,
    /// How releases get into it: always today's. `service_traffic` names every service of the template, also where the service itself
    /// says its traffic, because which balancer it has is today's word whatever the release said.
    pub policy: Policy,
}

/// Where the first part of a version comes from; the commit's number and name are added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// As written.
    Literal(Arc<str>),
    /// A key of a TOML or JSON file of the repository.
    File {
        /// From the template's directory.
        file: Arc<str>,
        /// `version`, `package.version`.
        key: Arc<str>,
    },
}

/// What a look at a template found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// There when there is no mistake.
    pub template: Option<Template>,
    /// All mistakes, in the order of lines.
    pub faults: Vec<Fault>,
    /// What can be meant, and probably is not.
    pub warnings: Vec<Fault>,
}

impl Template {
    /// Reads a template as far as it can be judged alone.
    ///
    /// # Errors
    /// Every mistake of the file at once, each with file, line and the nearest known name.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Faults> {
        let checked = Self::check(file, text, None);
        checked.template.ok_or(Faults::new(checked.faults))
    }

    /// Reads a template and judges it in its surroundings. `file` is how mistakes name it.
    pub fn check(file: &Path, text: &str, around: Option<&Surroundings>) -> Checked {
        let file: Arc<PathBuf> = Arc::new(file.to_owned());
        let mut reader = Reader { home: None, faults: Vec::new() };
        let Some(table) = written::parse(&file, text, &mut reader.faults) else {
            return Checked { template: None, faults: sorted(reader.faults), warnings: Vec::new() };
        };
        let template = read::template(&mut reader, file, table);
        let mut faults = reader.faults;
        check::faults(&template, around, &mut faults);
        let mut warnings = Vec::new();
        check::warnings(&template, around, &mut warnings);
        let faults = sorted(faults);
        Checked { template: faults.is_empty().then_some(template), faults, warnings: sorted(warnings) }
    }

    /// What an environment is to run by this template; `None` where it has no such environment.
    pub fn render(&self, environment: &EnvironmentId) -> Option<Rendered> {
        let found = self.environments.get(environment)?;
        Some(render(&self.spec, environment, &found.revision, &found.policy))
    }

    /// Where a value was said, by its path in the file: `environments.production.services.web.memory`.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        self.places.said(path)
    }
}

/// A strategy as the right side of `strategy = …` in a template. `place` is how mistakes name it.
///
/// # Errors
/// Every mistake of it.
pub fn strategy(place: &Path, value: &str) -> Result<StrategySpec, Faults> {
    let mut reader = Reader { home: None, faults: Vec::new() };
    let table = written::parse(&Arc::new(place.to_owned()), &format!("strategy = {value}\n"), &mut reader.faults);
    let spec = table.map(|table| {
        let mut top = written::Section::new("", table);
        let spec = read::strategy::read(&mut reader, &mut top);
        top.finish(&mut reader);
        spec
    });
    spec.filter(|_| reader.faults.is_empty()).ok_or(Faults::new(reader.faults))
}

/// In the order of lines, each once: two rules may find the same mistake.
fn sorted(faults: Vec<Fault>) -> Vec<Fault> {
    let mut faults = Faults::new(faults).faults;
    faults.dedup();
    faults
}
