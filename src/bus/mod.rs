//! The bus: the one order of all events.
//!
//! A feed publishes, and each event gets the next sequence number and its place in the
//! [log](Log). Readers come with a cursor of their own; they are woken, never fed, and the
//! bus waits for none of them. A reader that the log has passed is told so and starts again
//! from the log's own fold. Only a [paced](Bus::is_paced) feed waits until they are [level](Bus::level).

mod last_values;
mod log;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::market::{Event, FeedKind, FeedState, Time};
use crate::tally::Tally;

pub use last_values::{Last, LastValues, Numbered};
pub use log::{Chunk, Log, NotHeld, Read, Seek, Segment, Start};

/// How much of the past is kept for clients that come back (`[bus]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many events are held at the most.
    pub history: NonZeroUsize,
    /// How many bytes they take at the most.
    pub history_bytes: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        let nonzero = |n| NonZeroUsize::new(n).expect("the defaults are not zero");
        Self { history: nonzero(65_536), history_bytes: nonzero(16 * 1024 * 1024) }
    }
}

/// The log with its readers' wake-ups. One process can hold several.
#[derive(Debug)]
pub struct Bus {
    epoch: String,
    kind: FeedKind,
    log: Mutex<Log>,
    capacity: usize,
    /// The position after the log's last entry; changing it wakes the readers.
    end: watch::Sender<u64>,
    /// For each reader, the `seq` up to which it has done all its work.
    done: watch::Sender<Vec<u64>>,
    listened: watch::Sender<bool>,
    is_paced: AtomicBool,
    is_waiting: AtomicBool,
    tally: Tally,
}

/// Says that the feed waits for as long as it does, even where it is stopped in the middle.
struct Waiting<'a>(&'a AtomicBool);

/// A place in the log and the means to wait there for more.
#[derive(Debug)]
pub struct Reader {
    bus: Arc<Bus>,
    index: usize,
    position: u64,
    end: watch::Receiver<u64>,
}

impl Bus {
    /// An empty bus; `epoch` names its count of events and is 1 to 32 letters and digits.
    #[must_use]
    pub fn new(config: &Config, kind: FeedKind, epoch: String) -> Arc<Self> {
        Arc::new(Self {
            epoch,
            kind,
            log: Mutex::new(Log::new(config)),
            capacity: Log::capacity(config),
            end: watch::Sender::new(0),
            done: watch::Sender::new(Vec::new()),
            listened: watch::Sender::new(false),
            is_paced: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            tally: Tally::default(),
        })
    }

    /// The name of this count of events.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// So many events are held, whatever they are: a reader that is not further behind loses none.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What kind of feed publishes here.
    #[must_use]
    pub fn kind(&self) -> FeedKind {
        self.kind
    }

    /// Gives the events the next sequence numbers, in their order, and returns the last.
    pub fn publish(&self, events: Vec<Event>) -> u64 {
        self.append(|log| log.append(events))
    }

    /// Says how the feed fares from here on; whoever reads the log learns it in its order.
    pub fn mark(&self, state: FeedState) {
        self.append(|log| log.mark(state));
    }

    /// Has all go on from elsewhere: from the market time `position`, with `last_values` in place of what was folded so far,
    /// and the feed in this state. The epoch and the count go on; no cursor up to the head of this moment can be resumed.
    ///
    /// `last_values` begin as [`LastValues::at`] the [head](Self::head), and nobody publishes meanwhile.
    pub fn seek(&self, last_values: LastValues, position: Time, state: FeedState) {
        self.append(|log| log.seek(last_values, position, state));
    }

    /// The newest sequence number; 0 before the first event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.log().head()
    }

    /// The events after `seq`, up to the end of one segment.
    ///
    /// # Errors
    ///
    /// The log no longer reaches back to `seq`, or there was a [seek](Self::seek) after it.
    pub fn after(&self, seq: u64) -> Result<Option<Chunk>, NotHeld> {
        self.log().after(seq)
    }

    /// A new reader at the log's oldest entry, with what the fold of everything before it gives.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> (Reader, Start) {
        let start = self.log().start();
        let mut index = 0;
        self.done.send_modify(|done| {
            index = done.len();
            done.push(start.last_values.seq());
        });
        let reader =
            Reader { bus: Arc::clone(self), index, position: start.position, end: self.end.subscribe() };
        (reader, start)
    }

    /// Says whether the feed waits for its readers from now on. None does at first.
    pub fn set_paced(&self, is_paced: bool) {
        self.is_paced.store(is_paced, Ordering::Relaxed);
    }

    /// Whether the feed waits for its readers, so that no client has to be closed for what it has not read.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.is_paced.load(Ordering::Relaxed)
    }

    /// Waits until every reader is done with all events so far. Readers say so while the feed is
    /// [paced](Self::is_paced); otherwise this may never end.
    ///
    /// Cancel safe: nothing is changed here, and a feed that has stopped waiting no longer [waits](Self::is_waiting).
    pub async fn level(&self) {
        let head = self.head();
        let _waiting = Waiting::begin(&self.is_waiting);
        // The sender is ours, so the wait cannot fail.
        let _ = self.done.subscribe().wait_for(|done| done.iter().all(|seq| *seq >= head)).await;
    }

    /// Whether the feed waits for its readers at this moment.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// What is counted of its readers and their clients.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Says that somebody subscribed: what waits for a client may begin.
    pub fn listen(&self) {
        self.listened.send_if_modified(|listened| !std::mem::replace(listened, true));
    }

    /// Waits for the first subscriber.
    pub async fn listened(&self) {
        // The sender is ours, so the wait cannot fail.
        let _ = self.listened.subscribe().wait_for(|listened| *listened).await;
    }

    fn append<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.log();
        let outcome = change(&mut log);
        let end = log.end();
        drop(log);
        self.end.send_replace(end);
        outcome
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nothing panics while it holds the log")
    }
}

impl<'a> Waiting<'a> {
    fn begin(is_waiting: &'a AtomicBool) -> Self {
        is_waiting.store(true, Ordering::Relaxed);
        Self(is_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Reader {
    /// The bus that this reader reads.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// What comes next, where it is there already.
    pub fn try_next(&mut self) -> Option<Read> {
        let read = self.bus.log().read(self.position)?;
        self.position = match &read {
            Read::Segment(_) => self.position + 1,
            Read::Lagged(start) => {
                self.bus.tally.lags.inc();
                start.position
            }
        };
        Some(read)
    }

    /// Waits until there is more to read.
    ///
    /// Cancel safe: nothing is read here.
    pub async fn ready(&mut self) {
        let position = self.position;
        // The bus lives as long as we hold it, so the wait cannot fail.
        let _ = self.end.wait_for(|end| *end > position).await;
    }

    /// Says that all work up to `seq` is done; a paced feed may go on.
    pub fn done(&self, seq: u64) {
        self.bus.done.send_if_modified(|done| std::mem::replace(&mut done[self.index], seq) != seq);
    }
}
