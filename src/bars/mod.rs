//! Bars for HTTP clients: folds trades into bars, and derives longer bars.
//!
//! A reader of the log folds each trade into a one-second bar and a one-minute bar of the trade's symbol.
//! Longer bars are derived from the minutes when a client asks for them. The bars that a feed publishes are
//! taken as they are, and have precedence over folded and derived bars. Quotes only advance the market time.
//!
//! - The market time of a trade decides to which bar the trade belongs. Inside a bar, the order of the log
//!   decides which trade is the first, and which trade is the last.
//! - A trade is late if its symbol had a newer trade before. A late trade changes the high, the low and the
//!   volume of its bar, but neither the open nor the close. If its bar has no trade yet, the late trade makes the
//!   bar. If its bar is evicted, the late trade is ignored.
//! - The parts of a longer bar are in the order of market time. So a late trade that makes the first or the last
//!   part changes the open or the close of the longer bar.
//! - A trade without a size does not change the volume. A bar without any size has no volume.
//! - The market data has no corrections of earlier trades. A bar that a feed publishes again replaces the
//!   earlier bar with the same start.
//! - If the bars of the feed state no interval, their interval is the smallest distance between two of these
//!   bars of one symbol.
//! - A seek drops the bars that may hold trades from the seek's target on. In a loop, market time goes on
//!   rising, so the bars of the next lap follow.
//!
//! A feed at full speed waits for the reader, unless the reader makes no progress during the stall timeout. A
//! live feed never waits. If the log has evicted the reader's next entry, the reader goes on at the log's
//! checkpoint. The events that the reader missed are missing in the bars. They are counted and logged. Only the
//! bars' thread and threads that encode responses lock the bars, so no worker waits for a lock.

mod config;
mod fold;
mod interval;
mod packed_bar;
mod series;
mod symbol_bars;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;
use tracing::warn;

use crate::bus::{Bus, Read, Reader};
use crate::fault;
use crate::market::Symbol;

pub use config::Config;
pub use fold::{Figures, Fold};
pub use interval::BarInterval;
pub use symbol_bars::{Evicted, ServedBar, SymbolBars};

/// How long the task lets events collect in the log, so that a live feed wakes the task's thread rarely.
const COLLECT: Duration = Duration::from_millis(2);

/// The bars of all symbols. The task [`BarsTask`] folds the log into them.
#[derive(Debug)]
pub struct Bars {
    fold: Mutex<Fold>,
    progress: watch::Receiver<Progress>,
}

/// How far the task has come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The position in the log up to which the task has folded.
    position: u64,
    figures: Figures,
}

/// The task that folds the log into the bars.
#[derive(Debug)]
pub struct BarsTask {
    bars: Arc<Bars>,
    reader: Reader,
    progress: watch::Sender<Progress>,
}

impl Bars {
    /// Returns the bars, and the task that folds the log into them.
    #[must_use]
    pub fn new(config: &Config, bus: &Arc<Bus>) -> (Arc<Self>, BarsTask) {
        let (reader, checkpoint) = bus.briefly_awaited_reader("bars");
        let fold = Fold::new(config.clone(), &checkpoint);
        let progress = Progress { position: checkpoint.position, figures: fold.figures() };
        let (sender, progress) = watch::channel(progress);
        let bars = Arc::new(Self { fold: Mutex::new(fold), progress });
        (Arc::clone(&bars), BarsTask { bars, reader, progress: sender })
    }

    /// Waits until the log is folded up to this position, or until the task has ended.
    pub async fn caught_up(&self, position: u64) {
        // An error means that the task has ended.
        let _ = self.progress.clone().wait_for(|progress| progress.position >= position).await;
    }

    /// Returns the newest bars of a symbol, at most `limit` of them, oldest first. Returns `None` if the feed
    /// has published no event of the symbol.
    ///
    /// This function may wait for the task, so do not call it on a thread that serves clients.
    #[must_use]
    pub fn newest(&self, symbol: &Symbol, interval: BarInterval, limit: usize) -> Option<Vec<ServedBar>> {
        let fold = self.fold();
        let (copy, market_time) = (fold.get(symbol)?.clone(), fold.market_time());
        drop(fold);
        let mut bars = copy.bars(interval, market_time);
        bars.drain(..bars.len().saturating_sub(limit));
        Some(bars)
    }

    /// Returns the figures for `/metrics`. Does not wait for the task.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.progress.borrow().figures
    }

    fn fold(&self) -> MutexGuard<'_, Fold> {
        // After a panic of the task, the server shuts down. Until then, clients may still read the bars.
        self.fold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BarsTask {
    /// Folds the log into the bars, without end.
    ///
    /// Cancel safe: a cancelled task has folded every entry that it has read.
    pub async fn run(mut self) {
        loop {
            self.reader.ready().await;
            if !self.reader.bus().is_flow_controlled() {
                sleep(COLLECT).await;
            }
            while let Some(read) = self.reader.try_next() {
                self.fold(&read);
                yield_now().await;
            }
        }
    }

    fn fold(&self, read: &Read) {
        let mut fold = self.bars.fold();
        let missed = fold.figures().missed;
        fold.apply(read);
        let (seq, figures) = (fold.seq(), fold.figures());
        drop(fold);
        let events = figures.missed - missed;
        if events > 0 {
            warn!(
                events,
                "events are missing in the bars, because the history passed the reader of the bars"
            );
        }
        if seq > 0 {
            fault::point("bars");
        }
        self.progress.send_replace(Progress { position: self.reader.position(), figures });
        self.reader.done(seq);
    }
}
