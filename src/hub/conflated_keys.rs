//! Conflated keys: the pairs of symbol and event kind whose newest event has yet to be sent to a connection.
//!
//! The set of keys is a compressed bitmap. A set of all 65,536 symbols of a large market needs 24 KiB. A set
//! of a few symbols needs a few bytes for each symbol.

use roaring::RoaringBitmap;

use crate::bus::{Key, LastValueCache};
use crate::market::Kind;

/// The number of bits of a key's number that hold the index of the symbol.
const INDEX_BITS: u32 = 30;

/// A set of keys, each of which is a symbol and a kind of event.
#[derive(Debug, Default)]
pub(super) struct ConflatedKeys(RoaringBitmap);

impl ConflatedKeys {
    /// Returns whether the set is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of keys in the set.
    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Adds a key; returns whether the key is new.
    pub(super) fn insert(&mut self, key: Key) -> bool {
        self.0.insert(number(key))
    }

    /// Removes a key; returns whether the key was in the set.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        self.0.remove(number(key))
    }

    /// Removes the keys for which `keep` is false; returns the number of removed keys.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Key) -> bool) -> u64 {
        let before = self.len();
        let removed: RoaringBitmap = self.0.iter().filter(|number| !keep(key(*number))).collect();
        self.0 -= removed;
        before - self.len()
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Removes the keys with the oldest events, at most `most` keys. Keeps the keys whose newest event has a
    /// sequence number above `until`. Returns the removed keys, ordered by the sequence numbers of their
    /// newest events.
    pub(super) fn remove_oldest(
        &mut self,
        last_values: &LastValueCache,
        until: u64,
        most: usize,
    ) -> impl Iterator<Item = Key> + use<> {
        let by_seq = self.0.iter().map(|number| {
            let key = key(number);
            (last_values.latest(key).map_or(0, |latest| latest.seq), number)
        });
        let mut oldest: Vec<(u64, u32)> = by_seq.filter(|(seq, _)| *seq <= until).collect();
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

/// Returns the number of a key. The kind is in the highest bits, so that the keys of each kind lie together and a
/// kind without keys needs no memory.
fn number((index, kind): Key) -> u32 {
    let index = u32::try_from(index).ok().filter(|index| *index < 1 << INDEX_BITS);
    (kind as u32) << INDEX_BITS | index.expect("a feed has fewer symbols than an index has values")
}

fn key(number: u32) -> Key {
    let index = number & ((1 << INDEX_BITS) - 1);
    (index as usize, Kind::ALL[(number >> INDEX_BITS) as usize])
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
    fn the_keys_of_the_oldest_events_are_removed_first() {
        // S0 has the newest event, and S2 has the oldest.
        let last_values = trades(&[0, 1, 2, 1, 0]);
        let mut keys = ConflatedKeys::default();
        for index in [0, 1, 2] {
            assert!(keys.insert((index, Kind::Trade)));
        }
        assert!(!keys.insert((1, Kind::Trade)));

        let mut remove = |until, most| keys.remove_oldest(&last_values, until, most).collect::<Vec<_>>();
        assert_eq!(remove(4, 1), [(2, Kind::Trade)]);
        assert_eq!(remove(4, 9), [(1, Kind::Trade)]);
        assert_eq!(remove(4, 9), []);
        assert_eq!(remove(5, 9), [(0, Kind::Trade)]);
        assert!(keys.is_empty());
    }

    #[test]
    fn all_symbols_of_a_large_market_need_a_few_bits_each() {
        let mut keys = ConflatedKeys::default();
        for index in 0..65_536 {
            for kind in Kind::CHANNELS {
                keys.insert((index, kind));
            }
        }

        assert_eq!(keys.len(), 3 * 65_536);
        assert!(keys.0.serialized_size() <= 25_000, "{}", keys.0.serialized_size());
    }
}
