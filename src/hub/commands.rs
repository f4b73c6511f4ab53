//! What a client asks of its shard, and the answers: each from the fold at the shard's own position.

use std::time::Duration;

use super::connection::{Connection, Role};
use super::connection_state::{ConnectionState, Owed};
use super::encoding_cache::EncodedEvents;
use super::fan_out::FanOut;
use super::settings::Settings;
use super::snapshot_set::SnapshotSet;
use super::subscribe_check::{self, Missed};
use super::subscription_index::{ConnectionId, Subscription, SubscriptionIndex};
use super::view::View;
use crate::bus::Bus;
use crate::counters::Limit;
use crate::encoding::Value;
use crate::market::{Kind, KindSet, Time};
use crate::wire::{
    Command, CommandId, CommandWithId, Cursor, Delivery, ErrorReply, FeedInfo, GapReason, Reply,
    SubscriptionState, Symbols,
};

/// A connection whose client asks for something, with what of its shard the answer depends on.
pub(super) struct Caller<'a> {
    id: ConnectionId,
    connection: &'a mut Connection,
    subscriptions: &'a mut SubscriptionIndex,
    encoded: &'a mut EncodedEvents,
    view: &'a View,
    bus: &'a Bus,
    settings: &'a Settings,
}

impl<'a> Caller<'a> {
    /// Returns the connection with this number, which belongs to this fan-out.
    pub(super) fn new(
        (id, connection): (ConnectionId, &'a mut Connection),
        fan_out: &'a mut FanOut,
        view: &'a View,
        bus: &'a Bus,
        settings: &'a Settings,
    ) -> Self {
        let FanOut { subscriptions, encoded, .. } = fan_out;
        Self { id, connection, subscriptions, encoded, view, bus, settings }
    }

    /// Carries out a request, and puts the answer into the outbox.
    pub(super) fn execute(&mut self, request: &CommandWithId, now: Time) {
        let CommandWithId { id, command } = request;
        let id = id.as_ref();
        let done = match command {
            Command::Subscribe { symbols, channels, after } => {
                self.subscribe(id, symbols, *channels, after.as_ref())
            }
            Command::Unsubscribe { symbols, channels } => {
                self.unsubscribe(id, symbols, *channels);
                Ok(())
            }
            Command::Set { delivery, interval } => {
                self.set(id, *delivery, *interval);
                Ok(())
            }
            // Its session knows the tokens, and has answered.
            Command::Auth { .. } => {
                self.connection.role = Role::Subscriber;
                Ok(())
            }
            Command::Ping => {
                self.connection.role = Role::Subscriber;
                self.reply(&Reply::pong(id, now));
                Ok(())
            }
        };
        if let Err(error) = done {
            self.reply(&Reply::error(id, error));
        }
    }

    fn subscribe(
        &mut self,
        id: Option<&CommandId>,
        symbols: &Symbols,
        channels: KindSet,
        after: Option<&Cursor>,
    ) -> Result<(), ErrorReply> {
        let count = self.connection.subscription.len_with(symbols);
        subscribe_check::symbols(self.settings.max_symbols, count, self.bus)?;
        let missed = after.map(|cursor| self.missed(cursor)).transpose()?;
        self.connection.role = Role::Subscriber;
        let had = self.connection.subscription.clone();
        self.change_subscription(|subscriptions, id, subscription| {
            if symbols.all {
                subscriptions.add(id, subscription, None, channels);
            }
            for symbol in &symbols.names {
                subscriptions.add(id, subscription, Some(symbol), channels);
            }
        });
        self.connection.has_subscribed = true;
        let resumed = missed == Some(Missed::InHistory);
        let cursor = after.map_or(0, |cursor| cursor.seq);
        match missed {
            Some(Missed::InHistory) => {
                let owed = self.connection.state.owed().unwrap_or_default();
                self.connection.state = ConnectionState::Resuming { after: cursor, owed };
            }
            // This shard is not as far as the client: it says the gap when it is.
            Some(Missed::Lost { after: Some(after), .. }) if self.is_behind(after) => {
                self.connection.state.owe(|owed| owed.gap = Some(after));
            }
            _ => {}
        }
        if let Some(Missed::InHistory | Missed::Lost { after: Some(_), .. }) = missed {
            // Whatever becomes of it, it has what it says that it has.
            self.connection.outbox.has(cursor);
        }
        let has_gap =
            matches!(self.connection.state, ConnectionState::Resync { owed: Owed { gap: Some(_), .. } });
        let set = (!resumed && !has_gap)
            .then(|| SnapshotSet::new(&self.view.last_values, symbols.all, symbols.names.iter(), had))
            .flatten();
        let snapshots = set.as_ref().map_or(0, SnapshotSet::len);
        self.reply_behind_conflated(&Reply::subscribed(id, self.subscription_state(resumed, snapshots)));
        self.connection.begins_set(set.as_ref());
        if resumed {
            self.bus.counters().resumed.inc();
            self.connection.outbox.reaches(cursor);
        }
        if let Some(Missed::Lost { after, reason }) = missed {
            if reason == GapReason::HistoryExhausted {
                self.bus.counters().increment(Limit::History);
            }
            if !has_gap {
                let until = after.map(|_| self.view.seq());
                self.reply(&Reply::Gap { after, until, reason, snapshots: None });
            }
        }
        if !resumed && !has_gap {
            self.connection.owe_snapshots(set, self.view.seq());
        }
        self.bus.note_subscriber();
        Ok(())
    }

    fn unsubscribe(&mut self, id: Option<&CommandId>, symbols: &Symbols, channels: KindSet) {
        self.connection.role = Role::Subscriber;
        self.change_subscription(|subscriptions, id, subscription| {
            if symbols.all {
                subscriptions.remove(id, subscription, None, channels);
            }
            for symbol in &symbols.names {
                subscriptions.remove(id, subscription, Some(symbol), channels);
            }
        });
        self.reply_behind_conflated(&Reply::unsubscribed(id, self.subscription_state(false, 0)));
    }

    fn set(&mut self, id: Option<&CommandId>, delivery: Option<Delivery>, interval: Option<Duration>) {
        self.connection.role = Role::Subscriber;
        let (old_delivery, old_interval) = self.connection.outbox.delivery();
        let (delivery, interval) = (delivery.unwrap_or(old_delivery), interval.unwrap_or(old_interval));
        self.connection.outbox.set_delivery(delivery, interval);
        self.reply_behind_conflated(&Reply::set(id, self.subscription_state(false, 0)));
    }

    /// Returns what the log has of what came after a cursor.
    fn missed(&self, cursor: &Cursor) -> Result<Missed, ErrorReply> {
        if self.connection.has_subscribed {
            return Err(subscribe_check::late_cursor());
        }
        subscribe_check::cursor(self.bus, cursor)
    }

    /// Returns whether the shard itself is not as far as a client that has all up to here. At the shard's head it is as
    /// far as a client that lost nothing but what a seek replaced.
    fn is_behind(&self, after: u64) -> bool {
        let head = self.view.seq();
        after > head || after == head && self.view.seek.is_none_or(|seek| seek.after < head)
    }

    fn change_subscription(
        &mut self,
        change: impl FnOnce(&mut SubscriptionIndex, ConnectionId, &mut Subscription),
    ) {
        change(self.subscriptions, self.id, &mut self.connection.subscription);
    }

    /// Puts a reply that changes what comes behind what is conflated. Many conflated events go within the shard's quota.
    fn reply_behind_conflated(&mut self, reply: &Reply<'_>) {
        self.connection.answer_behind_conflated(self.view.seq(), &Value::Reply(reply));
        if self.connection.outbox.conflated_len() <= self.settings.conflated_events {
            self.connection.write_delayed(self.view, self.encoded, self.settings);
        }
    }

    fn reply(&mut self, reply: &Reply<'_>) {
        self.connection.answer(&Value::Reply(reply));
    }

    fn subscription_state(&self, resumed: bool, snapshots: usize) -> SubscriptionState {
        let (delivery, interval) = self.connection.outbox.delivery();
        let list = |kind| self.connection.subscription.list(kind);
        SubscriptionState {
            trades: list(Kind::Trade),
            quotes: list(Kind::Quote),
            bars: list(Kind::Bar),
            epoch: self.bus.epoch().to_owned(),
            // A client may be ahead of this shard.
            seq: self.view.seq().max(self.connection.state.after().unwrap_or(0)),
            resumed,
            snapshots,
            delivery,
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            feed: FeedInfo { kind: self.bus.kind(), state: (&self.view.feed).into() },
        }
    }
}
