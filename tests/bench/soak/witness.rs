//! Which events there were: what a client that takes every event tells of all others.
//!
//! A client that takes a few symbols cannot know by itself whether one of their events is missing, for the
//! numbers between belong to others. Here it is looked up.

use std::collections::VecDeque;

use tickerplant::market::Time;

/// Of each symbol and kind so many events are remembered.
const REMEMBERED: usize = 4096;

/// A symbol, by its number, and whether the event is a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub symbol: usize,
    pub is_quote: bool,
}

/// All events of the last minutes, since the first that was seen.
#[derive(Debug)]
pub struct Witness {
    keys: Vec<Events>,
    /// Events up to this one are not known.
    before: u64,
    newest: u64,
}

/// The events of a symbol and kind.
#[derive(Clone, Debug, Default)]
struct Events {
    all: VecDeque<(u64, Time)>,
    /// The newest event that is forgotten.
    forgotten: u64,
}

impl Witness {
    /// Knows nothing of so many symbols.
    pub fn new(symbols: usize) -> Self {
        Self { keys: vec![Events::default(); 2 * symbols], before: 0, newest: 0 }
    }

    /// Whether it is told of this symbol.
    pub fn knows(&self, symbol: usize) -> bool {
        2 * symbol < self.keys.len()
    }

    /// The newest event that is known.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// How many events have been seen.
    pub fn seen(&self) -> u64 {
        self.newest - self.before
    }

    /// Takes in an event of a client that takes them all; several may tell the same.
    pub fn take(&mut self, seq: u64, key: Key, time: Time) {
        if self.newest == 0 {
            self.before = seq - 1;
        } else if seq != self.newest + 1 {
            // Another client has told it, or will tell what lies between.
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

    /// How many events of these symbols there were after one and up to another; `None` where that is not known.
    pub fn count(&self, symbols: &[usize], after: u64, until: u64) -> Option<u64> {
        if until > self.newest || after < self.before {
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

    /// The time of a key's first event after another, where that is known.
    pub fn first_after(&self, key: Key, after: u64) -> Option<Time> {
        let events = &self.keys[index(key)];
        let at = events.all.partition_point(|(seq, _)| *seq <= after);
        let is_known = events.forgotten <= after && self.before <= after;
        events.all.get(at).filter(|_| is_known).map(|(_, time)| *time)
    }
}

fn index(key: Key) -> usize {
    2 * key.symbol + usize::from(key.is_quote)
}
