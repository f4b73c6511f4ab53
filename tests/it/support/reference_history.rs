//! A record of all published events and all seeks. The tests compare the server's log with this record.

use tickerplant::bus::LastValueCache;
use tickerplant::market::{Event, Time};

/// All events and seeks of a bus, in order.
#[derive(Debug, Default)]
pub struct ReferenceHistory {
    pub events: Vec<Event>,
    pub seeks: Vec<Sought>,
}

/// A seek.
#[derive(Debug)]
pub struct Sought {
    /// The sequence number of the last event before the seek.
    pub after: u64,
    /// The events that the feed skipped in this seek. The skipped events are in the last-value cache of the
    /// seek, but were not published.
    pub folded: Vec<Event>,
}

impl ReferenceHistory {
    /// Returns the sequence number of the newest event, or 0 if there is no event.
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// Returns the event with this sequence number.
    pub fn event(&self, seq: u64) -> &Event {
        &self.events[usize::try_from(seq).unwrap() - 1]
    }

    /// Returns the number of seeks before the event with this sequence number.
    pub fn seeks_before(&self, seq: u64) -> usize {
        self.seeks.iter().filter(|seek| seek.after < seq).count()
    }

    /// Returns the sequence number of the last event before seek number `seeks`. Returns 0 if `seeks` is 0.
    pub fn sought_after(&self, seeks: usize) -> u64 {
        seeks.checked_sub(1).map_or(0, |last| self.seeks[last].after)
    }

    /// Returns the last-value cache as it is after `seeks` seeks and all events up to `seq`.
    pub fn fold(&self, seeks: usize, seq: u64) -> LastValueCache {
        let after = self.sought_after(seeks);
        let mut fold = LastValueCache::at(after);
        for event in seeks.checked_sub(1).map_or(&[][..], |last| &self.seeks[last].folded) {
            fold.fold_unpublished(event);
        }
        for seq in after + 1..=seq {
            fold.fold(seq, self.event(seq));
        }
        fold
    }

    /// Records a seek. Returns the last-value cache and the position that the caller passes to the bus for
    /// this seek.
    pub fn seek(&mut self, folded: Vec<Event>) -> (LastValueCache, Time) {
        self.seeks.push(Sought { after: self.head(), folded });
        (self.fold(self.seeks.len(), self.head()), position(self.seeks.len()))
    }
}

/// Returns the market time to which seek number `seeks` goes. No two seeks go to the same market time.
pub fn position(seeks: usize) -> Time {
    Time::from_nanos(i64::try_from(seeks).unwrap() * 1_000_000_000)
}

/// Returns the number of the seek that goes to this market time.
pub fn seeks_at(position: Time) -> usize {
    usize::try_from(position.as_nanos() / 1_000_000_000).unwrap()
}
