//! Executes commands. Every reply to a command describes the market at the log position that the shard has
//! reached.

use std::time::Duration;

use super::connection::{Connection, Role};
use super::connection_state::{ConnectionState, Owed};
use super::encoding_cache::EncodedEvents;
use super::fan_out::FanOut;
use super::market_state::MarketState;
use super::settings::Settings;
use super::snapshot_set::SnapshotSet;
use super::subscribe_check::{self, Missed};
use super::subscription::Subscription;
use super::subscription_index::{ConnectionId, SubscriptionIndex};
use crate::bus::Bus;
use crate::counters::Limit;
use crate::encoding::{Position, Value};
use crate::market::{Kind, KindSet, Symbol, Time};
use crate::wire::{
    Command, CommandId, CommandWithId, Cursor, Delivery, ErrorReply, FeedInfo, GapReason, Reply,
    SubscriptionState, Symbols,
};

/// A connection whose command is executed, and the parts of the shard that the command needs.
pub(super) struct CommandExecutor<'a> {
    id: ConnectionId,
    connection: &'a mut Connection,
    index: &'a mut SubscriptionIndex,
    encoded: &'a mut EncodedEvents,
    market: &'a MarketState,
    bus: &'a Bus,
    settings: &'a Settings,
}

impl<'a> CommandExecutor<'a> {
    /// Returns an executor for a connection, which must belong to `fan_out`.
    pub(super) fn new(
        (id, connection): (ConnectionId, &'a mut Connection),
        fan_out: &'a mut FanOut,
        market: &'a MarketState,
        bus: &'a Bus,
        settings: &'a Settings,
    ) -> Self {
        let FanOut { index, encoded, .. } = fan_out;
        Self { id, connection, index, encoded, market, bus, settings }
    }

    /// Executes a client's command, and pushes the reply to the client's outbox.
    pub(super) fn execute(&mut self, with_id: &CommandWithId, now: Time) {
        let CommandWithId { id, command } = with_id;
        let id = id.as_ref();
        let outcome = match command {
            Command::Subscribe { symbols, channels, after, delivery, interval } => {
                self.subscribe(id, symbols, *channels, after.as_ref(), (*delivery, *interval))
            }
            Command::Unsubscribe { symbols, channels } => {
                self.unsubscribe(id, symbols, *channels);
                Ok(())
            }
            Command::Set { delivery, interval } => {
                self.set(id, *delivery, *interval);
                Ok(())
            }
            // The session has already checked the token and sent the reply.
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
        if let Err(error) = outcome {
            self.reply(&Reply::error(id, error));
        }
    }

    fn subscribe(
        &mut self,
        id: Option<&CommandId>,
        symbols: &Symbols,
        channels: KindSet,
        after: Option<&Cursor>,
        (delivery, interval): (Option<Delivery>, Option<Duration>),
    ) -> Result<(), ErrorReply> {
        let count = self.connection.subscription.len_with(symbols);
        subscribe_check::symbols(self.settings.max_symbols, count, self.bus)?;
        let missed = after.map(|cursor| self.missed(cursor)).transpose()?;
        self.connection.role = Role::Subscriber;
        self.set_delivery(delivery, interval);
        let earlier = self.connection.subscription.clone();
        self.change_subscription(|index, id, subscription| {
            if symbols.all {
                index.add(id, subscription, None, channels);
            }
            for symbol in &symbols.names {
                index.add(id, subscription, Some(symbol), channels);
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
            // The shard is behind the client. Once the shard has caught up, it tells the client of the gap.
            Some(Missed::Lost { after: Some(after), .. }) if self.is_behind(after) => {
                self.connection.state.owe(|owed| owed.gap = Some(after));
            }
            _ => {}
        }
        if let Some(Missed::InHistory | Missed::Lost { after: Some(_), .. }) = missed {
            // The outbox starts at the client's own cursor, even if the client cannot resume from that
            // cursor.
            self.connection.outbox.set_cursor(cursor);
        }
        let has_gap =
            matches!(self.connection.state, ConnectionState::Resync { owed: Owed { gap: Some(_), .. } });
        let set = (!resumed && !has_gap)
            .then(|| SnapshotSet::new(&self.market.last_values, symbols.all, symbols.names.iter(), earlier))
            .flatten();
        let snapshots = set.as_ref().map_or(0, SnapshotSet::len);
        let unknown = symbols.names.iter().filter(|symbol| !self.is_known(symbol)).map(ToString::to_string);
        let unknown = unknown.collect();
        let state = SubscriptionState { unknown, ..self.subscription_state(resumed, snapshots) };
        // After the reply, the client can resume from its own cursor, or from the shard's position if nothing else
        // is owed to the client.
        let seq = if resumed {
            Some(cursor)
        } else {
            (set.is_none() && missed.is_none()).then(|| self.market.seq())
        };
        let position = seq.map(|seq| Position { epoch: &self.market.epoch, seq });
        self.reply_behind_conflated(&Reply::subscribed(id, state), position);
        self.connection.begin_snapshots(set.as_ref());
        if resumed {
            self.bus.counters().resumed.inc();
            self.connection.outbox.last_frame_moves_to(cursor);
        }
        if let Some(Missed::Lost { after, reason }) = missed {
            if reason == GapReason::HistoryExhausted {
                self.bus.counters().increment(Limit::History);
            }
            if !has_gap {
                let until = after.map(|_| self.market.seq());
                let epoch = (reason == GapReason::EpochChanged).then_some(&*self.market.epoch);
                self.reply(&Reply::Gap { after, until, reason, epoch, snapshots: None });
            }
        }
        if !resumed && !has_gap {
            self.connection.owe_snapshots(set, self.market.seq());
        }
        self.bus.note_subscriber();
        Ok(())
    }

    fn unsubscribe(&mut self, id: Option<&CommandId>, symbols: &Symbols, channels: KindSet) {
        self.connection.role = Role::Subscriber;
        self.change_subscription(|index, id, subscription| {
            if symbols.all {
                index.remove(id, subscription, None, channels);
            }
            for symbol in &symbols.names {
                index.remove(id, subscription, Some(symbol), channels);
            }
        });
        self.reply_behind_conflated(&Reply::unsubscribed(id, self.subscription_state(false, 0)), None);
    }

    fn set(&mut self, id: Option<&CommandId>, delivery: Option<Delivery>, interval: Option<Duration>) {
        self.connection.role = Role::Subscriber;
        self.set_delivery(delivery, interval);
        self.reply_behind_conflated(&Reply::set(id, self.subscription_state(false, 0)), None);
    }

    /// Changes the client's delivery mode and interval. The change applies to events after the reply to the
    /// current command. An argument that is `None` changes nothing.
    fn set_delivery(&mut self, delivery: Option<Delivery>, interval: Option<Duration>) {
        let (old_delivery, old_interval) = self.connection.outbox.delivery();
        let (delivery, interval) = (delivery.unwrap_or(old_delivery), interval.unwrap_or(old_interval));
        self.connection.outbox.set_delivery(delivery, interval);
    }

    /// Returns whether the feed has announced `symbol`, or has published an event of this symbol.
    fn is_known(&self, symbol: &Symbol) -> bool {
        self.market.last_values.index_of(symbol).is_some() || self.bus.is_announced(symbol)
    }

    /// Returns whether the log still has all events after the client's cursor. Returns an error if the client
    /// has subscribed before, or if the cursor is ahead of the feed.
    fn missed(&self, cursor: &Cursor) -> Result<Missed, ErrorReply> {
        if self.connection.has_subscribed {
            return Err(subscribe_check::late_cursor());
        }
        subscribe_check::cursor(self.bus, cursor)
    }

    /// Returns whether the shard is behind a client that has all events up to the sequence number `after`.
    ///
    /// A shard whose newest event is `after` also counts as behind. The only exception is a shard that has
    /// read a seek directly after this event.
    fn is_behind(&self, after: u64) -> bool {
        let head = self.market.seq();
        after > head || after == head && self.market.seek.is_none_or(|seek| seek.after < head)
    }

    fn change_subscription(
        &mut self,
        change: impl FnOnce(&mut SubscriptionIndex, ConnectionId, &mut Subscription),
    ) {
        change(self.index, self.id, &mut self.connection.subscription);
    }

    /// Pushes a reply behind the client's conflated events. The reply answers a command that may have changed
    /// the subscription or the delivery.
    ///
    /// If the client has many conflated events, these events and the reply are written later, within the
    /// shard's catch-up quota.
    fn reply_behind_conflated(&mut self, reply: &Reply<'_>, position: Option<Position<'_>>) {
        self.connection.answer_behind_conflated(self.market.seq(), &Value::Reply(reply), position);
        if self.connection.outbox.conflated_len() <= self.settings.conflated_events {
            self.connection.write_delayed(self.market, self.encoded, self.settings);
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
            unknown: Vec::new(),
            epoch: self.market.epoch.to_string(),
            // A client may be ahead of its shard.
            seq: self.market.seq().max(self.connection.state.after().unwrap_or(0)),
            resumed,
            snapshots,
            delivery,
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            feed: FeedInfo { kind: self.bus.kind(), state: (&self.market.feed_state).into() },
        }
    }
}
