//! A set of snapshots that a connection is owed: a cursor over symbols.
//!
//! Each snapshot is written when the socket has room for it, at the shard's position of that moment. Until then the
//! updates of its symbol are not sent: the snapshot says them. So a set costs four bytes a symbol by name, and nothing a
//! symbol for `*`, however large the snapshots are.

use std::ops::Range;
use std::vec;

use super::subscription_index::Subscription;
use crate::bus::{Key, LastValueCache};
use crate::market::Symbol;

/// The snapshots that have yet to be written.
#[derive(Debug)]
pub(super) struct SnapshotSet {
    owed: Owed,
    /// What the connection had before it was owed these: it goes on getting that.
    had: Subscription,
    /// The last snapshot, while older updates go before it.
    last: Option<Last>,
}

/// Symbols by their indexes, in order.
#[derive(Debug)]
enum Owed {
    All(Range<u32>),
    Named(vec::IntoIter<u32>),
}

/// The last snapshot of a set, encoded.
#[derive(Debug)]
pub(super) struct Last {
    /// The position at which it was written.
    pub(super) seq: u64,
    /// Its bytes.
    pub(super) bytes: Box<[u8]>,
}

impl SnapshotSet {
    /// Returns the set for all symbols, or for these, of those that have data; `None` where none has.
    pub(super) fn new<'a>(
        last_values: &LastValueCache,
        all: bool,
        names: impl Iterator<Item = &'a Symbol>,
        had: Subscription,
    ) -> Option<Self> {
        let owed = if all {
            Owed::All(0..index(last_values.len()))
        } else {
            let mut indexes: Vec<u32> =
                names.filter_map(|name| last_values.index_of(name)).map(index).collect();
            indexes.sort_unstable();
            Owed::Named(indexes.into_iter())
        };
        let set = Self { owed, had, last: None };
        (set.len() > 0).then_some(set)
    }

    /// Returns how many snapshots have yet to be written.
    pub(super) fn len(&self) -> usize {
        match &self.owed {
            Owed::All(indexes) => indexes.len(),
            Owed::Named(indexes) => indexes.len(),
        }
    }

    /// Returns the index of the symbol whose snapshot is next.
    pub(super) fn next(&mut self) -> Option<usize> {
        let next = match &mut self.owed {
            Owed::All(indexes) => indexes.next(),
            Owed::Named(indexes) => indexes.next(),
        };
        next.map(|index| index as usize)
    }

    /// Returns whether the connection is not to get an event of this symbol, because its snapshot has yet to be written.
    pub(super) fn covers(&self, (index, kind): Key, symbol: &Symbol) -> bool {
        let is_owed = match &self.owed {
            Owed::All(indexes) => (indexes.start as usize..indexes.end as usize).contains(&index),
            Owed::Named(indexes) => {
                indexes.as_slice().binary_search_by(|owed| (*owed as usize).cmp(&index)).is_ok()
            }
        };
        is_owed && !self.had.has(symbol, kind)
    }

    /// Keeps the last snapshot back until older updates have gone.
    pub(super) fn keep_last(&mut self, last: Last) {
        self.last = Some(last);
    }

    /// Returns the last snapshot, where it has been written.
    pub(super) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }
}

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("so many symbols have no room in memory")
}
