//! `retention`: what of ours no way back needs is taken from the hosts, image by image and container by container.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::{
    acts::{answered, carried, show, text},
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json,
    out::{self, complain},
};
use crate::{
    act::{Act, Asks, Plan, Policy, discard, plan},
    delivery::{
        release::Release,
        retention::{Found, Held, Past, Rule, spare},
    },
    fleet::{AppName, ContainerId, ContainerKey, Fleet, HostId},
    ledger::{DeploymentFilter, Ledger, LedgerError},
    rights::Rights,
    run::journal::State,
    stock::{Stock, Thing},
};

/// More deployments than these are not looked through.
const LOOKED_THROUGH: u32 = 100_000;

/// What is asked for.
pub struct Request<'a> {
    /// `None`: every app of the configuration.
    pub app: Option<&'a str>,
    pub dry_run: bool,
    pub yes: bool,
    pub output: Output,
}

/// Tells what may go, and takes it away.
pub fn run(global: &Global, request: &Request<'_>) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    if !request.dry_run {
        sources.may_act("retention")?;
    }
    let ledger = sources.ledger()?;
    let apps: Vec<AppName> = match request.app {
        Some(app) => vec![AppName::new(app)],
        None => sources.config.delivery.apps.keys().cloned().collect(),
    };
    wait(async {
        let mut rule = Rule::default();
        for app in &apps {
            rule.add(app, &past(&sources, &ledger, app).await?, sources.config.delivery.keep);
        }
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let stocks = watch.stocks(&selector(&[])?).await;
        let found = Spared::of(&rule, watch.fleet(), &stocks);
        found.notes.iter().for_each(|note| complain(note));
        let rights = if request.dry_run { &Rights::Act } else { &sources.rights };
        let plans = found.plans(watch.fleet(), rights);
        if request.dry_run || plans.is_empty() {
            out::print(&match request.output.format {
                Format::Json => json::array(&found.rows(watch.fleet()))?,
                Format::Table if plans.is_empty() => "nothing may go: all of it is in use or a way back\n".to_owned(),
                Format::Table => plans.iter().map(text).collect(),
            })?;
            return Ok(watch.finish());
        }
        for plan in &plans {
            show(&text(plan), request.output.format)?;
        }
        let asks = plans.iter().map(|plan| &plan.asks).find(|asks| matches!(asks, Asks::Word { .. })).unwrap_or(&Asks::Yes).clone();
        if !request.yes {
            answered(&asks, "retention", &mut watch).await?;
        }
        let (mut rows, mut worst) = (Vec::new(), Exit::DONE);
        // Containers first: their images are in use until then.
        for plan in plans {
            let (more, exit) = carried(plan, &sources, &mut watch, request.output.format).await?;
            rows.extend(more);
            if worst == Exit::DONE {
                worst = exit;
            }
        }
        if request.output.format == Format::Json {
            out::print(&json::array(&rows)?)?;
        }
        let reached = watch.finish();
        Ok(if worst == Exit::DONE { reached } else { worst })
    })
}

fn or_nothing<T: Default>(result: Result<T, LedgerError>) -> Result<T, Failure> {
    match result {
        Err(LedgerError::Absent { .. }) => Ok(T::default()),
        other => other.map_err(Failure::failed),
    }
}

/// What the records know of an app.
async fn past(sources: &Sources, ledger: &Ledger, app: &AppName) -> Result<Past, Failure> {
    let mut past = Past::default();
    if let Some(configured) = sources.config.delivery.apps.get(app) {
        past.pinned = configured.pinned.iter().map(|version| Arc::from(version.as_str())).collect();
    }
    let made = |images: &BTreeMap<Arc<str>, Arc<str>>, spec: &crate::delivery::Spec| -> BTreeSet<Arc<str>> {
        images.iter().filter(|(name, _)| spec.images.contains_key(*name)).map(|(_, image)| Arc::clone(image)).collect()
    };
    for build in or_nothing(ledger.app_builds().all(app).await)? {
        past.images.entry(Arc::clone(&build.version)).or_default().extend(made(&build.images, &build.spec));
        past.built.push(build.version);
    }
    for recorded in or_nothing(ledger.releases().list(app).await)? {
        let Release { version, images, spec, .. } = recorded.release;
        past.images.entry(version).or_default().extend(made(&images, &spec));
    }
    let filter = DeploymentFilter { app: Some(app.clone()), limit: LOOKED_THROUGH, ..DeploymentFilter::default() };
    for found in or_nothing(ledger.deployments().list(filter).await)? {
        match found.state {
            State::Good => past.good.entry(found.environment).or_default().push(found.release),
            State::Waiting | State::Running | State::Parked => drop(past.pending.insert((found.environment, found.release))),
            State::Failed | State::Unwound => {}
        }
    }
    Ok(past)
}

/// What may go, from all hosts.
#[derive(Default)]
struct Spared {
    containers: Vec<ContainerKey>,
    things: Vec<(HostId, Thing)>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    host: &'a str,
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    /// What comes back at least.
    bytes: Option<u64>,
}

impl Spared {
    fn of(rule: &Rule, fleet: &Fleet, stocks: &[(HostId, Stock)]) -> Self {
        let mut all = Self::default();
        for (host, stock) in stocks {
            let containers: Vec<Found> = fleet
                .containers_on(host)
                .map(|container| Found {
                    id: container.key.id.clone(),
                    name: Arc::clone(&container.name),
                    image: container.image_id.clone(),
                    state: container.state,
                    labels: Arc::clone(&container.labels),
                })
                .collect();
            let images: Vec<Held> = fleet
                .images_on(host)
                .map(|image| Held { id: image.id.clone(), digests: image.repo_digests.clone(), names: image.repo_tags.clone() })
                .collect();
            let found = spare(rule, &containers, &images);
            all.notes.extend(found.notes.into_iter().map(|note| format!("{host}: {note}")));
            let gone: BTreeSet<&ContainerId> = found.containers.iter().collect();
            for (id, names, stays) in found.images {
                // What came or went since the list is another look's matter.
                let Some(image) = stock.images.iter().find(|image| image.id == id) else { continue };
                let mut thing = Thing::from(image);
                thing.users.retain(|user| !gone.contains(&user.id));
                if !names.is_empty() {
                    thing.handles = names;
                }
                if stays {
                    thing.stays = true;
                    thing.bytes = Some(0);
                }
                all.things.push((host.clone(), thing));
            }
            all.containers.extend(found.containers.into_iter().map(|id| ContainerKey { host: host.clone(), id }));
        }
        all
    }

    /// The acts: containers first.
    fn plans(&self, fleet: &Fleet, rights: &Rights) -> Vec<Plan> {
        let mut plans = Vec::new();
        if !self.containers.is_empty() {
            // What runs again by then is not removed.
            plans.push(plan(Act::Remove { force: false, volumes: false }, &self.containers, fleet, rights, &Policy::default()));
        }
        if !self.things.is_empty() {
            plans.push(discard(&self.things, fleet, rights, &Policy::default()));
        }
        plans
    }

    fn rows<'a>(&'a self, fleet: &'a Fleet) -> Vec<Row<'a>> {
        let containers = self.containers.iter().map(|key| Row {
            host: key.host.as_str(),
            kind: "container",
            id: key.id.as_str(),
            name: fleet.container(key).map_or("", |container| &*container.name),
            bytes: None,
        });
        let things = self.things.iter().map(|(host, thing)| Row {
            host: host.as_str(),
            kind: thing.kind.word(),
            id: &thing.id,
            name: &thing.name,
            bytes: thing.bytes,
        });
        containers.chain(things).collect()
    }
}
