//! Liveness: a shard's heartbeats, which tell clients that the server lives, and its checks of which clients do.

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
use crate::encoding::Value;
use crate::market::Time;
use crate::wire::{CloseCode, CloseReason};

/// A server that has not looked at its clients for so long was stopped, or its clock has jumped.
pub(super) const STANDSTILL: Duration = Duration::from_secs(1);

/// The heartbeats and deadlines of a shard's connections.
#[derive(Debug)]
pub(super) struct Liveness {
    pub(super) heartbeats: Heartbeats,
    timeouts: Timeouts,
    schedule: CheckSchedule,
    last_check: Option<Instant>,
}

impl Liveness {
    /// Returns the liveness of no connection.
    pub(super) fn new(heartbeat: Duration, timeouts: Timeouts) -> Self {
        Self {
            heartbeats: Heartbeats::new(heartbeat),
            timeouts,
            schedule: CheckSchedule::default(),
            last_check: None,
        }
    }

    /// Takes in a new connection.
    pub(super) fn begin(&mut self, id: ConnectionId, deadlines: &Deadlines, now: Instant) {
        self.heartbeats.begin(id, now);
        self.watch(id, deadlines);
    }

    /// Takes in that a connection's deadlines have changed.
    pub(super) fn watch(&mut self, id: ConnectionId, deadlines: &Deadlines) {
        self.schedule.set(id, deadlines.next_check());
    }

    /// Forgets a connection.
    pub(super) fn end(&mut self, id: ConnectionId) {
        self.schedule.set(id, None);
    }

    /// How often [heartbeats](Self::heartbeats) and [pings](Self::check_liveness) have to be looked after.
    pub(super) fn check_period(&self) -> Duration {
        self.heartbeats.check_period().min(self.timeouts.check_period())
    }

    /// Tells the subscribers whose heartbeat is due that the server lives, at `time`, and how far the feed is. One that is
    /// not reading is told when it reads.
    pub(super) fn heartbeats(
        &mut self,
        connections: &mut Slab<Connection>,
        now: Instant,
        time: Time,
        head: u64,
    ) {
        let mut from = 0;
        while let Some(id) = self.heartbeats.next_due(from, now) {
            from = id + 1;
            let connection = connections.get_mut(id).filter(|connection| connection.is_subscribed());
            let waits = |outbox: &Outbox| outbox.is_blocked() || outbox.has_delayed();
            if connection.as_ref().is_some_and(|connection| waits(&connection.outbox)) {
                continue;
            }
            self.heartbeats.gone(id, now);
            if let Some(connection) = connection {
                let heartbeat = connection.heartbeat(time, head);
                connection.answer(&Value::Reply(&heartbeat));
                connection.wake();
            }
        }
    }

    /// Pings the clients whose ping is due, and closes those that have not done in time what they have to.
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
            // The server itself stood still, and has not read what clients have sent since.
            for (id, connection) in &mut *connections {
                connection.deadlines.postpone(gap);
                self.watch(id, &connection.deadlines);
            }
        }
        let mut from = 0;
        while let Some(id) = self.schedule.next_due(from, now) {
            from = id + 1;
            let connection = &mut connections[id];
            if connection.state.is_closing() {
                self.end(id);
                continue;
            }
            if !connection.may_read() {
                // The rest of its message may have come: it has not been looked for.
                connection.deadlines.extend_message(now, &self.timeouts);
            }
            let signs = connection.take_signs_of_life();
            match connection.deadlines.check(now, &self.timeouts, signs, || acknowledgements(id)) {
                Finding::Fine => {}
                // What waits for it goes first: then it is that which proves that it lives.
                Finding::Ping if connection.outbox.is_blocked() || !connection.encoding.has_pings() => {}
                Finding::Ping => {
                    connection.answer(&Value::Ping);
                    connection.wake();
                }
                Finding::Over(overdue) => {
                    let (limit, reason) = consequence(overdue);
                    bus.counters().increment(limit);
                    connection.end(reason);
                }
            }
            self.watch(id, &connection.deadlines);
        }
    }
}

/// Returns the limit that counts what is overdue, and why the connection ends.
fn consequence(overdue: Overdue) -> (Limit, CloseReason) {
    let policy = |reason: &'static str| CloseReason::Server(CloseCode::Policy, reason.into());
    match overdue {
        Overdue::Token => (Limit::AuthTimeout, policy("no token came in time")),
        Overdue::Message => (Limit::MessageTimeout, policy("a message that begins is to be whole sooner")),
        Overdue::SignOfLife => (Limit::PingTimeout, CloseReason::Unresponsive),
    }
}
