//! How fast an environment would be back, as its hosts tell.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::super::Desk;
use crate::{
    board::lanes::{Estimate, Frozen, WayBack},
    cli::{
        deploy::{
            readiness::{self, Back},
            stage::Stage,
        },
        exit::Failure,
    },
    delivery::{observed::Mark, plan::Speed},
    fleet::{AppName, EnvironmentId, HostId},
    text::clean_line,
};

/// Looks at the hosts of an environment, and notes what they tell.
pub(super) async fn read(desk: &Desk, (app, environment): &(AppName, EnvironmentId), stage: Result<Rc<Stage>, String>) {
    let Some(template) = desk.lanes.template(app) else { return };
    let read = async {
        let around = (&template.0, &template.1);
        readiness::readiness(&desk.sources, around, environment, (&*stage?, &desk.history)).await.map_err(Failure::words)
    };
    let read = read.await;
    let at = Utc::now();
    desk.lanes.note(app, |known| {
        let way_back = match read {
            Ok(told) => {
                match told.freeze {
                    Some(told) => drop(known.frozen.insert(environment.clone(), frozen(told))),
                    None => drop(known.frozen.remove(environment)),
                }
                told.back.map_or(WayBack::Nowhere, |back| ready(back, at))
            }
            Err(why) => WayBack::Fault { why, at },
        };
        known.way_back.insert(environment.clone(), way_back);
    });
}

fn frozen((host, mark): (HostId, Mark)) -> Frozen {
    Frozen {
        who: clean_line(&mark.holder),
        why: clean_line(mark.reason.as_deref().unwrap_or("no reason given")),
        since: DateTime::parse_from_rfc3339(&mark.since).ok().map(|at| at.to_utc()),
        host: Some(host),
    }
}

fn ready(back: Back, at: DateTime<Utc>) -> WayBack {
    let mut took = back.took;
    took.truncate(3);
    took.sort_unstable();
    let estimate = match (&back.speed, took.get(took.len() / 2)) {
        (Speed::Flip, _) => Estimate::Moment,
        (_, Some(median)) => Estimate::AsBefore(*median),
        (_, None) => Estimate::Unknown,
    };
    WayBack::Ready { to: back.to, speed: back.speed, hosts: back.hosts, estimate, at }
}
