//! The bus holds one sequence of all events, and the readers of this sequence.
//!
//! A feed publishes events. Each event gets the next sequence number and is appended to the [log](Log). Each
//! reader reads the log at its own position. The bus wakes the readers, but does not hand events to them. If
//! the log evicts the next entry of a reader, the reader lags. A lagging reader continues at the log's
//! checkpoint.
//!
//! A reader is [passive](Bus::reader), [awaited](Bus::awaited_reader), or [briefly
//! awaited](Bus::briefly_awaited_reader). A [flow-controlled](Bus::is_flow_controlled) feed waits until all
//! awaited readers have [caught up](Bus::caught_up). The feed [gives up](Bus::give_up_silent_readers) a briefly
//! awaited reader that makes no progress.

mod last_value_cache;
mod log;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slab::Slab;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::counters::Counters;
use crate::market::{Event, FeedKind, FeedState, Symbol, Time};
use crate::range::{self, Check};

pub use last_value_cache::{Key, LastValueCache, SequencedEvent, SymbolValues};
pub use log::{Backlog, Checkpoint, Chunk, Evicted, Log, Read, Seek, Segment, SharedCheckpoint};

/// The time between two checks whether the log has reached a cursor.
const REACH_CHECK: Duration = Duration::from_millis(5);

/// The limits of the history (`[bus]` in config.toml). A client can resume from any event that the history
/// still contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The maximum number of events in the history.
    pub history: NonZeroUsize,
    /// The maximum size of the history, in bytes.
    pub history_bytes: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        let nonzero = |n| NonZeroUsize::new(n).expect("the defaults are not zero");
        Self { history: nonzero(65_536), history_bytes: nonzero(16 * 1024 * 1024) }
    }
}

impl Config {
    /// Returns the checks of the values in the `[bus]` section.
    pub(crate) fn checks(&self) -> Vec<Check> {
        vec![
            range::whole_number("history", self.history.get(), 1..=100_000_000),
            range::whole_number("history_bytes", self.history_bytes.get(), 1..=1 << 40),
        ]
    }
}

/// Returns a random name of eight letters and digits, for example for an epoch.
#[must_use]
pub fn random_name() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..8).map(|_| char::from(DIGITS[rand::random_range(0..DIGITS.len())])).collect()
}

/// A log that wakes its readers after each new entry. One process can have several buses.
#[derive(Debug)]
pub struct Bus {
    kind: Mutex<FeedKind>,
    log: Mutex<Log>,
    capacity: usize,
    /// The position after the log's last entry. A change of this position wakes the readers.
    end: watch::Sender<u64>,
    /// The progress of each awaited reader.
    progress: watch::Sender<Slab<Progress>>,
    readers: Mutex<Slab<ReaderPosition>>,
    has_subscriber: watch::Sender<bool>,
    /// The symbols that the feed has announced. The inner `None` means that the feed has too many symbols to
    /// announce.
    announced: OnceLock<Option<HashSet<Symbol>>>,
    is_flow_controlled: AtomicBool,
    /// How long a cursor may wait until the log has reached it, in milliseconds; 0 on a server that is no node
    /// of a cluster.
    ahead_wait: AtomicU64,
    /// Whether the log has all that its origin has. In a cluster, a node that is cut off may lack events.
    is_current: AtomicBool,
    /// How many events an awaited reader may be behind before the feed waits; 0 means without limit.
    bound: AtomicU64,
    /// Whether the server ends after the feed, as the setting `feed.exit_at_end` says.
    exits_at_end: AtomicBool,
    is_ending: AtomicBool,
    is_waiting: AtomicBool,
    counters: Counters,
}

/// While this guard exists, [`Bus::is_waiting`] returns true. A cancelled wait also drops the guard.
struct Waiting<'a>(&'a AtomicBool);

/// The progress of an awaited reader.
#[derive(Debug)]
struct Progress {
    /// The sequence number of the newest event that the reader has processed.
    seq: u64,
    /// Whether the reader has reported progress since the feed last checked its readers.
    has_reported: bool,
    /// The reader's name.
    name: String,
    wait: Wait,
}

/// How long a flow-controlled feed waits for a reader that is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Until the reader has caught up.
    Long,
    /// Until the reader has caught up or is given up.
    Brief,
    /// Not at all, until the reader reports progress.
    GivenUp,
}

/// The name of a reader, and the reader's position in the log. The bus computes the reader's lag from this
/// position.
#[derive(Debug)]
struct ReaderPosition {
    name: String,
    position: Arc<AtomicU64>,
}

/// A reader with unread entries, and its lag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lagging {
    /// The reader's name.
    pub name: String,
    /// The time since the reader's next entry was appended to the log; [`Duration::MAX`] if the log has
    /// evicted that entry.
    pub lag: Duration,
}

/// A reader of the log, with its own position.
#[derive(Debug)]
pub struct Reader {
    bus: Arc<Bus>,
    /// The reader's key in `Bus::readers`.
    number: usize,
    /// The reader's key in `Bus::progress`; `None` for a passive reader.
    awaited: Option<usize>,
    position: u64,
    shared_position: Arc<AtomicU64>,
    end: watch::Receiver<u64>,
}

impl Bus {
    /// Returns an empty bus. `epoch` distinguishes the bus's sequence numbers from the numbers of other
    /// buses. An epoch has 1 to 32 letters and digits.
    #[must_use]
    pub fn new(config: &Config, kind: FeedKind, epoch: String) -> Arc<Self> {
        Arc::new(Self {
            kind: Mutex::new(kind),
            log: Mutex::new(Log::new(config, epoch.into())),
            capacity: Log::capacity(config),
            end: watch::Sender::new(0),
            progress: watch::Sender::new(Slab::new()),
            readers: Mutex::default(),
            has_subscriber: watch::Sender::new(false),
            announced: OnceLock::new(),
            is_flow_controlled: AtomicBool::new(false),
            ahead_wait: AtomicU64::new(0),
            is_current: AtomicBool::new(true),
            bound: AtomicU64::new(0),
            exits_at_end: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    /// Returns the epoch, which distinguishes the bus's sequence numbers from the numbers of other buses. The
    /// epoch changes if the log [starts over](Self::start_over).
    #[must_use]
    pub fn epoch(&self) -> Arc<str> {
        Arc::clone(self.log().epoch())
    }

    /// Returns how far a reader can fall behind, in events, before the log may evict the reader's next entry.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns the kind of the feed that publishes on this bus.
    #[must_use]
    pub fn kind(&self) -> FeedKind {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the kind of the feed, for a bus whose feed is on another node.
    pub fn set_kind(&self, kind: FeedKind) {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    /// Announces the symbols that the feed may publish; `None` means that the feed has too many symbols to
    /// announce. Call this function before the feed's first event. A second call of this function has no
    /// effect.
    ///
    /// A feed that can seek must announce all its symbols. A seek can remove a symbol from the last values,
    /// but the server must still know the symbol.
    pub fn announce(&self, symbols: Option<HashSet<Symbol>>) {
        self.announced.get_or_init(|| symbols);
    }

    /// Returns whether the feed has announced a symbol. Also returns true if the feed has too many symbols to
    /// announce.
    #[must_use]
    pub fn is_announced(&self, symbol: &Symbol) -> bool {
        let announced = self.announced.get();
        announced.is_some_and(|symbols| symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol)))
    }

    /// Publishes events in the given order. Returns the sequence number of the newest event.
    pub fn publish(&self, events: Vec<Event>) -> u64 {
        self.append(|log, now| log.append(events, now))
    }

    /// Appends a new state of the feed to the log, so that readers get the state after all earlier events.
    pub fn set_feed_state(&self, state: FeedState) {
        self.begin_to_end_at(&state);
        self.append(|log, now| log.set_feed_state(state, now));
    }

    /// Appends a seek: the feed continues at the market time `position`, in the state `state`.
    ///
    /// `last_values` replaces the last values from before the seek. The epoch does not change, and the
    /// sequence numbers continue. From the seek on, a client can resume only from events that follow the
    /// seek.
    ///
    /// Build `last_values` from [`LastValueCache::at`] with the current [head](Self::head). Publish no event
    /// between the call of `at` and the seek, because an event moves the head.
    pub fn seek(&self, last_values: LastValueCache, position: Time, state: FeedState) {
        self.begin_to_end_at(&state);
        self.append(|log, now| log.seek(last_values, position, state, now));
    }

    /// Empties the log, and continues at a checkpoint of another log. All readers then lag, and continue at
    /// this checkpoint. If the checkpoint has another epoch, no cursor from before the call is valid any more.
    pub fn start_over(&self, checkpoint: Checkpoint) {
        self.append(|log, _| log.start_over(checkpoint));
        // The readers have processed nothing of the new sequence.
        self.progress.send_modify(|all| all.iter_mut().for_each(|(_, progress)| progress.seq = 0));
    }

    /// Returns the position after the newest entry of the log.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.log().end()
    }

    /// Returns the position of the oldest entry of the log.
    #[must_use]
    pub fn first_position(&self) -> u64 {
        self.log().first_position()
    }

    /// Returns the checkpoint before the oldest entry of the log.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let checkpoint = self.log().checkpoint();
        // Copies the cache after the log is unlocked, because copying is slow.
        Checkpoint::from(checkpoint)
    }

    /// Returns the entry at a position; `None` if the log has evicted the entry, or does not have it yet.
    #[must_use]
    pub fn entry(&self, position: u64) -> Option<Arc<Segment>> {
        self.log().read(position).ok().flatten()
    }

    /// Returns the sequence number of the newest event; 0 before the first event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.log().head()
    }

    /// Returns a chunk of the events after the sequence number `seq` of an epoch. The chunk ends where its
    /// segment ends, so more events may follow. Returns `None` if no event after `seq` is published yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the log has another epoch, or has evicted the event after `seq`, or if there was a
    /// [seek](Self::seek) after `seq`.
    pub fn after(&self, epoch: &str, seq: u64) -> Result<Option<Chunk>, Evicted> {
        self.log().after(epoch, seq)
    }

    /// Returns the first chunk of the history. The history begins with the oldest event in the log, or after
    /// the newest [seek](Self::seek). Returns `None` if the history has no events.
    #[must_use]
    pub fn oldest_chunk(&self) -> Option<Chunk> {
        self.log().oldest_chunk()
    }

    /// Returns the newest state of the feed.
    #[must_use]
    pub fn feed_state(&self) -> FeedState {
        self.log().feed_state().clone()
    }

    /// Returns a passive reader, and the checkpoint at which the reader starts. A feed never waits for a
    /// passive reader.
    #[must_use]
    pub fn reader(self: &Arc<Self>, name: impl Into<String>) -> (Reader, Checkpoint) {
        let checkpoint = self.checkpoint();
        let shared_position = Arc::new(AtomicU64::new(checkpoint.position));
        let number = self
            .readers()
            .insert(ReaderPosition { name: name.into(), position: Arc::clone(&shared_position) });
        let (position, end) = (checkpoint.position, self.end.subscribe());
        (Reader { bus: Arc::clone(self), number, awaited: None, position, shared_position, end }, checkpoint)
    }

    /// Returns a reader for which a flow-controlled feed waits, and the reader's checkpoint at the start.
    ///
    /// A [flow-controlled](Self::is_flow_controlled) feed goes on only when the reader reports its work as
    /// [done](Reader::done), or when the reader is dropped.
    #[must_use]
    pub fn awaited_reader(self: &Arc<Self>, name: impl Into<String>) -> (Reader, Checkpoint) {
        self.reader_with(name.into(), Wait::Long)
    }

    /// Returns a reader for which a flow-controlled feed waits only while the reader reports progress, and the
    /// reader's checkpoint at the start.
    ///
    /// The feed decides when it [gives up](Self::give_up_silent_readers) a silent reader. The log may then pass
    /// the reader. When the reader reports again, the feed waits for it again.
    #[must_use]
    pub fn briefly_awaited_reader(self: &Arc<Self>, name: impl Into<String>) -> (Reader, Checkpoint) {
        self.reader_with(name.into(), Wait::Brief)
    }

    fn reader_with(self: &Arc<Self>, name: String, wait: Wait) -> (Reader, Checkpoint) {
        let (mut reader, checkpoint) = self.reader(name.clone());
        let progress = Progress { seq: checkpoint.last_values.seq(), has_reported: false, name, wait };
        self.progress.send_modify(|all| reader.awaited = Some(all.insert(progress)));
        (reader, checkpoint)
    }

    /// Returns the reader with the longest lag, if that lag is longer than `most`.
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

    /// Sets whether the feed waits for readers that are behind. The initial value is false.
    pub fn set_flow_controlled(&self, is_flow_controlled: bool) {
        self.is_flow_controlled.store(is_flow_controlled, Ordering::Relaxed);
    }

    /// Returns whether the feed waits for readers that are behind. If the feed is flow-controlled, a client's
    /// unsent events do not count against the client's buffer limit. An [ending](Self::is_ending) bus makes
    /// every feed flow-controlled.
    #[must_use]
    pub fn is_flow_controlled(&self) -> bool {
        self.is_flow_controlled.load(Ordering::Relaxed) || self.is_ending()
    }

    /// Sets whether the server ends after the feed. The initial value is false.
    pub fn set_exits_at_end(&self, exits_at_end: bool) {
        self.exits_at_end.store(exits_at_end, Ordering::Relaxed);
    }

    /// Returns whether the server ends as soon as the clients have got everything, because the feed has ended
    /// or failed. The feed then waits for all clients, and not only for clients with `delivery=every`.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Waits until all awaited readers have processed every event that was published before this call.
    ///
    /// Readers report their progress only while the feed is [flow-controlled](Self::is_flow_controlled).
    /// Without flow control, the wait may never end.
    ///
    /// Cancel safe: after a cancelled wait, the feed no longer counts as [waiting](Self::is_waiting).
    pub async fn caught_up(&self) {
        let head = self.head();
        let _waiting = Waiting::begin(&self.is_waiting);
        self.progress.send_if_modified(|all| {
            // What a briefly awaited reader reported before this wait does not prolong the wait.
            let brief = all.iter_mut().filter(|(_, one)| one.wait == Wait::Brief);
            brief.for_each(|(_, one)| one.has_reported = false);
            false
        });
        let is_awaited = |one: &Progress| one.wait != Wait::GivenUp && one.seq < head;
        // The bus holds the sender, so the wait cannot fail.
        let _ = self.progress.subscribe().wait_for(|all| !all.iter().any(|(_, one)| is_awaited(one))).await;
    }

    /// Returns the sequence number up to which all awaited readers have processed the events. Returns the
    /// [head](Self::head) if there is no such reader.
    #[must_use]
    pub fn served(&self) -> u64 {
        let head = self.head();
        let progress = self.progress.borrow();
        let awaited = progress.iter().filter(|(_, one)| one.wait != Wait::GivenUp);
        awaited.map(|(_, one)| one.seq).min().unwrap_or(head).min(head)
    }

    /// Returns whether a client has subscribed.
    #[must_use]
    pub fn has_subscriber(&self) -> bool {
        *self.has_subscriber.borrow()
    }

    /// Sets how long a cursor may wait until the log has [reached](Self::reach) it. The initial value is zero.
    pub fn set_ahead_wait(&self, wait: Duration) {
        self.ahead_wait.store(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Sets whether the log has all that its origin has. The initial value is true.
    pub fn set_current(&self, is_current: bool) {
        self.is_current.store(is_current, Ordering::Relaxed);
    }

    /// Returns whether the log has all that its origin has.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    /// Waits until the log has the event `seq` of an epoch, because a client of another node may be ahead of
    /// this node. Does not wait for an epoch that a [current](Self::is_current) log does not have. Returns
    /// whether nothing is left to wait for.
    ///
    /// Cancel safe: the wait changes nothing.
    pub async fn reach(&self, epoch: &str, seq: u64) -> bool {
        let is_reached = || {
            let log = self.log();
            if **log.epoch() == *epoch { log.head() >= seq } else { self.is_current() }
        };
        let wait = Duration::from_millis(self.ahead_wait.load(Ordering::Relaxed));
        if wait.is_zero() {
            return true;
        }
        let reaching = async {
            while !is_reached() {
                sleep(REACH_CHECK).await;
            }
        };
        timeout(wait, reaching).await.is_ok()
    }

    /// Sets how many events an awaited reader may be behind before any feed waits. The initial value is 0,
    /// which means without limit.
    pub fn set_bound(&self, events: u64) {
        self.bound.store(events, Ordering::Relaxed);
    }

    /// Waits until no awaited reader is further behind than the [bound](Self::set_bound).
    ///
    /// Cancel safe: the wait changes nothing.
    pub async fn room(&self) {
        let bound = self.bound.load(Ordering::Relaxed);
        if bound == 0 {
            return;
        }
        let least = self.head().saturating_sub(bound);
        // The bus holds the sender, so the wait cannot fail.
        let _ = self.progress.subscribe().wait_for(|all| all.iter().all(|(_, one)| one.seq >= least)).await;
    }

    /// Returns whether each awaited reader is at work or has caught up. A reader is at work if it has
    /// reported [progress](Reader::done) since the previous call of this function. Briefly awaited readers do
    /// not count.
    pub fn all_report(&self) -> bool {
        self.take_silent(Wait::Long, Wait::Long).is_empty()
    }

    /// Gives up the briefly awaited readers that are behind and not at work. A reader is at work if it has
    /// reported [progress](Reader::done) since the previous call of this function, and since the [wait for the
    /// readers](Self::caught_up) began. Returns the names of the readers that were given up.
    ///
    /// The feed does not wait for such a reader until the reader reports progress again.
    pub fn give_up_silent_readers(&self) -> Vec<String> {
        self.take_silent(Wait::Brief, Wait::GivenUp)
    }

    /// Finds the readers with the wait `from` that are behind and not at work, and sets their wait to `to`.
    /// Returns their names.
    fn take_silent(&self, from: Wait, to: Wait) -> Vec<String> {
        let head = self.head();
        let mut names = Vec::new();
        self.progress.send_if_modified(|all| {
            for (_, progress) in all.iter_mut().filter(|(_, progress)| progress.wait == from) {
                if !std::mem::take(&mut progress.has_reported) && progress.seq < head {
                    progress.wait = to;
                    names.push(progress.name.clone());
                }
            }
            from != to && !names.is_empty()
        });
        names
    }

    /// Returns whether the feed is waiting for its readers at this moment.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// Returns the counters of the bus and its clients.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Records that a client has subscribed. At the first subscriber, a feed with the setting
    /// `wait_for_client` begins to publish.
    pub fn note_subscriber(&self) {
        self.has_subscriber.send_if_modified(|has_subscriber| !std::mem::replace(has_subscriber, true));
    }

    /// Waits until the first client has subscribed.
    pub async fn first_subscriber(&self) {
        // The bus holds the sender, so the wait cannot fail.
        let _ = self.has_subscriber.subscribe().wait_for(|has_subscriber| *has_subscriber).await;
    }

    /// If the server ends after the feed, and `next` is the feed's last state, records that the bus is ending.
    /// Call this function before the state is appended. When the readers read the state, they then report
    /// their progress.
    fn begin_to_end_at(&self, next: &FeedState) {
        if next.is_last() && self.exits_at_end.load(Ordering::Relaxed) {
            self.is_ending.store(true, Ordering::Relaxed);
        }
    }

    fn append<T>(&self, change: impl FnOnce(&mut Log, Instant) -> T) -> T {
        let mut log = self.log();
        let outcome = change(&mut log, Instant::now());
        let end = log.end();
        drop(log);
        // If two threads publish at once, the thread with the later end may arrive here first. The end must
        // not move back.
        self.end.send_if_modified(|known| {
            let is_newer = end > *known;
            *known = end.max(*known);
            is_newer
        });
        outcome
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no thread panics while it holds the log")
    }

    fn readers(&self) -> MutexGuard<'_, Slab<ReaderPosition>> {
        // A panic leaves the readers consistent, so a poisoned lock can still be used.
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
    /// Returns the bus that this reader reads.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Returns the position of the log entry that this reader reads next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns how far this reader is behind the end of the log.
    #[must_use]
    pub fn backlog(&self, now: Instant) -> Backlog {
        self.bus.log().backlog(self.position, now)
    }

    /// Returns the next entry of the log; `None` if this reader has read all entries.
    pub fn try_next(&mut self) -> Option<Read> {
        let next = self.bus.log().read(self.position);
        // Copies the cache after the log is unlocked, because copying is slow.
        let read = match next {
            Ok(segment) => {
                let segment = segment?;
                self.position += 1;
                Read::Segment(segment)
            }
            Err(checkpoint) => {
                self.bus.counters.lags.inc();
                let checkpoint = Checkpoint::from(checkpoint);
                self.position = checkpoint.position;
                Read::Lagged(Box::new(checkpoint))
            }
        };
        self.shared_position.store(self.position, Ordering::Relaxed);
        Some(read)
    }

    /// Waits until the log has an entry that the reader has not read.
    ///
    /// Cancel safe: a cancelled wait does not move the reader.
    pub async fn ready(&mut self) {
        let position = self.position;
        // The reader keeps the bus alive, so the wait cannot fail.
        let _ = self.end.wait_for(|end| *end > position).await;
    }

    /// Reports that the reader has processed all events up to `seq`. If a flow-controlled feed waits for this
    /// reader, the feed may then continue. If the feed has given up this reader, the feed waits for it again.
    pub fn done(&self, seq: u64) {
        let Some(awaited) = self.awaited else { return };
        self.bus.progress.send_if_modified(|all| {
            let progress = &mut all[awaited];
            progress.has_reported = true;
            if progress.wait == Wait::GivenUp {
                progress.wait = Wait::Brief;
            }
            std::mem::replace(&mut progress.seq, seq) != seq
        });
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.bus.readers().remove(self.number);
        if let Some(awaited) = self.awaited {
            self.bus.progress.send_modify(|all| {
                all.remove(awaited);
            });
        }
    }
}

#[cfg(test)]
mod tests;
