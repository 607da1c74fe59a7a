use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::fleet::{
    ContainerState, Health, LinkCause,
    delta::{ContainerDetail, ContainerSummary, Delta},
    fixture,
    trouble::{self, Trouble},
};

const HOST: &str = "app-01";

fn at(seconds: i64) -> DateTime<Utc> {
    fixture::now() + TimeDelta::seconds(seconds)
}

fn one_host() -> Fleet {
    Fleet::new(vec![fixture::spec(HOST, Some("production")), fixture::spec("app-02", Some("production"))], vec![])
}

fn list(host: &str, containers: Vec<ContainerSummary>, asked: i64) -> Delta {
    Delta::List { host: host.into(), containers, asked: at(asked), at: at(asked) + TimeDelta::milliseconds(500) }
}

fn web() -> ContainerSummary {
    fixture::container(HOST, "web", "r/web:1.0")
}

/// `die 137`, `kill 15`, `health_status: healthy`, `rename new`: the word after the action is its argument.
fn event_of(summary: &ContainerSummary, host: &str, words: &str, seconds: i64) -> EngineEvent {
    let (verb, argument) = words.split_once(' ').unwrap_or((words, ""));
    let action = if verb.starts_with("health_status") { words } else { verb };
    EngineEvent {
        at: at(seconds) - TimeDelta::hours(1),
        host: host.into(),
        kind: EventKind::Container,
        action: action.into(),
        id: summary.id.clone(),
        name: if verb == "rename" { argument.into() } else { summary.name.clone() },
        image: Some(summary.image.to_string().into()),
        exit_code: (verb == "die").then(|| argument.parse().ok()).flatten(),
        signal: (verb == "kill").then(|| argument.into()),
        old_name: None,
        labels: summary.labels.clone(),
    }
}

fn event(words: &str, seconds: i64) -> Delta {
    Delta::Event { event: event_of(&web(), HOST, words, seconds), live: true, at: at(seconds) }
}

fn row(fleet: &Fleet) -> &Container {
    fleet.containers_on(&HOST.into()).next().unwrap()
}

#[test]
fn events_change_the_row_at_once() {
    use ContainerState::{Exited, Paused, Running};
    // Events in order, one a second; state, health, exit code, unexpected ends, trouble.
    type Case<'a> = (&'a [&'a str], ContainerState, Health, Option<i64>, usize, Trouble);
    let cases: [Case<'_>; 16] = [
        (&[], Running, Health::None, None, 0, Trouble::None),
        (&["pause"], Paused, Health::None, None, 0, Trouble::None),
        (&["pause", "unpause"], Running, Health::None, None, 0, Trouble::None),
        (&["die 1"], Exited, Health::None, Some(1), 1, Trouble::Exited),
        (&["die 0"], Exited, Health::None, Some(0), 0, Trouble::None),
        (&["die 137"], Exited, Health::None, Some(137), 1, Trouble::Exited),
        (&["kill 15", "die 143", "stop"], Exited, Health::None, Some(143), 0, Trouble::None),
        (&["kill SIGTERM", "kill 9", "die 1", "stop"], Exited, Health::None, Some(1), 0, Trouble::None),
        (&["kill SIGHUP", "die 1"], Exited, Health::None, Some(1), 1, Trouble::Exited),
        (&["die 1", "stop"], Exited, Health::None, Some(1), 0, Trouble::None),
        (&["kill 15", "die 143", "stop", "start", "restart"], Running, Health::None, None, 0, Trouble::None),
        (&["die 1", "start", "die 1", "start"], Running, Health::None, None, 2, Trouble::None),
        (&["die 1", "start", "die 1", "start", "die 1", "start"], Running, Health::None, None, 3, Trouble::CrashLooping),
        (&["health_status: unhealthy"], Running, Health::Unhealthy, None, 0, Trouble::Unhealthy),
        (&["health_status: healthy", "kill 9", "die 137", "start"], Running, Health::Starting, None, 0, Trouble::Starting),
        (&["oom", "die 137"], Exited, Health::None, Some(137), 1, Trouble::Oom),
    ];
    for (words, state, health, exit, deaths, trouble) in cases {
        let mut fleet = one_host();
        fleet.apply(Delta::Link { host: HOST.into(), link: LinkState::Live { since: at(0) }, at: at(0) });
        fleet.apply(list(HOST, vec![web()], 0));
        for (second, words) in words.iter().enumerate() {
            fleet.apply(event(words, second as i64 + 1));
        }
        let row = row(&fleet);
        assert_eq!((row.state, row.health, row.exit_code, row.deaths.len()), (state, health, exit, deaths), "{words:?}");
        let link = &fleet.host(&HOST.into()).unwrap().link;
        assert_eq!(Trouble::of(row, link, at(0) - TimeDelta::minutes(50)), trouble, "{words:?}");
    }
}

#[test]
fn an_inspect_does_not_excuse_an_end_nobody_asked_for() {
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![web()], 0));
    fleet.apply(event("die 137", 1));
    let died = row(&fleet).finished;
    let summary = ContainerSummary { state: ContainerState::Exited, exit_code: Some(137), ..web() };
    // The engine notes the end a moment before it reports it.
    let finished = died.map(|at| at - TimeDelta::milliseconds(80));
    let container = Box::new(ContainerDetail { finished, ..detail(summary) });
    fleet.apply(Delta::Inspected { host: HOST.into(), container, at: at(2) });
    assert_eq!(row(&fleet).finished, finished);
    assert_eq!(Trouble::of_container(row(&fleet), at(3)), Trouble::Exited);
    fleet.apply(event("stop", 4));
    assert_eq!(Trouble::of_container(row(&fleet), at(5)), Trouble::None);
}

#[test]
fn a_crash_loop_grows_old() {
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![web()], 0));
    for second in 0..20 {
        fleet.apply(event(if second % 2 == 0 { "die 1" } else { "start" }, second + 1));
    }
    let row = row(&fleet);
    assert_eq!(row.deaths.len(), 8);
    let last_counted = row.deaths[5];
    assert_eq!(trouble::settles(row, last_counted), Some(last_counted + trouble::LOOP_WINDOW));
    assert_eq!(Trouble::of_container(row, last_counted), Trouble::CrashLooping);
    assert_eq!(Trouble::of_container(row, last_counted + trouble::LOOP_WINDOW), Trouble::None);
}

#[test]
fn create_and_destroy_make_and_end_a_row() {
    let mut fleet = one_host();
    let change = fleet.apply(event("create", 1));
    assert_eq!((change.containers.len(), row(&fleet).state), (1, ContainerState::Created));
    assert_eq!(&*row(&fleet).version.text, "1.0");
    fleet.apply(event("start", 2));
    assert_eq!(row(&fleet).state, ContainerState::Running);
    let change = fleet.apply(event("destroy", 3));
    assert_eq!((change.removed.len(), fleet.counts()), (1, (0, 0)));
    // Late answers about it do not bring it back; a list asked for later may.
    fleet.apply(list(HOST, vec![web()], 2));
    assert_eq!(fleet.counts().0, 0);
    fleet.apply(Delta::Inspected { host: HOST.into(), container: Box::new(detail(web())), at: at(5) });
    assert_eq!(fleet.counts().0, 0);
    fleet.apply(list(HOST, vec![web()], 6));
    assert_eq!(fleet.counts().0, 1);
}

fn detail(summary: ContainerSummary) -> ContainerDetail {
    let exited = summary.state == ContainerState::Exited;
    let started = Some(summary.created + TimeDelta::seconds(1));
    let finished = exited.then(|| summary.created + TimeDelta::seconds(2));
    ContainerDetail { summary, started, finished, restarts: 2, oom_killed: false, cpu_limit: None }
}

#[test]
fn newer_knowledge_wins_by_our_clock() {
    let exited = || ContainerSummary { state: ContainerState::Exited, exit_code: Some(1), ..web() };
    // What is applied, in this order, with its stamp; whether the row runs in the end.
    let inspect = |summary, seconds| Delta::Inspected { host: HOST.into(), container: Box::new(detail(summary)), at: at(seconds) };
    let cases: [(&str, Vec<Delta>, bool); 6] = [
        ("event after list", vec![list(HOST, vec![web()], 1), event("die 1", 2)], false),
        ("event before an older list", vec![event("create", 1), event("start", 3), list(HOST, vec![exited()], 2)], true),
        ("event while the list was taken", vec![list(HOST, vec![web()], 1), event("die 1", 1)], false),
        ("inspect after event", vec![list(HOST, vec![web()], 1), event("die 1", 2), inspect(web(), 3)], true),
        (
            "event newer than an inspect that is applied later",
            vec![list(HOST, vec![web()], 1), event("die 1", 3), inspect(web(), 2)],
            false,
        ),
        ("list asked for before an inspect", vec![inspect(exited(), 3), list(HOST, vec![web()], 2)], false),
    ];
    for (name, deltas, runs) in cases {
        let mut fleet = one_host();
        deltas.into_iter().for_each(|delta| drop(fleet.apply(delta)));
        assert_eq!(row(&fleet).is_running(), runs, "{name}");
    }
}

#[test]
fn a_list_removes_what_it_does_not_name_unless_confirmed_later() {
    let mut fleet = one_host();
    let old = fixture::container(HOST, "old", "r/old:1");
    fleet.apply(list(HOST, vec![old], 1));
    fleet.apply(event("create", 5));
    let change = fleet.apply(list(HOST, vec![], 3));
    assert_eq!(change.removed.len(), 1);
    assert_eq!(&*row(&fleet).name, "web");
}

#[test]
fn a_lost_host_keeps_its_rows() {
    let mut fleet = fixture::fleet();
    let before = fleet.counts();
    let host = HostId::new("app-07");
    let lost = LinkState::Retrying { since: at(1), cause: LinkCause::Unreachable, error: "connection timed out".into(), next: at(9) };
    let change = fleet.apply(Delta::Link { host: host.clone(), link: lost, at: at(1) });
    assert!(change.logged && change.hosts.contains(&host));
    assert_eq!(change.services.len(), 2);
    assert_eq!(fleet.counts(), before);
    assert!(!fleet.host(&host).unwrap().listed);
}

#[test]
fn an_idle_fleet_does_not_move() {
    let mut fleet = fixture::fleet();
    let revision = fleet.revision();
    for delta in fixture::deltas() {
        let delta = match delta {
            Delta::Heard { host, .. } => Delta::Heard { host, latency_us: 9_000, at: at(60) },
            Delta::List { host, containers, .. } => Delta::List { host, containers, asked: at(30), at: at(31) },
            Delta::Inspected { host, container, .. } => Delta::Inspected { host, container, at: at(40) },
            other => other,
        };
        let change = fleet.apply(delta);
        assert!(!change.is_visible() && !change.logged, "{change:?}");
    }
    assert_eq!(fleet.revision(), revision);
    // The age of a host that is not live is on the screen.
    let host = HostId::new("app-01");
    fleet.apply(Delta::Link { host: host.clone(), link: LinkState::Stale { since: at(61) }, at: at(61) });
    assert!(fleet.apply(Delta::Heard { host, latency_us: 1, at: at(62) }).is_visible());
}

#[test]
fn siblings_share_a_service_while_there_are_two() {
    let named = |host: &str, name: &str| fixture::container(host, name, "r/web:1.0");
    let services = |fleet: &Fleet| fleet.services().map(ToString::to_string).collect::<Vec<_>>();
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![named(HOST, "web-1")], 1));
    assert_eq!(services(&fleet), ["web-1"]);
    let change = fleet.apply(list("app-02", vec![named("app-02", "web-2"), fixture::container("app-02", "web-9", "other/web:1")], 2));
    assert_eq!(services(&fleet), ["web", "web-9"]);
    assert!(change.services.iter().any(|key| key.to_string() == "web-1"), "the service that ended is named");
    assert!(fleet.explain(&row(&fleet).key).unwrap().contains("web (container name)"));
    fleet.apply(list("app-02", vec![], 3));
    assert_eq!(services(&fleet), ["web-1"]);
}

#[test]
fn images_bring_digests_and_versions() {
    let mut fleet = one_host();
    let proxy = fixture::container(HOST, "proxy", "r/proxy:latest");
    let id = proxy.image_id.clone();
    fleet.apply(list(HOST, vec![proxy], 1));
    assert_eq!(row(&fleet).digest, None);
    let fact = |layers: &[&str]| ImageFact {
        id: id.clone(),
        repo_digests: vec!["other/proxy@sha256:ffffff00".into(), "r/proxy@sha256:3f9a1200".into()],
        repo_tags: vec![],
        layers: layers.iter().map(|layer| (*layer).into()).collect(),
    };
    let images = |fact| Delta::Images { host: HOST.into(), images: vec![fact] };
    assert!(fleet.apply(images(fact(&["sha256:l"]))).is_visible());
    assert_eq!((row(&fleet).digest.as_deref(), &*row(&fleet).version.text), (Some("sha256:3f9a1200"), "latest@3f9a12"));
    assert!(!fleet.apply(images(fact(&[]))).is_visible());
    assert_eq!(fleet.image(&HOST.into(), &id).unwrap().layers.len(), 1);
}

#[test]
fn an_image_without_a_name_does_not_forget_the_one_known() {
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![web()], 1));
    let bare = || ContainerSummary { image: Default::default(), ..web() };
    assert!(!fleet.apply(list(HOST, vec![bare()], 2)).is_visible());
    assert_eq!(row(&fleet).image.to_string(), "r/web:1.0");
}

#[test]
fn events_are_told_once_and_checks_not_at_all() {
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![web()], 0));
    assert!(fleet.apply(event("die 1", 1)).logged);
    assert_eq!(fleet.apply(event("die 1", 1)), Change::default());
    assert_eq!(row(&fleet).deaths.len(), 1);
    fleet.apply(event("start", 2));
    assert!(fleet.apply(event("exec_create: sh", 3)).logged);
    fleet.apply(event("health_status: healthy", 4));
    assert!(!fleet.apply(event("exec_create: sh", 5)).logged);
    assert_eq!(fleet.events().len(), 4);
}

#[test]
fn history_tells_what_was_and_leaves_the_state_alone() {
    let mut fleet = one_host();
    fleet.apply(list(HOST, vec![web()], 5));
    let change = fleet.apply(Delta::Event { event: event_of(&web(), HOST, "die 1", 1), live: false, at: at(6) });
    assert!(change.logged);
    let row = row(&fleet);
    assert!(row.is_running() && row.finished.is_none() && row.exit_code.is_none());
    assert_eq!(row.deaths, [at(1) - TimeDelta::hours(1)], "by the engine's clock");
}

#[test]
fn the_ring_drops_and_counts() {
    let mut log = EventLog::new(3);
    for second in 0..5 {
        assert!(log.push(event_of(&web(), HOST, "start", second)));
    }
    assert_eq!((log.len(), log.dropped(), log.total()), (3, 2, 5));
    assert!(!log.push(event_of(&web(), HOST, "start", 4)));
    assert!(log.push(event_of(&web(), HOST, "start", 0)));
}

#[test]
fn unknown_hosts_are_ignored() {
    let mut fleet = one_host();
    let change = fleet.apply(list("nobody", vec![web()], 1));
    assert!(!change.is_visible() && fleet.counts().0 == 0);
}

/// Every index must be what a walk over the rows gives.
fn assert_consistent(fleet: &Fleet) -> Result<(), TestCaseError> {
    let mut index = Index::default();
    for container in fleet.containers() {
        index.add(container);
    }
    prop_assert_eq!(fleet.index.services(), index.services());
    prop_assert_eq!(fleet.index.troubled(), index.troubled());
    prop_assert_eq!(fleet.counts(), (index.total(), index.running()));
    let mut groups: HashMap<_, usize> = HashMap::new();
    for container in fleet.containers() {
        group_of(container).into_iter().for_each(|group| *groups.entry(group).or_default() += 1);
    }
    for container in fleet.containers() {
        if let Some(group) = group_of(container) {
            let expected = if groups[&group] > 1 { identity::stem(&container.name) } else { &container.name };
            prop_assert_eq!(container.identity.service.service.as_str(), expected);
        }
    }
    Ok(())
}

/// One of the things that can happen to a small fleet, at a moment that may lie before others.
fn happening() -> impl Strategy<Value = Delta> {
    let hosts = prop::sample::select(vec!["app-01", "app-02"]);
    let names = prop::sample::select(vec!["web-1", "web-2", "web", "db"]);
    let verbs = prop::sample::select(vec![
        "create",
        "start",
        "die 1",
        "die 0",
        "kill 15",
        "stop",
        "pause",
        "unpause",
        "rename db-1",
        "destroy",
        "oom",
        "restart",
        "health_status: healthy",
        "health_status: unhealthy",
        "exec_create: sh",
    ]);
    (hosts, names, verbs, 0..40i64, 0..6u8).prop_map(|(host, name, words, second, kind)| {
        let summary = fixture::container(host, name, "r/web:latest");
        match kind {
            0 => list(host, vec![summary, fixture::container(host, "web-2", "r/web:latest")], second),
            1 => Delta::Inspected { host: host.into(), container: Box::new(detail(summary)), at: at(second) },
            2 => Delta::Gone { host: host.into(), id: summary.id, at: at(second) },
            _ => Delta::Event { event: event_of(&summary, host, words, second), live: kind != 3, at: at(second) },
        }
    })
}

fn truth() -> Vec<Delta> {
    let mut out = Vec::new();
    for host in ["app-01", "app-02"] {
        let exited =
            ContainerSummary { state: ContainerState::Exited, exit_code: Some(3), ..fixture::container(host, "web-1", "r/web:latest") };
        let all = vec![exited, fixture::container(host, "db", "r/db:1")];
        out.push(list(host, all.clone(), 100));
        out.extend(all.into_iter().map(|summary| Delta::Inspected {
            host: host.into(),
            container: Box::new(detail(summary)),
            at: at(101),
        }));
    }
    out
}

/// What the engines can tell of a row; the rest (deaths, who asked for a stop) is what we saw ourselves.
fn told(fleet: &Fleet) -> Vec<Container> {
    let rows = fleet.containers().cloned();
    rows.map(|row| Container { deaths: vec![], stop_asked: None, witness: Default::default(), ..row }).collect()
}

proptest! {
    #[test]
    fn whatever_happened_the_truth_wins(happenings in prop::collection::vec(happening(), 0..40)) {
        let (mut fleet, mut fresh) = (one_host(), one_host());
        for delta in happenings {
            let revision = fleet.revision();
            let change = fleet.apply(delta);
            prop_assert_eq!(fleet.revision() > revision, change.is_visible());
            assert_consistent(&fleet)?;
        }
        for delta in truth() {
            fleet.apply(delta.clone());
            fresh.apply(delta);
        }
        assert_consistent(&fleet)?;
        prop_assert_eq!(told(&fleet), told(&fresh));
    }

    #[test]
    fn told_twice_is_told_once(happenings in prop::collection::vec(happening(), 0..40)) {
        let events: Vec<Delta> = happenings.into_iter().filter(|delta| matches!(delta, Delta::Event { .. })).collect();
        let mut fleet = one_host();
        fleet.apply(list(HOST, vec![fixture::container(HOST, "web-1", "r/web:latest")], 0));
        events.iter().cloned().for_each(|delta| drop(fleet.apply(delta)));
        let (rows, logged) = (told(&fleet), fleet.events().total());
        for delta in events {
            let is_exec = matches!(&delta, Delta::Event { event, .. } if event.verb() == "exec_create");
            let change = fleet.apply(delta);
            prop_assert!(!change.is_visible() && (!change.logged || is_exec));
        }
        prop_assert_eq!(told(&fleet), rows);
        prop_assert!(fleet.events().total() >= logged);
    }
}
