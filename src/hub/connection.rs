//! One client, as its shard sees it.

use std::task::Waker;

use tokio::time::Instant;

use super::connection_state::{ConnectionState, Owed};
use super::deadlines::{Deadlines, SignsOfLife};
use super::encoding_cache::{EncodedEvents, EncodedSnapshots};
use super::outbox::{Outbox, SlowConsumer};
use super::settings::Settings;
use super::snapshot_set::{Last, SnapshotSet};
use super::subscription_index::Subscription;
use super::view::View;
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
    /// Whether a byte has come from it since it was looked at.
    pub(super) is_heard: bool,
    /// Whether it has subscribed before.
    pub(super) has_subscribed: bool,
    /// How it keeps a feed waiting, where it does.
    pub(super) behind: Option<Behind>,
    waker: Option<Waker>,
    /// Whether its session has been woken and has not been here since.
    is_woken: bool,
}

/// How a client keeps a feed waiting.
#[derive(Debug)]
pub(super) struct Behind {
    /// Since when, without having caught up.
    pub(super) since: Instant,
    /// How many bytes its socket has taken since then.
    pub(super) taken: usize,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing, before it has shown a token.
    Unauthenticated,
    /// It hears its peers.
    Plain,
    /// It gets market data, and its peers' words wrapped.
    Subscriber,
}

/// Whether a connection receives an event that its shard has just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// With the batch.
    Now,
    /// Later, if no newer one replaces it.
    Conflated,
    /// With what it missed.
    Resumed,
    /// It does not: a snapshot says it, or the connection closes.
    Never,
}

impl Connection {
    /// Returns a plain connection for which at most `limit` bytes may wait.
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

    /// Takes in that its session is gone. Nothing is left of it but what it wants, and nothing is for it.
    pub(super) fn leave(&mut self) {
        let subscription = std::mem::take(&mut self.subscription);
        let nothing = Self::new(self.encoding, 0, Deadlines::default());
        *self = Self { subscription, state: ConnectionState::Closing { reason: None }, ..nothing };
    }

    /// Returns whether it gets market data, and goes on.
    pub(super) fn is_subscribed(&self) -> bool {
        self.role == Role::Subscriber && !self.state.is_closing()
    }

    /// Returns whether nothing is skipped for it.
    pub(super) fn is_every(&self) -> bool {
        self.outbox.delivery().0 == Delivery::Every
    }

    /// Returns whether it receives an event of this key, and so of this symbol, that its shard has just read.
    pub(super) fn reception(&self, key: Key, symbol: &Symbol) -> Reception {
        match &self.state {
            ConnectionState::Snapshots { set, .. } if set.covers(key, symbol) => Reception::Never,
            ConnectionState::Resuming { .. } => Reception::Resumed,
            // The gap that the client will be told of goes on.
            ConnectionState::Resync { owed: Owed { gap: Some(_), .. } } | ConnectionState::Closing { .. } => {
                Reception::Never
            }
            // What comes before the client is told of a seek is in the snapshots that follow.
            ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } if self.is_every() => {
                Reception::Never
            }
            ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } => Reception::Conflated,
            _ if self.outbox.must_conflate() => Reception::Conflated,
            ConnectionState::Live | ConnectionState::Snapshots { .. } | ConnectionState::Resync { .. } => {
                Reception::Now
            }
        }
    }

    /// Returns whether its next message may be read: not while its own answers pile up, nor before all that it missed, all
    /// snapshots that it is owed and the answer to its last command are in its outbox.
    pub(super) fn may_read(&self) -> bool {
        let is_owed = self.state.is_catching_up() || self.outbox.has_delayed();
        !self.state.is_closing() && !is_owed && !self.outbox.is_full()
    }

    /// Returns the signs of life that it has given since the last check. A client that cannot be pinged takes what it is
    /// sent while its socket is not blocked.
    pub(super) fn take_signs_of_life(&mut self) -> SignsOfLife {
        let is_blocked = self.outbox.is_blocked();
        let is_open = !self.encoding.has_pings() && !is_blocked;
        SignsOfLife {
            is_heard: std::mem::take(&mut self.is_heard),
            is_taking: self.outbox.take_moving() | is_open,
            is_blocked,
        }
    }

    /// Puts an answer behind all that waits for the client.
    pub(super) fn answer(&mut self, value: &Value<'_>) {
        self.outbox.push(|out| self.encoding.write(out, value));
    }

    /// Puts an answer behind all that waits for the client, and behind what is conflated up to the event `until`.
    pub(super) fn answer_behind_conflated(&mut self, until: u64, value: &Value<'_>) {
        self.outbox.push_behind_conflated(until, |out| self.encoding.write(out, value));
    }

    /// Writes some of what goes before the answer that is kept back, where one is, and behind the last of it the answer.
    ///
    /// What is conflated then is newer than the answer. Where the client does not get it that way any more, what the newer
    /// events replaced is counted, and nothing else is left of it.
    pub(super) fn write_delayed(&mut self, view: &View, encoded: &mut EncodedEvents, settings: &Settings) {
        let last_values = &view.last_values;
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

    /// Returns its heartbeat, once all that it takes of the batch is out.
    pub(super) fn heartbeat(&self, time: Time, seq: u64) -> Reply<'static> {
        let (sent, merged) = self.outbox.counts();
        Reply::Heartbeat { time, seq, sent, merged }
    }

    /// Owes the client a set of snapshots, or has nothing to owe it: all up to `seq` is told.
    pub(super) fn owe_snapshots(&mut self, set: Option<SnapshotSet>, seq: u64) {
        let owes_feed_state = self.owes_feed_state();
        match set {
            Some(set) => self.state = ConnectionState::Snapshots { set: Box::new(set), owes_feed_state },
            None => self.outbox.ends_set(seq),
        }
    }

    /// Writes some of the snapshots that the client is owed into its outbox. Older updates of the symbols whose snapshot it has
    /// go before the last one: with that it has all up to there.
    pub(super) fn write_snapshots(
        &mut self,
        view: &View,
        encoded: &mut EncodedEvents,
        snapshots: &mut EncodedSnapshots,
        settings: &Settings,
    ) {
        let ConnectionState::Snapshots { set, owes_feed_state } = &mut self.state else { return };
        let last_values = &view.last_values;
        while self.outbox.bytes().len() < settings.catch_up_bytes && !self.outbox.has_delayed() {
            if let Some(Last { seq, bytes }) = set.last() {
                if self.outbox.flush_conflated(last_values, encoded, *seq, settings.conflated_events) {
                    self.outbox.push_last_snapshot(bytes, *seq);
                    self.state =
                        ConnectionState::owing(Owed { feed_state: *owes_feed_state, ..Owed::default() });
                    return;
                }
                continue;
            }
            let index = set.next().expect("the last one is kept");
            self.outbox.drop_conflated_of(index);
            let bytes = snapshots.get(last_values, index);
            if set.len() > 0 {
                self.outbox.push_snapshot(bytes);
            } else {
                set.keep_last(Last { seq: view.seq(), bytes: bytes.into() });
            }
        }
    }

    /// Writes the last snapshot of a set that another set replaces, where it waits for older updates.
    ///
    /// The updates after it are counted already, and the client counts them from this snapshot on.
    fn end_set(&mut self) {
        if let ConnectionState::Snapshots { set, .. } = &self.state
            && let Some(last) = set.last()
        {
            self.outbox.push_snapshot(&last.bytes);
        }
    }

    /// Tells the client, where it is owed that, which events are lost and from where the feed has gone on, and owes it
    /// snapshots of what the values are now.
    pub(super) fn resync(&mut self, view: &View) {
        let ConnectionState::Resync { owed } = self.state else { return };
        if !owed.can_be_told(view) {
            return;
        }
        self.outbox.drop_conflated();
        let names = self.subscription.names().map(|(symbol, _)| symbol);
        let set = SnapshotSet::new(
            &view.last_values,
            !self.subscription.all.is_empty(),
            names,
            Subscription::default(),
        );
        let snapshots = set.as_ref().map_or(0, SnapshotSet::len);
        if let Some(after) = owed.gap {
            let (after, until) = (Some(after), Some(view.seq()));
            let reason = GapReason::Lagged;
            self.reply(&Reply::Gap { after, until, reason, snapshots: Some(snapshots) });
            self.begins_set(set.as_ref());
        }
        if let Some(position) = owed.seek {
            self.reply(&Reply::Feed(wire::FeedFields::after_seek(
                &view.feed,
                position,
                snapshots,
                view.seq(),
            )));
            self.begins_set(set.as_ref());
        }
        let feed_state = owed.feed_state && owed.seek.is_none();
        self.state = ConnectionState::owing(Owed { feed_state, ..Owed::default() });
        self.owe_snapshots(set, view.seq());
    }

    /// Says that the frame put last into the outbox is followed by snapshots, if there are any.
    pub(super) fn begins_set(&mut self, set: Option<&SnapshotSet>) {
        if set.is_some() {
            self.outbox.begins_set();
        }
    }

    /// Tells the client the feed's state, where it is owed that and is not being sent what it missed.
    pub(super) fn tell_feed_state(&mut self, view: &View) {
        if self.owes_feed_state() {
            self.state.owe(|owed| owed.feed_state = false);
            self.reply(&Reply::Feed((&view.feed).into()));
        }
    }

    /// Returns whether the feed's state is news to a client that is not being sent what it missed.
    pub(super) fn owes_feed_state(&self) -> bool {
        match self.state {
            ConnectionState::Resync { owed } => owed.feed_state,
            ConnectionState::Snapshots { owes_feed_state, .. } => owes_feed_state,
            ConnectionState::Live | ConnectionState::Resuming { .. } | ConnectionState::Closing { .. } => {
                false
            }
        }
    }

    /// Takes in that the feed goes on from elsewhere, as `view` says by now.
    ///
    /// What is conflated is of the past and counts as merged; what is queued for an `every` client goes out first. A feed
    /// that waits for its readers waits until an `every` client whose outbox is full has been told. A resume that is under
    /// way finds for itself that the log no longer serves it.
    pub(super) fn on_seek(&mut self, seek: Seek, view: &View, bus: &Bus) {
        self.wake();
        if self.state.is_past(seek) {
            self.state.owe(|owed| owed.feed_state = true);
            return;
        }
        self.end_set();
        self.outbox.drop_conflated();
        self.state.owe(|owed| owed.seek = Some(seek.position));
        match self.state {
            // Whoever caught up with the last event before it has missed nothing.
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
            // A set of snapshots for each seek would else wait for one that does not read.
            self.close_slow_consumer(Limit::EveryBuffer, bus);
        } else if is_every && !is_full || self.outbox.is_empty() {
            self.resync(view);
        }
    }

    /// Takes in that the log has passed the shard: all events after `after` are lost, up to what `view` says by now.
    pub(super) fn on_lag(&mut self, after: u64, seek: Option<Seek>, is_news: bool, view: &View, bus: &Bus) {
        let seek = seek.filter(|seek| !self.state.is_past(*seek));
        self.end_set();
        self.state.owe(|owed| {
            owed.feed_state |= is_news;
            owed.seek = seek.map(|seek| seek.position).or(owed.seek);
        });
        self.wake();
        // One that is still being sent what it missed finds for itself that the log has passed it; one that wants nothing
        // has lost nothing.
        if self.state.is_resuming() || self.subscription.len() == 0 {
            return;
        }
        let has_gap = self.state.owed().is_some_and(|owed| owed.gap.is_some());
        if self.outbox.delivery().0 == Delivery::Every && !has_gap {
            self.close_slow_consumer(Limit::History, bus);
            return;
        }
        // A client that does not read is told once, when it does.
        self.state.owe(|owed| owed.gap = owed.gap.or(Some(after)));
        if self.outbox.is_empty() {
            self.resync(view);
        }
    }

    /// Puts the next part of what a client missed into its outbox, about so many bytes and up to its shard's own position.
    pub(super) fn resume(&mut self, view: &View, bus: &Bus, most: usize) {
        let head = view.seq();
        while let ConnectionState::Resuming { after, owed } = self.state {
            if after >= head {
                // Where the client is ahead of its shard, the events in between are not for it.
                if after == head {
                    self.state = ConnectionState::owing(owed);
                    self.resync(view);
                    self.tell_feed_state(view);
                }
                return;
            }
            let Ok(Some(chunk)) = bus.after(after) else {
                if self.outbox.delivery().0 == Delivery::Every {
                    self.close_slow_consumer(Limit::History, bus);
                } else {
                    bus.counters().increment(Limit::History);
                    self.state = ConnectionState::Resync { owed: Owed { gap: Some(after), ..owed } };
                    self.resync(view);
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

    /// Conflates the latest of `count` events of a key with those to come.
    pub(super) fn conflate(&mut self, key: Key, count: u64) {
        // The first sets the alarm at which all go.
        if self.outbox.conflate(key, count) {
            self.wake();
        }
    }

    /// Wakes the session for what was pushed, or closes the connection for what did not fit.
    pub(super) fn pushed(&mut self, pushed: Result<(), SlowConsumer>, bus: &Bus) {
        match pushed {
            Ok(()) => self.wake(),
            Err(SlowConsumer) => self.close_slow_consumer(Limit::EveryBuffer, bus),
        }
    }

    /// Closes the connection, which is over a limit, with the cursor with which the client can come back.
    pub(super) fn close_slow_consumer(&mut self, limit: Limit, bus: &Bus) {
        bus.counters().increment(limit);
        self.outbox.cut();
        let cursor = Cursor { epoch: bus.epoch().to_owned(), seq: self.outbox.last_written() };
        self.end(CloseReason::Server(CloseCode::SlowConsumer, cursor.to_string().into()));
    }

    /// Has its session close the connection. Nothing goes past what it is told.
    pub(super) fn end(&mut self, reason: CloseReason) {
        self.state = ConnectionState::Closing { reason: Some(reason) };
        self.wake();
    }

    /// Wakes its session, once until that has been here.
    pub(super) fn wake(&mut self) {
        if !std::mem::replace(&mut self.is_woken, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// Keeps the waker of its session, which is here.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        self.is_woken = false;
        if !self.waker.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Returns whether it keeps a feed waiting: bytes wait that its socket has not taken.
    pub(super) fn keeps_waiting(&self) -> bool {
        !self.outbox.is_empty() && self.served().is_some()
    }

    /// The newest event that an `every` client has been served; `None` where it does not keep a feed waiting.
    pub(super) fn served(&self) -> Option<u64> {
        let keeps = self.outbox.delivery().0 == Delivery::Every && !self.state.is_closing();
        let waiting = self.outbox.first_waiting().map(|seq| seq.saturating_sub(1));
        let catching_up = match self.state {
            ConnectionState::Resuming { after, .. } => Some(after),
            ConnectionState::Snapshots { .. }
            | ConnectionState::Resync { owed: Owed { seek: Some(_), .. } } => Some(0),
            ConnectionState::Live | ConnectionState::Resync { .. } | ConnectionState::Closing { .. } => None,
        };
        keeps.then(|| waiting.or(catching_up)).flatten()
    }
}
