//! Releases and deployments that were, what ran where at a moment, and what changed near something: read again as long as somebody looks,
//! and told when it is something else than before.

mod archive;
mod evidence;
mod settings;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use chrono::Local;

use self::archive::Archive;
use super::Desk;
use crate::board::{
    News,
    past::{self, Order, Text, Wish},
};

/// So often the ledger is read while somebody looks: others write into it, and it tells nobody.
const EVERY: Duration = Duration::from_secs(2);

/// Does what is asked.
pub(super) async fn obey(desk: Rc<Desk>, order: Order) {
    match order {
        Order::Read { place, name } => {
            let lines = evidence::read(&place, &name);
            desk.tell(News::Past(past::News::Text(Box::new(Text { place, name, lines })))).await;
        }
    }
}

/// Keeps a part of the past up to date, until somebody asks for something else.
pub(super) async fn keep(desk: Rc<Desk>, wish: Wish) {
    let apps = desk.sources.config.delivery.apps.keys().cloned().collect();
    let archive = Archive::new(desk.history.ledger().clone(), desk.history.records().clone(), apps);
    let mut told: Vec<past::News> = Vec::new();
    loop {
        let read = archive.read(&wish, &Local::now()).await;
        let news = read.unwrap_or_else(|failure| vec![past::News::Unreadable(failure.words())]);
        for (place, one) in news.iter().enumerate() {
            if told.get(place) != Some(one) {
                desk.tell(News::Past(one.clone())).await;
            }
        }
        told = news;
        tokio::time::sleep(EVERY).await;
    }
}
