//! Heartbeats: when each connection gets its next heartbeat.
//!
//! If a connection gets updates, its heartbeat is written together with an update, a little early. A separate
//! write would cost more than the heartbeat itself. A connection that gets no updates gets its heartbeat on
//! time, in a separate write.

use std::time::Duration;

use tokio::time::Instant;

use super::spread::spread;
use super::subscription_index::ConnectionId;

/// A heartbeat that is written with an update is early by at most the heartbeat period divided by this
/// number.
const EARLY: u32 = 8;

/// The number of checks for due heartbeats in one heartbeat period.
const CHECKS: u32 = 64;

/// The time at which each connection's next heartbeat is due, indexed by connection number.
#[derive(Debug)]
pub struct Heartbeats {
    period: Duration,
    due: Vec<Instant>,
}

impl Heartbeats {
    /// Returns the heartbeat times of a shard that has no connections yet.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self { period, due: Vec::new() }
    }

    /// Returns the time between two checks for due heartbeats.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        (self.period / CHECKS).max(Duration::from_millis(1))
    }

    /// Adds a connection. The connection's first heartbeat is due within one heartbeat period.
    ///
    /// The first heartbeats of different connections are spread over the period. Otherwise connections that
    /// open together would always get their heartbeats together.
    pub fn add(&mut self, id: ConnectionId, now: Instant) {
        let nanos = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let due = now + self.period.saturating_sub(Duration::from_nanos(spread(id as u64, nanos)));
        if self.due.len() <= id {
            self.due.resize(id + 1, due);
        }
        self.due[id] = due;
    }

    /// Returns whether a connection's next heartbeat is due so soon that it may be written with an update
    /// now.
    #[must_use]
    pub fn is_nearly_due(&self, id: ConnectionId, now: Instant) -> bool {
        self.due[id] <= now + self.period / EARLY
    }

    /// Records that the connection's heartbeat was sent. The next heartbeat is due one period after the due
    /// time of the sent heartbeat. An early heartbeat therefore does not shorten the period.
    pub fn sent(&mut self, id: ConnectionId, now: Instant) {
        let next = self.due[id] + self.period;
        self.due[id] = if next > now { next } else { now + self.period };
    }

    /// Returns the lowest number, from `from` upwards, of a connection whose heartbeat is due. The connection
    /// with this number may no longer exist.
    #[must_use]
    pub fn next_due(&self, from: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let after = self.due.iter().skip(from).position(|due| *due <= now)?;
        Some(from + after)
    }
}
