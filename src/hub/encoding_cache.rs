//! What has been encoded, and is not encoded again: the latest events, snapshots, and a value for many connections.

use std::collections::HashMap;
use std::ops::Range;

use crate::bus::{Key, LastValueCache};
use crate::encoding::{Encoding, Snapshot, Value};
use crate::market::Kind;

/// Snapshots that take more bytes than this give their room back when they are of the past.
const KEPT_SNAPSHOTS: usize = 1 << 20;

/// For each symbol and kind, the bytes of its latest event in one encoding.
///
/// It has at most as many entries as there are symbols and kinds, and reuses their bytes.
#[derive(Debug)]
pub struct EncodedEvents {
    encoding: Encoding,
    symbols: Vec<[Encoded; 3]>,
}

/// The bytes of the snapshots in one encoding that connections have been written at one position.
#[derive(Debug)]
pub struct EncodedSnapshots {
    encoding: Encoding,
    /// The position.
    seq: u64,
    bytes: Vec<u8>,
    /// Where the snapshot of each symbol lies, by the symbols' indexes.
    places: HashMap<usize, Range<usize>>,
}

/// One value for many connections: it becomes bytes once for each encoding that one of them has.
#[derive(Debug)]
pub struct EncodedValue<'a> {
    value: Value<'a>,
    bytes: [Option<Vec<u8>>; Encoding::ALL.len()],
}

#[derive(Debug, Default)]
struct Encoded {
    /// The event that the bytes say; 0 before the first.
    seq: u64,
    bytes: Vec<u8>,
}

impl EncodedEvents {
    /// Returns a cache without an event.
    #[must_use]
    pub const fn new(encoding: Encoding) -> Self {
        Self { encoding, symbols: Vec::new() }
    }

    /// Returns the sequence number and the bytes of a symbol's latest event of a kind.
    ///
    /// # Panics
    ///
    /// No such event has been folded. The shard asks only for events that it has read.
    pub fn latest(&mut self, last_values: &LastValueCache, key: Key) -> (u64, &[u8]) {
        let latest = last_values.latest(key).expect("the symbol and kind have been seen");
        let (index, kind) = key;
        if self.symbols.len() <= index {
            self.symbols.resize_with(index + 1, Default::default);
        }
        let encoded = &mut self.symbols[index][kind.index()];
        if encoded.seq != latest.seq {
            encoded.seq = latest.seq;
            encoded.bytes.clear();
            self.encoding.write(&mut encoded.bytes, &Value::Event(latest.seq, &latest.event));
        }
        (encoded.seq, &encoded.bytes)
    }

    /// Forgets every event: their symbols have other indexes from now on.
    pub fn clear(&mut self) {
        self.symbols.clear();
    }
}

impl EncodedSnapshots {
    /// Returns a cache without a snapshot.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, seq: 0, bytes: Vec::new(), places: HashMap::new() }
    }

    /// Returns the bytes of the snapshot of the symbol with this index, at the position of `last_values`.
    ///
    /// # Panics
    ///
    /// No symbol has this index.
    pub fn get(&mut self, last_values: &LastValueCache, index: usize) -> &[u8] {
        if self.seq != last_values.seq() {
            self.clear();
            self.seq = last_values.seq();
        }
        let Self { encoding, seq, bytes, places } = self;
        let place = places.entry(index).or_insert_with(|| {
            let (symbol, last) = last_values.get_index(index).expect("a symbol keeps its index");
            let latest = Kind::ALL.map(|kind| last.latest(kind).map(|latest| (latest.seq, &latest.event)));
            let snapshot = Snapshot { seq: *seq, symbol, latest, day: last.day() };
            let start = bytes.len();
            encoding.write(bytes, &Value::Snapshot(&snapshot));
            start..bytes.len()
        });
        &bytes[place.clone()]
    }

    /// Forgets every snapshot.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_SNAPSHOTS {
            *self = Self::new(self.encoding);
        } else {
            self.bytes.clear();
            self.places.clear();
        }
    }
}

impl<'a> EncodedValue<'a> {
    /// Returns a value that nobody has needed yet.
    pub fn new(value: Value<'a>) -> Self {
        Self { value, bytes: Default::default() }
    }

    /// Returns its bytes.
    pub fn bytes(&mut self, encoding: Encoding) -> &[u8] {
        self.bytes[encoding.index()].get_or_insert_with(|| {
            let mut bytes = Vec::new();
            encoding.write(&mut bytes, &self.value);
            bytes
        })
    }
}
