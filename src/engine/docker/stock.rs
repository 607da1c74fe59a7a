//! `system/df` and `networks` → [`Stock`]. The users of each thing come from the containers in the same answer, so that both are of one
//! moment.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    EngineError,
    decode::{moment, nullable, parse, text},
};
use crate::{
    fleet::ContainerId,
    stock::{Image, Network, Stock, User, Volume},
};

/// What the engine makes for itself, by name.
const OWN_NETWORKS: [&str; 6] = ["bridge", "host", "none", "ingress", "docker_gwbridge", "podman"];
/// Set by Docker from 23.0 on.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawUsage {
    #[serde(default)]
    layers_size: i64,
    #[serde(default, deserialize_with = "nullable")]
    images: Vec<RawImage>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<RawContainer>,
    #[serde(default, deserialize_with = "nullable")]
    volumes: Vec<RawVolume>,
    #[serde(default, deserialize_with = "nullable")]
    build_cache: Vec<RawCache>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawImage {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    repo_tags: Vec<String>,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    size: i64,
    #[serde(default = "unknown")]
    shared_size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainer {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    names: Vec<String>,
    #[serde(default, rename = "ImageID")]
    image_id: String,
    #[serde(default)]
    state: String,
    #[serde(default, deserialize_with = "nullable")]
    mounts: Vec<RawMount>,
    #[serde(default, deserialize_with = "nullable")]
    network_settings: RawAttached,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMount {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAttached {
    #[serde(default, deserialize_with = "nullable")]
    networks: BTreeMap<String, RawEndpoint>,
}

#[derive(Default, Deserialize)]
struct RawEndpoint {
    #[serde(default, rename = "NetworkID")]
    network_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVolume {
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    labels: BTreeMap<String, Option<String>>,
    #[serde(default)]
    usage_data: Option<RawVolumeUsage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVolumeUsage {
    #[serde(default = "unknown")]
    size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawCache {
    #[serde(default)]
    size: i64,
    #[serde(default)]
    in_use: bool,
    #[serde(default)]
    shared: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNetwork {
    id: String,
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    created: Option<String>,
    #[serde(default, rename = "IPAM", deserialize_with = "nullable")]
    ipam: RawIpam,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawIpam {
    #[serde(default, deserialize_with = "nullable")]
    config: Vec<RawRange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRange {
    #[serde(default)]
    subnet: String,
}

/// The engine's word for "not counted".
fn unknown() -> i64 {
    -1
}

/// A size that was counted.
fn size(raw: i64) -> Option<u64> {
    u64::try_from(raw).ok()
}

/// A moment as the engine writes it; one that cannot be read is none, and hides no row.
fn at(raw: Option<&str>) -> Option<DateTime<Utc>> {
    moment(raw.and_then(|raw| DateTime::parse_from_rfc3339(raw).ok()).map(|at| at.to_utc()))
}

/// Reads both answers.
pub(super) fn stock(usage: &[u8], networks: &[u8]) -> Result<Stock, EngineError> {
    let usage: RawUsage = parse(usage, "GET /system/df")?;
    let networks: Vec<RawNetwork> = parse(networks, "GET /networks")?;
    let containers = &usage.containers;
    let users = |uses: &dyn Fn(&RawContainer) -> bool| containers.iter().filter(|container| uses(container)).map(user).collect::<Vec<_>>();
    let images = usage.images.iter().map(|raw| Image {
        id: (&*text(&raw.id)).into(),
        names: raw.repo_tags.iter().filter(|tag| *tag != "<none>:<none>").map(|tag| text(tag)).collect(),
        size: size(raw.size).unwrap_or(0),
        shared: size(raw.shared_size),
        created: moment(DateTime::from_timestamp(raw.created, 0)),
        users: users(&|container| container.image_id == raw.id),
    });
    let volumes = usage.volumes.iter().map(|raw| Volume {
        name: text(&raw.name),
        driver: text(&raw.driver),
        size: raw.usage_data.as_ref().and_then(|usage| size(usage.size)),
        created: at(raw.created_at.as_deref()),
        anonymous: raw.labels.contains_key(ANONYMOUS) || is_made_up(&raw.name),
        users: users(&|container| container.mounts.iter().any(|mount| mount.name == raw.name)),
    });
    let networks = networks.iter().map(|raw| Network {
        id: text(&raw.id),
        name: text(&raw.name),
        driver: text(&raw.driver),
        scope: text(&raw.scope),
        subnets: raw.ipam.config.iter().filter(|range| !range.subnet.is_empty()).map(|range| text(&range.subnet)).collect(),
        created: at(raw.created.as_deref()),
        own: OWN_NETWORKS.contains(&raw.name.as_str()),
        users: users(&|container| {
            let attached = &container.network_settings.networks;
            // A container that never ran is attached by name alone.
            attached.iter().any(|(name, endpoint)| endpoint.network_id == raw.id || (endpoint.network_id.is_empty() && *name == raw.name))
        }),
    });
    Ok(Stock {
        images: images.collect(),
        volumes: volumes.collect(),
        networks: networks.collect(),
        layers: size(usage.layers_size).unwrap_or(0),
        build_cache: usage.build_cache.iter().filter(|cache| !cache.in_use && !cache.shared).filter_map(|cache| size(cache.size)).sum(),
    })
}

fn user(container: &RawContainer) -> User {
    let name: Arc<str> = container.names.first().map_or_else(|| text(&container.id), |name| text(name.trim_start_matches('/')));
    User { id: ContainerId::new(text(&container.id)), name, running: container.state == "running" }
}

/// Engines before 23.0 do not mark what nobody named, but name it so.
fn is_made_up(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn who_uses_what_is_told_by_the_containers() {
        let made_up = "a".repeat(64);
        let usage = json!({
            "LayersSize": 300,
            "Images": [
                {"Id": "sha256:aa", "RepoTags": ["shop/web:1.0"], "Created": 1_700_000_000, "Size": 200, "SharedSize": 50, "Containers": 1},
                {"Id": "sha256:bb", "RepoTags": ["<none>:<none>"], "Created": 0, "Size": 100, "SharedSize": -1},
                {"Id": "sha256:cc", "RepoTags": null, "Size": -5},
            ],
            "Containers": [
                {"Id": "c1", "Names": ["/web-1"], "ImageID": "sha256:aa", "State": "running",
                 "Mounts": [{"Type": "volume", "Name": "data"}, {"Type": "bind", "Source": "/etc"}],
                 "NetworkSettings": {"Networks": {"shop": {"NetworkID": "n2"}}}},
                {"Id": "c2", "Names": null, "ImageID": "sha256:aa", "State": "created", "Mounts": null,
                 "NetworkSettings": {"Networks": {"idle": {"NetworkID": ""}}}},
                {"Id": "c3", "NetworkSettings": null},
            ],
            "Volumes": [
                {"Name": "data", "Driver": "local", "CreatedAt": "2026-11-18T10:00:00+01:00", "Labels": null, "UsageData": {"Size": 70, "RefCount": 1}},
                {"Name": made_up, "Driver": "local", "UsageData": {"Size": -1, "RefCount": -1}},
                {"Name": "kept", "Driver": "nfs", "CreatedAt": "yesterday", "Labels": {"com.docker.volume.anonymous": ""}},
            ],
            "BuildCache": [{"Size": 7, "InUse": false, "Shared": false}, {"Size": 9, "InUse": true}, {"Size": 11, "Shared": true}],
        });
        let networks = json!([
            {"Id": "n1", "Name": "bridge", "Driver": "bridge", "Scope": "local", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}},
            {"Id": "n2", "Name": "shop", "Driver": "bridge", "Scope": "local", "Created": "2026-11-18T10:00:00Z", "IPAM": {"Config": null}},
            {"Id": "n3", "Name": "idle", "IPAM": null},
            {"Id": "n4", "Name": "spare"},
        ]);
        let stock = stock(usage.to_string().as_bytes(), networks.to_string().as_bytes()).unwrap();
        let users = |users: &[User]| users.iter().map(|user| user.name.to_string()).collect::<Vec<_>>();
        assert_eq!(stock.images.iter().map(|image| users(&image.users)).collect::<Vec<_>>(), [vec!["web-1", "c2"], vec![], vec![]]);
        assert_eq!(
            stock.images.iter().map(|image| (image.size, image.shared)).collect::<Vec<_>>(),
            [(200, Some(50)), (100, None), (0, None)]
        );
        assert!(stock.images[0].users[0].running && !stock.images[0].users[1].running);
        assert_eq!(
            stock.volumes.iter().map(|volume| (volume.size, volume.anonymous)).collect::<Vec<_>>(),
            [(Some(70), false), (None, true), (None, true)]
        );
        assert_eq!(users(&stock.volumes[0].users), ["web-1"]);
        assert!(stock.volumes[0].created.is_some() && stock.volumes[2].created.is_none());
        let attached: Vec<_> = stock.networks.iter().map(|network| (network.own, users(&network.users))).collect();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(attached, [(true, owned(&[])), (false, owned(&["web-1"])), (false, owned(&["c2"])), (false, owned(&[]))]);
        assert_eq!((stock.layers, stock.build_cache), (300, 7));
        assert_eq!(stock.spares().len(), 5);
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_an_error_or_rows_without_control_signs(usage in ".{0,200}", name in any::<String>()) {
            let is_object = usage.trim().starts_with('{');
            prop_assert!(stock(usage.as_bytes(), b"[]").is_err() || is_object);
            let df = json!({"Volumes": [{"Name": name}], "Images": [{"Id": name, "RepoTags": [name]}]}).to_string();
            let nets = json!([{"Id": name, "Name": name, "Driver": name}]).to_string();
            let stock = stock(df.as_bytes(), nets.as_bytes()).unwrap();
            let clean = |text: &str| text.chars().all(|c| !c.is_control());
            prop_assert!(clean(&stock.volumes[0].name) && clean(stock.images[0].id.as_str()) && clean(&stock.networks[0].driver));
        }
    }
}
