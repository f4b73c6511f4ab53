//! Heartbeats: when each connection gets its next heartbeat.
//!
//! If a connection gets updates, its heartbeat is written together with an update, a little early. A separate
//! write would cost more than the heartbeat itself. Any other connection gets its heartbeat on time.

use std::time::Duration;

use tokio::time::Instant;

use super::spread::spread;
use super::subscription_index::ConnectionId;

/// A heartbeat that is written with an update may be early by at most the period divided by this number.
const EARLY: u32 = 8;

/// The number of checks for due heartbeats in a period.
const CHECKS: u32 = 64;

/// When the next heartbeat of each connection is due, by connection number.
#[derive(Debug)]
pub struct Heartbeats {
    period: Duration,
    due: Vec<Instant>,
}

impl Heartbeats {
    /// Returns the heartbeats of a shard without connections.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self { period, due: Vec::new() }
    }

    /// Returns the time between checks for due heartbeats.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        (self.period / CHECKS).max(Duration::from_millis(1))
    }

    /// Adds a connection. Its first heartbeat is due within one period.
    ///
    /// The first heartbeats are spread over the period. Otherwise connections that open together would always
    /// get their heartbeats together.
    pub fn add(&mut self, id: ConnectionId, now: Instant) {
        let nanos = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let due = now + self.period.saturating_sub(Duration::from_nanos(spread(id as u64, nanos)));
        if self.due.len() <= id {
            self.due.resize(id + 1, due);
        }
        self.due[id] = due;
    }

    /// Returns whether a connection's heartbeat may be written with an update now.
    #[must_use]
    pub fn is_nearly_due(&self, id: ConnectionId, now: Instant) -> bool {
        self.due[id] <= now + self.period / EARLY
    }

    /// Records that a heartbeat was sent. The next heartbeat is due one period after the previous due time.
    /// An early heartbeat therefore does not shorten the period.
    pub fn sent(&mut self, id: ConnectionId, now: Instant) {
        let next = self.due[id] + self.period;
        self.due[id] = if next > now { next } else { now + self.period };
    }

    /// Returns the first connection whose heartbeat is due, starting at number `from`. The connection may no
    /// longer exist.
    #[must_use]
    pub fn next_due(&self, from: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let after = self.due.iter().skip(from).position(|due| *due <= now)?;
        Some(from + after)
    }
}
