//! The plan of a deployment before anything happens, and its beginning.
//!
//! A sheet on the screen has a number of its own, and every order about it a turn: what is told of an earlier turn is not looked at any
//! more. Nothing in here is a secret's value: variables and secrets stand by name.

pub mod paper;
pub mod wish;

pub use paper::{Asks, Capacity, Commit, Commits, Good, Opens, Past, Refusal, Row, Sheet, Shut, Silent, span};
pub use wish::{About, Kind, Wish};

use crate::{
    delivery::release::DeploymentId,
    fleet::{EnvironmentId, HostId},
};

/// Which order about which sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The sheet; a later one has a higher number.
    pub sheet: u64,
    /// The order about it, from 1.
    pub turn: u32,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// What would happen.
    Plan {
        /// Answers carry it.
        ticket: Ticket,
        /// What is wanted.
        wish: Wish,
    },
    /// Do it, if what would happen is still what was told last of this sheet.
    Start {
        /// Answers carry it.
        ticket: Ticket,
        /// What was shown.
        wish: Wish,
    },
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The order that it answers.
    pub ticket: Ticket,
    /// How far it is.
    pub stand: Stand,
}

/// How far a plan is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stand {
    /// These hosts are asked what they run.
    Asking {
        /// As far as it is known.
        title: String,
        /// All at once.
        hosts: Vec<HostId>,
    },
    /// Nobody said where, and there are several places.
    Choose {
        /// What is to be done there.
        title: String,
        /// In the template's order.
        environments: Vec<EnvironmentId>,
    },
    /// This would happen.
    Shown {
        /// All of it.
        sheet: Box<Sheet>,
        /// Why it was not begun, where that was asked.
        note: Option<String>,
    },
    /// There is no plan.
    Refused(Box<Refusal>),
    /// It has begun, or waits for those who have to say yes.
    Begun {
        /// Its id.
        deployment: DeploymentId,
        /// In words.
        line: String,
    },
}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {
    told: Option<News>,
    /// What was shown last, and of which sheet: it stays in sight while it is looked at anew.
    shown: Option<(u64, Box<Sheet>)>,
}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        let line = match &news.stand {
            // Whoever has left the sheet meanwhile is told as well.
            Stand::Begun { line, .. } => Some(line.clone()),
            Stand::Asking { .. } | Stand::Choose { .. } | Stand::Shown { .. } | Stand::Refused(_) => None,
        };
        if self.told.as_ref().is_none_or(|told| told.ticket <= news.ticket) {
            if let Stand::Shown { sheet, .. } = &news.stand {
                self.shown = Some((news.ticket.sheet, sheet.clone()));
            }
            self.told = Some(news);
        }
        line
    }

    /// What was told last of a sheet, and in answer to which of its orders.
    pub fn of(&self, sheet: u64) -> Option<(u32, &Stand)> {
        self.told.as_ref().filter(|told| told.ticket.sheet == sheet).map(|told| (told.ticket.turn, &told.stand))
    }

    /// What was shown last of a sheet.
    pub fn shown(&self, sheet: u64) -> Option<&Sheet> {
        self.shown.as_ref().filter(|(of, _)| *of == sheet).map(|(_, shown)| &**shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(sheet: u64, turn: u32) -> News {
        News { ticket: Ticket { sheet, turn }, stand: Stand::Asking { title: format!("{sheet}.{turn}"), hosts: Vec::new() } }
    }

    #[test]
    fn what_is_late_does_not_come_back() {
        let mut page = Page::default();
        for (sheet, turn, seen) in [(1, 1, (1, 1)), (1, 2, (1, 2)), (1, 1, (1, 2)), (2, 1, (2, 1)), (1, 3, (2, 1))] {
            assert_eq!(page.learn(asking(sheet, turn)), None);
            assert_eq!(page.of(seen.0).map(|(turn, _)| turn), Some(seen.1), "after {sheet}.{turn}");
            assert_eq!(page.of(seen.0 + 1), None);
        }
        let deployment = DeploymentId::new(44, 0);
        let begun = Stand::Begun { deployment, line: "deployment 44 has begun".into() };
        let line = page.learn(News { ticket: Ticket { sheet: 1, turn: 4 }, stand: begun });
        assert_eq!(line.as_deref(), Some("deployment 44 has begun"), "its sheet is closed, and it is told all the same");
    }
}
