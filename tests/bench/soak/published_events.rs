//! The published events, as recorded by the clients that get every event.
//!
//! A client of a few symbols cannot tell whether one of their events is missing, because the other sequence numbers
//! belong to other symbols. This record tells it.

use std::collections::VecDeque;

use tickerplant::market::Time;

/// The number of events that are kept for each symbol and kind.
const REMEMBERED: usize = 4096;

/// A symbol by its number, and whether the event is a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub symbol: usize,
    pub is_quote: bool,
}

/// The events of the last minutes, since the first recorded one.
#[derive(Debug)]
pub struct PublishedEvents {
    keys: Vec<Events>,
    /// Events up to this one are not recorded.
    unknown_until: u64,
    newest: u64,
}

/// The events of a symbol and kind.
#[derive(Clone, Debug, Default)]
struct Events {
    all: VecDeque<(u64, Time)>,
    /// The newest event that was dropped.
    forgotten: u64,
}

impl PublishedEvents {
    /// Creates an empty record for this many symbols.
    pub fn new(symbols: usize) -> Self {
        Self { keys: vec![Events::default(); 2 * symbols], unknown_until: 0, newest: 0 }
    }

    /// Returns whether the events of a symbol are recorded.
    pub fn covers(&self, symbol: usize) -> bool {
        2 * symbol < self.keys.len()
    }

    /// Returns the `seq` of the newest recorded event.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns the number of all events since the first recorded one.
    pub fn count(&self) -> u64 {
        self.newest - self.unknown_until
    }

    /// Records an event. Several clients may record the same one.
    pub fn record(&mut self, seq: u64, key: Key, time: Time) {
        if self.newest == 0 {
            self.unknown_until = seq - 1;
        } else if seq != self.newest + 1 {
            // Another client has recorded it, or will record the events in between.
            return;
        }
        self.newest = seq;
        let events = &mut self.keys[index(key)];
        events.all.push_back((seq, time));
        if events.all.len() > REMEMBERED
            && let Some((seq, _)) = events.all.pop_front()
        {
            events.forgotten = seq;
        }
    }

    /// Returns how many events of these symbols have `after < seq <= until`, or `None` if that is no longer known.
    pub fn count_of(&self, symbols: &[usize], after: u64, until: u64) -> Option<u64> {
        if until > self.newest || after < self.unknown_until {
            return None;
        }
        let mut count = 0;
        for &symbol in symbols {
            for is_quote in [false, true] {
                let events = &self.keys[index(Key { symbol, is_quote })];
                if events.forgotten > after {
                    return None;
                }
                let up_to = |end| events.all.partition_point(|(seq, _)| *seq <= end);
                count += up_to(until).saturating_sub(up_to(after)) as u64;
            }
        }
        Some(count)
    }

    /// Returns the time of the first event of a key after `after`, or `None` if that is no longer known.
    pub fn first_after(&self, key: Key, after: u64) -> Option<Time> {
        let events = &self.keys[index(key)];
        let at = events.all.partition_point(|(seq, _)| *seq <= after);
        let is_known = events.forgotten <= after && self.unknown_until <= after;
        events.all.get(at).filter(|_| is_known).map(|(_, time)| *time)
    }
}

fn index(key: Key) -> usize {
    2 * key.symbol + usize::from(key.is_quote)
}
