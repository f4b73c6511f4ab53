//! The market state: the last values, the feed state and the newest seek at a shard's position in the log.

use std::sync::Arc;

use crate::bus::{Checkpoint, LastValueCache, Read, Seek, Segment};
use crate::encoding::Snapshot;
use crate::market::{FeedState, Kind};

/// The state of the market that results from all log entries up to a shard's position.
#[derive(Debug)]
pub struct MarketState {
    /// The epoch of the sequence numbers.
    pub epoch: Arc<str>,
    /// The newest events and the day statistics of all symbols.
    pub last_values: LastValueCache,
    /// The state of the feed.
    pub feed_state: FeedState,
    /// The newest seek.
    pub seek: Option<Seek>,
}

impl MarketState {
    /// Returns the sequence number of the newest event that the state includes.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.last_values.seq()
    }

    /// Updates the state with the next entry of the log. Does not tell any client of the entry.
    pub fn fold(&mut self, read: Read) {
        match read {
            Read::Lagged(checkpoint) => *self = (*checkpoint).into(),
            Read::Segment(segment) => match &*segment {
                Segment::Events { first, events } => {
                    for (seq, event) in (*first..).zip(events) {
                        self.last_values.fold(seq, event);
                    }
                }
                Segment::FeedState { state, .. } => self.feed_state = state.clone(),
                Segment::Seek { seek, state, last_values } => {
                    self.last_values = LastValueCache::clone(last_values);
                    self.feed_state = state.clone();
                    self.seek = Some(*seek);
                }
            },
        }
    }
}

impl From<Checkpoint> for MarketState {
    fn from(Checkpoint { epoch, last_values, feed_state, seek, .. }: Checkpoint) -> Self {
        Self { epoch, last_values, feed_state, seek }
    }
}

/// Returns the snapshot of the symbol with this index; `None` if no symbol has this index.
#[must_use]
pub fn snapshot(last_values: &LastValueCache, index: usize) -> Option<Snapshot<'_>> {
    let (symbol, last) = last_values.get_index(index)?;
    let latest = Kind::CHANNELS.map(|kind| last.latest(kind).map(|latest| (latest.seq, &latest.event)));
    Some(Snapshot { seq: last_values.seq(), symbol, latest, halt: last.halt(), day: last.day() })
}
