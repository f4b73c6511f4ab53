//! A shard on its thread: what its loop and the sessions of its connections share, and the loop.
//!
//! An update after a quiet moment goes out at once; under load the log is read once a flush window, so that several
//! updates share a write.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::overload::Overload;
use super::relay::Relayed;
use super::settings::Settings;
use super::shard::Shard;
use super::sockets::Sockets;
use crate::bus::{Checkpoint, Reader};
use crate::fault;
use crate::market::Time;

/// How often a feed that waits for its readers looks for one that stands still.
const STALL_CHECK: Duration = Duration::from_millis(100);

/// A shard and the sockets of its connections, on one thread.
#[derive(Debug)]
pub struct LocalShard {
    /// The shard.
    pub shard: RefCell<Shard>,
    /// The sockets of its connections.
    pub sockets: RefCell<Sockets>,
    /// Says that a client for which a feed may be waiting was served, or is gone.
    pub served: Notify,
    /// Says that a client waits for the shard's next turn, or is gone.
    pub turn_wanted: Notify,
    /// How long updates are collected before they are written.
    flush_window: Duration,
    /// How far the loop has read the log.
    position: watch::Sender<u64>,
}

impl LocalShard {
    /// Returns a shard without a connection, which begins where `reader` does.
    #[must_use]
    pub fn new(reader: &Reader, start: Checkpoint, settings: Settings) -> Self {
        let (flush_window, position) = (settings.flush_window, watch::Sender::new(start.position));
        let shard = RefCell::new(Shard::new(Arc::clone(reader.bus()), start, settings));
        let (served, turn_wanted) = (Notify::new(), Notify::new());
        Self { shard, sockets: RefCell::default(), served, turn_wanted, flush_window, position }
    }

    /// Takes in that the loop has failed: nobody waits for it to read on.
    pub fn fail(&self) {
        self.position.send_replace(u64::MAX);
    }

    /// Completes when the loop has read the log up to this position, or has failed.
    pub async fn caught_up(&self, position: u64) {
        // The sender is ours, so the wait cannot fail.
        let _ = self.position.subscribe().wait_for(|read| *read >= position).await;
    }

    /// Moves what the log and the inbox say into the shard until `stop` fires.
    ///
    /// Not to be constrained by tokio's budget: a batch is written to all who take it.
    pub async fn run(
        &self,
        mut reader: Reader,
        mut inbox: mpsc::Receiver<Arc<Relayed>>,
        stop: CancellationToken,
    ) {
        let mut stall_check = time::interval(STALL_CHECK);
        // A feed may be paced after a long time without: what was not looked at then is past.
        stall_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = time::interval(self.shard.borrow().check_period());
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut window_end = Instant::now();
        let mut overload = Overload::default();
        loop {
            let is_flow_controlled = reader.bus().is_flow_controlled();
            // Without an order, so that nobody who always has something keeps the others waiting.
            select! {
                () = stop.cancelled() => break,
                Some(relayed) = inbox.recv() => self.relay(&relayed, &mut inbox),
                () = self.served.notified(), if is_flow_controlled => self.report(&reader),
                () = self.turn_wanted.notified() => {}
                _ = check.tick() => {
                    let now = Instant::now();
                    self.shard.borrow_mut().heartbeats(now, Time::now());
                    let sockets = self.sockets.borrow();
                    self.shard.borrow_mut().check_liveness(now, |id| sockets.acknowledgements(id));
                }
                _ = stall_check.tick(), if is_flow_controlled => {
                    self.shard.borrow_mut().close_stalled(Instant::now());
                    self.report(&reader);
                }
                () = ready(&mut reader, window_end) => {
                    let now = Instant::now();
                    // A feed that waits for its readers overloads nobody.
                    let is_overloaded = !is_flow_controlled && overload.begin_turn(reader.backlog(now), now);
                    self.shard.borrow_mut().set_overloaded(is_overloaded, now);
                    let is_drained = self.read(&mut reader, now);
                    overload.end_turn(is_drained, Instant::now());
                    // Who is behind does not wait for company.
                    let may_collect = is_drained && !reader.bus().is_flow_controlled();
                    window_end = if may_collect { now + self.flush_window } else { now };
                }
            }
            self.begin_turn();
            // The sessions of this thread do their part before more is read.
            yield_now().await;
        }
    }

    /// Puts a message, and all that wait behind it, into the outboxes.
    fn relay(&self, first: &Relayed, inbox: &mut mpsc::Receiver<Arc<Relayed>>) {
        let mut shard = self.shard.borrow_mut();
        shard.relay(&first.from, &first.message);
        for _ in 0..inbox.len() {
            if let Ok(relayed) = inbox.try_recv() {
                shard.relay(&relayed.from, &relayed.message);
            }
        }
    }

    fn read(&self, reader: &mut Reader, now: Instant) -> bool {
        let mut sockets = self.sockets.borrow_mut();
        let write = |id, bytes: &[u8]| sockets.write(id, bytes);
        let mut shard = self.shard.borrow_mut();
        let is_drained = shard.read(now, Time::now(), || reader.try_next(), write);
        if reader.bus().head() > 0 {
            fault::point("shard");
        }
        for id in sockets.take_unflushed() {
            shard.wake(id);
        }
        drop(shard);
        self.position.send_replace(reader.position());
        self.report(reader);
        is_drained
    }

    /// Lets those go on who are owed more than a turn has room for, and forgets those who are gone.
    fn begin_turn(&self) {
        let mut shard = self.shard.borrow_mut();
        shard.begin_turn();
        if shard.is_turn_wanted() {
            self.turn_wanted.notify_one();
        }
    }

    fn report(&self, reader: &Reader) {
        if reader.bus().is_flow_controlled() {
            reader.done(self.shard.borrow().served());
        }
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
