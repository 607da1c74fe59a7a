//! The requests of the live view, each with its deadline, decoded into the model's rows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Client, EngineError, Lines, client::ApiVersion, decode, stock};
use crate::{
    fleet::{ContainerDetail, ContainerId, ContainerSummary, EngineEvent, EngineInfo, HostId, ImageFact, ImageId},
    stats::Sample,
    stock::{Kind, Stock},
    text::clean_bytes,
};

/// For answers that cost the engine next to nothing.
const QUICK: Duration = Duration::from_secs(10);
/// For answers whose cost grows with what is on the host.
const LONG: Duration = Duration::from_secs(60);

/// What the first exchange with an engine told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// `Docker 20.10.24`, `Podman 4.3.1`.
    pub engine: String,
    /// The version both sides use from now on.
    pub api: ApiVersion,
    /// The engine's clock, where its answer carried one.
    pub clock: Option<DateTime<Utc>>,
}

impl Client {
    /// Learns who answers and fixes the API version.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Protocol` when it is no Docker engine, or one older than API 1.24.
    pub async fn handshake(&self) -> Result<Handshake, EngineError> {
        let answer = self.get("/version", QUICK).await?;
        let version = decode::version(&answer)?;
        self.set_api(version.api);
        Ok(Handshake { engine: version.engine, api: self.api().unwrap_or(version.api), clock: version.clock })
    }

    /// Asks whether the engine answers at all. The caller sets the deadline.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.get("/_ping", LONG).await.map(|_| ())
    }

    /// What the engine says of itself and its machine. `asked` and the handshake's clock give the skew.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn info(&self, handshake: &Handshake) -> Result<EngineInfo, EngineError> {
        let asked = Utc::now();
        let answer = self.get("/info", LONG).await?;
        decode::info(&answer, handshake, asked + (Utc::now() - asked) / 2)
    }

    /// Every container, stopped ones too.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn list(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        decode::list(&self.get("/containers/json?all=true", LONG).await?)
    }

    /// One container in depth.
    ///
    /// # Errors
    /// Every [`EngineError`]; [`EngineError::is_not_found`] when it is gone.
    pub async fn inspect(&self, id: &ContainerId) -> Result<ContainerDetail, EngineError> {
        decode::inspect(&self.get(&format!("/containers/{id}/json"), QUICK).await?)
    }

    /// One container as the engine tells it, unabridged, for the inspect view. Values are not cleaned yet.
    ///
    /// # Errors
    /// As [`Client::inspect`].
    pub async fn inspect_raw(&self, id: &ContainerId) -> Result<serde_json::Value, EngineError> {
        let path = format!("/containers/{id}/json");
        decode::value(&self.get(&path, QUICK).await?, &path)
    }

    /// A container's counters, read once; `None` when nothing runs in it. Engines before Docker 25 answer at the next tick of their
    /// collector, up to a second later.
    ///
    /// # Errors
    /// As [`Client::inspect`].
    pub async fn sample(&self, id: &ContainerId) -> Result<Option<Sample>, EngineError> {
        self.meter().count_sample();
        let answer = self.get(&format!("/containers/{id}/stats?stream=false&one-shot=true"), QUICK).await?;
        Sample::parse(&answer)
            .map_err(|error| EngineError::Protocol { what: "GET /containers/{id}/stats".to_owned(), reason: error.to_string() })
    }

    /// A container's processes, as `ps` on its host tells them: `Titles` and `Processes`. Values are not cleaned yet.
    ///
    /// # Errors
    /// As [`Client::inspect`]; `Status` when nothing runs in it.
    pub async fn top(&self, id: &ContainerId) -> Result<serde_json::Value, EngineError> {
        // Not every host's ps knows these columns; Podman has words of its own, and says nothing to others'.
        let path = format!("/containers/{id}/top?ps_args=-eo%20pid,ppid,user,pcpu,pmem,etime,args");
        let answer = match self.get(&path, QUICK).await {
            Err(EngineError::Status { status, .. }) if !matches!(status, 404 | 409) => {
                self.get(&format!("/containers/{id}/top"), QUICK).await?
            }
            Ok(answer) if answer.iter().all(u8::is_ascii_whitespace) => self.get(&format!("/containers/{id}/top"), QUICK).await?,
            other => other?,
        };
        decode::value(&answer, &path)
    }

    /// Tags and digests of every image. Layers stay empty.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn images(&self) -> Result<Vec<ImageFact>, EngineError> {
        decode::images(&self.get("/images/json", LONG).await?)
    }

    /// One image with its layers.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn image(&self, id: &ImageId) -> Result<ImageFact, EngineError> {
        decode::image(&self.get(&format!("/images/{id}/json"), QUICK).await?)
    }

    /// Whether an image, volume or network is there: an error that [is not found](EngineError::is_not_found) says that it is not.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn stands(&self, kind: Kind, id: &str) -> Result<(), EngineError> {
        let path = stock_path(kind, id);
        let path = if kind == Kind::Image { format!("{path}/json") } else { path };
        self.get(&path, QUICK).await.map(|_| ())
    }

    /// Images, volumes and networks, with sizes and users. The engine walks its disks for it: asked when a person looks, never by itself.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn stock(&self) -> Result<Stock, EngineError> {
        let (usage, networks) = tokio::try_join!(self.get("/system/df", LONG), self.get("/networks", LONG))?;
        stock::stock(&usage, &networks)
    }

    /// Events for ever: from `since` on, told again, or from now on.
    ///
    /// Asks for what changes something only, or every health check would be three events; an engine that does not know these
    /// filters is asked for all.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn events(&self, since: Option<DateTime<Utc>>) -> Result<Lines, EngineError> {
        let since = since.map_or(String::new(), |since| format!("since={}&", moment(since)));
        let body = match self.stream(&format!("/events?{since}filters={}", event_filter()), LONG).await {
            Err(EngineError::Status { .. }) => self.stream(&format!("/events?{since}"), LONG).await?,
            other => other?,
        };
        Ok(Lines::new(body, "GET /events"))
    }

    /// The events of a stretch of time that the engine remembers, oldest first; the same kinds as [`Client::events`].
    ///
    /// # Errors
    /// Every [`EngineError`]; `Timeout` when `until` is far ahead of the engine's clock.
    pub async fn events_between(&self, host: &HostId, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<EngineEvent>, EngineError> {
        let path = format!("/events?since={}&until={}", moment(since), moment(until));
        let answer = match self.get(&format!("{path}&filters={}", event_filter()), LONG).await {
            Err(EngineError::Status { .. }) => self.get(&path, LONG).await?,
            other => other?,
        };
        answer.split(|byte| *byte == b'\n').filter_map(|line| parse_event(host, line).transpose()).collect()
    }
}

/// The path of an image, volume or network. An image's name keeps what engines take as a part of it.
pub fn stock_path(kind: Kind, id: &str) -> String {
    const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b':').remove(b'@').remove(b'.').remove(b'-').remove(b'_');
    let id = utf8_percent_encode(id, NAME);
    match kind {
        Kind::Image => format!("/images/{id}"),
        Kind::Volume => format!("/volumes/{id}"),
        Kind::Network => format!("/networks/{id}"),
    }
}

/// Seconds and nanoseconds, as `since` and `until` want them.
fn moment(at: DateTime<Utc>) -> String {
    format!("{}.{:09}", at.timestamp(), at.timestamp_subsec_nanos())
}

/// `health_status` in the list makes dockerd compare beginnings of words instead of whole ones, for all of them.
fn event_filter() -> String {
    // died and remove: Podman filters by its own words, and answers with Docker's.
    const WORDS: [&str; 24] = [
        "create",
        "start",
        "restart",
        "stop",
        "die",
        "died",
        "remove",
        "kill",
        "oom",
        "pause",
        "unpause",
        "rename",
        "destroy",
        "update",
        "health_status",
        "pull",
        "push",
        "tag",
        "untag",
        "delete",
        "import",
        "load",
        "prune",
        "reload",
    ];
    let json = format!("{{\"event\":{WORDS:?}}}");
    percent_encoding::utf8_percent_encode(&json, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// One line of the event stream.
///
/// # Errors
/// [`EngineError::Protocol`] with the beginning of the line.
pub fn parse_event(host: &HostId, line: &[u8]) -> Result<Option<EngineEvent>, EngineError> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    decode::event(host, line).map(Some).map_err(|error| match error {
        EngineError::Protocol { what, reason } => {
            EngineError::Protocol { what, reason: format!("{reason}: {}", clean_bytes(line.get(..80).unwrap_or(line))) }
        }
        other => other,
    })
}
