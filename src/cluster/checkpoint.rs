//! Checkpoints: where a new node begins to read.
//!
//! The leader saves the last values at about the oldest entry of its own history, with the place in the log. A
//! new node reads on from there, and so gets the last values and the history. Two names take turns, so that one
//! checkpoint is always complete.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::entry::VERSION;
use super::reader::Position;
use crate::bus::{Bus, Checkpoint, LastValueCache, Seek};

/// The names of the checkpoints.
pub const NAMES: [&str; 2] = ["checkpoint-0", "checkpoint-1"];

/// The least time between two marks.
const BETWEEN_MARKS: Duration = Duration::from_millis(250);

/// A saved checkpoint.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The place in the log.
    pub position: Position,
    /// The number of the newest message before the checkpoint.
    pub number: u64,
    /// The last values.
    pub last_values: LastValueCache,
    /// The newest seek.
    pub seek: Option<Seek>,
}

/// The places in the shared log that belong to some positions of the node's own log.
#[derive(Debug, Default)]
pub struct Marks {
    marks: VecDeque<Mark>,
    newest: Option<Instant>,
}

/// The place in the shared log that belongs to a position of the node's own log.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The position in the node's own log.
    at: u64,
    position: Position,
    number: u64,
}

impl Saved {
    /// Returns the bytes of the checkpoint.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("a checkpoint can be written")
    }

    /// Parses the bytes of a checkpoint. Returns `None` if they are no checkpoint of this version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        postcard::from_bytes(rest).ok()
    }

    /// Returns the checkpoint for a bus.
    #[must_use]
    pub fn into_checkpoint(self) -> Checkpoint {
        let Self { position, last_values, seek, .. } = self;
        Checkpoint {
            epoch: position.epoch.into(),
            position: 0,
            last_values,
            feed_state: position.state,
            seek,
        }
    }
}

impl Marks {
    /// Records that the bus has everything up to a place in the shared log. Leaves out most places, because a
    /// few are enough.
    pub fn record(&mut self, bus: &Bus, position: &Position, number: u64) {
        let now = Instant::now();
        if self.newest.is_none_or(|newest| now - newest >= BETWEEN_MARKS) {
            self.newest = Some(now);
            self.marks.push_back(Mark { at: bus.end(), position: position.clone(), number });
        }
    }

    /// Forgets all marks, because the node's own log has started over.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the oldest mark that the bus still reaches, and forgets the older ones.
    pub fn oldest(&mut self, bus: &Bus) -> Option<Mark> {
        let first = bus.first_position();
        while self.marks.front().is_some_and(|mark| mark.at < first) {
            self.marks.pop_front();
        }
        self.marks.front().cloned()
    }
}

impl Mark {
    /// Returns the number of the newest message before the mark.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the checkpoint at the mark; `None` if the bus no longer reaches the mark.
    #[must_use]
    pub fn save(self, bus: &Arc<Bus>) -> Option<Saved> {
        let mut checkpoint = bus.checkpoint();
        while checkpoint.position < self.at {
            checkpoint.fold(&*bus.entry(checkpoint.position)?);
        }
        let Checkpoint { epoch, position, last_values, seek, .. } = checkpoint;
        let is_there = *epoch == *self.position.epoch && position == self.at;
        let Self { position, number, .. } = self;
        is_there.then_some(Saved { position, number, last_values, seek })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Config;
    use crate::cluster::entry::Origin;
    use crate::feed::{Pace, Place};
    use crate::market::{Event, FeedKind, FeedState, Payload, Time, Trade};

    fn trade(price: &str) -> Event {
        let payload = Payload::Trade(Trade { price: price.parse().unwrap(), size: None });
        Event { symbol: "A".parse().unwrap(), time: Time::default(), payload }
    }

    fn position(seq: u64) -> Position {
        Position {
            epoch: "first".to_owned(),
            term: 1,
            leader: None,
            origin: Origin { kind: FeedKind::Stdin, fingerprint: 0, seed: None, start: None },
            seq,
            place: Place::default(),
            chain: 7,
            entry: seq,
            state: FeedState::Running,
            pace: Pace::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_checkpoint_has_the_last_values_at_the_oldest_mark_and_comes_back_from_bytes() {
        let config = Config { history: 2.try_into().unwrap(), ..Config::default() };
        let bus = Bus::new(&config, FeedKind::Stdin, "first".to_owned());
        let mut marks = Marks::default();
        for seq in 1..=5 {
            bus.publish(vec![trade(&seq.to_string())]);
            marks.record(&bus, &position(seq), seq);
            tokio::time::advance(BETWEEN_MARKS).await;
        }

        let saved = marks.oldest(&bus).unwrap().save(&bus).unwrap();

        assert_eq!((saved.number, saved.last_values.seq()), (3, 3), "the history has the events 4 and 5");
        assert_eq!(Saved::decode(&saved.encode()), Some(saved));
        assert_eq!(Saved::decode(&[VERSION + 1]), None);
    }
}
