//! The hub: the shards, one a thread, between the bus and the clients.
//!
//! A [`Shard`] decides and this loop moves: it reads the log and writes what is new straight to the
//! sockets of those who take it, it takes relayed messages from its inbox, and it wakes the
//! sessions that have something to do. An update after a quiet moment goes out at once; under load
//! the log is read once a flush window, so that several updates share a write.

mod batch;
mod beats;
mod commands;
mod connection;
mod frames;
mod life;
mod limiter;
mod outbox;
mod reading;
mod relay;
mod shard;
mod sockets;
mod subscriptions;
mod turns;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::bus::Reader;
use crate::market::Time;

pub use life::Deadlines;
pub use limiter::{Limiter, Moment, TokioClock, limiter};
pub use outbox::{Outbox, Overflow};
pub use relay::{Relay, RelayConfig, Relayed};
pub use shard::{Settings, Shard};
pub use sockets::{Duplex, Socket, Sockets};
pub use subscriptions::ConnectionId;

/// How often a feed that waits for its readers looks for one that stands still.
const STALL_CHECK: Duration = Duration::from_millis(100);

/// Where a shard's sessions and its loop meet, on one thread.
#[derive(Debug)]
pub struct Seat {
    /// The shard.
    pub shard: RefCell<Shard>,
    /// The sockets of its connections.
    pub sockets: RefCell<Sockets>,
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
    /// How long updates are collected before they are written; a paced feed publishes as much at a time as is worth a write.
    pub flush_window: Duration,
    /// How long an `every` client may keep a paced feed waiting.
    pub stall_timeout: Duration,
}

impl Loop {
    /// Runs until `stop` fires.
    ///
    /// Not to be constrained by tokio's budget: a batch is written to all who take it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut stall_check = time::interval(STALL_CHECK);
        // A feed may be paced after a long time without: what was not looked at then is past.
        stall_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = time::interval(self.seat.shard.borrow().check_period());
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut window_end = Instant::now();
        loop {
            let is_paced = self.reader.bus().is_paced();
            // Without an order, so that nobody who always has something keeps the others waiting.
            select! {
                () = stop.cancelled() => break,
                Some(relayed) = self.inbox.recv() => self.relay(&relayed),
                () = self.seat.served.notified(), if is_paced => self.report(),
                _ = check.tick() => {
                    let now = Instant::now();
                    self.seat.shard.borrow_mut().heartbeats(now, Time::now());
                    self.seat.shard.borrow_mut().look(now);
                }
                _ = stall_check.tick(), if is_paced => self.close_stalled(),
                () = ready(&mut self.reader, window_end) => {
                    let now = Instant::now();
                    let is_drained = self.read(now);
                    // Who is behind does not wait for company.
                    let may_collect = is_drained && !self.reader.bus().is_paced();
                    window_end = if may_collect { now + self.flush_window } else { now };
                }
            }
            self.seat.shard.borrow_mut().wake();
            // The sessions of this thread do their part before more is read.
            yield_now().await;
        }
    }

    /// Puts a message, and all that wait behind it, into the outboxes.
    fn relay(&mut self, first: &Relayed) {
        let mut shard = self.seat.shard.borrow_mut();
        shard.relay(&first.from, &first.message);
        for _ in 0..self.inbox.len() {
            if let Ok(relayed) = self.inbox.try_recv() {
                shard.relay(&relayed.from, &relayed.message);
            }
        }
    }

    fn read(&mut self, now: Instant) -> bool {
        let mut sockets = self.seat.sockets.borrow_mut();
        let write = |id, bytes: &[u8]| sockets.write(id, bytes);
        let mut shard = self.seat.shard.borrow_mut();
        let is_drained = shard.read(now, Time::now(), || self.reader.try_next(), write);
        for id in sockets.take_unflushed() {
            shard.rouse(id);
        }
        drop(shard);
        self.report();
        is_drained
    }

    fn report(&self) {
        if self.reader.bus().is_paced() {
            self.reader.done(self.seat.shard.borrow().served());
        }
    }

    fn close_stalled(&self) {
        self.seat.shard.borrow_mut().close_stalled(Instant::now(), self.stall_timeout);
        self.report();
    }
}

/// Waits for the end of the flush window, and then until there is something to read.
async fn ready(reader: &mut Reader, window_end: Instant) {
    // In this order what is published within the window wakes nobody.
    if Instant::now() < window_end {
        time::sleep_until(window_end).await;
    }
    reader.ready().await;
}
