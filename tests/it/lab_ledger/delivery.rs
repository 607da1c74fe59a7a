//! Releases, deployments, orders, answers and freezes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::Utc;
use quarterdeck::{
    build::{Builds as _, BuiltImage, ImageKey, Layer},
    delivery::{
        plan::{Options, Plan},
        release::{DeploymentId, Release},
        spec::{Batch, ConfigHash, OnFailure, Revision, Spec, StrategyKind, StrategySpec},
        steps::{Act, Phase, Step, StepId},
        strategies::Script,
    },
    fleet::{AppName, EnvironmentId, HostId},
    ledger::{Answer, Asked, DeploymentFilter, Ledger, LedgerError, Proof},
    run::{
        Order, Records as _,
        journal::{Entry, State, Way, Word},
    },
};

use super::{Home, homes};
use crate::postgres::cluster;

pub(super) fn release(version: &str, config: char) -> Release {
    let spec = Spec {
        app: AppName::new("shop"),
        registry: "r:5000".into(),
        images: Default::default(),
        services: Default::default(),
        jobs: Default::default(),
    };
    let images = [("postgres:15.4".into(), format!("postgres@sha256:{version}").into())];
    Release {
        app: AppName::new("shop"),
        version: version.into(),
        images: images.into_iter().collect(),
        spec,
        revision: Revision::default(),
        config: ConfigHash::new(String::from(config).repeat(64)),
    }
}

pub(super) fn plan(deployment: DeploymentId, environment: &str, release: &Release, from: Option<&Release>) -> Plan {
    Plan {
        deployment,
        app: AppName::new("shop"),
        environment: EnvironmentId::new(environment),
        release: release.id(),
        from: from.map(Release::id).into_iter().collect(),
        options: Options::default(),
        strategy: StrategySpec {
            kind: StrategyKind::Rolling { batch: Batch::Count(1), pause: Duration::ZERO },
            order: None,
            bake: Duration::ZERO,
            max_failures: 0,
            keep_warm: Duration::ZERO,
            on_failure: OnFailure::Deployment,
        },
        hosts: vec![HostId::new("app-02"), HostId::new("app-03")],
        out: BTreeMap::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        verify: None,
        lost: Vec::new(),
        warnings: Vec::new(),
        back: BTreeMap::new(),
        stale: Vec::new(),
        secrets: Default::default(),
    }
}

pub(super) fn script(question: &str) -> Script {
    let act = Act::Approve { question: question.into() };
    let step = Step { id: StepId(1), host: None, service: None, batch: 0, phase: Phase::Change, after: Vec::new(), act };
    Script { steps: vec![step], failed: Vec::new(), cool: Vec::new() }
}

pub(super) fn begun(plan: &Plan) -> Word {
    Word::Begun { by: "ana".into(), plan: Box::new(plan.clone()), script: Box::new(script("go on?")) }
}

pub(super) fn ended(state: State, reason: Option<&str>) -> Word {
    Word::Ended { state, reason: reason.map(Arc::from), owed: [HostId::new("app-03")].into_iter().collect() }
}

/// A run that writes rows one after another.
pub(super) struct Pen<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) home: &'a Home,
    pub(super) id: DeploymentId,
    pub(super) next: u64,
}

impl Pen<'_> {
    pub(super) async fn write(&mut self, words: Vec<Word>) {
        let entries: Vec<Entry> = words.into_iter().zip(self.next..).map(|(word, seq)| Entry { seq, at: Utc::now(), word }).collect();
        self.next += entries.len() as u64;
        self.ledger.records(self.home.state()).append(&self.id, &entries).await.unwrap();
    }

    pub(super) async fn state(&self) -> (State, bool) {
        let found = self.ledger.deployments().find(&self.id.to_string()).await.unwrap();
        (found.state, found.finished.is_some())
    }
}

#[tokio::test]
async fn a_deployment_from_its_asking_to_its_end() {
    for home in homes!() {
        let ledger = home.open().await;
        let (deployments, approvals, orders) = (ledger.deployments(), ledger.approvals(), ledger.orders());
        let records = ledger.records(home.state());
        let (old, new) = (release("1.0.0-20-aaaaaaa", 'a'), release("1.0.1-22-7e56158", 'b'));
        let (shop, production) = (AppName::new("shop"), EnvironmentId::new("production"));

        // The first one needs nobody's yes.
        let first = deployments.next_id().await.unwrap();
        deployments.open(Asked { plan: plan(first.clone(), "production", &old, None), by: "ana".to_owned(), needed: 0 }).await.unwrap();
        let mut pen = Pen { ledger: &ledger, home: &home, id: first.clone(), next: 0 };
        pen.write(vec![begun(&plan(first.clone(), "production", &old, None)), Word::Good]).await;
        assert_eq!(pen.state().await, (State::Good, true));
        let between = Utc::now();

        // The second one waits for two others.
        let id = deployments.next_id().await.unwrap();
        assert_eq!((first.number, id.number), (1, 2));
        let asked = Asked { plan: plan(id.clone(), "production", &new, Some(&old)), by: "ana".to_owned(), needed: 2 };
        deployments.open(asked.clone()).await.unwrap();
        assert!(matches!(deployments.open(asked.clone()).await, Err(LedgerError::Taken { .. })));
        let refused = async |answer, who: &str| approvals.answer(&id, answer, who, "reason").await.unwrap_err().to_string();
        assert!(refused(Answer::Yes, "ana").await.contains("ana asked for it: somebody else has to say yes"));
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("start"));
        assert_eq!(approvals.answer(&id, Answer::Yes, "ben", "looks good").await.unwrap().approved_by, ["ben"]);
        assert!(refused(Answer::Yes, "ben").await.contains("ben has said yes already"));
        // Another plan: what was said of the old one is void.
        deployments.replan(Plan { warnings: vec!["new".into()], ..asked.plan.clone() }).await.unwrap();
        assert_eq!(records.answer(&id, "start").await, Ok(None));
        assert_eq!(deployments.plan(&id).await.unwrap().unwrap().warnings, ["new".into()]);
        for who in ["ben", "eva"] {
            approvals.answer(&id, Answer::Yes, who, "still").await.unwrap();
        }
        assert_eq!(records.answer(&id, "start").await, Ok(Some(Ok(()))));
        assert!(matches!(orders.give(&id, Order::Park, "eva", "").await, Err(LedgerError::Unfit { .. })), "it waits");

        // It runs, and asks in the middle.
        let mut pen = Pen { ledger: &ledger, home: &home, id: id.clone(), next: 0 };
        pen.write(vec![begun(&asked.plan)]).await;
        assert_eq!(approvals.question(&id).await, Ok(None));
        pen.write(vec![Word::Intent { step: StepId(1) }]).await;
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("go on?"));
        approvals.answer(&id, Answer::No, "eva", "too slow").await.unwrap();
        assert_eq!(records.answer(&id, "go on?").await, Ok(Some(Err("eva: too slow".into()))));

        // It is told to park, and does; who carries it on begins with a clean slate.
        assert_eq!(records.order(&id).await, Ok(Order::GoOn));
        orders.give(&id, Order::Park, "eva", "lunch").await.unwrap();
        assert_eq!(records.order(&id).await, Ok(Order::Park));
        pen.write(vec![ended(State::Parked, Some("eva said so"))]).await;
        assert_eq!(pen.state().await, (State::Parked, false));
        pen.write(vec![Word::Resumed { by: "ben".into(), way: Way::Forward }]).await;
        assert_eq!((records.order(&id).await, records.answer(&id, "go on?").await), (Ok(Order::GoOn), Ok(None)));
        assert_eq!(approvals.question(&id).await.unwrap().as_deref(), Some("go on?"));
        let during = Utc::now();

        // Whoever writes a row that is there already has no lock.
        let late = Entry { seq: 1, at: Utc::now(), word: Word::Good };
        let error = records.append(&id, &[late]).await.unwrap_err().to_string();
        assert!(error.contains("another run carries it on"), "{error}");
        assert_eq!(pen.state().await, (State::Running, false), "nothing of it stayed");

        let place = records.bundle(&id, vec![("web.log".to_owned(), b"x".to_vec())]).await.unwrap();
        assert!(place.ends_with(&format!("bundles/{id}/1")), "{place}");
        deployments.measure(&id, Proof { requests: 12_000, failed: 3, p99_ms: Some(41.5) }).await.unwrap();
        pen.write(vec![Word::Bundle { place }, Word::Good, ended(State::Good, None)]).await;
        let rows = records.load(&id).await.unwrap();
        assert_eq!(rows.len() as u64, pen.next);
        assert_eq!(records.since(&id, 2).await.unwrap(), rows[2..]);
        assert_eq!(records.since(&id, pen.next).await.unwrap(), []);
        let found = deployments.find("2").await.unwrap();
        assert_eq!((found.state, found.requests, found.failed, found.p99_ms), (State::Good, Some(12_000), Some(3), Some(41.5)));
        assert_eq!((found.approved_by.join(" "), found.owed), ("ben eva".to_owned(), vec![HostId::new("app-03")]));
        assert_eq!((found.from_release, found.reason), (Some(old.id()), None));
        let late = orders.give(&id, Order::Unwind, "eva", "").await.unwrap_err().to_string();
        assert!(late.contains("rollback"), "{late}");

        // A third one is turned down.
        let third = deployments.next_id().await.unwrap();
        deployments
            .open(Asked { plan: plan(third.clone(), "production", &old, Some(&new)), by: "eva".to_owned(), needed: 1 })
            .await
            .unwrap();
        let down = approvals.answer(&third, Answer::No, "ben", "not on Friday").await.unwrap();
        assert_eq!((down.state, down.reason.as_deref()), (State::Unwound, Some("rejected by ben: not on Friday")));

        let good = deployments.good(&shop, &production).await.unwrap();
        assert_eq!(good.iter().map(|good| &good.release).collect::<Vec<_>>(), [&new.id(), &old.id()]);
        let before = deployments.last_good(&shop, &production, Some(&new.id())).await.unwrap().unwrap();
        assert_eq!((before.deployment, before.release), (first.clone(), old.id()));
        assert_eq!(deployments.is_good(&shop, &production, "1.0.1-22-7e56158").await, Ok(true));
        assert_eq!(deployments.is_good(&shop, &EnvironmentId::new("testing"), "1.0.1-22-7e56158").await, Ok(false));

        let standing = async |at| {
            let found = deployments.standing(at).await.unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].good.as_ref().unwrap().deployment.clone(), found[0].unsettled.clone())
        };
        assert_eq!(standing(between).await, (first.clone(), vec![]));
        assert_eq!(standing(during).await, (first.clone(), vec![id.clone()]));
        assert_eq!(standing(Utc::now()).await, (id.clone(), vec![]));
        assert_eq!(deployments.standing(between - chrono::TimeDelta::days(1)).await, Ok(Vec::new()));

        let ids = async |filter: DeploymentFilter| {
            deployments.list(filter).await.unwrap().into_iter().map(|found| found.id.number).collect::<Vec<_>>()
        };
        let all = DeploymentFilter::default();
        assert_eq!(ids(all.clone()).await, [3, 2, 1]);
        assert_eq!(ids(DeploymentFilter { by: Some("eva".to_owned()), ..all.clone() }).await, [3]);
        assert_eq!(ids(DeploymentFilter { until: Some(between), ..all.clone() }).await, [1]);
        assert_eq!(ids(DeploymentFilter { state: Some(State::Good), since: Some(between), ..all.clone() }).await, [2]);
        assert_eq!(ids(DeploymentFilter { environment: Some(EnvironmentId::new("testing")), ..all.clone() }).await, [0_u64; 0]);
        assert_eq!(ids(DeploymentFilter { app: Some(shop.clone()), limit: 2, ..all }).await, [3, 2]);
        for text in ["9", "9-k3f9", "x", ""] {
            assert!(matches!(deployments.find(text).await, Err(LedgerError::NoDeployment(_))), "{text}");
        }

        // Releases: the first word about one holds.
        let releases = ledger.releases();
        releases.record(old.clone(), "ana").await.unwrap();
        releases.record(new.clone(), "ana").await.unwrap();
        let mut moved = new.clone();
        moved.images.insert("postgres:15.4".into(), "postgres@sha256:other".into());
        assert_eq!(releases.record(moved, "ben").await.unwrap(), new, "an outside image stays what it was");
        let mut other = new.clone();
        other.revision.vars.insert("A".into(), "b".into());
        assert!(matches!(releases.record(other, "ben").await, Err(LedgerError::Taken { .. })));
        let revised = release("1.0.1-22-7e56158", 'c');
        releases.record(revised.clone(), "ben").await.unwrap();
        assert_eq!(releases.find(&shop, "1.0.1-22-7e56158").await.unwrap(), Some(revised));
        assert_eq!(releases.find(&shop, &new.id().to_string()).await.unwrap(), Some(new));
        assert_eq!(releases.find(&shop, "2").await.unwrap(), None);
        let listed = releases.list(&shop).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.good.len()).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!((listed[2].good[0].deployment.clone(), listed[0].by.as_str()), (first, "ben"));
    }
}

#[tokio::test]
async fn images_that_were_built_are_known_by_key_and_by_tag() {
    for home in homes!() {
        let builds = home.open().await.builds();
        let built = |version: &str, key: &str, seconds: i64| BuiltImage {
            key: ImageKey::known(key),
            repository: "r:5000/shop/web".into(),
            version: version.into(),
            digest: format!("sha256:{version}").into(),
            revision: "7e56158".into(),
            size: 1 << 40,
            layers: vec![Layer { made_by: "COPY a".to_owned(), size: 5 }],
            at: chrono::DateTime::from_timestamp(seconds, 0).unwrap(),
        };
        for image in [built("1", "a", 10), built("2", "b", 20), built("1", "d", 40)] {
            builds.record(image).await.unwrap();
        }
        assert_eq!(builds.known(&ImageKey::known("a")).await, Ok(None), "the tag was pushed again");
        assert_eq!(builds.tagged("r:5000/shop/web", "1").await, Ok(Some(built("1", "d", 40))));
        assert_eq!(builds.last("r:5000/shop/web").await, Ok(Some(built("1", "d", 40))));
    }
}

#[tokio::test]
async fn one_that_got_no_lock_left_nothing_and_is_begun_anew() {
    for home in homes!() {
        let ledger = home.open().await;
        let (old, records) = (release("1.0.0-20-aaaaaaa", 'a'), ledger.records(home.state()));
        let id = ledger.deployments().next_id().await.unwrap();
        let first = begun(&plan(id.clone(), "production", &old, None));
        let mut pen = Pen { ledger: &ledger, home: &home, id: id.clone(), next: 0 };
        // Nobody asked for it here: its beginning is enough.
        pen.write(vec![first.clone(), ended(State::Failed, Some("locked by ben"))]).await;
        assert_eq!(pen.state().await, (State::Failed, true));
        let standing = ledger.deployments().standing(Utc::now()).await.unwrap();
        assert_eq!(standing, Vec::new(), "nothing is in the middle of anything");

        pen.next = 0;
        pen.write(vec![first.clone(), Word::Intent { step: StepId(1) }]).await;
        assert_eq!((pen.state().await, records.load(&id).await.unwrap().len()), ((State::Running, false), 2));
        let again = records.append(&id, &[Entry { seq: 0, at: Utc::now(), word: first.clone() }]).await.unwrap_err().to_string();
        assert!(again.contains("another run carries it on"), "{again}");
        pen.write(vec![ended(State::Failed, Some("no room"))]).await;
        let again = records.append(&id, &[Entry { seq: 0, at: Utc::now(), word: first }]).await;
        assert!(again.is_err(), "what did something is carried on, not begun anew");
        let standing = ledger.deployments().standing(Utc::now()).await.unwrap();
        assert_eq!((standing[0].good.clone(), standing[0].unsettled.clone()), (None, vec![id]));
    }
}

#[tokio::test]
async fn what_is_frozen_is_frozen_once() {
    for home in homes!() {
        let freezes = home.open().await.freezes();
        let (shop, production) = (AppName::new("shop"), EnvironmentId::new("production"));
        let frozen = freezes.freeze(&shop, &production, "ana", "the fair\u{1b}[2J").await.unwrap();
        assert_eq!(freezes.of(&shop, &production).await.unwrap(), Some(frozen.clone()));
        let error = freezes.freeze(&shop, &production, "ben", "me too").await.unwrap_err().to_string();
        assert!(error.contains("a freeze of shop in production by ana (the fair␛[2J) is recorded already"), "{error}");
        assert_eq!(freezes.list().await.unwrap(), std::slice::from_ref(&frozen));
        assert_eq!(freezes.thaw(&shop, &production).await, Ok(Some(frozen)));
        assert_eq!(freezes.thaw(&shop, &production).await, Ok(None));
    }
}
