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
    delivery::release::DeploymentId,
    runtime::delivery_desk::{NEWS, ORDERS},
    text::clean_line,
};

/// What every order is done with.
struct Desk {
    global: Global,
    sources: Sources,
    history: History,
    news: mpsc::Sender<News>,
    /// What is kept up to date now; a new watch ends it.
    watch: RefCell<Option<JoinHandle<()>>>,
    /// What repositories and hosts told last of the lanes.
    lanes: lanes::Known,
    /// The plan that was shown last.
    sheet: sheet::Memory,
    /// The deployment that is looked at.
    watched: RefCell<Option<DeploymentId>>,
    /// Which runs may be dead.
    doubts: run::Doubts,
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
        *self.watched.borrow_mut() = if let Watch::Run(id) = &watch { Some(id.clone()) } else { None };
        let next = match watch {
            Watch::Lanes => Some(tokio::task::spawn_local(lanes::keep(Rc::clone(self)))),
            Watch::Run(id) => Some(tokio::task::spawn_local(run::follow(Rc::clone(self), id))),
            Watch::Past(wish) => Some(tokio::task::spawn_local(past::keep(Rc::clone(self), wish))),
            Watch::Nothing => None,
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
        return Err(crate::board::lanes::SIMULATED.to_owned());
    }
    let (orders, mut inbox) = mpsc::channel::<Order>(ORDERS);
    let (news, outbox) = mpsc::channel(NEWS);
    let global = global.clone();
    let run = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the delivery desk has no event loop"),
        };
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            // What the verbs' code says aside goes to the foot: a screen stands on the terminal.
            let foot = news.clone();
            out::divert(move |line| drop(foot.try_send(News::Said(clean_line(line)))));
            let opened = Sources::load(&global).and_then(|sources| History::of(&sources).map(|history| (sources, history)));
            let (sources, history) = match opened {
                Ok(opened) => opened,
                Err(failure) => {
                    let _ = news.send(News::Said(Failure::words(failure))).await;
                    return;
                }
            };
            let desk = Rc::new(Desk {
                global,
                sources,
                history,
                news,
                watch: RefCell::default(),
                lanes: lanes::Known::default(),
                sheet: sheet::Memory::default(),
                watched: RefCell::default(),
                doubts: run::Doubts::default(),
            });
            // Ends with the desk's own loop.
            tokio::task::spawn_local(run::herald(Rc::clone(&desk)));
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
