//! The hub: the shards, one a thread, between the bus and the clients.
//!
//! A [`Shard`] decides and this loop moves: it reads the log, takes relayed messages from its
//! inbox, and wakes the sessions that have something new to write. An update after a quiet
//! moment wakes them at once; under load they are woken once a flush window, so that several
//! updates share a write.

mod commands;
mod connection;
mod frames;
mod outbox;
mod relay;
mod shard;
mod subscriptions;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::bus::Reader;

pub use outbox::{Outbox, Overflow};
pub use relay::{Limiter, Relay, RelayConfig, Relayed, limiter};
pub use shard::{Settings, Shard};
pub use subscriptions::ConnectionId;

/// How often a feed that waits for its readers looks for one that stands still.
const STALL_CHECK: Duration = Duration::from_millis(100);

/// Where a shard's sessions and its loop meet, on one thread.
#[derive(Debug)]
pub struct Seat {
    /// The shard.
    pub shard: RefCell<Shard>,
    /// Says that a client for which a feed may be waiting was served, or is gone.
    pub served: Notify,
}

/// Moves data into a shard until `stop` fires.
#[derive(Debug)]
pub struct Loop {
    /// Where the shard sits.
    pub seat: Rc<Seat>,
    /// The shard's place in the log.
    pub reader: Reader,
    /// Messages to relay.
    pub inbox: mpsc::Receiver<Arc<Relayed>>,
    /// How long updates are collected before they are written.
    pub flush_window: Duration,
    /// How long an `every` client may keep a feed waiting that waits for its readers; `None` for other feeds.
    pub stall_timeout: Option<Duration>,
}

impl Loop {
    /// Runs until `stop` fires.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut stall_check = time::interval(STALL_CHECK);
        let mut flushed = Instant::now();
        loop {
            let has_woken = self.seat.shard.borrow().has_woken();
            select! {
                biased;
                () = stop.cancelled() => break,
                Some(relayed) = self.inbox.recv() => {
                    self.seat.shard.borrow_mut().relay(&relayed.from, &relayed.message);
                    self.flush(&mut flushed);
                }
                () = time::sleep_until(flushed + self.flush_window), if has_woken => self.flush(&mut flushed),
                () = self.seat.served.notified(), if self.stall_timeout.is_some() => self.report(),
                _ = stall_check.tick(), if self.stall_timeout.is_some() => self.close_stalled(),
                () = self.reader.ready() => {
                    self.read();
                    let now = Instant::now();
                    if now.duration_since(flushed) >= self.flush_window {
                        self.flush(&mut flushed);
                    }
                    // The sessions of this thread write what they have before more is read.
                    yield_now().await;
                }
            }
        }
    }

    fn read(&mut self) {
        if let Some(read) = self.reader.try_next() {
            self.seat.shard.borrow_mut().read(read);
            self.report();
        }
    }

    fn flush(&self, flushed: &mut Instant) {
        self.seat.shard.borrow_mut().flush();
        *flushed = Instant::now();
    }

    fn report(&self) {
        if self.stall_timeout.is_some() {
            self.reader.done(self.seat.shard.borrow().served());
        }
    }

    fn close_stalled(&self) {
        if let Some(timeout) = self.stall_timeout {
            self.seat.shard.borrow_mut().close_stalled(Instant::now(), timeout);
            self.report();
        }
    }
}
