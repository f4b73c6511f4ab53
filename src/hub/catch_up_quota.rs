//! How much of the past a shard writes before its loop has another turn.
//!
//! Thousands of clients that subscribe or resume at once are owed far more than the socket of a client that keeps up has
//! to wait for. So missed events and snapshots are written within a quota; who finds it used up waits in a queue until
//! the loop has looked at the log again.

use indexmap::IndexSet;

use super::subscription_index::ConnectionId;

/// So many connections write what they may at a time between two turns of the loop.
const SHARES: usize = 8;

/// What is left of a shard's quota, and who waits for the next.
#[derive(Debug)]
pub(super) struct CatchUpQuota {
    /// How many bytes one connection may write at a time.
    share: usize,
    left: usize,
    /// In the order in which they came.
    waiting: IndexSet<ConnectionId>,
}

impl CatchUpQuota {
    /// Returns a quota of which nothing is used, and of which one connection may write so many bytes at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { share, left: SHARES * share, waiting: IndexSet::new() }
    }

    /// Returns whether something is left.
    pub(super) const fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Takes in that so many bytes were written.
    pub(super) const fn used(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Puts a connection at the end of the queue, unless it is there already.
    pub(super) fn wait(&mut self, id: ConnectionId) {
        self.waiting.insert(id);
    }

    /// Returns whether this connection waits.
    pub(super) fn is_waiting(&self, id: ConnectionId) -> bool {
        self.waiting.contains(&id)
    }

    /// Returns whether a connection waits.
    pub(super) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Begins a new quota, and returns the connections that may go on.
    pub(super) fn renew(&mut self) -> impl Iterator<Item = ConnectionId> {
        self.left = SHARES * self.share;
        self.waiting.drain(..SHARES.min(self.waiting.len()))
    }
}
