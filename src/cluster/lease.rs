//! The lease: how long the others wait for a leader that is silent.

use std::time::Duration;

use tokio::time::Instant;

/// The lease of the present leader, as one node sees it. Every entry and every beat renews the lease.
#[derive(Debug)]
pub struct Lease {
    length: Duration,
    renewed: Instant,
    is_vacant: bool,
}

impl Lease {
    /// Returns a lease that begins now.
    #[must_use]
    pub fn new(length: Duration, now: Instant) -> Self {
        Self { length, renewed: now, is_vacant: false }
    }

    /// Records a sign of life of the leader, or that the stream can be read again after a failure. The leader
    /// may have been alive while the stream could not be read.
    pub fn renew(&mut self, now: Instant) {
        (self.renewed, self.is_vacant) = (now, false);
    }

    /// Returns how long ago the newest sign of life was.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.renewed.elapsed()
    }

    /// Records that there is no leader, so that nobody needs to wait.
    pub fn vacate(&mut self) {
        self.is_vacant = true;
    }

    /// Returns the time from which another node may lead.
    #[must_use]
    pub fn ends_at(&self, now: Instant) -> Instant {
        if self.is_vacant { now } else { self.renewed + self.length }
    }
}
