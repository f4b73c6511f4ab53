//! The log: events, feed marks and seeks in one sequence, bounded, and the fold of what it let go.
//!
//! A seek cuts the history: no cursor from before it is served any more. What came before it stays all the same for
//! as long as there is room, for readers that are behind: they read it, and the seek in its place, and lose nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Config, LastValueCache};
use crate::market::{Event, FeedState, Symbol, Time};

/// At most this many events are one segment: what a reader takes at a time.
const SEGMENT_EVENTS: usize = 1024;

/// A run of the log that never changes once it is in.
#[derive(Debug, PartialEq, Eq)]
pub enum Segment {
    /// Events that follow each other.
    Events {
        /// The sequence number of the first.
        first: u64,
        /// The events; never empty.
        events: Box<[Event]>,
    },
    /// How the feed fares from here on.
    FeedState {
        /// The sequence number of the event before it; it has none of its own.
        after: u64,
        /// The state.
        state: FeedState,
    },
    /// The feed goes on from elsewhere.
    Seek {
        /// From where.
        seek: Seek,
        /// How the feed fares from here on.
        state: FeedState,
        /// What replaces the fold of all that came before.
        last_values: Arc<LastValueCache>,
    },
}

/// Where a feed went on from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seek {
    /// The sequence number of the event before it; it has none of its own.
    pub after: u64,
    /// The market time from which the feed goes on.
    pub position: Time,
}

/// Where a reader begins: a position, and the fold of everything before it.
#[derive(Debug)]
pub struct Checkpoint {
    /// The log position of the first entry that the fold does not hold.
    pub position: u64,
    /// The fold of everything before that position.
    pub last_values: LastValueCache,
    /// How the feed fared there.
    pub feed: FeedState,
    /// The newest seek before that position.
    pub seek: Option<Seek>,
}

/// A place where a reader can begin, with last values that the log still shares. The [`Checkpoint`] from it copies them, once
/// the log is locked no more.
#[derive(Debug)]
pub struct SharedCheckpoint {
    position: u64,
    base: Arc<LastValueCache>,
    /// The events before the position that the base does not hold.
    unfolded: Vec<Arc<Segment>>,
    feed: FeedState,
    seek: Option<Seek>,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Read {
    /// The next entry.
    Segment(Arc<Segment>),
    /// The log has let the next entry go: the reader starts again from here.
    Lagged(Box<Checkpoint>),
}

/// How far a reader is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// For how long the next entry that the log still holds has waited.
    pub age: Duration,
    /// Whether the next entry is in the older half of what the log holds, and the log is full.
    pub is_soon_lost: bool,
}

/// The log no longer holds all that came after a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted;

/// Some events of a segment.
#[derive(Debug)]
pub struct Chunk {
    segment: Arc<Segment>,
    from: usize,
}

/// A segment in its place.
#[derive(Debug)]
struct Entry {
    segment: Arc<Segment>,
    /// When it was appended.
    at: Instant,
}

/// The bounded history of a bus.
#[derive(Debug)]
pub struct Log {
    segments: VecDeque<Entry>,
    /// The position of `segments[0]`; each segment takes one.
    first_position: u64,
    head: u64,
    events: usize,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
    /// The fold of all that was evicted, but for what is unfolded. Readers that copy it share it meanwhile.
    base: Arc<LastValueCache>,
    /// Evicted events that wait for the base to be the log's alone.
    unfolded: Vec<Arc<Segment>>,
    /// How many bytes they take.
    unfolded_bytes: usize,
    base_feed: FeedState,
    base_seek: Option<Seek>,
    /// The newest state of the feed.
    feed: FeedState,
    /// The newest seek of all.
    seek: Option<Seek>,
}

impl Segment {
    fn events(&self) -> &[Event] {
        match self {
            Self::Events { events, .. } => events,
            Self::FeedState { .. } | Self::Seek { .. } => &[],
        }
    }

    /// The sequence number of the first event from here on.
    fn first(&self) -> u64 {
        match self {
            Self::Events { first, .. } => *first,
            Self::FeedState { after, .. } | Self::Seek { seek: Seek { after, .. }, .. } => after + 1,
        }
    }

    /// The newest sequence number up to the end of this segment.
    fn last(&self) -> u64 {
        self.first() + self.events().len() as u64 - 1
    }

    fn bytes(&self) -> usize {
        let names: usize = self.events().iter().map(|event| event.symbol.as_str().len()).sum();
        let fold = if let Self::Seek { last_values, .. } = self { last_values.bytes() } else { 0 };
        size_of::<Self>() + size_of_val(self.events()) + names + fold
    }

    fn fold_into(&self, last_values: &mut LastValueCache) {
        for (seq, event) in (self.first()..).zip(self.events()) {
            last_values.fold(seq, event);
        }
    }
}

impl From<SharedCheckpoint> for Checkpoint {
    fn from(SharedCheckpoint { position, base, unfolded, feed, seek }: SharedCheckpoint) -> Self {
        let mut last_values = Arc::unwrap_or_clone(base);
        for segment in unfolded {
            segment.fold_into(&mut last_values);
        }
        Self { position, last_values, feed, seek }
    }
}

impl Chunk {
    /// The events with their sequence numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Event)> {
        (self.segment.first()..).zip(self.segment.events()).skip(self.from)
    }
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
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
            base_feed: FeedState::Starting,
            base_seek: None,
            feed: FeedState::Starting,
            seek: None,
        }
    }

    /// So many events a log holds for sure, whatever they are.
    #[must_use]
    pub fn capacity(config: &Config) -> usize {
        let largest = size_of::<Event>() + 4 * Symbol::MAX_CHARS;
        // The oldest segment leaves when there is room enough without it.
        config.history.get().min(config.history_bytes.get() / largest).saturating_sub(SEGMENT_EVENTS)
    }

    /// The newest sequence number; 0 before the first event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The position that the next entry will have.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first_position + self.segments.len() as u64
    }

    /// Returns the newest state of the feed.
    #[must_use]
    pub fn feed(&self) -> &FeedState {
        &self.feed
    }

    /// Returns for how long a reader at this position has left the next entry unread; a time without end where that entry
    /// was evicted before it was read, and nobody knows any more.
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

    /// Appends the events in their order and returns the new head.
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

    /// Appends a mark.
    pub fn set_feed_state(&mut self, state: FeedState, now: Instant) {
        self.feed = state.clone();
        self.push(Segment::FeedState { after: self.head, state }, now);
    }

    /// Appends a seek, from which all goes on with `last_values`, a fold that stands at the [head](Self::head).
    pub fn seek(&mut self, last_values: LastValueCache, position: Time, state: FeedState, now: Instant) {
        debug_assert_eq!(last_values.seq(), self.head, "a seek publishes nothing");
        let seek = Seek { after: self.head, position };
        self.seek = Some(seek);
        self.feed = state.clone();
        self.push(Segment::Seek { seek, state, last_values: Arc::new(last_values) }, now);
    }

    /// The entry at a position; `None` at the end.
    ///
    /// # Errors
    ///
    /// It was evicted, and the reader goes on from the checkpoint.
    pub fn read(&self, position: u64) -> Result<Option<Arc<Segment>>, SharedCheckpoint> {
        let offset = position.checked_sub(self.first_position).ok_or_else(|| self.checkpoint())?;
        let entry = usize::try_from(offset).ok().and_then(|offset| self.segments.get(offset));
        Ok(entry.map(|entry| Arc::clone(&entry.segment)))
    }

    /// The oldest place that a reader can begin at.
    #[must_use]
    pub fn checkpoint(&self) -> SharedCheckpoint {
        SharedCheckpoint {
            position: self.first_position,
            base: Arc::clone(&self.base),
            unfolded: self.unfolded.clone(),
            feed: self.base_feed.clone(),
            seek: self.base_seek,
        }
    }

    /// The events after `seq` up to the end of their segment; `None` where there are none yet.
    ///
    /// # Errors
    ///
    /// The event after `seq` is no longer held, or the newest seek came after `seq`: even if none was published in
    /// between, whoever has all up to `seq` has values that were replaced.
    pub fn after(&self, seq: u64) -> Result<Option<Chunk>, Evicted> {
        let next = seq + 1;
        if self.seek.is_some_and(|seek| seq <= seek.after) {
            return Err(Evicted);
        }
        if next > self.head {
            return Ok(None);
        }
        if next < self.oldest() {
            return Err(Evicted);
        }
        let behind = self.segments.partition_point(|entry| entry.segment.last() < next);
        let segment = &self.segments[behind].segment;
        let from = usize::try_from(next - segment.first()).expect("a segment fits in memory");
        Ok(Some(Chunk { segment: Arc::clone(segment), from }))
    }

    /// The oldest event that is held; past the head where none is.
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

    /// Whether the oldest segment has to leave. The newest stays, whatever its size.
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
            Segment::FeedState { state, .. } => self.base_feed = state.clone(),
            Segment::Seek { seek, state, last_values } => {
                (self.base, self.base_feed) = (Arc::clone(last_values), state.clone());
                self.base_seek = Some(*seek);
                self.unfolded.clear();
                self.unfolded_bytes = 0;
            }
        }
    }

    /// Folds what was evicted into the base, unless a reader shares that. Where more waits for a reader to be done than the
    /// history may take, the base is copied after all.
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
