//! The bus: the one order of all events.
//!
//! A feed publishes, and each event gets the next sequence number and its place in the
//! [log](Log). Readers come with a cursor of their own; they are woken, never fed, and the
//! bus waits for none of them. A reader that the log has passed is told so and starts again
//! from the log's own fold. A reader is [passive](Bus::reader), or [waited for](Bus::awaited_reader): a
//! [paced](Bus::is_flow_controlled) feed waits until those are [level](Bus::level).

mod last_value_cache;
mod log;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slab::Slab;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::counters::Counters;
use crate::market::{Event, FeedKind, FeedState, Time};

pub use last_value_cache::{Key, LastValueCache, SequencedEvent, SymbolValues};
pub use log::{Backlog, Checkpoint, Chunk, Evicted, Log, Read, Seek, Segment, SharedCheckpoint};

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
    /// What each reader that is waited for has done.
    done: watch::Sender<Slab<Done>>,
    readers: Mutex<Slab<ReaderPosition>>,
    listened: watch::Sender<bool>,
    is_flow_controlled: AtomicBool,
    is_waiting: AtomicBool,
    counters: Counters,
}

/// Says that the feed waits for as long as it does, even where it is stopped in the middle.
struct Waiting<'a>(&'a AtomicBool);

/// What a reader has done.
#[derive(Debug)]
struct Done {
    /// It has done all its work up to here.
    seq: u64,
    /// Whether it has said so since the feed asked whether it [works](Bus::all_work).
    is_heard: bool,
}

/// Where a reader stands, for those who ask how far behind it is.
#[derive(Debug)]
struct ReaderPosition {
    name: String,
    position: Arc<AtomicU64>,
}

/// A reader that is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lagging {
    /// The reader's name.
    pub name: String,
    /// For how long the next entry of the log has waited for it; [`Duration::MAX`] where the log no longer holds that entry.
    pub lag: Duration,
}

/// A place in the log and the means to wait there for more.
#[derive(Debug)]
pub struct Reader {
    bus: Arc<Bus>,
    /// Its number among all readers.
    number: usize,
    /// Its number among those that are waited for.
    waited: Option<usize>,
    position: u64,
    shown: Arc<AtomicU64>,
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
            done: watch::Sender::new(Slab::new()),
            readers: Mutex::default(),
            listened: watch::Sender::new(false),
            is_flow_controlled: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            counters: Counters::default(),
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
        self.append(|log, now| log.append(events, now))
    }

    /// Says how the feed fares from here on; whoever reads the log learns it in its order.
    pub fn set_feed_state(&self, state: FeedState) {
        self.append(|log, now| log.set_feed_state(state, now));
    }

    /// Has all go on from elsewhere: from the market time `position`, with `last_values` in place of what was folded so far,
    /// and the feed in this state. The epoch and the count go on; no cursor up to the head of this moment can be resumed.
    ///
    /// `last_values` begin as [`LastValueCache::at`] the [head](Self::head), and nobody publishes meanwhile.
    pub fn seek(&self, last_values: LastValueCache, position: Time, state: FeedState) {
        self.append(|log, now| log.seek(last_values, position, state, now));
    }

    /// The position behind the newest entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.log().end()
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
    pub fn after(&self, seq: u64) -> Result<Option<Chunk>, Evicted> {
        self.log().after(seq)
    }

    /// Returns the newest state of the feed.
    #[must_use]
    pub fn feed_state(&self) -> FeedState {
        self.log().feed().clone()
    }

    /// Returns a passive reader, for which nobody waits, at the log's oldest entry, and what the fold of everything before
    /// it gives.
    #[must_use]
    pub fn reader(self: &Arc<Self>, name: impl Into<String>) -> (Reader, Checkpoint) {
        let checkpoint = self.log().checkpoint();
        // The lock is free again before the last values are copied, which stops nobody.
        let start = Checkpoint::from(checkpoint);
        let shown = Arc::new(AtomicU64::new(start.position));
        let number =
            self.readers().insert(ReaderPosition { name: name.into(), position: Arc::clone(&shown) });
        let (position, end) = (start.position, self.end.subscribe());
        (Reader { bus: Arc::clone(self), number, waited: None, position, shown, end }, start)
    }

    /// Returns a reader for which a [paced](Self::is_flow_controlled) feed waits until it is dropped: it says what it has
    /// [done](Reader::done).
    #[must_use]
    pub fn awaited_reader(self: &Arc<Self>, name: impl Into<String>) -> (Reader, Checkpoint) {
        let (mut reader, start) = self.reader(name);
        let none_yet = Done { seq: start.last_values.seq(), is_heard: false };
        self.done.send_modify(|done| reader.waited = Some(done.insert(none_yet)));
        (reader, start)
    }

    /// Returns the reader that is furthest behind, where one is by more than `most`.
    #[must_use]
    pub fn lagging(&self, most: Duration) -> Option<Lagging> {
        let now = Instant::now();
        let log = self.log();
        let readers = self.readers();
        let lag = |reader: &ReaderPosition| log.lag(reader.position.load(Ordering::Relaxed), now);
        let (lag, reader) =
            readers.iter().map(|(_, reader)| (lag(reader), reader)).max_by_key(|(lag, _)| *lag)?;
        (lag > most).then(|| Lagging { name: reader.name.clone(), lag })
    }

    /// Says whether the feed waits for its readers from now on. None does at first.
    pub fn set_flow_controlled(&self, is_flow_controlled: bool) {
        self.is_flow_controlled.store(is_flow_controlled, Ordering::Relaxed);
    }

    /// Whether the feed waits for its readers, so that no client has to be closed for what it has not read.
    #[must_use]
    pub fn is_flow_controlled(&self) -> bool {
        self.is_flow_controlled.load(Ordering::Relaxed)
    }

    /// Waits until every reader that is waited for is done with all events so far. They say so while the feed is
    /// [paced](Self::is_flow_controlled); otherwise this may never end.
    ///
    /// Cancel safe: nothing is changed here, and a feed that has stopped waiting no longer [waits](Self::is_waiting).
    pub async fn caught_up(&self) {
        let head = self.head();
        let _waiting = Waiting::begin(&self.is_waiting);
        // The sender is ours, so the wait cannot fail.
        let _ = self.done.subscribe().wait_for(|done| done.iter().all(|(_, done)| done.seq >= head)).await;
    }

    /// Returns whether every reader that is waited for and is behind has said what it has [done](Reader::done) since the
    /// last call.
    pub fn all_work(&self) -> bool {
        let head = self.head();
        let mut all_work = true;
        self.done.send_if_modified(|done| {
            for (_, done) in done {
                all_work &= std::mem::take(&mut done.is_heard) || done.seq >= head;
            }
            false
        });
        all_work
    }

    /// Whether the feed waits for its readers at this moment.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// What is counted of its readers and their clients.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Says that somebody subscribed: what waits for a client may begin.
    pub fn note_subscriber(&self) {
        self.listened.send_if_modified(|listened| !std::mem::replace(listened, true));
    }

    /// Waits for the first subscriber.
    pub async fn first_subscriber(&self) {
        // The sender is ours, so the wait cannot fail.
        let _ = self.listened.subscribe().wait_for(|listened| *listened).await;
    }

    fn append<T>(&self, change: impl FnOnce(&mut Log, Instant) -> T) -> T {
        let mut log = self.log();
        let outcome = change(&mut log, Instant::now());
        let end = log.end();
        drop(log);
        // Of two who publish at once, the second may be here first: the end never goes back.
        self.end.send_if_modified(|known| {
            let is_newer = end > *known;
            *known = end.max(*known);
            is_newer
        });
        outcome
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nothing panics while it holds the log")
    }

    fn readers(&self) -> MutexGuard<'_, Slab<ReaderPosition>> {
        // It is whole between any two statements.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The position of what comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns how far the reader is behind.
    #[must_use]
    pub fn backlog(&self, now: Instant) -> Backlog {
        self.bus.log().backlog(self.position, now)
    }

    /// What comes next, where it is there already.
    pub fn try_next(&mut self) -> Option<Read> {
        let next = self.bus.log().read(self.position);
        // The lock is free again before the last values are copied, which stops nobody.
        let read = match next {
            Ok(segment) => {
                let segment = segment?;
                self.position += 1;
                Read::Segment(segment)
            }
            Err(checkpoint) => {
                self.bus.counters.lags.inc();
                let start = Checkpoint::from(checkpoint);
                self.position = start.position;
                Read::Lagged(Box::new(start))
            }
        };
        self.shown.store(self.position, Ordering::Relaxed);
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

    /// Says that all work up to `seq` is done; a paced feed that waits for this reader may go on.
    pub fn done(&self, seq: u64) {
        let Some(waited) = self.waited else { return };
        self.bus.done.send_if_modified(|done| {
            let done = &mut done[waited];
            done.is_heard = true;
            std::mem::replace(&mut done.seq, seq) != seq
        });
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.bus.readers().remove(self.number);
        if let Some(waited) = self.waited {
            self.bus.done.send_modify(|done| {
                done.remove(waited);
            });
        }
    }
}

#[cfg(test)]
mod tests;
