//! The real world behind a run: engines over their links, probes over the host's way in.

mod body;
mod links;
mod probe;
mod veiled;

use std::{collections::BTreeMap, future::Future, net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use links::{RunHost, RunLinks};
pub use veiled::EnginePort;

use super::port::{Life, MarkOrder, Port, PortError, Question, SlotChange};
use crate::{
    build::{Logins, server_of},
    delivery::{
        observed::{HostView, restart_word},
        plan::{Blueprint, MountKind},
        release::{Names, label},
        spec::{Deliver, Restart},
        steps::Route,
    },
    engine::docker::{Client, EngineError, LogQuery, OnceError, RegistryAuth},
    fleet::{AppName, ContainerId, ContainerState, ContainerSummary, EnvironmentId, Health, HostId, ImageRef, Veil},
    logs::SourceId,
    traffic::{
        Backend,
        proof::{Count, Proof},
    },
};

/// A registry may take so long to tell a digest.
const ASK: Duration = Duration::from_secs(60);
/// One file of a lock is never larger.
const FILE_LIMIT: usize = 16 << 20;

/// A balancer's slots; what it takes to reach it is its own business.
pub trait Balancer: Send + Sync {
    /// As [`Port::slots`].
    fn slots(&self, lb: &str, backend: &str) -> impl Future<Output = Result<Backend, PortError>> + Send;
    /// As [`Port::set_slots`].
    fn set_slots(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> impl Future<Output = Result<(), PortError>> + Send;
    /// As [`Port::proof_begins`].
    fn proof_begins(&self, routes: &[Route]) -> impl Future<Output = Vec<Count>> + Send;
    /// As [`Port::proof_so_far`].
    fn proof_so_far(&self, begun: &[Count]) -> impl Future<Output = Option<Proof>> + Send;
    /// As [`Port::proof_ends`].
    fn proof_ends(&self, begun: &[Count]) -> impl Future<Output = Option<Proof>> + Send;
}

/// For apps whose services get no requests from a balancer: every question is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBalancer;

impl Balancer for NoBalancer {
    async fn slots(&self, lb: &str, _: &str) -> Result<Backend, PortError> {
        Err(unknown(lb))
    }

    async fn set_slots(&self, lb: &str, _: &str, _: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        Err(unknown(lb))
    }

    async fn proof_begins(&self, _: &[Route]) -> Vec<Count> {
        Vec::new()
    }

    async fn proof_so_far(&self, _: &[Count]) -> Option<Proof> {
        None
    }

    async fn proof_ends(&self, _: &[Count]) -> Option<Proof> {
        None
    }
}

fn unknown(lb: &str) -> PortError {
    PortError::Refused(format!("balancer {lb:?} is not reached by this run: configure [lb.{lb}]"))
}

/// What all requests of one run have in common. What it is told comes out as it was told: it is [veiled](EnginePort) before anybody sees it.
struct Wire<B> {
    links: Arc<RunLinks>,
    app: AppName,
    environment: EnvironmentId,
    secrets: BTreeMap<Arc<str>, Arc<str>>,
    logins: Logins,
    /// Who we are to each registry, once it was asked. A lock that is held while a helper is asked: several hosts pull at once, and a person
    /// is asked to unlock a key ring once.
    known: Mutex<BTreeMap<String, RegistryAuth>>,
    balancer: B,
}

impl<B: Balancer> Wire<B> {
    fn new(links: Arc<RunLinks>, (app, environment): (AppName, EnvironmentId), secrets: BTreeMap<Arc<str>, Arc<str>>, balancer: B) -> Self {
        Self { links, app, environment, secrets, logins: Logins::default(), known: Mutex::default(), balancer }
    }

    async fn view(&self, host: &HostId) -> Result<HostView, PortError> {
        let client = self.client(host).await?;
        let names = Names { app: &self.app, environment: &self.environment };
        let containers = client.list().await.map_err(away)?;
        let images = client.images().await.map_err(away)?;
        Ok(HostView::read(names, self.links.address(host), &containers, &images))
    }

    async fn resolved(&self, host: &HostId, reference: &str) -> Result<Arc<str>, PortError> {
        let client = self.client(host).await?;
        let auth = self.login(reference).await?;
        let digest = client.registry_digest(reference, &auth, ASK).await.map_err(|error| unheard(reference, &auth, error))?;
        let digest = digest.ok_or_else(|| PortError::Gone("its registry has no such image: build and push it".to_owned()))?;
        Ok(format!("{}@{digest}", ImageRef::parse(reference).repository).into())
    }

    /// Who we are to an image's registry; asked when something has to be fetched from there, and not before: what is on the hosts needs nobody.
    async fn login(&self, image: &str) -> Result<RegistryAuth, PortError> {
        let server = server_of(image);
        let mut known = self.known.lock().await;
        if let Some(auth) = known.get(server) {
            return Ok(auth.clone());
        }
        let auth = self.logins.find(image).await.map_err(|error| PortError::Refused(error.to_string()))?;
        known.insert(server.to_owned(), auth.clone());
        Ok(auth)
    }

    async fn client(&self, host: &HostId) -> Result<Client, PortError> {
        self.links.client(host).await
    }

    /// A link that broke is made anew by whoever asks next.
    async fn judge<T>(&self, host: &HostId, answer: Result<T, PortError>) -> Result<T, PortError> {
        if let Err(PortError::Away(_)) = &answer {
            self.links.forget(host).await;
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

impl<B: Balancer> Port for Wire<B> {
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

    async fn document(&self, host: &HostId, id: &ContainerId) -> Result<Option<Value>, PortError> {
        let answer = match self.client(host).await?.inspect_raw(id).await {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(away(error)),
        };
        self.judge(host, answer).await
    }

    async fn pull(&self, host: &HostId, image: &str, told: &(dyn Fn(u64, u64) + Sync)) -> Result<(), PortError> {
        let client = self.client(host).await?;
        if client.has_image(image).await.map_err(away)? {
            return Ok(());
        }
        let auth = self.login(image).await?;
        let answer = client.image_pull(image, &auth, told).await.map_err(|error| unheard(image, &auth, error));
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
        Ok(found.join("\n"))
    }

    async fn mark(&self, host: &HostId, order: &MarkOrder) -> Result<ContainerId, PortError> {
        let client = self.client(host).await?;
        let body = body::mark(order);
        let made = match client.container_create(&order.name, &body).await.map_err(once) {
            // The first mark on this host: only then is its image looked for.
            Err(PortError::Gone(_)) => {
                let image = client.mark_image().await.map_err(away);
                self.judge(host, image).await?;
                client.container_create(&order.name, &body).await.map_err(once)
            }
            made => made,
        };
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
        probe::ask(&client, self.links.address(host), id, question).await
    }

    fn address(&self, host: &HostId) -> Option<IpAddr> {
        self.links.address(host)
    }

    async fn slots(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        self.balancer.slots(lb, backend).await
    }

    async fn set_slots(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        self.balancer.set_slots(lb, backend, changes).await
    }

    async fn proof_begins(&self, routes: &[Route]) -> Vec<Count> {
        self.balancer.proof_begins(routes).await
    }

    async fn proof_so_far(&self, begun: &[Count]) -> Option<Proof> {
        self.balancer.proof_so_far(begun).await
    }

    async fn proof_ends(&self, begun: &[Count]) -> Option<Proof> {
        self.balancer.proof_ends(begun).await
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

/// What a registry, or an engine in its name, says no with. Who we were to it is no part of it, even where it is repeated.
fn unheard(image: &str, auth: &RegistryAuth, error: EngineError) -> PortError {
    let veil = Veil::over([auth.password.as_str(), auth.identity_token.as_str()]);
    let nobody = |text: &str| {
        ["unauthorized", "no basic auth credentials", "authentication required", "denied"].iter().any(|word| text.contains(word))
    };
    let said = |text: String| {
        let text = veil.text(&text).into_owned();
        match nobody(&text) {
            true => format!("{text}: `docker login {}` as whoever deploys", server_of(image)),
            false => text,
        }
    };
    match away(error) {
        PortError::Away(text) => PortError::Away(said(text)),
        PortError::NameTaken(text) | PortError::PortTaken(text) | PortError::Refused(text) => PortError::Refused(said(text)),
        PortError::Gone(text) => PortError::Gone(said(text)),
        PortError::Undone(text) => PortError::Undone(said(text)),
    }
}

fn port_taken(message: &str) -> bool {
    message.contains("port is already allocated") || message.contains("address already in use")
}
