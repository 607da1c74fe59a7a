//! What repositories, templates and hosts told last. It is kept while the desk lives, so that the lanes stand there at once, with their
//! age, whenever somebody comes back to them.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::{
    board::lanes::{Commit, Frozen, Size, WayBack, way::in_order},
    build::git::{self, Repository},
    delivery::{
        release::{Release, ReleaseId},
        spec::Policy,
        template::{Surroundings, Template},
    },
    fleet::{AppName, EnvironmentId},
};

/// All of it, by app.
#[derive(Default)]
pub(in crate::cli::desk) struct Known {
    apps: RefCell<BTreeMap<AppName, OfApp>>,
    /// Somebody wants repositories and hosts to be read again.
    again: Notify,
    /// Something was written into the ledger from here.
    glance: Notify,
}

/// From one commit to another, by their digits.
type Span = (Arc<str>, Arc<str>);

/// What is known of one app.
#[derive(Default)]
pub(super) struct OfApp {
    /// Its template as it was read last without a mistake.
    pub(super) template: Option<Rc<(Template, Surroundings)>>,
    /// Why it cannot be read now.
    pub(super) fault: Option<String>,
    /// Our copy of its repository.
    pub(super) repository: Option<Repository>,
    /// The newest commit.
    pub(super) head: Option<git::Commit>,
    /// When the repository was reached last.
    pub(super) at: Option<DateTime<Utc>>,
    /// Why it was not reached since.
    pub(super) source_fault: Option<String>,
    /// Of each environment.
    pub(super) way_back: BTreeMap<EnvironmentId, WayBack>,
    /// Environments that a host says to be frozen.
    pub(super) frozen: BTreeMap<EnvironmentId, Frozen>,
    /// Commits of the second that the first has not; commits never change, so only what failed is asked again.
    pub(super) between: BTreeMap<Span, Result<Vec<Commit>, String>>,
    /// Releases never change.
    pub(super) releases: BTreeMap<ReleaseId, Option<Rc<Release>>>,
    /// What the images of a build weigh.
    pub(super) sizes: Option<(Arc<str>, Vec<Size>)>,
    /// How long a build took, as the audit tells.
    pub(super) took: Option<(Arc<str>, Option<std::time::Duration>)>,
    /// Whether it is being built from here.
    pub(super) building: bool,
    /// Its last attempt to be built that failed.
    pub(super) failed_build: Option<(DateTime<Utc>, String)>,
}

impl Known {
    /// What is known of an app.
    pub(super) fn of<T>(&self, app: &AppName, read: impl FnOnce(&OfApp) -> T) -> T {
        if let Some(of_app) = self.apps.borrow().get(app) {
            return read(of_app);
        }
        read(&OfApp::default())
    }

    /// Notes something of an app.
    pub(super) fn note<T>(&self, app: &AppName, write: impl FnOnce(&mut OfApp) -> T) -> T {
        write(self.apps.borrow_mut().entry(app.clone()).or_default())
    }

    /// Its template.
    pub(super) fn template(&self, app: &AppName) -> Option<Rc<(Template, Surroundings)>> {
        Ref::filter_map(self.apps.borrow(), |apps| apps.get(app)?.template.as_ref()).ok().map(|template| Rc::clone(&template))
    }

    /// Its environments in the order of promotion, each with today's policy.
    pub(super) fn policies(&self, app: &AppName) -> Vec<(EnvironmentId, Policy)> {
        let Some(template) = self.template(app) else { return Vec::new() };
        let (template, around) = &*template;
        let mut policies: BTreeMap<&EnvironmentId, Policy> =
            template.environments.iter().map(|(name, said)| (name, around.tightened(name, &said.policy))).collect();
        let written = template.environments.keys();
        let order = in_order(written.map(|name| (name.clone(), policies.get(name).and_then(|policy| policy.after.clone()))).collect());
        order.into_iter().filter_map(|(name, _)| policies.remove(&name).map(|policy| (name, policy))).collect()
    }

    /// The names of its environments.
    pub(super) fn environments(&self, app: &AppName) -> Vec<EnvironmentId> {
        self.policies(app).into_iter().map(|(name, _)| name).collect()
    }

    /// Has repositories and hosts read again.
    pub(super) fn look_again(&self) {
        self.again.notify_one();
    }

    /// Has the ledger read again.
    pub(super) fn glance_again(&self) {
        self.glance.notify_one();
    }

    pub(super) async fn again(&self) {
        self.again.notified().await;
    }

    pub(super) async fn glance(&self) {
        self.glance.notified().await;
    }
}
