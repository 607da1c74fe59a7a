//! A balancer that reads its servers from a file: nginx, Traefik's file provider, a HAProxy without a socket.
//!
//! The file is written anew from a template, looked at by the balancer's own check command, and then reloaded; where either fails, the old
//! text is put back. Template and commands stand in the configuration and nowhere else. What the file does not say to the balancer (what
//! drains, which shares) stands in a comment of it, so that it holds the whole state.

mod template;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{sync::Mutex, time::sleep};

use self::template::{Entry, Template, entries};
use super::{Backend, Balancer, Check, Counters, Slot, Standing, Trouble, Way, ground::failed, slot::SlotState};
use crate::config::FilesConfig;

/// The slot that is always free.
const NEW: &str = "new";

/// Files of one balancer.
pub(super) struct Files {
    way: Way,
    config: FilesConfig,
    /// One change at a time: each reads the file that the one before wrote.
    changing: Mutex<()>,
}

impl Files {
    pub(super) fn new(way: Way, config: FilesConfig) -> Self {
        Self { way, config, changing: Mutex::new(()) }
    }

    fn path(&self, backend: &str) -> Result<&Path, Trouble> {
        let known = || self.config.files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let path = self.config.files.get(backend).map(PathBuf::as_path);
        path.ok_or_else(|| Trouble::Refused(format!("backend {backend} has no file: `files` names {}", known())))
    }

    async fn template(&self) -> Result<Template, Trouble> {
        let path = &self.config.template;
        let text = tokio::fs::read_to_string(path).await.map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?;
        Template::parse(&text).map_err(|why| Trouble::Refused(format!("{}: {why}", path.display())))
    }

    async fn read(&self, path: &Path) -> Result<Option<String>, Trouble> {
        let bytes = self.way.read(path).await?;
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| Trouble::Refused(format!("{} is no text", path.display())))).transpose()
    }

    async fn targets_of(&self, backend: &str) -> Result<Vec<Entry>, Trouble> {
        let path = self.path(backend)?;
        let text = self.read(path).await?.unwrap_or_default();
        entries(&text).map_err(|why| Trouble::Refused(format!("{}: {why}", path.display())))
    }

    /// Changes the entries of a backend and brings the balancer to it. Whether the balancer was reloaded.
    async fn change(&self, backend: &str, change: impl FnOnce(&mut Vec<Entry>) -> Result<(), Trouble> + Send) -> Result<bool, Trouble> {
        let _one_at_a_time = self.changing.lock().await;
        let template = self.template().await?;
        let path = self.path(backend)?;
        let old = self.read(path).await?;
        let before = entries(old.as_deref().unwrap_or_default()).map_err(|why| Trouble::Refused(format!("{}: {why}", path.display())))?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before && old.is_some() {
            return Ok(false);
        }
        self.way.write(path, template.render(backend, &after).as_bytes()).await?;
        // What only the comment says is no news to the balancer.
        if old.is_some() && template.shown(backend, &before) == template.shown(backend, &after) {
            return Ok(false);
        }
        if let Err(trouble) = self.run("check", &self.config.check).await {
            self.put_back(path, old.as_deref()).await;
            return Err(trouble);
        }
        if let Err(trouble) = self.run("reload", &self.config.reload).await {
            self.put_back(path, old.as_deref()).await;
            // It may run with the new file, with the old one or not at all: what it said first is what counts.
            if let Err(error) = self.run("reload", &self.config.reload).await {
                tracing::warn!(%error, file = %path.display(), "the balancer did not reload the old file either");
            }
            return Err(trouble);
        }
        Ok(true)
    }

    async fn run(&self, what: &str, words: &[String]) -> Result<(), Trouble> {
        let end = self.way.command(words, b"").await?;
        if end.status == Some(0) { Ok(()) } else { Err(failed(&format!("its {what} command ({})", words.join(" ")), &end)) }
    }

    async fn put_back(&self, path: &Path, old: Option<&str>) {
        let put = match old {
            Some(text) => self.way.write(path, text.as_bytes()).await,
            None => {
                let words = ["rm", "-f", "--", &path.to_string_lossy()].map(str::to_owned);
                self.way.command(&words, b"").await.map(drop)
            }
        };
        if let Err(error) = put {
            tracing::error!(%error, file = %path.display(), "the old text could not be put back");
        }
    }

    async fn set(&self, backend: &str, slot: &str, to: impl FnOnce(&mut Entry) + Send) -> Result<bool, Trouble> {
        let reloaded = self.change(backend, |entries| match entries.iter_mut().find(|entry| entry.name() == slot) {
            Some(entry) => {
                to(entry);
                Ok(())
            }
            None => Err(Trouble::Refused(format!("backend {backend} has no slot {slot}"))),
        });
        reloaded.await
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn slot(entry: &Entry, now: u64) -> Slot {
    Slot {
        name: entry.name().into(),
        address: Some(entry.address),
        state: if entry.drains { SlotState::Drain } else { SlotState::Ready },
        check: Check::Never,
        sessions: 0,
        share: entry.share,
        counters: Counters::default(),
        latency_ms: 0,
        since: now.saturating_sub(entry.since),
    }
}

fn backend(name: &str, entries: &[Entry]) -> Backend {
    let now = now();
    let blank = Slot {
        name: NEW.into(),
        address: None,
        state: SlotState::Maint,
        check: Check::Never,
        sessions: 0,
        share: 100,
        counters: Counters::default(),
        latency_ms: 0,
        since: 0,
    };
    let slots = entries.iter().map(|entry| slot(entry, now)).chain([blank]).collect();
    Backend { name: name.into(), sticky: false, slots, counters: Counters::default() }
}

impl Balancer for Files {
    fn kind(&self) -> &'static str {
        "files"
    }

    fn targets<'a>(&'a self, wanted: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>> {
        async move {
            let mut found = Vec::new();
            for name in self.config.files.keys().map(String::as_str).filter(|name| wanted.is_none_or(|wanted| wanted == *name)) {
                found.push(backend(name, &self.targets_of(name).await?));
            }
            if let Some(wanted) = wanted {
                self.path(wanted)?;
            }
            Ok(found)
        }
        .boxed()
    }

    fn add<'a>(&'a self, backend: &'a str, slot: &'a str, address: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let added = self.change(backend, |entries| {
                if slot != NEW {
                    return Err(Trouble::Refused(format!("{backend}/{slot} is in use: only the slot {NEW:?} is filled")));
                }
                if !entries.iter().any(|entry| entry.address == address) {
                    entries.push(Entry { address, drains: true, share: 100, since: now() });
                }
                Ok(())
            });
            added.await.map(drop)
        }
        .boxed()
    }

    fn ready<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { self.set(backend, slot, |entry| (entry.drains, entry.since) = (false, now())).await.map(drop) }.boxed()
    }

    fn set_weight<'a>(&'a self, backend: &'a str, slot: &'a str, share: u16) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { self.set(backend, slot, |entry| entry.share = share).await.map(drop) }.boxed()
    }

    fn drain<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let reloaded = self.set(backend, slot, |entry| (entry.drains, entry.since) = (true, now())).await?;
            // Nobody counts what is under way there: a reload ends when the configuration says so.
            let settle = if reloaded { self.config.settle } else { Duration::ZERO };
            sleep(settle).await;
            Ok(())
        }
        .boxed()
    }

    fn in_flight<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<u32, Trouble>> {
        std::future::ready(Ok(0)).boxed()
    }

    fn remove<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            let removed = self.change(backend, |entries| {
                entries.retain(|entry| entry.name() != slot);
                Ok(())
            });
            let reloaded = removed.await?;
            sleep(if reloaded { self.config.settle } else { Duration::ZERO }).await;
            Ok(())
        }
        .boxed()
    }

    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>> {
        // The file is what the balancer starts with.
        std::future::ready(Ok(self.config.files.values().next().cloned())).boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>> {
        let files: Vec<&str> = self.config.files.keys().map(String::as_str).collect();
        let version: Arc<str> = format!("files of {}", files.join(", ")).into();
        std::future::ready(Ok(Standing { version, life: "files".into(), uptime: None })).boxed()
    }
}

#[cfg(test)]
mod tests;
