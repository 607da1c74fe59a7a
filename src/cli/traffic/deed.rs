//! Changes of slots that a person asked for: each written down before and after, and told when it is over.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;

use super::{
    super::{
        args::Format,
        exit::Failure,
        fleet::Sources,
        gather::Watch,
        json,
        out::{self, complain},
    },
    View,
};
use crate::{
    fleet::HostId,
    ledger::audit::{Audit, Intent, Outcome, Target, Who},
    traffic::{Admission, Trouble, Way, admit, empty},
};

/// How long a check may take to pass: some balancers look every ten seconds and want three good looks.
const PASSES: Duration = Duration::from_secs(45);

/// What is done to one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    pub lb: Arc<str>,
    pub backend: Arc<str>,
    pub slot: Arc<str>,
    pub address: SocketAddr,
    pub host: Option<HostId>,
    pub container: Option<Arc<str>>,
    pub wish: Wish,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// It gets its whole share of the requests.
    Admit,
    /// It gets nothing new.
    Drain,
    /// It gets nothing new, and what it has is waited for.
    Empty(Duration),
    /// It is free.
    Remove,
}

impl Wish {
    pub fn word(self) -> &'static str {
        match self {
            Self::Admit => "ready",
            Self::Drain | Self::Empty(_) => "drain",
            Self::Remove => "maint",
        }
    }
}

impl Deed {
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.lb, self.backend, self.slot)
    }
}

#[derive(Serialize)]
struct Row<'a> {
    lb: &'a str,
    backend: &'a str,
    slot: &'a str,
    address: String,
    host: Option<&'a str>,
    container: Option<&'a str>,
    act: &'static str,
    outcome: &'static str,
    message: String,
    /// Why the outcome is not in the audit.
    unrecorded: Option<String>,
}

struct Ended {
    result: Result<String, String>,
    unrecorded: Option<String>,
}

/// Carries them out: what brings servers in before what takes servers away, and nothing is taken from a backend into which something could
/// not be brought. Whether all is as was asked.
pub async fn carry_out(
    sources: &Sources,
    watch: &Watch,
    view: &View,
    mut deeds: Vec<Deed>,
    action: &str,
    plan: &str,
    format: Format,
) -> Result<bool, Failure> {
    let audit = sources.ledger()?.audit();
    deeds.sort_by_key(|deed| deed.wish);
    let mut broken: HashSet<(Arc<str>, Arc<str>)> = HashSet::new();
    let mut rows: Vec<(Deed, Ended)> = Vec::new();
    for wave in deeds.chunk_by(|a, b| a.wish == b.wish) {
        let work = wave.iter().map(async |deed| {
            let ended = if broken.contains(&(deed.lb.clone(), deed.backend.clone())) {
                Ended { result: Err("not done: what should take its requests could not be brought in".to_owned()), unrecorded: None }
            } else {
                recorded(&audit, view, sources, deed, (action, plan)).await
            };
            if format == Format::Table {
                out::print(&line(deed, &ended))?;
            }
            Ok::<_, Failure>((deed.clone(), ended))
        });
        for done in join_all(work).await {
            let (deed, ended) = done?;
            if ended.result.is_err() {
                broken.insert((deed.lb.clone(), deed.backend.clone()));
            }
            rows.push((deed, ended));
        }
    }
    let kept = persisted(view, &rows).await;
    if format == Format::Json {
        let rows: Vec<Row<'_>> = rows.iter().map(|(deed, ended)| row(deed, ended)).collect();
        out::print(&json::array(&rows)?)?;
    }
    // The links were used until here.
    let _links = watch.fleet();
    Ok(kept && rows.iter().all(|(_, ended)| ended.result.is_ok()))
}

/// What a restart of a balancer would undo is told; whether all that should be written down is.
async fn persisted(view: &View, rows: &[(Deed, Ended)]) -> bool {
    let mut whole = true;
    let touched: HashSet<&str> = rows.iter().map(|(deed, _)| &*deed.lb).collect();
    for seen in view.balancers.iter().filter(|seen| touched.contains(&*seen.lb)) {
        match seen.port.persist().await {
            Ok(Some(_)) => {}
            Ok(None) => complain(&format!("balancer {}: a restart undoes this: set `persist` in its configuration", seen.lb)),
            Err(trouble) => {
                complain(&format!("balancer {}: a restart undoes this: {trouble}", seen.lb));
                whole = false;
            }
        }
    }
    whole
}

async fn recorded(audit: &Audit, view: &View, sources: &Sources, deed: &Deed, (action, plan): (&str, &str)) -> Ended {
    let intent = Intent {
        who: Who::of_process(),
        action: action.to_owned(),
        host: deed.host.as_ref().map_or_else(String::new, |host| host.to_string()),
        target: Target { name: deed.place(), id: deed.address.to_string() },
        argument: deed.wish.word().to_owned(),
        plan: plan.to_owned(),
    };
    let entry = match audit.begin(intent).await {
        Ok(entry) => entry,
        Err(error) => return Ended { result: Err(format!("not done: it cannot be written down: {error}")), unrecorded: None },
    };
    let result = perform(view, sources, deed).await;
    let outcome = match &result {
        Ok(detail) => Outcome::done(detail.clone()),
        Err(Trouble::Away(why)) => Outcome::unknown(why.clone()),
        Err(trouble) => Outcome::failed(trouble.to_string()),
    };
    let unrecorded = audit.finish(entry, outcome).await.err().map(|error| error.to_string());
    Ended { result: result.map_err(|trouble| trouble.to_string()), unrecorded }
}

async fn perform(view: &View, sources: &Sources, deed: &Deed) -> Result<String, Trouble> {
    let Some(seen) = view.balancer(&deed.lb) else { return Err(Trouble::Refused(format!("there is no balancer {}", deed.lb))) };
    let (balancer, backend, slot) = (&*seen.port, &*deed.backend, &*deed.slot);
    match deed.wish {
        Wish::Admit => {
            let wish = Admission { backend, slot, address: deed.address, share: 100, within: PASSES };
            let way = Way::new(deed.host.clone(), Arc::clone(&view.ground), sources.rights.clone());
            admit(balancer, &wish, async move { way.answers(deed.address).await }).await?;
            Ok("it gets requests".to_owned())
        }
        Wish::Drain => balancer.drain(backend, slot).await.map(|()| "it gets nothing new".to_owned()),
        Wish::Empty(within) => match empty(balancer, backend, slot, within).await? {
            0 => Ok("it gets nothing new, and all is answered".to_owned()),
            left => {
                let left = crate::text::counted(usize::try_from(left).unwrap_or(usize::MAX), "request");
                Err(Trouble::Refused(format!("it gets nothing new, and {left} under way after {} s", within.as_secs())))
            }
        },
        Wish::Remove => balancer.remove(backend, slot).await.map(|()| "it is in maintenance".to_owned()),
    }
}

fn line(deed: &Deed, ended: &Ended) -> String {
    let (sign, text) = match &ended.result {
        Ok(text) => ("✔", text),
        Err(text) => ("✘", text),
    };
    let unrecorded = ended.unrecorded.as_ref().map_or_else(String::new, |why| format!(" · not in the audit: {why}"));
    format!("{sign} {}  {}  {text}{unrecorded}\n", deed.place(), deed.address)
}

fn row<'a>(deed: &'a Deed, ended: &'a Ended) -> Row<'a> {
    let (outcome, message) = match &ended.result {
        Ok(text) => ("done", text.clone()),
        Err(text) => ("failed", text.clone()),
    };
    Row {
        lb: &deed.lb,
        backend: &deed.backend,
        slot: &deed.slot,
        address: deed.address.to_string(),
        host: deed.host.as_ref().map(HostId::as_str),
        container: deed.container.as_deref(),
        act: deed.wish.word(),
        outcome,
        message,
        unrecorded: ended.unrecorded.clone(),
    }
}
