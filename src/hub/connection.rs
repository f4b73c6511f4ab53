//! One client, as its shard sees it.

use std::task::Waker;

use tokio::time::Instant;

use super::life::Life;
use super::outbox::{Key, Outbox, Overflow};
use super::subscriptions::{ConnectionId, Wants};
use crate::bus::{Bus, Last, LastValues, Seek};
use crate::market::{FeedState, Kind, Symbol, Time};
use crate::tally::Limit;
use crate::wire::{self, CloseReason, Cursor, Delivery, GapReason, Reply, Snapshot, State};

/// One client, as its shard sees it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Connection {
    pub(super) is_subscriber: bool,
    /// Whether nothing is for it before it has shown a token.
    pub(super) is_locked: bool,
    pub(super) wants: Wants,
    pub(super) outbox: Outbox,
    pub(super) life: Life,
    /// Whether a byte has come from it since it was looked at.
    pub(super) is_heard: bool,
    /// While the client is sent what it missed: the last event of it that is in the outbox.
    pub(super) resuming: Option<u64>,
    /// Whether it has subscribed before.
    pub(super) has_subscribed: bool,
    /// The event after which it has lost some, until it is told.
    pub(super) owes_gap: Option<u64>,
    /// The market time from which the feed has gone on, until the client is told.
    pub(super) owes_seek: Option<Time>,
    /// Whether it is to be told how the feed fares when what waits for it is gone.
    pub(super) owes_state: bool,
    /// Since when it has kept a feed waiting without a pause.
    pub(super) behind_since: Option<Instant>,
    /// Why the shard wants it closed, until its session asks.
    pub(super) closing: Option<CloseReason>,
    /// Whether nothing more is for it.
    pub(super) is_closing: bool,
    pub(super) waker: Option<Waker>,
    pub(super) is_woken: bool,
}

impl Connection {
    /// A plain connection for which at most `limit` bytes may wait.
    pub(super) fn new(limit: usize, life: Life) -> Self {
        Self {
            is_subscriber: false,
            is_locked: false,
            wants: Wants::default(),
            outbox: Outbox::new(limit),
            life,
            is_heard: false,
            resuming: None,
            has_subscribed: false,
            owes_gap: None,
            owes_seek: None,
            owes_state: false,
            behind_since: None,
            closing: None,
            is_closing: false,
            waker: None,
            is_woken: false,
        }
    }

    pub(super) fn say(&mut self, reply: &Reply<'_>) {
        self.outbox.push(|out| wire::text(out, |out| reply.write_to(out)));
    }

    /// What a heartbeat says, once all that the connection takes of the batch is out.
    pub(super) fn heartbeat(&self, time: Time, seq: u64) -> Reply<'static> {
        let (sent, merged) = self.outbox.counts();
        Reply::Heartbeat { time, seq, sent, merged }
    }

    pub(super) fn say_snapshots<'a>(
        &mut self,
        last_values: &'a LastValues,
        all: bool,
        names: impl Iterator<Item = &'a Symbol>,
    ) {
        let seq = last_values.seq();
        let mut say = |symbol: &Symbol, last: &Last| {
            let latest = Kind::ALL.map(|kind| last.latest(kind).map(|latest| (latest.seq, &latest.event)));
            let snapshot = Snapshot { seq, symbol, latest, day: last.day() };
            self.outbox.push(|out| wire::text(out, |out| wire::snapshot(out, &snapshot)));
        };
        if all {
            last_values.iter().for_each(|(symbol, last)| say(symbol, last));
        } else {
            names
                .filter_map(|name| Some((name, last_values.get(name)?)))
                .for_each(|(symbol, last)| say(symbol, last));
        }
        self.outbox.reaches(seq);
    }

    /// Tells a client, where it has not been told, which events are lost, from where the feed has gone on, what the values
    /// are now, and how the feed fares where that is new. A shard that is behind the client itself has nothing to tell it
    /// yet.
    pub(super) fn say_break(&mut self, last_values: &LastValues, feed: &FeedState) {
        let seek = self.owes_seek.take();
        let gap = self.owes_gap.take_if(|after| *after < last_values.seq() || seek.is_some());
        if gap.is_none() && seek.is_none() {
            return;
        }
        self.outbox.drop_held();
        if gap.is_some() {
            self.say(&Reply::Gap { after: gap, until: Some(last_values.seq()), reason: GapReason::Lagged });
        }
        if let Some(position) = seek {
            self.owes_state = false;
            self.say(&Reply::Feed(State::sought(feed, position)));
        }
        let wants = self.wants.clone();
        self.say_snapshots(last_values, !wants.all.is_empty(), wants.names().map(|(symbol, _)| symbol));
        self.say_state(feed);
    }

    /// Tells a client how the feed fares, where it is still to be told.
    pub(super) fn say_state(&mut self, feed: &FeedState) {
        if std::mem::take(&mut self.owes_state) {
            self.say(&Reply::Feed(feed.into()));
        }
    }

    /// Whether all that it has came after this seek, which its shard has yet to find.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.resuming.or(self.owes_gap).is_some_and(|after| after > seek.after)
    }

    pub(super) fn hold(&mut self, id: ConnectionId, key: Key, woken: &mut Vec<ConnectionId>) {
        // The first sets the alarm at which all go.
        if self.outbox.hold(key) {
            self.wake(id, woken);
        }
    }

    pub(super) fn pushed(
        &mut self,
        id: ConnectionId,
        pushed: Result<(), Overflow>,
        bus: &Bus,
        woken: &mut Vec<ConnectionId>,
    ) {
        match pushed {
            Ok(()) => self.wake(id, woken),
            Err(Overflow) => self.fall_behind(id, Limit::EveryBuffer, bus, woken),
        }
    }

    /// Closes the connection with the cursor with which the client can come back.
    pub(super) fn fall_behind(
        &mut self,
        id: ConnectionId,
        limit: Limit,
        bus: &Bus,
        woken: &mut Vec<ConnectionId>,
    ) {
        self.outbox.cut();
        // Nothing goes past the cursor that it is told.
        self.owes_gap = None;
        self.owes_seek = None;
        self.owes_state = false;
        let cursor = Cursor { epoch: bus.epoch().to_owned(), seq: self.outbox.last_written() };
        self.end(id, CloseReason::Over(limit, cursor.to_string().into()), woken);
    }

    /// Has its session close the connection.
    pub(super) fn end(&mut self, id: ConnectionId, reason: CloseReason, woken: &mut Vec<ConnectionId>) {
        self.closing = Some(reason);
        self.is_closing = true;
        self.wake(id, woken);
    }

    pub(super) fn wake(&mut self, id: ConnectionId, woken: &mut Vec<ConnectionId>) {
        if !std::mem::replace(&mut self.is_woken, true) {
            woken.push(id);
        }
    }

    /// The newest event that an `every` client has been served; `None` where it does not keep a feed waiting.
    pub(super) fn served(&self) -> Option<u64> {
        let keeps = self.outbox.delivery().0 == Delivery::Every && !self.is_closing;
        let waiting = self.outbox.first_waiting().map(|seq| seq.saturating_sub(1));
        keeps.then_some(waiting.or(self.resuming)).flatten()
    }
}
