//! A shard: a fold of the log, and the connections that live on one thread.
//!
//! It reads the log at its own position, keeps the last values as of that position, and puts
//! each event into the outboxes of those who take it. A subscription is answered from that
//! very fold, so snapshot and updates join without a lock, a gap or a repeat.
//!
//! Plain values and plain methods: no I/O, no clock, no task.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::frames::Frames;
use super::outbox::{Outbox, Overflow};
use super::subscriptions::{ConnectionId, Subscriptions, Wants};
use crate::bus::{Bus, Last, LastValues, NotHeld, Read, Segment, Start};
use crate::market::{Event, FeedState, Kind, KindSet, Symbol, Time};
use crate::wire::{
    self, CloseCode, CloseReason, Command, Cursor, Delivery, ErrorCode, Feed, GapReason, Message, Refusal,
    Reply, Request, RequestId, Snapshot, Standing, Symbols,
};

/// How much of the missed past a client gets at a time.
const RESUME_BYTES: usize = 64 * 1024;

/// What a shard is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many bytes may wait for a connection.
    pub every_buffer: usize,
    /// How many symbols a connection may have; 0 means no limit.
    pub max_symbols: usize,
    /// Whether the feed waits for its readers, so that no `every` client has to be closed for its buffer.
    pub paced: bool,
}

/// The last values and connections of one thread.
#[derive(Debug)]
pub struct Shard {
    bus: Arc<Bus>,
    settings: Settings,
    last_values: LastValues,
    feed: FeedState,
    frames: Frames,
    subscriptions: Subscriptions,
    connections: Slab<Connection>,
    /// Connections that have something new to write.
    woken: Vec<ConnectionId>,
}

/// One client, as its shard sees it.
#[derive(Debug)]
struct Connection {
    is_subscriber: bool,
    wants: Wants,
    outbox: Outbox,
    /// While the client is sent what it missed: the last event of it that is in the outbox.
    resuming: Option<u64>,
    /// Since when something has waited for it without a pause.
    behind_since: Option<Instant>,
    /// Why the shard wants it closed, until its session asks.
    closing: Option<CloseReason>,
    /// Whether nothing more is for it.
    is_closing: bool,
    waker: Option<Waker>,
    is_woken: bool,
}

impl Shard {
    /// A shard that begins where its reader of `bus` does.
    #[must_use]
    pub fn new(bus: Arc<Bus>, start: Start, settings: Settings) -> Self {
        Self {
            bus,
            settings,
            last_values: start.last_values,
            feed: start.feed,
            frames: Frames::default(),
            subscriptions: Subscriptions::default(),
            connections: Slab::new(),
            woken: Vec::new(),
        }
    }

    /// Adds a plain connection.
    pub fn connect(&mut self, now: Instant) -> ConnectionId {
        self.connections.insert(Connection {
            is_subscriber: false,
            wants: Wants::default(),
            outbox: Outbox::new(self.settings.every_buffer, now),
            resuming: None,
            behind_since: None,
            closing: None,
            is_closing: false,
            waker: None,
            is_woken: false,
        })
    }

    /// Forgets a connection.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let mut wants = std::mem::take(&mut self.connections[id].wants);
        let Wants { all, names } = wants.clone();
        self.subscriptions.remove(id, &mut wants, None, all);
        for (symbol, kinds) in names {
            self.subscriptions.remove(id, &mut wants, Some(&symbol), kinds);
        }
        self.connections.remove(id);
    }

    /// Takes in what the log says next.
    pub fn read(&mut self, read: Read, now: Instant) {
        match read {
            Read::Segment(segment) => match &*segment {
                Segment::Events { first, events } => {
                    for (seq, event) in (*first..).zip(events) {
                        self.apply(seq, event, now);
                    }
                }
                Segment::Mark { state, .. } => self.mark(state.clone()),
            },
            Read::Lagged(start) => self.start_again(*start),
        }
    }

    /// Puts a message of one client into every outbox.
    pub fn relay(&mut self, from: &str, message: &Message) {
        let mut plain = Vec::new();
        match message {
            Message::Text(text) => wire::text(&mut plain, |out| out.extend_from_slice(text.as_bytes())),
            Message::Binary(bytes) => wire::binary(&mut plain, bytes),
            Message::Ping(_) | Message::Pong | Message::Close(_) => return,
        }
        let mut wrapped = Vec::new();
        if let Some(reply) = Reply::message(from, message) {
            wire::text(&mut wrapped, |out| reply.write_to(out));
        }
        for (id, connection) in self.connections.iter_mut().filter(|(_, connection)| !connection.is_closing) {
            let frame = if connection.is_subscriber { &wrapped } else { &plain };
            let pushed = connection.outbox.push_relayed(frame);
            connection.pushed(id, pushed, &self.bus, &mut self.woken);
        }
    }

    /// Does what a client asks for and puts the answer into its outbox.
    pub fn handle(&mut self, id: ConnectionId, request: &Request, now: Time) {
        let Request { id: request_id, command } = request;
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
            Command::Auth => Err(Refusal::new(
                ErrorCode::Unauthorized,
                "this server knows no tokens; everything is open without one",
            )),
            Command::Ping => {
                self.subscriber(id).say(&Reply::pong(request_id.as_ref(), now));
                Ok(())
            }
        };
        if let Err(refusal) = done {
            self.refuse(id, request_id.as_ref(), refusal);
        }
    }

    /// Sets the delivery with which a connection begins.
    pub fn begin(&mut self, id: ConnectionId, delivery: Delivery, interval: Duration) {
        self.connections[id].outbox.set_delivery(delivery, interval);
    }

    /// Tells a client what it did wrong.
    pub fn refuse(&mut self, id: ConnectionId, request_id: Option<&RequestId>, refusal: Refusal) {
        self.connections[id].say(&Reply::error(request_id, refusal));
    }

    /// Puts a control frame into a client's outbox.
    pub fn push(&mut self, id: ConnectionId, write: impl FnOnce(&mut Vec<u8>)) {
        self.connections[id].outbox.push(write);
    }

    /// Tells a subscriber that the server lives. One that is not reading is told when it reads again.
    pub fn heartbeat(&mut self, id: ConnectionId, now: Time) {
        let connection = &mut self.connections[id];
        if connection.is_subscriber && !connection.is_closing && !connection.outbox.is_blocked() {
            let (sent, merged) = connection.outbox.counts();
            connection.say(&Reply::Heartbeat { time: now, seq: self.last_values.seq(), sent, merged });
        }
    }

    /// Why the shard wants a connection closed, once.
    pub fn take_closing(&mut self, id: ConnectionId) -> Option<CloseReason> {
        self.connections[id].closing.take()
    }

    /// Whether a client's socket has bytes to take.
    #[must_use]
    pub fn has_bytes(&self, id: ConnectionId) -> bool {
        !self.connections[id].outbox.bytes().is_empty()
    }

    /// Whether a client's next message may be read: not while its own answers pile up, nor before it has all that it missed.
    #[must_use]
    pub fn may_read(&self, id: ConnectionId) -> bool {
        let connection = &self.connections[id];
        connection.resuming.is_none() && !connection.outbox.is_full()
    }

    /// What a client's socket is to take next; what is held goes only when it is due.
    pub fn outgoing(&mut self, id: ConnectionId, now: Instant) -> &[u8] {
        let connection = &mut self.connections[id];
        if connection.outbox.bytes().is_empty() && connection.resuming.is_some() {
            self.resume(id);
        }
        let connection = &mut self.connections[id];
        if connection.outbox.due().is_some_and(|due| due <= now) {
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.outbox.rest(now);
        }
        connection.outbox.bytes()
    }

    /// Says that a client's socket took bytes; returns whether a feed that waits may go on.
    pub fn written(&mut self, id: ConnectionId, count: usize) -> bool {
        let connection = &mut self.connections[id];
        connection.outbox.written(count);
        if connection.outbox.is_level() && connection.resuming.is_none() {
            connection.behind_since = None;
        }
        self.settings.paced && connection.outbox.delivery().0 == Delivery::Every
    }

    /// Says that a client's socket takes no more for now.
    pub fn block(&mut self, id: ConnectionId) {
        self.connections[id].outbox.block();
    }

    /// When a client that has nothing to write is to be looked at again, even if nothing happens.
    #[must_use]
    pub fn due(&self, id: ConnectionId) -> Option<Instant> {
        self.connections[id].outbox.due()
    }

    /// Keeps the waker of a client's session until there is something for it.
    pub fn park(&mut self, id: ConnectionId, waker: &Waker) {
        let parked = &mut self.connections[id].waker;
        if !parked.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            *parked = Some(waker.clone());
        }
    }

    /// Puts the close frame behind what waits for a client; nothing follows it.
    pub fn close(&mut self, id: ConnectionId, code: u16, reason: &str) {
        let connection = &mut self.connections[id];
        connection.resuming = None;
        connection.outbox.release(&self.last_values, &mut self.frames);
        connection.outbox.push(|out| wire::close(out, code, reason));
        connection.is_closing = true;
    }

    /// Whether some session has something new to write.
    #[must_use]
    pub fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    /// Wakes the sessions that have something new to write.
    pub fn flush(&mut self) {
        for id in self.woken.drain(..) {
            // A connection may have gone since, and its number may be another's: a wake-up too many does no harm.
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_woken = false;
                if let Some(waker) = &connection.waker {
                    waker.wake_by_ref();
                }
            }
        }
    }

    /// The newest event up to which all `every` clients have been served; the shard's own position where none waits.
    #[must_use]
    pub fn served(&self) -> u64 {
        let waiting = self.connections.iter().filter_map(|(_, connection)| connection.served());
        waiting.min().unwrap_or(u64::MAX).min(self.last_values.seq())
    }

    /// Closes the `every` clients that have kept the feed waiting since before `since`.
    pub fn close_stalled(&mut self, since: Instant) {
        for (id, connection) in &mut self.connections {
            let is_stalled =
                connection.served().is_some() && connection.behind_since.is_some_and(|began| began < since);
            if is_stalled {
                connection.fall_behind(id, &self.bus, &mut self.woken);
            }
        }
    }

    fn apply(&mut self, seq: u64, event: &Event, now: Instant) {
        let index = self.last_values.fold(seq, event);
        let kind = event.kind();
        let of_all = self.subscriptions.of_all(kind).iter();
        let by_name = self.subscriptions.of(&event.symbol, kind).iter();
        let connections = &mut self.connections;
        // A connection that takes all symbols gets this one once.
        let takers = of_all.map(|id| (*id, true)).chain(by_name.map(|id| (*id, false)));
        for (id, takes_all) in takers {
            let connection = &mut connections[id];
            if connection.is_closing || !takes_all && connection.wants.all.contains(kind) {
                continue;
            }
            connection.behind_since.get_or_insert(now);
            if connection.resuming.is_some() {
                connection.wake(id, &mut self.woken);
            } else if connection.outbox.holds() {
                connection.outbox.hold(index, kind);
                connection.wake(id, &mut self.woken);
            } else {
                let (seq, frame) = self.frames.latest(&self.last_values, index, kind);
                let pushed = connection.outbox.push_event(seq, frame, self.settings.paced);
                connection.pushed(id, pushed, &self.bus, &mut self.woken);
            }
        }
    }

    fn mark(&mut self, state: FeedState) {
        self.feed = state;
        let frame = Reply::Feed((&self.feed).into());
        for (id, connection) in &mut self.connections {
            if !connection.is_subscriber || connection.is_closing {
                continue;
            }
            if connection.outbox.is_full() && connection.outbox.is_blocked() {
                connection.fall_behind(id, &self.bus, &mut self.woken);
                continue;
            }
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.say(&frame);
            connection.wake(id, &mut self.woken);
        }
    }

    /// The log has passed this shard: what lies between is lost, and every subscriber is told.
    fn start_again(&mut self, start: Start) {
        let after = self.last_values.seq();
        tracing::warn!(after, until = start.last_values.seq(), "a shard fell behind the history");
        self.last_values = start.last_values;
        self.feed = start.feed;
        let until = self.last_values.seq();
        for (id, connection) in &mut self.connections {
            // One that is still being sent what it missed finds for itself that the log has passed it.
            if !connection.is_subscriber || connection.is_closing || connection.resuming.is_some() {
                continue;
            }
            if connection.outbox.delivery().0 == Delivery::Every {
                connection.fall_behind(id, &self.bus, &mut self.woken);
                continue;
            }
            connection.outbox.drop_held();
            connection.say(&Reply::Gap { after: Some(after), until: Some(until), reason: GapReason::Lagged });
            let wants = connection.wants.clone();
            connection.say_snapshots(&self.last_values, !wants.all.is_empty(), wants.names.keys());
            connection.wake(id, &mut self.woken);
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
        let connection = &mut self.connections[id];
        connection.wants = wants;
        connection.outbox.release(&self.last_values, &mut self.frames);
        let resumed = missed == Some(Missed::Held);
        let standing = self.standing(id, resumed);
        let connection = &mut self.connections[id];
        connection.say(&Reply::subscribed(request_id, standing));
        if let (true, Some(cursor)) = (resumed, after) {
            connection.resuming = Some(cursor.seq);
            connection.outbox.reaches(cursor.seq);
        } else {
            if let Some(Missed::Lost { after, until, reason }) = missed {
                connection.say(&Reply::Gap { after, until, reason });
            }
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
        let new_names = symbols.names.iter().filter(|name| !wants.names.contains_key(*name)).count();
        let new_star = usize::from(symbols.all && wants.all.is_empty());
        let limit = self.settings.max_symbols;
        if limit > 0 && wants.len() + new_names + new_star > limit {
            let message = format!("a connection has at most {limit} symbols; \"*\" counts as one");
            return Err(Refusal::new(ErrorCode::TooManySymbols, message));
        }
        Ok(())
    }

    fn check_cursor(&self, id: ConnectionId, cursor: &Cursor) -> Result<Missed, Refusal> {
        let connection = &self.connections[id];
        if connection.outbox.has_market_frames() || connection.resuming.is_some() {
            let message = "`after` comes with the first subscribe, before any market frame; open a new connection to resume";
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
    fn resume(&mut self, id: ConnectionId) {
        let head = self.last_values.seq();
        let connection = &mut self.connections[id];
        while let Some(after) = connection.resuming {
            if after >= head {
                // Where the client is ahead of this shard, the events in between are not for it.
                connection.resuming = (after > head).then_some(after);
                return;
            }
            let Ok(Some(chunk)) = self.bus.after(after) else {
                connection.fall_behind(id, &self.bus, &mut self.woken);
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
            seq: self.last_values.seq(),
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

/// What the log has of what a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missed {
    /// All of it.
    Held,
    /// Too little.
    Lost { after: Option<u64>, until: Option<u64>, reason: GapReason },
}

impl Connection {
    fn say(&mut self, reply: &Reply<'_>) {
        self.outbox.push(|out| wire::text(out, |out| reply.write_to(out)));
    }

    fn say_snapshots<'a>(
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

    fn pushed(
        &mut self,
        id: ConnectionId,
        pushed: Result<(), Overflow>,
        bus: &Bus,
        woken: &mut Vec<ConnectionId>,
    ) {
        match pushed {
            Ok(()) => self.wake(id, woken),
            Err(Overflow) => self.fall_behind(id, bus, woken),
        }
    }

    /// Closes the connection with the cursor with which the client can come back.
    fn fall_behind(&mut self, id: ConnectionId, bus: &Bus, woken: &mut Vec<ConnectionId>) {
        self.outbox.cut();
        let cursor = Cursor { epoch: bus.epoch().to_owned(), seq: self.outbox.last_written() };
        self.closing = Some(CloseReason::Server(CloseCode::SlowConsumer, cursor.to_string().into()));
        self.is_closing = true;
        self.wake(id, woken);
    }

    fn wake(&mut self, id: ConnectionId, woken: &mut Vec<ConnectionId>) {
        if !std::mem::replace(&mut self.is_woken, true) {
            woken.push(id);
        }
    }

    /// The newest event that an `every` client has been served; `None` where it does not keep a feed waiting.
    fn served(&self) -> Option<u64> {
        let keeps = self.outbox.delivery().0 == Delivery::Every && !self.is_closing;
        let waiting = self.outbox.first_waiting().map(|seq| seq.saturating_sub(1));
        keeps.then_some(waiting.or(self.resuming)).flatten()
    }
}
