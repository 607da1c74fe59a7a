//! `top`: the processes of containers, as `ps` on their hosts tells them.

use serde::Serialize;

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
    table::{Column, Table},
};
use crate::fleet::{Container, ContainerId, ContainerKey, HostId, ServiceName, processes::Processes};

/// More containers at once are no question for a person.
const MOST: usize = 100;

/// A container and its processes, as JSON tells them.
#[derive(Debug, Serialize)]
struct Row {
    host: HostId,
    id: ContainerId,
    name: std::sync::Arc<str>,
    service: ServiceName,
    #[serde(flatten)]
    processes: Processes,
}

/// Prints the processes of the running containers that the selector selects.
pub fn run(global: &Global, terms: &[String], output: Output) -> Result<Exit, Failure> {
    let filter = selector(terms)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let fleet = watch.fleet();
        let selected = |container: &&Container| {
            container.is_running() && fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host))
        };
        let found: Vec<Container> = fleet.containers().filter(selected).cloned().collect();
        if found.is_empty() && watch.shortfalls().is_empty() {
            return Err(Failure::usage(format!("{:?} matches no running container", terms.join(" "))));
        }
        if found.len() > MOST {
            return Err(Failure::usage(format!(
                "{:?} matches {} containers; add terms until {MOST} are left",
                terms.join(" "),
                found.len()
            )));
        }
        let mut rows = Vec::with_capacity(found.len());
        let mut failed = false;
        for container in found {
            match processes(&mut watch, &container.key).await {
                Ok(processes) => rows.push(Row {
                    host: container.key.host,
                    id: container.key.id,
                    name: container.name,
                    service: container.identity.service.service,
                    processes,
                }),
                Err(error) => {
                    failed = true;
                    out::complain(&format!("host {:?}: {}: {error}", container.key.host.as_str(), container.name));
                }
            }
        }
        out::print(&match output.format {
            Format::Json => json::array(&rows)?,
            Format::Table => tables(&rows, out::width()),
        })?;
        let exit = watch.finish();
        Ok(if failed && exit == Exit::DONE { Exit::FAILED } else { exit })
    })
}

async fn processes(watch: &mut Watch, key: &ContainerKey) -> Result<Processes, String> {
    watch.top(key).await.map(|answer| Processes::parse(&answer))
}

/// One table for containers whose engines tell the same columns.
fn tables(rows: &[Row], width: Option<usize>) -> String {
    let mut out = String::new();
    for same in rows.chunk_by(|a, b| a.processes.titles == b.processes.titles) {
        let Some(first) = same.first() else { continue };
        let last = first.processes.titles.len().saturating_sub(1);
        let mut columns = vec![Column::new("HOST").whole(), Column::new("NAME").least(16)];
        for (index, title) in first.processes.titles.iter().enumerate() {
            let column = Column::new(title.clone());
            columns.push(match index {
                _ if index == last => column.least(20),
                0 => column.whole(),
                // The command says more than the rest: what stands farther right goes first.
                _ => column.whole().rank(u8::try_from(index).unwrap_or(u8::MAX)),
            });
        }
        let mut table = Table::new(columns);
        for row in same {
            for process in &row.processes.processes {
                let names = [row.host.to_string(), row.name.to_string()];
                table.push(names.into_iter().chain(process.iter().cloned()).collect());
            }
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&table.render(width));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let row = |host: &str, titles: &[&str], process: &[&str]| {
            let texts = |row: &[&str]| row.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            Row {
                host: host.into(),
                id: "ab12".into(),
                name: "shop-web-1".into(),
                service: "web".into(),
                processes: Processes { titles: texts(titles), processes: vec![texts(process), texts(process)] },
            }
        };
        let full = ["PID", "PPID", "USER", "%CPU", "%MEM", "ELAPSED", "COMMAND"];
        let rows = [
            row("app-01", &full, &["4121", "4099", "root", "0.3", "1.2", "3-04:11:02", "nginx: worker process"]),
            row("app-02", &full, &["77", "1", "www", "12.0", "0.0", "00:12", "nginx: master process nginx -g daemon off;"]),
            row("pod-01", &["USER", "PID", "COMMAND"], &["root", "1", "sleep 100"]),
        ];
        insta::assert_snapshot!("top_60", tables(&rows, Some(60)));
        insta::assert_snapshot!("top_json", json::array(&rows[2..]).unwrap());
    }
}
