//! Heartbeats: when each connection is to have its next one.
//!
//! Who is sent updates gets it with one of them, a little early: a write of its own costs more than the whole
//! rest of it. Who is sent none gets it when it is due.

use std::time::Duration;

use tokio::time::Instant;

use super::spread::spread;
use super::subscription_index::ConnectionId;

/// A heartbeat may go with an update from this part of the period before it is due.
const EARLY: u32 = 8;

/// How often those that are due are looked for, as a part of the period.
const CHECKS: u32 = 64;

/// When each connection's next heartbeat is due, by the connections' numbers.
#[derive(Debug)]
pub struct Heartbeats {
    period: Duration,
    due: Vec<Instant>,
}

impl Heartbeats {
    /// No connections.
    #[must_use]
    pub const fn new(period: Duration) -> Self {
        Self { period, due: Vec::new() }
    }

    /// How often to look for those that are due.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        (self.period / CHECKS).max(Duration::from_millis(1))
    }

    /// A connection's first is within a period, and spread over it: many who come at once are not told at once
    /// for ever after.
    pub fn begin(&mut self, id: ConnectionId, now: Instant) {
        let nanos = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let due = now + self.period.saturating_sub(Duration::from_nanos(spread(id as u64, nanos)));
        if self.due.len() <= id {
            self.due.resize(id + 1, due);
        }
        self.due[id] = due;
    }

    /// Whether it may go with what the connection is sent now.
    #[must_use]
    pub fn is_near(&self, id: ConnectionId, now: Instant) -> bool {
        self.due[id] <= now + self.period / EARLY
    }

    /// Says that it has gone: the next is due a period after this one was.
    pub fn gone(&mut self, id: ConnectionId, now: Instant) {
        let next = self.due[id] + self.period;
        self.due[id] = if next > now { next } else { now + self.period };
    }

    /// The next connection from a number on whose heartbeat is due, if it is not gone.
    #[must_use]
    pub fn next_due(&self, from: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let after = self.due.iter().skip(from).position(|due| *due <= now)?;
        Some(from + after)
    }
}
