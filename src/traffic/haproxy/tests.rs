//! The conversation with a HAProxy that says what the test wants.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixListener,
};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    engine::transport::{ConnectError, Link},
    fleet::{HostId, LinkCause},
    rights::Rights,
    traffic::Ground,
};

const HEADER: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id \
    srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

struct Nowhere;

impl Ground for Nowhere {
    fn link<'a>(&'a self, host: &'a HostId) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        std::future::ready(Err(ConnectError::new(LinkCause::Unreachable, format!("host {host} is away")))).boxed()
    }
}

/// A HAProxy of one server, `be/s1`.
struct Fake {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Fake {
    /// `answer` gets each command.
    fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let task = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                if stream.read_line(&mut line).await.is_err() {
                    continue;
                }
                let mut text = String::new();
                for command in line.trim_end().split(';') {
                    noted.lock().unwrap().push(command.to_owned());
                    text.push_str(&answer(command));
                }
                // Whoever reads only so much hangs up before the end.
                let _ = stream.get_mut().write_all(text.as_bytes()).await;
            }
        };
        Self { dir, asked, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
    }

    fn client(&self, rights: Rights) -> Haproxy {
        Haproxy::at_socket(Way::new(None, Arc::new(Nowhere), rights), &self.dir.path().join("s"), Some(self.dir.path().join("state")))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// One line of `show servers state`.
fn server(address: &str, admin: u8, check: u8) -> String {
    let (ip, port) = address.rsplit_once(':').unwrap();
    format!("{HEADER}3 be 1 s1 {ip} 2 {admin} 1 1 7 6 3 4 {check} 0 0 0 slot.invalid {port} - 0 0 - - 0\n\n")
}

#[tokio::test]
async fn names_that_would_be_commands_are_never_sent() {
    let fake = Fake::new(|_| "\n".to_owned());
    let haproxy = fake.client(Rights::Act);
    for name in ["", "be;quit", "be s", "be\nquit", "be/s", "bé", "be\\"] {
        assert!(haproxy.targets(Some(name)).await.is_err(), "{name:?}");
        assert!(haproxy.ready(name, "s1").await.is_err() && haproxy.ready("be", name).await.is_err(), "{name:?}");
        assert!(haproxy.set_weight(name, "s1", 5).await.is_err() && haproxy.in_flight(name, "s1").await.is_err(), "{name:?}");
    }
    assert_eq!(fake.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn an_empty_answer_is_no_proof() {
    // It says yes to everything and changes nothing.
    let fake = Fake::new(|command| if command.starts_with("show") { server("127.0.0.1:1", 5, 14) } else { "\n".to_owned() });
    let haproxy = fake.client(Rights::Act);
    let error = haproxy.ready("be", "s1").await.unwrap_err().to_string();
    assert_eq!(error, "be/s1 was told ready and is maint");
    let error = haproxy.add("be", "s1", "10.0.0.1:80".parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("set server be/s1 addr 10.0.0.1 port 80"), "{error}");
    assert!(haproxy.remove("be", "s1").await.is_ok(), "so already");
    assert!(haproxy.remove("be", "s9").await.unwrap_err().to_string().contains("no server s9"));
}

#[tokio::test]
async fn what_cannot_be_filled_is_not_touched() {
    let literal = server("127.0.0.1:1", 5, 14).replace("slot.invalid", "-");
    for (state, part) in
        [(server("10.0.0.9:80", 4, 6), "is in use"), (server("127.0.0.1:1", 5, 8), "add `check`"), (literal, "init-addr last")]
    {
        let fake = Fake::new(move |_| state.clone());
        let error = fake.client(Rights::Act).add("be", "s1", "10.0.0.1:80".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(fake.asked(), ["show servers state be"]);
    }
}

#[tokio::test]
async fn refusals_are_told_in_its_words() {
    let fake = Fake::new(|command| match command {
        "show servers state nope" => "Can't find backend.\n\n".to_owned(),
        command if command.starts_with("show") => server("127.0.0.1:1", 5, 14),
        _ => "Permission denied\u{1b}[2J\n\n".to_owned(),
    });
    let haproxy = fake.client(Rights::Act);
    let error = haproxy.drain("be", "s1").await.unwrap_err().to_string();
    assert!(error.starts_with("\"set server be/s1 state drain\" was answered \"Permission denied") && !error.contains('\u{1b}'), "{error}");
    assert!(
        haproxy.add("nope", "s1", "10.0.0.1:80".parse().unwrap()).await.unwrap_err().to_string().contains("HAProxy has no backend nope")
    );
}

#[tokio::test]
async fn strange_answers_are_errors() {
    for (answer, part) in [
        (String::new(), "without an answer"),
        ("\n".to_owned(), "not understood"),
        ("x".repeat(1 << 20), "broke off"),
        (format!("{}\n", "x".repeat(1 << 20)), "not understood"),
        ("# pxname,svname\n".to_owned(), "not understood"),
    ] {
        let fake = Fake::new(move |_| answer.clone());
        let haproxy = fake.client(Rights::Act);
        for error in [
            haproxy.targets(None).await.unwrap_err(),
            haproxy.targets(Some("be")).await.unwrap_err(),
            haproxy.verify().await.unwrap_err(),
            haproxy.persist().await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert!(!Path::new("/tmp/state").exists());
}

#[tokio::test]
async fn a_viewer_only_asks_to_show() {
    let fake = Fake::new(|_| server("127.0.0.1:1", 5, 14));
    let haproxy = fake.client(Rights::view("read-only is set by a test"));
    let denied = |result: Result<(), Trouble>| assert!(matches!(result, Err(Trouble::Denied(_))), "{result:?}");
    denied(haproxy.ready("be", "s1").await);
    denied(haproxy.remove("be", "s1").await);
    denied(haproxy.drain("be", "s1").await);
    denied(haproxy.add("be", "s1", "10.0.0.1:80".parse().unwrap()).await);
    denied(haproxy.set_weight("be", "s1", 0).await);
    denied(haproxy.persist().await.map(drop));
    assert!(fake.asked().iter().all(|command| command.starts_with("show ")), "{:?}", fake.asked());
    assert!(!fake.dir.path().join("state").exists());
}

#[tokio::test]
async fn its_state_is_written_whole_with_one_end_of_line() {
    let fake = Fake::new(|_| format!("{}\n\n", server("10.0.0.1:80", 4, 6)));
    let haproxy = fake.client(Rights::Act);
    let path = haproxy.persist().await.unwrap().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("- - 0\n") && !text.ends_with("\n\n") && text.starts_with("1\n# be_id"), "{text:?}");
    assert_eq!(std::fs::read_dir(fake.dir.path()).unwrap().count(), 2, "the socket and the file: nothing half written stays");
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_with_the_way() {
    let nobody = Haproxy::at_socket(Way::new(None, Arc::new(Nowhere), Rights::Act), Path::new("/no/such.sock"), None);
    assert_eq!(nobody.verify().await, Err(Trouble::Away("there is no socket at /no/such.sock".to_owned())));
    let lost = Way::new(Some(HostId::new("app-03")), Arc::new(Nowhere), Rights::Act);
    assert_eq!(Haproxy::at_address(lost, "127.0.0.1", 9999, None).verify().await, Err(Trouble::Away("host app-03 is away".to_owned())));
}
