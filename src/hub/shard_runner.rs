//! A shard runner: a shard, the sockets of its connections, and the shard's loop.
//!
//! If clients seldom get several updates in one flush window, the shard writes each update immediately. If
//! clients often get several updates in one flush window, the shard reads the log once per window. One write
//! then sends several updates to a client.

use std::cell::RefCell;
use std::iter;
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
use crate::exact_timer::ExactTimer;
use crate::fault;
use crate::market::Time;

/// Once per this period, the loop checks whether a client keeps a flow-controlled feed waiting.
const STALL_CHECK_PERIOD: Duration = Duration::from_millis(100);

/// In each turn, the data age is measured for the first write, and then for one of this many writes. Each
/// measurement reads the clock.
const WRITES_A_SAMPLE: usize = 8;

/// A shard and the sockets of its connections, on one thread.
#[derive(Debug)]
pub struct ShardRunner {
    /// The shard.
    pub shard: RefCell<Shard>,
    /// The sockets of the shard's connections.
    pub sockets: RefCell<Sockets>,
    /// A signal that a client has accepted bytes or has disconnected. A flow-controlled feed may then no
    /// longer need to wait for this client.
    pub served: Notify,
    /// A signal that a client waits for the shard's next turn, or that a client has disconnected.
    pub turn_wanted: Notify,
    /// Whether the loop may use the system's timer. False in tests, which may pause tokio's clock.
    has_system_clock: bool,
    /// The position up to which the shard's loop has read the log.
    position: watch::Sender<u64>,
}

impl ShardRunner {
    /// Returns a runner whose shard has no connections. The shard starts at `checkpoint`, which is the
    /// checkpoint of `reader`.
    #[must_use]
    pub fn new(reader: &Reader, checkpoint: Checkpoint, settings: Settings) -> Self {
        let (position, has_system_clock) =
            (watch::Sender::new(checkpoint.position), settings.has_system_clock);
        let shard = RefCell::new(Shard::new(Arc::clone(reader.bus()), checkpoint, settings));
        let (served, turn_wanted) = (Notify::new(), Notify::new());
        Self { shard, sockets: RefCell::default(), served, turn_wanted, has_system_clock, position }
    }

    /// Marks the shard's loop as failed, which ends all waits in [`caught_up`](Self::caught_up).
    pub fn fail(&self) {
        self.position.send_replace(u64::MAX);
    }

    /// Waits until the shard's loop has read the log up to this position, or has failed.
    pub async fn caught_up(&self, position: u64) {
        // The runner holds the sender, so the wait cannot fail.
        let _ = self.position.subscribe().wait_for(|read| *read >= position).await;
    }

    /// Runs the shard's loop until `stop` is cancelled.
    ///
    /// The loop must not run under tokio's cooperative budget. The loop writes a batch of new events to all
    /// subscribers without a pause, which could use up this budget. Then a socket would refuse a write even
    /// if the socket has room.
    pub async fn run(
        &self,
        mut reader: Reader,
        mut inbox: mpsc::Receiver<Arc<Relayed>>,
        stop: CancellationToken,
    ) {
        let mut stall_check = time::interval(STALL_CHECK_PERIOD);
        // Checks that were missed while the feed was not flow-controlled are skipped.
        stall_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = time::interval(self.shard.borrow().check_period());
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut window_end = Instant::now();
        let mut timer = ExactTimer::new(self.has_system_clock);
        let mut overload = Overload::default();
        loop {
            let is_flow_controlled = reader.bus().is_flow_controlled();
            // This `select!` is not `biased`. Otherwise a branch that is always ready would starve the
            // others.
            select! {
                () = stop.cancelled() => break,
                Some(relayed) = inbox.recv() => self.relay(relayed, &mut inbox),
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
                () = ready(&mut reader, &mut timer, window_end) => {
                    let now = Instant::now();
                    // A flow-controlled feed waits for its readers, so it cannot overload a shard.
                    let backlog = reader.backlog(now);
                    let published = now - backlog.age;
                    let is_overloaded = !is_flow_controlled && overload.begin_turn(backlog, now);
                    self.shard.borrow_mut().set_overloaded(is_overloaded, now);
                    let is_drained = self.read(&mut reader, now, published);
                    overload.end_turn(is_drained, Instant::now());
                    // A shard that is behind does not wait for more updates.
                    let may_collect = is_drained && !reader.bus().is_flow_controlled();
                    window_end = if may_collect { now + self.shard.borrow().collect_for() } else { now };
                }
            }
            self.begin_turn();
            // The sessions of this thread write before the shard reads more.
            yield_now().await;
        }
    }

    /// Writes the relayed message `first`, and then all messages in the inbox, to the clients.
    fn relay(&self, first: Arc<Relayed>, inbox: &mut mpsc::Receiver<Arc<Relayed>>) {
        let mut messages = vec![first];
        let waiting = inbox.len();
        messages.extend(iter::from_fn(|| inbox.try_recv().ok()).take(waiting));
        let mut sockets = self.sockets.borrow_mut();
        self.shard.borrow_mut().relay(&messages, |id, bytes| sockets.write(id, bytes));
        self.wake_unflushed(&mut sockets);
    }

    /// Reads the log for one turn. The oldest entry that the shard has not read was published at `published`.
    fn read(&self, reader: &mut Reader, now: Instant, published: Instant) -> bool {
        let mut sockets = self.sockets.borrow_mut();
        let bus = Arc::clone(reader.bus());
        let mut writes = 0_usize;
        let write = |id, bytes: &[u8]| {
            let count = sockets.write(id, bytes);
            if writes.is_multiple_of(WRITES_A_SAMPLE) && count == bytes.len() {
                bus.counters().data_age.observe(published.elapsed().as_secs_f64());
            }
            writes += 1;
            count
        };
        let mut shard = self.shard.borrow_mut();
        let is_drained = shard.read(now, Time::now(), || reader.try_next(), write);
        if reader.bus().head() > 0 {
            fault::point("shard");
        }
        drop(shard);
        self.wake_unflushed(&mut sockets);
        self.position.send_replace(reader.position());
        self.report(reader);
        is_drained
    }

    /// Wakes the sessions whose sockets have accepted bytes that they have not sent yet.
    fn wake_unflushed(&self, sockets: &mut Sockets) {
        let mut shard = self.shard.borrow_mut();
        sockets.take_unflushed().into_iter().for_each(|id| shard.wake(id));
    }

    /// Begins the shard's next turn, and requests another turn if work is left.
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

/// Waits until the flush window has ended, and then until the log has a new entry.
async fn ready(reader: &mut Reader, timer: &mut ExactTimer, window_end: Instant) {
    // Because of this order, an event that is published within the window does not wake the thread.
    if Instant::now() < window_end {
        timer.sleep_until(window_end).await;
    }
    reader.ready().await;
}
