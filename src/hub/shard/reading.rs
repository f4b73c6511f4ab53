//! How a shard reads the log: it updates the market state, and writes new events to the clients' sockets. It
//! tells the clients of feed states, of seeks, and of events that are lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Shard;
use crate::bus::{LastValueCache, Read, Seek, Segment};
use crate::encoding::{Position, Value};
use crate::hub::connection::Connection;
use crate::hub::encoding_cache::EncodedValue;
use crate::hub::fan_out::FanOut;
use crate::hub::market_state::MarketState;
use crate::hub::subscription_index::ConnectionId;
use crate::market::{Event, FeedState, Time};
use crate::wire::{Delivery, Reply};

/// In one turn, a shard stops reading the log after this many events. Then the other tasks of the thread can
/// run.
const READ_EVENTS: usize = 4096;

/// In one turn, an overloaded shard stops reading the log after this many events. This limit is higher than
/// the usual limit, because an overloaded shard mostly counts events instead of sending them.
const OVERLOAD_READ_EVENTS: usize = 65_536;

/// A shard logs at most one warning about an overload within this time.
const WARN_PERIOD: Duration = Duration::from_secs(10);

impl Shard {
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
}
