//! One look for news and everything that follows from it: the newest commit is built, and its build goes from environment to environment up
//! to the first gate.

use std::sync::Arc;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::{
    said::{About, Said, What},
    way::{Next, Past, Stage, named, next, stages},
};
use crate::{
    build::{Logins, version::is_dirty},
    cli::{
        app,
        args::Format,
        build::{self, Fresh, Link, Named, outside},
        deploy::quiet::{Ending, Wish, deploy_quietly},
        exit::{Exit, Failure},
        fleet::Sources,
    },
    delivery::{
        plan::Plan,
        release::{DeploymentId, ReleaseId},
        spec::{ConfigHash, ImageSource},
        template::{Surroundings, Template},
    },
    fleet::{AppName, EnvironmentId, ServiceName},
    ledger::{
        Answer, AppBuild, Deployment, DeploymentFilter, Ledger, LedgerError,
        audit::{Entry, Who},
    },
    run::{
        Records as _,
        journal::{State, Word},
    },
    text::counted,
};

/// So many of an environment's last deployments are looked through.
const LOOKED_THROUGH: u32 = 100;

/// What every look needs.
pub struct Round<'a> {
    pub sources: &'a Sources,
    pub app: &'a AppName,
    pub logins: &'a Logins,
    pub stop: &'a CancellationToken,
    pub format: Format,
}

/// How a look ended.
pub struct Done {
    /// The worst of what came of it.
    pub exit: Exit,
    /// Deployments behind which something is still warm.
    pub warm: Vec<Plan>,
}

/// What is deployed, and how.
struct Cargo {
    build: AppBuild,
    /// An older build that differs in the outside images of these services only.
    older: Option<(Arc<str>, Vec<ServiceName>)>,
}

/// Where a build has come to in one environment.
enum Came {
    /// It is good there.
    Through,
    /// It waits for a person.
    Gate,
    /// It does not go on, for this reason's exit code.
    Stopped(Exit),
}

fn fault(error: LedgerError) -> Failure {
    Failure::failed(error)
}

impl Round<'_> {
    /// Looks, builds, deploys. `newest` is set to the commit that was seen.
    ///
    /// # Errors
    /// What stood in the way and may be gone at the next look.
    pub async fn run(&self, said: &mut Said, newest: &mut Option<String>) -> Result<Done, Failure> {
        let config = &self.sources.config;
        let source = Named::find(config, self.app.as_str())?;
        let commit = source.newest(config).await?;
        *newest = Some(commit.sha.clone());
        let (template, around) = app::registered(config, self.app.as_str(), Fresh::AsFetched).await?;
        let mut look = Look {
            round: self,
            template: &template,
            around: &around,
            ledger: self.sources.ledger()?,
            said,
            acted: false,
            warm: Vec::new(),
        };
        let way = look.way();
        if way.is_empty() {
            let what = "no environment has `auto = true` and no `after`: there is nowhere to begin";
            return Err(Failure::usage(format!("{}: {what}", self.app)));
        }
        let cargo = look.cargo(source, &commit.sha, &commit.subject).await?;
        let mut exit = Exit::DONE;
        let (mut through, mut gates) = (Vec::new(), Vec::new());
        for stage in &way {
            if self.stop.is_cancelled() {
                exit = Exit::FAILED;
                break;
            }
            if stage.after.as_ref().is_some_and(|after| !through.contains(after)) {
                continue;
            }
            match look.stage(stage, &cargo).await? {
                Came::Through => through.push(stage.environment.clone()),
                Came::Gate => gates.push(stage.environment.to_string()),
                Came::Stopped(code) => exit = code,
            }
        }
        if !look.acted {
            let version = &*cargo.build.version;
            let good: Vec<&str> = through.iter().map(EnvironmentId::as_str).collect();
            let good = if good.is_empty() { String::new() } else { format!("; good in {}", good.join(", ")) };
            let waits = if gates.is_empty() { String::new() } else { format!("; waits for {}", gates.join(", ")) };
            look.said.tell(
                What::NothingNew,
                About { version: Some(version), ..About::default() },
                &format!("{version} is the newest{good}{waits}"),
            )?;
        }
        Ok(Done { exit, warm: look.warm })
    }
}

/// A look under way.
struct Look<'a> {
    round: &'a Round<'a>,
    template: &'a Template,
    around: &'a Surroundings,
    ledger: Ledger,
    said: &'a mut Said,
    /// Whether anything was built, deployed or asked.
    acted: bool,
    warm: Vec<Plan>,
}

impl Look<'_> {
    fn way(&self) -> Vec<Stage> {
        let environments = self.template.environments.iter();
        stages(environments.map(|(name, said)| Stage::new(name, &self.around.tightened(name, &said.policy))).collect())
    }

    /// The build of the newest commit, made where there is none.
    async fn cargo(&mut self, source: Named, sha: &str, subject: &str) -> Result<Cargo, Failure> {
        let builds = match self.ledger.app_builds().newest(self.round.app).await {
            Err(LedgerError::Absent { .. }) => Vec::new(),
            other => other.map_err(fault)?,
        };
        let mut builds: Vec<AppBuild> = builds.into_iter().filter(|build| !is_dirty(&build.version)).collect();
        let known = builds.iter().find(|build| *build.revision == *sha).cloned();
        let newest = match known {
            Some(known) => match self.outside_news(&known).await? {
                Some(news) => {
                    builds.insert(0, news.clone());
                    news
                }
                None => known,
            },
            None => {
                let built = self.build(source, sha, subject).await?;
                builds.insert(0, built.clone());
                built
            }
        };
        // Where commits changed nothing that runs, the build that is out already stands for them.
        let first = self.way().into_iter().next().map(|stage| stage.environment);
        let same = builds.iter().skip_while(|build| build.version != newest.version).take_while(|build| build.is_same(&newest));
        let mut chosen = newest.clone();
        for build in same {
            if let Some(first) = &first
                && self.is_good(first, &build.version).await?
            {
                chosen = build.clone();
                break;
            }
        }
        let older = builds.iter().skip_while(|build| build.version != chosen.version).nth(1);
        let older = older.filter(|older| older.revision == chosen.revision && older.spec == chosen.spec);
        let older = older.map(|older| (Arc::clone(&older.version), named(&chosen.spec, &chosen.images, &older.images)));
        Ok(Cargo { older: older.filter(|(_, services)| !services.is_empty()), build: chosen })
    }

    async fn is_good(&self, environment: &EnvironmentId, version: &str) -> Result<bool, Failure> {
        self.ledger.deployments().is_good(self.round.app, environment, version).await.map_err(fault)
    }

    async fn build(&mut self, source: Named, sha: &str, subject: &str) -> Result<AppBuild, Failure> {
        let (sources, round) = (self.round.sources, self.round);
        self.acted = true;
        self.said.tell(What::Commit, About::default(), &format!("{} {subject}", sha.get(..7).unwrap_or(sha)))?;
        let commit = source.fetch(Some(sha), &sources.config).await?;
        let link = Link::open(sources).await?;
        let mut progress = build::Said::new(round.format, false);
        let built = build::build(sources, &commit, &link, round.logins, true, round.stop, &mut progress).await?;
        let recorded = self.ledger.app_builds().find(round.app, &built.version).await.map_err(fault)?;
        let recorded = recorded.ok_or_else(|| Failure::failed(format!("{} was built and is not in the records", built.version)))?;
        let new = built.images.iter().filter(|image| image.built).count();
        let text = format!("{}: {} of {} new", recorded.version, new, counted(built.images.len(), "image"));
        self.said.tell(What::Built, About { version: Some(&recorded.version), ..About::default() }, &text)?;
        Ok(recorded)
    }

    /// The same build with the outside images that were pushed since, recorded; `None`: none was.
    async fn outside_news(&mut self, known: &AppBuild) -> Result<Option<AppBuild>, Failure> {
        let is_outside = |source: &ImageSource| matches!(source, ImageSource::Outside(reference) if known.images.contains_key(reference));
        if !known.spec.services.values().any(|service| is_outside(&service.image)) {
            return Ok(None);
        }
        let link = match Link::open(self.round.sources).await {
            Ok(link) => link,
            Err(failure) => {
                let text = format!("outside images are not looked for: {}", failure.words());
                self.said.tell(What::Note, About::default(), &text)?;
                return Ok(None);
            }
        };
        let now = outside(&known.spec, &link, self.round.logins, Some(known)).await;
        let news: Vec<_> = now.into_iter().filter(|(name, digest)| known.images.get(name).is_some_and(|old| old != digest)).collect();
        if news.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = news.iter().map(|(name, _)| &**name).collect();
        let text = format!("{} newly pushed", names.join(", "));
        let mut build = AppBuild { at: Utc::now(), by: Who::of_process().short(), ..known.clone() };
        build.images.extend(news);
        let build = self.ledger.app_builds().record(build).await.map_err(fault)?;
        self.acted = true;
        self.said.tell(What::Built, About { version: Some(&build.version), ..About::default() }, &format!("{}: {text}", build.version))?;
        Ok(Some(build))
    }

    async fn stage(&mut self, stage: &Stage, cargo: &Cargo) -> Result<Came, Failure> {
        let Some(said) = self.template.environments.get(&stage.environment) else { return Ok(Came::Stopped(Exit::FAILED)) };
        let release = ReleaseId { version: Arc::clone(&cargo.build.version), config: ConfigHash::new(said.revision.hash().short()) };
        let units: Vec<Option<ServiceName>> = match &cargo.older {
            // Outside images change only where their services are named.
            Some((older, services)) if self.is_good(&stage.environment, older).await? => services.iter().cloned().map(Some).collect(),
            Some(_) | None => vec![None],
        };
        for service in units {
            let past = self.past(&stage.environment, &release).await?;
            let about = About { environment: Some(&stage.environment), version: Some(&release.version), ..About::default() };
            let ask = match next(stage, &release, service.as_ref(), &past) {
                Next::Passed => continue,
                Next::Waits(id) => {
                    self.tell_gate(stage, about, &id)?;
                    return Ok(Came::Gate);
                }
                Next::Stopped { by, because } => {
                    let text = format!("{release}: {because}");
                    self.said.tell(What::Stopped, About { deployment: Some(&by), ..about }, &text)?;
                    return Ok(Came::Stopped(Exit::FAILED));
                }
                Next::Deploy => false,
                Next::Ask => true,
            };
            if !ask {
                self.said.tell(What::Deploys, about, &release.to_string())?;
            }
            let wish = Wish {
                template: self.template,
                around: self.around,
                environment: &stage.environment,
                version: &release.version,
                service: service.as_ref(),
                ask,
            };
            match deploy_quietly(self.round.sources, &wish).await {
                Ok(Ending::Nothing) => self.said.tell(What::NothingToDo, about, &format!("{release} runs there already"))?,
                Ok(Ending::Waits(id)) => {
                    self.acted = true;
                    self.supersede(&stage.environment, &id).await?;
                    self.tell_gate(stage, about, &id)?;
                    return Ok(Came::Gate);
                }
                Ok(Ending::Ended { deployment, outcome, warm }) => {
                    self.acted = true;
                    self.warm.extend(warm.map(|plan| *plan));
                    let reason = outcome.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                    let about = About { deployment: Some(&deployment), ..about };
                    if outcome.state != State::Good {
                        self.said.tell(What::Failed, about, &format!("deployment {deployment} of {release}{reason}"))?;
                        return Ok(Came::Stopped(Exit::FAILED));
                    }
                    self.said.tell(What::Good, about, &format!("{release}, by deployment {deployment}{reason}"))?;
                }
                Err(failure) if failure.exit() == Exit::REFUSED => {
                    self.said.tell(What::Stopped, about, &format!("{release}: {}", failure.words()))?;
                    return Ok(Came::Stopped(Exit::REFUSED));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Came::Through)
    }

    fn tell_gate(&mut self, stage: &Stage, about: About<'_>, id: &DeploymentId) -> Result<(), Failure> {
        let first = match stage.approve {
            0 => String::new(),
            count => format!(
                " for {}: quarterdeck approve {id} --reason …; then",
                counted(usize::try_from(count).unwrap_or(usize::MAX), "approval")
            ),
        };
        let text = format!("deployment {id} waits{first}: quarterdeck deployment resume {id}");
        self.said.tell(What::Waits, About { deployment: Some(id), ..about }, &text)
    }

    /// What was deployed there; of this release in full.
    async fn past(&self, environment: &EnvironmentId, release: &ReleaseId) -> Result<Vec<Past>, Failure> {
        let records = self.ledger.records(crate::ledger::StateDir::at(&self.round.sources.config.state));
        let mut past = Vec::new();
        for found in self.list(environment, None).await? {
            let mut one = Past {
                id: found.id,
                release: found.release,
                service: None,
                state: found.state,
                stepped: false,
                reason: found.reason.map(Arc::from),
            };
            if one.release == *release {
                let plan = self.ledger.deployments().plan(&one.id).await.map_err(fault)?;
                one.service = plan.and_then(|plan| plan.options.service);
                let journal = records.load(&one.id).await.map_err(Failure::failed)?;
                one.stepped = journal.iter().any(|entry| matches!(entry.word, Word::Intent { .. }));
            }
            past.push(one);
        }
        Ok(past)
    }

    async fn list(&self, environment: &EnvironmentId, state: Option<State>) -> Result<Vec<Deployment>, Failure> {
        let filter = DeploymentFilter {
            app: Some(self.round.app.clone()),
            environment: Some(environment.clone()),
            state,
            limit: LOOKED_THROUGH,
            ..DeploymentFilter::default()
        };
        self.ledger.deployments().list(filter).await.map_err(fault)
    }

    /// Takes back what a pipeline asked for there before: nobody should approve an older build by mistake. What a person asked for stays.
    async fn supersede(&mut self, environment: &EnvironmentId, by: &DeploymentId) -> Result<(), Failure> {
        let waiting: Vec<Deployment> =
            self.list(environment, Some(State::Waiting)).await?.into_iter().filter(|other| other.id != *by).collect();
        let Some(since) = waiting.iter().map(|other| other.asked).min() else { return Ok(()) };
        let acts = self.ledger.audit().rows(Some(since - chrono::TimeDelta::seconds(60))).await.map_err(fault)?;
        let asked =
            |other: &Deployment| acts.iter().any(|act: &Entry| act.action == "pipeline.ask" && act.target.id == other.id.to_string());
        for other in waiting.iter().filter(|other| asked(other)) {
            let reason = format!("a newer build waits: deployment {by}");
            let answered = self.ledger.approvals().answer(&other.id, Answer::No, &Who::of_process().short(), &reason).await;
            match answered {
                Ok(_) => {}
                // Somebody was quicker.
                Err(LedgerError::Unfit { .. }) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(())
    }
}
