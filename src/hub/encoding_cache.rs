//! Caches of encoded values: the newest events, the snapshots at one log position, and a single value for
//! many connections.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::market_state::snapshot;
use crate::bus::{Key, LastValueCache};
use crate::encoding::{Encoding, Position, Value};
use crate::market::Kind;

/// If a cache of snapshots has more memory than this many bytes, clearing the cache frees the memory.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// A cache of the encoded newest event of each symbol and kind, in one encoding.
///
/// A newer event is written into the memory of the older event of the same symbol and kind.
#[derive(Debug)]
pub struct EncodedEvents {
    encoding: Encoding,
    epoch: Arc<str>,
    symbols: Vec<[Encoded; Kind::ALL.len()]>,
}

/// A cache of encoded snapshots at one log position, in one encoding.
#[derive(Debug)]
pub struct EncodedSnapshots {
    encoding: Encoding,
    epoch: Arc<str>,
    /// The log position of the cached snapshots, as a sequence number.
    seq: u64,
    bytes: Vec<u8>,
    /// The range of each symbol's snapshot within `bytes`. The key of the map is the symbol's index.
    ranges: HashMap<usize, Range<usize>>,
}

/// A value that is sent to many connections, and is encoded only once for each encoding in use.
#[derive(Debug)]
pub struct EncodedValue<'a> {
    value: Value<'a>,
    bytes: [Option<Vec<u8>>; Encoding::ALL.len()],
}

#[derive(Debug, Default)]
struct Encoded {
    /// The sequence number of the encoded event; 0 if no event is encoded yet.
    seq: u64,
    bytes: Vec<u8>,
}

impl EncodedEvents {
    /// Returns an empty cache for this encoding and the epoch of the feed.
    #[must_use]
    pub const fn new(encoding: Encoding, epoch: Arc<str>) -> Self {
        Self { encoding, epoch, symbols: Vec::new() }
    }

    /// Returns the sequence number and the encoded bytes of the newest event of a key (a symbol and a kind).
    ///
    /// # Panics
    ///
    /// Panics if the key has no event yet. No shard causes this panic, because a shard asks only for events
    /// that it has read.
    pub fn latest(&mut self, last_values: &LastValueCache, key: Key) -> (u64, &[u8]) {
        let latest = last_values.latest(key).expect("the shard has read an event of this key");
        let (index, kind) = key;
        if self.symbols.len() <= index {
            self.symbols.resize_with(index + 1, Default::default);
        }
        let encoded = &mut self.symbols[index][kind.index()];
        if encoded.seq != latest.seq {
            encoded.seq = latest.seq;
            encoded.bytes.clear();
            let position = Position { epoch: &self.epoch, seq: latest.seq };
            let value = Value::Event(latest.seq, &latest.event);
            self.encoding.write_at(&mut encoded.bytes, &value, Some(position));
        }
        (encoded.seq, &encoded.bytes)
    }

    /// Removes all events, and sets the epoch of those that follow. The cache must be cleared whenever symbols
    /// get other indexes.
    pub fn clear(&mut self, epoch: &Arc<str>) {
        self.epoch = Arc::clone(epoch);
        self.symbols.clear();
    }
}

impl EncodedSnapshots {
    /// Returns an empty cache for this encoding and the epoch of the feed.
    #[must_use]
    pub fn new(encoding: Encoding, epoch: Arc<str>) -> Self {
        Self { encoding, epoch, seq: 0, bytes: Vec::new(), ranges: HashMap::new() }
    }

    /// Returns the encoded snapshot of the symbol with this index, at the position of `last_values`.
    ///
    /// # Panics
    ///
    /// Panics if no symbol has this index.
    pub fn get(&mut self, last_values: &LastValueCache, index: usize) -> &[u8] {
        if self.seq != last_values.seq() {
            let epoch = Arc::clone(&self.epoch);
            self.clear(&epoch);
            self.seq = last_values.seq();
        }
        let Self { encoding, epoch, seq, bytes, ranges } = self;
        let range = ranges.entry(index).or_insert_with(|| {
            let snapshot = snapshot(last_values, index).expect("a symbol keeps its index");
            let start = bytes.len();
            let position = Position { epoch, seq: *seq };
            encoding.write_at(bytes, &Value::Snapshot(&snapshot), Some(position));
            start..bytes.len()
        });
        &bytes[range.clone()]
    }

    /// Removes all snapshots, and sets the epoch of those that follow.
    pub fn clear(&mut self, epoch: &Arc<str>) {
        if self.bytes.capacity() > MAX_KEPT_BYTES || self.epoch != *epoch {
            *self = Self::new(self.encoding, Arc::clone(epoch));
        } else {
            self.bytes.clear();
            self.ranges.clear();
        }
    }
}

impl<'a> EncodedValue<'a> {
    /// Returns a cache for `value`, which is not encoded yet.
    pub fn new(value: Value<'a>) -> Self {
        Self { value, bytes: Default::default() }
    }

    /// Returns the encoded bytes of the value in this encoding.
    pub fn bytes(&mut self, encoding: Encoding) -> &[u8] {
        self.bytes[encoding.index()].get_or_insert_with(|| {
            let mut bytes = Vec::new();
            encoding.write(&mut bytes, &self.value);
            bytes
        })
    }
}
