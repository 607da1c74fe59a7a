//! A plan in its parts, for programs: what a person reads as sentences, under keys.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    cli::{
        deployments::{Page, PageRow},
        exit::Failure,
        json,
    },
    delivery::{
        plan::{Change, Incoming, Plan},
        spec::Order,
        strategies::{self, Capacity},
    },
    fleet::HostId,
};

/// What a deployment would do, before there is one.
#[derive(Serialize)]
struct Preview<'a> {
    /// Always null: a number is only taken for what is going to happen.
    id: Option<String>,
    app: &'a str,
    environment: &'a str,
    release: String,
    from_release: Option<String>,
    rollback: bool,
    hosts: &'a [HostId],
    #[serde(rename = "override")]
    override_reason: Option<&'a str>,
    plan: Vec<String>,
    planned: Planned<'a>,
}

/// A deployment with its plan.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    page: PageRow<'a>,
    /// `None` for one that was put together from labels.
    planned: Option<Planned<'a>>,
}

#[derive(Serialize)]
struct Planned<'a> {
    headline: String,
    strategy: &'static str,
    nothing_to_do: bool,
    services: Vec<ServiceRow<'a>>,
    out: Vec<OutRow<'a>>,
    jobs: Vec<JobRow<'a>>,
    lost: &'a [std::sync::Arc<str>],
    warnings: &'a [std::sync::Arc<str>],
    /// How fast each host would be back: `flip`, `start`, `pull`, `impossible: …`.
    back: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct ServiceRow<'a> {
    service: &'a str,
    order: &'static str,
    /// Containers that serve now, at least meanwhile, and then.
    serve_now: usize,
    serve_least: usize,
    serve_then: usize,
    changes: Vec<ChangeRow<'a>>,
    stay: usize,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    host: &'a HostId,
    n: u16,
    act: &'static str,
    reasons: Vec<&'static str>,
    from: Option<String>,
    to: Option<String>,
    pull: bool,
    ports: Vec<PortRow>,
}

#[derive(Serialize)]
struct PortRow {
    container: u16,
    host: u16,
}

#[derive(Serialize)]
struct OutRow<'a> {
    host: &'a HostId,
    why: String,
    owed: bool,
}

#[derive(Serialize)]
struct JobRow<'a> {
    job: &'a str,
    host: &'a HostId,
    one_way: bool,
}

/// A plan as one object.
pub(super) fn preview(plan: &Plan) -> Result<String, Failure> {
    json::pretty(&Preview {
        id: None,
        app: plan.app.as_str(),
        environment: plan.environment.as_str(),
        release: plan.release.to_string(),
        from_release: plan.from.first().map(ToString::to_string),
        rollback: plan.options.rollback,
        hosts: &plan.hosts,
        override_reason: plan.options.override_reason.as_deref(),
        plan: plan.to_string().lines().map(str::to_owned).collect(),
        planned: Planned::of(plan),
    })
}

/// A deployment and its plan as one object.
pub(super) fn page(page: &Page<'_>, plan: Option<&Plan>) -> Result<String, Failure> {
    json::pretty(&Told { page: page.json(), planned: plan.map(Planned::of) })
}

impl<'a> Planned<'a> {
    fn of(plan: &'a Plan) -> Self {
        let script = strategies::script(plan);
        let capacity = strategies::capacity(plan, &script.steps);
        let services = plan.services.iter().map(|service| {
            let Capacity { before, least, after } = capacity.get(&service.service).copied().unwrap_or_default();
            let changes: Vec<_> = service.changes.iter().filter(|change| change.is_change()).collect();
            ServiceRow {
                service: service.service.as_str(),
                order: match service.order {
                    Order::StartFirst => "start-first",
                    Order::StopFirst => "stop-first",
                },
                serve_now: before,
                serve_least: least,
                serve_then: after,
                stay: service.changes.len() - changes.len(),
                changes: changes.into_iter().map(|change| ChangeRow::of(change, plan)).collect(),
            }
        });
        Self {
            headline: plan.headline(),
            strategy: strategies::of(&plan.strategy.kind).name(),
            nothing_to_do: plan.is_nothing(),
            services: services.collect(),
            out: plan.out.iter().map(|(host, out)| OutRow { host, why: out.to_string(), owed: out.is_owed() }).collect(),
            jobs: plan.jobs.iter().map(|job| JobRow { job: &job.name, host: &job.host, one_way: job.one_way }).collect(),
            lost: &plan.lost,
            warnings: &plan.warnings,
            back: plan.back.iter().map(|(host, speed)| (host.as_str(), speed.to_string())).collect(),
        }
    }
}

impl<'a> ChangeRow<'a> {
    fn of(change: &'a Change, plan: &Plan) -> Self {
        let release = |old: &crate::delivery::plan::Old| old.release.as_ref().map(ToString::to_string);
        let (act, to, pull, ports) = match (&change.outgoing, &change.incoming) {
            (old, Some(Incoming::New { blueprint, pull })) => {
                let ports = blueprint.ports.iter().map(|port| PortRow { container: port.container, host: port.host }).collect();
                (if old.is_some() { "replace" } else { "create" }, Some(plan.release.to_string()), *pull, ports)
            }
            (old, Some(Incoming::Back(back))) => (if old.is_some() { "bring-back" } else { "start" }, release(back), false, Vec::new()),
            (Some(_), None) => ("remove", None, false, Vec::new()),
            (None, None) => ("keep", None, false, Vec::new()),
        };
        Self {
            host: &change.host,
            n: change.n,
            act,
            reasons: change.reasons.iter().map(|reason| reason.word()).collect(),
            from: change.outgoing.as_ref().and_then(release),
            to,
            pull,
            ports,
        }
    }
}
