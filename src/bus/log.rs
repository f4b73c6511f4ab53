//! The log: events and feed marks in one sequence, bounded, and the fold of what it let go.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Config, LastValues};
use crate::market::{Event, FeedState};

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
    Mark {
        /// The sequence number of the event before it; it has none of its own.
        after: u64,
        /// The state.
        state: FeedState,
    },
}

/// Where a reader begins: a position, and the fold of everything before it.
#[derive(Debug)]
pub struct Start {
    /// The log position of the first entry that the fold does not hold.
    pub position: u64,
    /// The fold of everything before that position.
    pub last_values: LastValues,
    /// How the feed fared there.
    pub feed: FeedState,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Read {
    /// The next entry.
    Segment(Arc<Segment>),
    /// The log has let the next entry go: the reader starts again from here.
    Lagged(Box<Start>),
}

/// The log no longer holds all that came after a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHeld;

/// Some events of a segment.
#[derive(Debug)]
pub struct Chunk {
    segment: Arc<Segment>,
    from: usize,
}

/// The bounded history of a bus.
#[derive(Debug)]
pub struct Log {
    segments: VecDeque<Arc<Segment>>,
    /// The position of `segments[0]`; each segment takes one.
    first_position: u64,
    head: u64,
    events: usize,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
    /// The fold of all that has left.
    base: LastValues,
    base_feed: FeedState,
}

impl Segment {
    fn events(&self) -> &[Event] {
        match self {
            Self::Events { events, .. } => events,
            Self::Mark { .. } => &[],
        }
    }

    /// The sequence number of the first event from here on.
    fn first(&self) -> u64 {
        match self {
            Self::Events { first, .. } => *first,
            Self::Mark { after, .. } => after + 1,
        }
    }

    /// The newest sequence number up to the end of this segment.
    fn last(&self) -> u64 {
        self.first() + self.events().len() as u64 - 1
    }

    fn bytes(&self) -> usize {
        let names: usize = self.events().iter().map(|event| event.symbol.as_str().len()).sum();
        size_of::<Self>() + size_of_val(self.events()) + names
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
            base: LastValues::default(),
            base_feed: FeedState::Starting,
        }
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

    /// Appends the events in their order and returns the new head.
    pub fn append(&mut self, events: Vec<Event>) -> u64 {
        let mut events = events.into_iter();
        loop {
            let run: Box<[Event]> = events.by_ref().take(SEGMENT_EVENTS).collect();
            if run.is_empty() {
                return self.head;
            }
            let first = self.head + 1;
            self.head += run.len() as u64;
            self.push(Segment::Events { first, events: run });
        }
    }

    /// Appends a mark.
    pub fn mark(&mut self, state: FeedState) {
        self.push(Segment::Mark { after: self.head, state });
    }

    /// The entry at a position, or where to start again when it has left; `None` at the end.
    #[must_use]
    pub fn read(&self, position: u64) -> Option<Read> {
        match position.checked_sub(self.first_position) {
            None => Some(Read::Lagged(Box::new(self.start()))),
            Some(offset) => {
                let segment = self.segments.get(usize::try_from(offset).ok()?)?;
                Some(Read::Segment(Arc::clone(segment)))
            }
        }
    }

    /// The oldest place that a reader can begin at.
    #[must_use]
    pub fn start(&self) -> Start {
        Start { position: self.first_position, last_values: self.base.clone(), feed: self.base_feed.clone() }
    }

    /// The events after `seq` up to the end of their segment; `None` where there are none yet.
    ///
    /// # Errors
    ///
    /// The event after `seq` is no longer held.
    pub fn after(&self, seq: u64) -> Result<Option<Chunk>, NotHeld> {
        let next = seq + 1;
        if next > self.head {
            return Ok(None);
        }
        if next < self.oldest() {
            return Err(NotHeld);
        }
        let segment = &self.segments[self.segments.partition_point(|segment| segment.last() < next)];
        let from = usize::try_from(next - segment.first()).expect("a segment fits in memory");
        Ok(Some(Chunk { segment: Arc::clone(segment), from }))
    }

    /// The oldest event that is held; past the head where none is.
    fn oldest(&self) -> u64 {
        let by_count = (self.head + 1).saturating_sub(self.max_events as u64);
        by_count.max(self.base.seq() + 1)
    }

    fn push(&mut self, segment: Segment) {
        self.events += segment.events().len();
        self.bytes += segment.bytes();
        self.segments.push_back(Arc::new(segment));
        while self.is_over() {
            self.let_go();
        }
    }

    /// Whether the oldest segment has to leave. The newest stays, whatever its size.
    fn is_over(&self) -> bool {
        let Some(oldest) = self.segments.front().filter(|_| self.segments.len() > 1) else {
            return false;
        };
        self.bytes > self.max_bytes || self.events - oldest.events().len() >= self.max_events
    }

    fn let_go(&mut self) {
        let Some(oldest) = self.segments.pop_front() else { return };
        self.first_position += 1;
        self.events -= oldest.events().len();
        self.bytes -= oldest.bytes();
        match &*oldest {
            Segment::Events { first, events } => {
                for (seq, event) in (*first..).zip(events) {
                    self.base.fold(seq, event);
                }
            }
            Segment::Mark { state, .. } => self.base_feed = state.clone(),
        }
    }
}
