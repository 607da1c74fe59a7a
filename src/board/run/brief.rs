//! What is under way in a line each, and what every console says of it when it begins, waits, dies or ends.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    delivery::release::DeploymentId,
    fleet::{AppName, EnvironmentId},
    ledger::Deployment,
    run::journal::State,
};

/// How a deployment stands, as somebody who looks on must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Others have to say yes first.
    Waiting {
        /// Who did.
        given: Vec<String>,
        /// How many must.
        needed: u32,
    },
    /// Nobody has to say anything any more, and it was not begun.
    Ready,
    /// Under way.
    Running,
    /// On its way back.
    TakingBack,
    /// It says that it runs, and its run gives no sign of life.
    Silent {
        /// The last one.
        since: DateTime<Utc>,
        /// Who has its lock, where that can be seen.
        holder: Option<Arc<str>>,
    },
    /// It stands still.
    Parked,
    /// All of it runs.
    Good,
    /// It failed, and not all of it was taken back.
    Failed,
    /// All of it was taken back.
    Unwound,
}

impl Stand {
    /// As the ledger alone tells it.
    pub fn of(deployment: &Deployment) -> Self {
        let given = u32::try_from(deployment.approved_by.len()).unwrap_or(u32::MAX);
        match deployment.state {
            State::Waiting if given < deployment.needed => {
                Self::Waiting { given: deployment.approved_by.clone(), needed: deployment.needed }
            }
            State::Waiting => Self::Ready,
            State::Running => Self::Running,
            State::Parked => Self::Parked,
            State::Good => Self::Good,
            State::Failed => Self::Failed,
            State::Unwound => Self::Unwound,
        }
    }

    /// Whether its run does something now.
    pub fn is_moving(&self) -> bool {
        match self {
            Self::Running | Self::TakingBack => true,
            Self::Waiting { .. } | Self::Ready | Self::Silent { .. } | Self::Parked | Self::Good | Self::Failed | Self::Unwound => false,
        }
    }

    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waits for approval",
            Self::Ready => "not begun",
            Self::Running => "running",
            Self::TakingBack => "on its way back",
            Self::Silent { .. } => "no sign of life",
            Self::Parked => "parked",
            Self::Good => "good",
            Self::Failed => "failed",
            Self::Unwound => "taken back",
        }
    }

    /// How much it wants somebody to look; the most is worst.
    pub fn weight(&self) -> u8 {
        match self {
            Self::Silent { .. } | Self::Failed => 3,
            Self::Parked | Self::Waiting { .. } | Self::Ready => 2,
            Self::Running | Self::TakingBack => 1,
            Self::Good | Self::Unwound => 0,
        }
    }
}

/// One that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Its id.
    pub id: DeploymentId,
    /// The product.
    pub app: AppName,
    /// Where.
    pub environment: EnvironmentId,
    /// What is put there.
    pub version: Arc<str>,
    /// Who asked for it.
    pub by: String,
    /// How it stands.
    pub stand: Stand,
}

impl Brief {
    /// As the ledger tells it.
    pub fn of(deployment: &Deployment) -> Self {
        Self {
            id: deployment.id.clone(),
            app: deployment.app.clone(),
            environment: deployment.environment.clone(),
            version: Arc::clone(&deployment.release.version),
            by: deployment.by.clone(),
            stand: Stand::of(deployment),
        }
    }

    /// `shop 1.0.1-24-a91c2f3 → production`.
    pub fn what(&self) -> String {
        format!("{} {} → {}", self.app, self.version, self.environment)
    }

    /// What is said when it comes to stand so.
    fn sentence(&self) -> String {
        let (number, what, by) = (self.id.number, self.what(), &self.by);
        match &self.stand {
            Stand::Waiting { given, needed } => {
                let missing = usize::try_from(*needed).unwrap_or(usize::MAX).saturating_sub(given.len());
                format!("deployment {number} of {by} waits for {missing} to approve it: {what}")
            }
            Stand::Ready => format!("deployment {number} of {by} is approved and not begun: {what}"),
            Stand::Running => format!("{by} brings {what} (deployment {number})"),
            Stand::TakingBack => format!("deployment {number} of {by} is taken back: {what}"),
            Stand::Silent { holder, .. } => {
                let who = holder.as_deref().unwrap_or(by);
                format!("deployment {number} gives no sign of life, its run was {who}: {what}")
            }
            Stand::Parked => format!("deployment {number} of {by} stands still: {what}"),
            Stand::Good | Stand::Failed | Stand::Unwound => format!("deployment {number} of {by} is {}: {what}", self.stand.word()),
        }
    }
}

/// One that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As it was.
    pub brief: Brief,
    /// Why, where it is not good.
    pub reason: Option<String>,
}

/// The line for the foot about what has changed; `before` is `None` for a console that has just begun to look.
pub(super) fn said(before: Option<&[Brief]>, now: &[Brief], ended: &[Ended], watched: Option<&DeploymentId>) -> Option<String> {
    let known = |brief: &Brief| before.unwrap_or_default().iter().find(|known| known.id == brief.id);
    let is_news = |brief: &&Brief| {
        let was = known(brief).map(|known| &known.stand);
        let same = was.is_some_and(|was| std::mem::discriminant(was) == std::mem::discriminant(&brief.stand));
        !same && watched != Some(&brief.id)
    };
    let mut news: Vec<(u8, String)> = now.iter().filter(is_news).map(|brief| (brief.stand.weight(), brief.sentence())).collect();
    for Ended { brief, reason } in ended.iter().filter(|ended| watched != Some(&ended.brief.id)) {
        let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        news.push((brief.stand.weight(), format!("{}{why}", brief.sentence())));
    }
    // The worst first: a short line shows no more.
    news.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    (!news.is_empty()).then(|| news.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(number: u64, stand: Stand) -> Brief {
        Brief {
            id: DeploymentId::new(number, 7),
            app: AppName::new("shop"),
            environment: EnvironmentId::new("production"),
            version: "1.0.1-24".into(),
            by: "ana".to_owned(),
            stand,
        }
    }

    #[test]
    fn what_changes_is_said_once_and_the_worst_first() {
        let running = [brief(44, Stand::Running)];
        let begins = "ana brings shop 1.0.1-24 → production (deployment 44)";
        assert_eq!(said(None, &running, &[], None).as_deref(), Some(begins), "also to a console that has just begun to look");
        assert_eq!(said(Some(&[]), &running, &[], None).as_deref(), Some(begins));
        assert_eq!(said(Some(&running), &running, &[], None), None);
        assert_eq!(said(Some(&[]), &running, &[], Some(&running[0].id)), None, "who looks at it sees it");
        let parked = brief(44, Stand::Parked);
        let waiting = brief(45, Stand::Waiting { given: Vec::new(), needed: 1 });
        let silent = brief(43, Stand::Silent { since: DateTime::UNIX_EPOCH, holder: Some("bo@jump-02 (pid 7)".into()) });
        let all = said(Some(&running), &[parked, waiting, silent], &[], None).unwrap();
        assert!(all.starts_with("deployment 43 gives no sign of life, its run was bo@jump-02 (pid 7)"), "{all}");
        assert!(
            all.contains("deployment 44 of ana stands still") && all.contains("deployment 45 of ana waits for 1 to approve it"),
            "{all}"
        );
        let ended = Ended { brief: brief(44, Stand::Unwound), reason: Some("not healthy".to_owned()) };
        let end = said(Some(&running), &[], &[ended], None).unwrap();
        assert_eq!(end, "deployment 44 of ana is taken back: shop 1.0.1-24 → production: not healthy");
    }

    #[test]
    fn another_yes_is_no_news() {
        let waits = |given: &[&str]| brief(45, Stand::Waiting { given: given.iter().map(|name| (*name).to_owned()).collect(), needed: 2 });
        assert_eq!(said(Some(&[waits(&[])]), &[waits(&["bo"])], &[], None), None);
    }
}
