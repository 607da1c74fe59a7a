//! The ledger on a real disk: what it writes, what it refuses, and what a kill, a crowd and a tamperer leave behind.

use std::{
    collections::BTreeMap,
    fs::Permissions,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use sqlx::Connection as _;
use tempfile::TempDir;

use super::{
    audit::{ChainFault, EntryId, Intent, Outcome, Target, Verdict, Who},
    *,
};

fn dir() -> (TempDir, StateDir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::at(temp.path().join("state"));
    (temp, dir)
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

/// The file as anybody with a shell has it.
async fn tamper(dir: &StateDir, statements: &'static str) {
    let mut connection = sqlx::AnyConnection::connect(&format!("sqlite://{}", dir.ledger_file().display())).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Name → mode, length and time of change, of all that is in a directory.
fn snapshot(dir: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let facts = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap()));
    facts.map(|(name, meta)| (name, (meta.mode() & 0o7777, meta.len(), meta.mtime_nsec()))).collect()
}

#[tokio::test]
async fn an_act_is_written_before_and_after() {
    let (_temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    let audit = ledger.audit();
    let first = audit.begin(intent("KILL\u{1b}[2J")).await.unwrap();
    let second = audit.begin(intent("TERM")).await.unwrap();
    audit.finish(first, Outcome::done("exit code 137")).await.unwrap();
    assert_eq!((first, second), (EntryId(1), EntryId(2)));

    let rows = audit.rows(None).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.verdict).collect::<Vec<_>>(), [Some(Verdict::Done), None]);
    let row = &rows[0];
    assert_eq!((row.argument.as_str(), row.detail.as_str()), ("KILL␛[2J", "exit code 137"));
    assert_eq!((&row.who, row.plan.as_str(), row.target.id.as_str()), (&Who::of_process(), "kill shop-web-1\non app-01", "ab12"));
    assert!(row.ended.unwrap() >= row.at);
    assert!(audit.rows(Some(row.ended.unwrap() + chrono::TimeDelta::seconds(60))).await.unwrap().is_empty());

    assert_eq!(audit.finish(first, Outcome::failed("")).await, Err(LedgerError::NotOpen(first)));
    assert_eq!(audit.finish(EntryId(99), Outcome::failed("")).await, Err(LedgerError::NotOpen(EntryId(99))));
    let check = audit.verify(Vec::new()).await.unwrap();
    assert!(check.is_whole() && check.rows == 3 && check.open == 1, "{check:?}");
}

#[tokio::test]
async fn nothing_is_made_before_the_first_call_and_nothing_by_who_looks() {
    let (temp, dir) = dir();
    let lazy = Ledger::lazy(dir.clone(), Access::Record);
    let looking = Ledger::lazy(dir.clone(), Access::Look);
    assert_eq!(looking.audit().rows(None).await, Err(LedgerError::Absent { place: Place::File(dir.ledger_file()) }));
    assert!(snapshot(temp.path()).is_empty());

    lazy.audit().begin(intent("TERM")).await.unwrap();
    assert_eq!(snapshot(dir.path()).keys().collect::<Vec<_>>(), ["ledger.db", "ledger.db-shm", "ledger.db-wal"]);
    // While somebody writes, through what is there.
    assert_eq!(looking.audit().rows(None).await.unwrap().len(), 1);
    // The last one that may write puts the file in order.
    drop(looking);
    drop(lazy);
    let before = snapshot(dir.path());
    assert_eq!(before.keys().collect::<Vec<_>>(), ["ledger.db"]);
    let looking = Ledger::lazy(dir.clone(), Access::Look);
    assert!(looking.audit().verify(Vec::new()).await.unwrap().is_whole());
    assert_eq!(looking.audit().begin(intent("TERM")).await, Err(LedgerError::ReadOnly));
    assert_eq!(snapshot(dir.path()), before);
}

#[tokio::test]
async fn the_file_itself_refuses_changes_and_a_tamperer_is_found() {
    const OPEN: &str = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut; ";
    type Expected = fn(&[ChainFault]) -> bool;
    let table: [(&'static str, Expected); 7] = [
        ("UPDATE audit SET host = 'app-02' WHERE seq = 3", |found| found == [ChainFault::Changed { seq: 3 }]),
        ("UPDATE audit SET host = x'ff00' WHERE seq = 3", |found| found == [ChainFault::Changed { seq: 3 }]),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", |found| found == [ChainFault::Changed { seq: 2 }]),
        ("DELETE FROM audit WHERE seq = 2", |found| found == [ChainFault::Missing { from: 2, to: 2 }]),
        ("DELETE FROM audit WHERE seq > 4", |found| found == [ChainFault::Cut { from: 5, to: 6 }]),
        (
            "UPDATE audit SET seq = 100 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 100",
            |found| found.contains(&ChainFault::Changed { seq: 3 }) && found.contains(&ChainFault::Changed { seq: 5 }),
        ),
        ("DELETE FROM audit_head", |found| matches!(found, [ChainFault::Head { .. }])),
    ];
    for (statement, expected) in table {
        let (_temp, dir) = dir();
        let ledger = Ledger::open(&dir).await.unwrap();
        for _ in 0..3 {
            let entry = ledger.audit().begin(intent("TERM")).await.unwrap();
            ledger.audit().finish(entry, Outcome::done("")).await.unwrap();
        }
        drop(ledger);
        let mut connection = sqlx::AnyConnection::connect(&format!("sqlite://{}", dir.ledger_file().display())).await.unwrap();
        let refused = sqlx::raw_sql("DELETE FROM audit").execute(&mut connection).await.unwrap_err().to_string();
        assert!(refused.contains("rows of the audit are only appended"), "{refused}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{OPEN}{statement}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let check = Ledger::open(&dir).await.unwrap().audit().verify(Vec::new()).await.unwrap();
        assert!(expected(&check.faults), "{statement}: {:?}", check.faults);
    }
}

#[tokio::test]
async fn a_cut_shows_even_after_more_was_appended() {
    let (_temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    for _ in 0..3 {
        ledger.audit().begin(intent("TERM")).await.unwrap();
    }
    tamper(&dir, "DROP TRIGGER audit_is_not_cut; DELETE FROM audit WHERE seq = 3").await;
    assert_eq!(ledger.audit().begin(intent("TERM")).await, Ok(EntryId(4)));
    assert_eq!(ledger.audit().verify(Vec::new()).await.unwrap().faults, [ChainFault::Missing { from: 3, to: 3 }]);
    // A head set back over rows that are there is no place to append to.
    tamper(&dir, "UPDATE audit_head SET seq = 1").await;
    let error = ledger.audit().begin(intent("TERM")).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Damaged { reason, .. } if reason.contains("there are later rows")), "{error}");
}

#[tokio::test]
async fn modes_of_a_private_and_of_a_shared_directory() {
    let (_temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    assert_eq!(std::fs::metadata(dir.path()).unwrap().mode() & 0o7777, 0o700);
    assert!(snapshot(dir.path()).values().all(|(mode, ..)| *mode == 0o600), "{:?}", snapshot(dir.path()));
    // Somebody's umask or chmod: mended, for a reader with a mode of its own would lock us out.
    std::fs::set_permissions(dir.ledger_file(), Permissions::from_mode(0o644)).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&dir).await.unwrap();
    ledger.audit().begin(intent("TERM")).await.unwrap();
    assert!(snapshot(dir.path()).values().all(|(mode, ..)| *mode == 0o600));

    let group = rustix::process::getegid().as_raw();
    assert_eq!(dir.share(&group.to_string()), Ok(Sharing::Group(group)));
    drop(ledger);
    let ledger = Ledger::open(&dir).await.unwrap();
    ledger.audit().begin(intent("TERM")).await.unwrap();
    assert_eq!(std::fs::metadata(dir.path()).unwrap().mode() & 0o7777, 0o2770);
    let files = snapshot(dir.path());
    assert!(files.len() == 3 && files.values().all(|(mode, ..)| *mode == 0o660), "{files:?}");
}

#[tokio::test]
async fn directories_that_are_refused() {
    let (_temp, dir) = dir();
    std::fs::create_dir(dir.path()).unwrap();
    for (mode, expected) in [
        (0o777, "everyone may write there (mode 777): chmod o-w "),
        (0o1777, "everyone may write there (mode 1777)"),
        (0o2777, "everyone may write there"),
        (0o775, "not set up to be shared: chmod g-w "),
        (0o2750, ""),
        (0o755, ""),
    ] {
        std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        let found = dir.check().map_or_else(|error| error.to_string(), |_| String::new());
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{mode:o}: {found}");
    }
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(StateDir::at(&file).check().unwrap_err().to_string().contains("it is no directory: name another with --state"));
    assert_eq!(dir.share("no-such-group"), Err(StateDirError::NoGroup("no-such-group".to_owned())));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(1), None).unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(dir.check().unwrap_err().to_string().contains("belongs to daemon, not to you"));
    }
}

#[tokio::test]
async fn files_that_are_refused_with_the_cause_and_the_remedy() {
    let refused = async |prepare: &dyn Fn(&Path)| {
        let (_temp, dir) = dir();
        dir.prepare().unwrap();
        prepare(&dir.ledger_file());
        let error = Ledger::open(&dir).await.unwrap_err();
        error.to_string().replace(dir.path().to_str().unwrap(), "DIR")
    };
    sqlx::any::install_default_drivers();
    let text = refused(&|file| std::fs::write(file, "not a database, but long enough to be read as one: ".repeat(100)).unwrap()).await;
    assert_eq!(
        text,
        "DIR/ledger.db: is no ledger of quarterdeck (file is not a database): move it away, or name another directory with --state"
    );
    let text = refused(&|file| std::os::unix::fs::symlink("/etc/passwd", file).unwrap()).await;
    assert!(text.contains("(it is no plain file)"), "{text}");

    let (_temp, dir) = dir();
    drop(Ledger::open(&dir).await.unwrap());
    tamper(&dir, "PRAGMA user_version = 9").await;
    let error = Ledger::open(&dir).await.unwrap_err();
    assert_eq!(error, LedgerError::Newer { place: Place::File(dir.ledger_file()), found: 9, known: 5 });
    tamper(&dir, "PRAGMA user_version = 1; PRAGMA application_id = 7").await;
    assert!(Ledger::open(&dir).await.unwrap_err().to_string().contains("another program's SQLite database"));
    let looked = Ledger::lazy(dir.clone(), Access::Look).audit().rows(None).await.unwrap_err();
    assert!(matches!(looked, LedgerError::Foreign { .. }));
}

#[tokio::test]
async fn a_lock_a_full_disk_and_a_torn_file() {
    let (_temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    ledger.audit().begin(intent("TERM")).await.unwrap();

    let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", dir.ledger_file().display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    quick(&ledger, "PRAGMA busy_timeout = 50").await;
    assert!(matches!(ledger.audit().begin(intent("TERM")).await, Err(LedgerError::Locked { .. })));
    assert_eq!(ledger.audit().rows(None).await.unwrap().len(), 1, "a reader never waits");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    quick(&ledger, "PRAGMA max_page_count = 1").await;
    let long = Intent { plan: "x".repeat(60_000), ..intent("TERM") };
    assert_eq!(ledger.audit().begin(long).await, Err(LedgerError::Full { place: Place::File(dir.ledger_file()) }));
    quick(&ledger, "PRAGMA max_page_count = 100000").await;
    assert_eq!(ledger.audit().begin(intent("TERM")).await, Ok(EntryId(2)), "what failed left nothing");
    drop(ledger);

    let mut bytes = std::fs::read(dir.ledger_file()).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0x5a);
    std::fs::write(dir.ledger_file(), bytes).unwrap();
    let found = async { Ledger::open(&dir).await?.audit().begin(intent("TERM")).await }.await.unwrap_err();
    assert!(matches!(found, LedgerError::Damaged { .. }), "{found}");
}

async fn quick(ledger: &Ledger, pragma: &'static str) {
    ledger.run(move |store| Box::pin(store.set(pragma))).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_begun_anew() {
    let (temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    ledger.audit().begin(intent("TERM")).await.unwrap();
    std::fs::rename(dir.path(), temp.path().join("old")).unwrap();
    assert_eq!(ledger.audit().begin(intent("TERM")).await, Ok(EntryId(1)));
    assert_eq!(ledger.audit().rows(None).await.unwrap().len(), 1);
}

#[test]
fn it_serves_several_runtimes_and_outlives_each() {
    let (_temp, dir) = dir();
    let ledger = Ledger::lazy(dir, Access::Record);
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(ledger.audit().begin(intent("TERM"))).unwrap();
    }
    let audit = ledger.audit();
    let rows = futures_util::future::join(audit.rows(None), audit.verify(Vec::new()));
    let (rows, check) = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(rows);
    assert!(rows.unwrap().len() == 2 && check.unwrap().is_whole());
}

/// What a child of the tests below does: begins, and finishes all but the last act.
#[tokio::test]
#[ignore = "a part of other tests: it runs in a process of its own"]
async fn child() {
    let dir = StateDir::at(std::env::var("QD_LEDGER").unwrap());
    let acts: usize = std::env::var("QD_ACTS").unwrap().parse().unwrap();
    let ledger = Ledger::open(&dir).await.unwrap();
    for _ in 1..acts {
        let entry = ledger.audit().begin(intent("TERM")).await.unwrap();
        ledger.audit().finish(entry, Outcome::done("")).await.unwrap();
    }
    println!("\nbegun {}", ledger.audit().begin(intent("KILL")).await.unwrap());
    if std::env::var("QD_STAY").is_ok() {
        std::future::pending::<()>().await;
    }
}

fn start(dir: &StateDir, acts: usize, stay: bool) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["ledger::tests::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("QD_LEDGER", dir.path()).env("QD_ACTS", acts.to_string()).stdout(Stdio::piped());
    if stay {
        command.env("QD_STAY", "1");
    }
    command
}

/// Waits until it has begun its last act.
fn wait_begun(child: &mut Child) {
    let out = BufReader::new(child.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line.starts_with("begun")), "the child failed");
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_a_readable_open_act() {
    let (_temp, dir) = dir();
    let mut child = start(&dir, 3, true).spawn().unwrap();
    wait_begun(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let audit = Ledger::open(&dir).await.unwrap().audit();
    let rows = audit.rows(None).await.unwrap();
    let last = rows.last().unwrap();
    assert_eq!((rows.len(), last.verdict, last.argument.as_str(), last.who.pid), (3, None, "KILL", child.id()));
    let check = audit.verify(Vec::new()).await.unwrap();
    assert!(check.is_whole() && check.rows == 5 && check.open == 1, "{check:?}");
}

#[tokio::test]
async fn kills_at_any_moment_leave_a_whole_chain() {
    let (_temp, dir) = dir();
    let audit = Ledger::open(&dir).await.unwrap().audit();
    let mut before = 0;
    for more in [1, 7, 20, 3, 33] {
        let mut child = start(&dir, 1_000_000, false).spawn().unwrap();
        let enough = async {
            while audit.verify(Vec::new()).await.unwrap().rows < before + more {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), enough).await.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let check = audit.verify(Vec::new()).await.unwrap();
        assert!(check.is_whole(), "{check:?}");
        before = check.rows;
    }
}

#[tokio::test]
async fn several_processes_that_begin_at_once_write_one_chain() {
    let (_temp, dir) = dir();
    let mut children: Vec<Child> = (0..5).map(|_| start(&dir, 20, false).spawn().unwrap()).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let audit = Ledger::open(&dir).await.unwrap().audit();
    let check = audit.verify(Vec::new()).await.unwrap();
    assert!(check.is_whole() && check.rows == 5 * 39 && check.open == 5, "{check:?}");
    assert_eq!(audit.rows(None).await.unwrap().len(), 100);
}

#[tokio::test]
async fn several_users_of_a_group_write_one_chain() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be several users");
        return;
    }
    let (temp, dir) = dir();
    std::fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();
    dir.share("54321").unwrap();
    let mine = Ledger::open(&dir).await.unwrap();
    mine.audit().begin(intent("TERM")).await.unwrap();
    // Once beside us, once alone, so that each of them makes the -wal and -shm anew.
    for uid in [54001, 54002] {
        assert!(start(&dir, 2, false).uid(uid).gid(54321).spawn().unwrap().wait().unwrap().success(), "uid {uid}");
    }
    drop(mine);
    for uid in [54001, 54002] {
        assert!(start(&dir, 2, false).uid(uid).gid(54321).spawn().unwrap().wait().unwrap().success(), "uid {uid}");
    }
    let outsider = start(&dir, 2, false).uid(54003).gid(54003).stderr(Stdio::piped()).output().unwrap();
    assert!(!outsider.status.success());
    let audit = Ledger::open(&dir).await.unwrap().audit();
    let uids: Vec<u32> = audit.rows(None).await.unwrap().iter().map(|row| row.who.uid).collect();
    assert_eq!(uids, [0, 54001, 54001, 54002, 54002, 54001, 54001, 54002, 54002]);
    assert!(audit.verify(Vec::new()).await.unwrap().is_whole());
    assert!(snapshot(dir.path()).values().all(|(mode, ..)| *mode == 0o660), "{:?}", snapshot(dir.path()));
}

#[tokio::test]
async fn what_a_run_is_at_is_one_row_that_goes_with_its_end() {
    use crate::{
        delivery::{plan::fixture::Shop, steps::StepId, strategies::script},
        run::{
            Pulse, Records as _, Wait,
            journal::{Entry, State, Word},
        },
    };
    let (_temp, dir) = dir();
    let ledger = Ledger::open(&dir).await.unwrap();
    let plan = Shop::of_web(1).plan(1).unwrap();
    let (id, records) = (plan.deployment.clone(), ledger.records(dir.clone()));
    ledger.deployments().open(Asked { plan: plan.clone(), by: "ana".to_owned(), needed: 1 }).await.unwrap();
    let waiting = ledger.deployments().under_way(9).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].deployment.state, waiting[0].sign), (1, State::Waiting, None));
    let row = |seq, at: i64, word| Entry { seq, at: chrono::DateTime::from_timestamp_millis(at).unwrap(), word };
    let begun = Word::Begun { by: "ana".into(), plan: Box::new(plan.clone()), script: Box::new(script(&plan)) };
    records.append(&id, &[row(0, 5_000, begun)]).await.unwrap();
    let sign = |found: Vec<UnderWay>| found[0].sign.map(|at| at.timestamp_millis());
    assert_eq!(sign(ledger.deployments().under_way(9).await.unwrap()), Some(5_000), "the journal is a sign of life, too");
    for (at, said) in [(7_000, "503"), (8_000, "200")] {
        let wait = Wait { said: Some(said.into()), ..Wait::default() };
        let at = chrono::DateTime::from_timestamp_millis(at).unwrap();
        records.pulse(&id, &Pulse { at, waits: [(StepId(3), wait)].into(), traffic: None }).await.unwrap();
    }
    let look = records.look(&id, 0).await.unwrap();
    let pulse = look.pulse.unwrap();
    assert_eq!((look.entries.len(), pulse.waits[&StepId(3)].said.as_deref()), (1, Some("200")));
    assert_eq!(sign(ledger.deployments().under_way(9).await.unwrap()), Some(8_000));
    // Who only looks sees what others write meanwhile, whether or not anybody had it open when he came.
    let looker = Ledger::lazy(dir.clone(), Access::Look);
    assert_eq!(looker.deployments().under_way(9).await.unwrap().len(), 1);
    drop((records, ledger));
    let looker_alone = Ledger::lazy(dir.clone(), Access::Look);
    drop(looker);
    assert_eq!(looker_alone.deployments().under_way(9).await.unwrap().len(), 1);
    let (ledger, before) = (Ledger::open(&dir).await.unwrap(), looker_alone.stamp());
    let ended = Word::Ended { state: State::Good, reason: None, owed: Default::default() };
    ledger.records(dir.clone()).append(&id, &[row(1, 9_000, ended)]).await.unwrap();
    assert_ne!(looker_alone.stamp(), before, "files tell that something was written");
    assert_eq!(looker_alone.deployments().under_way(9).await.unwrap(), []);
    assert_eq!(ledger.records(dir).look(&id, 0).await.unwrap().pulse, None);
}
