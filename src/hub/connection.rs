//! A connection: the data that a shard keeps about one client.

use std::sync::Arc;
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
use crate::encoding::{Encoding, Position, Value};
use crate::market::{Symbol, Time};
use crate::wire::{self, CloseCode, CloseReason, Cursor, Delivery, GapReason, Reply};

/// The data that a shard keeps about one client.
#[derive(Debug)]
pub(super) struct Connection {
    /// The epoch of the sequence numbers that the client was sent.
    pub(super) epoch: Arc<str>,
    pub(super) encoding: Encoding,
    pub(super) role: Role,
    pub(super) state: ConnectionState,
    pub(super) subscription: Subscription,
    pub(super) outbox: Outbox,
    pub(super) deadlines: Deadlines,
    /// Whether a byte has arrived from the client since the last liveness check.
    pub(super) is_heard: bool,
    /// Whether the client has ever subscribed to market data.
    pub(super) has_subscribed: bool,
    /// The client's progress while a flow-controlled feed waits for the client; `None` while no feed waits.
    pub(super) behind: Option<Box<Behind>>,
    waker: Option<Waker>,
    /// Whether the client's session has been woken and has not run since.
    is_woken: bool,
}

/// How long a client has kept a flow-controlled feed waiting, and how much the client has read since then.
#[derive(Debug)]
pub(super) struct Behind {
    /// When the feed began to wait for the client.
    pub(super) since: Instant,
    /// The number of bytes that the client's socket has accepted since the wait began.
    pub(super) written: usize,
}

/// The role of a connection, which decides what the connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The connection receives neither market data nor relayed messages until the client shows a token.
    Unauthenticated,
    /// The connection receives relayed messages, but no market data.
    Plain,
    /// The connection receives market data and relayed messages. Each relayed message is wrapped in a frame
    /// that names the sender.
    Subscriber,
}

/// How a connection gets an event that its shard has just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// The connection gets the event in the current batch.
    Send,
    /// The event is conflated: before it is sent, a newer event of the same symbol and kind may replace it.
    Conflate,
    /// The connection is resuming, and gets the event from the log later.
    Resume,
    /// The connection does not get the event. Either a snapshot includes the event, the event is part of a
    /// gap, or the connection is closing.
    Skip,
}

impl Connection {
    /// Returns a connection with the role `Plain`. `limit` is the maximum number of pending bytes in the
    /// connection's [outbox](Outbox::new).
    pub(super) fn new(epoch: Arc<str>, encoding: Encoding, limit: usize, deadlines: Deadlines) -> Self {
        Self {
            epoch,
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

    /// Records that the client's session has ended. Clears everything except the subscription, which the
    /// shard later removes from the subscription index.
    pub(super) fn on_disconnect(&mut self) {
        let subscription = std::mem::take(&mut self.subscription);
        let nothing = Self::new(Arc::clone(&self.epoch), self.encoding, 0, Deadlines::default());
        *self = Self { subscription, state: ConnectionState::Closing { reason: None }, ..nothing };
    }

    /// Returns whether the connection receives market data and is not closing.
    pub(super) fn is_subscribed(&self) -> bool {
        self.role == Role::Subscriber && !self.state.is_closing()
    }

    /// Returns whether the client's delivery mode is `every`.
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
            ConnectionState::Resync { owed: Owed { gap: Some(_), .. } | Owed { new_epoch: true, .. } }
            | ConnectionState::Closing { .. } => Some(Dispatch::Skip),
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
    /// snapshots and earlier replies are in the outbox's buffer.
    pub(super) fn may_read(&self) -> bool {
        let is_owed = self.state.is_catching_up() || self.outbox.has_delayed();
        !self.state.is_closing() && !is_owed && !self.outbox.is_full()
    }

    /// Returns the client's signs of life since the last liveness check, and resets these signs.
    ///
    /// If a client cannot be pinged, the server treats the client as reading as long as the client's socket
    /// is not blocked.
    pub(super) fn take_signs_of_life(&mut self) -> SignsOfLife {
        let is_blocked = self.outbox.is_blocked();
        let is_open = !self.encoding.has_pings() && !is_blocked;
        SignsOfLife {
            is_heard: std::mem::take(&mut self.is_heard),
            is_reading: self.outbox.take_progress() | is_open,
            is_blocked,
        }
    }

    /// Pushes an answer to the outbox, behind all pending frames.
    pub(super) fn answer(&mut self, value: &Value<'_>) {
        self.outbox.push(|out| self.encoding.write(out, value));
    }

    /// Pushes an answer to the outbox, behind all pending frames and all conflated events. `until` is at
    /// least the sequence number of the newest conflated event.
    ///
    /// After the client has received the answer, it can resume from `position`.
    pub(super) fn answer_behind_conflated(
        &mut self,
        until: u64,
        value: &Value<'_>,
        position: Option<Position<'_>>,
    ) {
        self.outbox.push_behind_conflated(until, |out| self.encoding.write_at(out, value, position));
    }

    /// If a reply is delayed, writes some of the conflated events before the reply into the outbox's buffer.
    /// If no event before the reply is left, also writes the reply.
    ///
    /// If a key is still conflated after the reply was written, the key's newest event is newer than the
    /// reply. If the client no longer wants conflated events of this key, the key is removed. The event of a
    /// removed key counts as merged.
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

    /// Appends a heartbeat for the client to `out`. `head` is the newest position of the feed. The heartbeat's count
    /// of sent events includes the updates in the current batch.
    pub(super) fn write_heartbeat(&self, out: &mut Vec<u8>, time: Time, head: Position<'_>) {
        let (sent, merged) = self.outbox.counts();
        let heartbeat = Reply::Heartbeat { time, seq: head.seq, sent, merged };
        let is_complete = matches!(self.state, ConnectionState::Live) && !self.outbox.has_conflated();
        self.encoding.write_at(out, &Value::Reply(&heartbeat), is_complete.then_some(head));
    }

    /// Pushes a heartbeat to the outbox, behind all pending frames.
    pub(super) fn push_heartbeat(&mut self, time: Time, head: Position<'_>) {
        let mut heartbeat = Vec::new();
        self.write_heartbeat(&mut heartbeat, time, head);
        self.outbox.push(|out| out.extend_from_slice(&heartbeat));
    }

    /// Begins to send `set`, a set of snapshots. If `set` is `None`, the client needs no snapshot. Then the
    /// client's cursor moves to `seq` once the last pending frame is written.
    pub(super) fn owe_snapshots(&mut self, set: Option<SnapshotSet>, seq: u64) {
        let owes_feed_state = self.owes_feed_state();
        match set {
            Some(set) => self.state = ConnectionState::Snapshots { set: Box::new(set), owes_feed_state },
            None => self.outbox.last_frame_ends_snapshots(seq),
        }
    }

    /// Writes a part of the client's pending snapshots into the outbox.
    ///
    /// Once the last snapshot is written to the socket, the client's cursor moves to the snapshot's position
    /// in the log. So conflated events up to that position must be flushed before the last snapshot.
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
            if let Some(LastSnapshot { seq, bytes, .. }) = set.last() {
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
                set.keep_last(LastSnapshot { index, seq: market.seq(), bytes: bytes.into() });
            }
        }
    }

    /// Pushes the last snapshot of the current set, if this snapshot still waits behind conflated events. The
    /// caller then replaces the current set of snapshots with another set.
    ///
    /// The outbox has already counted the events after this snapshot as sent or merged. If the snapshot were
    /// missing, the client could not account for these events.
    fn end_snapshots(&mut self) {
        if let ConnectionState::Snapshots { set, .. } = &self.state
            && let Some(last) = set.last()
        {
            self.outbox.push_snapshot(&last.bytes);
        }
    }

    /// Pushes the last snapshot of the current set, if this snapshot still waits behind conflated events. The
    /// caller then closes the connection, and the close frame follows all conflated events.
    ///
    /// The snapshot is encoded again, so that it includes the conflated events of its symbol. Without the
    /// snapshot, the client would get events of a symbol whose last values it does not have.
    pub(super) fn end_snapshots_before_close(
        &mut self,
        market: &MarketState,
        snapshots: &mut EncodedSnapshots,
    ) {
        if let ConnectionState::Snapshots { set, .. } = &self.state
            && let Some(LastSnapshot { index, .. }) = set.last()
        {
            self.outbox.drop_conflated_of(*index);
            let bytes = snapshots.get(&market.last_values, *index);
            self.outbox.delay_behind_conflated(market.seq());
            self.outbox.push_last_snapshot(bytes, market.seq());
        }
    }

    /// Pushes the notice of a gap or a seek, if the client has yet to get such a notice. Then begins to send
    /// snapshots of the current market values.
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
        if owed.new_epoch {
            let (reason, epoch) = (GapReason::EpochChanged, Some(&*market.epoch));
            self.reply(&Reply::Gap { after: None, until: None, reason, epoch, snapshots: Some(snapshots) });
            self.begin_snapshots(set.as_ref());
        } else if let Some(after) = owed.gap {
            let (after, until) = (Some(after), Some(market.seq()));
            let reason = GapReason::Lagged;
            self.reply(&Reply::Gap { after, until, reason, epoch: None, snapshots: Some(snapshots) });
            self.begin_snapshots(set.as_ref());
        }
        if let Some(position) = owed.seek.filter(|_| !owed.new_epoch) {
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

    /// If `set` is not `None`, marks the last pending frame as the frame before a set of snapshots.
    pub(super) fn begin_snapshots(&mut self, set: Option<&SnapshotSet>) {
        if set.is_some() {
            self.outbox.last_frame_begins_snapshots(self.encoding);
        }
    }

    /// Pushes the current feed state, if the client has yet to get this state and is not resuming.
    pub(super) fn tell_feed_state(&mut self, market: &MarketState) {
        if self.owes_feed_state() {
            self.state.owe(|owed| owed.feed_state = false);
            self.reply(&Reply::Feed((&market.feed_state).into()));
        }
    }

    /// Returns whether the client has yet to get the current feed state and is not resuming.
    pub(super) fn owes_feed_state(&self) -> bool {
        match self.state {
            ConnectionState::Resync { owed } => owed.feed_state,
            ConnectionState::Snapshots { owes_feed_state, .. } => owes_feed_state,
            ConnectionState::Live | ConnectionState::Resuming { .. } | ConnectionState::Closing { .. } => {
                false
            }
        }
    }

    /// Records that the shard has read a seek, at which the feed jumped to another market time. `market` is
    /// the market state after the seek.
    ///
    /// Conflated events are dropped and count as merged, because they are older than the seek. Pending events
    /// of an `every` client are sent before the notice of the seek. If the outbox of an `every` client is
    /// full, a flow-controlled feed waits until the client has got the notice. A resuming client is told of
    /// the seek later, when the shard fails to read the client's missed events from the log.
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

    /// Records that the shard lagged behind the log, and that events were lost. The lost events are those
    /// after the sequence number `after`, up to the position of `market`.
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

    /// Records that the log has started over with another epoch. None of the client's events and cursors are
    /// valid any more. `market` is the market state at the start.
    ///
    /// An `every` client is closed, because the client has no cursor from which it misses nothing.
    pub(super) fn on_new_epoch(&mut self, market: &MarketState, bus: &Bus) {
        self.wake();
        self.end_snapshots();
        self.outbox.drop_conflated();
        if self.is_every() && self.subscription.len() > 0 {
            self.close_slow_consumer(Limit::History, bus);
            return;
        }
        self.epoch = Arc::clone(&market.epoch);
        self.state = ConnectionState::Resync { owed: Owed { new_epoch: true, ..Owed::default() } };
        if self.outbox.is_empty() {
            self.resync(market);
        }
    }

    /// Writes the next missed events, up to the shard's own position, into the outbox. Stops after about
    /// `most` bytes.
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
            let Ok(Some(chunk)) = bus.after(&market.epoch, after) else {
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
                    let position = Position { epoch: &market.epoch, seq };
                    self.outbox.push_missed(seq, |out| {
                        self.encoding.write_at(out, &Value::Event(seq, event), Some(position));
                    });
                }
                if self.outbox.bytes().len() >= most {
                    return;
                }
            }
        }
    }

    /// Conflates `count` events of a key, so that only the newest of these events will be sent.
    pub(super) fn conflate(&mut self, key: Key, count: u64) {
        // The session must set a timer for the flush when the first event is conflated.
        if self.outbox.conflate(key, count) {
            self.wake();
        }
    }

    /// Wakes the client's session after a successful push to the outbox. If the push failed because of the
    /// client's limit of pending bytes, closes the connection instead.
    pub(super) fn on_pushed(&mut self, pushed: Result<(), SlowConsumer>, bus: &Bus) {
        match pushed {
            Ok(()) => self.wake(),
            Err(SlowConsumer) => self.close_slow_consumer(Limit::EveryBuffer, bus),
        }
    }

    /// Closes the connection of a slow consumer: a client that exceeded `limit`. The text of the close reason
    /// is the cursor from which the client can resume.
    pub(super) fn close_slow_consumer(&mut self, limit: Limit, bus: &Bus) {
        bus.counters().increment(limit);
        self.outbox.discard_pending();
        let cursor = Cursor { epoch: self.epoch.to_string(), seq: self.outbox.last_written() };
        self.close(CloseReason::Server(CloseCode::SlowConsumer, cursor.to_string().into()));
    }

    /// Asks the session to close the connection. From now on the connection gets no new events.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.state = ConnectionState::Closing { reason: Some(reason) };
        self.wake();
    }

    /// Wakes the client's session, unless the session was woken before and has not run since.
    pub(super) fn wake(&mut self) {
        if !std::mem::replace(&mut self.is_woken, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// Stores the waker of the client's session, and records that the session has run.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        self.is_woken = false;
        if !self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Returns whether a flow-controlled feed may have to wait for the client. The feed of
    /// an [ending](Bus::is_ending) bus waits for all clients.
    pub(super) fn is_waited_for(&self, is_ending: bool) -> bool {
        (is_ending || self.is_every()) && !self.state.is_closing()
    }

    /// Returns whether a flow-controlled feed must wait until the client's socket has accepted pending bytes.
    pub(super) fn keeps_waiting(&self, is_ending: bool) -> bool {
        !self.outbox.is_empty() && self.served(is_ending).is_some()
    }

    /// Returns the sequence number up to which the client's socket has accepted all events. Returns `None` if
    /// a feed need not wait for the client, for example because of the delivery mode `latest`. The feed of
    /// an [ending](Bus::is_ending) bus waits for all clients.
    pub(super) fn served(&self, is_ending: bool) -> Option<u64> {
        let pending = self.outbox.first_pending().map(|seq| seq.saturating_sub(1));
        let catching_up = match self.state {
            ConnectionState::Resuming { after, .. } => Some(after),
            ConnectionState::Snapshots { .. }
            | ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } => Some(0),
            // The last feed state follows all conflated events of a `latest` client.
            ConnectionState::Resync { owed: Owed { gap: None, feed_state: true, .. } } if is_ending => {
                Some(0)
            }
            ConnectionState::Live | ConnectionState::Resync { .. } | ConnectionState::Closing { .. } => None,
        };
        self.is_waited_for(is_ending).then(|| pending.or(catching_up)).flatten()
    }
}
