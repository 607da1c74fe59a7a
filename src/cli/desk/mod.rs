//! The delivery desk: does for the console what the verbs do, on a thread of its own. What it reads comes back as news.
//!
//! Started with the first order, so that a console that only watches containers opens no ledger and pays for no thread.

mod edit;
mod lanes;
mod past;
mod run;
mod sheet;

use std::{cell::RefCell, rc::Rc, thread};

use tokio::{
    sync::mpsc,
    task::{JoinHandle, LocalSet},
};

use super::{args::Global, deploy::history::History, exit::Failure, fleet::Sources, out};
use crate::{
    board::{News, Order, Watch},
    runtime::delivery_desk::{NEWS, ORDERS},
};

/// What every order is done with.
struct Desk {
    global: Global,
    sources: Sources,
    history: History,
    news: mpsc::Sender<News>,
    /// What is kept up to date now; a new watch ends it.
    watch: RefCell<Option<JoinHandle<()>>>,
}

impl Desk {
    /// Tells the console; once it is gone, nobody.
    async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }

    async fn obey(self: Rc<Self>, order: Order) {
        match order {
            Order::Watch(watch) => self.keep(watch),
            Order::Lanes(order) => lanes::obey(self, order).await,
            Order::Sheet(order) => sheet::obey(self, order).await,
            Order::Run(order) => run::obey(self, order).await,
            Order::Past(order) => past::obey(self, order).await,
            Order::Edit(order) => edit::obey(self, order).await,
        }
    }

    /// Keeps something else up to date from now on.
    fn keep(self: &Rc<Self>, watch: Watch) {
        let next = match watch {
            Watch::Nothing | Watch::Lanes | Watch::Run(_) | Watch::Past(_) => None,
        };
        if let Some(before) = std::mem::replace(&mut *self.watch.borrow_mut(), next) {
            before.abort();
        }
    }
}

/// Starts the desk's thread.
///
/// # Errors
/// A ledger or configuration that cannot be used, in one line.
pub(super) fn start(global: &Global) -> Result<(mpsc::Sender<Order>, mpsc::Receiver<News>), String> {
    if global.sim.is_some() {
        return Err("a simulated fleet takes no deployments, and is gone with this process".to_owned());
    }
    let (orders, mut inbox) = mpsc::channel::<Order>(ORDERS);
    let (news, outbox) = mpsc::channel(NEWS);
    let global = global.clone();
    let run = move || {
        out::spare_the_screen();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the delivery desk has no event loop"),
        };
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let opened = Sources::load(&global).and_then(|sources| History::of(&sources).map(|history| (sources, history)));
            let (sources, history) = match opened {
                Ok(opened) => opened,
                Err(failure) => {
                    let _ = news.send(News::Said(Failure::words(failure))).await;
                    return;
                }
            };
            let desk = Rc::new(Desk { global, sources, history, news, watch: RefCell::default() });
            // Orders end with the console; what one has begun on hosts is a process of its own.
            while let Some(order) = inbox.recv().await {
                tokio::task::spawn_local(Rc::clone(&desk).obey(order));
            }
        });
        // Somebody's command may still be waited for.
        runtime.shutdown_background();
    };
    let spawned = thread::Builder::new().name("delivery-desk".into()).spawn(run);
    spawned.map_err(|error| format!("the delivery desk has no thread: {error}"))?;
    Ok((orders, outbox))
}
