//! A connection: one client, as its shard sees it.

use std::task::Waker;

use tokio::time::Instant;

use super::connection_state::{ConnectionState, Owed};
use super::deadlines::{Deadlines, SignsOfLife};
use super::encoding_cache::{EncodedEvents, EncodedSnapshots};
use super::market_state::MarketState;
use super::outbox::{Outbox, SlowConsumer};
use super::settings::Settings;
use super::snapshot_set::{LastSnapshot, SnapshotSet};
use super::subscription::Subscription;
use crate::bus::{Bus, Key, Seek};
use crate::counters::Limit;
use crate::encoding::{Encoding, Value};
use crate::market::{Symbol, Time};
use crate::wire::{self, CloseCode, CloseReason, Cursor, Delivery, GapReason, Reply};

/// One client, as its shard sees it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) encoding: Encoding,
    pub(super) role: Role,
    pub(super) state: ConnectionState,
    pub(super) subscription: Subscription,
    pub(super) outbox: Outbox,
    pub(super) deadlines: Deadlines,
    /// Whether a byte has arrived from the client since the last liveness check.
    pub(super) is_heard: bool,
    /// Whether the client has ever subscribed.
    pub(super) has_subscribed: bool,
    /// The client's progress while the feed waits for the client; `None` while the feed does not wait.
    pub(super) behind: Option<Behind>,
    waker: Option<Waker>,
    /// Whether the session has been woken and has not run since.
    is_woken: bool,
}

/// The time and progress of a client that keeps a flow-controlled feed waiting.
#[derive(Debug)]
pub(super) struct Behind {
    /// When the feed began to wait for the client.
    pub(super) since: Instant,
    /// The number of bytes that the client's socket has accepted since the wait began.
    pub(super) written: usize,
}

/// The role of a connection, which decides what it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The connection receives nothing until the client shows a token.
    Unauthenticated,
    /// The connection receives the messages of its peers.
    Plain,
    /// The connection receives market data, and the messages of its peers in wrapped form.
    Subscriber,
}

/// How a connection gets an event that its shard has just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// The connection gets the event in the current batch.
    Send,
    /// The event is conflated: a newer event may replace it.
    Conflate,
    /// The connection is resuming, and gets the event from the log later.
    Resume,
    /// The connection does not get the event: a snapshot or a gap covers the event, or the connection is
    /// closing.
    Skip,
}

impl Connection {
    /// Returns a plain connection. `limit` is the limit of its [outbox](Outbox::new).
    pub(super) fn new(encoding: Encoding, limit: usize, deadlines: Deadlines) -> Self {
        Self {
            encoding,
            role: Role::Plain,
            state: ConnectionState::Live,
            subscription: Subscription::default(),
            outbox: Outbox::new(limit),
            deadlines,
            is_heard: false,
            has_subscribed: false,
            behind: None,
            waker: None,
            is_woken: false,
        }
    }

    /// Records that the session is gone. Only the subscription stays, until the shard has removed it from the
    /// index.
    pub(super) fn on_disconnect(&mut self) {
        let subscription = std::mem::take(&mut self.subscription);
        let nothing = Self::new(self.encoding, 0, Deadlines::default());
        *self = Self { subscription, state: ConnectionState::Closing { reason: None }, ..nothing };
    }

    /// Returns whether the connection receives market data and is not closing.
    pub(super) fn is_subscribed(&self) -> bool {
        self.role == Role::Subscriber && !self.state.is_closing()
    }

    /// Returns whether the delivery is `every`.
    pub(super) fn is_every(&self) -> bool {
        self.outbox.delivery().0 == Delivery::Every
    }

    /// Returns how the connection gets an event with this key and this symbol.
    pub(super) fn dispatch(&self, key: Key, symbol: &Symbol) -> Dispatch {
        if !matches!(self.state, ConnectionState::Live)
            && let Some(dispatch) = self.dispatch_behind_pending(key, symbol)
        {
            return dispatch;
        }
        if self.outbox.must_conflate() { Dispatch::Conflate } else { Dispatch::Send }
    }

    /// Returns how the connection gets an event while snapshots, missed events or notices are pending.
    /// Returns `None` if the event may be sent as usual.
    #[cold]
    fn dispatch_behind_pending(&self, key: Key, symbol: &Symbol) -> Option<Dispatch> {
        match &self.state {
            ConnectionState::Snapshots { set, .. } if set.covers(key, symbol) => Some(Dispatch::Skip),
            ConnectionState::Resuming { .. } => Some(Dispatch::Resume),
            // The event is part of a gap, and the client has yet to be told of this gap.
            ConnectionState::Resync { owed: Owed { gap: Some(_), .. } } | ConnectionState::Closing { .. } => {
                Some(Dispatch::Skip)
            }
            // The snapshots that follow the seek include this event.
            ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } if self.is_every() => {
                Some(Dispatch::Skip)
            }
            ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } => Some(Dispatch::Conflate),
            ConnectionState::Live | ConnectionState::Snapshots { .. } | ConnectionState::Resync { .. } => {
                None
            }
        }
    }

    /// Returns whether the client's next message may be read.
    ///
    /// The message must wait while the outbox is full. The message must also wait until all missed events,
    /// all snapshots and the last reply are in the outbox.
    pub(super) fn may_read(&self) -> bool {
        let is_owed = self.state.is_catching_up() || self.outbox.has_delayed();
        !self.state.is_closing() && !is_owed && !self.outbox.is_full()
    }

    /// Returns the signs of life since the last check, and resets them.
    ///
    /// A client that cannot be pinged counts as reading while its socket is not blocked.
    pub(super) fn take_signs_of_life(&mut self) -> SignsOfLife {
        let is_blocked = self.outbox.is_blocked();
        let is_open = !self.encoding.has_pings() && !is_blocked;
        SignsOfLife {
            is_heard: std::mem::take(&mut self.is_heard),
            is_reading: self.outbox.take_progress() | is_open,
            is_blocked,
        }
    }

    /// Pushes an answer behind everything that is pending.
    pub(super) fn answer(&mut self, value: &Value<'_>) {
        self.outbox.push(|out| self.encoding.write(out, value));
    }

    /// Pushes an answer behind all pending frames and all conflated events. The conflated events have
    /// sequence numbers up to `until`.
    pub(super) fn answer_behind_conflated(&mut self, until: u64, value: &Value<'_>) {
        self.outbox.push_behind_conflated(until, |out| self.encoding.write(out, value));
    }

    /// Flushes a part of the conflated events that precede the delayed reply. If no such event is left, also
    /// flushes the reply.
    ///
    /// A key that is still conflated after the reply has an event newer than the reply. If the client no
    /// longer subscribes to the key, or chose `every`, the key is removed, and its event counts as merged.
    pub(super) fn write_delayed(
        &mut self,
        market: &MarketState,
        encoded: &mut EncodedEvents,
        settings: &Settings,
    ) {
        let last_values = &market.last_values;
        while self.outbox.has_delayed() && self.outbox.bytes().len() < settings.catch_up_bytes {
            if self.outbox.flush_delayed(last_values, encoded, settings.conflated_events) {
                let is_conflated = !self.state.is_closing() && self.outbox.delivery().0 == Delivery::Latest;
                let subscription = &self.subscription;
                self.outbox.retain_conflated(|(index, kind)| {
                    let symbol = last_values.get_index(index).map(|(symbol, _)| symbol);
                    is_conflated && symbol.is_some_and(|symbol| subscription.has(symbol, kind))
                });
            }
        }
    }

    fn reply(&mut self, reply: &Reply<'_>) {
        self.answer(&Value::Reply(reply));
    }

    /// Returns a heartbeat, which counts the updates of the current batch as sent.
    pub(super) fn heartbeat(&self, time: Time, seq: u64) -> Reply<'static> {
        let (sent, merged) = self.outbox.counts();
        Reply::Heartbeat { time, seq, sent, merged }
    }

    /// Begins a set of snapshots. If `set` is `None`, the client already has everything up to `seq`.
    pub(super) fn owe_snapshots(&mut self, set: Option<SnapshotSet>, seq: u64) {
        let owes_feed_state = self.owes_feed_state();
        match set {
            Some(set) => self.state = ConnectionState::Snapshots { set: Box::new(set), owes_feed_state },
            None => self.outbox.last_frame_ends_snapshots(seq),
        }
    }

    /// Writes a part of the snapshots into the outbox.
    ///
    /// The last snapshot moves the client's cursor to the snapshot's position. So conflated events up to that
    /// position must be flushed before the last snapshot.
    pub(super) fn write_snapshots(
        &mut self,
        market: &MarketState,
        encoded: &mut EncodedEvents,
        snapshots: &mut EncodedSnapshots,
        settings: &Settings,
    ) {
        let ConnectionState::Snapshots { set, owes_feed_state } = &mut self.state else { return };
        let last_values = &market.last_values;
        while self.outbox.bytes().len() < settings.catch_up_bytes && !self.outbox.has_delayed() {
            if let Some(LastSnapshot { seq, bytes }) = set.last() {
                if self.outbox.flush_conflated(last_values, encoded, *seq, settings.conflated_events) {
                    self.outbox.push_last_snapshot(bytes, *seq);
                    self.state =
                        ConnectionState::owing(Owed { feed_state: *owes_feed_state, ..Owed::default() });
                    return;
                }
                continue;
            }
            let index = set.next().expect("a set without a last snapshot has a next one");
            self.outbox.drop_conflated_of(index);
            let bytes = snapshots.get(last_values, index);
            if set.len() > 0 {
                self.outbox.push_snapshot(bytes);
            } else {
                set.keep_last(LastSnapshot { seq: market.seq(), bytes: bytes.into() });
            }
        }
    }

    /// Pushes the last snapshot of a set, if the snapshot still waits for conflated events. The caller then
    /// replaces the set with another set.
    ///
    /// The outbox has already counted the events after the snapshot as sent or merged. Without the snapshot,
    /// the client could not account for these events.
    fn end_snapshots(&mut self) {
        if let ConnectionState::Snapshots { set, .. } = &self.state
            && let Some(last) = set.last()
        {
            self.outbox.push_snapshot(&last.bytes);
        }
    }

    /// Tells the client of a gap or a seek, if the client has yet to be told. Then begins snapshots of the
    /// current values.
    pub(super) fn resync(&mut self, market: &MarketState) {
        let ConnectionState::Resync { owed } = self.state else { return };
        if !owed.can_be_told(market) {
            return;
        }
        self.outbox.drop_conflated();
        let names = self.subscription.names().map(|(symbol, _)| symbol);
        let set = SnapshotSet::new(
            &market.last_values,
            !self.subscription.all.is_empty(),
            names,
            Subscription::default(),
        );
        let snapshots = set.as_ref().map_or(0, SnapshotSet::len);
        if let Some(after) = owed.gap {
            let (after, until) = (Some(after), Some(market.seq()));
            let reason = GapReason::Lagged;
            self.reply(&Reply::Gap { after, until, reason, epoch: None, snapshots: Some(snapshots) });
            self.begin_snapshots(set.as_ref());
        }
        if let Some(position) = owed.seek {
            self.reply(&Reply::Feed(wire::FeedFields::after_seek(
                &market.feed_state,
                position,
                snapshots,
                market.seq(),
            )));
            self.begin_snapshots(set.as_ref());
        }
        let feed_state = owed.feed_state && owed.seek.is_none();
        self.state = ConnectionState::owing(Owed { feed_state, ..Owed::default() });
        self.owe_snapshots(set, market.seq());
    }

    /// Marks the last frame as the frame before a set of snapshots, if there is a set.
    pub(super) fn begin_snapshots(&mut self, set: Option<&SnapshotSet>) {
        if set.is_some() {
            self.outbox.last_frame_begins_snapshots();
        }
    }

    /// Tells the client the feed state, if the client has yet to be told and is not resuming.
    pub(super) fn tell_feed_state(&mut self, market: &MarketState) {
        if self.owes_feed_state() {
            self.state.owe(|owed| owed.feed_state = false);
            self.reply(&Reply::Feed((&market.feed_state).into()));
        }
    }

    /// Returns whether the client has yet to be told the feed state and is not resuming.
    pub(super) fn owes_feed_state(&self) -> bool {
        match self.state {
            ConnectionState::Resync { owed } => owed.feed_state,
            ConnectionState::Snapshots { owes_feed_state, .. } => owes_feed_state,
            ConnectionState::Live | ConnectionState::Resuming { .. } | ConnectionState::Closing { .. } => {
                false
            }
        }
    }

    /// Records that the shard has read a seek; `market` is the state after the seek.
    ///
    /// Conflated events are older than the seek, and count as merged. Pending events of an `every` client are
    /// sent before the notice of the seek. If the client's outbox is full, a flow-controlled feed waits until
    /// the client has been told of the seek. A resuming client is told later, when its next read of the log
    /// fails.
    pub(super) fn on_seek(&mut self, seek: Seek, market: &MarketState, bus: &Bus) {
        self.wake();
        if self.state.is_past(seek) {
            self.state.owe(|owed| owed.feed_state = true);
            return;
        }
        self.end_snapshots();
        self.outbox.drop_conflated();
        self.state.owe(|owed| owed.seek = Some(seek.position));
        match self.state {
            // A client that has everything up to the seek has missed nothing.
            ConnectionState::Resuming { after, owed } if after == seek.after => {
                self.state = ConnectionState::Resync { owed }
            }
            ConnectionState::Resuming { .. } => return,
            _ => {}
        }
        let has_gap = self.state.owed().is_some_and(|owed| owed.gap.is_some());
        let is_every = self.outbox.delivery().0 == Delivery::Every && !has_gap;
        let is_full = self.outbox.is_full();
        if is_every && is_full && !bus.is_flow_controlled() {
            // The client is closed, because each further seek would add a set of snapshots to its pending
            // bytes.
            self.close_slow_consumer(Limit::EveryBuffer, bus);
        } else if is_every && !is_full || self.outbox.is_empty() {
            self.resync(market);
        }
    }

    /// Records that the shard lagged. The events after `after`, up to the position of `market`, are lost.
    pub(super) fn on_lag(
        &mut self,
        after: u64,
        seek: Option<Seek>,
        is_news: bool,
        market: &MarketState,
        bus: &Bus,
    ) {
        let seek = seek.filter(|seek| !self.state.is_past(*seek));
        self.end_snapshots();
        self.state.owe(|owed| {
            owed.feed_state |= is_news;
            owed.seek = seek.map(|seek| seek.position).or(owed.seek);
        });
        self.wake();
        // A resuming client is told later, when its next read of the log fails. A client without a
        // subscription has lost nothing.
        if self.state.is_resuming() || self.subscription.len() == 0 {
            return;
        }
        let has_gap = self.state.owed().is_some_and(|owed| owed.gap.is_some());
        if self.outbox.delivery().0 == Delivery::Every && !has_gap {
            self.close_slow_consumer(Limit::History, bus);
            return;
        }
        // Several gaps of a client that does not read become a single gap.
        self.state.owe(|owed| owed.gap = owed.gap.or(Some(after)));
        if self.outbox.is_empty() {
            self.resync(market);
        }
    }

    /// Writes about `most` bytes of the next missed events into the outbox, up to the shard's own position.
    pub(super) fn resume(&mut self, market: &MarketState, bus: &Bus, most: usize) {
        let head = market.seq();
        while let ConnectionState::Resuming { after, owed } = self.state {
            if after >= head {
                // A client that is ahead of its shard already has the events that the shard reads next.
                if after == head {
                    self.state = ConnectionState::owing(owed);
                    self.resync(market);
                    self.tell_feed_state(market);
                }
                return;
            }
            let Ok(Some(chunk)) = bus.after(after) else {
                if self.outbox.delivery().0 == Delivery::Every {
                    self.close_slow_consumer(Limit::History, bus);
                } else {
                    bus.counters().increment(Limit::History);
                    self.state = ConnectionState::Resync { owed: Owed { gap: Some(after), ..owed } };
                    self.resync(market);
                }
                return;
            };
            for (seq, event) in chunk.iter().take_while(|(seq, _)| *seq <= head) {
                self.state = ConnectionState::Resuming { after: seq, owed };
                if self.subscription.has(&event.symbol, event.kind()) {
                    self.outbox.push_missed(seq, |out| self.encoding.write(out, &Value::Event(seq, event)));
                }
                if self.outbox.bytes().len() >= most {
                    return;
                }
            }
        }
    }

    /// Conflates `count` events of a key.
    pub(super) fn conflate(&mut self, key: Key, count: u64) {
        // The session must set a timer for the flush when the first event is conflated.
        if self.outbox.conflate(key, count) {
            self.wake();
        }
    }

    /// Wakes the session after a push, or closes the connection if the push exceeded the limit.
    pub(super) fn on_pushed(&mut self, pushed: Result<(), SlowConsumer>, bus: &Bus) {
        match pushed {
            Ok(()) => self.wake(),
            Err(SlowConsumer) => self.close_slow_consumer(Limit::EveryBuffer, bus),
        }
    }

    /// Closes a slow consumer that exceeded `limit`. The close reason is the cursor from which the client can
    /// resume.
    pub(super) fn close_slow_consumer(&mut self, limit: Limit, bus: &Bus) {
        bus.counters().increment(limit);
        self.outbox.discard_pending();
        let cursor = Cursor { epoch: bus.epoch().to_owned(), seq: self.outbox.last_written() };
        self.close(CloseReason::Server(CloseCode::SlowConsumer, cursor.to_string().into()));
    }

    /// Asks the session to close the connection. From now on the connection gets no new events.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.state = ConnectionState::Closing { reason: Some(reason) };
        self.wake();
    }

    /// Wakes the session, unless it was woken and has not run since.
    pub(super) fn wake(&mut self) {
        if !std::mem::replace(&mut self.is_woken, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// Stores the waker of the session, and records that the session has run.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        self.is_woken = false;
        if !self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Returns whether the client keeps a feed waiting, because the client's socket has yet to accept pending
    /// bytes.
    pub(super) fn keeps_waiting(&self) -> bool {
        !self.outbox.is_empty() && self.served().is_some()
    }

    /// Returns the sequence number up to which an `every` client's socket has accepted the events. Returns
    /// `None` if a feed need not wait for the client.
    pub(super) fn served(&self) -> Option<u64> {
        let is_waited_for = self.outbox.delivery().0 == Delivery::Every && !self.state.is_closing();
        let pending = self.outbox.first_pending().map(|seq| seq.saturating_sub(1));
        let catching_up = match self.state {
            ConnectionState::Resuming { after, .. } => Some(after),
            ConnectionState::Snapshots { .. }
            | ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } => Some(0),
            ConnectionState::Live | ConnectionState::Resync { .. } | ConnectionState::Closing { .. } => None,
        };
        is_waited_for.then(|| pending.or(catching_up)).flatten()
    }
}
