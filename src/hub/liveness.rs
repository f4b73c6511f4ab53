//! Liveness: sends heartbeats to the clients, and checks whether the clients are alive. A heartbeat shows a
//! client that the server is alive.

use std::time::Duration;

use slab::Slab;
use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::connection::Connection;
use super::deadlines::{CheckSchedule, Deadlines, Finding, Overdue, Timeouts};
use super::heartbeats::Heartbeats;
use super::outbox::Outbox;
use super::subscription_index::ConnectionId;
use crate::bus::Bus;
use crate::counters::Limit;
use crate::encoding::{Position, Value};
use crate::market::Time;
use crate::wire::{CloseCode, CloseReason};

/// If more time than this passes between two checks of the clients, the server stood still or its clock
/// jumped.
pub(super) const STANDSTILL: Duration = Duration::from_secs(1);

/// The heartbeat times and the check times of a shard's connections.
#[derive(Debug)]
pub(super) struct Liveness {
    pub(super) heartbeats: Heartbeats,
    timeouts: Timeouts,
    schedule: CheckSchedule,
    last_check: Option<Instant>,
}

impl Liveness {
    /// Returns the heartbeat times and check times of a shard that has no connections yet.
    pub(super) fn new(heartbeat: Duration, timeouts: Timeouts) -> Self {
        Self {
            heartbeats: Heartbeats::new(heartbeat),
            timeouts,
            schedule: CheckSchedule::default(),
            last_check: None,
        }
    }

    /// Adds a connection.
    pub(super) fn add(&mut self, id: ConnectionId, deadlines: &Deadlines, now: Instant) {
        self.heartbeats.add(id, now);
        self.reschedule(id, deadlines);
    }

    /// After a connection's deadlines have changed, sets the time of the connection's next check.
    pub(super) fn reschedule(&mut self, id: ConnectionId, deadlines: &Deadlines) {
        self.schedule.set(id, deadlines.next_check());
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.schedule.set(id, None);
    }

    /// Returns the period at which [`heartbeats`](Self::heartbeats) and [`check`](Self::check) must be
    /// called.
    pub(super) fn check_period(&self) -> Duration {
        self.heartbeats.check_period().min(self.timeouts.check_period())
    }

    /// Sends a heartbeat, with `time` and `head`, to each subscriber whose heartbeat is due. If a client's
    /// socket is blocked, the client gets the heartbeat after the socket accepts bytes again.
    pub(super) fn heartbeats(
        &mut self,
        connections: &mut Slab<Connection>,
        now: Instant,
        time: Time,
        head: Position<'_>,
    ) {
        let mut from = 0;
        while let Some(id) = self.heartbeats.next_due(from, now) {
            from = id + 1;
            let connection = connections.get_mut(id).filter(|connection| connection.is_subscribed());
            let waits = |outbox: &Outbox| outbox.is_blocked() || outbox.has_delayed();
            if connection.as_ref().is_some_and(|connection| waits(&connection.outbox)) {
                continue;
            }
            self.heartbeats.sent(id, now);
            if let Some(connection) = connection {
                connection.push_heartbeat(time, head);
                connection.wake();
            }
        }
    }

    /// Pings the clients that are due for a ping, and closes the clients that missed a deadline.
    pub(super) fn check(
        &mut self,
        connections: &mut Slab<Connection>,
        now: Instant,
        bus: &Bus,
        mut acknowledgements: impl FnMut(ConnectionId) -> Option<Acknowledgements>,
    ) {
        let last_check = self.last_check.replace(now).unwrap_or(now);
        let gap = now.duration_since(last_check);
        if gap > STANDSTILL {
            // The server stood still, and has not yet read the bytes that clients sent in that time.
            for (id, connection) in &mut *connections {
                connection.deadlines.postpone(gap);
                self.reschedule(id, &connection.deadlines);
            }
        }
        let mut from = 0;
        while let Some(id) = self.schedule.next_due(from, now) {
            from = id + 1;
            let connection = &mut connections[id];
            if connection.state.is_closing() {
                self.remove(id);
                continue;
            }
            if !connection.may_read() {
                // The rest of a partial message may have arrived, but the session is not allowed to read
                // these bytes yet.
                connection.deadlines.extend_message(now, &self.timeouts);
            }
            let signs = connection.take_signs_of_life();
            match connection.deadlines.check(now, &self.timeouts, signs, || acknowledgements(id)) {
                Finding::Fine => {}
                // A stream gets no ping, because its encoding has none. A blocked socket gets no ping,
                // because accepting its pending bytes is also a sign of life.
                Finding::Ping if connection.outbox.is_blocked() || !connection.encoding.has_pings() => {}
                Finding::Ping => {
                    connection.answer(&Value::Ping);
                    connection.wake();
                }
                Finding::Overdue(overdue) => {
                    let (limit, reason) = consequence(overdue);
                    bus.counters().increment(limit);
                    connection.close(reason);
                }
            }
            self.reschedule(id, &connection.deadlines);
        }
    }
}

/// Returns the consequences of a missed deadline: which limit is counted, and why the connection is closed.
fn consequence(overdue: Overdue) -> (Limit, CloseReason) {
    let policy = |reason: &'static str| CloseReason::Server(CloseCode::Policy, reason.into());
    match overdue {
        Overdue::Token => (Limit::AuthTimeout, policy("no token came in time")),
        Overdue::Message => (Limit::MessageTimeout, policy("a message took too long to arrive")),
        Overdue::SignOfLife => (Limit::PingTimeout, CloseReason::Unresponsive),
    }
}
