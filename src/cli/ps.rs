//! `ps`: the containers of all hosts.

use chrono::{DateTime, Utc};

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
    table::{Column, NOTHING, Table, or_nothing},
};
use crate::{
    fleet::{Health, Port, rows::PsRow},
    text,
};

/// Prints what the filter selects. JSON tells what only inspect knows; the table does without and is there sooner.
pub fn run(global: &Global, filter: &[String], output: Output) -> Result<Exit, Failure> {
    let filter = selector(filter)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        let need = match output.format {
            Format::Json => Need::Details(filter.clone()),
            Format::Table => Need::Rows,
        };
        watch.settle(&need).await;
        let now = Utc::now();
        let rows = PsRow::all(watch.fleet(), &filter, now);
        out::print(&match output.format {
            Format::Json => json::array(&rows)?,
            Format::Table => table(&rows, now).render(out::width()),
        })?;
        Ok(watch.finish())
    })
}

fn table(rows: &[PsRow], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(vec![
        Column::new("HOST").whole(),
        Column::new("NAME").least(16),
        Column::new("APP").rank(4),
        Column::new("SERVICE").rank(3),
        Column::new("ENV").rank(5),
        Column::new("VERSION").least(20),
        Column::new("STATE").whole(),
        Column::new("HEALTH").rank(1),
        Column::new("CREATED").right().rank(2),
        Column::new("PORTS").rank(6),
        Column::new("IMAGE").keep_end().least(20).rank(7),
    ]);
    for row in rows {
        let health = match row.health {
            Health::None => NOTHING,
            Health::Starting | Health::Healthy | Health::Unhealthy => row.health.word(),
        };
        let state = match row.exit_code {
            Some(code) => format!("{} ({code})", row.state),
            None => row.state.to_string(),
        };
        table.push(vec![
            row.host.to_string(),
            row.name.to_string(),
            or_nothing(row.app.as_ref()),
            row.service.to_string(),
            or_nothing(row.environment.as_ref()),
            row.version.to_string(),
            state,
            health.to_owned(),
            text::since(row.created, now),
            ports(&row.ports),
            row.image.clone(),
        ]);
    }
    table
}

/// Published ports, `127.0.0.1:9000→8080`; an address that means every one is left out, and IPv4 and IPv6 are told once.
fn ports(ports: &[Port]) -> String {
    let mut shown: Vec<String> = Vec::new();
    for port in ports {
        let Some(public) = port.public else { continue };
        let address = port.address.as_deref().filter(|address| !matches!(*address, "0.0.0.0" | "::" | ""));
        let at = match address {
            Some(address) if address.contains(':') => format!("[{address}]:"),
            Some(address) => format!("{address}:"),
            None => String::new(),
        };
        let protocol = if &*port.protocol == "tcp" { String::new() } else { format!("/{}", port.protocol) };
        let text = format!("{at}{public}→{}{protocol}", port.private);
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    if shown.is_empty() { NOTHING.to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Selector, fixture};

    #[test]
    fn golden() {
        let fleet = fixture::fleet();
        let rows = PsRow::all(&fleet, &Selector::parse("env:production").unwrap(), fixture::now());
        insta::assert_snapshot!("ps_piped", table(&rows, fixture::now()).render(None));
        insta::assert_snapshot!("ps_100", table(&rows, fixture::now()).render(Some(100)));
        insta::assert_snapshot!("ps_60", table(&rows, fixture::now()).render(Some(60)));
        insta::assert_snapshot!("ps_json", json::array(&rows[..2]).unwrap());
    }

    #[test]
    fn ports_are_told_once() {
        let port = |address: Option<&str>, public, protocol: &str| Port {
            address: address.map(Into::into),
            public,
            private: 80,
            protocol: protocol.into(),
        };
        let list = [
            port(Some("0.0.0.0"), Some(8080), "tcp"),
            port(Some("::"), Some(8080), "tcp"),
            port(Some("127.0.0.1"), Some(53), "udp"),
            port(Some("::1"), Some(9), "tcp"),
            port(None, None, "tcp"),
        ];
        assert_eq!(ports(&list), "8080→80 127.0.0.1:53→80/udp [::1]:9→80");
        assert_eq!(ports(&[]), NOTHING);
    }
}
