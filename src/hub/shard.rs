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

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::catch_up_quota::CatchUpQuota;
use super::command_executor::CommandExecutor;
use super::connection::{Behind, Connection, Role};
use super::connection_state::ConnectionState;
use super::deadlines::Deadlines;
use super::encoding_cache::EncodedValue;
use super::fan_out::FanOut;
use super::flush_window::FlushWindow;
use super::liveness::{Liveness, STANDSTILL};
use super::market_state::MarketState;
use super::overload::EventCounts;
use super::relay::Relayed;
use super::relay_frames::RelayFrames;
use super::settings::Settings;
use super::subscription_index::ConnectionId;
use crate::bus::{Bus, Checkpoint, LastValueCache, Read, Seek, Segment};
use crate::counters::Limit;
use crate::encoding::{Encoding, Position, Value};
use crate::market::{Event, FeedState, Time};
use crate::wire::{CloseReason, CommandWithId, Delivery, Reply};

/// In one turn, a shard stops reading the log after this many events. Then the other tasks of the thread can
/// run.
const READ_EVENTS: usize = 4096;

/// In one turn, an overloaded shard stops reading the log after this many events. This limit is higher than
/// the usual limit, because an overloaded shard mostly counts events instead of sending them.
const OVERLOAD_READ_EVENTS: usize = 65_536;

/// At most this many subscriptions of disconnected connections are removed in a turn.
const REMOVED_SUBSCRIPTIONS: usize = 1024;

/// A search for a client's oldest conflated events spends catch-up quota: this many bytes for each conflated
/// event. Examining one event takes about as long as writing this many bytes.
const SEARCH_BYTES: usize = 16;

/// A shard logs at most one warning about an overload within this time.
const WARN_PERIOD: Duration = Duration::from_secs(10);

/// A resuming client may already have events that its shard has yet to read. In this case, the client's
/// session checks the shard's progress again after this time.
const AHEAD_CHECK: Duration = Duration::from_millis(5);

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

    /// Sets whether the shard is overloaded. An overloaded shard cannot send every event in time.
    ///
    /// An overloaded shard [reads](Self::read) more of the log in one turn than usual. The `latest` clients
    /// of an overloaded shard get only the newest event of each symbol and kind.
    pub fn set_overloaded(&mut self, is_overloaded: bool, now: Instant) {
        if !std::mem::replace(&mut self.is_overloaded, is_overloaded) && is_overloaded {
            self.bus.counters().overloads.inc();
            if self.last_overload_warning.is_none_or(|warned| now.duration_since(warned) >= WARN_PERIOD) {
                self.last_overload_warning = Some(now);
                let overloads = self.bus.counters().overloads.get();
                tracing::warn!(overloads, "a shard cannot send every event in time and conflates");
            }
        }
    }

    /// Reads the log for one turn, and writes the new events to the clients' sockets. Returns whether the
    /// shard reached the end of the log.
    ///
    /// `write` tries to write to a connection's socket once, and returns how many bytes the socket accepted.
    /// The client's session writes the bytes that the socket did not accept. If a client's heartbeat is
    /// nearly due, the heartbeat is written together with the events. Each heartbeat contains `time`.
    pub fn read(
        &mut self,
        now: Instant,
        time: Time,
        mut next: impl FnMut() -> Option<Read>,
        mut write: impl FnMut(ConnectionId, &[u8]) -> usize,
    ) -> bool {
        let mut events_read = 0;
        let mut is_drained = false;
        let most = if self.is_overloaded { OVERLOAD_READ_EVENTS } else { READ_EVENTS };
        let has_every =
            self.is_overloaded && self.connections.iter().any(|(_, connection)| connection.is_every());
        while events_read < most && !self.fan_outs.iter().any(FanOut::is_full) {
            let Some(read) = next() else {
                is_drained = true;
                break;
            };
            match read {
                Read::Segment(segment) => match &*segment {
                    Segment::Events { first, events } => {
                        for (seq, event) in (*first..).zip(events) {
                            if self.is_overloaded {
                                self.conflate(seq, event, has_every);
                            } else {
                                self.apply(seq, event);
                            }
                        }
                        events_read += events.len();
                    }
                    // The turn ends, so that sessions write the feed state to all subscribers before the
                    // shard reads more.
                    Segment::FeedState { state, .. } => {
                        self.flush(now, time, &mut write);
                        self.set_feed_state(state.clone());
                        break;
                    }
                    Segment::Seek { seek, state, last_values } => {
                        self.flush(now, time, &mut write);
                        self.seek(*seek, state.clone(), LastValueCache::clone(last_values));
                        break;
                    }
                },
                Read::Lagged(checkpoint) => {
                    self.flush(now, time, &mut write);
                    self.on_lag((*checkpoint).into(), &mut next);
                    break;
                }
            }
        }
        self.flush(now, time, &mut write);
        is_drained
    }

    /// Returns how long updates are collected after a turn before they are written.
    #[must_use]
    pub fn collect_for(&self) -> Duration {
        self.flush_window.collect_for()
    }

    fn apply(&mut self, seq: u64, event: &Event) {
        let key = (self.market.last_values.fold(seq, event), event.kind());
        for fan_out in &mut self.fan_outs {
            fan_out.apply((key, 1), &event.symbol, &self.market.last_values, &mut self.connections, |_| true);
        }
    }

    /// Updates the market state with an event. Counts the event instead of sending it to the `latest`
    /// clients. If `has_every` is true, the `every` clients get the event as usual.
    fn conflate(&mut self, seq: u64, event: &Event, has_every: bool) {
        let key = (self.market.last_values.fold(seq, event), event.kind());
        self.conflated.add(key);
        if has_every {
            for fan_out in &mut self.fan_outs {
                let (last_values, connections) = (&self.market.last_values, &mut self.connections);
                fan_out.apply((key, 1), &event.symbol, last_values, connections, Connection::is_every);
            }
        }
    }

    /// Writes the new events to each subscriber. If a subscriber's heartbeat is nearly due, the heartbeat is
    /// written together with the events.
    fn flush(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        for (key, count) in self.conflated.take(&self.market.last_values) {
            let last_values = &self.market.last_values;
            let (symbol, _) = last_values.get_index(key.0).expect("a symbol keeps its index");
            for fan_out in &mut self.fan_outs {
                fan_out.apply((key, count), symbol, last_values, &mut self.connections, |connection| {
                    !connection.is_every()
                });
            }
            if self.fan_outs.iter().any(FanOut::is_full) {
                self.write(now, time, &mut write);
            }
        }
        self.write(now, time, write);
    }

    fn write(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        let head = Position { epoch: &self.market.epoch, seq: self.market.seq() };
        for fan_out in &mut self.fan_outs {
            fan_out.flush(
                &mut self.connections,
                &mut self.liveness.heartbeats,
                &mut self.flush_window,
                &self.bus,
                (now, time, head),
                &mut write,
            );
        }
    }

    /// Changes the feed state, and tells every subscriber the new state.
    fn set_feed_state(&mut self, state: FeedState) {
        self.market.feed_state = state;
        let reply = Reply::Feed((&self.market.feed_state).into());
        let mut encoded = EncodedValue::new(Value::Reply(&reply));
        let is_flow_controlled = self.bus.is_flow_controlled();
        for (_, connection) in
            self.connections.iter_mut().filter(|(_, connection)| connection.is_subscribed())
        {
            let is_latest = connection.outbox.delivery().0 == Delivery::Latest;
            let waits = is_latest && (connection.outbox.is_blocked() || connection.outbox.has_conflated());
            let is_catching_up = connection.state.is_catching_up();
            // A client that waits is told of the state after its pending and conflated events. A client that
            // is catching up is told after the events that it missed.
            connection.state.owe(|owed| owed.feed_state = waits || is_catching_up);
            if waits || is_catching_up {
                connection.wake();
                continue;
            }
            let pushed = connection.outbox.push_news(encoded.bytes(connection.encoding), is_flow_controlled);
            if pushed.is_err() && is_flow_controlled {
                // While a feed is flow-controlled, no client is closed because of a feed state. The client is
                // told later.
                connection.state.owe(|owed| owed.feed_state = true);
                connection.wake();
                continue;
            }
            connection.on_pushed(pushed, &self.bus);
        }
    }

    /// Replaces the market state with the state after a seek, and tells every subscriber of the seek.
    fn seek(&mut self, seek: Seek, state: FeedState, last_values: LastValueCache) {
        let epoch = Arc::clone(&self.market.epoch);
        self.set_market(MarketState { epoch, last_values, feed_state: state, seek: Some(seek) });
        for id in self.subscribed() {
            self.connections[id].on_seek(seek, &self.market, &self.bus);
            self.catch_up(id);
        }
    }

    /// Returns the connections that receive market data and are not closing.
    fn subscribed(&self) -> Vec<ConnectionId> {
        let subscribed = self.connections.iter().filter(|(_, connection)| connection.is_subscribed());
        subscribed.map(|(id, _)| id).collect()
    }

    /// Continues after the log dropped entries that the shard had yet to read. `market` is the market state
    /// at the checkpoint where the shard continues. Tells every subscriber which events are lost.
    ///
    /// If events are lost, an overloaded shard first reads all entries of the log into `market`. If an
    /// overloaded shard continued at the log's oldest entry, the log would soon drop unread entries again.
    fn on_lag(&mut self, mut market: MarketState, mut next: impl FnMut() -> Option<Read>) {
        let after = self.market.seq();
        if market.epoch != self.market.epoch {
            self.start_over(market);
            return;
        }
        let is_event_lost = market.seq() > after;
        if is_event_lost && self.is_overloaded {
            while let Some(read) = next() {
                market.fold(read);
            }
        }
        let (until, lags) = (market.seq(), self.bus.counters().lags.get());
        tracing::warn!(after, until, lags, "the log passed a shard, which continues at a checkpoint");
        let is_news = self.market.feed_state != market.feed_state;
        let seek = market.seek.filter(|seek| self.market.seek != Some(*seek));
        if !is_event_lost {
            // The shard missed only feed states and seeks. The newest seek replaces all of them. Without a
            // seek, the newest feed state replaces the others.
            match seek {
                Some(seek) => self.seek(seek, market.feed_state, market.last_values),
                None if is_news => self.set_feed_state(market.feed_state),
                None => {}
            }
            return;
        }
        self.set_market(market);
        for id in self.subscribed() {
            self.connections[id].on_lag(after, seek, is_news, &self.market, &self.bus);
            self.catch_up(id);
        }
    }

    /// Continues in another epoch, and tells every subscriber of the new epoch.
    fn start_over(&mut self, market: MarketState) {
        self.set_market(market);
        for (_, connection) in &mut self.connections {
            if !connection.is_subscribed() {
                connection.epoch = Arc::clone(&self.market.epoch);
            }
        }
        for id in self.subscribed() {
            self.connections[id].on_new_epoch(&self.market, &self.bus);
            self.catch_up(id);
        }
    }

    /// Replaces the market state. Symbols may have other indexes in the new state, so the caches of encoded
    /// values are emptied.
    fn set_market(&mut self, market: MarketState) {
        self.market = market;
        for fan_out in &mut self.fan_outs {
            fan_out.forget_encoded(&self.market.epoch);
        }
        for (_, connection) in
            self.connections.iter_mut().filter(|(_, connection)| connection.outbox.has_delayed())
        {
            connection.outbox.drop_conflated();
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
    fn catch_up(&mut self, id: ConnectionId) {
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
    /// If the bus is [ending](Bus::is_ending), the other clients count, too. If no client is behind, the
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

#[cfg(test)]
mod tests;
