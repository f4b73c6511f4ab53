//! A snapshot set: an iterator over the symbols whose snapshots have yet to be sent to a connection.
//!
//! A snapshot is encoded only when the connection's socket has room for the bytes of the snapshot. So a
//! snapshot shows the newest values at the moment of its encoding. Until a symbol's snapshot is sent, the
//! symbol's updates are not sent, because the snapshot will include them. A set needs four bytes for each
//! symbol that a client subscribed to by name. For all symbols (`*`), a set stores only a range of indexes.

use std::ops::Range;
use std::vec;

use super::subscription::Subscription;
use crate::bus::{Key, LastValueCache};
use crate::market::Symbol;

/// The snapshots that have yet to be written to a connection's socket.
#[derive(Debug)]
pub(super) struct SnapshotSet {
    remaining: Remaining,
    /// The connection's earlier subscription. While the snapshots are pending, the connection still gets the
    /// updates of this subscription. The subscription is empty if the set follows a gap or a seek.
    earlier: Subscription,
    /// The last snapshot of the set, if this snapshot waits for older conflated events; otherwise `None`.
    last: Option<LastSnapshot>,
}

/// The indexes of the symbols whose snapshots have yet to be written, in ascending order.
#[derive(Debug)]
enum Remaining {
    All(Range<u32>),
    Named(vec::IntoIter<u32>),
}

/// The last snapshot of a set, already encoded as bytes.
#[derive(Debug)]
pub(super) struct LastSnapshot {
    /// The index of the snapshot's symbol.
    pub(super) index: usize,
    /// The shard's position in the log when the snapshot was encoded.
    pub(super) seq: u64,
    pub(super) bytes: Box<[u8]>,
}

impl SnapshotSet {
    /// Returns a set for all symbols, or for the symbols in `names`; `None` if none of these symbols has
    /// data.
    pub(super) fn new<'a>(
        last_values: &LastValueCache,
        all: bool,
        names: impl Iterator<Item = &'a Symbol>,
        earlier: Subscription,
    ) -> Option<Self> {
        let remaining = if all {
            Remaining::All(0..index(last_values.len()))
        } else {
            let mut indexes: Vec<u32> =
                names.filter_map(|name| last_values.index_of(name)).map(index).collect();
            indexes.sort_unstable();
            Remaining::Named(indexes.into_iter())
        };
        let set = Self { remaining, earlier, last: None };
        (set.len() > 0).then_some(set)
    }

    /// Returns how many snapshots have yet to be written.
    pub(super) fn len(&self) -> usize {
        match &self.remaining {
            Remaining::All(indexes) => indexes.len(),
            Remaining::Named(indexes) => indexes.len(),
        }
    }

    /// Returns the index of the next snapshot's symbol.
    pub(super) fn next(&mut self) -> Option<usize> {
        let next = match &mut self.remaining {
            Remaining::All(indexes) => indexes.next(),
            Remaining::Named(indexes) => indexes.next(),
        };
        next.map(|index| index as usize)
    }

    /// Returns whether to skip an event. An event is skipped if a snapshot that has yet to be written will
    /// include the event, unless the event belongs to the earlier subscription.
    pub(super) fn covers(&self, (index, kind): Key, symbol: &Symbol) -> bool {
        let is_remaining = match &self.remaining {
            Remaining::All(indexes) => (indexes.start as usize..indexes.end as usize).contains(&index),
            Remaining::Named(indexes) => {
                indexes.as_slice().binary_search_by(|remaining| (*remaining as usize).cmp(&index)).is_ok()
            }
        };
        is_remaining && !self.earlier.has(symbol, kind)
    }

    /// Stores the set's last snapshot, which must wait until older conflated events are flushed.
    pub(super) fn keep_last(&mut self, last: LastSnapshot) {
        self.last = Some(last);
    }

    /// Returns the last snapshot that [`keep_last`](Self::keep_last) has stored, if any.
    pub(super) fn last(&self) -> Option<&LastSnapshot> {
        self.last.as_ref()
    }
}

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("an index of symbols fits in 32 bits")
}
