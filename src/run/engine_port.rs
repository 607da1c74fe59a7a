//! The real world behind a run: engines over their links, probes over the host's way in.

mod body;
mod probe;
mod space;

use std::{collections::BTreeMap, future::Future, net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::timeout};

use super::port::{Life, MarkOrder, Port, PortError, Question, Slot, SlotChange};
use crate::{
    config::Endpoint,
    delivery::{
        observed::{HostView, restart_word},
        plan::{Blueprint, MountKind},
        release::{Names, label},
        spec::{Deliver, Restart},
    },
    engine::{
        docker::{Client, EngineError, LogQuery, Meter, OnceError},
        transport::Transports,
    },
    fleet::{AppName, ContainerId, ContainerState, ContainerSummary, EnvironmentId, Health, HostId, ImageRef},
    logs::SourceId,
    rights::Rights,
};

/// Making a link may take so long.
const CONNECT: Duration = Duration::from_secs(12);
/// One file of a lock is never larger.
const FILE_LIMIT: usize = 16 << 20;

/// A balancer's slots; what it takes to reach it is its own business.
pub trait Balancer: Send + Sync {
    /// A backend's slots.
    fn slots(&self, lb: &str, backend: &str) -> impl Future<Output = Result<Vec<Slot>, PortError>> + Send;
    /// Changes one of them.
    fn set_slot(&self, lb: &str, backend: &str, slot: &str, change: SlotChange) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// For apps whose services get no requests from a balancer: every question is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBalancer;

impl Balancer for NoBalancer {
    async fn slots(&self, lb: &str, _: &str) -> Result<Vec<Slot>, PortError> {
        Err(unknown(lb))
    }

    async fn set_slot(&self, lb: &str, _: &str, _: &str, _: SlotChange) -> Result<(), PortError> {
        Err(unknown(lb))
    }
}

fn unknown(lb: &str) -> PortError {
    PortError::Refused(format!("balancer {lb:?} is not reached by this run: configure [lb.{lb}]"))
}

/// One host of a run.
#[derive(Clone, Debug)]
pub struct RunHost {
    /// Its name.
    pub id: HostId,
    /// Where its engine is.
    pub endpoint: Endpoint,
    /// Where its published ports are.
    pub address: Option<IpAddr>,
}

/// What all requests of one run have in common.
pub struct EnginePort<B> {
    hosts: BTreeMap<HostId, Host>,
    transports: Transports,
    rights: Rights,
    app: AppName,
    environment: EnvironmentId,
    secrets: BTreeMap<Arc<str>, Arc<str>>,
    auths: BTreeMap<Arc<str>, Arc<str>>,
    balancer: B,
}

struct Host {
    run: RunHost,
    meter: Arc<Meter>,
    /// The link of now, made anew after it broke. A lock, as the steps of one run share it.
    client: Mutex<Option<Client>>,
}

impl<B: Balancer> EnginePort<B> {
    /// A port for one app in one environment. `secrets` are the values by name; they leave this only into containers.
    pub fn new(
        hosts: Vec<RunHost>,
        rights: Rights,
        (app, environment): (AppName, EnvironmentId),
        secrets: BTreeMap<Arc<str>, Arc<str>>,
        balancer: B,
    ) -> Self {
        let host = |run: RunHost| (run.id.clone(), Host { run, meter: Arc::default(), client: Mutex::new(None) });
        Self {
            hosts: hosts.into_iter().map(host).collect(),
            transports: Transports::from_environment(&rights),
            rights,
            app,
            environment,
            secrets,
            auths: BTreeMap::new(),
            balancer,
        }
    }

    /// Registry → `X-Registry-Auth`, for what has to be pulled.
    pub fn with_auths(mut self, auths: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        self.auths = auths;
        self
    }

    /// What a plan must know of a host.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn view(&self, host: &HostId) -> Result<HostView, PortError> {
        let client = self.client(host).await?;
        let names = Names { app: &self.app, environment: &self.environment };
        let containers = client.list().await.map_err(away)?;
        let images = client.images().await.map_err(away)?;
        Ok(HostView::read(names, self.host(host)?.run.address, &containers, &images))
    }

    /// A reference with the digest that its registry has for it, asked through a host's engine.
    ///
    /// # Errors
    /// When the host does not answer, or the registry has no such image.
    pub async fn resolved(&self, host: &HostId, reference: &str) -> Result<Arc<str>, PortError> {
        let digest = self.client(host).await?.image_digest(reference).await.map_err(away)?;
        Ok(format!("{}@{digest}", ImageRef::parse(reference).repository).into())
    }

    fn host(&self, host: &HostId) -> Result<&Host, PortError> {
        self.hosts.get(host).ok_or_else(|| PortError::Refused(format!("host {host:?} is not in the configuration")))
    }

    async fn client(&self, host: &HostId) -> Result<Client, PortError> {
        let host = self.host(host)?;
        let mut current = host.client.lock().await;
        if let Some(client) = &*current {
            return Ok(client.clone());
        }
        let endpoint = &host.run.endpoint;
        let link = match timeout(CONNECT, self.transports.for_endpoint(endpoint).connect(endpoint)).await {
            Ok(link) => link.map_err(|error| PortError::Away(error.message))?,
            Err(_) => return Err(PortError::Away(format!("no connection within {} s", CONNECT.as_secs()))),
        };
        let client = Client::new(link, Arc::clone(&host.meter), self.rights.clone());
        client.handshake().await.map_err(away)?;
        *current = Some(client.clone());
        Ok(client)
    }

    /// A link that broke is made anew by whoever asks next.
    async fn judge<T>(&self, host: &HostId, answer: Result<T, PortError>) -> Result<T, PortError> {
        if let (Err(PortError::Away(_)), Ok(host)) = (&answer, self.host(host)) {
            *host.client.lock().await = None;
        }
        answer
    }

    fn labels(&self) -> Value {
        json!({ label::APP: self.app.as_str(), label::ENVIRONMENT: self.environment.as_str() })
    }

    fn owns(&self, labels: &Value) -> bool {
        labels[label::APP] == self.app.as_str() && labels[label::ENVIRONMENT] == self.environment.as_str()
    }

    fn foreign(what: &str, name: &str) -> PortError {
        PortError::Refused(format!("a {what} named {name} is there without our labels: rename or remove it"))
    }

    /// Whatever an engine says, no secret goes on.
    fn masked(&self, mut text: String) -> String {
        for value in self.secrets.values().filter(|value| value.len() >= 4) {
            text = text.replace(&**value, "****");
        }
        text
    }

    async fn external_volumes(&self, client: &Client, blueprint: &Blueprint) -> Result<(), PortError> {
        // An engine would make what is missing, empty.
        for mount in blueprint.mounts.iter().filter(|mount| mount.kind == MountKind::External) {
            if client.volume_labels(&mount.source).await.map_err(away)?.is_none() {
                return Err(PortError::Refused(format!("volume {} is not there: create it, or leave `external` out", mount.source)));
            }
        }
        Ok(())
    }
}

impl<B: Balancer> Port for EnginePort<B> {
    async fn containers(&self, host: &HostId) -> Result<Vec<ContainerSummary>, PortError> {
        let answer = match self.client(host).await {
            Ok(client) => client.list().await.map_err(away),
            Err(error) => Err(error),
        };
        self.judge(host, answer).await
    }

    async fn life(&self, host: &HostId, id: &ContainerId) -> Result<Option<Life>, PortError> {
        let answer = match self.client(host).await?.inspect_raw(id).await {
            Ok(document) => Ok(Some(life(&document))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(away(error)),
        };
        self.judge(host, answer).await
    }

    async fn pull(&self, host: &HostId, image: &str) -> Result<(), PortError> {
        let client = self.client(host).await?;
        if client.has_image(image).await.map_err(away)? {
            return Ok(());
        }
        let registry = image.split('/').next().unwrap_or_default();
        let auth = self.auths.get(registry).map(|auth| &**auth);
        let answer = client.image_pull(image, auth).await.map_err(away);
        self.judge(host, answer).await
    }

    async fn ensure_network(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        let client = self.client(host).await?;
        for _ in 0..2 {
            match client.network_labels(name).await.map_err(away)? {
                Some(labels) if self.owns(&labels) => return Ok(()),
                Some(_) => return Err(Self::foreign("network", name)),
                None => match client.network_create(name, &self.labels()).await.map_err(once) {
                    // Somebody was quicker; the next look tells who.
                    Ok(()) | Err(PortError::NameTaken(_)) => {}
                    Err(error) => return self.judge(host, Err(error)).await,
                },
            }
        }
        Ok(())
    }

    async fn ensure_volume(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        let client = self.client(host).await?;
        let made = client.volume_create(name, &self.labels()).await.map_err(once);
        self.judge(host, made).await?;
        // It answers the same whether it made it or found it: the labels tell.
        match client.volume_labels(name).await.map_err(away)? {
            Some(labels) if self.owns(&labels) => Ok(()),
            Some(_) => Err(Self::foreign("volume", name)),
            None => Err(PortError::Away(format!("volume {name} is gone again"))),
        }
    }

    async fn create(&self, host: &HostId, blueprint: &Blueprint) -> Result<ContainerId, PortError> {
        let client = self.client(host).await?;
        self.external_volumes(&client, blueprint).await?;
        let body = body::of(blueprint, &self.secrets).map_err(PortError::Refused)?;
        let made = client.container_create(&blueprint.name, &body).await.map_err(once);
        let id = self.judge(host, made).await?;
        let files: Vec<_> = blueprint.secrets.iter().filter(|secret| secret.deliver == Deliver::File).collect();
        if !files.is_empty() {
            let files = files.into_iter().filter_map(|secret| Some((&*secret.name, self.secrets.get(&secret.name)?.as_bytes())));
            let tar = body::secrets(files).map_err(|error| PortError::Refused(error.to_string()))?;
            let put = client.archive_put(&id, "/", tar).await.map_err(once);
            self.judge(host, put).await?;
        }
        Ok(id)
    }

    async fn start(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        let answer = match self.client(host).await?.container_start(id).await.map_err(once) {
            Err(PortError::Refused(message)) if port_taken(&message) => Err(PortError::PortTaken(message)),
            other => other,
        };
        self.judge(host, answer).await
    }

    async fn stop(&self, host: &HostId, id: &ContainerId, grace: Duration) -> Result<(), PortError> {
        let answer = self.client(host).await?.container_stop(id, grace).await.map_err(once);
        self.judge(host, answer).await
    }

    async fn rename(&self, host: &HostId, id: &ContainerId, to: &str) -> Result<(), PortError> {
        let answer = self.client(host).await?.container_rename(id, to).await.map_err(once);
        self.judge(host, answer).await
    }

    async fn set_restart(&self, host: &HostId, id: &ContainerId, to: Restart) -> Result<(), PortError> {
        let answer = self.client(host).await?.container_restart_policy(id, restart_word(to)).await.map_err(once);
        self.judge(host, answer).await
    }

    async fn remove(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        let answer = match self.client(host).await?.container_remove(id).await.map_err(once) {
            // Another's removal is under way: the next look tells.
            Err(PortError::NameTaken(message)) => Err(PortError::Away(message)),
            other => other,
        };
        self.judge(host, answer).await
    }

    async fn tail(&self, host: &HostId, id: &ContainerId, lines: u32) -> Result<String, PortError> {
        let client = self.client(host).await?;
        let found = lines_of(&client, id, Some(u64::from(lines))).await.map_err(away);
        let found = self.judge(host, found).await?;
        Ok(self.masked(found.join("\n")))
    }

    async fn mark(&self, host: &HostId, order: &MarkOrder) -> Result<ContainerId, PortError> {
        let client = self.client(host).await?;
        let image = client.mark_image().await.map_err(away);
        self.judge(host, image).await?;
        let made = client.container_create(&order.name, &body::mark(order)).await.map_err(once);
        self.judge(host, made).await
    }

    async fn put(&self, host: &HostId, id: &ContainerId, files: &[(&str, &[u8])]) -> Result<(), PortError> {
        let tar = body::files(files.iter().copied()).map_err(|error| PortError::Refused(error.to_string()))?;
        let answer = self.client(host).await?.archive_put(id, "/", tar).await.map_err(once);
        self.judge(host, answer).await
    }

    async fn get(&self, host: &HostId, id: &ContainerId, file: &str) -> Result<Option<Vec<u8>>, PortError> {
        let client = self.client(host).await?;
        let (_, mut body) = match client.archive(id, &format!("/{file}")).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return self.judge(host, Err(away(error))).await,
        };
        let mut tar = Vec::new();
        while let Some(piece) = body.next().await.map_err(away)? {
            tar.extend_from_slice(&piece);
            if tar.len() > FILE_LIMIT {
                return Err(PortError::Refused(format!("{file} in a lock is larger than {} MB", FILE_LIMIT >> 20)));
            }
        }
        body::first_file(&tar).map_err(|error| PortError::Refused(format!("{file} in a lock: {error}")))
    }

    async fn engine_time(&self, host: &HostId) -> Result<DateTime<Utc>, PortError> {
        let answer = self.client(host).await?.clock().await.map_err(away);
        self.judge(host, answer).await
    }

    async fn probe(&self, host: &HostId, id: &ContainerId, question: &Question) -> Result<Result<(), String>, PortError> {
        let client = self.client(host).await?;
        probe::ask(&client, self.host(host)?.run.address, id, question).await
    }

    fn address(&self, host: &HostId) -> Option<IpAddr> {
        self.hosts.get(host).and_then(|host| host.run.address)
    }

    async fn slots(&self, lb: &str, backend: &str) -> Result<Vec<Slot>, PortError> {
        self.balancer.slots(lb, backend).await
    }

    async fn set_slot(&self, lb: &str, backend: &str, slot: &str, change: SlotChange) -> Result<(), PortError> {
        self.balancer.set_slot(lb, backend, slot, change).await
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// The newest lines of a log.
async fn lines_of(client: &Client, id: &ContainerId, tail: Option<u64>) -> Result<Vec<String>, EngineError> {
    let framing = client.log_framing(id).await?;
    let query = LogQuery { since: None, until: None, tail, follow: false };
    let mut body = client.logs(id, query, framing, SourceId(0)).await?;
    let mut lines = Vec::new();
    while body.next(&mut lines).await? {}
    Ok(lines.into_iter().map(|line| line.text.plain().into_owned()).collect())
}

fn life(document: &Value) -> Life {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let addresses = document.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let address =
        addresses.into_iter().flat_map(|networks| networks.values()).find_map(|network| network["IPAddress"].as_str()?.parse().ok());
    Life {
        state: ContainerState::parse(text("/State/Status")),
        health: Health::parse(text("/State/Health/Status")),
        exit_code: document.pointer("/State/ExitCode").and_then(Value::as_i64),
        restarts: document.pointer("/RestartCount").and_then(Value::as_u64).unwrap_or(0),
        started: text("/State/StartedAt").into(),
        address,
    }
}

fn away(error: EngineError) -> PortError {
    match error {
        EngineError::Connect(_) | EngineError::Timeout { .. } | EngineError::Broken { .. } => PortError::Away(error.to_string()),
        EngineError::Status { status: 404, message } => PortError::Gone(message),
        // An engine that is starting or ending says so.
        EngineError::Status { status: 503, message } => PortError::Away(message),
        EngineError::Status { message, .. } => PortError::Refused(message),
        EngineError::Denied(_) | EngineError::Protocol { .. } => PortError::Refused(error.to_string()),
    }
}

fn once(error: OnceError) -> PortError {
    match error {
        OnceError::NotSent(error @ EngineError::Denied(_)) => PortError::Refused(error.to_string()),
        OnceError::NotSent(error) | OnceError::Unsure(error) => PortError::Away(error.to_string()),
        OnceError::Refused { status: 404, message } => PortError::Gone(message),
        OnceError::Refused { status: 409, message } => PortError::NameTaken(message),
        OnceError::Refused { status: 503, message } => PortError::Away(message),
        OnceError::Refused { message, .. } => PortError::Refused(message),
    }
}

fn port_taken(message: &str) -> bool {
    message.contains("port is already allocated") || message.contains("address already in use")
}
