//! What somebody has to know who freezes a place, or answers what waits there.

use super::{Frozen, Try};
use crate::{
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId},
};

/// What is decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One app in one environment.
    Place {
        /// Of which product.
        app: AppName,
        /// Where.
        environment: EnvironmentId,
    },
    /// A deployment, and the place that it is for.
    Deployment(DeploymentId),
}

/// How it stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Of which product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// Who keeps everybody out, and why.
    pub frozen: Option<Frozen>,
    /// What waits for an answer there, the oldest first. Of a subject that is a deployment at most that one.
    pub waiting: Vec<Try>,
}
