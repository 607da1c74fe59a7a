//! Answers of real engines, and what Docker's own client would make of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::stats::Usage;

macro_rules! told {
    ($name:literal) => {
        Sample::parse(include_bytes!(concat!("told/", $name, ".json"))).unwrap()
    };
}

/// Two answers two seconds apart, and what they mean: processors by Docker's formula, the working set, the limit, bytes received.
#[test]
fn recorded_answers_mean_what_docker_stats_makes_of_them() {
    let cases = [
        ("docker-20.10-v1", told!("docker-20.10-v1-1"), told!("docker-20.10-v1-2"), 172_097_059.0 / 4_480_000_000.0 * 2.0),
        ("docker-28-v1", told!("docker-28-v1-1"), told!("docker-28-v1-2"), 327_913_465.0 / 4_400_000_000.0 * 2.0),
        // Its system counter is what ran, not what passed: by the clock of its readings.
        ("podman-4.3-v1", told!("podman-4.3-v1-1"), told!("podman-4.3-v1-2"), 0.622_335_499 / 1.944_018),
    ];
    for (name, first, second, cores) in cases {
        let (first, second) = (first.unwrap(), second.unwrap());
        let (a, b) = (first.read.unwrap(), second.read.unwrap());
        let usage = Usage::between(&(first, a), &(second, b)).unwrap();
        let cpu = usage.cpu.unwrap();
        let tolerance = if name.starts_with("podman") { 0.02 } else { 1e-9 };
        assert!((cpu - cores).abs() < tolerance, "{name}: {cpu} {cores}");
        assert_eq!((usage.pids, usage.network.is_some()), (Some(1), true), "{name}");
        assert_eq!(usage.block, Some(Flow { inward: 0.0, outward: 0.0 }), "{name}");
    }
    let figures = |sample: Option<Sample>| sample.map(|sample| (sample.memory, sample.memory_limit, sample.cpus, sample.network)).unwrap();
    let flow = |inward, outward| Some(Flow { inward, outward });
    assert_eq!(figures(told!("docker-20.10-v1-2")), (32_862_208, Some(25_276_502_016), 2, flow(586, 0)));
    assert_eq!(figures(told!("docker-28-v1-2")), (32_718_848, Some(25_276_502_016), 2, flow(656, 126)));
    assert_eq!(figures(told!("podman-4.3-v1-2")), (471_040, Some(67_108_864), 2, flow(612, 1596)));
}

#[test]
fn what_does_not_run_is_none() {
    assert_eq!(told!("docker-20.10-stopped"), None);
    assert_eq!(told!("docker-28-stopped"), None);
    assert_eq!(Sample::parse(b"\n").unwrap(), None, "Podman");
    assert_eq!(Sample::parse(b"{}").unwrap(), None);
}

/// The working set by `calculateMemUsageUnixNoCache` of docker/cli, case by case.
#[test]
fn the_working_set_is_counted_as_docker_stats_counts_it() {
    let of = |stats: serde_json::Value| {
        let document = json!({ "memory_stats": { "usage": 1000, "limit": 2000, "stats": stats } });
        Sample::parse(document.to_string().as_bytes()).unwrap().unwrap().memory
    };
    for (stats, expected) in [
        (json!({ "total_inactive_file": 300, "inactive_file": 100 }), 700),
        (json!({ "inactive_file": 250, "active_file": 100, "file": 350 }), 750),
        (json!({ "total_inactive_file": 1000, "inactive_file": 100 }), 900),
        (json!({ "inactive_file": 1000 }), 1000),
        (json!({ "inactive_file": 5000 }), 1000),
        (json!({}), 1000),
        (json!(null), 1000),
    ] {
        assert_eq!(of(stats.clone()), expected, "{stats}");
    }
}

/// cgroup v2 as Docker's API documents it: no percpu list, `inactive_file`, lower-case operations, several interfaces, no limit of pids.
#[test]
fn cgroup_v2() {
    let document = json!({
        "read": "2026-11-21T14:03:00.5Z",
        "pids_stats": { "current": 12, "limit": 18_446_744_073_709_551_615_u64 },
        "blkio_stats": { "io_service_bytes_recursive": [
            { "major": 254, "minor": 0, "op": "read", "value": 7_593_984 }, { "major": 254, "minor": 0, "op": "write", "value": 100 },
            { "major": 8, "minor": 0, "op": "Read", "value": 6 }, { "major": 8, "minor": 0, "op": "Total", "value": 999 },
        ], "io_serviced_recursive": null },
        "cpu_stats": { "cpu_usage": { "total_usage": 5_000_000_000_u64, "usage_in_kernelmode": 1, "usage_in_usermode": 2 },
            "system_cpu_usage": 80_000_000_000_u64, "online_cpus": 4, "throttling_data": {} },
        "memory_stats": { "usage": 6_537_216, "limit": 67_108_864, "stats": { "anon": 1, "inactive_file": 37_216 } },
        "networks": { "eth0": { "rx_bytes": 5338, "tx_bytes": 648 }, "eth5": { "rx_bytes": 4641, "tx_bytes": 690 } },
    });
    let sample = Sample::parse(document.to_string().as_bytes()).unwrap().unwrap();
    assert_eq!(sample.cpus, 4);
    assert_eq!((sample.memory, sample.memory_limit), (6_500_000, Some(67_108_864)));
    assert_eq!((sample.pids, sample.pids_limit), (Some(12), None));
    assert_eq!(sample.network, Some(Flow { inward: 9979, outward: 1338 }));
    assert_eq!(sample.block, Flow { inward: 7_593_990, outward: 100 });
}

#[test]
fn what_is_missing_or_odd_is_unknown() {
    let odd = json!({
        "read": 7, "cpu_stats": { "cpu_usage": { "total_usage": 1.5e9, "percpu_usage": [1, 2, 3] }, "system_cpu_usage": "12", "online_cpus": null },
        "memory_stats": { "usage": "4096", "limit": -1 }, "networks": null, "blkio_stats": { "io_service_bytes_recursive": null },
        "pids_stats": { "current": [1], "limit": {} },
    });
    let sample = Sample::parse(odd.to_string().as_bytes()).unwrap().unwrap();
    assert_eq!((sample.read, sample.cpu, sample.system, sample.cpus), (None, 1_500_000_000, Some(12), 3));
    assert_eq!((sample.memory, sample.memory_limit, sample.network, sample.pids), (4096, None, None, None));
    assert!(Sample::parse(b"5").is_err() && Sample::parse(b"\xff").is_err() && Sample::parse(b"{\"read\":").is_err());
}

/// Any JSON value, a few levels deep.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(|number| json!(number)),
        "[ -~]{0,12}".prop_map(Into::into),
        Just(json!("9999-12-31T23:59:59Z")),
    ];
    let key = prop::sample::select(vec![
        "read",
        "cpu_stats",
        "cpu_usage",
        "total_usage",
        "percpu_usage",
        "system_cpu_usage",
        "online_cpus",
        "memory_stats",
        "usage",
        "limit",
        "stats",
        "inactive_file",
        "total_inactive_file",
        "networks",
        "network",
        "rx_bytes",
        "tx_bytes",
        "blkio_stats",
        "io_service_bytes_recursive",
        "op",
        "value",
        "pids_stats",
        "current",
        "x",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8).prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_json_is_survived(document in any_json()) {
        if let Ok(Some(sample)) = Sample::parse(document.to_string().as_bytes()) {
            prop_assert!(sample.memory_limit.is_none_or(|limit| limit > 0));
        }
    }

    #[test]
    fn hostile_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Sample::parse(&bytes));
    }

    #[test]
    fn counters_of_any_size_add_up_without_a_wrap(values in prop::collection::vec(any::<u64>(), 1..6)) {
        let networks: serde_json::Map<_, _> =
            values.iter().enumerate().map(|(at, value)| (format!("eth{at}"), json!({ "rx_bytes": value, "tx_bytes": value }))).collect();
        let document = json!({ "memory_stats": { "usage": 1 }, "networks": networks });
        let network = Sample::parse(document.to_string().as_bytes()).unwrap().unwrap().network.unwrap();
        prop_assert!(network.inward >= *values.iter().max().unwrap());
    }
}
