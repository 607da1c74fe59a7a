//! The port that everybody else sees: whatever an engine, a container or a balancer says passes here once, and no secret of the run goes on
//! from here: not in an error that repeats a request, not in a log, not in what a command inside printed last.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Balancer, RunLinks, Wire};
use crate::{
    build::Logins,
    delivery::{
        observed::HostView,
        plan::Blueprint,
        release::label,
        seal::{self, Seals},
        spec::Restart,
        steps::Route,
    },
    fleet::{AppName, ContainerId, ContainerSummary, EnvironmentId, HostId, Veil, mask::mask},
    run::port::{Life, MarkOrder, Port, PortError, Question, SlotChange},
    traffic::{
        Backend,
        proof::{Count, Proof},
    },
};

/// The real world behind a run of one app in one environment.
pub struct EnginePort<B> {
    wire: Wire<B>,
    veil: Veil,
    sealed: Seals,
}

impl<B: Balancer> EnginePort<B> {
    /// A port for one app in one environment. `secrets` are the values by name; they leave this only into containers.
    pub fn new(links: Arc<RunLinks>, place: (AppName, EnvironmentId), secrets: BTreeMap<Arc<str>, Arc<str>>, balancer: B) -> Self {
        let veil = Veil::over(secrets.values().map(|value| &**value));
        Self { wire: Wire::new(links, place, secrets, balancer), veil, sealed: Seals::new() }
    }

    /// Who we are to registries, for what has to be pulled.
    pub fn with_logins(mut self, logins: Logins) -> Self {
        self.wire.logins = logins;
        self
    }

    /// Hashes of the secrets as they are now: what is made from here on says so, whatever its plan was made with.
    pub fn with_seals(mut self, sealed: Seals) -> Self {
        self.sealed = sealed;
        self
    }

    /// The balancers.
    pub fn balancer(&self) -> &B {
        &self.wire.balancer
    }

    /// What a plan must know of a host.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn view(&self, host: &HostId) -> Result<HostView, PortError> {
        self.veiled(self.wire.view(host).await)
    }

    /// A reference with the digest that its registry has for it, asked through a host's engine.
    ///
    /// # Errors
    /// When the host does not answer, the registry has no such image, or does not know us.
    pub async fn resolved(&self, host: &HostId, reference: &str) -> Result<Arc<str>, PortError> {
        self.veiled(self.wire.resolved(host, reference).await)
    }

    /// Bytes that may still be written to the disk that a host's images are on; `None` where nobody can see it.
    pub async fn free_disk(&self, host: &HostId) -> Option<u64> {
        self.wire.links.free_disk(host).await
    }

    fn veiled<T>(&self, answer: Result<T, PortError>) -> Result<T, PortError> {
        let text = |text: String| helped(self.veil.text(&text).into_owned());
        answer.map_err(|error| match error {
            PortError::Away(said) => PortError::Away(text(said)),
            PortError::NameTaken(said) => PortError::NameTaken(text(said)),
            PortError::PortTaken(said) => PortError::PortTaken(text(said)),
            PortError::Gone(said) => PortError::Gone(text(said)),
            PortError::Refused(said) => PortError::Refused(text(said)),
            PortError::Undone(said) => PortError::Undone(text(said)),
        })
    }

    fn veil_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.veil.text(text).into_owned(),
            Value::Array(values) => values.iter_mut().for_each(|value| self.veil_in(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.veil_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What an engine says when something around it is wrong, and what to do about it.
const REMEDIES: [(&str, &str); 3] = [
    ("no space left on device", "make room on the host's disk (quarterdeck prune --dry-run tells what can go)"),
    ("server gave HTTP response to HTTPS client", "name the registry in the engine's insecure-registries, or give it a certificate"),
    ("dial tcp", "see that the registry runs and that the host reaches it"),
];

/// The sentence with its remedy, where we know one.
fn helped(text: String) -> String {
    match REMEDIES.iter().find(|(said, remedy)| text.contains(said) && !text.contains(remedy)) {
        Some((_, remedy)) => format!("{text}: {remedy}"),
        None => text,
    }
}

impl<B: Balancer> Port for EnginePort<B> {
    async fn containers(&self, host: &HostId) -> Result<Vec<ContainerSummary>, PortError> {
        self.veiled(self.wire.containers(host).await)
    }

    async fn life(&self, host: &HostId, id: &ContainerId) -> Result<Option<Life>, PortError> {
        self.veiled(self.wire.life(host, id).await)
    }

    async fn document(&self, host: &HostId, id: &ContainerId) -> Result<Option<Value>, PortError> {
        let mut document = self.veiled(self.wire.document(host, id).await)?;
        if let Some(document) = &mut document {
            mask(document);
            self.veil_in(document);
        }
        Ok(document)
    }

    async fn pull(&self, host: &HostId, image: &str, told: &(dyn Fn(u64, u64) + Sync)) -> Result<(), PortError> {
        self.veiled(self.wire.pull(host, image, told).await)
    }

    async fn ensure_network(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        self.veiled(self.wire.ensure_network(host, name).await)
    }

    async fn ensure_volume(&self, host: &HostId, name: &str) -> Result<(), PortError> {
        self.veiled(self.wire.ensure_volume(host, name).await)
    }

    async fn create(&self, host: &HostId, blueprint: &Blueprint) -> Result<ContainerId, PortError> {
        let names = blueprint.secrets.iter().map(|secret| &secret.name);
        let sealed = seal::text(&self.sealed, names);
        let is_true = blueprint.labels.get(label::SEALED).is_none_or(|said| **said == *sealed);
        if is_true {
            return self.veiled(self.wire.create(host, blueprint).await);
        }
        let mut blueprint = blueprint.clone();
        blueprint.labels.insert(label::SEALED.into(), sealed.into());
        self.veiled(self.wire.create(host, &blueprint).await)
    }

    async fn start(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        self.veiled(self.wire.start(host, id).await)
    }

    async fn stop(&self, host: &HostId, id: &ContainerId, grace: Duration) -> Result<(), PortError> {
        self.veiled(self.wire.stop(host, id, grace).await)
    }

    async fn rename(&self, host: &HostId, id: &ContainerId, to: &str) -> Result<(), PortError> {
        self.veiled(self.wire.rename(host, id, to).await)
    }

    async fn set_restart(&self, host: &HostId, id: &ContainerId, to: Restart) -> Result<(), PortError> {
        self.veiled(self.wire.set_restart(host, id, to).await)
    }

    async fn remove(&self, host: &HostId, id: &ContainerId) -> Result<(), PortError> {
        self.veiled(self.wire.remove(host, id).await)
    }

    async fn tail(&self, host: &HostId, id: &ContainerId, lines: u32) -> Result<String, PortError> {
        let text = self.veiled(self.wire.tail(host, id, lines).await)?;
        Ok(self.veil.text(&text).into_owned())
    }

    async fn mark(&self, host: &HostId, order: &MarkOrder) -> Result<ContainerId, PortError> {
        self.veiled(self.wire.mark(host, order).await)
    }

    async fn put(&self, host: &HostId, id: &ContainerId, files: &[(&str, &[u8])]) -> Result<(), PortError> {
        self.veiled(self.wire.put(host, id, files).await)
    }

    async fn get(&self, host: &HostId, id: &ContainerId, file: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.veiled(self.wire.get(host, id, file).await)
    }

    async fn engine_time(&self, host: &HostId) -> Result<DateTime<Utc>, PortError> {
        self.veiled(self.wire.engine_time(host).await)
    }

    async fn probe(&self, host: &HostId, id: &ContainerId, question: &Question) -> Result<Result<(), String>, PortError> {
        let answer = self.veiled(self.wire.probe(host, id, question).await)?;
        Ok(answer.map_err(|said| self.veil.text(&said).into_owned()))
    }

    fn address(&self, host: &HostId) -> Option<IpAddr> {
        self.wire.address(host)
    }

    async fn slots(&self, lb: &str, backend: &str) -> Result<Backend, PortError> {
        self.veiled(self.wire.slots(lb, backend).await)
    }

    async fn set_slots(&self, lb: &str, backend: &str, changes: &[(Arc<str>, SlotChange)]) -> Result<(), PortError> {
        self.veiled(self.wire.set_slots(lb, backend, changes).await)
    }

    async fn proof_begins(&self, routes: &[Route]) -> Vec<Count> {
        self.wire.proof_begins(routes).await
    }

    async fn proof_so_far(&self, begun: &[Count]) -> Option<Proof> {
        self.wire.proof_so_far(begun).await
    }

    async fn proof_ends(&self, begun: &[Count]) -> Option<Proof> {
        self.wire.proof_ends(begun).await
    }

    fn now(&self) -> DateTime<Utc> {
        self.wire.now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.wire.sleep(time)
    }
}
