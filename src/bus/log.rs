//! The log is one sequence of events, feed states and seeks. The log has a maximum number of events, and a
//! maximum size in bytes.
//!
//! The log folds evicted events into a last-value cache, so that a reader that starts at the oldest entry has
//! all last values.
//!
//! A seek cuts the history: a client can no longer resume from a cursor before the seek. A seek does not
//! affect readers of the log. A reader still reads the entries before the seek, unless the log has evicted
//! those entries.
//!
//! A log can [start over](Log::start_over) at a checkpoint of another log, which may have another epoch. All
//! readers then lag, and continue at this checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Config, LastValueCache};
use crate::market::{Event, FeedState, Time};

/// The maximum number of events in one segment. A reader reads one segment at a time.
const SEGMENT_EVENTS: usize = 1024;

/// An immutable entry of the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Segment {
    /// Consecutive events.
    Events {
        /// The sequence number of the first event.
        first: u64,
        /// The events, at least one.
        events: Box<[Event]>,
    },
    /// A new state of the feed.
    FeedState {
        /// The sequence number of the event before this entry. A feed state has no sequence number of its
        /// own.
        after: u64,
        /// The state.
        state: FeedState,
    },
    /// A seek: the feed continues at another market time.
    Seek {
        /// The position of the seek, and the market time at which the feed continues.
        seek: Seek,
        /// The state of the feed after the seek.
        state: FeedState,
        /// The last values after the seek, which replace all earlier last values.
        last_values: Arc<LastValueCache>,
    },
}

/// The position of a seek in the log, and the market time at which the feed continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seek {
    /// The sequence number of the event before the seek. A seek has no sequence number of its own.
    pub after: u64,
    /// The market time at which the feed continues.
    pub position: Time,
}

/// The last values and the feed's state at a position in the log. A reader can start from a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The epoch, which distinguishes the sequence numbers from those before or after another start of the
    /// feed.
    pub epoch: Arc<str>,
    /// The position of the first entry after the checkpoint.
    pub position: u64,
    /// The last values at the checkpoint.
    pub last_values: LastValueCache,
    /// The state of the feed at the checkpoint.
    pub feed_state: FeedState,
    /// The newest seek before the checkpoint.
    pub seek: Option<Seek>,
}

/// A checkpoint that still shares its last-value cache with the log.
///
/// Convert a shared checkpoint into a [`Checkpoint`] only after the log is unlocked, because copying the
/// cache is slow.
#[derive(Debug)]
pub struct SharedCheckpoint {
    epoch: Arc<str>,
    position: u64,
    base: Arc<LastValueCache>,
    /// The events before the checkpoint that are not yet folded into `base`.
    unfolded: Vec<Arc<Segment>>,
    feed_state: FeedState,
    seek: Option<Seek>,
}

/// The result of reading the log at a position.
#[derive(Debug)]
pub enum Read {
    /// The next entry.
    Segment(Arc<Segment>),
    /// The log has evicted the reader's next entry. The reader continues at this checkpoint.
    Lagged(Box<Checkpoint>),
}

/// The backlog of a reader: how far the reader is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The age of the reader's next entry in the log. If the log has evicted the reader's next entry, `age`
    /// is the age of the oldest entry in the log.
    pub age: Duration,
    /// Whether the log may soon evict the reader's next entry. The value is true if the log already evicts
    /// entries, and the next entry is in the log's older half.
    pub is_soon_lost: bool,
}

/// The error for a cursor from which a client can no longer resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted;

/// The last events of one segment: the events from an index to the end of the segment.
#[derive(Debug)]
pub struct Chunk {
    segment: Arc<Segment>,
    from: usize,
}

/// A segment, and the time at which the segment was appended to the log.
#[derive(Debug)]
struct Entry {
    segment: Arc<Segment>,
    at: Instant,
}

/// A bounded sequence of segments.
#[derive(Debug)]
pub struct Log {
    epoch: Arc<str>,
    segments: VecDeque<Entry>,
    /// The position of `segments[0]` in the log. Positions count segments, not events.
    first_position: u64,
    head: u64,
    events: usize,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
    /// The last values, computed from all evicted events except the events in `unfolded`. While a reader
    /// copies this cache, the log and the reader share the cache.
    base: Arc<LastValueCache>,
    /// Evicted events that are not yet folded into `base`, because a reader shares `base`.
    unfolded: Vec<Arc<Segment>>,
    /// The size of `unfolded`, in bytes.
    unfolded_bytes: usize,
    base_feed_state: FeedState,
    base_seek: Option<Seek>,
    /// The newest state of the feed.
    feed_state: FeedState,
    /// The newest seek.
    seek: Option<Seek>,
}

impl Segment {
    fn events(&self) -> &[Event] {
        match self {
            Self::Events { events, .. } => events,
            Self::FeedState { .. } | Self::Seek { .. } => &[],
        }
    }

    /// Returns the sequence number of the segment's first event. For a segment without events, returns the
    /// sequence number of the first event after the segment.
    fn first(&self) -> u64 {
        match self {
            Self::Events { first, .. } => *first,
            Self::FeedState { after, .. } | Self::Seek { seek: Seek { after, .. }, .. } => after + 1,
        }
    }

    /// Returns the sequence number of the segment's last event. For a segment without events, returns the
    /// sequence number of the event before the segment.
    fn last(&self) -> u64 {
        self.first() + self.events().len() as u64 - 1
    }

    fn bytes(&self) -> usize {
        let texts: usize = self.events().iter().map(Event::text_bytes).sum();
        let fold = if let Self::Seek { last_values, .. } = self { last_values.bytes() } else { 0 };
        size_of::<Self>() + size_of_val(self.events()) + texts + fold
    }

    fn fold_into(&self, last_values: &mut LastValueCache) {
        for (seq, event) in (self.first()..).zip(self.events()) {
            last_values.fold(seq, event);
        }
    }
}

impl From<SharedCheckpoint> for Checkpoint {
    fn from(checkpoint: SharedCheckpoint) -> Self {
        let SharedCheckpoint { epoch, position, base, unfolded, feed_state, seek } = checkpoint;
        let mut last_values = Arc::unwrap_or_clone(base);
        for segment in unfolded {
            segment.fold_into(&mut last_values);
        }
        Self { epoch, position, last_values, feed_state, seek }
    }
}

impl Checkpoint {
    /// Updates the checkpoint with the next entry of the log.
    pub fn fold(&mut self, segment: &Segment) {
        self.position += 1;
        match segment {
            Segment::Events { .. } => segment.fold_into(&mut self.last_values),
            Segment::FeedState { state, .. } => self.feed_state = state.clone(),
            Segment::Seek { seek, state, last_values } => {
                self.last_values = LastValueCache::clone(last_values);
                (self.feed_state, self.seek) = (state.clone(), Some(*seek));
            }
        }
    }
}

impl Chunk {
    /// Returns the events of this chunk in order, each with its sequence number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Event)> {
        (self.segment.first()..).zip(self.segment.events()).skip(self.from)
    }
}

impl Log {
    /// Returns an empty log of this epoch.
    #[must_use]
    pub fn new(config: &Config, epoch: Arc<str>) -> Self {
        Self {
            epoch,
            segments: VecDeque::new(),
            first_position: 0,
            head: 0,
            events: 0,
            bytes: 0,
            max_events: config.history.get(),
            max_bytes: config.history_bytes.get(),
            base: Arc::default(),
            unfolded: Vec::new(),
            unfolded_bytes: 0,
            base_feed_state: FeedState::Starting,
            base_seek: None,
            feed_state: FeedState::Starting,
            seek: None,
        }
    }

    /// Empties the log. The log continues at a checkpoint of another log, whose position in its own log does
    /// not matter. The position of this log's next entry is higher than before, so all readers lag.
    pub fn start_over(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { epoch, last_values, feed_state, seek, .. } = checkpoint;
        let end = self.end();
        *self = Self {
            epoch,
            segments: VecDeque::new(),
            first_position: end + 1,
            head: last_values.seq(),
            events: 0,
            bytes: 0,
            max_events: self.max_events,
            max_bytes: self.max_bytes,
            base: Arc::new(last_values),
            unfolded: Vec::new(),
            unfolded_bytes: 0,
            base_feed_state: feed_state.clone(),
            base_seek: seek,
            feed_state,
            seek,
        };
    }

    /// Returns the epoch.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Returns how far a reader can fall behind, in events, before the log may evict the reader's next entry.
    /// The result assumes that every event has the largest possible size.
    #[must_use]
    pub fn capacity(config: &Config) -> usize {
        let largest = size_of::<Event>() + Event::MAX_TEXT_BYTES;
        // Eviction removes a whole segment, so the log may hold up to one segment less than its limits allow.
        config.history.get().min(config.history_bytes.get() / largest).saturating_sub(SEGMENT_EVENTS)
    }

    /// Returns the sequence number of the newest event; 0 before the first event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Returns the position that the next entry will have.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first_position + self.segments.len() as u64
    }

    /// Returns the position of the oldest entry.
    #[must_use]
    pub fn first_position(&self) -> u64 {
        self.first_position
    }

    /// Returns the newest state of the feed.
    #[must_use]
    pub fn feed_state(&self) -> &FeedState {
        &self.feed_state
    }

    /// Returns the lag of a reader at this position: the time since the reader's next entry was appended to
    /// the log.
    ///
    /// Returns [`Duration::MAX`] if the log has evicted this entry, because the entry's age is then unknown.
    #[must_use]
    pub fn lag(&self, position: u64, now: Instant) -> Duration {
        let Some(offset) = position.checked_sub(self.first_position) else { return Duration::MAX };
        let next = usize::try_from(offset).ok().and_then(|offset| self.segments.get(offset));
        next.map_or(Duration::ZERO, |entry| now.duration_since(entry.at))
    }

    /// Returns how far a reader at this position is behind.
    #[must_use]
    pub fn backlog(&self, position: u64, now: Instant) -> Backlog {
        let ahead = position.saturating_sub(self.first_position);
        let has_evicted = self.first_position > 0;
        Backlog {
            age: self.lag(position.max(self.first_position), now),
            is_soon_lost: has_evicted && 2 * ahead < self.segments.len() as u64,
        }
    }

    /// Appends events to the log in the given order. Returns the sequence number of the newest event.
    pub fn append(&mut self, events: Vec<Event>, now: Instant) -> u64 {
        let mut events = events.into_iter();
        loop {
            let run: Box<[Event]> = events.by_ref().take(SEGMENT_EVENTS).collect();
            if run.is_empty() {
                return self.head;
            }
            let first = self.head + 1;
            self.head += run.len() as u64;
            self.push(Segment::Events { first, events: run }, now);
        }
    }

    /// Appends a new state of the feed to the log.
    pub fn set_feed_state(&mut self, state: FeedState, now: Instant) {
        self.feed_state = state.clone();
        self.push(Segment::FeedState { after: self.head, state }, now);
    }

    /// Appends a seek to the log. `last_values` replaces the last values of all earlier events. The sequence
    /// number of `last_values` must be the log's [head](Self::head).
    pub fn seek(&mut self, last_values: LastValueCache, position: Time, state: FeedState, now: Instant) {
        debug_assert_eq!(last_values.seq(), self.head, "a seek publishes nothing");
        let seek = Seek { after: self.head, position };
        self.seek = Some(seek);
        self.feed_state = state.clone();
        self.push(Segment::Seek { seek, state, last_values: Arc::new(last_values) }, now);
    }

    /// Returns the entry at a position; `None` if the position is the end of the log.
    ///
    /// # Errors
    ///
    /// If the log has evicted the entry, returns a checkpoint at which the reader can continue.
    pub fn read(&self, position: u64) -> Result<Option<Arc<Segment>>, SharedCheckpoint> {
        let offset = position.checked_sub(self.first_position).ok_or_else(|| self.checkpoint())?;
        let entry = usize::try_from(offset).ok().and_then(|offset| self.segments.get(offset));
        Ok(entry.map(|entry| Arc::clone(&entry.segment)))
    }

    /// Returns the checkpoint before the oldest entry of the log.
    #[must_use]
    pub fn checkpoint(&self) -> SharedCheckpoint {
        SharedCheckpoint {
            epoch: Arc::clone(&self.epoch),
            position: self.first_position,
            base: Arc::clone(&self.base),
            unfolded: self.unfolded.clone(),
            feed_state: self.base_feed_state.clone(),
            seek: self.base_seek,
        }
    }

    /// Returns a chunk of the events after the sequence number `seq` of an epoch. The chunk ends where its
    /// segment ends, so more events may follow. Returns `None` if no event after `seq` is published yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the log has another epoch, or has evicted the event after `seq`, or if there was a
    /// seek after `seq`. A seek also invalidates a cursor at the head, although a client with this cursor has
    /// missed no event.
    pub fn after(&self, epoch: &str, seq: u64) -> Result<Option<Chunk>, Evicted> {
        let next = seq + 1;
        if epoch != &*self.epoch {
            return Err(Evicted);
        }
        if self.seek.is_some_and(|seek| seq <= seek.after) {
            return Err(Evicted);
        }
        if next < self.oldest() {
            return Err(Evicted);
        }
        Ok(self.chunk_from(next))
    }

    /// Returns the first chunk of the history. The history begins with the oldest event in the log, or after
    /// the newest seek. Returns `None` if the history has no events.
    #[must_use]
    pub fn oldest_chunk(&self) -> Option<Chunk> {
        let after_seek = self.seek.map_or(0, |seek| seek.after + 1);
        self.chunk_from(self.oldest().max(after_seek))
    }

    /// Returns the chunk that begins with the event `next`, which the log must not have evicted. Returns
    /// `None` if this event is not published yet.
    fn chunk_from(&self, next: u64) -> Option<Chunk> {
        if next > self.head {
            return None;
        }
        let behind = self.segments.partition_point(|entry| entry.segment.last() < next);
        let segment = &self.segments[behind].segment;
        let from = usize::try_from(next - segment.first()).expect("a segment fits in memory");
        Some(Chunk { segment: Arc::clone(segment), from })
    }

    /// Returns the sequence number of the oldest event that a resuming client may get. If there is no such
    /// event, returns the sequence number that the next published event will have.
    fn oldest(&self) -> u64 {
        let by_count = (self.head + 1).saturating_sub(self.max_events as u64);
        by_count.max(self.segments.front().map_or(self.head + 1, |entry| entry.segment.first()))
    }

    fn push(&mut self, segment: Segment, at: Instant) {
        self.events += segment.events().len();
        self.bytes += segment.bytes();
        self.segments.push_back(Entry { segment: Arc::new(segment), at });
        while self.is_over() {
            self.evict();
        }
    }

    /// Returns whether the log exceeds a limit and must evict its oldest segment. The newest segment is never
    /// evicted.
    fn is_over(&self) -> bool {
        let Some(oldest) = self.segments.front().filter(|_| self.segments.len() > 1) else {
            return false;
        };
        self.bytes > self.max_bytes || self.events - oldest.segment.events().len() >= self.max_events
    }

    fn evict(&mut self) {
        let Some(Entry { segment: oldest, .. }) = self.segments.pop_front() else { return };
        let bytes = oldest.bytes();
        self.first_position += 1;
        self.events -= oldest.events().len();
        self.bytes -= bytes;
        match &*oldest {
            Segment::Events { .. } => {
                self.unfolded.push(oldest);
                self.unfolded_bytes += bytes;
                self.fold_evicted();
            }
            Segment::FeedState { state, .. } => self.base_feed_state = state.clone(),
            Segment::Seek { seek, state, last_values } => {
                (self.base, self.base_feed_state) = (Arc::clone(last_values), state.clone());
                self.base_seek = Some(*seek);
                self.unfolded.clear();
                self.unfolded_bytes = 0;
            }
        }
    }

    /// Folds evicted events into the cache `base`, unless a reader shares this cache.
    ///
    /// If the unfolded events exceed the history's limit in bytes, folds them into a copy of the shared
    /// cache. So the memory of the unfolded events is limited.
    fn fold_evicted(&mut self) {
        if self.unfolded_bytes > self.max_bytes {
            Arc::make_mut(&mut self.base);
        }
        let Some(base) = Arc::get_mut(&mut self.base) else { return };
        for segment in self.unfolded.drain(..) {
            segment.fold_into(base);
        }
        self.unfolded_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
