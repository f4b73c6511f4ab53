//! The catch-up quota: how many bytes of missed events and snapshots a shard writes in one turn.
//!
//! Thousands of clients may subscribe or resume at once. If a shard wrote everything for them in one turn,
//! all other clients would have to wait. So each turn has a quota. Once the quota is used up, further
//! connections wait in a queue for a later turn.

use indexmap::IndexSet;

use super::subscription_index::ConnectionId;

/// The quota of a turn is enough for the full shares of this many connections.
const SHARES: usize = 8;

/// The rest of a shard's quota for this turn, and the connections that wait for a later turn.
#[derive(Debug)]
pub(super) struct CatchUpQuota {
    /// How many bytes one connection may write at a time.
    share: usize,
    left: usize,
    /// The waiting connections, in order of arrival.
    queue: IndexSet<ConnectionId>,
}

impl CatchUpQuota {
    /// Returns a full quota. One connection may write `share` bytes at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { share, left: SHARES * share, queue: IndexSet::new() }
    }

    /// Returns whether any of the quota is left.
    pub(super) const fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Subtracts this many bytes from the quota.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Puts a connection at the end of the queue, unless the connection is already queued.
    pub(super) fn enqueue(&mut self, id: ConnectionId) {
        self.queue.insert(id);
    }

    /// Returns whether this connection waits in the queue.
    pub(super) fn is_queued(&self, id: ConnectionId) -> bool {
        self.queue.contains(&id)
    }

    /// Returns whether any connection waits in the queue.
    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Renews the quota; returns the queued connections that may continue, and removes them from the queue.
    pub(super) fn renew(&mut self) -> impl Iterator<Item = ConnectionId> {
        self.left = SHARES * self.share;
        self.queue.drain(..SHARES.min(self.queue.len()))
    }
}
