//! The simulated fleet, seen from outside: through bollard, through bare bytes, through the docker client.

use std::{collections::HashMap, path::Path, process::Command, time::Duration};

use bollard::{
    ClientVersion, Docker,
    query_parameters::{
        EventsOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder, LogsOptionsBuilder, StatsOptionsBuilder,
        TopOptionsBuilder,
    },
};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use quarterdeck::sim::{
    Act, ContainerTruth, Fault, FaultKind, HealthState, Overrides, Pace, RunState, Scenario, SimOptions, Simulation, scenario::LogFormat,
    spawn_in_thread,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(60);

fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn manual() -> SimOptions {
    SimOptions { pace: Pace::Manual, start: Some(epoch()), overrides: Overrides::default() }
}

fn start(name: &str, dir: &Path, options: SimOptions) -> Simulation {
    Simulation::start_with(Scenario::open(name).unwrap(), dir, options).unwrap()
}

fn bollard(socket: &Path) -> Docker {
    let socket = socket.to_owned();
    let transport = move |request: bollard::BollardRequest| {
        let socket = socket.clone();
        async move {
            let stream = UnixStream::connect(&socket).await.map_err(bollard::errors::Error::from)?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Ok(sender.send_request(request).await?)
        }
    };
    Docker::connect_with_custom_transport(transport, Some("http://sim"), 20, &ClientVersion { major_version: 1, minor_version: 41 })
        .unwrap()
}

fn socket(fleet: &Simulation, host: &str) -> std::path::PathBuf {
    fleet.hosts().iter().find(|known| known.name == host).unwrap().socket.clone()
}

fn of<'a>(truth: &'a [ContainerTruth], host: &str, name: &str) -> &'a ContainerTruth {
    truth.iter().find(|c| c.host == host && c.name == name).unwrap()
}

/// One request on a connection of its own; the bytes of the answer until the other side closes.
async fn raw(socket: &Path, request: &str) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(request.replace("\r\n\r\n", "\r\nHost: d\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // An aborted connection is an answer, too.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

async fn status(socket: &Path, method: &str, path: &str) -> String {
    let bytes = raw(socket, &format!("{method} {path} HTTP/1.1\r\n\r\n")).await;
    String::from_utf8_lossy(&bytes).split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn embedded_scenarios_open_and_harbor_is_as_described() {
    for (name, _) in quarterdeck::sim::scenario::EMBEDDED {
        Scenario::open(name).unwrap_or_else(|error| panic!("{error}"));
    }
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("harbor", dir.path(), manual());
    let truth = fleet.truth();
    assert_eq!(fleet.hosts().len(), 12);
    assert_eq!(truth.len(), 168);
    let environments: std::collections::BTreeSet<_> = fleet.hosts().iter().map(|host| host.environment.as_str()).collect();
    assert_eq!(environments.len(), 3);
    let old = |c: &&ContainerTruth| c.service == "api" && c.image.ends_with(":1.0.1-19-04bd1c9");
    assert!(truth.iter().filter(old).all(|c| c.host == "app-07"));
    assert_eq!(truth.iter().filter(|c| c.health == HealthState::Unhealthy).count(), 2);
    let (one, other) = (of(&truth, "app-01", "edge-proxy-1"), of(&truth, "app-02", "edge-proxy-1"));
    assert_eq!(one.image, other.image);
    assert_ne!((&one.digest, &one.image_id), (&other.digest, &other.image_id));
    fleet.at(Duration::from_secs(60)).await;
    let crashing = fleet.truth().iter().filter(|c| c.restarts > 0).count();
    assert_eq!(crashing, 1);
    drop(fleet);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "sockets are removed");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_truth_in_steps_or_at_once() {
    let (a, b, c) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = start("storm", a.path(), manual());
    let two = start("storm", b.path(), manual());
    for step in 1..=50 {
        one.at(Duration::from_secs(step)).await;
    }
    two.at(Duration::from_secs(50)).await;
    assert_eq!(one.truth(), two.truth());
    assert_eq!(one.emitted("app-09"), two.emitted("app-09"));
    assert!(one.emitted("app-01") > 5000, "the flood came");
    let seeded = SimOptions { overrides: Overrides { seed: Some(14), ..Overrides::default() }, ..manual() };
    let three = start("storm", c.path(), seeded);
    three.at(Duration::from_secs(50)).await;
    assert_ne!(one.truth(), three.truth());
}

#[tokio::test]
async fn bollard_reads_everything() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("harbor", dir.path(), SimOptions::default());
    let docker = bollard(&socket(&fleet, "app-03"));
    assert_eq!(docker.ping().await.unwrap(), "OK");
    assert_eq!(docker.version().await.unwrap().api_version.as_deref(), Some("1.51"));
    let info = docker.info().await.unwrap();
    let truth = fleet.truth();
    let mine: Vec<&ContainerTruth> = truth.iter().filter(|c| c.host == "app-03").collect();
    assert_eq!(info.containers, Some(mine.len() as i64));
    assert_eq!(info.ncpu, Some(8));

    let list = docker.list_containers(Some(ListContainersOptionsBuilder::new().all(true).build())).await.unwrap();
    assert_eq!(list.len(), mine.len());
    let filters = HashMap::from([("label", vec!["quarterdeck.service=worker"])]);
    let workers = docker.list_containers(Some(ListContainersOptionsBuilder::new().filters(&filters).build())).await.unwrap();
    assert_eq!(workers.len(), 3);
    for row in &list {
        let seen = docker.inspect_container(row.id.as_deref().unwrap(), None).await.unwrap();
        let name = seen.name.unwrap();
        let real = of(&truth, "app-03", &name[1..]);
        let state = seen.state.unwrap();
        assert_eq!(state.status.unwrap().to_string(), real.state.word());
        assert_eq!(state.health.map_or("none".to_owned(), |h| h.status.unwrap().to_string()), real.health.word());
        assert_eq!(seen.image.unwrap(), real.image_id);
        assert_eq!(row.ports.as_ref().map_or(0, Vec::len) > 0, ["api", "web", "proxy"].contains(&real.service.as_str()), "{name}");
    }

    let images = docker.list_images(Some(ListImagesOptionsBuilder::new().build())).await.unwrap();
    let api = images.iter().find(|image| image.repo_tags[0].contains("shop/api")).unwrap();
    let full = docker.inspect_image(&api.repo_tags[0]).await.unwrap();
    assert_eq!(full.repo_digests.unwrap(), api.repo_digests);
    assert_eq!(docker.list_networks(None::<bollard::query_parameters::ListNetworksOptions>).await.unwrap().len(), 1);
    assert!(docker.list_volumes(None::<bollard::query_parameters::ListVolumesOptions>).await.unwrap().volumes.unwrap().is_empty());
    assert_eq!(docker.top_processes("shop-api-1", Some(TopOptionsBuilder::new().build())).await.unwrap().processes.unwrap().len(), 2);
    assert_eq!(docker.container_changes("shop-api-1").await.unwrap().unwrap().len(), 2);
    let missing = docker.inspect_container("nobody", None).await.unwrap_err().to_string();
    assert!(missing.contains("No such container: nobody"), "{missing}");

    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).tail("7").build();
    let lines: Vec<_> = docker.logs("shop-api-1", Some(options)).map(Result::unwrap).collect().await;
    assert_eq!(lines.len(), 7);
    assert!(lines[0].to_string().contains("\"level\""), "{}", lines[0]);
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).follow(true).tail("0").build();
    let mut follow = docker.logs("shop-web-1", Some(options));
    timeout(SOON, follow.next()).await.unwrap().unwrap().unwrap();

    let mut stats = docker.stats("shop-api-1", Some(StatsOptionsBuilder::new().stream(true).build()));
    let first = stats.next().await.unwrap().unwrap();
    let second = timeout(SOON, stats.next()).await.unwrap().unwrap().unwrap();
    let count = |stats: &bollard::models::ContainerStatsResponse| {
        let cpu = stats.cpu_stats.clone().unwrap();
        (cpu.cpu_usage.unwrap().total_usage.unwrap(), cpu.system_cpu_usage.unwrap())
    };
    let ((cpu1, system1), (cpu2, system2)) = (count(&first), count(&second));
    let cores = (cpu2 - cpu1) as f64 / (system2 - system1) as f64 * 8.0;
    assert!((0.2..=0.5).contains(&cores), "shop/api uses 0.35 cores, give or take its wave: {cores}");
    assert_eq!(second.precpu_stats.unwrap().cpu_usage.unwrap().total_usage.unwrap(), cpu1);
}

#[tokio::test]
async fn acts_answer_and_report_as_the_engine_does() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("calm", dir.path(), manual());
    let path = socket(&fleet, "app-01");
    let since = epoch().timestamp();
    let docker = bollard(&path);
    let id = of(&fleet.truth(), "app-01", "shop-api-1").id.clone();
    for (method, what, want) in [
        ("POST", "shop-api-1/start", "304"),
        ("POST", "shop-api-1/pause", "204"),
        ("POST", "shop-api-1/pause", "409"),
        ("POST", "shop-api-1/unpause", "204"),
        ("POST", "shop-api-1/restart", "204"),
        ("POST", "shop-api-1/stop", "204"),
        ("POST", "shop-api-1/stop", "304"),
        ("POST", "shop-api-1/kill", "409"),
        ("POST", "shop-api-1/rename?name=shop-api-2", "409"),
        ("POST", "shop-api-1/rename?name=-x", "400"),
        ("POST", "shop-api-1/rename?name=old-api", "204"),
        ("DELETE", "shop-web-1", "409"),
        ("DELETE", "old-api", "204"),
        ("DELETE", "old-api", "404"),
        ("POST", "old-api/fly", "404"),
    ] {
        assert_eq!(status(&path, method, &format!("/v1.41/containers/{what}")).await, want, "{method} {what}");
    }
    assert!(!fleet.truth().iter().any(|c| c.host == "app-01" && c.id == id));
    assert_eq!(status(&path, "GET", "/v1.99/info").await, "400");
    assert_eq!(status(&path, "GET", "/v1.10/info").await, "400");
    assert_eq!(status(&path, "GET", "/nowhere").await, "404");
    assert_eq!(status(&path, "HEAD", "/_ping").await, "200");
    assert_eq!(status(&path, "GET", "/containers/json?filters=nonsense").await, "400");

    let now = epoch().timestamp();
    let filters = HashMap::from([("type", vec!["container"]), ("container", vec![id.as_str()])]);
    let options = EventsOptionsBuilder::new().since(&since.to_string()).until(&now.to_string()).filters(&filters).build();
    let events: Vec<_> = docker.events(Some(options)).map(Result::unwrap).collect().await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_deref().unwrap()).collect();
    assert_eq!(actions, ["pause", "unpause", "kill", "die", "stop", "start", "restart", "kill", "die", "stop", "rename", "destroy"]);
    let attribute = |index: usize, key: &str| events[index].actor.clone().unwrap().attributes.unwrap().get(key).cloned();
    assert_eq!(attribute(10, "oldName").as_deref(), Some("/shop-api-1"));
    assert_eq!(attribute(8, "exitCode").as_deref(), Some("0"));
    assert_eq!(attribute(0, "quarterdeck.service").as_deref(), Some("api"));
}

#[tokio::test]
async fn restart_policy_health_and_oom() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("calm", dir.path(), manual());
    fleet.inject(Fault::now(FaultKind::Oom, "app-01").container("shop-web-1"));
    let web = |fleet: &Simulation| of(&fleet.truth(), "app-01", "shop-web-1").clone();
    assert_eq!((web(&fleet).state, web(&fleet).oom_killed, web(&fleet).exit_code), (RunState::Restarting, true, 137));
    fleet.at(Duration::from_secs(1)).await;
    assert_eq!((web(&fleet).state, web(&fleet).health, web(&fleet).restarts), (RunState::Running, HealthState::Starting, 1));
    fleet.at(Duration::from_secs(7)).await;
    assert_eq!(web(&fleet).health, HealthState::Healthy);
    fleet.inject(Fault::now(FaultKind::Unhealthy, "app-*").container("shop-web-1"));
    assert_eq!(web(&fleet).health, HealthState::Unhealthy);
    fleet.at(Duration::from_secs(18)).await;
    assert_eq!(web(&fleet).health, HealthState::Healthy);
    fleet.act("app-01", "shop-web-1", &Act::Stop).unwrap();
    fleet.inject(Fault::now(FaultKind::DaemonRestart, "app-01").lasting(Duration::from_secs(2)));
    assert!(!fleet.truth().iter().any(|c| c.host == "app-01" && c.state == RunState::Running));
    fleet.at(Duration::from_secs(21)).await;
    assert_eq!(web(&fleet).state, RunState::Exited, "a person stopped it");
    assert_eq!(of(&fleet.truth(), "app-01", "shop-web-2").state, RunState::Running);
}

#[tokio::test]
async fn faults_reach_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("calm", dir.path(), manual());
    let path = socket(&fleet, "app-01");
    let ping = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
    let mut old = UnixStream::connect(&path).await.unwrap();
    let mut buffer = [0; 4096];
    old.write_all(ping.as_bytes()).await.unwrap();
    assert!(timeout(SOON, old.read(&mut buffer)).await.unwrap().unwrap() > 0);
    let mut clock = 0;
    let mut step = async |seconds: u64| {
        clock += seconds;
        fleet.at(Duration::from_secs(clock)).await;
    };

    for kind in [FaultKind::Partition, FaultKind::Stop] {
        fleet.inject(Fault::now(kind, "app-01"));
        let mut fresh = UnixStream::connect(&path).await.unwrap();
        for stream in [&mut old, &mut fresh] {
            stream.write_all(ping.as_bytes()).await.unwrap();
            assert!(timeout(Duration::from_millis(100), stream.read(&mut buffer)).await.is_err(), "{kind:?} is silent");
        }
        step(11).await;
        for stream in [&mut old, &mut fresh] {
            assert!(timeout(SOON, stream.read(&mut buffer)).await.unwrap().unwrap() > 0, "{kind:?} ends and the bytes flow on");
        }
    }

    fleet.inject(Fault::now(FaultKind::Garbage, "app-01"));
    let bytes = raw(&path, "GET /info HTTP/1.1\r\n\r\n").await;
    assert!(bytes.starts_with(b"\x00\xffSSH-2.0"), "{bytes:?}");
    step(11).await;

    let whole = raw(&path, "GET /info HTTP/1.1\r\n\r\n").await;
    fleet.inject(Fault::now(FaultKind::HalfChunk, "app-01"));
    let half = raw(&path, "GET /info HTTP/1.1\r\n\r\n").await;
    assert!(half.starts_with(b"HTTP/1.1 200 OK") && half.len() < whole.len() * 3 / 4, "{} of {}", half.len(), whole.len());
    step(11).await;

    fleet.inject(Fault::now(FaultKind::Http500, "app-01"));
    assert_eq!(status(&path, "GET", "/info").await, "500");
    step(11).await;
    assert_eq!(status(&path, "GET", "/info").await, "200");

    let mut slow = Fault::now(FaultKind::Slow, "app-01");
    slow.delay = quarterdeck::sim::scenario::Span(Duration::from_millis(300));
    fleet.inject(slow);
    let before = std::time::Instant::now();
    assert_eq!(status(&path, "GET", "/info").await, "200");
    assert!(before.elapsed() >= Duration::from_millis(300), "an answer never comes sooner than the delay");
    step(11).await;

    let mut events = bollard(&path).events(None);
    let (first, ()) = tokio::join!(timeout(SOON, events.next()), async {
        // Until the stream hears something, it may not be connected yet.
        for _ in 0..200 {
            let _ = fleet.act("app-01", "shop-api-1", &Act::Restart);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    first.unwrap().unwrap().unwrap();
    fleet.inject(Fault::now(FaultKind::DaemonRestart, "app-01"));
    let drained = timeout(SOON, async { while let Some(Ok(_)) = events.next().await {} }).await;
    assert!(drained.is_ok(), "the stream ends with the engine");
    assert!(
        timeout(SOON, async {
            while path.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
        })
        .await
        .is_ok()
    );
    step(11).await;
    assert!(
        timeout(SOON, async {
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
        })
        .await
        .is_ok()
    );
    assert_eq!(status(&path, "GET", "/info").await, "200");
}

#[tokio::test]
async fn an_event_flood_arrives_whole_and_follows_its_filter() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("calm", dir.path(), manual());
    let filters = HashMap::from([("event", vec!["exec_die"])]);
    let until = epoch() + chrono::Duration::seconds(12);
    let options = EventsOptionsBuilder::new().since("1").until(&until.timestamp().to_string()).filters(&filters).build();
    let docker = bollard(&socket(&fleet, "app-01"));
    let mut flood = Fault::now(FaultKind::EventFlood, "app-01");
    flood.events = 120;
    fleet.inject(flood);
    fleet.at(Duration::from_secs(11)).await;
    assert_eq!(fleet.emitted("app-01"), 120);
    fleet.at(Duration::from_secs(13)).await;
    let events: Vec<_> = timeout(SOON, docker.events(Some(options)).map(Result::unwrap).collect()).await.unwrap();
    assert_eq!(events.len(), 40);
}

#[tokio::test]
async fn logs_have_frames_resume_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut scenario = Scenario::open("calm").unwrap();
    scenario.services[0].log.format = LogFormat::Plain;
    scenario.services[0].log.long = 40_000;
    let fleet = Simulation::start_with(scenario, dir.path(), manual()).unwrap();
    let path = socket(&fleet, "app-01");
    let get = async |query: &str| {
        let bytes = raw(&path, &format!("GET /containers/shop-api-1/logs?stdout=1&stderr=1&timestamps=1&{query} HTTP/1.0\r\n\r\n")).await;
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        frames(&bytes[head..])
    };
    let all = get("tail=40").await;
    let long: Vec<&(u8, Vec<u8>)> = all.iter().filter(|(_, text)| text.len() > 16_000).collect();
    assert!(long.len() >= 2 && long.iter().all(|(_, text)| text.len() == 16_384 + 31), "31 bytes are the time stamp");
    let last = get("tail=3").await;
    assert_eq!(last.len(), 3);
    let stamp = |frame: &(u8, Vec<u8>)| {
        let text = String::from_utf8_lossy(&frame.1[..30]).into_owned();
        DateTime::parse_from_rfc3339(&text).unwrap()
    };
    let since = stamp(&last[1]);
    let again = get(&format!("since={}.{:09}", since.timestamp(), since.timestamp_subsec_nanos())).await;
    assert_eq!(again, last[1..], "since is inclusive, to the nanosecond");
    let mut follow = UnixStream::connect(&path).await.unwrap();
    follow.write_all(b"GET /containers/shop-api-1/logs?stdout=1&stderr=1&follow=1&tail=1 HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
    let mut buffer = vec![0; 65_536];
    assert!(timeout(SOON, follow.read(&mut buffer)).await.unwrap().unwrap() > 0);
    fleet.at(Duration::from_secs(10)).await;
    fleet.inject(Fault::now(FaultKind::Die, "app-01").container("shop-api-1"));
    fleet.at(Duration::from_secs(30)).await;
    let mut text = String::new();
    while !text.ends_with("0\r\n\r\n") {
        let count = timeout(SOON, follow.read(&mut buffer)).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert!(text.contains("giving up with exit code 1"), "{text}");
    assert!(!text.contains("listening"), "the next life is another stream's");
}

fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while bytes.len() >= 8 {
        let size = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        frames.push((bytes[0], bytes[8..8 + size].to_vec()));
        bytes = &bytes[8 + size..];
    }
    frames
}

#[tokio::test]
async fn hostile_bytes_really_leave_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let fleet = start("hostile", dir.path(), manual());
    let bytes = raw(&socket(&fleet, "bytes-01"), "GET /containers/json?all=1 HTTP/1.1\r\n\r\n").await;
    assert!(std::str::from_utf8(&bytes).is_err());
    let docker = bollard(&socket(&fleet, "app-01"));
    let list = docker.list_containers(Some(ListContainersOptionsBuilder::new().all(true).build())).await.unwrap();
    assert_eq!(list.len(), 8);
    assert!(list.iter().any(|row| row.names.as_ref().unwrap()[0].contains('\u{1b}')));
    assert!(list.iter().any(|row| row.labels.as_ref().unwrap().values().any(|value| value.len() > 10_000)));
    let log = raw(&socket(&fleet, "app-01"), "GET /containers/tty/logs?stdout=1&tail=2 HTTP/1.0\r\n\r\n").await;
    assert!(log.windows(7).any(|window| window == b" frame\r") || log.windows(6).any(|window| window == b"text\r\n"));
}

#[test]
fn wrong_scenarios_are_refused_with_place_and_remedy() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let error = Scenario::parse(&text, name).expect_err(name).to_string();
        let wanted = std::fs::read_to_string(path.with_extension("err")).unwrap_or_default();
        assert_eq!(error, wanted.trim_end(), "{name}");
        count += 1;
    }
    assert!(count >= 16, "{count} files in {}", dir.display());
    let unknown = Scenario::open("habor").unwrap_err().to_string();
    assert!(unknown.contains("did you mean \"harbor\"?"), "{unknown}");
}

#[tokio::test]
async fn scale_has_as_many_as_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = Overrides { hosts: Some(10), containers: Some(7), events_per_second: Some(70.0), seed: None };
    let fleet = start("scale", dir.path(), SimOptions { overrides, ..manual() });
    assert_eq!((fleet.hosts().len(), fleet.truth().len()), (10, 70));
    fleet.at(Duration::from_secs(101)).await;
    let emitted: u64 = fleet.hosts().iter().map(|host| fleet.emitted(&host.name)).sum();
    assert!((6_500..7_500).contains(&emitted), "100 s of 70 events: {emitted}");
}

#[test]
fn a_thread_of_its_own_stops_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let thread = spawn_in_thread(Scenario::open("calm").unwrap(), dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), thread.hosts().len());
    let again = spawn_in_thread(Scenario::open("calm").unwrap(), dir.path()).err().unwrap().to_string();
    assert!(again.contains("app-01") && again.contains("cannot listen"), "{again}");
    drop(thread);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_docker_client_works_against_it() {
    if Command::new("docker").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no docker client here, so nothing was proven about it");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let thread = spawn_in_thread(Scenario::open("harbor").unwrap(), dir.path()).unwrap();
    let socket = |host: &str| thread.hosts().iter().find(|known| known.name == host).unwrap().socket.display().to_string();
    for (host, words, wanted) in [
        ("app-01", "ps -a", "shop-api-1"),
        ("test-01", "ps -a", "shop-api-1"),
        ("app-03", "ps", "(unhealthy)"),
        ("app-01", "ps --filter name=proxy", "edge-proxy-1"),
        ("app-01", "inspect shop-web-2", "\"Status\": \"running\""),
        ("app-01", "logs --tail 5 -t shop-web-2", "level="),
        ("app-01", "stats --no-stream", "shop-web-3"),
        ("app-01", "stats --no-stream shop-web-1", "shop-web-1"),
        ("app-01", "info", "Server Version: 28.5.1"),
        ("test-01", "version", "20.10.24"),
        ("app-01", "images --digests", "sha256:"),
        ("app-01", "image inspect postgres:15.4", "RepoDigests"),
        ("app-01", "network ls", "bridge"),
        ("app-01", "volume ls", "VOLUME NAME"),
        ("app-01", "system df", "Images"),
        ("app-01", "top shop-api-1", "worker: idle"),
        ("app-01", "diff shop-api-1", "/tmp/serve.pid"),
        ("app-01", "port shop-api-1", "80/tcp"),
        ("app-01", "restart shop-web-1", "shop-web-1"),
        ("app-01", "events --since 1m --until=-2s --filter type=container", "container restart"),
        ("app-01", "rm -f shop-web-1", "shop-web-1"),
    ] {
        let out = Command::new("docker").arg("-H").arg(format!("unix://{}", socket(host))).args(words.split(' ')).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains(wanted), "docker {words}: {text}{}", String::from_utf8_lossy(&out.stderr));
    }
}

/// Prints memory and processor time of a thousand hosts with fifty containers each: at rest, and with 500 events a second that
/// somebody listens to on every host. By hand: `cargo test --release --test it cost_of -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "takes half a minute and prints a measurement"]
async fn cost_of_a_thousand_hosts() {
    for events in [0.0, 500.0] {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides { hosts: Some(1000), containers: Some(50), events_per_second: Some(events), seed: None };
        let fleet = start("scale", dir.path(), SimOptions { overrides, ..SimOptions::default() });
        let mut listeners = tokio::task::JoinSet::new();
        if events > 0.0 {
            for host in fleet.hosts() {
                let path = host.socket.clone();
                listeners.spawn(async move {
                    let mut stream = UnixStream::connect(&path).await.unwrap();
                    stream.write_all(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
                });
            }
        }
        let before = cpu();
        fleet.at(Duration::from_secs(11)).await;
        let spent = (cpu() - before) as f64 / 11.0;
        let emitted: u64 = fleet.hosts().iter().map(|host| fleet.emitted(&host.name)).sum();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        println!("{events} events/s: {emitted} emitted, {spent:.1} % of a core, {memory}");
    }
}

/// Hundredths of a second of processor time that this process has used.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
