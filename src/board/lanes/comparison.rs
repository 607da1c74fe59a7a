//! In what two lanes differ: commits, what each service is told, images.

use std::sync::Arc;

use super::Commit;
use crate::fleet::{AppName, EnvironmentId, ServiceName};

/// A lane and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Of which product.
    pub app: AppName,
    /// The lane.
    pub environment: EnvironmentId,
    /// The lane before it; `None`: the builds.
    pub before: Option<EnvironmentId>,
}

/// Everything that differs: what is here, and what would come from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What is good in the lane; `None`: nothing ever was.
    pub here: Option<String>,
    /// What is good in the lane before, or the newest build.
    pub there: Option<String>,
    /// Commits that are there and not here, newest first, or why nobody can tell.
    pub ahead: Result<Vec<Commit>, String>,
    /// Commits that are here and not there, newest first.
    pub behind: Vec<Commit>,
    /// Whether there are more commits than are told.
    pub more: bool,
    /// Services and jobs whose settings differ.
    pub services: Vec<ServiceDifference>,
    /// Images that differ.
    pub images: Vec<ImageDifference>,
}

/// One service whose settings differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDifference {
    /// Which.
    pub service: Arc<str>,
    /// `new`, `removed`, `variables only`.
    pub summary: String,
    /// One line each, from here to there. Values that look like secrets are masked; of secrets only names.
    pub changes: Vec<String>,
}

/// One service that runs another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDifference {
    /// Which.
    pub service: ServiceName,
    /// The image here, by digest where it is known; `None`: there is no such service.
    pub here: Option<Arc<str>>,
    /// The same there.
    pub there: Option<Arc<str>>,
}

impl Comparison {
    /// Whether the two are the same in everything.
    pub fn is_nothing(&self) -> bool {
        let commits = self.ahead.as_ref().map_or(1, Vec::len) + self.behind.len();
        commits == 0 && self.services.is_empty() && self.images.is_empty() && self.here == self.there
    }
}
