//! One row: an image, a volume or a network of one host, as texts.

use std::sync::Arc;

use crate::{
    fleet::{ContainerKey, HostId},
    stock::{Kind, Stock, StockKey, User},
    text,
    ui::{
        view::View,
        widgets::{Align, Column},
    },
};

/// A column.
struct Title {
    pub text: &'static str,
    pub align: Align,
    pub min: u16,
    pub priority: u8,
}

const fn left(text: &'static str, min: u16, priority: u8) -> Title {
    Title { text, align: Align::Left, min, priority }
}

const fn right(text: &'static str, priority: u8) -> Title {
    Title { text, align: Align::Right, min: 8, priority }
}

const IMAGES: &[Title] =
    &[left("IMAGE", 24, 0), left("HOST", 8, 0), right("SIZE", 1), right("SHARED", 4), right("CREATED", 3), left("USED BY", 12, 2)];
const VOLUMES: &[Title] =
    &[left("VOLUME", 24, 0), left("HOST", 8, 0), right("SIZE", 1), left("DRIVER", 6, 4), right("CREATED", 3), left("USED BY", 12, 2)];
const NETWORKS: &[Title] = &[
    left("NETWORK", 16, 0),
    left("HOST", 8, 0),
    left("DRIVER", 6, 1),
    left("SUBNETS", 14, 3),
    right("CREATED", 4),
    left("USED BY", 12, 2),
];

/// The columns as wide as these rows want them.
pub(super) fn columns(kind: Kind, rows: &[Row]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (index, title) in titles(kind).iter().enumerate() {
        let widest = rows.iter().map(|row| text::width(&row.texts[index])).max().unwrap_or(0).max(title.text.len());
        let wanted = u16::try_from(widest).unwrap_or(u16::MAX);
        columns.push(Column { title: title.text, align: title.align, min: wanted.min(title.min), wanted, priority: title.priority });
    }
    columns
}

/// The columns of a kind's table.
fn titles(kind: Kind) -> &'static [Title] {
    match kind {
        Kind::Image => IMAGES,
        Kind::Volume => VOLUMES,
        Kind::Network => NETWORKS,
    }
}

pub(super) struct Row {
    pub key: StockKey,
    /// For people.
    pub name: Arc<str>,
    /// Bytes, where they are counted.
    pub size: Option<u64>,
    /// Nothing uses it and nobody named it.
    pub spare: bool,
    /// Names of the containers that use it.
    pub users: Vec<Arc<str>>,
    /// One for each of the kind's columns.
    pub texts: Vec<String>,
}

/// The rows of one host that the filter leaves: all of a selected host, and what a selected container uses.
pub(super) fn rows(kind: Kind, host: &HostId, stock: &Stock, view: &View<'_>) -> Vec<Row> {
    let none = || "–".to_owned();
    let age = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or_else(none, |at| text::since(at, view.now));
    let bytes = |size: Option<u64>| size.map_or_else(none, text::bytes);
    let users = |users: &[User]| users.iter().map(|user| Arc::clone(&user.name)).collect::<Vec<_>>();
    let joined = |users: &[Arc<str>]| if users.is_empty() { none() } else { users.join(" ") };
    let key = |id: &str| StockKey { host: host.clone(), kind, id: id.into() };
    let mut rows = Vec::new();
    match kind {
        Kind::Image => rows.extend(stock.images.iter().filter(|image| selected(host, &image.users, view)).map(|image| {
            let (title, used) = (image.title(), users(&image.users));
            let texts =
                vec![title.clone(), host.to_string(), bytes(Some(image.size)), bytes(image.shared), age(image.created), joined(&used)];
            let spare = image.names.is_empty() && used.is_empty();
            Row { key: key(image.id.as_str()), name: title.into(), size: Some(image.size), spare, users: used, texts }
        })),
        Kind::Volume => rows.extend(stock.volumes.iter().filter(|volume| selected(host, &volume.users, view)).map(|volume| {
            let used = users(&volume.users);
            let texts = vec![
                volume.name.to_string(),
                host.to_string(),
                bytes(volume.size),
                volume.driver.to_string(),
                age(volume.created),
                joined(&used),
            ];
            let spare = volume.anonymous && used.is_empty();
            Row { key: key(&volume.name), name: Arc::clone(&volume.name), size: volume.size, spare, users: used, texts }
        })),
        Kind::Network => rows.extend(stock.networks.iter().filter(|network| selected(host, &network.users, view)).map(|network| {
            let used = users(&network.users);
            let texts = vec![
                network.name.to_string(),
                host.to_string(),
                network.driver.to_string(),
                network.subnets.join(" "),
                age(network.created),
                joined(&used),
            ];
            let spare = !network.own && used.is_empty();
            Row { key: key(&network.id), name: Arc::clone(&network.name), size: None, spare, users: used, texts }
        })),
    }
    rows
}

/// Whether the filter leaves a host as a whole: only then is what nobody uses there meant by it.
pub(super) fn is_left(host: &HostId, view: &View<'_>) -> bool {
    view.filter.selector().is_none_or(|selector| view.fleet.host(host).is_some_and(|spec| selector.matches_host(spec)))
}

fn selected(host: &HostId, users: &[User], view: &View<'_>) -> bool {
    let by_filter = |user: &User| {
        let key = ContainerKey { host: host.clone(), id: user.id.clone() };
        let (selector, spec, container) = (view.filter.selector()?, view.fleet.host(host)?, view.fleet.container(&key)?);
        Some(selector.matches(container, spec))
    };
    is_left(host, view) || users.iter().any(|user| by_filter(user).unwrap_or(false))
}
