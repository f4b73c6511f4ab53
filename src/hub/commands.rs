//! What a client asks of its shard, and the answers: each from the fold at the shard's own position.

use std::time::Duration;

use super::connection::Connection;
use super::shard::Shard;
use super::subscriptions::ConnectionId;
use crate::bus::NotHeld;
use crate::market::{Kind, KindSet, Time};
use crate::tally::Limit;
use crate::wire::{
    Command, Cursor, Delivery, ErrorCode, Feed, GapReason, Refusal, Reply, Request, RequestId, Standing,
    Symbols,
};

/// How much of the missed past a client gets at a time.
const RESUME_BYTES: usize = 64 * 1024;

/// What the log has of what a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missed {
    /// All of it.
    Held,
    /// Too little.
    Lost { after: Option<u64>, until: Option<u64>, reason: GapReason },
}

impl Shard {
    /// Does what a client asks for and puts the answer into its outbox.
    pub fn handle(&mut self, id: ConnectionId, request: &Request, now: Time) {
        let Request { id: request_id, command } = request;
        self.connections[id].say_break(&self.last_values, &self.feed);
        let done = match command {
            Command::Subscribe { symbols, channels, after } => {
                self.subscribe(id, request_id.as_ref(), symbols, *channels, after.as_ref())
            }
            Command::Unsubscribe { symbols, channels } => {
                self.unsubscribe(id, request_id.as_ref(), symbols, *channels);
                Ok(())
            }
            Command::Set { delivery, interval } => {
                self.set(id, request_id.as_ref(), *delivery, *interval);
                Ok(())
            }
            // Its session knows the tokens, and has answered.
            Command::Auth { .. } => {
                self.subscriber(id);
                Ok(())
            }
            Command::Ping => {
                self.subscriber(id).say(&Reply::pong(request_id.as_ref(), now));
                Ok(())
            }
        };
        if let Err(refusal) = done {
            self.refuse(id, request_id.as_ref(), refusal);
        }
    }

    fn subscribe(
        &mut self,
        id: ConnectionId,
        request_id: Option<&RequestId>,
        symbols: &Symbols,
        channels: KindSet,
        after: Option<&Cursor>,
    ) -> Result<(), Refusal> {
        self.check_symbols(id, symbols)?;
        let missed = after.map(|cursor| self.check_cursor(id, cursor)).transpose()?;
        let connection = self.subscriber(id);
        let mut wants = std::mem::take(&mut connection.wants);
        if symbols.all {
            self.subscriptions.add(id, &mut wants, None, channels);
        }
        for symbol in &symbols.names {
            self.subscriptions.add(id, &mut wants, Some(symbol), channels);
        }
        let head = self.last_values.seq();
        // At its head it is as far as a client that lost nothing but what a seek replaced.
        let is_behind =
            |after| after > head || after == head && self.seek.is_none_or(|seek| seek.after < head);
        let connection = &mut self.connections[id];
        connection.wants = wants;
        connection.has_subscribed = true;
        connection.outbox.release(&self.last_values, &mut self.frames);
        let resumed = missed == Some(Missed::Held);
        let cursor = after.map(|cursor| cursor.seq);
        match missed {
            Some(Missed::Held) => connection.resuming = cursor,
            // This shard is not as far as the client: it says the gap when it is.
            Some(Missed::Lost { after: Some(after), .. }) if is_behind(after) => {
                connection.owes_gap = Some(after);
            }
            _ => {}
        }
        if let Some(Missed::Held | Missed::Lost { after: Some(_), .. }) = missed {
            // Whatever becomes of it, it has what it says that it has.
            connection.outbox.has(cursor.unwrap_or_default());
        }
        let standing = self.standing(id, resumed);
        let connection = &mut self.connections[id];
        connection.say(&Reply::subscribed(request_id, standing));
        if let (true, Some(cursor)) = (resumed, cursor) {
            self.bus.tally().resumed.inc();
            connection.outbox.reaches(cursor);
        }
        if let Some(Missed::Lost { after, until, reason }) = missed {
            if reason == GapReason::HistoryExhausted {
                self.bus.tally().struck(Limit::History);
            }
            if connection.owes_gap.is_none() {
                connection.say(&Reply::Gap { after, until, reason });
            }
        }
        if !resumed && connection.owes_gap.is_none() {
            connection.say_snapshots(&self.last_values, symbols.all, symbols.names.iter());
        }
        self.bus.listen();
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        id: ConnectionId,
        request_id: Option<&RequestId>,
        symbols: &Symbols,
        channels: KindSet,
    ) {
        let connection = self.subscriber(id);
        let mut wants = std::mem::take(&mut connection.wants);
        if symbols.all {
            self.subscriptions.remove(id, &mut wants, None, channels);
        }
        for symbol in &symbols.names {
            self.subscriptions.remove(id, &mut wants, Some(symbol), channels);
        }
        let connection = &mut self.connections[id];
        connection.wants = wants;
        connection.outbox.release(&self.last_values, &mut self.frames);
        let standing = self.standing(id, false);
        self.connections[id].say(&Reply::unsubscribed(request_id, standing));
    }

    fn set(
        &mut self,
        id: ConnectionId,
        request_id: Option<&RequestId>,
        delivery: Option<Delivery>,
        interval: Option<Duration>,
    ) {
        let connection = &mut self.connections[id];
        connection.is_subscriber = true;
        connection.outbox.release(&self.last_values, &mut self.frames);
        let (old_delivery, old_interval) = connection.outbox.delivery();
        connection.outbox.set_delivery(delivery.unwrap_or(old_delivery), interval.unwrap_or(old_interval));
        let standing = self.standing(id, false);
        self.connections[id].say(&Reply::set(request_id, standing));
    }

    fn check_symbols(&self, id: ConnectionId, symbols: &Symbols) -> Result<(), Refusal> {
        let wants = &self.connections[id].wants;
        let new_names = symbols.names.iter().filter(|name| !wants.has_name(name)).count();
        let new_star = usize::from(symbols.all && wants.all.is_empty());
        let limit = self.settings.max_symbols;
        if limit > 0 && wants.len() + new_names + new_star > limit {
            self.bus.tally().struck(Limit::Symbols);
            let message = format!("a connection has at most {limit} symbols; \"*\" counts as one");
            return Err(Refusal::new(ErrorCode::TooManySymbols, message));
        }
        Ok(())
    }

    fn check_cursor(&self, id: ConnectionId, cursor: &Cursor) -> Result<Missed, Refusal> {
        let connection = &self.connections[id];
        if connection.has_subscribed {
            let message =
                "`after` comes with a connection's first subscribe; open a new connection to resume";
            return Err(Refusal::new(ErrorCode::BadCursor, message));
        }
        if cursor.epoch != self.bus.epoch() {
            return Ok(Missed::Lost { after: None, until: None, reason: GapReason::EpochChanged });
        }
        let head = self.bus.head();
        if cursor.seq > head {
            let message = format!("{cursor} is ahead of the feed, which is at {}-{head}", self.bus.epoch());
            return Err(Refusal::new(ErrorCode::BadCursor, message));
        }
        Ok(match self.bus.after(cursor.seq) {
            Ok(_) => Missed::Held,
            Err(NotHeld) => Missed::Lost {
                after: Some(cursor.seq),
                until: Some(self.last_values.seq()),
                reason: GapReason::HistoryExhausted,
            },
        })
    }

    /// Puts the next part of what a client missed into its outbox, up to the shard's own position.
    pub(super) fn resume(&mut self, id: ConnectionId) {
        let head = self.last_values.seq();
        let connection = &mut self.connections[id];
        while let Some(after) = connection.resuming {
            if after >= head {
                // Where the client is ahead of this shard, the events in between are not for it.
                connection.resuming = (after > head).then_some(after);
                if connection.resuming.is_none() {
                    connection.say_break(&self.last_values, &self.feed);
                    connection.say_state(&self.feed);
                }
                return;
            }
            let Ok(Some(chunk)) = self.bus.after(after) else {
                connection.resuming = None;
                if connection.outbox.delivery().0 == Delivery::Every {
                    connection.fall_behind(id, Limit::History, &self.bus, &mut self.woken);
                } else {
                    self.bus.tally().struck(Limit::History);
                    connection.owes_gap = Some(after);
                    connection.say_break(&self.last_values, &self.feed);
                }
                return;
            };
            for (seq, event) in chunk.iter().take_while(|(seq, _)| *seq <= head) {
                connection.resuming = Some(seq);
                if connection.wants.has(&event.symbol, event.kind()) {
                    connection.outbox.push_missed(seq, event);
                }
                if connection.outbox.bytes().len() >= RESUME_BYTES {
                    return;
                }
            }
        }
    }

    fn standing(&self, id: ConnectionId, resumed: bool) -> Standing {
        let connection = &self.connections[id];
        let (delivery, interval) = connection.outbox.delivery();
        let list = |kind| connection.wants.list(kind);
        Standing {
            trades: list(Kind::Trade),
            quotes: list(Kind::Quote),
            bars: list(Kind::Bar),
            epoch: self.bus.epoch().to_owned(),
            // A client may be ahead of this shard.
            seq: self.last_values.seq().max(connection.resuming.or(connection.owes_gap).unwrap_or(0)),
            resumed,
            delivery,
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            feed: Feed { kind: self.bus.kind(), state: (&self.feed).into() },
        }
    }

    fn subscriber(&mut self, id: ConnectionId) -> &mut Connection {
        let connection = &mut self.connections[id];
        connection.is_subscriber = true;
        connection
    }
}
