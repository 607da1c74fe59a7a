//! The panels, one file each. A new one is a file here and a row in [`all`].

mod containers;
mod delivery;
mod empty;
mod events;
mod facts;
mod figures;
mod history;
mod hosts;
mod logs;
mod resources;
mod stock;
mod tail;
#[cfg(test)]
mod tests;
mod triage;
mod versions;
mod words;

#[cfg(test)]
pub(super) use delivery::sample as lane_sample;
pub(super) use delivery::span;
#[cfg(test)]
pub(super) use logs::sample as log_sample;

use super::panel::Panel;

/// Every panel, in the order of their digits.
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(versions::Versions::default()),
        Box::new(containers::Containers::default()),
        Box::new(hosts::Hosts::default()),
        Box::new(logs::Logs::default()),
        Box::new(resources::Resources::default()),
        Box::new(delivery::Delivery::default()),
        Box::new(history::History::default()),
        Box::new(events::Events::default()),
        Box::new(triage::Triage::default()),
        Box::new(stock::Stock::default()),
    ]
}
