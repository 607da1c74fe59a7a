//! What must be answered before a plan is carried out.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::plan::{Fate, Object, Step, noun};
use crate::{
    action::Confirm,
    fleet::{EnvironmentId, ServiceKey},
    text::counted,
};

/// Which environments are guarded beyond what the catalogue asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// In these a yes is not enough: a name is typed.
    pub guarded: BTreeSet<EnvironmentId>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { guarded: BTreeSet::from([EnvironmentId::new("production")]) }
    }
}

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "asks")]
pub enum Asks {
    /// Nothing: nothing would be done.
    Nothing,
    /// A yes.
    Yes,
    /// This word, typed.
    Word {
        /// The word.
        word: Arc<str>,
        /// Why a yes is not enough, in words.
        because: Arc<str>,
    },
}

impl Policy {
    /// What an act of this kind asks for these steps.
    pub(super) fn asks(&self, confirm: Confirm, verb: &str, steps: &[Step]) -> Asks {
        let affected: Vec<&Step> = steps.iter().filter(|step| step.fate == Fate::Act).collect();
        let guarded = affected.iter().find_map(|step| step.environment.as_ref().filter(|environment| self.guarded.contains(*environment)));
        let because = match (affected.is_empty(), confirm, guarded) {
            (true, _, _) | (false, Confirm::Never, None) => return Asks::Nothing,
            (false, Confirm::Ask, None) => return Asks::Yes,
            (false, Confirm::TypeName, _) => "what is taken away does not come back".to_owned(),
            (false, Confirm::Never | Confirm::Ask, Some(environment)) => format!("this is {environment}"),
        };
        Asks::Word { word: word_for(&affected, guarded, verb).into(), because: because.into() }
    }
}

/// Characters of a name that a person can be asked to type.
const TYPABLE: usize = 40;

/// The shortest name of what is at stake: the one target, the one service, the environment, or how many.
fn word_for(affected: &[&Step], guarded: Option<&EnvironmentId>, verb: &str) -> String {
    // What nobody named has a name that nobody can type.
    if let [only] = affected
        && (only.target.object == Object::Container || only.target.name.len() <= TYPABLE)
    {
        return only.target.name.to_string();
    }
    let mut services: Vec<&ServiceKey> = affected.iter().filter_map(|step| step.service.as_ref()).collect();
    services.dedup();
    match (services.as_slice(), guarded) {
        ([service], _) => service.service.to_string(),
        (_, Some(environment)) => environment.to_string(),
        (_, None) => format!("{verb} {}", counted(affected.len(), noun(affected.iter().copied()))),
    }
}
