//! The past as the tests themselves keep it: what was published, and what was put in its place.

use tickerplant::bus::LastValueCache;
use tickerplant::market::{Event, Time};

/// All that a bus was told.
#[derive(Debug, Default)]
pub struct ReferenceHistory {
    pub events: Vec<Event>,
    pub seeks: Vec<Sought>,
}

/// A seek.
#[derive(Debug)]
pub struct Sought {
    /// The newest event before it.
    pub after: u64,
    /// What it folded without publishing.
    pub folded: Vec<Event>,
}

impl ReferenceHistory {
    /// The newest sequence number.
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The event with this number.
    pub fn event(&self, seq: u64) -> &Event {
        &self.events[usize::try_from(seq).unwrap() - 1]
    }

    /// How many seeks there were before this event.
    pub fn seeks_before(&self, seq: u64) -> usize {
        self.seeks.iter().filter(|seek| seek.after < seq).count()
    }

    /// The newest event before the last of so many seeks; 0 where there was none.
    pub fn sought_after(&self, seeks: usize) -> u64 {
        seeks.checked_sub(1).map_or(0, |last| self.seeks[last].after)
    }

    /// What so many seeks and then the events up to `seq` leave behind.
    pub fn fold(&self, seeks: usize, seq: u64) -> LastValueCache {
        let after = self.sought_after(seeks);
        let mut fold = LastValueCache::at(after);
        for event in seeks.checked_sub(1).map_or(&[][..], |last| &self.seeks[last].folded) {
            fold.absorb(event);
        }
        for seq in after + 1..=seq {
            fold.fold(seq, self.event(seq));
        }
        fold
    }

    /// Notes a seek: what it hands to the bus, and where it goes on.
    pub fn seek(&mut self, folded: Vec<Event>) -> (LastValueCache, Time) {
        self.seeks.push(Sought { after: self.head(), folded });
        (self.fold(self.seeks.len(), self.head()), position(self.seeks.len()))
    }
}

/// The market time at which a seek goes on, by which it is known: it is the n-th.
pub fn position(seeks: usize) -> Time {
    Time::from_nanos(i64::try_from(seeks).unwrap() * 1_000_000_000)
}

/// Which seek goes on there.
pub fn seeks_at(position: Time) -> usize {
    usize::try_from(position.as_nanos() / 1_000_000_000).unwrap()
}
