//! What a shard knows of the market: all that the log said before the shard's own position.

use crate::bus::{LastValues, Seek, Start};
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
}

impl From<Start> for View {
    fn from(Start { last_values, feed, seek, .. }: Start) -> Self {
        Self { last_values, feed, seek }
    }
}
