//! What a shard knows of the market: all that the log said before the shard's own position.

use crate::bus::{Checkpoint, LastValueCache, Read, Seek, Segment};
use crate::market::FeedState;

/// A fold of the log up to a shard's position.
#[derive(Debug)]
pub struct View {
    /// The last values.
    pub last_values: LastValueCache,
    /// The feed's state.
    pub feed: FeedState,
    /// The newest seek.
    pub seek: Option<Seek>,
}

impl View {
    /// Returns the newest sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.last_values.seq()
    }

    /// Takes in what the log says next, and nothing else comes of it.
    pub fn fold(&mut self, read: Read) {
        match read {
            Read::Lagged(start) => *self = (*start).into(),
            Read::Segment(segment) => match &*segment {
                Segment::Events { first, events } => {
                    for (seq, event) in (*first..).zip(events) {
                        self.last_values.fold(seq, event);
                    }
                }
                Segment::FeedState { state, .. } => self.feed = state.clone(),
                Segment::Seek { seek, state, last_values } => {
                    let (last_values, feed) = (LastValueCache::clone(last_values), state.clone());
                    *self = Self { last_values, feed, seek: Some(*seek) };
                }
            },
        }
    }
}

impl From<Checkpoint> for View {
    fn from(Checkpoint { last_values, feed, seek, .. }: Checkpoint) -> Self {
        Self { last_values, feed, seek }
    }
}
