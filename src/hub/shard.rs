//! A shard: a fold of the log, and the connections that live on one thread.
//!
//! It [reads](Shard::read) the log at its own position and keeps the last values as of that position. A
//! subscription is answered from that very fold, so snapshot and updates join without a lock, a
//! gap or a repeat. What it has to say are values; each of its [fan-outs](FanOut) encodes those that its connections take.
//!
//! Plain values and plain methods: no I/O, no clock, no task.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::catch_up_quota::CatchUpQuota;
use super::commands::Caller;
use super::connection::{Behind, Connection, Role};
use super::connection_state::ConnectionState;
use super::deadlines::Deadlines;
use super::encoding_cache::EncodedValue;
use super::fan_out::FanOut;
use super::liveness::{Liveness, STANDSTILL};
use super::overload::EventCounts;
use super::settings::Settings;
use super::subscription_index::ConnectionId;
use super::view::View;
use crate::bus::{Bus, Checkpoint, LastValueCache, Read, Seek, Segment};
use crate::counters::Limit;
use crate::encoding::{Encoding, Value};
use crate::market::{Event, FeedState, Time};
use crate::wire::{CloseReason, CommandWithId, Delivery, Message, Reply};

/// After so many events the other tasks of the thread have their turn.
const READ_EVENTS: usize = 4096;

/// In overload after so many: they are only folded and counted.
const FOLDED_EVENTS: usize = 65_536;

/// After so many subscriptions of connections that are gone, too.
const SWEPT_SUBSCRIPTIONS: usize = 1024;

/// To look at one conflated event takes about as long as to write so many bytes.
const SEARCHED_BYTES: usize = 16;

/// The log is told of an overload no more often than this.
const WARN_PERIOD: Duration = Duration::from_secs(10);

/// How soon to look again at a client that is ahead of its shard.
const AHEAD: Duration = Duration::from_millis(5);

/// The last values and connections of one thread.
#[derive(Debug)]
pub struct Shard {
    bus: Arc<Bus>,
    settings: Settings,
    view: View,
    /// By the index of their encodings.
    fan_outs: [FanOut; Encoding::ALL.len()],
    connections: Slab<Connection>,
    /// Connections that are gone, and have subscriptions in the index.
    gone: Vec<ConnectionId>,
    liveness: Liveness,
    quota: CatchUpQuota,
    /// Whether it conflates for its `latest` clients.
    is_overloaded: bool,
    /// When the log was last told that it is.
    warned_of_overload: Option<Instant>,
    /// The events that it conflates.
    conflated: EventCounts,
    /// When [`close_stalled`](Self::close_stalled) was called last.
    looked_for_stalled: Option<Instant>,
}

impl Shard {
    /// A shard that begins where its reader of `bus` does.
    #[must_use]
    pub fn new(bus: Arc<Bus>, start: Checkpoint, settings: Settings) -> Self {
        Self {
            bus,
            settings,
            view: start.into(),
            fan_outs: Encoding::ALL.map(FanOut::new),
            connections: Slab::new(),
            gone: Vec::new(),
            liveness: Liveness::new(settings.heartbeat, settings.timeouts),
            quota: CatchUpQuota::new(settings.catch_up_bytes),
            is_overloaded: false,
            warned_of_overload: None,
            conflated: EventCounts::default(),
            looked_for_stalled: None,
        }
    }

    /// Adds a plain connection with this encoding.
    pub fn connect(&mut self, encoding: Encoding, now: Instant) -> ConnectionId {
        // One goes for each that comes: those that are gone never take more room than those that may be here.
        if let Some(gone) = self.gone.pop() {
            while self.sweep_one(gone) {}
        }
        let deadlines = Deadlines::new(now, &self.settings.timeouts);
        let connection = Connection::new(encoding, self.settings.every_buffer, deadlines);
        let id = self.connections.insert(connection);
        self.liveness.begin(id, &self.connections[id].deadlines, now);
        id
    }

    /// Marks a connection as not yet authenticated, or as authenticated.
    pub fn lock(&mut self, id: ConnectionId, now: Instant, is_locked: bool) {
        let connection = &mut self.connections[id];
        connection.role = if is_locked { Role::Unauthenticated } else { Role::Plain };
        connection.deadlines.lock(now, &self.settings.timeouts, is_locked);
        self.liveness.watch(id, &connection.deadlines);
    }

    /// Sets the delivery with which a connection begins.
    pub fn begin(&mut self, id: ConnectionId, delivery: Delivery, interval: Duration) {
        self.connections[id].outbox.set_delivery(delivery, interval);
    }

    /// Forgets a connection, whose subscriptions the next [turns](Self::begin_turn) remove.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.connections[id].leave();
        self.gone.push(id);
        self.liveness.end(id);
    }

    /// Removes subscriptions of connections that are gone, as many as are worth a turn.
    ///
    /// Many clients that leave at once keep the others waiting for one turn, not for the removal of all that they had.
    fn sweep(&mut self) {
        for _ in 0..SWEPT_SUBSCRIPTIONS {
            let Some(id) = self.gone.pop() else { break };
            if self.sweep_one(id) {
                self.gone.push(id);
            }
        }
    }

    /// Removes a subscription of a connection that is gone; returns whether it had one. One without is forgotten.
    fn sweep_one(&mut self, id: ConnectionId) -> bool {
        let Connection { encoding, subscription, .. } = &mut self.connections[id];
        let had_one = self.fan_outs[encoding.index()].subscriptions.remove_one(id, subscription);
        if !had_one {
            self.connections.remove(id);
        }
        had_one
    }

    /// Carries out what a client asks for, and puts the answer into its outbox; nothing for a connection that closes.
    pub fn handle(&mut self, id: ConnectionId, request: &CommandWithId, now: Time) {
        let connection = &mut self.connections[id];
        if connection.state.is_closing() {
            return;
        }
        let fan_out = &mut self.fan_outs[connection.encoding.index()];
        Caller::new((id, connection), fan_out, &self.view, &self.bus, &self.settings).execute(request, now);
    }

    /// Puts an answer that its session knows behind what waits for a client; nothing for a connection that closes.
    pub fn answer(&mut self, id: ConnectionId, value: &Value<'_>) {
        let connection = &mut self.connections[id];
        if !connection.state.is_closing() {
            connection.answer(value);
        }
    }

    /// Puts a message of one client into every outbox.
    pub fn relay(&mut self, from: &str, message: &Message) {
        let wrapped = Reply::message(from, message);
        let (mut plain, mut wrapped) =
            (EncodedValue::new(Value::Message(message)), EncodedValue::new(Value::Reply(&wrapped)));
        let is_flow_controlled = self.bus.is_flow_controlled();
        for (_, connection) in self.connections.iter_mut().filter(|(_, one)| !one.state.is_closing()) {
            let bytes = match connection.role {
                Role::Unauthenticated => continue,
                Role::Plain => plain.bytes(connection.encoding),
                Role::Subscriber => wrapped.bytes(connection.encoding),
            };
            let pushed = connection.outbox.push_news(bytes, is_flow_controlled);
            connection.pushed(pushed, &self.bus);
        }
    }

    /// Says whether the shard cannot send every event in time. Then it [reads](Self::read) more of the log in a turn, and its
    /// `latest` clients get the newest event of each symbol and kind of what it read.
    pub fn set_overloaded(&mut self, is_overloaded: bool, now: Instant) {
        if !std::mem::replace(&mut self.is_overloaded, is_overloaded) && is_overloaded {
            self.bus.counters().overloads.inc();
            if self.warned_of_overload.is_none_or(|warned| now.duration_since(warned) >= WARN_PERIOD) {
                self.warned_of_overload = Some(now);
                let overloads = self.bus.counters().overloads.get();
                tracing::warn!(overloads, "a shard cannot send every event in time: it conflates for now");
            }
        }
    }

    /// Takes in what the log says next, as much as is worth a turn; returns whether there was no more.
    ///
    /// `write` tries a connection's socket once and returns how many bytes it took. What it did not take
    /// is its session's to write. Heartbeats that are nearly due go with the updates, and say `time`.
    pub fn read(
        &mut self,
        now: Instant,
        time: Time,
        mut next: impl FnMut() -> Option<Read>,
        mut write: impl FnMut(ConnectionId, &[u8]) -> usize,
    ) -> bool {
        let mut events_read = 0;
        let mut is_drained = false;
        let most = if self.is_overloaded { FOLDED_EVENTS } else { READ_EVENTS };
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
                    // What every subscriber is told is written by the sessions before more is read.
                    Segment::FeedState { state, .. } => {
                        self.flush(now, time, &mut write);
                        self.mark(state.clone());
                        break;
                    }
                    Segment::Seek { seek, state, last_values } => {
                        self.flush(now, time, &mut write);
                        self.seek(*seek, state.clone(), LastValueCache::clone(last_values));
                        break;
                    }
                },
                Read::Lagged(start) => {
                    self.flush(now, time, &mut write);
                    self.start_again((*start).into(), &mut next);
                    break;
                }
            }
        }
        self.flush(now, time, &mut write);
        is_drained
    }

    fn apply(&mut self, seq: u64, event: &Event) {
        let key = (self.view.last_values.fold(seq, event), event.kind());
        for fan_out in &mut self.fan_outs {
            fan_out.apply((key, 1), &event.symbol, &self.view.last_values, &mut self.connections, |_| true);
        }
    }

    /// Takes in an event that is conflated for `latest` clients; the others, where there are some, get it as always.
    fn conflate(&mut self, seq: u64, event: &Event, has_every: bool) {
        let key = (self.view.last_values.fold(seq, event), event.kind());
        self.conflated.add(key);
        if has_every {
            for fan_out in &mut self.fan_outs {
                let (last_values, connections) = (&self.view.last_values, &mut self.connections);
                fan_out.apply((key, 1), &event.symbol, last_values, connections, Connection::is_every);
            }
        }
    }

    /// Writes what is new to each subscriber, and its heartbeat where that is nearly due.
    fn flush(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        for (key, count) in self.conflated.take(&self.view.last_values) {
            let last_values = &self.view.last_values;
            let (symbol, _) = last_values.get_index(key.0).expect("a symbol keeps its index");
            for fan_out in &mut self.fan_outs {
                fan_out
                    .apply((key, count), symbol, last_values, &mut self.connections, |one| !one.is_every());
            }
            if self.fan_outs.iter().any(FanOut::is_full) {
                self.write(now, time, &mut write);
            }
        }
        self.write(now, time, write);
    }

    fn write(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        let moment = (now, time, self.view.seq());
        for fan_out in &mut self.fan_outs {
            fan_out.flush(
                &mut self.connections,
                &mut self.liveness.heartbeats,
                &self.bus,
                moment,
                &mut write,
            );
        }
    }

    /// The feed's state has changed, and every subscriber is told.
    fn mark(&mut self, state: FeedState) {
        self.view.feed = state;
        let reply = Reply::Feed((&self.view.feed).into());
        let mut encoded = EncodedValue::new(Value::Reply(&reply));
        let is_flow_controlled = self.bus.is_flow_controlled();
        for (_, connection) in
            self.connections.iter_mut().filter(|(_, connection)| connection.is_subscribed())
        {
            let is_latest = connection.outbox.delivery().0 == Delivery::Latest;
            let waits = is_latest && (connection.outbox.is_blocked() || connection.outbox.has_conflated());
            let is_catching_up = connection.state.is_catching_up();
            // It is told behind the newest values when it reads again, or behind what it missed.
            connection.state.owe(|owed| owed.feed_state = waits || is_catching_up);
            if waits || is_catching_up {
                connection.wake();
                continue;
            }
            let pushed = connection.outbox.push_news(encoded.bytes(connection.encoding), is_flow_controlled);
            if pushed.is_err() && is_flow_controlled {
                // A feed that waits for its readers closes nobody for its own news.
                connection.state.owe(|owed| owed.feed_state = true);
                connection.wake();
                continue;
            }
            connection.pushed(pushed, &self.bus);
        }
    }

    /// The feed goes on from elsewhere: these are the values now, and every subscriber is told.
    fn seek(&mut self, seek: Seek, state: FeedState, last_values: LastValueCache) {
        self.replace(View { last_values, feed: state, seek: Some(seek) });
        for id in self.subscribed() {
            self.connections[id].on_seek(seek, &self.view, &self.bus);
            self.catch_up(id);
        }
    }

    /// Returns the connections that get market data.
    fn subscribed(&self) -> Vec<ConnectionId> {
        let subscribed = self.connections.iter().filter(|(_, connection)| connection.is_subscribed());
        subscribed.map(|(id, _)| id).collect()
    }

    /// The log has passed this shard, and goes on from `start`: what lies between is lost, and every subscriber is told.
    ///
    /// In overload the shard folds all that the log has by now: at its oldest entry the log would soon pass it again.
    fn start_again(&mut self, mut start: View, mut next: impl FnMut() -> Option<Read>) {
        let after = self.view.seq();
        let is_event_lost = start.seq() > after;
        if is_event_lost && self.is_overloaded {
            while let Some(read) = next() {
                start.fold(read);
            }
        }
        let (until, lags) = (start.seq(), self.bus.counters().lags.get());
        tracing::warn!(after, until, lags, "a shard fell behind the history");
        let is_news = self.view.feed != start.feed;
        let seek = start.seek.filter(|seek| self.view.seek != Some(*seek));
        if !is_event_lost {
            // Nothing but states of the feed and seeks is lost, and only the newest counts.
            match seek {
                Some(seek) => self.seek(seek, start.feed, start.last_values),
                None if is_news => self.mark(start.feed),
                None => {}
            }
            return;
        }
        self.replace(start);
        for id in self.subscribed() {
            self.connections[id].on_lag(after, seek, is_news, &self.view, &self.bus);
            self.catch_up(id);
        }
    }

    /// Goes on with other values, whose symbols may have other indexes than those of the fold before.
    fn replace(&mut self, view: View) {
        self.view = view;
        for fan_out in &mut self.fan_outs {
            fan_out.forget_encoded();
        }
        for (_, connection) in self.connections.iter_mut().filter(|(_, one)| one.outbox.has_delayed()) {
            connection.outbox.drop_conflated();
        }
    }

    /// How often [heartbeats](Self::heartbeats) and [pings](Self::check_liveness) have to be looked after.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        self.liveness.check_period()
    }

    /// Pings the clients whose ping is due, and closes those that have not done in time what they have to.
    ///
    /// `acknowledgements` says what a client's machine has acknowledged, where that is known.
    pub fn check_liveness(
        &mut self,
        now: Instant,
        acknowledgements: impl FnMut(ConnectionId) -> Option<Acknowledgements>,
    ) {
        self.liveness.check(&mut self.connections, now, &self.bus, acknowledgements);
    }

    /// Tells the subscribers whose heartbeat is due that the server lives.
    pub fn heartbeats(&mut self, now: Instant, time: Time) {
        self.liveness.heartbeats(&mut self.connections, now, time, self.view.seq());
    }

    /// Has a client's session look after its socket.
    pub fn wake(&mut self, id: ConnectionId) {
        self.connections[id].wake();
    }

    /// Says that a byte has come from a client.
    pub fn heard(&mut self, id: ConnectionId) {
        self.connections[id].is_heard = true;
    }

    /// Says that a pong has come from a client; returns whether it answers a ping.
    pub fn ponged(&mut self, id: ConnectionId) -> bool {
        self.connections[id].deadlines.ponged()
    }

    /// Says that a message of a client has come in part, or that none has.
    pub fn message_begun(&mut self, id: ConnectionId, now: Instant, is_partial: bool) {
        let deadlines = &mut self.connections[id].deadlines;
        deadlines.message(now, &self.settings.timeouts, is_partial);
        self.liveness.watch(id, deadlines);
    }

    /// Why the shard wants a connection closed, once.
    pub fn take_closing(&mut self, id: ConnectionId) -> Option<CloseReason> {
        match &mut self.connections[id].state {
            ConnectionState::Closing { reason } => reason.take(),
            _ => None,
        }
    }

    /// Whether a client's socket has bytes to take, at once or behind what is conflated.
    #[must_use]
    pub fn has_bytes(&self, id: ConnectionId) -> bool {
        let outbox = &self.connections[id].outbox;
        !outbox.bytes().is_empty() || outbox.has_delayed()
    }

    /// Whether a client's next message may be read: not while its own answers pile up, nor before it has all that it missed.
    #[must_use]
    pub fn may_read(&self, id: ConnectionId) -> bool {
        self.connections[id].may_read()
    }

    /// Begins the shard's next turn: those who are owed more than the last one had room for go on, and some subscriptions of
    /// those who are gone are removed.
    pub fn begin_turn(&mut self) {
        self.sweep();
        for id in self.quota.renew() {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.wake();
            }
        }
    }

    /// Returns whether there is more for the shard's next turn.
    #[must_use]
    pub fn is_turn_wanted(&self) -> bool {
        self.quota.is_wanted() || !self.gone.is_empty()
    }

    /// What a client's socket is to take next; what is held goes only when it is due.
    pub fn outgoing(&mut self, id: ConnectionId, now: Instant) -> &[u8] {
        if self.connections[id].outbox.bytes().is_empty() {
            self.connections[id].resync(&self.view);
        }
        if !self.may_search(id, now) {
            return &[];
        }
        self.write_delayed(id);
        self.catch_up(id);
        let connection = &mut self.connections[id];
        let FanOut { encoded, .. } = &mut self.fan_outs[connection.encoding.index()];
        let view = &self.view;
        if !connection.state.is_catching_up() && connection.outbox.bytes().is_empty() {
            let is_due = connection.outbox.due(now).is_some_and(|due| due <= now);
            if is_due || connection.owes_feed_state() {
                let most = self.settings.conflated_events;
                let is_all = connection.outbox.flush_conflated(&view.last_values, encoded, u64::MAX, most);
                if is_due && is_all {
                    connection.outbox.set_last_flush(now);
                }
                connection.tell_feed_state(view);
            }
        }
        connection.outbox.bytes()
    }

    /// Returns whether a client's oldest conflated events may be looked for in this turn. Among very many that takes as long as
    /// writing much of the past, and is part of the same quota. A client that closes waits for nothing.
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
            self.quota.wait(id);
            return false;
        }
        self.quota.used(outbox.conflated_len() * SEARCHED_BYTES);
        true
    }

    /// Writes some of what goes before an answer that is kept back into a client's outbox.
    fn write_delayed(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        let FanOut { encoded, .. } = &mut self.fan_outs[connection.encoding.index()];
        connection.write_delayed(&self.view, encoded, &self.settings);
    }

    /// Writes some of the missed events or of the snapshots that a client is owed into its outbox.
    fn catch_up(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id];
        let FanOut { encoded, snapshots, .. } = &mut self.fan_outs[connection.encoding.index()];
        let (view, most) = (&self.view, self.settings.catch_up_bytes);
        let waiting = connection.outbox.bytes().len();
        if !connection.state.is_catching_up() || waiting >= most {
            return;
        }
        if !self.quota.is_left() {
            self.quota.wait(id);
            return;
        }
        if waiting == 0 {
            connection.resume(view, &self.bus, most);
        }
        connection.write_snapshots(view, encoded, snapshots, &self.settings);
        self.quota.used(connection.outbox.bytes().len() - waiting);
    }

    /// Says that a client's socket took bytes; returns whether a feed that waits may go on.
    pub fn written(&mut self, id: ConnectionId, count: usize) -> bool {
        let connection = &mut self.connections[id];
        connection.outbox.written(count);
        let is_flow_controlled = self.bus.is_flow_controlled();
        if let Some(behind) = &mut connection.behind {
            behind.taken += count;
            // Nobody keeps a feed waiting that does not wait.
            if behind.taken >= self.settings.catch_up_bytes
                || !is_flow_controlled
                || !connection.keeps_waiting()
            {
                connection.behind = None;
            }
        }
        is_flow_controlled && connection.is_every()
    }

    /// Says that a client's socket takes no more for now.
    pub fn block(&mut self, id: ConnectionId) {
        self.connections[id].outbox.block();
    }

    /// When a client that has nothing to write is to be looked at again, even if nothing happens.
    #[must_use]
    pub fn due(&self, id: ConnectionId, now: Instant) -> Option<Instant> {
        let Connection { state, outbox, .. } = &self.connections[id];
        if self.quota.is_waiting(id) {
            return None;
        }
        // One that is ahead of this shard goes on when the shard has come as far: that wakes nobody.
        outbox.due(now).or_else(|| state.after().map(|_| now + AHEAD))
    }

    /// Keeps the waker of a client's session until there is something for it.
    pub fn set_waker(&mut self, id: ConnectionId, waker: &Waker) {
        self.connections[id].set_waker(waker);
    }

    /// Puts the close behind what waits for a client; nothing follows it.
    pub fn close(&mut self, id: ConnectionId, code: u16, reason: &str) {
        let connection = &mut self.connections[id];
        // One that is being sent what it missed is told nothing from beyond that.
        connection.resync(&self.view);
        let FanOut { encoded, snapshots, .. } = &mut self.fan_outs[connection.encoding.index()];
        connection.write_snapshots(&self.view, encoded, snapshots, &self.settings);
        connection.answer_behind_conflated(self.view.seq(), &Value::Close(code, reason));
        connection.state = ConnectionState::Closing { reason: None };
    }

    /// The newest event up to which all `every` clients have been served; the shard's own position where none waits.
    #[must_use]
    pub fn served(&self) -> u64 {
        let waiting = self.connections.iter().filter_map(|(_, connection)| connection.served());
        waiting.min().unwrap_or(u64::MAX).min(self.view.seq())
    }

    /// Closes the `every` clients that stand still, by what was seen at each call: they have kept the feed waiting for the
    /// stall timeout, and have not taken as much in that time as is written at a time.
    ///
    /// So the time that a set of snapshots or a resume may take grows with its size, and no client holds the feed with a
    /// byte now and then.
    pub fn close_stalled(&mut self, now: Instant) {
        let timeout = self.settings.stall_timeout;
        let last_check = self.looked_for_stalled.replace(now).unwrap_or(now);
        let gap = Some(now.duration_since(last_check)).filter(|gap| *gap > STANDSTILL).unwrap_or_default();
        let is_waiting = self.bus.is_waiting();
        for (_, connection) in &mut self.connections {
            if !is_waiting || !connection.keeps_waiting() {
                connection.behind = None;
                continue;
            }
            if let Some(behind) = &mut connection.behind {
                // While the server itself stood still, no client kept the feed waiting.
                behind.since += gap;
            }
            let behind = connection.behind.get_or_insert(Behind { since: now, taken: 0 });
            if now.duration_since(behind.since) >= timeout {
                connection.close_slow_consumer(Limit::StallTimeout, &self.bus);
            }
        }
    }
}

#[cfg(test)]
mod tests;
