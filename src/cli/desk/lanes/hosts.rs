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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_median_of_the_last_three_is_the_estimate() {
        let back = |speed: Speed, took: &[u64]| Back {
            to: "1.0-1-aaaaaaa+c1f09ab2".parse().unwrap(),
            hosts: [(HostId::new("app-01"), speed.clone())].into(),
            speed,
            took: took.iter().map(|seconds| Duration::from_secs(*seconds)).collect(),
        };
        for (speed, took, expected) in [
            (Speed::Flip, vec![9], Estimate::Moment),
            (Speed::Start, vec![6, 90, 8, 1, 1], Estimate::AsBefore(Duration::from_secs(8))),
            (Speed::Pull, vec![40], Estimate::AsBefore(Duration::from_secs(40))),
            (Speed::Pull, vec![], Estimate::Unknown),
            (Speed::Recheck, vec![3, 5], Estimate::AsBefore(Duration::from_secs(5))),
        ] {
            let WayBack::Ready { estimate, .. } = ready(back(speed.clone(), &took), Utc::now()) else { panic!("{speed:?}") };
            assert_eq!(estimate, expected, "{speed:?} {took:?}");
        }
    }

    #[test]
    fn a_freeze_that_a_host_tells_is_cleaned_and_dated_where_it_can_be() {
        let mark = |since: &str, reason: Option<&str>| Mark {
            id: "f".into(),
            holder: "bo@jump-02\u{1b}[31m".into(),
            since: since.into(),
            reason: reason.map(Into::into),
            deployment: None,
        };
        let told = frozen((HostId::new("app-01"), mark("2026-11-20T18:00:00Z", Some("the fair"))));
        assert!(told.since.is_some() && !told.who.contains('\u{1b}') && told.why == "the fair");
        let told = frozen((HostId::new("app-01"), mark("yesterday", None)));
        assert_eq!((told.since, told.why.as_str()), (None, "no reason given"));
    }
}
