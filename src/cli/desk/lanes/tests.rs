//! The desk on a ledger and a repository of its own. Its hosts answer to nobody: what is read from them fails, and holds nothing up.

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use chrono::Utc;
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    task::LocalSet,
    time::{Instant, timeout_at},
};

use super::*;
use crate::{
    board::{
        Order as AnyOrder,
        lanes::{Behind, BuildWord, Pair, Subject, WayBack},
    },
    cli::{args::Global, build::Named, deploy::history::History, fleet::Sources},
    delivery::{
        plan::fixture::Shop,
        release::{DeploymentId, Release},
        spec::ConfigHash,
    },
    ledger::{Answer, AppBuild, Asked, Rebuilt, audit::Who},
};

const TEMPLATE: &str = r#"
[app]
name     = "shop"
registry = "registry:5000"
version  = "1.0"

[images.web]
context = "web"

[services.web]
image = "web"
ports = ["80"]
vars  = { LOG = "info" }

[environments.production]
hosts   = ["app-01"]
after   = "testing"
approve = 1
vars    = { GREETING = "hello", API_TOKEN = "one" }

[environments.testing]
hosts = ["test-01"]
auto  = true
vars  = { GREETING = "hi", API_TOKEN = "two" }
"#;

/// Long enough for a machine that has much to do; nothing waits for it that goes well.
const PATIENCE: Duration = Duration::from_secs(60);

struct Ground {
    temp: TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { temp: tempfile::tempdir().unwrap() };
        fs::create_dir(ground.path("repo")).unwrap();
        ground.git(&["init", "--quiet", "--initial-branch=main"]);
        ground.commit("quarterdeck.toml", TEMPLATE, "first light");
        let config = format!(
            "[hosts.test-01]\nurl = \"unix://{0}/none.sock\"\n[hosts.app-01]\nurl = \"unix://{0}/none.sock\"\n\
             [apps.shop]\ntemplate = \"{0}/repo\"\n[apps.crm]\ntemplate = \"{0}/nowhere\"\n",
            ground.temp.path().display()
        );
        fs::write(ground.path("config.toml"), config).unwrap();
        ground
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.temp.path().join(name)
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgSign=false"])
            .args(words)
            .current_dir(self.path("repo"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, file: &str, text: &str, subject: &str) {
        let path = self.path("repo").join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, text).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", subject]);
    }

    fn desk(&self, read_only: bool) -> (Rc<Desk>, mpsc::Receiver<News>) {
        let global = Global {
            config: Some(self.path("config.toml")),
            hosts: Vec::new(),
            read_only,
            sim: None,
            state: Some(self.path("state")),
            log_file: None,
            verbose: 0,
        };
        let sources = Sources::load(&global).unwrap();
        let history = History::of(&sources).unwrap();
        let (news, outbox) = mpsc::channel(256);
        (
            Rc::new(Desk {
                global,
                sources,
                history,
                news,
                watch: Default::default(),
                lanes: Known::default(),
                sheet: Default::default(),
                watched: Default::default(),
                doubts: Default::default(),
            }),
            outbox,
        )
    }
}

/// The build of the newest commit, as if it had been pushed.
async fn build(desk: &Desk) -> AppBuild {
    let commit = Named::find(&desk.sources.config, "shop").unwrap().fetch(Some("HEAD"), &desk.sources.config).await.unwrap();
    let sha = commit.snapshot.commit.sha.as_str();
    let digest = format!("registry:5000/shop/web@sha256:{sha}{}", "0".repeat(24));
    let build = AppBuild {
        app: AppName::new("shop"),
        version: format!("1.0-{}-{}", commit.snapshot.count, &sha[..7]).into(),
        revision: sha.into(),
        images: [(Arc::from("web"), Arc::from(digest))].into(),
        spec: commit.template.spec.clone(),
        at: Utc::now(),
        by: "ana".into(),
    };
    desk.history.ledger().app_builds().record(build).await.unwrap()
}

/// The build is good in an environment.
async fn good(desk: &Desk, number: u64, build: &AppBuild, environment: &str) -> Release {
    let template = crate::cli::app::registered(&desk.sources.config, "shop", crate::cli::build::Fresh::Now).await.unwrap().0;
    let revision = template.environments[&EnvironmentId::new(environment)].revision.clone();
    let release = Release {
        app: build.app.clone(),
        version: Arc::clone(&build.version),
        images: build.images.clone(),
        spec: build.spec.clone(),
        config: revision.hash(),
        revision,
    };
    desk.history.ledger().releases().record(release.clone(), "ana").await.unwrap();
    let now = Utc::now();
    let rebuilt = Rebuilt {
        id: DeploymentId::new(number, 0),
        app: build.app.clone(),
        environment: EnvironmentId::new(environment),
        release: release.id(),
        by: "ana".into(),
        asked: now,
        good: now,
        hosts: Vec::new(),
    };
    assert!(desk.history.ledger().deployments().rebuild(rebuilt).await.unwrap());
    release
}

/// Somebody asks for a deployment in production.
async fn ask(desk: &Desk, by: &str, needed: u32) -> DeploymentId {
    let mut shop = Shop::of_web(1);
    shop.number = desk.history.ledger().deployments().likely_number().await.unwrap();
    let asked = Asked { plan: shop.plan(1).unwrap(), by: by.to_owned(), needed };
    let release = Release { config: ConfigHash::new("c1f09ab2".repeat(8)), ..shop.release(1) };
    desk.history.ledger().releases().record(release, by).await.unwrap();
    let id = asked.plan.deployment.clone();
    desk.history.ledger().deployments().open(asked).await.unwrap();
    id
}

/// The next news that this makes something of.
async fn until<T>(news: &mut mpsc::Receiver<News>, mut pick: impl FnMut(News) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = timeout_at(deadline, news.recv()).await.expect("no news in time").expect("the desk is gone");
        if let Some(found) = pick(told) {
            return found;
        }
    }
}

fn way(news: News, app: &str) -> Option<Way> {
    match news {
        News::Lanes(lanes::News::Ways(ways)) => ways.into_iter().find(|way| way.app.as_str() == app),
        _ => None,
    }
}

async fn said(news: &mut mpsc::Receiver<News>) -> String {
    until(news, |news| match news {
        News::Said(line) => Some(line),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn lanes_are_read_and_what_fails_holds_nothing_up() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    LocalSet::new()
        .run_until(async {
            let first = build(&desk).await;
            good(&desk, 1, &first, "testing").await;
            good(&desk, 2, &first, "production").await;
            ground.commit("web/index.html", "two", "a page");
            let second = build(&desk).await;
            good(&desk, 3, &second, "testing").await;
            ground.commit("web/index.html", "three", "another\u{1b}[31m page");
            ask(&desk, "ana", 1).await;
            Rc::clone(&desk).obey(AnyOrder::Watch(crate::board::Watch::Lanes)).await;

            let known = |way: &Way| {
                let read = |stop: &lanes::Stop| !matches!(stop.way_back, WayBack::Unknown);
                way.source.at.is_some() && way.stops.len() == 2 && way.stops.iter().all(read)
            };
            let (shop, crm) = until(&mut news, |news| match news {
                News::Lanes(lanes::News::Ways(ways)) => {
                    let of = |app: &str| ways.iter().find(|way| way.app.as_str() == app).cloned();
                    Some((of("shop").filter(known)?, of("crm").filter(|way| way.fault.is_some())?))
                }
                _ => None,
            })
            .await;
            let order: Vec<&str> = shop.stops.iter().map(|stop| stop.environment.as_str()).collect();
            assert_eq!(order, ["testing", "production"], "in the order of promotion, not of the file");
            assert_eq!(shop.build.as_ref().map(|build| build.version.clone()), Some(second.version.clone()));
            let subjects: Vec<&str> = shop.source.unbuilt.iter().map(|commit| commit.subject.as_str()).collect();
            assert_eq!(subjects.len(), 1);
            assert!(subjects[0].starts_with("another") && !subjects[0].contains('\u{1b}'), "{subjects:?}");
            let [testing, production] = &shop.stops[..] else { panic!("{shop:?}") };
            assert_eq!((&testing.behind, &testing.good.as_ref().unwrap().release.version), (&Behind::Same, &second.version));
            match &production.behind {
                Behind::Commits(commits, false) => assert_eq!((commits.len(), commits[0].subject.as_str()), (1, "a page")),
                other => panic!("{other:?}"),
            }
            assert_eq!(production.tries.iter().map(lanes::Try::missing).collect::<Vec<_>>(), [1]);
            // Nobody answers on its host, and it has nothing to go back to.
            assert_eq!(production.way_back, WayBack::Nowhere);
            assert_eq!(testing.expected[0].hosts, ["test-01".into()]);
            // The app without a template says why; nothing waits for it.
            assert!(crm.fault.unwrap().contains("nowhere") && crm.stops.is_empty());
        })
        .await;
}

#[tokio::test]
async fn a_reading_is_told_when_something_changed_and_asked_again_on_demand() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    LocalSet::new()
        .run_until(async {
            Rc::clone(&desk).obey(AnyOrder::Watch(crate::board::Watch::Lanes)).await;
            let fresh = until(&mut news, |news| way(news, "shop").filter(|way| way.source.at.is_some())).await;
            assert_eq!((fresh.build, fresh.source.unbuilt.len()), (None, 1));
            ground.commit("web/index.html", "two", "a page");
            obey(Rc::clone(&desk), Order::Reload).await;
            let read = until(&mut news, |news| way(news, "shop").filter(|way| way.source.unbuilt.len() == 2)).await;
            assert_eq!(read.source.unbuilt[0].subject, "a page");
            // A freeze that somebody else writes is seen at the next glance.
            let (app, environment) = (AppName::new("shop"), EnvironmentId::new("testing"));
            desk.history.ledger().freezes().freeze(&app, &environment, "bo", "the fair").await.unwrap();
            let frozen = until(&mut news, |news| way(news, "shop")?.stop(&environment)?.frozen.clone()).await;
            assert_eq!((frozen.who.as_str(), frozen.why.as_str()), ("bo", "the fair"));
            // Nobody looks any more: the watch ends, and its task with it.
            Rc::clone(&desk).obey(AnyOrder::Watch(crate::board::Watch::Nothing)).await;
            assert!(desk.watch.borrow().is_none());
        })
        .await;
}

#[tokio::test]
async fn a_place_is_frozen_and_thawed_by_the_verbs_own_code() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    let (app, environment) = (AppName::new("shop"), EnvironmentId::new("production"));
    let freeze = Order::Freeze { app: app.clone(), environment: environment.clone(), reason: "the fair".into() };
    obey(Rc::clone(&desk), freeze.clone()).await;
    let line = said(&mut news).await;
    // The host is not reached, and it is said what to do.
    assert!(line.starts_with("shop in production: frozen;") && line.contains("freeze it again when it answers"), "{line}");
    let subject = Subject::Place { app: app.clone(), environment: environment.clone() };
    obey(Rc::clone(&desk), Order::Ask(subject.clone())).await;
    let question = until(&mut news, |news| match news {
        News::Lanes(lanes::News::Asked(about, _, told)) => Some((about, told)),
        _ => None,
    })
    .await;
    assert_eq!(question.0, subject);
    assert_eq!(question.1.unwrap().frozen.unwrap().why, "the fair");
    obey(Rc::clone(&desk), Order::Thaw { app, environment, reason: "it is over".into() }).await;
    assert!(said(&mut news).await.contains("shop in production: thawed;"));
    let rows = desk.history.ledger().audit().rows(None).await.unwrap();
    let acts: Vec<(&str, &str)> = rows.iter().map(|row| (row.action.as_str(), row.argument.as_str())).collect();
    assert_eq!(acts, [("environment.freeze", "the fair"), ("environment.thaw", "it is over")]);
    // Who may only look is told so.
    let (desk, mut news) = ground.desk(true);
    obey(desk, freeze).await;
    assert!(said(&mut news).await.contains("freeze is refused"));
}

#[tokio::test]
async fn what_waits_is_answered_and_ones_own_is_refused_in_the_ledgers_words() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    let own = ask(&desk, &Who::of_process().short(), 1).await;
    let theirs = ask(&desk, "ana", 2).await;
    let answer =
        |deployment: &DeploymentId, answer| Order::Answer { deployment: deployment.clone(), answer, reason: "looked at it".into() };
    obey(Rc::clone(&desk), answer(&own, Answer::Yes)).await;
    assert!(said(&mut news).await.contains("somebody else has to say yes"));
    obey(Rc::clone(&desk), answer(&theirs, Answer::Yes)).await;
    assert!(said(&mut news).await.contains("1 approval to go"));
    let subject = Subject::Place { app: AppName::new("shop"), environment: EnvironmentId::new("production") };
    for (subject, expected) in [(subject, vec![&own, &theirs]), (Subject::Deployment(theirs.clone()), vec![&theirs])] {
        obey(Rc::clone(&desk), Order::Ask(subject)).await;
        let waiting = until(&mut news, |news| match news {
            News::Lanes(lanes::News::Asked(_, _, told)) => Some(told.unwrap().waiting),
            _ => None,
        })
        .await;
        assert_eq!(waiting.iter().map(|one| &one.deployment).collect::<Vec<_>>(), expected);
    }
    // Saying no to one's own is calling it off.
    obey(Rc::clone(&desk), answer(&own, Answer::No)).await;
    assert!(said(&mut news).await.contains("rejected; nothing was changed"));
    obey(Rc::clone(&desk), answer(&own, Answer::No)).await;
    assert!(said(&mut news).await.contains("it waits for nobody's answer"));
}

#[tokio::test]
async fn two_lanes_are_compared_without_a_secret() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    let first = build(&desk).await;
    good(&desk, 1, &first, "production").await;
    ground.commit("quarterdeck.toml", &TEMPLATE.replace("LOG = \"info\"", "LOG = \"debug\""), "log more");
    let second = build(&desk).await;
    let release = good(&desk, 2, &second, "testing").await;
    let pair = |before: Option<&str>, environment: &str| Pair {
        app: AppName::new("shop"),
        environment: EnvironmentId::new(environment),
        before: before.map(EnvironmentId::new),
    };
    let mut compared = async |pair: Pair| {
        obey(Rc::clone(&desk), Order::Compare(pair.clone())).await;
        let told = until(&mut news, |news| match news {
            News::Lanes(lanes::News::Compared(about, told)) => Some((about, told)),
            _ => None,
        });
        let (about, told) = told.await;
        assert_eq!(about, pair);
        told
    };
    let found = compared(pair(Some("testing"), "production")).await.unwrap();
    assert_eq!(found.there, Some(release.id().to_string()));
    assert_eq!(found.ahead.as_ref().unwrap().iter().map(|commit| commit.subject.as_str()).collect::<Vec<_>>(), ["log more"]);
    let changes = &found.services[0].changes;
    assert!(changes.contains(&"LOG: \"info\" → \"debug\"".to_owned()), "{changes:?}");
    assert!(changes.contains(&"GREETING: \"hello\" → \"hi\"".to_owned()), "{changes:?}");
    assert!(changes.contains(&"API_TOKEN: another value".to_owned()), "{changes:?}");
    assert!(!format!("{found:?}").contains("\"one\""), "{found:?}");
    assert_eq!(found.images.len(), 1);
    // Testing has what was built last, with today's configuration.
    assert!(compared(pair(None, "testing")).await.unwrap().ahead.unwrap().is_empty());
    let gone = compared(pair(None, "moon")).await.unwrap_err();
    assert!(gone.contains("no environment moon"), "{gone}");
}

#[tokio::test]
async fn a_build_tells_what_it_takes_in_and_why_it_failed() {
    let ground = Ground::new();
    let (desk, mut news) = ground.desk(false);
    let app = AppName::new("shop");
    obey(Rc::clone(&desk), Order::AskCommits(app.clone())).await;
    let source = until(&mut news, |news| match news {
        News::Lanes(lanes::News::Commits(_, _, told)) => Some(told.unwrap()),
        _ => None,
    })
    .await;
    assert_eq!((source.unbuilt.len(), source.unbuilt[0].subject.as_str()), (1, "first light"));
    obey(Rc::clone(&desk), Order::Build(app.clone())).await;
    let mut words = Vec::new();
    let why = until(&mut news, |news| match news {
        News::Lanes(lanes::News::Build(_, BuildWord::Ended(_, result))) => Some(result.unwrap_err()),
        News::Lanes(lanes::News::Build(_, word)) => {
            words.push(word);
            None
        }
        _ => None,
    })
    .await;
    // No engine answers at the socket of the first host.
    assert!(why.contains("none.sock") || why.contains("test-01"), "{why}");
    assert!(matches!(words[0], BuildWord::Begun(_)));
    // It can be tried again, and an app that nobody registered is told with the nearest name.
    obey(Rc::clone(&desk), Order::AskCommits(AppName::new("shp"))).await;
    let told = until(&mut news, |news| match news {
        News::Lanes(lanes::News::Commits(_, _, told)) => Some(told),
        _ => None,
    })
    .await;
    assert!(told.unwrap_err().contains("did you mean \"shop\"?"));
}
