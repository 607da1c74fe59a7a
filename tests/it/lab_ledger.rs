//! The ledger on both of its engines, SQLite and a real PostgreSQL: the same tests, the same answers.

mod delivery;
mod server;
mod verbs;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use quarterdeck::{
    delivery::release::DeploymentId,
    ledger::{
        Access, Ledger, LedgerEngine, LedgerError, Server, StateDir,
        audit::{ChainFault, Intent, Outcome, Target, Who},
    },
};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::{
    postgres::{Cluster, cluster},
    program::Program,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// An empty ledger of a test's own.
struct Home {
    dir: TempDir,
    /// A URL; of PostgreSQL or of SQLite's file.
    url: String,
    postgres: Option<(&'static Cluster, String)>,
}

impl Home {
    fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite://{}/state/ledger.db", dir.path().display()), dir, postgres: None }
    }

    fn postgres(cluster: &'static Cluster) -> Self {
        let database = cluster.database();
        Self { url: cluster.socket_url(&database), dir: tempfile::tempdir().unwrap(), postgres: Some((cluster, database)) }
    }

    fn state(&self) -> StateDir {
        StateDir::at(self.dir.path().join("state"))
    }

    /// Its configuration for the program.
    fn configure(&self, program: &Program) -> String {
        let ledger = if self.postgres.is_some() { &self.url } else { "sqlite" };
        program.file("config.toml", &format!("ledger = {ledger:?}\nstate = {:?}\n", self.state().path()))
    }

    fn engine(&self) -> LedgerEngine {
        match self.postgres {
            Some(_) => Server::at(&self.url).into(),
            None => self.state().into(),
        }
    }

    async fn open(&self) -> Ledger {
        Ledger::open(self.engine()).await.unwrap()
    }

    /// What somebody with the engine's own tools does.
    async fn tamper(&self, statements: &str) {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&self.url).await.unwrap();
        let lift = match self.postgres {
            Some(_) => "ALTER TABLE audit DISABLE TRIGGER USER; ",
            None => "DROP TRIGGER IF EXISTS audit_is_not_changed; DROP TRIGGER IF EXISTS audit_is_not_cut; ",
        };
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{lift}{statements}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A process that does `task` in this ledger.
    fn child(&self, task: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["lab_ledger::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        let place = if self.postgres.is_some() { self.url.clone() } else { self.state().path().display().to_string() };
        command.env("QD_LEDGER", place).env("QD_TASK", task).stdout(Stdio::piped()).spawn().unwrap()
    }
}

/// An empty ledger on each engine that there is.
macro_rules! homes {
    () => {{
        let mut homes = vec![Home::sqlite()];
        match cluster() {
            Ok(cluster) => homes.push(Home::postgres(cluster)),
            Err(skipped) => skipped.say(module_path!(), line!()),
        }
        homes
    }};
}

use homes;

fn intent(argument: &str) -> Intent {
    Intent {
        who: Who::of_process(),
        action: "container.kill".to_owned(),
        host: "app-01".to_owned(),
        target: Target { name: "shop-web-1".to_owned(), id: "ab12".to_owned() },
        argument: argument.to_owned(),
        plan: "kill shop-web-1\non app-01".to_owned(),
    }
}

/// What a process of its own does.
#[tokio::test]
#[ignore = "a part of other tests: it runs in a process of its own"]
async fn child() {
    let place = std::env::var("QD_LEDGER").unwrap();
    let engine: LedgerEngine = if place.starts_with("postgres:") { Server::at(place).into() } else { StateDir::at(place).into() };
    let ledger = Ledger::open(engine).await.unwrap();
    let task = std::env::var("QD_TASK").unwrap();
    let (what, count) = task.split_once(' ').unwrap();
    for number in 0..count.parse().unwrap() {
        match what {
            "append" => {
                let entry = ledger.audit().begin(intent("TERM")).await.unwrap();
                ledger.audit().finish(entry, Outcome::done("")).await.unwrap();
            }
            "ids" => println!("\nid {}", ledger.deployments().next_id().await.unwrap()),
            other => panic!("{other} {number}"),
        }
    }
}

#[tokio::test]
async fn an_act_is_written_before_and_after_and_a_tamperer_is_found() {
    type Expected = fn(&[ChainFault]) -> bool;
    let table: [(&str, Expected); 6] = [
        ("UPDATE audit SET host = 'app-02' WHERE seq = 3", |found| found == [ChainFault::Changed { seq: 3 }]),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", |found| found == [ChainFault::Changed { seq: 2 }]),
        ("DELETE FROM audit WHERE seq = 2", |found| found == [ChainFault::Missing { from: 2, to: 2 }]),
        ("DELETE FROM audit WHERE seq > 4", |found| found == [ChainFault::Cut { from: 5, to: 6 }]),
        (
            "UPDATE audit SET seq = 100 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 100",
            |found| found.contains(&ChainFault::Changed { seq: 3 }) && found.contains(&ChainFault::Changed { seq: 5 }),
        ),
        ("DELETE FROM audit_head", |found| matches!(found, [ChainFault::Head { .. }])),
    ];
    for (statements, expected) in table {
        for home in homes!() {
            let ledger = home.open().await;
            for argument in ["TERM", "KILL\u{1b}[2J\0", "x"] {
                let entry = ledger.audit().begin(intent(argument)).await.unwrap();
                ledger.audit().finish(entry, Outcome::done("exit code 137")).await.unwrap();
                assert_eq!(ledger.audit().finish(entry, Outcome::failed("")).await, Err(LedgerError::NotOpen(entry)));
            }
            let rows = ledger.audit().rows(None).await.unwrap();
            assert_eq!((rows.len(), &rows[0].who, rows[1].argument.starts_with("KILL␛[2J")), (3, &Who::of_process(), true));
            assert!(ledger.audit().verify(Vec::new()).await.unwrap().is_whole());
            drop(ledger);
            home.tamper(statements).await;
            let check = home.open().await.audit().verify(Vec::new()).await.unwrap();
            assert!(expected(&check.faults), "{} {statements}: {:?}", home.url, check.faults);
        }
    }
}

#[tokio::test]
async fn processes_that_begin_at_once_make_one_schema_and_one_chain() {
    for home in homes!() {
        let mut children: Vec<Child> = (0..6).map(|_| home.child("append 20")).collect();
        for child in &mut children {
            assert!(child.wait().unwrap().success(), "{}", home.url);
        }
        let check = home.open().await.audit().verify(Vec::new()).await.unwrap();
        assert!(check.is_whole() && check.rows == 6 * 40 && check.open == 0, "{} {check:?}", home.url);
    }
}

#[tokio::test]
async fn kills_at_any_moment_leave_a_whole_chain_and_no_lock() {
    for home in homes!() {
        let audit = home.open().await.audit();
        let mut before = 0;
        for more in [1, 6, 15, 3] {
            let mut child = home.child("append 1000000");
            let enough = async {
                while audit.verify(Vec::new()).await.unwrap().rows < before + more {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(PATIENCE, enough).await.unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            audit.begin(intent("TERM")).await.unwrap();
            let check = audit.verify(Vec::new()).await.unwrap();
            assert!(check.is_whole(), "{} {check:?}", home.url);
            before = check.rows;
        }
    }
}

#[tokio::test]
async fn no_two_processes_get_one_id() {
    for home in homes!() {
        let children: Vec<Child> = (0..3).map(|_| home.child("ids 15")).collect();
        let mut ids = BTreeSet::new();
        for mut child in children {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            ids.extend(lines.filter_map(|line| Some(line.strip_prefix("id ")?.parse::<DeploymentId>().unwrap())));
            assert!(child.wait().unwrap().success());
        }
        let numbers: Vec<u64> = ids.iter().map(|id| id.number).collect();
        assert_eq!(numbers, (1..=45).collect::<Vec<_>>(), "{}", home.url);
        assert_eq!(home.open().await.deployments().likely_number().await, Ok(46));
    }
}

#[tokio::test]
async fn who_looks_writes_nothing() {
    for home in homes!() {
        let looking = || Ledger::lazy(home.engine(), Access::Look);
        assert!(matches!(looking().audit().rows(None).await, Err(LedgerError::Absent { .. })), "{}", home.url);
        assert_eq!(looking().deployments().likely_number().await, Ok(1));
        let ledger = home.open().await;
        ledger.audit().begin(intent("TERM")).await.unwrap();
        assert_eq!(looking().audit().rows(None).await.unwrap().len(), 1);
        assert_eq!(looking().audit().begin(intent("TERM")).await, Err(LedgerError::ReadOnly));
        assert_eq!(looking().deployments().next_id().await, Err(LedgerError::ReadOnly));
    }
}

#[tokio::test]
async fn a_newer_schema_and_an_older_one() {
    for home in homes!() {
        drop(home.open().await);
        let newer = if home.postgres.is_some() { "UPDATE quarterdeck_ledger SET schema = 9" } else { "PRAGMA user_version = 9" };
        home.tamper(newer).await;
        let error = Ledger::open(home.engine()).await.unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 9, .. }), "{error}");
        let looked = Ledger::lazy(home.engine(), Access::Look).audit().rows(None).await.unwrap_err();
        assert!(matches!(looked, LedgerError::Newer { found: 9, .. }), "{looked}");
        // One that stood still at the audit alone: read where that is enough, brought up by who may write.
        let older = if home.postgres.is_some() { "UPDATE quarterdeck_ledger SET schema = 1" } else { "PRAGMA user_version = 1" };
        let tables = [
            "built_images",
            "app_builds",
            "releases",
            "deployments",
            "deployment_number",
            "journal",
            "orders",
            "approvals",
            "freezes",
            "pulses",
        ];
        home.tamper(&format!("{older}; {}", tables.map(|table| format!("DROP TABLE {table}")).join("; "))).await;
        let looking = Ledger::lazy(home.engine(), Access::Look);
        assert_eq!(looking.audit().rows(None).await, Ok(Vec::new()));
        let error = looking.freezes().list().await.unwrap_err();
        assert!(matches!(error, LedgerError::Older { .. }), "{error}");
        assert_eq!(home.open().await.freezes().list().await, Ok(Vec::new()));
    }
}
