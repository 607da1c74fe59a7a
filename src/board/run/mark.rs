//! The few things that a person wants to know of each host, out of the many small steps of a script.

use std::collections::BTreeSet;

use crate::delivery::{
    plan::Plan,
    steps::{Act, Phase, Step, Subject},
};

/// What has been reached on a host, or everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Image, network and volumes are there.
    Pulled,
    /// A job that runs once.
    Job,
    /// The new one runs.
    Started,
    /// It serves.
    Healthy,
    /// It gets requests.
    InTraffic,
    /// The old one gets none.
    OldDrained,
    /// The old one does not run.
    OldStopped,
    /// All requests go to the others.
    Switched,
    /// A person said yes.
    Approved,
    /// The new ones are no worse than the old.
    Compared,
    /// It was given time.
    Paused,
    /// It stayed well.
    Baked,
    /// It says what it should.
    Verified,
    /// What nobody needs any more is gone.
    Tidied,
}

impl Mark {
    /// Once it is reached: in full, and shorter and shorter for narrow screens.
    pub const fn words(self) -> [&'static str; 3] {
        match self {
            Self::Pulled => ["pulled", "pulled", "pull"],
            Self::Job => ["job done", "job", "job"],
            Self::Started => ["started", "started", "start"],
            Self::Healthy => ["healthy", "healthy", "well"],
            Self::InTraffic => ["in traffic", "traffic", "traffic"],
            Self::OldDrained => ["old drained", "drained", "drain"],
            Self::OldStopped => ["old stopped", "stopped", "stop"],
            Self::Switched => ["switched", "switched", "switch"],
            Self::Approved => ["approved", "approved", "yes"],
            Self::Compared => ["compared", "compared", "compare"],
            Self::Paused => ["paused", "paused", "pause"],
            Self::Baked => ["baked", "baked", "bake"],
            Self::Verified => ["verified", "verified", "verify"],
            Self::Tidied => ["tidied", "tidied", "tidy"],
        }
    }

    /// Whether this step is what the mark is named after: where it stands decides about the order of the marks.
    pub(super) fn is_named_after(self, step: &Step) -> bool {
        match self {
            Self::Started => matches!(step.act, Act::Start { .. }),
            Self::OldStopped => matches!(step.act, Act::Stop { .. }),
            Self::Pulled
            | Self::Job
            | Self::Healthy
            | Self::InTraffic
            | Self::OldDrained
            | Self::Switched
            | Self::Approved
            | Self::Compared
            | Self::Paused
            | Self::Baked
            | Self::Verified
            | Self::Tidied => true,
        }
    }
}

/// Tells the steps that bring something from those that put something away.
pub(super) struct Marks<'a> {
    incoming: BTreeSet<Subject>,
    plan: &'a Plan,
}

impl<'a> Marks<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let changes = plan.services.iter().flat_map(|service| &service.changes);
        Self { incoming: changes.filter_map(|change| Some(change.incoming.as_ref()?.subject())).collect(), plan }
    }

    /// What a step belongs to; `None`: to nothing that is shown.
    pub(super) fn mark(&self, step: &Step) -> Option<Mark> {
        if step.phase == Phase::Clean {
            return Some(Mark::Tidied);
        }
        let is_incoming = |container: &Subject| self.incoming.contains(container);
        Some(match &step.act {
            Act::Pull { .. } | Act::EnsureNetwork { .. } | Act::EnsureVolume { .. } => Mark::Pulled,
            Act::Create { .. } | Act::Start { .. } => Mark::Started,
            Act::Gate { .. } => Mark::Healthy,
            Act::SetRestart { container, .. } | Act::Rename { container, .. } if is_incoming(container) => Mark::Started,
            // It has its old name for a moment longer; whoever looks on does not wait for that.
            Act::Rename { .. } => return None,
            Act::SetRestart { .. } | Act::Stop { .. } | Act::Withdraw { .. } => Mark::OldStopped,
            Act::Job { .. } => Mark::Job,
            Act::Remove { container } if self.is_job(container) => Mark::Job,
            Act::Remove { .. } => Mark::Tidied,
            Act::Admit { .. } | Act::Weigh { .. } => Mark::InTraffic,
            Act::Drain { .. } => Mark::OldDrained,
            Act::Switch { .. } => Mark::Switched,
            Act::Approve { .. } => Mark::Approved,
            Act::Compare { .. } => Mark::Compared,
            Act::Verify { .. } => Mark::Verified,
            Act::Pause { .. } => Mark::Paused,
            Act::Bake { .. } => Mark::Baked,
        })
    }

    fn is_job(&self, container: &Subject) -> bool {
        self.plan.jobs.iter().any(|job| job.blueprint.subject() == *container)
    }
}
