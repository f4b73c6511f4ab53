//! A shard: a fold of the log, and the connections that live on one thread.
//!
//! It reads the log at its own position, keeps the last values as of that position, and lays out
//! what is new as a batch, of which each client is written what it takes. A subscription is
//! answered from that very fold, so snapshot and updates join without a lock, a gap or a repeat.
//!
//! Plain values and plain methods: no I/O, no clock, no task.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::batch::Batch;
use super::beats::Beats;
use super::connection::Connection;
use super::frames::Frames;
use super::outbox::Overflow;
use super::subscriptions::{ConnectionId, Subscriptions};
use super::turns::turn;
use crate::bus::{Bus, LastValues, Read, Segment, Start};
use crate::market::{Event, FeedState, Time};
use crate::wire::{self, CloseReason, Delivery, Message, Refusal, Reply, RequestId};

/// After so many events the rest of the thread has its turn, whoever takes them.
const READ_EVENTS: usize = 4096;

/// What a shard is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time between heartbeats; one goes with an update up to an eighth of it early, where there is one.
    pub heartbeat: Duration,
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
    pub(super) bus: Arc<Bus>,
    pub(super) settings: Settings,
    pub(super) last_values: LastValues,
    pub(super) feed: FeedState,
    pub(super) frames: Frames,
    pub(super) subscriptions: Subscriptions,
    pub(super) connections: Slab<Connection>,
    /// Connections whose sessions have something new to do.
    pub(super) woken: Vec<ConnectionId>,
    batch: Batch,
    /// Room for a heartbeat that goes with it.
    beat: Vec<u8>,
    beats: Beats,
    /// Connections that take something of the batch.
    takers: Vec<ConnectionId>,
    /// Batches so far.
    batches: u64,
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
            batch: Batch::default(),
            beat: Vec::new(),
            beats: Beats::new(settings.heartbeat),
            takers: Vec::new(),
            batches: 0,
        }
    }

    /// Adds a plain connection.
    pub fn connect(&mut self, now: Instant) -> ConnectionId {
        let id = self.connections.insert(Connection::new(self.settings.every_buffer));
        self.beats.begin(id, now);
        id
    }

    /// Forgets a connection.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let mut wants = std::mem::take(&mut self.connections[id].wants);
        let had = wants.clone();
        self.subscriptions.remove(id, &mut wants, None, had.all);
        for (symbol, kinds) in had.names() {
            self.subscriptions.remove(id, &mut wants, Some(symbol), kinds);
        }
        self.connections.remove(id);
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
        while events_read < READ_EVENTS && !self.batch.is_full(self.takers.len()) {
            let Some(read) = next() else {
                is_drained = true;
                break;
            };
            match read {
                Read::Segment(segment) => match &*segment {
                    Segment::Events { first, events } => {
                        for (seq, event) in (*first..).zip(events) {
                            self.apply(seq, event);
                        }
                        events_read += events.len();
                    }
                    // What every subscriber is told is written by the sessions before more is read.
                    Segment::Mark { state, .. } => {
                        self.flush(now, time, &mut write);
                        self.mark(state.clone());
                        break;
                    }
                },
                Read::Lagged(start) => {
                    self.flush(now, time, &mut write);
                    self.start_again(*start);
                    break;
                }
            }
        }
        self.flush(now, time, &mut write);
        is_drained
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
            let pushed = connection.outbox.push_news(frame);
            connection.pushed(id, pushed, &self.bus, &mut self.woken);
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

    /// How often to [see](Self::heartbeats) who has to be told that the server lives.
    #[must_use]
    pub fn beat_check(&self) -> Duration {
        self.beats.check_period()
    }

    /// Tells the subscribers whose heartbeat is due that the server lives. One that is not reading is told when it reads.
    pub fn heartbeats(&mut self, now: Instant, time: Time) {
        let mut from = 0;
        while let Some(id) = self.beats.next_due(from, now) {
            from = id + 1;
            let connection = self.connections.get_mut(id).filter(|connection| connection.is_subscriber);
            if connection.as_ref().is_some_and(|connection| connection.outbox.is_blocked()) {
                continue;
            }
            self.beats.gone(id, now);
            if let Some(connection) = connection.filter(|connection| !connection.is_closing) {
                let heartbeat = connection.heartbeat(time, self.last_values.seq());
                connection.say(&heartbeat);
                connection.wake(id, &mut self.woken);
            }
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
        if connection.outbox.bytes().is_empty() {
            connection.say_gap(&self.last_values);
        }
        if connection.outbox.due(now).is_some_and(|due| due <= now) {
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.outbox.rest(now);
        }
        if connection.owes_state && connection.outbox.bytes().is_empty() {
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.say(&Reply::Feed((&self.feed).into()));
            connection.owes_state = false;
        }
        connection.outbox.bytes()
    }

    /// Says that a client's socket took bytes; returns whether a feed that waits may go on.
    pub fn written(&mut self, id: ConnectionId, count: usize) -> bool {
        let connection = &mut self.connections[id];
        connection.outbox.written(count);
        if connection.served().is_none() {
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
    pub fn due(&self, id: ConnectionId, now: Instant) -> Option<Instant> {
        self.connections[id].outbox.due(now)
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
        connection.closing = None;
        connection.say_gap(&self.last_values);
        connection.outbox.release(&self.last_values, &mut self.frames);
        connection.outbox.push(|out| wire::close(out, code, reason));
        connection.is_closing = true;
    }

    /// Wakes the sessions that have something new to do.
    pub fn wake(&mut self) {
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

    /// Closes the `every` clients that have kept the feed waiting for `timeout`, by what was seen at each call.
    pub fn close_stalled(&mut self, now: Instant, timeout: Duration) {
        let is_waiting = self.bus.is_waiting();
        for (id, connection) in &mut self.connections {
            if !is_waiting || connection.served().is_none() {
                connection.behind_since = None;
            } else if now.duration_since(*connection.behind_since.get_or_insert(now)) >= timeout {
                connection.fall_behind(id, &self.bus, &mut self.woken);
            }
        }
    }

    fn apply(&mut self, seq: u64, event: &Event) {
        let index = self.last_values.fold(seq, event);
        let kind = event.kind();
        let key = (index, kind);
        let of_all = self.subscriptions.of_all(kind);
        let by_name = self.subscriptions.of(&event.symbol, kind);
        // A connection that takes all symbols gets this one once.
        let may_repeat = !of_all.is_empty();
        let takers = of_all.iter().map(|id| (*id, true)).chain(by_name.iter().map(|id| (*id, false)));
        let mut number = None;
        let mut clients = 0;
        for (id, takes_all) in takers {
            let connection = &mut self.connections[id];
            if connection.is_closing || may_repeat && !takes_all && connection.wants.all.contains(kind) {
                continue;
            }
            // The gap that the client is to be told of goes on.
            if connection.owes_gap.is_some() {
                continue;
            }
            if connection.resuming.is_some() {
                connection.wake(id, &mut self.woken);
            } else if connection.outbox.holds() {
                connection.hold(id, key, &mut self.woken);
            } else {
                let number = *number.get_or_insert_with(|| {
                    let (seq, frame) = self.frames.latest(&self.last_values, key);
                    self.batch.push(seq, key, frame)
                });
                clients += 1;
                if connection.outbox.take(number) {
                    self.takers.push(id);
                }
            }
        }
        if let Some(number) = number {
            self.batch.taken(number, clients);
        }
    }

    /// Writes to each taker what it takes of the batch, and its heartbeat where that is nearly due.
    fn flush(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        // Nobody is always the last.
        let first = turn(self.batches, self.takers.len() as u64);
        self.batches += 1;
        let (last, first) = self.takers.split_at(usize::try_from(first).expect("it is one of them"));
        for &id in first.iter().chain(last) {
            let connection = &mut self.connections[id];
            if !connection.outbox.is_empty() {
                let kept = connection.outbox.keep(&self.batch, self.settings.paced);
                connection.pushed(id, kept, &self.bus, &mut self.woken);
                continue;
            }
            self.beat.clear();
            if self.beats.is_near(id, now) {
                let heartbeat = connection.heartbeat(time, self.last_values.seq());
                wire::text(&mut self.beat, |out| heartbeat.write_to(out));
            }
            let count = write(id, self.batch.bytes(connection.outbox.runs(), &self.beat));
            match connection.outbox.flushed(&self.batch, count, self.settings.paced) {
                Ok(Some(beyond)) if !self.beat.is_empty() => {
                    self.beats.gone(id, now);
                    if beyond < self.beat.len() {
                        connection.outbox.push(|out| out.extend_from_slice(&self.beat));
                        connection.outbox.written(beyond);
                        connection.wake(id, &mut self.woken);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => connection.wake(id, &mut self.woken),
                Err(Overflow) => connection.fall_behind(id, &self.bus, &mut self.woken),
            }
        }
        self.takers.clear();
        self.batch.clear();
    }

    fn mark(&mut self, state: FeedState) {
        self.feed = state;
        let frame = feed_frame(&self.feed);
        for (id, connection) in &mut self.connections {
            if !connection.is_subscriber || connection.is_closing {
                continue;
            }
            let is_blocked = connection.outbox.is_blocked() || connection.owes_gap.is_some();
            if is_blocked && connection.outbox.delivery().0 == Delivery::Latest {
                // It is told with the newest values, when it reads again.
                connection.owes_state = true;
                continue;
            }
            connection.outbox.release(&self.last_values, &mut self.frames);
            let pushed = connection.outbox.push_news(&frame);
            connection.pushed(id, pushed, &self.bus, &mut self.woken);
        }
    }

    /// The log has passed this shard: what lies between is lost, and every subscriber is told.
    fn start_again(&mut self, start: Start) {
        let after = self.last_values.seq();
        let (until, lags) = (start.last_values.seq(), self.bus.lags());
        tracing::warn!(after, until, lags, "a shard fell behind the history");
        self.last_values = start.last_values;
        self.feed = start.feed;
        for (id, connection) in &mut self.connections {
            // One that is still being sent what it missed finds for itself that the log has passed it.
            if !connection.is_subscriber || connection.is_closing || connection.resuming.is_some() {
                continue;
            }
            if connection.outbox.delivery().0 == Delivery::Every {
                connection.fall_behind(id, &self.bus, &mut self.woken);
                continue;
            }
            // A client that does not read is told once, when it does.
            connection.owes_gap.get_or_insert(after);
            if connection.outbox.is_empty() {
                connection.say_gap(&self.last_values);
            }
            connection.wake(id, &mut self.woken);
        }
    }
}

/// How the feed fares, as a frame.
fn feed_frame(state: &FeedState) -> Vec<u8> {
    let mut frame = Vec::new();
    wire::text(&mut frame, |out| Reply::Feed(state.into()).write_to(out));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus;
    use crate::market::{Data, FeedKind, KindSet, Trade};
    use crate::wire::{Command, Request, Symbols};

    fn shard(every_buffer: usize) -> Shard {
        let bus = Bus::new(&bus::Config::default(), FeedKind::Stdin, "test".to_owned());
        let (_, start) = bus.reader();
        let heartbeat = Duration::from_secs(8);
        Shard::new(bus, start, Settings { heartbeat, every_buffer, max_symbols: 0, paced: false })
    }

    fn subscribe(shard: &mut Shard, delivery: Delivery, interval: Duration, now: Instant) -> ConnectionId {
        let id = shard.connect(now);
        shard.begin(id, delivery, interval);
        let symbols = Symbols { all: true, ..Symbols::default() };
        let command = Command::Subscribe { symbols, channels: KindSet::ALL, after: None };
        shard.handle(id, &Request { id: None, command }, Time::default());
        let answer = shard.outgoing(id, now).len();
        shard.written(id, answer);
        id
    }

    fn segment(first: u64) -> Read {
        let data = Data::Trade(Trade { price: "1".parse().unwrap(), size: None });
        let event = Event { symbol: "A".parse().unwrap(), time: Time::default(), data };
        Read::Segment(Arc::new(Segment::Events { first, events: vec![event; 100].into() }))
    }

    #[test]
    fn a_turn_ends_where_the_log_does_not_and_nobody_fills_a_batch() {
        let now = Instant::now();
        let mut shard = shard(1 << 20);
        subscribe(&mut shard, Delivery::Latest, Duration::from_secs(1), now);
        let mut first = 1;
        let endless = || {
            first += 100;
            Some(segment(first - 100))
        };

        let is_drained = shard.read(now, Time::default(), endless, |_, _| 0);

        assert!(!is_drained);
    }

    #[test]
    fn a_shutdown_says_goodbye_to_a_client_that_was_about_to_be_closed() {
        let now = Instant::now();
        let mut shard = shard(100);
        let id = subscribe(&mut shard, Delivery::Every, Duration::ZERO, now);
        let mut segment = Some(segment(1));
        shard.read(now, Time::default(), || segment.take(), |_, _| 0);

        shard.close(id, 1001, "");

        assert!(shard.take_closing(id).is_none());
        assert_eq!(shard.outgoing(id, now), [0x88, 2, 0x03, 0xe9]);
    }

    #[test]
    fn heartbeats_that_go_with_updates_keep_their_period() {
        let begin = Instant::now();
        let mut shard = shard(1 << 20);
        subscribe(&mut shard, Delivery::Every, Duration::ZERO, begin);
        let mut heartbeats = Vec::new();

        // A client has an update every half second for 80 s.
        for n in 0..160 {
            let now = begin + Duration::from_millis(500) * n;
            let mut segment = Some(segment(u64::from(n) * 100 + 1));
            shard.read(
                now,
                Time::default(),
                || segment.take(),
                |_, bytes| {
                    let text = String::from_utf8_lossy(bytes);
                    heartbeats.extend(text.contains("\"heartbeat\"").then_some(now - begin));
                    bytes.len()
                },
            );
        }

        assert_eq!(heartbeats.first(), Some(&Duration::from_secs(7)));
        assert_eq!(heartbeats.len(), 10, "{heartbeats:?}");
    }
}
