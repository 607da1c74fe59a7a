//! A small shop for tests: its releases, its environment, and hosts on which a plan was carried out to the letter.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::DateTime;
use indexmap::IndexMap;

use super::{Blueprint, Incoming, Options, Plan, PlanError, Request, plan};
use crate::{
    delivery::{
        observed::{HostView, Observed, Sight, word},
        release::{DeploymentId, Names, Release},
        seal,
        spec::*,
    },
    fleet::{self, AppName, ContainerId, ContainerState, ContainerSummary, EnvironmentId, HostId, ImageId, ImageRef, ServiceName},
};

/// The hosts' addresses end in their number.
pub(crate) fn address(host: &HostId) -> std::net::IpAddr {
    let last = host.as_str().rsplit('-').next().and_then(|digits| digits.parse::<u8>().ok()).unwrap_or(9);
    std::net::IpAddr::from([10, 0, 0, last])
}

/// `app-01`, `app-02`, ….
pub(crate) fn hosts(count: usize) -> Vec<HostId> {
    (1..=count).map(|n| HostId::new(format!("app-{n:02}"))).collect()
}

/// A service with nothing special.
pub(crate) fn service(image: ImageSource, port: Option<u16>) -> ServiceSpec {
    let health = port.map(|port| Health {
        probe: Probe::Http { path: "/healthz".into(), port: Some(port) },
        interval: Duration::from_millis(500),
        rise: 2,
        timeout: Duration::from_secs(30),
    });
    ServiceSpec {
        image,
        command: None,
        ports: port.map(|container| PortSpec { container, protocol: Protocol::Tcp, host: None, address: None }).into_iter().collect(),
        vars: BTreeMap::new(),
        secrets: Vec::new(),
        volumes: Vec::new(),
        memory: None,
        cpus: None,
        restart: Restart::Always,
        needs: Vec::new(),
        start: 0,
        per_host: 1,
        health,
        stop: Duration::from_secs(10),
        logs: None,
        traffic: None,
    }
}

/// An app in one environment, as a person would set it up.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) sealed: seal::Seals,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) services: IndexMap<ServiceName, RenderedService>,
    pub(crate) jobs: IndexMap<Arc<str>, JobSpec>,
    pub(crate) strategy: StrategySpec,
    pub(crate) verify: Option<Verify>,
    pub(crate) observed: Observed,
    pub(crate) options: Options,
    pub(crate) number: u64,
}

/// A strategy without its common keys.
pub(crate) fn strategy(kind: StrategyKind) -> StrategySpec {
    StrategySpec { kind, order: None, bake: Duration::ZERO, max_failures: 0, keep_warm: Duration::ZERO, on_failure: OnFailure::Deployment }
}

pub(crate) fn rolling(batch: Batch, pause: Duration) -> StrategySpec {
    strategy(StrategyKind::Rolling { batch, pause })
}

impl Shop {
    /// web on every host.
    pub(crate) fn of_web(count: usize) -> Self {
        let hosts = hosts(count);
        let web = RenderedService { spec: service(ImageSource::Built("web".into()), Some(80)), hosts: hosts.clone() };
        Self {
            sealed: seal::Seals::new(),
            observed: Observed {
                hosts: hosts
                    .iter()
                    .map(|host| (host.clone(), Sight::Seen(HostView { address: Some(address(host)), ..HostView::default() })))
                    .collect(),
                ..Observed::default()
            },
            hosts,
            services: [(ServiceName::new("web"), web)].into_iter().collect(),
            jobs: IndexMap::new(),
            strategy: rolling(Batch::Count(1), Duration::ZERO),
            verify: None,
            options: Options::default(),
            number: 1,
        }
    }

    /// And a database on the first host, which web needs.
    pub(crate) fn with_db(mut self) -> Self {
        let mut db = service(ImageSource::Outside("postgres:15.4".into()), Some(5432));
        db.volumes = vec![VolumeSpec { source: VolumeSource::Own("data".into()), target: "/data".into(), read_only: false }];
        let db = RenderedService { spec: db, hosts: self.hosts[..1].to_vec() };
        self.services.shift_insert(0, ServiceName::new("db"), db);
        self.service("web").spec.needs = vec![ServiceName::new("db")];
        self
    }

    /// And requests for web.
    pub(crate) fn with_traffic(mut self) -> Self {
        self.service("web").spec.traffic = Some(Traffic { lb: "edge".into(), backend: "shop_web".into(), port: 80 });
        self
    }

    /// And a job before anything changes.
    pub(crate) fn with_job(mut self, name: &str, when: JobTime, one_way: bool) -> Self {
        let job = JobSpec {
            image: ImageSource::Built("web".into()),
            command: Some(vec!["/srv/migrate".into()]),
            vars: BTreeMap::new(),
            secrets: Vec::new(),
            needs: if self.services.contains_key("db") { vec![ServiceName::new("db")] } else { Vec::new() },
            memory: None,
            timeout: Duration::from_secs(60),
            when,
            one_way,
        };
        self.jobs.insert(name.into(), job);
        self
    }

    pub(crate) fn service(&mut self, name: &str) -> &mut RenderedService {
        self.services.get_mut(name).unwrap()
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            hosts: self.hosts.clone(),
            service_hosts: IndexMap::new(),
            service_traffic: IndexMap::new(),
            auto: false,
            after: None,
            approve: 0,
            strategy: self.strategy.clone(),
            verify: self.verify.clone(),
        }
    }

    /// Version `1.0.N-…` with the settings of now.
    pub(crate) fn release(&self, version: u32) -> Release {
        let images = [("web".into(), Arc::from(format!("registry:5000/shop/web@sha256:{version:064x}")))];
        Release {
            app: AppName::new("shop"),
            version: format!("1.0.{version}-{version}-aaaaaa{version}").into(),
            images: images.into_iter().collect(),
            spec: Spec {
                app: AppName::new("shop"),
                registry: "registry:5000".into(),
                images: [("web".into(), image_spec())].into_iter().collect(),
                services: self.services.iter().map(|(name, service)| (name.clone(), service.spec.clone())).collect(),
                jobs: self.jobs.clone(),
            },
            revision: Revision::default(),
            config: ConfigHash::new("c1f09ab2".repeat(8)),
        }
    }

    pub(crate) fn plan(&self, version: u32) -> Result<Plan, PlanError> {
        let release = self.release(version);
        let rendered = Rendered {
            app: release.app.clone(),
            environment: EnvironmentId::new("production"),
            config: release.config.clone(),
            services: self.services.clone(),
            jobs: self.jobs.clone(),
        };
        plan(&Request {
            release: &release,
            rendered: &rendered,
            policy: &self.policy(),
            observed: &self.observed,
            deployment: &DeploymentId::new(self.number, 0),
            options: &self.options,
            sealed: &self.sealed,
            ports: 20_000..=20_099,
            by: "alice@jump-01",
            at: "2026-11-21T14:02:00Z",
            audit: "",
        })
    }

    /// The next deployment meets the containers of this version, healthy.
    pub(crate) fn running(mut self, version: u32) -> Self {
        let plan = self.plan(version).unwrap();
        for host in self.hosts.clone() {
            let made = plan.services.iter().flat_map(|service| &service.changes).filter(|change| change.host == host);
            let containers: Vec<_> = made
                .filter_map(|change| match &change.incoming {
                    Some(Incoming::New { blueprint, .. }) => Some(summary(blueprint, ContainerState::Running)),
                    Some(Incoming::Back(_)) | None => None,
                })
                .collect();
            self.see(&host, &containers);
        }
        self.number += 1;
        self
    }

    /// A host tells these containers.
    pub(crate) fn see(&mut self, host: &HostId, containers: &[ContainerSummary]) {
        let (app, environment) = (AppName::new("shop"), EnvironmentId::new("production"));
        let view = HostView::read(Names { app: &app, environment: &environment }, Some(address(host)), containers, &[]);
        self.observed.hosts.insert(host.clone(), Sight::Seen(view));
    }

    pub(crate) fn view(&mut self, host: &str) -> &mut HostView {
        match self.observed.hosts.get_mut(host) {
            Some(Sight::Seen(view)) => view,
            Some(Sight::Lost(_)) | None => panic!("{host} is not seen"),
        }
    }

    pub(crate) fn lose(&mut self, host: &str) {
        self.observed.hosts.insert(HostId::new(host), Sight::Lost("no route to host".into()));
    }
}

fn image_spec() -> ImageSpec {
    ImageSpec {
        context: "web".into(),
        dockerfile: None,
        paths: Vec::new(),
        args: BTreeMap::new(),
        test_target: None,
        test: None,
        prepare: None,
    }
}

/// A container as an engine lists it.
pub(crate) fn summary(blueprint: &Blueprint, state: ContainerState) -> ContainerSummary {
    let port = |port: &super::Publish| fleet::Port {
        address: Some("0.0.0.0".into()),
        public: Some(port.host),
        private: port.container,
        protocol: word(port.protocol).into(),
    };
    ContainerSummary {
        id: ContainerId::new(format!("id-of-{}", blueprint.name)),
        name: Arc::clone(&blueprint.name),
        image: ImageRef::parse(&blueprint.image),
        image_id: ImageId::new("sha256:aa"),
        labels: Arc::new(blueprint.labels.clone()),
        state,
        health: fleet::Health::None,
        exit_code: None,
        created: DateTime::UNIX_EPOCH,
        ports: if state == ContainerState::Running { blueprint.ports.iter().map(port).collect() } else { Vec::new() },
        command: "".into(),
    }
}
