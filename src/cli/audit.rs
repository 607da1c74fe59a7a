//! `audit`: who did what to which container, and what came of it; `--verify` checks that nobody touched it since.

mod noted;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::Serialize;

use super::{
    TimeSpec,
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::{self, Sources},
    gather::wait,
    json,
    out::{self, complain},
    table::{Column, Table},
};
use crate::{
    config::Layers,
    ledger::{
        Ledger, LedgerError,
        audit::{Check, Entry, Head, Verdict},
    },
    text::counted,
};

/// What is asked for.
pub struct Request {
    pub since: Option<TimeSpec>,
    pub verify: bool,
    pub heads: Vec<Head>,
    /// Whether the hosts are asked for the heads that stand on what was started.
    pub hosts: bool,
    pub output: Output,
}

/// Prints the acts, or what a check of them finds.
pub fn run(global: &Global, request: &Request) -> Result<Exit, Failure> {
    let config = Layers::from_process(global.flags()).load().map_err(Failure::usage)?;
    let ledger = fleet::ledger(&config, &config.rights())?;
    let audit = ledger.audit();
    let format = request.output.format;
    wait(async {
        if request.verify {
            let own = audit.head().await.map_err(failure)?;
            let on_hosts = match (request.hosts, &own) {
                (true, Some(own)) => noted::of(&Sources::load(global)?, &own.audit).await?,
                (true, None) | (false, _) => noted::Noted::default(),
            };
            let heads = request.heads.iter().chain(on_hosts.heads.keys()).cloned();
            let check = audit.verify(heads.collect()).await.map_err(failure)?;
            let stray = on_hosts.told(&check.faults);
            out::print(&match format {
                Format::Json => json::line(&CheckRow {
                    whole: check.is_whole(),
                    heads_on_hosts: on_hosts.heads.len(),
                    of_other_audits: on_hosts.others.len(),
                    check: &check,
                })?,
                Format::Table => format!("{stray}{}", report(&check)),
            })?;
            on_hosts.missing.iter().for_each(|line| complain(line));
            return Ok(match (check.is_whole(), on_hosts.missing.is_empty()) {
                (true, true) => Exit::DONE,
                (true, false) => Exit::INCOMPLETE,
                (false, _) => Exit::FAILED,
            });
        }
        let since = request.since.map(|since| since.resolve(&Local::now()));
        let entries = rows(&ledger, since).await?;
        out::print(&match format {
            Format::Json => json::array(&entries.iter().map(Row::of).collect::<Vec<_>>())?,
            Format::Table => table(&entries).render(out::width()),
        })?;
        Ok(Exit::DONE)
    })
}

/// The acts since a moment, oldest first.
pub(in crate::cli) async fn rows(ledger: &Ledger, since: Option<DateTime<Utc>>) -> Result<Vec<Entry>, Failure> {
    match ledger.audit().rows(since).await {
        // Nothing was recorded, and nothing is what there is to tell.
        Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
        other => other.map_err(failure),
    }
}

fn failure(error: LedgerError) -> Failure {
    Failure::failed(error)
}

/// A check as JSON.
#[derive(Serialize)]
struct CheckRow<'a> {
    whole: bool,
    /// Different heads of this audit on what was started.
    heads_on_hosts: usize,
    /// Containers with heads of other audits.
    of_other_audits: usize,
    #[serde(flatten)]
    check: &'a Check,
}

/// An act as JSON.
#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    at: String,
    who: String,
    login: Option<u32>,
    uid: u32,
    sudo_user: Option<&'a str>,
    ssh_connection: Option<&'a str>,
    machine: Option<&'a str>,
    pid: u32,
    action: &'a str,
    host: &'a str,
    target: &'a str,
    target_id: &'a str,
    argument: &'a str,
    plan: &'a str,
    outcome: Option<&'static str>,
    detail: &'a str,
    ended: Option<String>,
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry) -> Self {
        let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self {
            id: entry.id.0,
            at: moment(entry.at),
            who: entry.who.short(),
            login: entry.who.login,
            uid: entry.who.uid,
            sudo_user: entry.who.sudo_user.as_deref(),
            ssh_connection: entry.who.ssh_connection.as_deref(),
            machine: entry.who.machine.as_deref(),
            pid: entry.who.pid,
            action: &entry.action,
            host: &entry.host,
            target: &entry.target.name,
            target_id: &entry.target.id,
            argument: &entry.argument,
            plan: &entry.plan,
            outcome: entry.verdict.map(Verdict::word),
            detail: &entry.detail,
            ended: entry.ended.map(moment),
        }
    }
}

fn table(entries: &[Entry]) -> Table {
    let mut table = Table::new(vec![
        Column::new("ID").right(),
        Column::new("TIME").whole(),
        Column::new("WHO").least(6),
        Column::new("ACTION").whole(),
        Column::new("HOST").least(8).rank(2),
        Column::new("TARGET").least(8),
        Column::new("ARGUMENT").least(10).rank(3),
        Column::new("OUTCOME").whole(),
        Column::new("DETAIL").least(12).rank(1),
    ]);
    for entry in entries {
        table.push(vec![
            entry.id.to_string(),
            entry.at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
            entry.who.short(),
            entry.action.clone(),
            entry.host.clone(),
            entry.target.name.clone(),
            entry.argument.clone(),
            // Under way, or killed in the middle: the ledger cannot tell which.
            entry.verdict.map_or("open", Verdict::word).to_owned(),
            entry.detail.clone(),
        ]);
    }
    table
}

fn report(check: &Check) -> String {
    let mut text = String::new();
    for fault in &check.faults {
        text.push_str(&format!("{fault}\n"));
    }
    if check.more_faults > 0 {
        text.push_str(&format!("… and {}\n", counted(check.more_faults, "more fault")));
    }
    let rows = counted(check.rows, "row");
    let verdict = if check.is_whole() { "the chain holds" } else { "THE CHAIN DOES NOT HOLD" };
    text.push_str(&format!("{rows}, {} without an outcome: {verdict}\nhead {}\n", check.open, check.head));
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::ledger::audit::{ChainFault, EntryId, Target, Who};

    fn entries() -> Vec<Entry> {
        let who =
            Who { login: Some(1000), uid: 0, name: Some("ana".to_owned()), sudo_user: Some("ana".to_owned()), pid: 4711, ..Who::default() };
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 14, 2, 3).unwrap();
        let done = Entry {
            id: EntryId(1),
            at,
            who,
            action: "container.kill".to_owned(),
            host: "app-01".to_owned(),
            target: Target { name: "shop-web-1".to_owned(), id: "ab12".to_owned() },
            argument: "TERM".to_owned(),
            plan: "kill shop-web-1".to_owned(),
            verdict: Some(Verdict::Done),
            detail: "exit code 143".to_owned(),
            ended: Some(at + chrono::TimeDelta::milliseconds(1234)),
        };
        let open = Entry { id: EntryId(3), verdict: None, detail: String::new(), ended: None, ..done.clone() };
        vec![done, open]
    }

    #[test]
    fn golden() {
        insta::assert_snapshot!("audit_piped", table(&entries()).render(None));
        insta::assert_snapshot!("audit_80", table(&entries()).render(Some(80)));
        insta::assert_snapshot!("audit_json", json::array(&entries().iter().map(Row::of).collect::<Vec<_>>()).unwrap());
    }

    #[test]
    fn a_check_in_words() {
        let head = Head { seq: 5, hash: "9f86d081".to_owned() };
        let mut check = Check { rows: 5, open: 1, head, faults: Vec::new(), more_faults: 0 };
        assert_eq!(report(&check), "5 rows, 1 without an outcome: the chain holds\nhead 5:9f86d081\n");
        check.faults = vec![ChainFault::Missing { from: 3, to: 4 }];
        check.more_faults = 2;
        let expected =
            "rows 3 to 4 are missing\n… and 2 more faults\n5 rows, 1 without an outcome: THE CHAIN DOES NOT HOLD\nhead 5:9f86d081\n";
        assert_eq!(report(&check), expected);
    }
}
