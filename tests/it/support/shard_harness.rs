//! A harness for tests of one shard, with a log and clients. A test calls the log, the shard and the clients
//! step by step. The test also sets the current time. The harness has no sockets and no runtime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::bus::{self, Bus, Read, Reader, Segment};
use tickerplant::encoding::{Encoding, Value};
use tickerplant::hub::{ConnectionId, Relayed, Settings, Shard, Timeouts};
use tickerplant::market::{Bar, Event, FeedKind, FeedState, Kind, KindSet, Payload, Time};
use tickerplant::wire::{CloseReason, Command, CommandWithId, Cursor, Delivery, Message, Symbols};
use tokio::time::Instant;

use crate::support::client_model::{Answer, ClientModel};
use crate::support::event_bytes::EventBytes;
use crate::support::events::{halt, quote, trade, trading};
use crate::support::received_frames::{Frame, in_short, take_frames};
use crate::support::reference_history::{ReferenceHistory, seeks_at};

/// Time between heartbeats.
pub const PERIOD: Duration = Duration::from_secs(5);

/// The symbols. One symbol is much longer than the others, so that frames differ in length.
pub const SYMBOLS: [&str; 3] = ["A", "B", "A-LONG-NAME-OF-A-SYMBOL"];

/// A limit for a number of events or bytes. No test reaches this limit.
pub const ENOUGH: usize = 1 << 30;

/// The approximate length of a frame, in bytes.
const FRAME_BYTES: usize = 130;

/// The name of the epoch of each bus in these tests.
pub const EPOCH: &str = "test";

pub fn event(choice: u8) -> Event {
    let symbol = SYMBOLS[usize::from(choice) % SYMBOLS.len()];
    match choice % 8 {
        7 => {
            let (close, time) = (format!("{choice}").parse().unwrap(), "2024-01-03T14:30:00Z");
            let bar = Bar { interval: None, open: None, high: None, low: None, close, volume: None };
            Event { symbol: symbol.parse().unwrap(), time: time.parse().unwrap(), payload: Payload::Bar(bar) }
        }
        6 if choice & 16 == 0 => halt(symbol, &format!("news {choice}")),
        6 if choice & 32 == 0 => trading(symbol),
        even if even.is_multiple_of(2) => trade(symbol, &format!("{choice}.5")),
        _ => quote(symbol, "1", &format!("{choice}")),
    }
}

pub fn a_bus(history: usize, bytes: usize) -> Arc<Bus> {
    let nonzero = |n: usize| n.try_into().unwrap();
    let config = bus::Config { history: nonzero(history), history_bytes: nonzero(bytes) };
    Bus::new(&config, FeedKind::Simulated, EPOCH.to_owned())
}

/// Returns the symbols in [`SYMBOLS`] whose bits are set in `bits`, and `*` if `star` is set.
pub fn symbols(bits: u8, star: bool) -> Symbols {
    let names =
        (0..SYMBOLS.len()).filter(|n| bits & (1 << n) != 0).map(|n| SYMBOLS[n].parse().unwrap()).collect();
    Symbols { all: star, names }
}

/// Returns the channels whose bits are set in `bits`.
pub fn channels(bits: u8) -> KindSet {
    let kinds = Kind::CHANNELS.into_iter().filter(|kind| bits & (1 << kind.index()) != 0);
    kinds.fold(KindSet::NONE, |set, kind| set.with(kind.into()))
}

pub fn cursor(seq: u64) -> Cursor {
    Cursor { epoch: EPOCH.to_owned(), seq }
}

pub fn subscribe(symbols: Symbols, channels: KindSet, after: Option<Cursor>) -> Command {
    Command::Subscribe { symbols, channels, after, delivery: None, interval: None }
}

/// A step of a random test.
#[derive(Clone, Debug)]
pub enum Step {
    Publish(Vec<u8>),
    /// Publishes several events at once. Consecutive numbers choose the events. The first field is the first
    /// of these numbers. The second field is how many events are published.
    PublishMany(u8, usize),
    SetFeedState,
    /// The feed seeks to a new position. The numbers choose the events that happened before the new position.
    Seek(Vec<u8>),
    /// The shard reads the log, and the client's socket accepts at most this many bytes. If the flag is set,
    /// a heartbeat period passes before the shard reads.
    Read(usize, bool),
    Subscribe(u8, bool, u8),
    /// A subscribe that may also set the delivery and the conflation interval.
    SubscribeWith(u8, bool, Option<Delivery>, Option<Duration>),
    /// A client that has already subscribed tries to resume from the sequence number 0.
    ResumeAgain,
    Unsubscribe(u8, bool, u8),
    Set(Option<Delivery>, Option<Duration>),
    /// The session writes to the client's socket, which accepts at most this many bytes.
    Write(usize),
    /// The session tries to write to the client's socket, which accepts nothing.
    Block,
    /// Another client sends a message, which the shard relays. The client's socket accepts at most this many
    /// bytes.
    Relay(usize),
    /// The shard becomes overloaded if the flag is set. Otherwise, the shard recovers.
    Overload(bool),
}

pub fn step() -> impl Strategy<Value = Step> {
    let some = || (1_u8..8, prop::bool::weighted(0.2), 1_u8..8);
    let delivery = || prop_oneof![Just(None), Just(Some(Delivery::Every)), Just(Some(Delivery::Latest))];
    let interval = || prop_oneof![3 => Just(0), 1 => Just(60_000)].prop_map(Duration::from_millis);
    prop_oneof![
        6 => vec(any::<u8>(), 1..5).prop_map(Step::Publish),
        4 => (0_usize..700, any::<bool>()).prop_map(|(most, is_near)| Step::Read(most, is_near)),
        4 => any::<bool>().prop_map(|is_near| Step::Read(usize::MAX, is_near)),
        2 => some().prop_map(|(symbols, star, channels)| Step::Subscribe(symbols, star, channels)),
        1 => some().prop_map(|(symbols, star, channels)| Step::Unsubscribe(symbols, star, channels)),
        1 => (some(), delivery(), prop::option::of(interval())).prop_map(
            |((symbols, star, _), delivery, interval)| Step::SubscribeWith(symbols, star, delivery, interval)
        ),
        1 => (delivery(), interval()).prop_map(|(delivery, interval)| Step::Set(delivery, Some(interval))),
        6 => (1_usize..700).prop_map(Step::Write),
        2 => Just(Step::Block),
        1 => Just(Step::SetFeedState),
        1 => vec(any::<u8>(), 0..5).prop_map(Step::Seek),
        1 => (0_usize..100).prop_map(Step::Relay),
        1 => Just(Step::ResumeAgain),
        1 => any::<bool>().prop_map(Step::Overload),
    ]
}

/// Generates an encoding.
pub fn encoding() -> impl Strategy<Value = Encoding> {
    prop::sample::select(&Encoding::ALL[..])
}

/// Generates the size at which a part is complete, in bytes. A part of the missed events or the snapshots
/// then has one frame, a few frames, or everything.
pub fn catch_up_bytes() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(1), 2 => 100_usize..1000, 1 => Just(Settings::CATCH_UP_BYTES)]
}

/// Generates a delivery and a conflation interval.
pub fn delivery() -> impl Strategy<Value = (Delivery, Duration)> {
    prop_oneof![
        2 => Just((Delivery::Latest, Duration::ZERO)),
        1 => Just((Delivery::Latest, Duration::from_secs(7))),
        2 => Just((Delivery::Every, Duration::ZERO)),
    ]
}

/// A shard, its log, and a record of all published events.
pub struct ShardHarness {
    pub bus: Arc<Bus>,
    pub shard: Shard,
    pub now: Instant,
    pub past: ReferenceHistory,
    /// The bytes of each received event. All clients with the same encoding must receive the same bytes for
    /// an event.
    received: EventBytes,
    /// The number of seeks that the shard has read.
    seeks: usize,
    reader: Reader,
    /// For each connection, the bytes that its socket accepted and that the test has not parsed yet.
    socket_bytes: Vec<Vec<u8>>,
    /// For each connection that a session must close: the reason for the close.
    closing: BTreeMap<ConnectionId, CloseReason>,
}

/// A client with its model.
#[derive(Debug)]
pub struct Client {
    pub id: ConnectionId,
    pub encoding: Encoding,
    pub model: ClientModel,
}

/// Returns a function that stands for the clients' sockets. The socket of each client accepts at most `most`
/// bytes of a write, and stores these bytes in `socket_bytes`.
fn accept(
    socket_bytes: &mut [Vec<u8>],
    most: impl Fn(ConnectionId) -> usize,
) -> impl FnMut(ConnectionId, &[u8]) -> usize {
    move |id, bytes| {
        let count = bytes.len().min(most(id));
        socket_bytes[id].extend_from_slice(&bytes[..count]);
        count
    }
}

impl ShardHarness {
    pub fn new(bus: Arc<Bus>, every_buffer: usize) -> Self {
        Self::catching_up_by(Settings::CATCH_UP_BYTES, bus, every_buffer)
    }

    /// Returns a harness whose shard writes missed events, snapshots and conflated events in parts. Each part
    /// has about `catch_up_bytes` bytes.
    pub fn catching_up_by(catch_up_bytes: usize, bus: Arc<Bus>, every_buffer: usize) -> Self {
        let (reader, checkpoint) = bus.reader("test");
        let timeouts = Timeouts::default();
        let settings = Settings {
            heartbeat: PERIOD,
            every_buffer,
            max_symbols: 0,
            timeouts,
            flush_window: Duration::ZERO,
            has_system_clock: false,
            stall_timeout: Duration::from_secs(10),
            catch_up_bytes,
            conflated_events: catch_up_bytes.div_ceil(FRAME_BYTES),
        };
        let shard = Shard::new(Arc::clone(&bus), checkpoint, settings);
        Self {
            bus,
            shard,
            now: Instant::now(),
            past: ReferenceHistory::default(),
            received: EventBytes::default(),
            seeks: 0,
            reader,
            socket_bytes: Vec::new(),
            closing: BTreeMap::new(),
        }
    }

    pub fn connect(&mut self, encoding: Encoding, delivery: Delivery, interval: Duration) -> Client {
        let id = self.shard.connect(encoding, self.now);
        self.shard.set_delivery(id, delivery, interval);
        self.socket_bytes.resize_with(self.socket_bytes.len().max(id + 1), Vec::new);
        self.socket_bytes[id].clear();
        Client { id, encoding, model: ClientModel::new(delivery) }
    }

    pub fn publish(&mut self, events: Vec<Event>) {
        self.past.events.extend(events.iter().cloned());
        assert_eq!(self.bus.publish(events), self.past.head());
    }

    /// Lets the feed seek to a new position. The events in `folded` happened before the new position.
    pub fn seek(&mut self, folded: Vec<Event>, state: FeedState) {
        let (last_values, position) = self.past.seek(folded);
        self.bus.seek(last_values, position, state);
    }

    /// Executes a command of a client. Does nothing while too many replies to the client are pending, because
    /// its session then reads no commands.
    pub fn ask(&mut self, client: &mut Client, command: Command) {
        if !self.shard.may_read(client.id) {
            return;
        }
        if let Command::Subscribe { symbols, after, .. } = &command {
            let answer = self.answer(after.as_ref(), client.model.has_asked);
            client.model.asked(symbols.clone(), answer, self.seeks);
        }
        self.shard.execute(client.id, &CommandWithId { id: None, command }, Time::default());
    }

    /// Returns the answer that the shard must give now to a subscribe with the cursor `after`.
    pub fn answer(&self, after: Option<&Cursor>, has_asked: bool) -> Answer {
        match after {
            None => Answer::Fresh,
            Some(_) if has_asked => Answer::Refused,
            Some(cursor) if cursor.epoch != EPOCH => Answer::EpochChanged,
            Some(cursor) if cursor.seq > self.past.head() => Answer::Refused,
            Some(cursor) if self.bus.after(&cursor.epoch, cursor.seq).is_ok() => Answer::Resumed(cursor.seq),
            Some(cursor) => Answer::HistoryExhausted(cursor.seq),
        }
    }

    pub fn step(&mut self, client: &mut Client, step: Step) {
        match step {
            Step::Publish(choices) => self.publish(choices.into_iter().map(event).collect()),
            Step::PublishMany(first, count) => {
                self.publish((0..=u8::MAX).cycle().skip(first.into()).take(count).map(event).collect());
            }
            Step::SetFeedState => self.bus.set_feed_state(FeedState::Running),
            Step::Seek(choices) => self.seek(choices.into_iter().map(event).collect(), FeedState::Paused),
            Step::Read(most, is_near) => {
                self.now += if is_near { PERIOD } else { Duration::ZERO };
                self.read(|id| if id == client.id { most } else { usize::MAX });
            }
            Step::Subscribe(bits, star, kinds) => {
                self.ask(client, subscribe(symbols(bits, star), channels(kinds), None));
            }
            Step::SubscribeWith(bits, star, delivery, interval) => {
                let (symbols, channels, after) = (symbols(bits, star), KindSet::ALL, None);
                self.ask(client, Command::Subscribe { symbols, channels, after, delivery, interval });
            }
            Step::ResumeAgain if client.model.has_asked => {
                self.ask(client, subscribe(symbols(0, true), KindSet::ALL, Some(cursor(0))));
            }
            Step::ResumeAgain => {}
            Step::Unsubscribe(bits, star, kinds) => {
                let (symbols, channels) = (symbols(bits, star), channels(kinds));
                self.ask(client, Command::Unsubscribe { symbols, channels });
            }
            Step::Set(delivery, interval) => self.ask(client, Command::Set { delivery, interval }),
            Step::Write(most) => {
                self.write(client.id, most);
            }
            Step::Block => self.shard.block(client.id),
            Step::Overload(is_overloaded) => self.shard.set_overloaded(is_overloaded, self.now),
            Step::Relay(most) => {
                self.relay(r#"{"type":"message"}"#, |id| if id == client.id { most } else { usize::MAX });
            }
        }
    }

    /// Lets the shard read the log once. For each client, `most` returns the greatest number of bytes that
    /// the client's socket accepts. Returns false if the log had nothing new to read.
    pub fn read(&mut self, most: impl Fn(ConnectionId) -> usize) -> bool {
        let mut is_any = false;
        let next = || {
            let read = self.reader.try_next()?;
            is_any = true;
            let seek = match &read {
                Read::Segment(segment) => match &**segment {
                    Segment::Seek { seek, .. } => Some(*seek),
                    Segment::Events { .. } | Segment::FeedState { .. } => None,
                },
                Read::Lagged(checkpoint) => checkpoint.seek,
            };
            self.seeks = seek.map_or(self.seeks, |seek| seeks_at(seek.position));
            Some(read)
        };
        self.shard.read(self.now, Time::default(), next, accept(&mut self.socket_bytes, most));
        is_any
    }

    /// Lets the shard relay a message from another client. For each client, `most` returns the greatest number
    /// of bytes that the client's socket accepts.
    pub fn relay(&mut self, text: &str, most: impl Fn(ConnectionId) -> usize) {
        let message = Relayed { from: "c9".to_owned(), message: Message::Text(text.to_owned()) };
        self.shard.relay(&[Arc::new(message)], accept(&mut self.socket_bytes, most));
    }

    /// Lets the session of a client check whether it must close, and then write once. The client's socket
    /// accepts at most `most` bytes. Returns the number of bytes that the socket accepted.
    pub fn write(&mut self, id: ConnectionId, most: usize) -> usize {
        self.closing.extend(self.shard.take_closing(id).map(|reason| (id, reason)));
        if self.closing.contains_key(&id) {
            return 0;
        }
        self.shard.begin_turn();
        let waiting = self.shard.outgoing(id, self.now);
        let count = waiting.len().min(most);
        self.socket_bytes[id].extend_from_slice(&waiting[..count]);
        if count > 0 {
            self.shard.written(id, count);
        }
        count
    }

    /// Lets the client read all pending bytes.
    pub fn drain(&mut self, id: ConnectionId) {
        while self.write(id, usize::MAX) > 0 {}
    }

    /// Lets the shard read the whole log, and lets the client read all frames.
    pub fn settle(&mut self, id: ConnectionId) {
        while self.read(|_| usize::MAX) {
            self.drain(id);
        }
        self.drain(id);
    }

    /// Checks the received frames against the client's model.
    pub fn check(&mut self, client: &mut Client) -> Result<(), TestCaseError> {
        let frames = self.heard(client);
        self.received.check(client.encoding, &frames)?;
        client.model.take(frames, &self.past)
    }

    /// Removes and returns the complete frames that the client has received.
    pub fn heard(&mut self, client: &Client) -> Vec<Frame> {
        take_frames(client.encoding, &mut self.socket_bytes[client.id])
    }

    /// Returns whether the bytes that the client has received end with a complete frame.
    pub fn is_between_frames(&self, client: &Client) -> bool {
        self.socket_bytes[client.id].is_empty()
    }

    /// Lets the client read all pending frames. Checks that no event is missing, and that the last heartbeat
    /// counts every event.
    pub fn finish(&mut self, client: &mut Client) -> Result<(), TestCaseError> {
        self.settle(client.id);
        // Every due event comes before this reply. So the model checks all events up to the head.
        self.ask(client, Command::Set { delivery: None, interval: None });
        self.drain(client.id);
        self.now += 2 * PERIOD;
        self.shard.heartbeats(self.now, Time::default());
        self.drain(client.id);
        self.check(client)?;
        client.model.finish(&self.past)
    }

    /// If the shard wants to close the client, lets the session write the close with code 4008. Returns the
    /// cursor in this close, or `None` if there is no close.
    pub fn closed(&mut self, client: &mut Client) -> Result<Option<Cursor>, TestCaseError> {
        let reason = self.shard.take_closing(client.id).or_else(|| self.closing.remove(&client.id));
        let Some(reason) = reason else { return Ok(None) };
        let (code, text) = reason.frame().unwrap();
        prop_assert_eq!(code, 4008);
        self.check(client)?;
        let is_begun = !self.is_between_frames(client);
        self.send_close(client, code, text)?;
        let close_frames = self.heard(client);
        prop_assert!(close_frames.len() <= usize::from(is_begun), "nothing goes past the cursor");
        client.model.take(close_frames, &self.past)?;
        prop_assert!(self.is_between_frames(client), "the last frame before the close is whole");
        self.shard.disconnect(client.id);
        Ok(Some(text.parse().unwrap()))
    }

    /// Closes the client as a shutdown does: writes the pending bytes, and then the close.
    pub fn shut_down(&mut self, client: &mut Client) -> Result<(), TestCaseError> {
        self.send_close(client, 1001, "")?;
        self.check(client)?;
        prop_assert!(self.is_between_frames(client), "nothing follows the close");
        self.shard.disconnect(client.id);
        Ok(())
    }

    /// Lets the session write a close, and checks that the client receives nothing after this close.
    fn send_close(&mut self, client: &Client, code: u16, text: &str) -> Result<(), TestCaseError> {
        self.shard.close(client.id, code, text);
        while self.shard.has_bytes(client.id) {
            self.write(client.id, usize::MAX);
        }
        let mut close = Vec::new();
        client.encoding.write(&mut close, &Value::Close(code, text));
        prop_assert!(self.socket_bytes[client.id].ends_with(&close), "the close comes last");
        Ok(())
    }
}

/// Returns a harness whose log evicts nothing.
pub fn shard_with_endless_history() -> ShardHarness {
    ShardHarness::new(a_bus(ENOUGH, ENOUGH), 1 << 20)
}

/// Connects a client that subscribes to all events. If `after` is set, the client resumes after this sequence
/// number.
pub fn wildcard_client(shard: &mut ShardHarness, delivery: Delivery, after: Option<u64>) -> Client {
    let mut client = shard.connect(Encoding::WebSocket, delivery, Duration::ZERO);
    shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, after.map(cursor)));
    client
}

/// Lets the shard read the whole log.
pub fn read_all(shard: &mut ShardHarness) {
    while shard.read(|_| usize::MAX) {}
}

/// Returns a short description of each frame that the client received.
pub fn heard_in_short(shard: &mut ShardHarness, client: &Client) -> Vec<String> {
    in_short(&shard.heard(client))
}
