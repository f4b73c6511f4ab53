//! The catch-up quota limits the bytes of missed events and snapshots that a shard writes in one turn.
//!
//! Thousands of clients may subscribe or resume at once. If a shard wrote the missed events and snapshots of
//! thousands of clients in one turn, its other clients would have to wait. So a shard has a quota of bytes
//! for each turn. Once the quota is used up, further connections wait in a queue for a later turn.

use indexmap::IndexSet;

use super::subscription_index::ConnectionId;

/// A turn's quota consists of this many shares. A share is the number of bytes that a shard may write for one
/// connection at a time.
const SHARES: usize = 8;

/// What is left of a shard's quota in the current turn, and the connections that wait for a later turn.
#[derive(Debug)]
pub(super) struct CatchUpQuota {
    /// How many bytes the shard may write for one connection at a time.
    share: usize,
    left: usize,
    /// The connections that wait for a later turn, in order of arrival.
    queue: IndexSet<ConnectionId>,
}

impl CatchUpQuota {
    /// Returns a full quota. The shard may write `share` bytes for one connection at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { share, left: SHARES * share, queue: IndexSet::new() }
    }

    /// Returns whether any bytes of the current turn's quota are left.
    pub(super) const fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Subtracts `bytes` from the current turn's quota.
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

    /// Renews the quota for a new turn. Returns the connections that may write in this turn, and removes
    /// these connections from the queue.
    pub(super) fn renew(&mut self) -> impl Iterator<Item = ConnectionId> {
        self.left = SHARES * self.share;
        self.queue.drain(..SHARES.min(self.queue.len()))
    }
}
