//! What an environment runs, setting by setting, each with where it was said.

use std::fmt;

use super::{
    Surroundings, Template,
    facts::{self, Fact},
    part::Part,
    quote,
};
use crate::{
    delivery::spec::{ConfigHash, Policy, RenderedService},
    fleet::{EnvironmentId, ServiceName},
    written::Origin,
};

/// One environment, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Which.
    pub environment: EnvironmentId,
    /// The name of its configuration.
    pub config: ConfigHash,
    /// The environment itself, then its services in the order of their start, then its jobs.
    pub sections: Vec<Section>,
}

/// One table of what is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `services.web`.
    pub title: String,
    /// Its settings.
    pub rows: Vec<Row>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `memory`, `vars.LOG`.
    pub key: String,
    /// As TOML.
    pub value: String,
    /// Who said it.
    pub source: Source,
    /// What it would be without this environment's own word; `None`: the environment says nothing of it.
    pub over: Option<Over>,
}

/// What an environment's own word stands in place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Nothing: only the environment says it.
    Nothing,
    /// This value, as TOML.
    Value(String),
}

/// Who said a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The template, here.
    Template(Origin),
    /// The configuration's `[policy.*]` of the environment, which is stricter.
    Policy,
    /// Nobody.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(origin) => f.pad(&origin.short()),
            Self::Policy => f.pad("the configuration's policy"),
            Self::Default => f.pad("default"),
        }
    }
}

/// Explains an environment; `None` where the template has none of that name. With surroundings, the policy is what the configuration
/// makes of it.
pub fn explain(template: &Template, environment: &EnvironmentId, around: Option<&Surroundings>) -> Option<Explained> {
    let rendered = template.render(environment)?;
    let written = &template.environments.get(environment)?.policy;
    let policy = around.map_or_else(|| written.clone(), |around| around.tightened(environment, written));
    let mut sections =
        vec![Section { title: format!("environments.{environment}"), rows: policy_rows(template, environment, written, &policy) }];
    for (name, running) in &rendered.services {
        let over = format!("environments.{environment}.services.{name}");
        let own = format!("services.{name}");
        let hosts = [over.clone(), format!("environments.{environment}")];
        let usual = [over.clone(), own.clone()];
        let variables = [over, format!("environments.{environment}"), own.clone()];
        let base = base(template, name, &policy);
        let rows = facts::of_rendered(running).into_iter().map(|fact| {
            let special: Option<&[String]> = match fact.part {
                Part::Hosts => Some(&hosts),
                Part::Variables => Some(&variables),
                _ => None,
            };
            row(template, fact, special.unwrap_or(&usual), &base)
        });
        let mut rows: Vec<Row> = rows.collect();
        // That there is none is worth a line where somebody said so.
        let none = running.spec.traffic.is_none().then(|| template.origin(&format!("{}.traffic", usual[0]))).flatten();
        rows.extend(none.map(|origin| Row {
            key: "traffic".to_owned(),
            value: quote::text("none"),
            source: said(Some(origin)),
            over: Some(instead(&base, Part::Traffic, None)),
        }));
        sections.push(Section { title: own, rows });
    }
    for (name, job) in &rendered.jobs {
        let own = format!("jobs.{name}");
        let variables = [format!("environments.{environment}"), own.clone()];
        let base = template.spec.jobs.get(name).map(facts::of_job).unwrap_or_default();
        let rows = facts::of_job(job).into_iter().map(|fact| {
            let places = if fact.part == Part::Variables { &variables[..] } else { &variables[1..] };
            row(template, fact, places, &base)
        });
        let rows = rows.collect();
        sections.push(Section { title: own, rows });
    }
    Some(Explained { environment: environment.clone(), config: rendered.config, sections })
}

/// What a service would run where the environment says nothing of it.
fn base(template: &Template, service: &ServiceName, policy: &Policy) -> Vec<Fact> {
    let Some(spec) = template.spec.services.get(service) else { return Vec::new() };
    facts::of_rendered(&RenderedService { spec: spec.clone(), hosts: policy.hosts.clone() })
}

fn instead(base: &[Fact], part: Part, name: Option<&str>) -> Over {
    let found = base.iter().find(|fact| fact.part == part && fact.name.as_deref() == name);
    found.map_or(Over::Nothing, |fact| Over::Value(fact.value.clone()))
}

/// The first place that says it has said it; nobody: it is a default. The last place is the weakest, and no word of the environment's own.
fn row(template: &Template, fact: Fact, places: &[String], base: &[Fact]) -> Row {
    let part = fact.part.key();
    let found = places.iter().enumerate().find_map(|(index, place)| {
        let origin = match (&fact.name, fact.part) {
            (Some(name), Part::Variables) => template.origin(&format!("{place}.{part}.{name}")),
            // Lists are said as a whole.
            _ => template.origin(&format!("{place}.{part}")),
        };
        origin.map(|origin| (index, origin))
    });
    let is_own = found.is_some_and(|(index, _)| index + 1 < places.len());
    let over = is_own.then(|| instead(base, fact.part, fact.name.as_deref()));
    let key = fact.name.map_or_else(|| part.to_owned(), |name| format!("{part}.{}", quote::key(&name)));
    Row { key, value: fact.value, source: said(found.map(|(_, origin)| origin)), over }
}

fn said(origin: Option<&Origin>) -> Source {
    origin.map_or(Source::Default, |origin| Source::Template(origin.clone()))
}

fn policy_rows(template: &Template, environment: &EnvironmentId, written: &Policy, policy: &Policy) -> Vec<Row> {
    let place = |key: &str| said(template.origin(&format!("environments.{environment}.{key}")));
    let row = |key: &str, value: String, source: Source| Row { key: key.to_owned(), value, source, over: None };
    let mut rows = vec![
        row("hosts", quote::list(policy.hosts.iter().map(|host| host.as_str())), place("hosts")),
        row("auto", policy.auto.to_string(), place("auto")),
    ];
    if let Some(after) = &policy.after {
        let source = if written.after.is_some() { place("after") } else { Source::Policy };
        rows.push(row("after", quote::text(after.as_str()), source));
    }
    let source = if written.approve == policy.approve { place("approve") } else { Source::Policy };
    rows.push(row("approve", policy.approve.to_string(), source));
    if let Some(verify) = &policy.verify {
        rows.push(row("verify", facts::verify_text(verify), place("verify")));
    }
    rows.push(row("strategy", facts::strategy_text(&policy.strategy), place("strategy")));
    rows
}
