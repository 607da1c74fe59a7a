//! The heads of the audit that stand on what was started: rows that are cut off the end are missed on the hosts.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cli::{
        exit::Failure,
        fleet::Sources,
        gather::{Need, Watch},
    },
    delivery::release::label,
    ledger::audit::{ChainFault, Head, NotedHead},
    text::counted,
};

/// What hosts hold.
#[derive(Debug, Default)]
pub struct Noted {
    /// Heads of this audit, each with a container that carries it.
    pub heads: BTreeMap<Head, Arc<str>>,
    /// Containers that carry heads of other audits.
    pub others: Vec<Arc<str>>,
    /// Hosts that were not asked, and why.
    pub missing: Vec<String>,
}

/// The heads on all hosts; `audit` is the beginning of the first row's hash.
///
/// # Errors
/// When no host can be asked at all.
pub async fn of(sources: &Sources, audit: &str) -> Result<Noted, Failure> {
    let mut watch = Watch::start(sources)?;
    watch.settle(&Need::Rows).await;
    let mut noted = Noted { missing: watch.shortfalls(), ..Noted::default() };
    for container in watch.fleet().containers() {
        let Some(head) = container.labels.get(label::AUDIT).and_then(|text| text.parse::<NotedHead>().ok()) else { continue };
        let place: Arc<str> = format!("{} on {}", container.name, container.key.host).into();
        if head.audit == audit {
            noted.heads.entry(head.head).or_insert(place);
        } else {
            noted.others.push(place);
        }
    }
    Ok(noted)
}

impl Noted {
    /// Where the heads stand that the audit does not have, and that there are some of other audits.
    pub fn told(&self, faults: &[ChainFault]) -> String {
        let mut text = String::new();
        for fault in faults {
            let ChainFault::Unknown { noted } = fault else { continue };
            if let Some(place) = self.heads.get(noted) {
                text.push_str(&format!("{noted} stands on {place}\n"));
            }
        }
        if let Some(first) = self.others.first() {
            let count = counted(self.others.len(), "container");
            let why = "started with another ledger, or this one was written anew since";
            text.push_str(&format!("{count} with the head of another audit, such as {first}: {why}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_is_told_with_its_place() {
        let head = |seq| Head { seq, hash: "9f86d081884c7d65".to_owned() };
        let heads = [(head(4), Arc::from("shop-web-1 on app-01")), (head(9), Arc::from("shop-web-2 on app-02"))];
        let noted = Noted { heads: heads.into(), others: vec!["crm-1 on app-03".into()], missing: Vec::new() };
        let told = noted.told(&[ChainFault::Unknown { noted: head(9) }, ChainFault::Missing { from: 1, to: 2 }]);
        assert_eq!(
            told,
            "9:9f86d081884c7d65 stands on shop-web-2 on app-02\n1 container with the head of another audit, such as crm-1 on app-03: started with another ledger, or this one was written anew since\n"
        );
    }
}
