//! The archive over a ledger on a real disk.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::archive::Archive;
use crate::{
    board::past::{Account, Filter, Moment, Near, News, Product, Recorded, Wish},
    delivery::{plan::fixture::Shop, release::DeploymentId, strategies},
    fleet::{AppName, EnvironmentId},
    ledger::{
        Access, Asked, Deployment, Ledger, StateDir,
        audit::{Intent, Outcome, Target, Who},
    },
    run::{
        Records as _,
        journal::{Entry, State, Word},
    },
};

struct Stage {
    _temp: tempfile::TempDir,
    dir: StateDir,
    ledger: Ledger,
}

impl Stage {
    async fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("state"));
        let ledger = Ledger::open(&dir).await.unwrap();
        Self { _temp: temp, dir, ledger }
    }

    fn archive(&self) -> Archive {
        let records = self.ledger.records(self.dir.clone());
        Archive::new(self.ledger.clone(), records, vec![AppName::new("shop"), AppName::new("blog")])
    }

    /// A deployment of the shop, carried out at this moment and ended so a minute later.
    async fn deploy(&self, shop: &Shop, version: u32, at: DateTime<Utc>, end: State) -> DeploymentId {
        let plan = shop.plan(version).unwrap();
        let id = plan.deployment.clone();
        self.ledger.releases().record(shop.release(version), "ana").await.unwrap();
        self.ledger.deployments().open(Asked { plan: plan.clone(), by: "ana".to_owned(), needed: 0 }).await.unwrap();
        let records = self.ledger.records(self.dir.clone());
        let script = strategies::script(&plan);
        let step = script.steps[0].id;
        let mut words = vec![Word::Begun { by: "ana".into(), plan: Box::new(plan), script: Box::new(script) }, Word::Intent { step }];
        if end == State::Good {
            words.push(Word::Good);
        } else {
            let place = records.bundle(&id, vec![("failure.txt".to_owned(), b"no\x1b[2J room\n".to_vec())]).await.unwrap();
            words.push(Word::Bundle { place });
        }
        words.push(Word::Ended { state: end, reason: (end != State::Good).then(|| "no room".into()), owed: [].into() });
        let entries: Vec<Entry> =
            (0..).zip(words).map(|(seq, word)| Entry { seq, at: if seq < 2 { at } else { at + TimeDelta::minutes(1) }, word }).collect();
        records.append(&id, &entries).await.unwrap();
        id
    }

    async fn read(&self, wish: Wish) -> Vec<News> {
        self.archive().read(&wish, &Utc::now()).await.map_err(crate::cli::exit::Failure::words).unwrap()
    }

    async fn rows(&self, filter: &str, limit: u32) -> (Vec<Deployment>, bool) {
        let filter = Filter::parse(filter).unwrap();
        match self.read(Wish::Deployments { filter, limit, open: None }).await.remove(0) {
            News::Deployments { rows, more, .. } => (rows, more),
            other => panic!("{other:?}"),
        }
    }

    async fn account(&self, id: &DeploymentId) -> Account {
        match self.read(Wish::Account(id.clone())).await.remove(0) {
            News::Account(account) => *account,
            other => panic!("{other:?}"),
        }
    }

    async fn moment(&self, at: DateTime<Utc>) -> Moment {
        match self.read(Wish::Moment { filter: Filter::default(), at }).await.remove(0) {
            News::Moment { moment, .. } => moment,
            other => panic!("{other:?}"),
        }
    }

    async fn changes(&self, since: DateTime<Utc>) -> Recorded {
        let near = Near {
            title: String::new(),
            product: Some(Product::App(AppName::new("shop"))),
            environment: Some(EnvironmentId::new("production")),
            host: None,
        };
        match self.read(Wish::Changes { near, since }).await.remove(0) {
            News::Changes(recorded) => *recorded,
            other => panic!("{other:?}"),
        }
    }
}

/// A shop whose second release says something else.
fn shops() -> (Shop, Shop) {
    let first = Shop::of_web(2);
    let mut second = first.clone().running(1);
    second.service("web").spec.vars.insert(Arc::from("GREETING"), Arc::from("s3cret"));
    second.service("web").spec.memory = Some(64 << 20);
    (first, second)
}

#[tokio::test]
async fn an_empty_ledger_tells_nothing_and_is_not_made_by_who_looks() {
    let temp = tempfile::tempdir().unwrap();
    let dir = StateDir::at(temp.path().join("state"));
    let ledger = Ledger::lazy(&dir, Access::Look);
    let archive = Archive::new(ledger.clone(), ledger.records(dir.clone()), Vec::new());
    let filter = Filter::default();
    for wish in [
        Wish::Deployments { filter: filter.clone(), limit: 10, open: Some("1-0000".parse().unwrap()) },
        Wish::Releases { filter: filter.clone() },
        Wish::Moment { filter, at: Utc::now() },
    ] {
        let told = archive.read(&wish, &Utc::now()).await.map_err(crate::cli::exit::Failure::words).unwrap();
        assert_eq!(told.len(), 1, "{wish:?}");
    }
    assert!(!dir.path().exists());
}

#[tokio::test]
async fn deployments_by_filter_and_page_and_one_in_full() {
    let stage = Stage::new().await;
    let (first, second) = shops();
    let start = Utc::now() - TimeDelta::hours(3);
    let good = stage.deploy(&first, 1, start, State::Good).await;
    let failed = stage.deploy(&second, 2, start + TimeDelta::hours(1), State::Failed).await;

    let (all, more) = stage.rows("", 10).await;
    assert_eq!((all.iter().map(|one| &one.id).collect::<Vec<_>>(), more), (vec![&failed, &good], false));
    assert!(stage.rows("", 2).await.1, "there may be more");
    assert_eq!(stage.rows("outcome:failed app:shop env:production by:ana since:1h", 10).await.0.len(), 1);
    for none in ["app:blog", "env:staging", "by:bo", "outcome:parked", "until:1h"] {
        assert_eq!(stage.rows(none, 10).await.0, [], "{none}");
    }

    let account = stage.account(&failed).await;
    assert_eq!(account.deployment.reason.as_deref(), Some("no room"));
    assert!(account.facts.contains(&("reason", "no room".to_owned())), "{:?}", account.facts);
    let journal = &account.chapters.iter().find(|(title, _)| *title == "JOURNAL").unwrap().1;
    assert!(journal.last().unwrap().ends_with("ended failed: no room"), "{journal:?}");
    let bundle = &account.bundles[0];
    assert_eq!(bundle.texts.as_ref().unwrap()[0].name, "01-failure.txt");
    assert_eq!(super::evidence::read(&bundle.place, "01-failure.txt").unwrap(), ["no␛[2J room"]);
    assert_eq!(stage.account(&good).await.bundles, []);
}

#[tokio::test]
async fn releases_of_every_app() {
    let stage = Stage::new().await;
    let (first, second) = shops();
    let start = Utc::now() - TimeDelta::hours(3);
    let good = stage.deploy(&first, 1, start, State::Good).await;
    stage.deploy(&second, 2, start + TimeDelta::hours(1), State::Failed).await;
    let rows = |filter: &str| {
        let filter = Filter::parse(filter).unwrap();
        async {
            match stage.read(Wish::Releases { filter }).await.remove(0) {
                News::Releases { rows, .. } => rows,
                other => panic!("{other:?}"),
            }
        }
    };
    let all = rows("").await;
    assert_eq!(all.len(), 2);
    assert_eq!((&*all[0].release.version, all[0].good.len()), ("1.0.2-2-aaaaaa2", 0));
    assert_eq!(all[1].good[0].deployment, good);
    assert_eq!(rows("outcome:good").await.len(), 1);
    assert_eq!(rows("app:blog").await, []);
}

#[tokio::test]
async fn what_ran_at_a_moment_between_two_deployments() {
    let stage = Stage::new().await;
    let (first, second) = shops();
    let start = Utc::now() - TimeDelta::hours(3);
    let old = stage.deploy(&first, 1, start, State::Good).await;
    let new = stage.deploy(&second, 2, start + TimeDelta::hours(1), State::Good).await;

    let between = stage.moment(start + TimeDelta::minutes(30)).await;
    let [stand] = between.stands.as_slice() else { panic!("{between:?}") };
    assert_eq!(stand.then.as_ref().map(|good| (&good.deployment, &*good.release.version)), Some((&old, "1.0.1-1-aaaaaa1")));
    assert_eq!(stand.now.as_ref().map(|good| &good.deployment), Some(&new));
    assert_eq!(stand.by.as_deref(), Some("ana"));

    let during = stage.moment(start + TimeDelta::minutes(60) + TimeDelta::seconds(30)).await;
    assert_eq!(during.stands[0].unsettled, [new]);
    let before = stage.moment(start - TimeDelta::minutes(1)).await;
    assert_eq!((before.stands.len(), &before.stands[0].then), (1, &None));
}

#[tokio::test]
async fn changes_name_settings_without_their_values_and_acts_with_their_author() {
    let stage = Stage::new().await;
    let (first, second) = shops();
    let start = Utc::now() - TimeDelta::hours(30);
    stage.deploy(&first, 1, start, State::Good).await;
    let new = stage.deploy(&second, 2, Utc::now() - TimeDelta::hours(2), State::Good).await;
    let intent = Intent {
        who: Who::of_process(),
        action: "environment.freeze".to_owned(),
        host: String::new(),
        target: Target { name: "shop in production".to_owned(), id: String::new() },
        argument: "the auditors are here".to_owned(),
        plan: String::new(),
    };
    let audit = stage.ledger.audit();
    let entry = audit.begin(intent).await.unwrap();
    audit.finish(entry, Outcome::done("")).await.unwrap();

    let told = stage.changes(Utc::now() - TimeDelta::hours(3)).await;
    assert_eq!(told.deployments.iter().filter(|one| one.deployment.id == new).count(), 1);
    let changed = &told.deployments.iter().find(|one| one.deployment.id == new).unwrap().settings;
    assert_eq!(changed, &["web: GREETING, memory"]);
    assert!(!format!("{told:?}").contains("s3cret"));
    let [act] = told.acts.as_slice() else { panic!("{:?}", told.acts) };
    assert_eq!(
        (&*act.action, &*act.target, act.who.as_str()),
        ("environment.freeze", "shop in production", Who::of_process().short().as_str())
    );
}
