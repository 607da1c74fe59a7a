//! Deployments under way: how far each is, and what it waits for.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {}

/// What was told last.
#[derive(Debug, Default)]
pub struct Page {}

impl Page {
    /// Takes what was told. A line for the foot comes back.
    pub fn learn(&mut self, news: News) -> Option<String> {
        match news {}
    }
}
