//! A shard: the market state at one position of the log, and the connections of one thread.
//!
//! A shard [reads](Shard::read) the log at its own position, and updates the market state with each event.
//! The shard also answers subscribe commands from this market state. So no event is missing or repeated after
//! a snapshot, and no lock is needed.
//!
//! A shard produces values, such as events and replies. Each [fan-out](FanOut) of the shard encodes these
//! values for all connections that use the fan-out's encoding.
//!
//! A shard does no I/O, reads no clock and starts no task.
//!
//! This file has the connections and their commands. `reading.rs` has what comes from the log, and
//! `sending.rs` has what a client's session asks for when it writes.

mod reading;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::catch_up_quota::CatchUpQuota;
use super::command_executor::CommandExecutor;
use super::connection::{Connection, Role};
use super::connection_state::ConnectionState;
use super::deadlines::Deadlines;
use super::fan_out::FanOut;
use super::flush_window::FlushWindow;
use super::liveness::Liveness;
use super::market_state::MarketState;
use super::overload::EventCounts;
use super::relay::Relayed;
use super::relay_frames::RelayFrames;
use super::settings::Settings;
use super::subscription_index::ConnectionId;
use crate::bus::{Bus, Checkpoint};
use crate::encoding::{Encoding, Position, Value};
use crate::market::Time;
use crate::wire::{CloseReason, CommandWithId, Delivery};

/// At most this many subscriptions of disconnected connections are removed in a turn.
const REMOVED_SUBSCRIPTIONS: usize = 1024;

/// The market state and the connections of one worker thread.
#[derive(Debug)]
pub struct Shard {
    bus: Arc<Bus>,
    settings: Settings,
    market: MarketState,
    /// One fan-out for each encoding, at the index of the encoding.
    fan_outs: [FanOut; Encoding::ALL.len()],
    connections: Slab<Connection>,
    /// Disconnected connections whose subscriptions have yet to be removed.
    disconnected: Vec<ConnectionId>,
    liveness: Liveness,
    quota: CatchUpQuota,
    flush_window: FlushWindow,
    /// Whether the shard conflates all events for its `latest` clients.
    is_overloaded: bool,
    /// The time at which a warning about an overload was last logged.
    last_overload_warning: Option<Instant>,
    /// The counts of the events that an overloaded shard has read but not sent yet.
    conflated: EventCounts,
    /// The time at which [`close_stalled`](Self::close_stalled) was last called.
    last_stall_check: Option<Instant>,
}

impl Shard {
    /// Returns a shard without connections, which starts at `checkpoint`. The checkpoint comes from a reader
    /// of `bus`.
    #[must_use]
    pub fn new(bus: Arc<Bus>, checkpoint: Checkpoint, settings: Settings) -> Self {
        let market = MarketState::from(checkpoint);
        let epoch = Arc::clone(&market.epoch);
        Self {
            bus,
            settings,
            market,
            fan_outs: Encoding::ALL.map(|encoding| FanOut::new(encoding, &epoch)),
            connections: Slab::new(),
            disconnected: Vec::new(),
            liveness: Liveness::new(settings.heartbeat, settings.timeouts),
            quota: CatchUpQuota::new(settings.catch_up_bytes),
            flush_window: FlushWindow::new(settings.flush_window),
            is_overloaded: false,
            last_overload_warning: None,
            conflated: EventCounts::default(),
            last_stall_check: None,
        }
    }

    /// Returns the bus whose log the shard reads.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Returns the market state at the shard's position in the log.
    #[must_use]
    pub fn market(&self) -> &MarketState {
        &self.market
    }

    /// Adds a connection with this encoding and the role `Plain`; returns the connection's number.
    pub fn connect(&mut self, encoding: Encoding, now: Instant) -> ConnectionId {
        // Before a connection is added, one disconnected connection is removed completely. So disconnected
        // connections do not accumulate.
        if let Some(id) = self.disconnected.pop() {
            while self.remove_one_subscription(id) {}
        }
        let deadlines = Deadlines::new(now, &self.settings.timeouts);
        let connection =
            Connection::new(Arc::clone(&self.market.epoch), encoding, self.settings.every_buffer, deadlines);
        let id = self.connections.insert(connection);
        self.liveness.add(id, &self.connections[id].deadlines, now);
        id
    }

    /// Pushes the head of the HTTP response that begins a connection's session. Nothing may be pending for the
    /// connection yet.
    pub fn push_head(&mut self, id: ConnectionId, head: &[u8]) {
        self.connections[id].outbox.push(|out| out.extend_from_slice(head));
    }

    /// Marks a connection as authenticated, or as not yet authenticated.
    pub fn set_authenticated(&mut self, id: ConnectionId, now: Instant, is_authenticated: bool) {
        let connection = &mut self.connections[id];
        connection.role = if is_authenticated { Role::Plain } else { Role::Unauthenticated };
        connection.deadlines.set_authenticated(now, &self.settings.timeouts, is_authenticated);
        self.liveness.reschedule(id, &connection.deadlines);
    }

    /// Sets the delivery of a connection that has not subscribed yet.
    pub fn set_delivery(&mut self, id: ConnectionId, delivery: Delivery, interval: Duration) {
        self.connections[id].outbox.set_delivery(delivery, interval);
    }

    /// Marks a connection as disconnected. The shard's next [turns](Self::begin_turn) remove the connection's
    /// subscriptions, and then the connection itself.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.connections[id].on_disconnect();
        self.disconnected.push(id);
        self.liveness.remove(id);
    }

    /// Removes subscriptions of disconnected connections, up to a limit for each turn.
    ///
    /// Because of the limit, the other clients need not wait when many clients disconnect at once.
    fn remove_subscriptions(&mut self) {
        for _ in 0..REMOVED_SUBSCRIPTIONS {
            let Some(id) = self.disconnected.pop() else { break };
            if self.remove_one_subscription(id) {
                self.disconnected.push(id);
            }
        }
    }

    /// Removes one subscription of a disconnected connection, or the connection itself if no subscription is
    /// left. Returns whether a subscription was removed.
    fn remove_one_subscription(&mut self, id: ConnectionId) -> bool {
        let Connection { encoding, subscription, .. } = &mut self.connections[id];
        let had_any = self.fan_outs[encoding.index()].index.remove_one(id, subscription);
        if !had_any {
            self.connections.remove(id);
        }
        had_any
    }

    /// Executes a client's command, and pushes the reply to the client's outbox. Does nothing if the
    /// connection is closing.
    pub fn execute(&mut self, id: ConnectionId, with_id: &CommandWithId, now: Time) {
        let connection = &mut self.connections[id];
        if connection.state.is_closing() {
            return;
        }
        let fan_out = &mut self.fan_outs[connection.encoding.index()];
        CommandExecutor::new((id, connection), fan_out, &self.market, &self.bus, &self.settings)
            .execute(with_id, now);
    }

    /// Pushes `value`, an answer of the client's session, to the client's outbox. Does nothing if the
    /// connection is closing.
    pub fn answer(&mut self, id: ConnectionId, value: &Value<'_>) {
        let connection = &mut self.connections[id];
        if !connection.state.is_closing() {
            connection.answer(value);
        }
    }

    /// Writes relayed messages to the sockets of all clients. Clients that are closing, or have yet to show a
    /// token, do not get the messages.
    ///
    /// `write` tries to write to a connection's socket once, and returns how many bytes the socket accepted. If
    /// bytes are already pending for a client, the messages wait behind these bytes.
    pub fn relay(&mut self, messages: &[Arc<Relayed>], mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        let mut frames = RelayFrames::new(messages);
        let is_flow_controlled = self.bus.is_flow_controlled();
        for (id, connection) in &mut self.connections {
            if connection.state.is_closing() || connection.role == Role::Unauthenticated {
                continue;
            }
            let frames = frames.get(connection.encoding, connection.role == Role::Subscriber);
            let is_next = connection.outbox.is_empty() && !frames.bytes.is_empty();
            let count = if is_next { write(id, &frames.bytes) } else { 0 };
            if count < frames.bytes.len() {
                let pushed = connection.outbox.news_written(frames.iter(), count, is_flow_controlled);
                connection.on_pushed(pushed, &self.bus);
            }
        }
    }

    /// Returns the period at which [`heartbeats`](Self::heartbeats) and
    /// [`check_liveness`](Self::check_liveness) must be called.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        self.liveness.check_period()
    }

    /// Pings the clients that are due for a ping, and closes the clients that missed a deadline.
    ///
    /// `acknowledgements` returns the state of a client's TCP acknowledgements, if this state can be read.
    pub fn check_liveness(
        &mut self,
        now: Instant,
        acknowledgements: impl FnMut(ConnectionId) -> Option<Acknowledgements>,
    ) {
        self.liveness.check(&mut self.connections, now, &self.bus, acknowledgements);
    }

    /// Sends a heartbeat to each subscriber whose heartbeat is due.
    pub fn heartbeats(&mut self, now: Instant, time: Time) {
        let head = Position { epoch: &self.market.epoch, seq: self.market.seq() };
        self.liveness.heartbeats(&mut self.connections, now, time, head);
    }

    /// Wakes a client's session, so that the session writes to the client's socket.
    pub fn wake(&mut self, id: ConnectionId) {
        self.connections[id].wake();
    }

    /// Records that a byte has come from a client.
    pub fn heard(&mut self, id: ConnectionId) {
        self.connections[id].is_heard = true;
    }

    /// Records that a pong has come from a client; returns whether the pong answers a ping.
    pub fn ponged(&mut self, id: ConnectionId) -> bool {
        self.connections[id].deadlines.ponged()
    }

    /// Records whether only a part of a client's message has arrived so far.
    pub fn set_message_partial(&mut self, id: ConnectionId, now: Instant, is_partial: bool) {
        let deadlines = &mut self.connections[id].deadlines;
        deadlines.set_message_partial(now, &self.settings.timeouts, is_partial);
        self.liveness.reschedule(id, deadlines);
    }

    /// Asks the session of a connection to close the connection, unless the connection is closing already.
    pub fn ask_to_close(&mut self, id: ConnectionId, reason: CloseReason) {
        let connection = &mut self.connections[id];
        if !connection.state.is_closing() {
            let snapshots = &mut self.fan_outs[connection.encoding.index()].snapshots;
            connection.end_snapshots_before_close(&self.market, snapshots);
            connection.close(reason);
        }
    }

    /// Wakes the sessions of all connections.
    pub fn wake_all(&mut self) {
        self.connections.iter_mut().for_each(|(_, connection)| connection.wake());
    }

    /// Returns the reason why the shard closes a connection, and forgets the reason. Returns `None` if there
    /// is no such reason.
    pub fn take_closing(&mut self, id: ConnectionId) -> Option<CloseReason> {
        match &mut self.connections[id].state {
            ConnectionState::Closing { reason } => reason.take(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
