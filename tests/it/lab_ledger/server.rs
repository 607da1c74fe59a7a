//! What only a server does: end connections, ask for passwords, show certificates, go away in the middle.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use quarterdeck::{
    fleet::{AppName, EnvironmentId},
    ledger::{LedgerError, audit::EntryId},
};
use sqlx::Connection as _;

use super::{Home, PATIENCE, intent};
use crate::{
    postgres::{PASSWORD, cluster},
    program::{Ended, Program},
};

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
async fn a_server_that_goes_away_while_it_commits_leaves_it_unsure() {
    let cluster = match cluster() {
        Ok(cluster) => cluster,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let home = Home::postgres(cluster);
    let (_, database) = home.postgres.as_ref().unwrap();
    let ledger = home.open().await;
    let slow = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(600); return null; end $$;
        create constraint trigger slow after insert on freezes deferrable initially deferred for each row execute function slow()";
    cluster.run(database, slow);
    let (app, environment, freezes) = (AppName::new("shop"), EnvironmentId::new("production"), ledger.freezes());
    let ending = async {
        let end = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{database}' and query = 'COMMIT' and state = 'active'"
        );
        while cluster.run("postgres", &end).trim() == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let both = futures_util::future::join(freezes.freeze(&app, &environment, "ana", "fair"), tokio::time::timeout(PATIENCE, ending));
    let (frozen, ended) = both.await;
    ended.unwrap();
    let error = frozen.unwrap_err();
    assert!(matches!(error, LedgerError::Unsure { .. }), "{error}");
    assert!(error.to_string().contains("may or may not be recorded: look before you do it again"), "{error}");
    assert_eq!(freezes.list().await, Ok(Vec::new()));
}

#[test]
fn logins_to_a_server_and_what_is_said_when_they_fail() {
    let cluster = match cluster() {
        Ok(cluster) => cluster,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let (program, database) = (Program::new(), cluster.database());
    let pgpass = program.file("pass", &format!("127.0.0.1:*:*:deck:{PASSWORD}\n"));
    std::fs::set_permissions(&pgpass, std::fs::Permissions::from_mode(0o600)).unwrap();
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
    std::fs::set_permissions(&malformed, std::fs::Permissions::from_mode(0o600)).unwrap();
    let nobody =
        format!("postgres://deck@127.0.0.1:{}/x", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    for (url, variables, expected) in [
        (url.clone(), &[][..], "PGPASSFILE"),
        (url.clone(), &[("PGPASSFILE", malformed.as_str())], "PGPASSFILE"),
        (
            url.clone(),
            &[("PGPASSWORD", "wrong")],
            "password authentication failed for user \"deck\": give that user's password in ~/.pgpass",
        ),
        (nobody, &with, "Connection refused (os error 111): is PostgreSQL running there"),
        (cluster.tcp_url("missing"), &with, "database \"missing\" does not exist: make it there: createdb"),
        (
            cluster.tcp_url(&foreign),
            &with,
            "is no ledger of quarterdeck (another program's tables are in it): give quarterdeck a database of its own",
        ),
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
    let leak = said.lines().find(|line| line.contains(PASSWORD));
    assert!(leak.is_none(), "a password is in the log: {leak:?}");
    // Who may only look is held to it by the server, too.
    let looked = run(&url, &with, &["audit", "--read-only", "--format", "json"]);
    assert_eq!((looked.code, looked.rows().len()), (Some(0), 0), "{looked:?}");
}
