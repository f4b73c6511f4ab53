//! What a shard knows of the market: all that the log said before the shard's own position.

use crate::bus::{LastValues, Read, Seek, Segment, Start};
use crate::market::FeedState;

/// A fold of the log up to a shard's position.
#[derive(Debug)]
pub struct View {
    /// The last values.
    pub last_values: LastValues,
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
                Segment::Mark { state, .. } => self.feed = state.clone(),
                Segment::Seek { seek, state, last_values } => {
                    let (last_values, feed) = (LastValues::clone(last_values), state.clone());
                    *self = Self { last_values, feed, seek: Some(*seek) };
                }
            },
        }
    }
}

impl From<Start> for View {
    fn from(Start { last_values, feed, seek, .. }: Start) -> Self {
        Self { last_values, feed, seek }
    }
}
