//! The plan of a deployment before anything happens, and its beginning: made and begun by what the verbs run.
//!
//! What was shown last of a sheet is kept here: only that is begun, and only if it would still happen.

mod figures;
mod paper;
mod place;

use std::{cell::RefCell, rc::Rc};

use super::Desk;
use crate::{
    board::{
        self,
        sheet::{News, Order, Refusal, Silent, Stand, Ticket, Wish},
    },
    cli::{
        deploy::{self, Gate, begins, is_same},
        exit::Failure,
    },
    delivery::{
        observed::{Observed, Sight},
        plan::{Options, Plan},
        release::{DeploymentId, Release},
    },
    ledger::audit::Who,
    text::{clean_line, counted},
};
use place::{Place, Whither};

/// What was shown last, and of which sheet: a person looks at one at a time.
#[derive(Default)]
pub(super) struct Memory {
    shown: RefCell<Option<(u64, Plan, Gate)>>,
}

impl Memory {
    fn keep(&self, sheet: u64, draft: &Draft) {
        let mut shown = self.shown.borrow_mut();
        // One that was closed before its plan was made does not push out what is looked at now.
        if shown.as_ref().is_none_or(|(of, ..)| *of <= sheet) {
            *shown = Some((sheet, draft.plan.clone(), draft.gate.clone()));
        }
    }

    /// Whether this is what was shown of the sheet.
    fn is_shown(&self, sheet: u64, draft: &Draft) -> bool {
        let shown = self.shown.borrow();
        shown.as_ref().is_some_and(|(of, plan, gate)| *of == sheet && is_same(plan, &draft.plan) && *gate == draft.gate)
    }
}

/// What would happen, with what it was made from.
struct Draft {
    observed: Observed,
    release: Release,
    plan: Plan,
    gate: Gate,
    /// What stands in its way on the hosts: somebody's lock, a disk that is full.
    obstacles: Vec<String>,
}

/// Does what is asked.
pub(super) async fn obey(desk: Rc<Desk>, order: Order) {
    let (ticket, wish, starts) = match order {
        Order::Plan { ticket, wish } => (ticket, wish, false),
        Order::Start { ticket, wish } => (ticket, wish, true),
    };
    let title = wish.title();
    let stand = match answer(&desk, ticket, &wish, starts).await {
        Ok(stand) => stand,
        Err(failure) => refused(title, failure, Vec::new()),
    };
    desk.tell(board::News::Sheet(News { ticket, stand })).await;
}

async fn answer(desk: &Desk, ticket: Ticket, wish: &Wish, starts: bool) -> Result<Stand, Failure> {
    desk.sources.may_act("a deployment")?;
    let place = match Place::of(desk, wish).await? {
        Whither::There(place) => place,
        Whither::Choose(environments) => return Ok(Stand::Choose { title: wish.title(), environments }),
    };
    let made = deploy::Wish::of(&desk.sources, &desk.history, &place.asked, &place.kind).await?;
    let hosts = made.stage.hosts(Some(&made.aim.policy)).into_iter().cloned().collect();
    let title = place.title(wish.kind, None);
    desk.tell(board::News::Sheet(News { ticket, stand: Stand::Asking { title: title.clone(), hosts } })).await;
    let observed = made.look().await?;
    let silent = silent(&observed, wish);
    let draft = match draft(&made, observed).await {
        Ok(draft) => draft,
        Err(failure) => return Ok(refused(title, failure, silent)),
    };
    let note = match starts {
        true => match start(desk, ticket, &made, &draft).await {
            Ok(Begin::Begun { deployment, line }) => return Ok(Stand::Begun { deployment, line }),
            Ok(Begin::Not(why)) => Some(why),
            Err(failure) => return Ok(refused(title, failure, silent)),
        },
        false => None,
    };
    desk.sheet.keep(ticket.sheet, &draft);
    let sheet = paper::sheet(desk, &made, &draft, (&place, wish.kind), silent).await?;
    Ok(Stand::Shown { sheet: Box::new(sheet), note })
}

/// What would happen now. Behind a gate that is shut one may look; nothing is begun from there.
async fn draft(made: &deploy::Wish<'_>, observed: Observed) -> Result<Draft, Failure> {
    let release = made.release(&observed).await?;
    let gate = made.gate(&release, &observed).await?;
    let none = DeploymentId::new(0, 0);
    let plan = match &gate {
        Gate::Open(_) => made.plan(&release, &observed, &none).await?,
        Gate::Shut { why, .. } => {
            let past = Options { override_reason: Some(why.as_str().into()), ..made.options.clone() };
            let plan = made.plan_with(&past, &release, &observed, &none).await?;
            Plan { options: made.options.clone(), ..plan }
        }
    };
    let mut obstacles = Vec::new();
    if !plan.is_nothing() {
        obstacles.extend(made.is_free(&observed).await.err().map(Failure::words));
        obstacles.extend(made.has_room(&plan).await.err().map(Failure::words));
    }
    Ok(Draft { observed, release, plan, gate, obstacles: obstacles.iter().map(|line| clean_line(line)).collect() })
}

/// What came of a beginning.
enum Begin {
    Begun { deployment: DeploymentId, line: String },
    Not(String),
}

/// Begins what was shown, if it is still what would happen.
async fn start(desk: &Desk, ticket: Ticket, made: &deploy::Wish<'_>, draft: &Draft) -> Result<Begin, Failure> {
    if !desk.sheet.is_shown(ticket.sheet, draft) {
        return Ok(Begin::Not("it has changed meanwhile: nothing was done, look again".to_owned()));
    }
    let needed = match draft.gate {
        Gate::Open(needed) => needed,
        Gate::Shut { .. } => return Ok(Begin::Not("the gate is shut: nothing was done".to_owned())),
    };
    if draft.plan.is_nothing() {
        return Ok(Begin::Not("all of it runs: nothing was done".to_owned()));
    }
    if let Some(obstacle) = draft.obstacles.first() {
        return Ok(Begin::Not(format!("nothing was done: {obstacle}")));
    }
    let deployment = desk.history.reserve().await?;
    let plan = made.plan(&draft.release, &draft.observed, &deployment).await?;
    desk.history.ask(&plan, &draft.release, needed).await?;
    if needed > 0 {
        let (approvals, asker) = (counted(needed as usize, "approval"), Who::of_process().short());
        let line = format!("deployment {deployment} waits for {approvals} by somebody other than {asker}");
        return Ok(Begin::Begun { deployment, line });
    }
    let mut run = made.begin(&desk.global, plan).await?;
    let begun = begins(&desk.history, &mut run).await;
    // Somebody has to hear of its end, or it stays in the table of processes.
    tokio::task::spawn_local(async move { run.child.wait().await });
    begun.map(|()| Begin::Begun { line: format!("deployment {deployment} has begun"), deployment })
}

/// Hosts that do not answer.
fn silent(observed: &Observed, wish: &Wish) -> Vec<Silent> {
    let lost = observed.hosts.iter().filter_map(|(host, sight)| match sight {
        Sight::Lost(why) => Some((host, why)),
        Sight::Seen(_) => None,
    });
    lost.map(|(host, why)| Silent { host: host.clone(), why: clean_line(why).into(), left_out: wish.without.contains(host) }).collect()
}

fn refused(title: String, failure: Failure, silent: Vec<Silent>) -> Stand {
    let why = failure.words();
    let why = why.lines().map(clean_line).filter(|line| !line.is_empty()).collect();
    Stand::Refused(Box::new(Refusal { title, why, silent }))
}
