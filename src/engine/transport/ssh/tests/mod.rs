//! The transport against a real sshd: streams, failures, refusals, bastions. Needs root and `/usr/sbin/sshd`, else it says so.

mod lab;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::{join_all, try_join_all};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};

use self::lab::{Agent, Lab, PATIENCE, Sshd, engine, hash, make_key, pattern, skip, unavailable, wait_for};
use crate::{
    config::{Endpoint, SshEngine},
    engine::transport::{CommandEnd, ConnectError, IoStream, Link, LinkLoad, Transport},
    fleet::LinkCause,
};

async fn link(lab: &Lab, endpoint: &Endpoint) -> Arc<dyn Link> {
    lab.transport().connect(endpoint).await.expect("a link")
}

async fn stream(link: &Arc<dyn Link>, line: &str) -> IoStream {
    let mut stream = link.open().await.expect("a stream");
    stream.write_all(line.as_bytes()).await.expect("written");
    stream
}

async fn read_all(mut stream: IoStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("in time").expect("read");
    bytes
}

/// Sends a word and waits for it to come back.
async fn answers(stream: &mut IoStream) {
    stream.write_all(b"ping").await.expect("written");
    let mut word = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut word)).await.expect("in time").expect("read");
    assert_eq!(&word, b"ping");
}

async fn refusal(lab: &Lab, endpoint: &Endpoint) -> ConnectError {
    match lab.transport().connect(endpoint).await {
        Err(error) => error,
        Ok(link) => link.open().await.err().expect("a refusal"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_big_transfers_and_half_close() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "RekeyLimit 4M");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;

    let many = join_all((0..250).map(|_| async {
        let mut stream = stream(&link, "echo\n").await;
        answers(&mut stream).await;
        stream
    }))
    .await;
    assert_eq!(link.load(), LinkLoad { sessions: 1, streams: 250 });

    // Several keys are exchanged anew while bytes flow in both directions.
    let bytes = pattern(24 << 20);
    let download = async {
        let got = read_all(stream(&link, &format!("send {}\n", bytes.len())).await).await;
        let differs = got.iter().zip(&bytes).position(|(got, sent)| got != sent);
        assert_eq!((got.len(), differs), (bytes.len(), None), "length, and the first byte that differs");
        hash(&got)
    };
    let upload = async {
        let mut stream = stream(&link, "sink\n").await;
        stream.write_all(&bytes).await.expect("written");
        stream.shutdown().await.expect("half-closed");
        String::from_utf8(read_all(stream).await).expect("a hash")
    };
    let (down, up) = tokio::join!(download, upload);
    assert_eq!((down, up), (hash(&bytes), hash(&bytes)));

    drop(many);
    wait_for("all streams to be closed", || link.load().streams == 0).await;
    drop(link);
    sshd.wait_for_sessions(0).await;
}

/// The room to write on comes in with what is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_of_one_stream_flow_at_once() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    // Nothing else shall bring a packet that wakes the session by chance.
    lab.settings.deadlines.keepalive = 10 * PATIENCE;
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    let bytes = pattern(6 << 20);
    for _ in 0..30 {
        let (mut reader, mut writer) = tokio::io::split(stream(&link, "echo\n").await);
        let send = async {
            writer.write_all(&bytes).await.expect("written");
            writer.shutdown().await.expect("half-closed");
        };
        let mut back = Vec::new();
        let both = async { tokio::join!(send, reader.read_to_end(&mut back)).1 };
        timeout(PATIENCE, both).await.expect("in time").expect("read");
        assert!(back == bytes, "{} of {} bytes came back", back.len(), bytes.len());
    }
}

/// A network slower than those who send: one packet is half sent, and whatever else wants to go waits behind it. Each must get its turn,
/// whether it is older or younger than the stream of that packet, begins, goes on or ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_network_stops_nobody_for_good() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    // Nothing else shall bring a packet that wakes the session by chance.
    lab.settings.deadlines.keepalive = 10 * PATIENCE;
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    // Each may have 2 MiB under way: together more than the socket's buffers on both sides ever hold.
    let bytes = Arc::new(pattern(4 << 20));
    let expected = hash(&bytes);
    for _ in 0..5 {
        let mut older = stream(&link, "echo\n").await;
        let ending = stream(&link, "echo\n").await;
        let mut uploads = join_all((0..8).map(|_| stream(&link, "sink\n"))).await;
        let mut younger = stream(&link, "echo\n").await;
        answers(&mut older).await;
        answers(&mut younger).await;
        sshd.freeze();
        let taken = Arc::new(AtomicUsize::new(0));
        let mut sinks = JoinSet::new();
        for mut upload in uploads.drain(..) {
            let (bytes, taken) = (Arc::clone(&bytes), Arc::clone(&taken));
            sinks.spawn(async move {
                for piece in bytes.chunks(1 << 14) {
                    upload.write_all(piece).await.expect("written");
                    taken.fetch_add(piece.len(), Ordering::Relaxed);
                }
                upload.shutdown().await.expect("half-closed");
                String::from_utf8(read_all(upload).await).expect("a hash")
            });
        }
        let seen = std::cell::Cell::new((0, std::time::Instant::now()));
        wait_for("a network that takes no more", || {
            let now = taken.load(Ordering::Relaxed);
            if now != seen.get().0 {
                seen.set((now, std::time::Instant::now()));
            }
            now > 0 && seen.get().1.elapsed() > Duration::from_millis(200)
        })
        .await;
        drop(ending);
        let begins = async { read_all(stream(&link, "send 1000\n").await).await };
        let thaw = async { sshd.thaw() };
        let both = timeout(PATIENCE, async { tokio::join!(begins, answers(&mut older), answers(&mut younger), thaw) });
        assert_eq!(both.await.expect("in time").0, pattern(1000));
        while let Some(sunk) = timeout(PATIENCE, sinks.join_next()).await.expect("in time") {
            assert_eq!(sunk.expect("an upload"), expected);
        }
        drop((older, younger));
        wait_for("all streams to be closed", || link.load().streams == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_do_not_stop_the_others() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    let length = 8 << 20;
    let unread = join_all((0..20).map(|_| stream(&link, "send 8388608\n"))).await;
    let mut blocked = stream(&link, "nothing\n").await;
    let mut lively = stream(&link, "echo\n").await;
    for _ in 0..50 {
        answers(&mut lively).await;
    }
    // What was not read is late, not lost.
    let expected = hash(&pattern(length));
    for stream in unread.into_iter().take(3) {
        assert_eq!(hash(&read_all(stream).await), expected);
    }
    assert_eq!(timeout(PATIENCE, blocked.read(&mut [0; 8])).await.expect("in time").expect("its end"), 0);
}

/// The confirmation that a channel is closed and another channel's answer often come in one read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_closes_takes_no_answer_with_it() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    // Nothing else shall bring a packet that wakes the session by chance.
    lab.settings.deadlines.keepalive = 10 * PATIENCE;
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    let mut lively = stream(&link, "echo\n").await;
    for _ in 0..2 {
        let mut others = join_all((0..100).map(|_| stream(&link, "echo\n"))).await;
        for other in &mut others {
            answers(other).await;
        }
        for other in others {
            drop(other);
            answers(&mut lively).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_session_fails_every_stream_and_says_so() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    let mut streams = join_all((0..5).map(|_| stream(&link, "echo\n"))).await;
    for stream in &mut streams {
        answers(stream).await;
    }
    sshd.kill_sessions();
    for mut stream in streams {
        let read = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("in time");
        assert!(read.is_err(), "an end of file would look like the end of a log");
    }
    let cause = timeout(PATIENCE, link.closed()).await.expect("in time").cause;
    assert_eq!(cause, LinkCause::Closed);
    assert_eq!(link.open().await.err().expect("over").cause, LinkCause::Closed);
    assert_eq!(link.load().sessions, 0);
    // An idle session notices as well.
    let idle = self::link(&lab, &lab.endpoint(&sshd)).await;
    sshd.wait_for_sessions(1).await;
    sshd.kill_sessions();
    assert_eq!(timeout(PATIENCE, idle.closed()).await.expect("in time").cause, LinkCause::Closed);
}

#[tokio::test]
async fn host_keys_are_never_learned() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    let endpoint = lab.endpoint(&sshd);
    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::HostKey);
    assert!(error.message.contains("SHA256:") && error.message.contains(&format!("`ssh -p {} root@127.0.0.1`", sshd.port)), "{error}");

    make_key(&lab.path("other"), "ed25519");
    let other = fs::read_to_string(lab.path("other.pub")).expect("a key");
    lab.append(".ssh/known_hosts", &format!("# first line\n[127.0.0.1]:{} {other}", sshd.port));
    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::HostKey);
    let place = format!("{}:2", lab.path(".ssh/known_hosts").display());
    assert!(error.message.contains("HAS CHANGED") && error.message.contains(&place) && error.message.contains("ssh-keygen -R"), "{error}");

    // Hashed names, and a right key beside a wrong one of another type.
    fs::write(lab.path(".ssh/known_hosts"), "").expect("written");
    lab.trust(&sshd);
    let hashed = std::process::Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(lab.path(".ssh/known_hosts")).output();
    assert!(hashed.expect("ssh-keygen runs").status.success());
    let _engine = engine(&lab.socket());
    answers(&mut stream(&link(&lab, &endpoint).await, "echo\n").await).await;
}

#[tokio::test]
async fn refused_keys_and_accounts_are_explained() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let endpoint = lab.endpoint(&sshd);
    fs::write(lab.path("authorized_keys"), "").expect("written");
    lab.settings.agent = Some(lab.path("no-agent"));
    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::Authentication);
    for part in ["root@127.0.0.1", "id_ed25519 SHA256:", "no-agent", "a missing account looks the same"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let key = lab.path(".ssh/id_ed25519");
    let closed = std::process::Command::new("ssh-keygen").args(["-q", "-p", "-N", "secret", "-f"]).arg(&key).output();
    assert!(closed.expect("ssh-keygen runs").status.success());
    let error = refusal(&lab, &endpoint).await;
    assert!(error.message.contains(&format!("ssh-add {}", key.display())), "{error}");
    sshd.wait_for_sessions(0).await;
}

#[tokio::test]
async fn the_agent_is_asked_first() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "MaxAuthTries 2");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let socket = lab.path("agent");
    let _agent = Agent::start(&socket);
    wait_for("the agent", || socket.exists()).await;
    for name in ["one", "two", "three"] {
        make_key(&lab.path(name), "ed25519");
    }
    let add = |path: std::path::PathBuf| {
        let added = std::process::Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.expect("ssh-add runs").success());
    };
    for name in ["one", "two", "three", ".ssh/id_ed25519"] {
        add(lab.path(name));
    }
    // Only the agent holds the secret now; the public half names it, so that it is offered before the others.
    fs::remove_file(lab.path(".ssh/id_ed25519")).expect("removed");
    lab.settings.agent = Some(socket.clone());
    let error = refusal(&lab, &lab.endpoint(&sshd)).await;
    assert!(error.cause == LinkCause::Authentication && error.message.contains("IdentitiesOnly"), "{error}");
    lab.append(".ssh/config", "IdentityFile ~/.ssh/id_ed25519.pub\nIdentitiesOnly yes\n");
    answers(&mut stream(&link(&lab, &lab.endpoint(&sshd)).await, "echo\n").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_forwarding_the_docker_command_serves() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    if std::process::Command::new("python3").arg("-V").output().is_err() {
        skip!("the stand-in for the docker command needs python3");
    }
    let lab = Lab::new();
    let bin = lab.path("bin");
    fs::create_dir(&bin).expect("made");
    let docker = "#!/usr/bin/env python3\n\
        import os, socket, sys, threading\n\
        assert sys.argv[1] == '-H' and sys.argv[3:] == ['system', 'dial-stdio'], sys.argv\n\
        s = socket.socket(socket.AF_UNIX)\n\
        try:\n    s.connect(sys.argv[2][len('unix://'):])\n\
        except OSError as e:\n    sys.exit('dial unix: connect: ' + os.strerror(e.errno).lower())\n\
        def up():\n    \
            while d := os.read(0, 65536): s.sendall(d)\n    \
            s.shutdown(socket.SHUT_WR)\n\
        threading.Thread(target=up, daemon=True).start()\n\
        while d := s.recv(65536):\n    os.write(1, d)\n";
    fs::write(bin.join("docker"), docker).expect("written");
    fs::set_permissions(bin.join("docker"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let lines = format!("AllowStreamLocalForwarding no\nSetEnv PATH={}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
    let sshd = Sshd::start(&lab, "host", &lines);
    lab.trust(&sshd);
    let endpoint = lab.endpoint(&sshd);

    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::NoEngine, "{error}");
    let _engine = engine(&lab.socket());
    let link = link(&lab, &endpoint).await;
    let bytes = pattern(4 << 20);
    let mut held = try_join_all((0..7).map(|_| link.open())).await.expect("seven streams");
    let mut upload = stream(&link, "sink\n").await;
    upload.write_all(&bytes).await.expect("written");
    upload.shutdown().await.expect("half-closed");
    // The ninth waits until a place is free.
    let ninth = async { read_all(stream(&link, "send 100000\n").await).await };
    let free = async {
        let word = read_all(upload).await;
        held.clear();
        word
    };
    let (ninth, sunk) = tokio::join!(ninth, free);
    assert_eq!((hash(&ninth), String::from_utf8(sunk).expect("a hash")), (hash(&pattern(100_000)), hash(&bytes)));
    drop(link);
    sshd.wait_for_sessions(0).await;
}

#[tokio::test]
async fn a_socket_that_cannot_be_reached_is_explained() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let mut lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "ForceCommand echo no commands here >&2; exit 1");
    lab.trust(&sshd);
    let endpoint = lab.endpoint(&sshd);
    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::NoEngine);
    assert!(error.message.contains("either no engine") && error.message.contains("AllowStreamLocalForwarding"), "{error}");
    // A denied socket: sshd connects as the account that logged in.
    let _engine = engine(&lab.socket());
    fs::set_permissions(lab.socket(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
    let mut denied = endpoint.clone();
    if let Endpoint::Ssh { user, .. } = &mut denied {
        *user = Some("nobody".to_owned());
    }
    let error = refusal(&lab, &denied).await;
    assert!(error.cause == LinkCause::NoEngine && error.message.contains("nobody may not open it"), "{error}");

    lab.settings.may_probe = true;
    let full = Sshd::start(&lab, "full", "");
    lab.trust(&full);
    let mut missing = lab.endpoint(&full);
    if let Endpoint::Ssh { socket, .. } = &mut missing {
        *socket = Some(lab.path("it's not here.sock").display().to_string());
    }
    let error = refusal(&lab, &missing).await;
    assert!(error.cause == LinkCause::NoEngine && error.message.contains("no engine answers"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_behind_a_bastion_share_its_session() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let gate = Sshd::start(&lab, "gate", "");
    let inner = Sshd::start(&lab, "inner", "AllowTcpForwarding no");
    lab.trust(&gate);
    lab.trust(&inner);
    let config = format!(
        "Host app-*\n HostName 127.0.0.1\n Port {}\n ProxyJump gate\nHost gate\n HostName 127.0.0.1\n Port {}\nHost loop\n ProxyJump loop\n",
        inner.port, gate.port
    );
    lab.append(".ssh/config", &config);
    let _engine = engine(&lab.socket());
    let transport = lab.transport();
    let host = |name: String| Endpoint::Ssh { user: None, host: name, port: None, socket: Some(lab.socket()), engine: SshEngine::Ssh2 };
    for round in 0..2 {
        let endpoints: Vec<Endpoint> = (0..6).map(|number| host(format!("app-{number}"))).collect();
        let links = try_join_all(endpoints.iter().map(|endpoint| transport.connect(endpoint))).await.expect("links");
        for link in &links {
            let bytes = read_all(stream(link, "send 1000000\n").await).await;
            assert_eq!(hash(&bytes), hash(&pattern(1_000_000)));
        }
        assert_eq!((gate.sessions().len(), inner.sessions().len()), (1, 6));
        if round == 0 {
            gate.kill_sessions();
            for link in &links {
                let error = timeout(PATIENCE, link.closed()).await.expect("in time");
                assert!(error.cause == LinkCause::Closed && error.message.contains("jump host"), "{error}");
            }
        }
        drop(links);
        gate.wait_for_sessions(0).await;
        inner.wait_for_sessions(0).await;
    }
    let error = transport.connect(&host("loop".to_owned())).await.err().expect("a loop");
    assert!(error.cause == LinkCause::Configuration && error.message.contains("loop"), "{error}");
    // A chain whose second stop forbids it.
    lab.append(".ssh/config", &format!("Host deep\n HostName 127.0.0.1\n Port {}\n ProxyJump gate,app-1\n", gate.port));
    let error = transport.connect(&host("deep".to_owned())).await.err().expect("forbidden");
    assert!(error.cause == LinkCause::Forwarding && error.message.contains("AllowTcpForwarding"), "{error}");
}

#[tokio::test]
async fn a_login_that_is_given_up_leaves_nothing() {
    let lab = Lab::new();
    // It greets, then says nothing more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let endpoint = Endpoint::Ssh { user: None, host: "127.0.0.1".into(), port: Some(port), socket: None, engine: SshEngine::Ssh2 };
    let transport = lab.transport();
    let attempt = transport.connect(&endpoint);
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(b"SSH-2.0-Mute\r\n").await.expect("written");
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await.expect("its greeting");
        assert_eq!(&greeting, b"SSH-");
        stream
    };
    let mut stream = tokio::select! {
        _ = attempt => panic!("nobody can log in there"),
        stream = server => stream,
    };
    // The attempt is dropped: its thread hangs up at once, long before any deadline.
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("in time").expect("the end");
    let dead = Endpoint::Ssh { user: None, host: "127.0.0.1".into(), port: Some(1), socket: None, engine: SshEngine::Ssh2 };
    assert_eq!(refusal(&lab, &dead).await.cause, LinkCause::Unreachable);
    let option = Endpoint::Ssh { user: None, host: "-oProxyCommand=x".into(), port: None, socket: None, engine: SshEngine::Openssh };
    assert_eq!(refusal(&lab, &option).await.cause, LinkCause::Configuration);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ssh_program_serves_too() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    let mut endpoint = lab.endpoint(&sshd);
    if let Endpoint::Ssh { engine, .. } = &mut endpoint {
        *engine = SshEngine::Openssh;
    }
    lab.append(".ssh/config", &format!("IdentityFile {}\n", lab.path(".ssh/id_ed25519").display()));
    let error = refusal(&lab, &endpoint).await;
    assert_eq!(error.cause, LinkCause::HostKey, "{error}");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let first = link(&lab, &endpoint).await;
    let streams = join_all((0..30).map(|_| stream(&first, "send 100000\n"))).await;
    assert_eq!(first.load(), LinkLoad { sessions: 1, streams: 30 });
    for stream in streams {
        assert_eq!(hash(&read_all(stream).await), hash(&pattern(100_000)));
    }
    let told = first.host_metrics().expect("a way to the host").await.expect("figures");
    crate::stats::MachineSample::parse(&told).expect("figures of Linux");
    let words = ["sh", "-c", "cat; echo \"it's bad\" >&2; exit 3"].map(str::to_owned);
    let end = first.command(&words, b"text").expect("a way to the host").await.expect("an end");
    assert_eq!(end, CommandEnd { status: Some(3), output: b"text".to_vec(), errors: b"it's bad\n".to_vec() });
    // More places than are kept.
    for number in 0..10 {
        let path = lab.path(&format!("other{number}.sock")).display().to_string();
        let _other = self::engine(&path);
        let mut other = first.socket(&path).expect("a way to the host").await.expect("a stream");
        other.write_all(b"echo\n").await.expect("written");
        answers(&mut other).await;
    }
    let greeting = first.dial("127.0.0.1", sshd.port).expect("a way to the host").await.expect("a stream");
    let mut word = [0; 8];
    timeout(PATIENCE, tokio::io::BufReader::new(greeting).read_exact(&mut word)).await.expect("in time").expect("read");
    assert_eq!(&word, b"SSH-2.0-");
    sshd.wait_for_sessions(1).await;
    sshd.kill_sessions();
    assert_eq!(timeout(PATIENCE, first.closed()).await.expect("in time").cause, LinkCause::Closed);
    assert!(first.command(&words, b"").expect("a way").await.is_err(), "no session of its own");
    assert!(first.host_metrics().expect("a way").await.is_err(), "no session of its own");
    let second = link(&lab, &endpoint).await;
    sshd.wait_for_sessions(1).await;
    drop(second);
    sshd.wait_for_sessions(0).await;
}

/// Not a test of speed, but what the numbers of the documentation come from: `cargo test -- --ignored --nocapture measure`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints numbers, asserts none"]
async fn measure() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let sshd = Sshd::start(&lab, "host", "");
    lab.trust(&sshd);
    let _engine = engine(&lab.socket());
    let clock = std::time::Instant::now();
    let link = link(&lab, &lab.endpoint(&sshd)).await;
    println!("connect and log in: {:?}", clock.elapsed());
    let clock = std::time::Instant::now();
    let answers = join_all((0..30).map(|_| async { read_all(stream(&link, "GET / HTTP/1.1\n").await).await })).await;
    assert!(answers.iter().all(|answer| answer.ends_with(b"OK")));
    println!("30 requests at once: {:?}", clock.elapsed());
    let length = 100 << 20;
    let line = format!("send {length}\n");
    let drain = async |mut stream: IoStream| {
        let mut buffer = vec![0; 1 << 16];
        let clock = std::time::Instant::now();
        let mut total = 0;
        loop {
            match stream.read(&mut buffer).await.expect("read") {
                0 => break,
                count => total += count,
            }
        }
        assert_eq!(total, length);
        total as f64 / 1e6 / clock.elapsed().as_secs_f64()
    };
    println!("download over ssh: {:.0} MB/s", drain(stream(&link, &line).await).await);
    let mut unix = tokio::net::UnixStream::connect(lab.socket()).await.expect("connected");
    unix.write_all(line.as_bytes()).await.expect("written");
    println!("download by unix socket: {:.0} MB/s", drain(Box::new(unix)).await);
    let clock = std::time::Instant::now();
    let transport = lab.transport();
    let endpoint = lab.endpoint(&sshd);
    let fleet = try_join_all((0..31).map(|_| transport.connect(&endpoint))).await.expect("links");
    println!("31 sessions at once: {:?}", clock.elapsed());
    let clock = std::time::Instant::now();
    drop(fleet);
    sshd.wait_for_sessions(1).await;
    println!("31 sessions gone after: {:?}", clock.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_tells_its_own_figures_or_why_it_does_not() {
    if let Some(reason) = unavailable() {
        skip!("{reason}");
    }
    let lab = Lab::new();
    let (open, shut) = (Sshd::start(&lab, "open", ""), Sshd::start(&lab, "shut", "ForceCommand true"));
    lab.trust(&open);
    lab.trust(&shut);
    let _engine = engine(&lab.socket());
    let told = link(&lab, &lab.endpoint(&open)).await.host_metrics().expect("ssh is a way to the host").await.expect("figures");
    let sample = crate::stats::MachineSample::parse(&told).expect("figures of Linux");
    let text = std::fs::read_to_string("/proc/meminfo").expect("this machine's");
    assert!(text.contains(&format!("MemTotal:       {} kB", sample.memory >> 10)), "{sample:?}");
    assert!(sample.cpus > 0 && sample.ticks >= sample.busy && sample.disk.is_some_and(|disk| disk.used > 0), "{sample:?}");
    let refused = link(&lab, &lab.endpoint(&shut)).await.host_metrics().expect("a way").await.expect_err("no command is run");
    assert_eq!(refused.cause, LinkCause::Forwarding);
    assert!(refused.message.contains("runs no \"cat /proc"), "{refused}");
}
