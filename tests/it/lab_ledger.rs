//! The ledger on both of its engines, SQLite and a real PostgreSQL: the same tests, the same answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use quarterdeck::{
    delivery::{
        plan::{Options, Plan},
        release::{DeploymentId, Release},
        spec::{Batch, ConfigHash, OnFailure, Revision, Spec, StrategyKind, StrategySpec},
        steps::{Act, Phase, Step, StepId},
        strategies::Script,
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{
        Access, Answer, Asked, DeploymentFilter, Ledger, LedgerEngine, LedgerError, Proof, Server, StateDir,
        audit::{ChainFault, EntryId, Intent, Outcome, Target, Who},
    },
    run::{
        Order, Records as _,
        journal::{Entry, State, Way, Word},
    },
};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::{
    postgres::{Cluster, PASSWORD, cluster},
    program::{Ended, Program},
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
    let engine: LedgerEngine =
        if place.starts_with("postgres:") { Server::at(place).into() } else { StateDir::at(place).into() };
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
        let tables = ["built_images", "releases", "deployments", "deployment_number", "journal", "orders", "approvals", "freezes"];
        home.tamper(&format!("{older}; {}", tables.map(|table| format!("DROP TABLE {table}")).join("; "))).await;
        let looking = Ledger::lazy(home.engine(), Access::Look);
        assert_eq!(looking.audit().rows(None).await, Ok(Vec::new()));
        let error = looking.freezes().list().await.unwrap_err();
        assert!(matches!(error, LedgerError::Older { .. }), "{error}");
        assert_eq!(home.open().await.freezes().list().await, Ok(Vec::new()));
    }
}

fn release(version: &str, config: char) -> Release {
    let spec = Spec {
        app: AppName::new("shop"),
        registry: "r:5000".into(),
        images: Default::default(),
        services: Default::default(),
        jobs: Default::default(),
    };
    let images = [("postgres:15.4".into(), format!("postgres@sha256:{version}").into())];
    Release {
        app: AppName::new("shop"),
        version: version.into(),
        images: images.into_iter().collect(),
        spec,
        revision: Revision::default(),
        config: ConfigHash::new(String::from(config).repeat(64)),
    }
}

fn plan(deployment: DeploymentId, environment: &str, release: &Release, from: Option<&Release>) -> Plan {
    Plan {
        deployment,
        app: AppName::new("shop"),
        environment: EnvironmentId::new(environment),
        release: release.id(),
        from: from.map(Release::id).into_iter().collect(),
        options: Options::default(),
        strategy: StrategySpec {
            kind: StrategyKind::Rolling { batch: Batch::Count(1), pause: Duration::ZERO },
            order: None,
            bake: Duration::ZERO,
            max_failures: 0,
            keep_warm: Duration::ZERO,
            on_failure: OnFailure::Deployment,
        },
        hosts: vec![HostId::new("app-02"), HostId::new("app-03")],
        out: BTreeMap::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        verify: None,
        lost: Vec::new(),
        warnings: Vec::new(),
        back: BTreeMap::new(),
        stale: Vec::new(),
    }
}

fn script(question: &str) -> Script {
    let act = Act::Approve { question: question.into() };
    let step = Step { id: StepId(1), host: None, service: None, batch: 0, phase: Phase::Change, after: Vec::new(), act };
    Script { steps: vec![step], failed: Vec::new() }
}

fn begun(plan: &Plan) -> Word {
    Word::Begun { by: "ana".into(), plan: Box::new(plan.clone()), script: Box::new(script("go on?")) }
}

fn ended(state: State, reason: Option<&str>) -> Word {
    Word::Ended { state, reason: reason.map(Arc::from), owed: [HostId::new("app-03")].into_iter().collect() }
}

/// A run that writes rows one after another.
struct Pen<'a> {
    ledger: &'a Ledger,
    home: &'a Home,
    id: DeploymentId,
    next: u64,
}

impl Pen<'_> {
    async fn write(&mut self, words: Vec<Word>) {
        let entries: Vec<Entry> =
            words.into_iter().zip(self.next..).map(|(word, seq)| Entry { seq, at: Utc::now(), word }).collect();
        self.next += entries.len() as u64;
        self.ledger.records(self.home.state()).append(&self.id, &entries).await.unwrap();
    }

    async fn state(&self) -> (State, bool) {
        let found = self.ledger.deployments().find(&self.id.to_string()).await.unwrap();
        (found.state, found.finished.is_some())
    }
}

#[tokio::test]
async fn a_deployment_from_its_asking_to_its_end() {
    for home in homes!() {
        let ledger = home.open().await;
        let (deployments, approvals, orders) = (ledger.deployments(), ledger.approvals(), ledger.orders());
        let records = ledger.records(home.state());
        let (old, new) = (release("1.0.0-20-aaaaaaa", 'a'), release("1.0.1-22-7e56158", 'b'));
        let (shop, production) = (AppName::new("shop"), EnvironmentId::new("production"));

        // The first one needs nobody's yes.
        let first = deployments.next_id().await.unwrap();
        deployments.open(Asked { plan: plan(first.clone(), "production", &old, None), by: "ana".to_owned(), needed: 0 }).await.unwrap();
        let mut pen = Pen { ledger: &ledger, home: &home, id: first.clone(), next: 0 };
        pen.write(vec![begun(&plan(first.clone(), "production", &old, None)), Word::Good]).await;
        assert_eq!(pen.state().await, (State::Good, true));
        let between = Utc::now();

        // The second one waits for two others.
        let id = deployments.next_id().await.unwrap();
        assert_eq!((first.number, id.number), (1, 2));
        let asked = Asked { plan: plan(id.clone(), "production", &new, Some(&old)), by: "ana".to_owned(), needed: 2 };
        deployments.open(asked.clone()).await.unwrap();
        assert!(matches!(deployments.open(asked.clone()).await, Err(LedgerError::Taken { .. })));
        let refused = async |answer, who: &str| approvals.answer(&id, answer, who, "reason").await.unwrap_err().to_string();
        assert!(refused(Answer::Yes, "ana").await.contains("ana asked for it: somebody else has to say yes"));
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("start"));
        assert_eq!(approvals.answer(&id, Answer::Yes, "ben", "looks good").await.unwrap().approved_by, ["ben"]);
        assert!(refused(Answer::Yes, "ben").await.contains("ben has said yes already"));
        // Another plan: what was said of the old one is void.
        deployments.replan(Plan { warnings: vec!["new".into()], ..asked.plan.clone() }).await.unwrap();
        assert_eq!(records.answer(&id, "start").await, Ok(None));
        assert_eq!(deployments.plan(&id).await.unwrap().unwrap().warnings, ["new".into()]);
        for who in ["ben", "eva"] {
            approvals.answer(&id, Answer::Yes, who, "still").await.unwrap();
        }
        assert_eq!(records.answer(&id, "start").await, Ok(Some(Ok(()))));
        assert!(matches!(orders.give(&id, Order::Park, "eva", "").await, Err(LedgerError::Unfit { .. })), "it waits");

        // It runs, and asks in the middle.
        let mut pen = Pen { ledger: &ledger, home: &home, id: id.clone(), next: 0 };
        pen.write(vec![begun(&asked.plan)]).await;
        assert_eq!(approvals.question(&id).await, Ok(None));
        pen.write(vec![Word::Intent { step: StepId(1) }]).await;
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("go on?"));
        approvals.answer(&id, Answer::No, "eva", "too slow").await.unwrap();
        assert_eq!(records.answer(&id, "go on?").await, Ok(Some(Err("eva: too slow".into()))));

        // It is told to park, and does; who carries it on begins with a clean slate.
        assert_eq!(records.order(&id).await, Ok(Order::GoOn));
        orders.give(&id, Order::Park, "eva", "lunch").await.unwrap();
        assert_eq!(records.order(&id).await, Ok(Order::Park));
        pen.write(vec![ended(State::Parked, Some("eva said so"))]).await;
        assert_eq!(pen.state().await, (State::Parked, false));
        pen.write(vec![Word::Resumed { by: "ben".into(), way: Way::Forward }]).await;
        assert_eq!((records.order(&id).await, records.answer(&id, "go on?").await), (Ok(Order::GoOn), Ok(None)));
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("go on?"));
        let during = Utc::now();

        // Whoever writes a row that is there already has no lock.
        let late = Entry { seq: 1, at: Utc::now(), word: Word::Good };
        let error = records.append(&id, &[late]).await.unwrap_err().to_string();
        assert!(error.contains("another run carries it on"), "{error}");
        assert_eq!(pen.state().await, (State::Running, false), "nothing of it stayed");

        let place = records.bundle(&id, vec![("web.log".to_owned(), b"x".to_vec())]).await.unwrap();
        assert!(place.ends_with(&format!("bundles/{id}/1")), "{place}");
        deployments.measure(&id, Proof { requests: 12_000, failed: 3, p99_ms: Some(41.5) }).await.unwrap();
        pen.write(vec![Word::Bundle { place }, Word::Good, ended(State::Good, None)]).await;
        assert_eq!(records.load(&id).await.unwrap().len() as u64, pen.next);
        let found = deployments.find("2").await.unwrap();
        assert_eq!((found.state, found.requests, found.failed, found.p99_ms), (State::Good, Some(12_000), Some(3), Some(41.5)));
        assert_eq!((found.approved_by.join(" "), found.owed), ("ben eva".to_owned(), vec![HostId::new("app-03")]));
        assert_eq!((found.from_release, found.reason), (Some(old.id()), None));
        let late = orders.give(&id, Order::Unwind, "eva", "").await.unwrap_err().to_string();
        assert!(late.contains("rollback"), "{late}");

        // A third one is turned down.
        let third = deployments.next_id().await.unwrap();
        deployments.open(Asked { plan: plan(third.clone(), "production", &old, Some(&new)), by: "eva".to_owned(), needed: 1 }).await.unwrap();
        let down = approvals.answer(&third, Answer::No, "ben", "not on Friday").await.unwrap();
        assert_eq!((down.state, down.reason.as_deref()), (State::Unwound, Some("rejected by ben: not on Friday")));

        let good = deployments.good(&shop, &production).await.unwrap();
        assert_eq!(good.iter().map(|good| &good.release).collect::<Vec<_>>(), [&new.id(), &old.id()]);
        let before = deployments.last_good(&shop, &production, Some(&new.id())).await.unwrap().unwrap();
        assert_eq!((before.deployment, before.release), (first.clone(), old.id()));
        assert_eq!(deployments.is_good(&shop, &production, "1.0.1-22-7e56158").await, Ok(true));
        assert_eq!(deployments.is_good(&shop, &EnvironmentId::new("testing"), "1.0.1-22-7e56158").await, Ok(false));

        let standing = async |at| {
            let found = deployments.standing(at).await.unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].good.as_ref().unwrap().deployment.clone(), found[0].unsettled.clone())
        };
        assert_eq!(standing(between).await, (first.clone(), vec![]));
        assert_eq!(standing(during).await, (first.clone(), vec![id.clone()]));
        assert_eq!(standing(Utc::now()).await, (id.clone(), vec![]));
        assert_eq!(deployments.standing(between - chrono::TimeDelta::days(1)).await, Ok(Vec::new()));

        let ids = async |filter: DeploymentFilter| {
            deployments.list(filter).await.unwrap().into_iter().map(|found| found.id.number).collect::<Vec<_>>()
        };
        let all = DeploymentFilter::default();
        assert_eq!(ids(all.clone()).await, [3, 2, 1]);
        assert_eq!(ids(DeploymentFilter { by: Some("eva".to_owned()), ..all.clone() }).await, [3]);
        assert_eq!(ids(DeploymentFilter { until: Some(between), ..all.clone() }).await, [1]);
        assert_eq!(ids(DeploymentFilter { state: Some(State::Good), since: Some(between), ..all.clone() }).await, [2]);
        assert_eq!(ids(DeploymentFilter { environment: Some(EnvironmentId::new("testing")), ..all.clone() }).await, [0_u64; 0]);
        assert_eq!(ids(DeploymentFilter { app: Some(shop.clone()), limit: 2, ..all }).await, [3, 2]);
        for text in ["9", "9-k3f9", "x", ""] {
            assert!(matches!(deployments.find(text).await, Err(LedgerError::NoDeployment(_))), "{text}");
        }

        // Releases: the first word about one holds.
        let releases = ledger.releases();
        releases.record(old.clone(), "ana").await.unwrap();
        releases.record(new.clone(), "ana").await.unwrap();
        let mut moved = new.clone();
        moved.images.insert("postgres:15.4".into(), "postgres@sha256:other".into());
        assert_eq!(releases.record(moved, "ben").await.unwrap(), new, "an outside image stays what it was");
        let mut other = new.clone();
        other.revision.vars.insert("A".into(), "b".into());
        assert!(matches!(releases.record(other, "ben").await, Err(LedgerError::Taken { .. })));
        let revised = release("1.0.1-22-7e56158", 'c');
        releases.record(revised.clone(), "ben").await.unwrap();
        assert_eq!(releases.find(&shop, "1.0.1-22-7e56158").await.unwrap(), Some(revised));
        assert_eq!(releases.find(&shop, &new.id().to_string()).await.unwrap(), Some(new));
        assert_eq!(releases.find(&shop, "2").await.unwrap(), None);
        let listed = releases.list(&shop).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.good.len()).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!((listed[2].good[0].deployment.clone(), listed[0].by.as_str()), (first, "ben"));
    }
}

#[tokio::test]
async fn what_is_frozen_is_frozen_once() {
    for home in homes!() {
        let freezes = home.open().await.freezes();
        let (shop, production) = (AppName::new("shop"), EnvironmentId::new("production"));
        let frozen = freezes.freeze(&shop, &production, "ana", "the fair\u{1b}[2J").await.unwrap();
        assert_eq!(freezes.of(&shop, &production).await.unwrap(), Some(frozen.clone()));
        let error = freezes.freeze(&shop, &production, "ben", "me too").await.unwrap_err().to_string();
        assert!(error.contains("a freeze of shop in production by ana (the fair␛[2J) is recorded already"), "{error}");
        assert_eq!(freezes.list().await.unwrap(), [frozen.clone()]);
        assert_eq!(freezes.thaw(&shop, &production).await, Ok(Some(frozen)));
        assert_eq!(freezes.thaw(&shop, &production).await, Ok(None));
    }
}

#[tokio::test]
async fn a_server_that_ends_connections_is_connected_to_anew() {
    let cluster = match cluster() {
        Ok(cluster) => cluster,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let home = Home::postgres(cluster);
    let (_, database) = home.postgres.as_ref().unwrap();
    let ledger = home.open().await;
    for number in 1..=3 {
        assert_eq!(ledger.audit().begin(intent("TERM")).await, Ok(EntryId(number)));
        cluster.run("postgres", &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"));
    }
    assert_eq!(ledger.audit().rows(None).await.unwrap().len(), 3);

    // Who holds the lock and does not end is told of, and nobody waits for ever.
    let mut other = sqlx::AnyConnection::connect(&home.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE audit_head IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    assert!(matches!(ledger.audit().begin(intent("TERM")).await, Err(LedgerError::Locked { .. })));
    assert_eq!(ledger.audit().rows(None).await.unwrap().len(), 3, "a reader never waits");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(ledger.audit().begin(intent("TERM")).await, Ok(EntryId(4)));
    let refused = sqlx::raw_sql("DELETE FROM audit").execute(&mut other).await.unwrap_err().to_string();
    assert!(refused.contains("rows of the audit are only appended"), "{refused}");
}

#[tokio::test]
async fn verbs_that_only_need_the_ledger() {
    for home in homes!() {
        let program = Program::new();
        let config = home.configure(&program);
        let run = |args: &[&str]| program.run(&[&["-c", &config][..], args].concat());
        for args in [&["releases", "shop"][..], &["deployments"], &["deployments", "--at", "1h"]] {
            let ended = run(&[args, &["--read-only", "--format", "json"]].concat());
            assert_eq!((ended.code, ended.rows().len()), (Some(0), 0), "{args:?}: {ended:?}");
        }
        let ledger = home.open().await;
        let (old, new) = (release("1.0.0-20-aaaaaaa", 'a'), release("1.0.1-22-7e56158", 'b'));
        ledger.releases().record(old.clone(), "ana").await.unwrap();
        ledger.releases().record(new.clone(), "ana").await.unwrap();
        let ids = [ledger.deployments().next_id().await.unwrap(), ledger.deployments().next_id().await.unwrap()];
        for (id, release) in ids.iter().zip([&old, &new]) {
            let asked = Asked { plan: plan(id.clone(), "production", release, None), by: "ana".to_owned(), needed: 1 };
            ledger.deployments().open(asked).await.unwrap();
        }

        let text = |args: &[&str], code: i32| {
            let ended = run(args);
            assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
            if code == 0 { ended.out } else { ended.err }
        };
        let (first, second) = (ids[0].to_string(), ids[1].to_string());
        assert!(text(&["approve", &first, "--reason", "seen", "--read-only"], 5).contains("approve is refused"));
        assert!(text(&["approve", &first, "--reason", "seen"], 0).contains("it starts where its asker waits"));
        assert!(text(&["approve", &first, "--reason", "seen"], 5).contains("has said yes already"));
        assert!(text(&["reject", "2", "--reason", "late"], 0).contains("rejected; nothing was changed"));
        assert!(text(&["reject", &second, "--reason", "late"], 5).contains("waits for nobody's answer"));
        assert!(text(&["approve", "9", "--reason", "x"], 2).contains("there is no deployment \"9\""));
        assert!(text(&["freeze", "shop", "production", "--reason", "fair"], 0).contains("frozen"));
        assert!(text(&["freeze", "shop", "production", "--reason", "fair"], 1).contains("thaw it first"));
        assert!(text(&["thaw", "shop", "production", "--reason", "over"], 0).contains("froze it: fair"));
        assert!(text(&["thaw", "shop", "production", "--reason", "over"], 0).contains("was not frozen"));

        let mut pen = Pen { ledger: &ledger, home: &home, id: ids[0].clone(), next: 0 };
        pen.write(vec![begun(&plan(ids[0].clone(), "production", &old, None)), Word::Good]).await;
        let rows = run(&["deployments", "shop", "production", "--format", "json"]).rows();
        let of = |index: usize, key: &str| rows[index][key].to_string();
        assert_eq!((rows.len(), of(0, "state"), of(1, "state")), (2, "\"unwound\"".to_owned(), "\"good\"".to_owned()));
        assert_eq!((of(1, "id"), of(1, "from_release")), (format!("{first:?}"), "null".to_owned()));
        assert_eq!(rows[1]["hosts"], serde_json::json!(["app-02", "app-03"]));
        assert_eq!(rows[1]["approved_by"], serde_json::json!([Who::of_process().short()]));
        let page = run(&["deployment", "show", &first, "--format", "json", "--read-only"]).json();
        assert_eq!((page["state"].as_str(), page["journal"][1]["text"].as_str()), (Some("good"), Some("good")));
        assert_eq!(page["approvals"][0]["reason"], "seen");
        let rows = run(&["releases", "shop", "--format", "json"]).rows();
        let of_old = rows.iter().find(|row| row["version"] == "1.0.0-20-aaaaaaa").unwrap();
        assert_eq!((rows.len(), of_old["good"][0]["environment"].as_str()), (2, Some("production")));
        let standing = run(&["deployments", "shop", "--at", "0s", "--format", "json"]).rows();
        assert_eq!((standing.len(), standing[0]["release"].as_str()), (1, Some(old.id().to_string().as_str())));

        // All of it stands in the audit, done or not.
        let acts = run(&["audit", "--format", "json"]).rows();
        let acts: Vec<_> = acts.iter().map(|row| (row["action"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect();
        let expected = [
            ("deployment.approve", "done"),
            ("deployment.approve", "failed"),
            ("deployment.reject", "done"),
            ("deployment.reject", "failed"),
            ("environment.freeze", "done"),
            ("environment.freeze", "failed"),
            ("environment.thaw", "done"),
            ("environment.thaw", "done"),
        ];
        assert_eq!(acts, expected);
        assert_eq!(run(&["audit", "--verify"]).code, Some(0));
    }
}

#[test]
fn logins_to_a_server_and_what_is_said_when_they_fail() {
    let cluster = match cluster() {
        Ok(cluster) => cluster,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let (program, database) = (Program::new(), cluster.database());
    let pgpass = program.file("pass", &format!("127.0.0.1:*:*:deck:{PASSWORD}\n"));
    std::fs::set_permissions(&pgpass, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let state = tempfile::tempdir().unwrap();
    let log = state.path().join("log").display().to_string();
    let run = |url: &str, variables: &[(&str, &str)], args: &[&str]| {
        let config = program.file("config.toml", &format!("ledger = {url:?}\nstate = \"{}/state\"\n", state.path().display()));
        let args = [&["-c", &config, "--log-file", &log, "-vv"][..], args].concat();
        let ended = Ended::of(&program.command(&args).envs(variables.iter().copied()).output().unwrap());
        assert!(!format!("{ended:?}").contains(PASSWORD), "{ended:?}");
        ended
    };
    let url = cluster.tcp_url(&database);
    let with = [("PGPASSFILE", pgpass.as_str())];

    let made = run(&url, &with, &["init"]);
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""), "{made:?}");
    assert!(made.out.contains(&format!("ledger {url}\n")), "{made:?}");
    assert_eq!(run(&url, &[("PGPASSWORD", PASSWORD)], &["audit", "--verify"]).code, Some(0));
    let full = format!("{url}?sslmode=verify-full&sslrootcert={}", cluster.authority());
    let over_tls = run(&full, &with, &["audit", "--verify"]);
    assert_eq!(over_tls.code, Some(0), "{over_tls:?}");

    let foreign = cluster.database();
    cluster.run(&foreign, "create table customers (name text)");
    let latin = "latin";
    cluster.run("postgres", "create database latin encoding 'LATIN1' template template0");
    cluster.run("postgres", "create role guest login password 'x'");
    let guest = url.replace("deck@", "guest@");
    let malformed = program.file("broken", &format!("{PASSWORD}\n"));
    std::fs::set_permissions(&malformed, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let nobody = format!("postgres://deck@127.0.0.1:{}/x", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    for (url, variables, expected) in [
        (url.clone(), &[][..], "PGPASSFILE"),
        (url.clone(), &[("PGPASSFILE", malformed.as_str())], "PGPASSFILE"),
        (url.clone(), &[("PGPASSWORD", "wrong")], "password authentication failed for user \"deck\": give that user's password in ~/.pgpass"),
        (nobody, &with, "Connection refused (os error 111): is PostgreSQL running there"),
        (cluster.tcp_url("missing"), &with, "database \"missing\" does not exist: make it there: createdb"),
        (cluster.tcp_url(&foreign), &with, "is no ledger of quarterdeck (another program's tables are in it): give quarterdeck a database of its own"),
        (cluster.tcp_url(latin), &with, "its encoding is not UTF8"),
        (guest, &[("PGPASSWORD", "x")], "permission denied"),
        (format!("{url}?sslmode=verify-full"), &with, "sslrootcert=FILE"),
    ] {
        let ended = run(&url, variables, &["freeze", "shop", "production", "--reason", "x"]);
        assert_eq!(ended.code, Some(1), "{url} {variables:?}: {ended:?}");
        let named = url.split('?').next().unwrap();
        assert!(ended.err.contains(expected) && ended.err.contains(named), "{url} {variables:?}: {ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.is_empty() && !said.contains(PASSWORD), "a password is in the log");
    // Who may only look is held to it by the server, too.
    let looked = run(&url, &with, &["audit", "--read-only", "--format", "json"]);
    assert_eq!((looked.code, looked.rows().len()), (Some(0), 0), "{looked:?}");
}
