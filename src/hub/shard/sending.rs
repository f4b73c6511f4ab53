//! What a client's session asks of the shard when it writes to the client's socket: the next bytes, the end of
//! the connection, and how long a feed must wait for the client.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::Shard;
use crate::counters::Limit;
use crate::encoding::Value;
use crate::hub::connection::{Behind, Connection};
use crate::hub::connection_state::ConnectionState;
use crate::hub::fan_out::FanOut;
use crate::hub::liveness::STANDSTILL;
use crate::hub::subscription_index::ConnectionId;
use crate::market::FeedState;

/// A search for a client's oldest conflated events spends catch-up quota: this many bytes for each conflated
/// event. Examining one event takes about as long as writing this many bytes.
const SEARCH_BYTES: usize = 16;

/// A resuming client may already have events that its shard has yet to read. In this case, the client's
/// session checks the shard's progress again after this time.
const AHEAD_CHECK: Duration = Duration::from_millis(5);

impl Shard {
    /// Returns whether bytes or a delayed reply are pending for a client.
    #[must_use]
    pub fn has_bytes(&self, id: ConnectionId) -> bool {
        let outbox = &self.connections[id].outbox;
        !outbox.bytes().is_empty() || outbox.has_delayed()
    }

    /// Returns whether a client's next message may be read. The message must wait while the outbox is full,
    /// and until the client has caught up.
    #[must_use]
    pub fn may_read(&self, id: ConnectionId) -> bool {
        self.connections[id].may_read()
    }

    /// Begins the shard's next turn.
    ///
    /// Renews the catch-up quota, and wakes the sessions of connections that waited for the quota. Also
    /// removes some subscriptions of disconnected connections.
    pub fn begin_turn(&mut self) {
        self.remove_subscriptions();
        for id in self.quota.renew() {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.wake();
            }
        }
    }

    /// Returns whether the shard has work for its next turn.
    #[must_use]
    pub fn is_turn_wanted(&self) -> bool {
        self.quota.has_queued() || !self.disconnected.is_empty()
    }

    /// Writes notices, missed events, snapshots and due conflated events into a client's outbox. Returns the
    /// bytes that the session must write to the client's socket next.
    pub fn outgoing(&mut self, id: ConnectionId, now: Instant) -> &[u8] {
        if self.connections[id].outbox.bytes().is_empty() {
            self.connections[id].resync(&self.market);
        }
        if !self.may_search(id, now) {
            return &[];
        }
        self.write_delayed(id);
        self.catch_up(id);
        let connection = &mut self.connections[id];
        let FanOut { encoded, .. } = &mut self.fan_outs[connection.encoding.index()];
        let market = &self.market;
        if !connection.state.is_catching_up() && connection.outbox.bytes().is_empty() {
            let is_due = connection.outbox.due(now).is_some_and(|due| due <= now);
            if is_due || connection.owes_feed_state() {
                let most = self.settings.conflated_events;
                let is_all = connection.outbox.flush_conflated(&market.last_values, encoded, u64::MAX, most);
                if is_due && is_all {
                    connection.outbox.set_last_flush(now);
                }
                // While the feed runs, new events may keep a slow client from ever getting all events.
                if is_all || market.feed_state == FeedState::Running {
                    connection.tell_feed_state(market);
                }
            }
        }
        connection.outbox.bytes()
    }

    /// Returns whether the shard may search for a client's oldest conflated events in this turn.
    ///
    /// A search among many events spends the catch-up quota, because such a search takes as long as a write
    /// of missed events. A closing client does not wait for the quota.
    fn may_search(&mut self, id: ConnectionId, now: Instant) -> bool {
        let Connection { outbox, state, .. } = &self.connections[id];
        let is_many = outbox.conflated_len() > self.settings.conflated_events;
        if !is_many || !outbox.bytes().is_empty() || state.is_closing() {
            return true;
        }
        let is_due = outbox.due(now).is_some_and(|due| due <= now) && !state.is_catching_up();
        if !outbox.has_delayed() && !is_due {
            return true;
        }
        if !self.quota.is_left() {
            self.quota.enqueue(id);
            return false;
        }
        self.quota.spend(outbox.conflated_len() * SEARCH_BYTES);
        true
    }

    /// If a client's reply is delayed, writes some of the conflated events before the reply into the client's
    /// outbox. If no event before the reply is left, also writes the reply.
    fn write_delayed(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        let FanOut { encoded, .. } = &mut self.fan_outs[connection.encoding.index()];
        connection.write_delayed(&self.market, encoded, &self.settings);
    }

    /// Writes a part of a client's missed events or snapshots into the client's outbox.
    pub(super) fn catch_up(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        let FanOut { encoded, snapshots, .. } = &mut self.fan_outs[connection.encoding.index()];
        let (market, most) = (&self.market, self.settings.catch_up_bytes);
        let waiting = connection.outbox.bytes().len();
        if !connection.state.is_catching_up() || waiting >= most {
            return;
        }
        if !self.quota.is_left() {
            self.quota.enqueue(id);
            return;
        }
        if waiting == 0 {
            connection.resume(market, &self.bus, most);
        }
        connection.write_snapshots(market, encoded, snapshots, &self.settings);
        self.quota.spend(connection.outbox.bytes().len() - waiting);
    }

    /// Records that a client's socket accepted `count` bytes. Returns whether a flow-controlled feed may have
    /// waited for this write.
    pub fn written(&mut self, id: ConnectionId, count: usize) -> bool {
        let connection = &mut self.connections[id];
        connection.outbox.written(count);
        let (is_flow_controlled, is_ending) = (self.bus.is_flow_controlled(), self.bus.is_ending());
        if let Some(behind) = &mut connection.behind {
            behind.written += count;
            // Only a flow-controlled feed waits.
            if behind.written >= self.settings.catch_up_bytes
                || !is_flow_controlled
                || !connection.keeps_waiting(is_ending)
            {
                connection.behind = None;
            }
        }
        is_flow_controlled && connection.is_waited_for(is_ending)
    }

    /// Records that a client's socket accepts no more bytes for now.
    pub fn block(&mut self, id: ConnectionId) {
        self.connections[id].outbox.block();
    }

    /// Returns the time at which an idle client's session must run again, even if nothing wakes the session.
    #[must_use]
    pub fn due(&self, id: ConnectionId, now: Instant) -> Option<Instant> {
        let Connection { state, outbox, .. } = &self.connections[id];
        if self.quota.is_queued(id) {
            return None;
        }
        // If a client is ahead of its shard, its session must check again later. Nothing wakes the session
        // when the shard has caught up with the client.
        outbox.due(now).or_else(|| state.after().map(|_| now + AHEAD_CHECK))
    }

    /// Stores the waker of a client's session.
    pub fn set_waker(&mut self, id: ConnectionId, waker: &Waker) {
        self.connections[id].set_waker(waker);
    }

    /// Pushes a close frame behind all pending frames and conflated events of a client. Nothing follows the
    /// close frame.
    pub fn close(&mut self, id: ConnectionId, code: u16, reason: &str) {
        let connection = &mut self.connections[id];
        // A resuming client is not told of a gap or a seek. The notice must follow all missed events, but the
        // connection closes before all are written.
        connection.resync(&self.market);
        let FanOut { encoded, snapshots, .. } = &mut self.fan_outs[connection.encoding.index()];
        connection.write_snapshots(&self.market, encoded, snapshots, &self.settings);
        connection.end_snapshots_before_close(&self.market, snapshots);
        connection.answer_behind_conflated(self.market.seq(), &Value::Close(code, reason), None);
        connection.state = ConnectionState::Closing { reason: None };
    }

    /// Returns the sequence number up to which the sockets of all `every` clients have accepted all events.
    /// If the bus is [ending](crate::bus::Bus::is_ending), the other clients count, too. If no client is behind, the
    /// result is the shard's own position.
    #[must_use]
    pub fn served(&self) -> u64 {
        let is_ending = self.bus.is_ending();
        let waiting = self.connections.iter().filter_map(|(_, connection)| connection.served(is_ending));
        waiting.min().unwrap_or(u64::MAX).min(self.market.seq())
    }

    /// Closes the connection of each client that has stalled a flow-controlled feed for the whole stall
    /// timeout. A client stalls the feed if its socket accepts fewer than `catch_up_bytes` bytes during
    /// the timeout.
    ///
    /// The timeout starts at the first call that finds the feed waiting for the client. The timeout restarts
    /// when the client has read `catch_up_bytes` bytes, so a client has enough time to read many missed
    /// events. A client that reads only a byte now and then is still closed.
    pub fn close_stalled(&mut self, now: Instant) {
        let timeout = self.settings.stall_timeout;
        let last_check = self.last_stall_check.replace(now).unwrap_or(now);
        let gap = Some(now.duration_since(last_check)).filter(|gap| *gap > STANDSTILL).unwrap_or_default();
        let (is_waiting, is_ending) = (self.bus.is_waiting(), self.bus.is_ending());
        for (_, connection) in &mut self.connections {
            if !is_waiting || !connection.keeps_waiting(is_ending) {
                connection.behind = None;
                continue;
            }
            if let Some(behind) = &mut connection.behind {
                // The time for which the server itself stood still does not count.
                behind.since += gap;
            }
            let behind = connection.behind.get_or_insert_with(|| Box::new(Behind { since: now, written: 0 }));
            if now.duration_since(behind.since) >= timeout {
                connection.close_slow_consumer(Limit::StallTimeout, &self.bus);
            }
        }
    }
}
