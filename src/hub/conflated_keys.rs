//! The keys of which a connection is owed the newest event.
//!
//! A compressed bitmap: a client that takes all of 65,536 symbols and reads nothing costs 24 KiB, one that takes a few
//! symbols some bytes a key.

use roaring::RoaringBitmap;

use crate::bus::{Key, LastValueCache};
use crate::market::Kind;

/// A set of symbols and kinds.
#[derive(Debug, Default)]
pub(super) struct ConflatedKeys(RoaringBitmap);

impl ConflatedKeys {
    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Adds a key; returns whether it is new.
    pub(super) fn insert(&mut self, key: Key) -> bool {
        self.0.insert(number(key))
    }

    /// Removes a key; returns whether it was there.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        self.0.remove(number(key))
    }

    /// Removes those that are not `wanted`; returns how many.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(Key) -> bool) -> u64 {
        let before = self.len();
        let unwanted: RoaringBitmap = self.0.iter().filter(|number| !wanted(key(*number))).collect();
        self.0 -= unwanted;
        before - self.len()
    }

    /// Removes all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes out those whose newest event is among the `most` oldest of all, and is at `until` or before; in the order of
    /// their events.
    pub(super) fn take_oldest(
        &mut self,
        last_values: &LastValueCache,
        until: u64,
        most: usize,
    ) -> impl Iterator<Item = Key> + use<> {
        let numbered = self.0.iter().map(|number| {
            let key = key(number);
            (last_values.latest(key).map_or(0, |latest| latest.seq), number)
        });
        let mut oldest: Vec<(u64, u32)> = numbered.filter(|(seq, _)| *seq <= until).collect();
        if oldest.len() > most {
            oldest.select_nth_unstable(most);
            oldest.truncate(most);
        }
        oldest.sort_unstable();
        if oldest.len() as u64 == self.0.len() {
            self.0 = RoaringBitmap::new();
        } else {
            for (_, number) in &oldest {
                self.0.remove(*number);
            }
        }
        oldest.into_iter().map(|(_, number)| key(number))
    }
}

fn number((index, kind): Key) -> u32 {
    u32::try_from(index * Kind::ALL.len() + kind.index()).expect("so many symbols have no room in memory")
}

fn key(number: u32) -> Key {
    let number = number as usize;
    (number / Kind::ALL.len(), Kind::ALL[number % Kind::ALL.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Event, Payload, Time, Trade};

    fn trades(symbols: &[usize]) -> LastValueCache {
        let mut last_values = LastValueCache::default();
        for (seq, symbol) in (1..).zip(symbols) {
            let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
            let event =
                Event { symbol: format!("S{symbol}").parse().unwrap(), time: Time::default(), payload };
            last_values.fold(seq, &event);
        }
        last_values
    }

    #[test]
    fn the_oldest_go_first_whatever_their_keys() {
        // S0 is the newest, S2 the oldest.
        let last_values = trades(&[0, 1, 2, 1, 0]);
        let mut keys = ConflatedKeys::default();
        for index in [0, 1, 2] {
            assert!(keys.insert((index, Kind::Trade)));
        }
        assert!(!keys.insert((1, Kind::Trade)));

        let mut take = |until, most| keys.take_oldest(&last_values, until, most).collect::<Vec<_>>();
        assert_eq!(take(4, 1), [(2, Kind::Trade)]);
        assert_eq!(take(4, 9), [(1, Kind::Trade)]);
        assert_eq!(take(4, 9), []);
        assert_eq!(take(5, 9), [(0, Kind::Trade)]);
        assert!(keys.is_empty());
    }

    #[test]
    fn all_symbols_of_a_large_market_take_a_few_bits_each() {
        let mut keys = ConflatedKeys::default();
        for index in 0..65_536 {
            for kind in Kind::ALL {
                keys.insert((index, kind));
            }
        }

        assert_eq!(keys.len(), 3 * 65_536);
        assert!(keys.0.serialized_size() <= 25_000, "{}", keys.0.serialized_size());
    }
}
