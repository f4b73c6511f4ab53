//! The published events, as recorded by the clients that get every event.
//!
//! A client with few symbols always sees holes in the sequence, because the other sequence numbers belong to
//! other symbols. The record of the published events shows whether an event of the client's own symbols is
//! missing.

use std::collections::VecDeque;

use tickerplant::market::Time;

/// The number of events that are remembered for each symbol and kind.
const REMEMBERED: usize = 4096;

/// The key of an event: the number of its symbol, and whether the event is a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub symbol: usize,
    pub is_quote: bool,
}

/// The record: the newest events of each symbol and kind.
#[derive(Debug)]
pub struct PublishedEvents {
    keys: Vec<Events>,
    /// No event up to this `seq` was recorded, because the record began later.
    unknown_until: u64,
    newest: u64,
}

/// The newest events of one symbol and one kind (trade or quote).
#[derive(Clone, Debug, Default)]
struct Events {
    all: VecDeque<(u64, Time)>,
    /// The `seq` of the newest event that was dropped from the list `all`.
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

    /// Returns how many events were recorded, including events that have been dropped since.
    pub fn count(&self) -> u64 {
        self.newest - self.unknown_until
    }

    /// Records an event. If several clients record the same event, the event is stored only once.
    pub fn record(&mut self, seq: u64, key: Key, time: Time) {
        if self.newest == 0 {
            self.unknown_until = seq - 1;
        } else if seq != self.newest + 1 {
            // Another client has recorded this event already, or will record the events before it.
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

    /// Returns how many events of these symbols have a `seq` greater than `after` and at most `until`.
    /// Returns `None` if the record does not contain all of these events.
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

    /// Returns the time of the first event with this key whose `seq` is greater than `after`. Returns `None`
    /// if the record does not contain this event.
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
