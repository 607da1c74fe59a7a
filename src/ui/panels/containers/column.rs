//! The columns of the table: what each shows, what it sorts by, and how much room it asks for.

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    fleet::{Container, trouble::Trouble},
    stats::{Usage, sum::own_memory_limit},
    text::width,
    ui::{
        panels::{
            figures::{cores, percent, short_bytes},
            words::{as_of, ports_text, state_words, unknown},
        },
        theme::Theme,
        view::View,
        widgets::{Align, Column},
    },
};

/// Cells of an age.
const AGE: u16 = 6;
/// Cells of `as of 14:02:31`.
const AS_OF: u16 = 14;
/// Cells of a shortened id.
const SHORT_ID: u16 = 12;

/// A column that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Service,
    Name,
    Version,
    State,
    Up,
    Cpu,
    Memory,
    Restarts,
    Ports,
    Environment,
    Image,
    Created,
    Id,
    Digest,
}

impl Field {
    /// Every column, in the order of a table that nobody changed.
    pub const ALL: [Self; 15] = [
        Self::Host,
        Self::Service,
        Self::Name,
        Self::Version,
        Self::State,
        Self::Up,
        Self::Cpu,
        Self::Memory,
        Self::Restarts,
        Self::Ports,
        Self::Environment,
        Self::Image,
        Self::Created,
        Self::Id,
        Self::Digest,
    ];

    /// The columns shown until somebody chooses.
    pub const SHOWN: [Self; 9] =
        [Self::Host, Self::Service, Self::Name, Self::Version, Self::State, Self::Up, Self::Restarts, Self::Ports, Self::Environment];

    /// Heading, side, least and most cells, and how soon it gives way (the higher, the sooner).
    const fn row(self) -> (&'static str, Align, u16, u16, u8) {
        match self {
            Self::Host => ("HOST", Align::Left, 16, 24, 3),
            Self::Service => ("SERVICE", Align::Left, 20, 28, 5),
            Self::Name => ("NAME", Align::Left, 20, 32, 0),
            Self::Version => ("VERSION", Align::Left, 20, 28, 2),
            Self::State => ("STATE", Align::Left, 13, 13, 1),
            Self::Up => ("UP", Align::Right, AS_OF, AS_OF, 4),
            Self::Cpu => ("CPU", Align::Right, 4, 4, 5),
            Self::Memory => ("MEM", Align::Right, 10, 10, 5),
            Self::Restarts => ("RESTARTS", Align::Right, 8, 10, 6),
            Self::Ports => ("PORTS", Align::Left, 16, 28, 7),
            Self::Environment => ("ENVIRONMENT", Align::Left, 11, 16, 8),
            Self::Image => ("IMAGE", Align::Left, 20, 56, 9),
            Self::Created => ("CREATED", Align::Right, 7, 7, 10),
            Self::Id => ("ID", Align::Left, SHORT_ID, SHORT_ID, 11),
            Self::Digest => ("DIGEST", Align::Left, SHORT_ID, SHORT_ID, 12),
        }
    }

    /// Its heading, by which the chooser names it.
    pub const fn title(self) -> &'static str {
        self.row().0
    }

    /// The column of that heading.
    pub fn titled(title: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.title() == title)
    }

    /// On which side its text stands.
    pub const fn align(self) -> Align {
        self.row().1
    }

    /// What it asks of the table when its widest text takes `widest` cells.
    pub fn column(self, widest: u16, sorted: bool) -> Column {
        let (title, align, min, most, priority) = self.row();
        let heading = u16::try_from(title.len()).unwrap_or(u16::MAX) + if sorted { 2 } else { 0 };
        Column { title, align, min: min.max(heading), wanted: widest.clamp(1, most).max(heading), priority }
    }

    /// How many cells its text for this container takes. Without ages, so that it can be asked for all rows.
    pub fn measure(self, container: &Container, theme: &Theme) -> u16 {
        let cells = match self {
            Self::Host => width(container.key.host.as_str()),
            Self::Service => {
                let service = &container.identity.service;
                width(service.service.as_str()) + service.app.as_ref().map_or(0, |app| width(app.as_str()) + 1)
            }
            Self::Name => width(&container.name),
            Self::Version => width(&container.version.text),
            // The widest words are `out of memory` and `crash-looping`, and a state changes often: it has room for them always.
            Self::State => 13,
            Self::Up => return if container.started.is_some() { AGE } else { 2 },
            // They come and go: their room is there from the start.
            Self::Cpu => 4,
            Self::Memory => 10,
            Self::Restarts => container.restarts.map_or(1, |count| count.max(1).ilog10() as usize + 1),
            Self::Ports if container.ports.is_empty() => 0,
            Self::Ports => width(&ports_text(&container.ports, theme)),
            Self::Environment => container.identity.environment.as_ref().map_or(1, |environment| width(environment.as_str())),
            Self::Image => width(&image(container)),
            Self::Created => return AGE,
            Self::Id | Self::Digest => return SHORT_ID,
        };
        u16::try_from(cells).unwrap_or(u16::MAX)
    }

    /// What it shows of a container, whole.
    pub fn text<'c>(self, container: &'c Container, trouble: Trouble, view: &View<'_>) -> Cow<'c, str> {
        let none = unknown(view.theme);
        match self {
            Self::Host => container.key.host.as_str().into(),
            Self::Service => match &container.identity.service.app {
                Some(_) => container.identity.service.to_string().into(),
                None => container.identity.service.service.as_str().into(),
            },
            Self::Name => (&*container.name).into(),
            Self::Version => (&*container.version.text).into(),
            Self::State => state_words(container, trouble),
            Self::Up if view.is_stale(&container.key.host) => as_of(container, view).into(),
            Self::Up => match container.up_since() {
                Some(started) => view.age(started).into(),
                None => none.into(),
            },
            Self::Cpu => usage(container, view).and_then(|usage| usage.cpu).map_or(none.into(), |cpu| cores(cpu).into()),
            Self::Memory => usage(container, view).map_or(none.into(), |usage| {
                // The share has its place also where there is none, or the bytes would not line up.
                let share = memory_share(container, view).map_or_else(String::new, percent);
                format!("{} {share:>4}", short_bytes(usage.memory as f64)).into()
            }),
            Self::Restarts => container.restarts.map_or(none.into(), |count| count.to_string().into()),
            Self::Ports => ports_text(&container.ports, view.theme).into(),
            Self::Environment => container.identity.environment.as_ref().map_or(none.into(), |environment| environment.as_str().into()),
            Self::Image => image(container),
            Self::Created => view.age(container.created).into(),
            Self::Id => container.key.id.short().into(),
            Self::Digest => container.digest.as_deref().map_or(none.into(), |digest| short_digest(digest).into()),
        }
    }

    /// What rows are ordered by; the least comes first.
    pub fn value(self, container: &Container, trouble: Trouble, view: &View<'_>) -> Value {
        let text = |text: &str| Value::Text(text.into());
        // Moments and counts: the youngest, the most first.
        let latest = |moment: Option<DateTime<Utc>>| moment.map_or(Value::Unknown, |moment| Value::Number(-moment.timestamp_millis()));
        match self {
            Self::Host => text(container.key.host.as_str()),
            Self::Service if container.identity.service.app.is_some() => Value::Text(container.identity.service.to_string().into()),
            // Without an app: last, by its own name.
            Self::Service => Value::Unknown,
            Self::Name => Value::Text(Arc::clone(&container.name)),
            Self::Version => Value::Text(Arc::clone(&container.version.text)),
            Self::State => Value::Number(2 * -(trouble as i64) + i64::from(!container.is_running())),
            Self::Up => latest(container.up_since()),
            Self::Cpu => {
                usage(container, view).and_then(|usage| usage.cpu).map_or(Value::Unknown, |cpu| Value::Number(-((cpu * 1e6) as i64)))
            }
            Self::Memory => {
                usage(container, view).map_or(Value::Unknown, |usage| Value::Number(-i64::try_from(usage.memory).unwrap_or(i64::MAX)))
            }
            Self::Restarts => container.restarts.map_or(Value::Unknown, |count| Value::Number(-i64::try_from(count).unwrap_or(i64::MAX))),
            Self::Ports => container.ports.iter().find_map(|port| port.public).map_or(Value::Unknown, |port| Value::Number(port.into())),
            Self::Environment => container.identity.environment.as_ref().map_or(Value::Unknown, |environment| text(environment.as_str())),
            Self::Image => text(&image(container)),
            Self::Created => latest(Some(container.created)),
            Self::Id => text(container.key.id.as_str()),
            Self::Digest => container.digest.clone().map_or(Value::Unknown, Value::Text),
        }
    }
}

/// What a container uses now, where it is measured.
fn usage<'v>(container: &Container, view: &View<'v>) -> Option<&'v Usage> {
    view.stats.current(container, view.fleet.host(&container.key.host)?, view.now)
}

/// The used share of the container's own limit of memory.
pub(super) fn memory_share(container: &Container, view: &View<'_>) -> Option<f64> {
    let usage = usage(container, view)?;
    let limit = own_memory_limit(usage, view.fleet.host(&container.key.host)?)?;
    Some(usage.memory as f64 / limit.max(1) as f64)
}

/// The used share of the container's own limit of processors.
pub(super) fn cpu_share(container: &Container, view: &View<'_>) -> Option<f64> {
    let limit = container.cpu_limit.filter(|limit| *limit > 0.0)?;
    Some(usage(container, view)?.cpu? / limit)
}

/// What a row is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(i64),
    Text(Arc<str>),
    /// Comes last, whatever the direction.
    Unknown,
}

/// The widest text of every column, in cells; grows while the list is looked at, so that nothing jumps.
#[derive(Clone, Debug, Default)]
pub(super) struct Widths([u16; Field::ALL.len()]);

impl Widths {
    /// Makes room for a container's texts.
    pub fn grow(&mut self, container: &Container, theme: &Theme) {
        for (field, widest) in Field::ALL.into_iter().zip(&mut self.0) {
            *widest = (*widest).max(field.measure(container, theme));
        }
    }

    /// Makes room for the "as of" of rows that are only the last known.
    pub fn grow_as_of(&mut self) {
        self.0[Field::Up as usize] = AS_OF;
    }

    /// The widest text of a column.
    pub fn of(&self, field: Field) -> u16 {
        self.0[field as usize]
    }
}

/// The image as named; the image's id where it was started by id.
pub(super) fn image(container: &Container) -> Cow<'_, str> {
    if container.image.repository.is_empty() { container.image_id.as_str().into() } else { container.image.to_string().into() }
}

fn short_digest(digest: &str) -> &str {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    hex.get(..usize::from(SHORT_ID)).unwrap_or(hex)
}
