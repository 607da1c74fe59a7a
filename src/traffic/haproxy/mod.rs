//! HAProxy over its runtime API: no reload, and a switch without a failed request.
//!
//! Its answers are texts for people and no contract: what was asked counts as done when the next look at the server says so. Measured with
//! 2.6: `state ready` sends requests *before* any check, and `show stat` may still tell the check of the address before; a server-state file
//! brings back port and state of every server, and the address only of those whose line holds a name with `init-addr last`.

mod reply;
mod share;
mod talk;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, sleep};

use self::{
    reply::Server,
    talk::{Door, Talk},
};
use super::{
    Backend, Balancer, Standing, Trouble, Way,
    slot::{SlotState, state_word},
};

/// How long a check that is under way may hold up that its slot is given another address.
const CHECK_ENDS: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A HAProxy, 2.0 or later.
pub struct Haproxy {
    talk: Talk,
    persist: Option<PathBuf>,
}

impl Haproxy {
    /// Behind this admin socket; `persist` is the server-state file that it loads at start.
    pub fn at_socket(way: Way, socket: &Path, persist: Option<PathBuf>) -> Self {
        Self { talk: Talk::new(way, Door::Socket(socket.to_string_lossy().into_owned())), persist }
    }

    /// Behind this address.
    pub fn at_address(way: Way, host: &str, port: u16, persist: Option<PathBuf>) -> Self {
        Self { talk: Talk::new(way, Door::Tcp(host.to_owned(), port)), persist }
    }

    async fn servers(&self, backend: &str) -> Result<Vec<Server>, Trouble> {
        let asked = format!("show servers state {}", plain(backend)?);
        let text = self.talk.ask(&[&asked]).await?;
        if text.trim_start().starts_with("Can't find backend") {
            return Err(Trouble::Refused(format!("HAProxy has no backend {backend}: add it to its configuration, or mend `traffic`")));
        }
        reply::servers(&text).map_err(|why| Trouble::Nonsense { asked, why })
    }

    async fn server(&self, backend: &str, slot: &str) -> Result<Server, Trouble> {
        let found = self.servers(backend).await?.into_iter().find(|server| server.name == slot);
        found.ok_or_else(|| Trouble::Refused(format!("backend {backend} has no server {slot}")))
    }

    /// Sends commands that answer nothing when all is well; any word is a refusal.
    async fn order(&self, commands: &[String]) -> Result<(), Trouble> {
        for command in commands {
            let text = self.talk.ask(&[command]).await?;
            if !text.trim().is_empty() {
                return Err(Trouble::said(command, &text));
            }
        }
        Ok(())
    }

    async fn set_state(&self, backend: &str, slot: &str, to: SlotState) -> Result<Server, Trouble> {
        let word = state_word(to);
        self.order(&[format!("set server {}/{} state {word}", plain(backend)?, plain(slot)?)]).await?;
        let now = self.server(backend, slot).await?;
        match now.state() == to {
            true => Ok(now),
            false => Err(Trouble::Refused(format!("{backend}/{slot} was told {word} and is {}", state_word(now.state())))),
        }
    }

    async fn set_all(&self, backend: &str, states: &[(Arc<str>, SlotState)]) -> Result<(), Trouble> {
        let mut commands = Vec::new();
        for (slot, state) in states {
            commands.push(format!("set server {}/{} state {}", plain(backend)?, plain(slot)?, state_word(*state)));
        }
        let lines: Vec<&str> = commands.iter().map(String::as_str).collect();
        let text = self.talk.ask(&lines).await?;
        if !text.trim().is_empty() {
            return Err(Trouble::said(&commands.join(";"), &text));
        }
        let now = self.servers(backend).await?;
        let is_told = |(slot, state): &&(Arc<str>, SlotState)| now.iter().any(|server| *server.name == **slot && server.state() == *state);
        match states.iter().find(|told| !is_told(told)) {
            Some((slot, state)) => Err(Trouble::Refused(format!("{backend}/{slot} was told {} and is not", state_word(*state)))),
            None => Ok(()),
        }
    }

    async fn fill(&self, backend: &str, slot: &str, address: SocketAddr) -> Result<(), Trouble> {
        let name = format!("{}/{}", plain(backend)?, plain(slot)?);
        let mut server = self.server(backend, slot).await?;
        if server.state() != SlotState::Maint {
            return Err(Trouble::Refused(format!("{name} is in use: only a slot in maintenance is pointed elsewhere")));
        }
        if !server.has_check() {
            return Err(Trouble::Refused(format!("{name} is not checked by HAProxy: add `check` to its server line")));
        }
        let moves = server.address.is_none_or(|old| old.ip() != address.ip());
        if self.persist.is_some() && !server.named && moves {
            return Err(Trouble::Refused(format!(
                "{name} has an address in its line: after a restart HAProxy takes that one again, with the port and the state that were \
                 written down, and sends requests to the wrong place: write the backend's slots as `server-template s 4 slot.invalid:1 check \
                 disabled init-addr last,127.0.0.1`, or leave `persist` out"
            )));
        }
        // A check that began at the old address must not count for the new one.
        let until = Instant::now() + CHECK_ENDS;
        while server.is_checking() && Instant::now() < until {
            sleep(LOOK).await;
            server = self.server(backend, slot).await?;
        }
        if server.address != Some(address) {
            let command = format!("set server {name} addr {} port {}", address.ip(), address.port());
            // It answers with words on success too.
            let text = self.talk.ask(&[&command]).await?;
            server = self.server(backend, slot).await?;
            if server.address != Some(address) {
                return Err(Trouble::said(&command, &text));
            }
        }
        if server.check_port != 0 && server.check_port != address.port() {
            self.order(&[format!("set server {name} check-port {}", address.port())]).await?;
        }
        if !server.check_enabled() {
            self.order(&[format!("enable health {name}")]).await?;
        }
        self.rest(backend, slot, true).await
    }

    /// Drains a slot. One that leaves maintenance counts as up from the first moment: its health is looked at, and set down where it could
    /// not tell a check that has passed since.
    async fn rest(&self, backend: &str, slot: &str, filled: bool) -> Result<(), Trouble> {
        let asleep = filled || self.server(backend, slot).await?.state() == SlotState::Maint;
        let server = self.set_state(backend, slot, SlotState::Drain).await?;
        if !asleep || !server.has_check() || !server.check_enabled() {
            // Setting down a server without checks would be for ever.
            return Ok(());
        }
        let name = format!("{}/{}", plain(backend)?, plain(slot)?);
        let asked = format!("show stat {backend} 4 -1");
        let text = self.talk.ask(&[&asked]).await?;
        let stats = reply::stats(&text).map_err(|why| Trouble::Nonsense { asked, why })?;
        match stats.iter().find(|stat| stat.name == slot).and_then(|stat| stat.fresh) {
            Some(false) => Ok(()),
            Some(true) | None => self.order(&[format!("set server {name} health down")]).await,
        }
    }

    async fn look(&self, backend: Option<&str>) -> Result<Vec<Backend>, Trouble> {
        let (state, stat) = match backend {
            Some(name) => (format!("show servers state {}", plain(name)?), format!("show stat {name} 6 -1")),
            None => ("show servers state".to_owned(), "show stat -1 6 -1".to_owned()),
        };
        // On one line, so that it is one moment, and one stream over the link.
        let text = self.talk.ask(&[&state, &stat, "show table"]).await?;
        if text.trim_start().starts_with("Can't find backend") {
            let name = backend.unwrap_or_default();
            return Err(Trouble::Refused(format!("HAProxy has no backend {name}: add it to its configuration, or mend `traffic`")));
        }
        let (servers, stats) = text.find("# pxname").map_or((text.as_str(), ""), |at| text.split_at(at));
        let (stats, tables) = stats.find("\n# table:").map_or((stats, ""), |at| stats.split_at(at));
        let servers = reply::servers(servers).map_err(|why| Trouble::Nonsense { asked: state, why })?;
        let stats = reply::stats(stats).map_err(|why| Trouble::Nonsense { asked: stat, why })?;
        let mut found = reply::backends(&servers, &stats);
        // What is no backend's own: rows that a name happens to select as well.
        found.retain(|known| backend.is_none_or(|name| *known.name == *name));
        // The backends with a stick table.
        for table in tables.lines().filter_map(|line| Some(line.strip_prefix("# table: ")?.split(',').next()?.trim())) {
            found.iter_mut().filter(|known| *known.name == *table).for_each(|known| known.sticky = true);
        }
        Ok(found)
    }

    async fn weigh(&self, backend: &str, slot: &str, share: u16) -> Result<(), Trouble> {
        let servers = self.servers(backend).await?;
        let weights = share::weights(&servers, slot, share).map_err(|why| Trouble::Refused(format!("{backend}/{slot}: {why}")))?;
        let commands: Vec<String> = weights.iter().map(|(name, weight)| format!("set server {backend}/{name} weight {weight}")).collect();
        if commands.is_empty() {
            return Ok(());
        }
        for name in weights.iter().map(|(name, _)| name) {
            plain(name)?;
        }
        // All on one line: raised one by one, the first would get nearly all requests for a moment.
        let lines: Vec<&str> = commands.iter().map(String::as_str).collect();
        let text = self.talk.ask(&lines).await?;
        if !text.trim().is_empty() {
            return Err(Trouble::said(&commands.join(";"), &text));
        }
        let now = self.servers(backend).await?;
        match weights.iter().find(|(name, weight)| !now.iter().any(|server| server.name == *name && server.weight == *weight)) {
            Some((name, weight)) => Err(Trouble::Refused(format!("{backend}/{name} did not take the weight {weight}"))),
            None => Ok(()),
        }
    }

    async fn save(&self) -> Result<Option<PathBuf>, Trouble> {
        let Some(path) = &self.persist else { return Ok(None) };
        let text = self.talk.ask(&["show servers state"]).await?;
        reply::servers(&text).map_err(|why| Trouble::Nonsense { asked: "show servers state".to_owned(), why })?;
        // Without an end of line behind its last line HAProxy reads nothing of it, and says nothing either.
        self.talk.way().write(path, format!("{}\n", text.trim_end()).as_bytes()).await?;
        Ok(Some(path.clone()))
    }

    async fn standing(&self) -> Result<Standing, Trouble> {
        let asked = "show info";
        let text = self.talk.ask(&[asked]).await?;
        let info = reply::info(&text).map_err(|why| Trouble::Nonsense { asked: asked.to_owned(), why })?;
        Ok(Standing { version: info.version.into(), life: format!("pid {}", info.pid).into(), uptime: info.uptime })
    }
}

impl Balancer for Haproxy {
    fn kind(&self) -> &'static str {
        "haproxy"
    }

    fn targets<'a>(&'a self, backend: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Backend>, Trouble>> {
        self.look(backend).boxed()
    }

    fn add<'a>(&'a self, backend: &'a str, slot: &'a str, address: SocketAddr) -> BoxFuture<'a, Result<(), Trouble>> {
        self.fill(backend, slot, address).boxed()
    }

    fn ready<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { self.set_state(backend, slot, SlotState::Ready).await.map(drop) }.boxed()
    }

    fn set_weight<'a>(&'a self, backend: &'a str, slot: &'a str, share: u16) -> BoxFuture<'a, Result<(), Trouble>> {
        self.weigh(backend, slot, share).boxed()
    }

    fn drain<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.rest(backend, slot, false).boxed()
    }

    fn in_flight<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<u32, Trouble>> {
        async move {
            let asked = format!("show stat {} 4 -1", plain(backend)?);
            let text = self.talk.ask(&[&asked]).await?;
            let stats = reply::stats(&text).map_err(|why| Trouble::Nonsense { asked, why })?;
            let found = stats.iter().find(|stat| stat.backend == backend && stat.name == slot);
            found.map(|stat| stat.sessions).ok_or_else(|| Trouble::Refused(format!("backend {backend} has no server {slot}")))
        }
        .boxed()
    }

    fn remove<'a>(&'a self, backend: &'a str, slot: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { self.set_state(backend, slot, SlotState::Maint).await.map(drop) }.boxed()
    }

    fn set_states<'a>(&'a self, backend: &'a str, states: &'a [(Arc<str>, SlotState)]) -> BoxFuture<'a, Result<(), Trouble>> {
        self.set_all(backend, states).boxed()
    }

    fn persist(&self) -> BoxFuture<'_, Result<Option<PathBuf>, Trouble>> {
        self.save().boxed()
    }

    fn verify(&self) -> BoxFuture<'_, Result<Standing, Trouble>> {
        self.standing().boxed()
    }
}

/// A name that can stand in a command: HAProxy's own rule for names, which lets nothing end the word or the line.
fn plain(name: &str) -> Result<&str, Trouble> {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
    match is_plain {
        true => Ok(name),
        false => {
            Err(Trouble::Refused(format!("{:?} is no name that HAProxy knows: letters, digits and - _ . :", crate::text::clean_line(name))))
        }
    }
}

#[cfg(test)]
mod tests;
