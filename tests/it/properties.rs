//! Whatever the order in which things happen: the log, the shard and the outbox keep their promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use tickerplant::bus::{self, Bus, LastValues, Read, Reader, Segment};
use tickerplant::hub::{Deadlines, Settings, Shard};
use tickerplant::market::{Event, FeedKind, FeedState, KindSet, Time};
use tickerplant::wire::{self, Command, Cursor, Delivery, Message, Request, Symbols};
use tokio::time::Instant;

use crate::support::{quote, trade};

/// Between heartbeats.
const PERIOD: Duration = Duration::from_secs(5);

const SYMBOLS: [&str; 3] = ["A", "B", "C"];

fn event(choice: u8) -> Event {
    let symbol = SYMBOLS[usize::from(choice) % SYMBOLS.len()];
    if choice.is_multiple_of(2) {
        trade(symbol, &format!("{choice}.5"))
    } else {
        quote(symbol, "1", &format!("{choice}"))
    }
}

fn a_bus(history: usize) -> Arc<Bus> {
    let config = bus::Config { history: history.try_into().unwrap(), ..bus::Config::default() };
    Bus::new(&config, FeedKind::Simulated, "test".to_owned())
}

#[derive(Clone, Debug)]
enum LogStep {
    Publish(Vec<u8>),
    Mark,
    Read(usize),
}

fn log_step() -> impl Strategy<Value = LogStep> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..6).prop_map(LogStep::Publish),
        1 => Just(LogStep::Mark),
        4 => (0_usize..8).prop_map(LogStep::Read),
    ]
}

proptest! {
    #[test]
    fn a_reader_gets_every_event_in_order_or_the_exact_fold_of_what_it_missed(
        history in 1_usize..12,
        steps in vec(log_step(), 1..60),
    ) {
        let bus = a_bus(history);
        let (mut reader, start) = bus.reader();
        let mut fold = start.last_values;
        let mut truth = LastValues::default();
        let mut published: Vec<Event> = Vec::new();
        for step in steps {
            match step {
                LogStep::Publish(choices) => {
                    let events: Vec<Event> = choices.into_iter().map(event).collect();
                    published.extend(events.iter().cloned());
                    prop_assert_eq!(bus.publish(events), published.len() as u64);
                }
                LogStep::Mark => bus.mark(FeedState::Running),
                LogStep::Read(count) => {
                    for _ in 0..count {
                        take(&mut reader, &mut fold, &mut truth, &published)?;
                    }
                }
            }
            let head = published.len() as u64;
            for after in 0..=head {
                let is_held = after + history as u64 >= head;
                let held = bus.after(after);
                prop_assert_eq!(held.is_ok(), is_held, "after {} of {}", after, head);
                if let Ok(Some(chunk)) = held {
                    let (seq, event) = chunk.iter().next().unwrap();
                    prop_assert_eq!((seq, event), (after + 1, &published[usize::try_from(after).unwrap()]));
                }
            }
        }
        while take(&mut reader, &mut fold, &mut truth, &published)? {}
        prop_assert_eq!(fold.seq(), published.len() as u64);
    }
}

/// Reads once and checks what comes; whether something came.
fn take(
    reader: &mut Reader,
    fold: &mut LastValues,
    truth: &mut LastValues,
    published: &[Event],
) -> Result<bool, TestCaseError> {
    match reader.try_next() {
        None => return Ok(false),
        Some(Read::Segment(segment)) => {
            if let Segment::Events { first, events } = &*segment {
                for (seq, event) in (*first..).zip(events) {
                    fold.fold(seq, event);
                }
            }
        }
        Some(Read::Lagged(start)) => *fold = start.last_values,
    }
    let seen = usize::try_from(truth.seq()).unwrap();
    for (seq, event) in (1..).zip(published).skip(seen).take_while(|(seq, _)| *seq <= fold.seq()) {
        truth.fold(seq, event);
    }
    prop_assert_eq!(&*fold, &*truth);
    Ok(true)
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<u8>),
    /// The socket takes so many bytes at once; a heartbeat may be nearly due.
    Read(usize, bool),
    Subscribe {
        symbols: u8,
        star: bool,
        channels: u8,
    },
    Unsubscribe {
        symbols: u8,
        star: bool,
        channels: u8,
    },
    Set {
        every: bool,
    },
    Write(usize),
    Block,
    Mark,
    Relay,
}

fn step() -> impl Strategy<Value = Step> {
    let some = (1_u8..8, prop::bool::weighted(0.2), 1_u8..8);
    prop_oneof![
        6 => vec(any::<u8>(), 1..5).prop_map(Step::Publish),
        4 => (0_usize..700, any::<bool>()).prop_map(|(most, is_near)| Step::Read(most, is_near)),
        4 => any::<bool>().prop_map(|is_near| Step::Read(usize::MAX, is_near)),
        2 => some.clone().prop_map(|(symbols, star, channels)| Step::Subscribe { symbols, star, channels }),
        1 => some.prop_map(|(symbols, star, channels)| Step::Unsubscribe { symbols, star, channels }),
        1 => any::<bool>().prop_map(|every| Step::Set { every }),
        6 => (1_usize..700).prop_map(Step::Write),
        2 => Just(Step::Block),
        1 => Just(Step::Mark),
        1 => Just(Step::Relay),
    ]
}

fn symbols(bits: u8, star: bool) -> Symbols {
    let names =
        (0..SYMBOLS.len()).filter(|n| bits & (1 << n) != 0).map(|n| SYMBOLS[n].parse().unwrap()).collect();
    Symbols { all: star, names }
}

fn channels(bits: u8) -> KindSet {
    let kinds = tickerplant::market::Kind::ALL.into_iter();
    kinds
        .filter(|kind| bits & (1 << kind.index()) != 0)
        .fold(KindSet::NONE, |set, kind| set.with(kind.into()))
}

proptest! {
    #[test]
    fn snapshots_updates_and_counts_join_exactly_however_a_client_subscribes_and_reads(
        steps in vec(step(), 1..80),
    ) {
        let bus = a_bus(1_000_000);
        let (mut reader, start) = bus.reader();
        let settings = Settings { heartbeat: PERIOD, every_buffer: 1 << 20, max_symbols: 0, paced: false, deadlines: Deadlines::default() };
        let mut shard = Shard::new(Arc::clone(&bus), start, settings);
        let mut now = Instant::now();
        let id = shard.connect(now);
        // Another client of the shard takes all: what the first takes of a batch has holes.
        let other = shard.connect(now);
        shard.begin(other, Delivery::Every, Duration::ZERO);
        let all = Command::Subscribe { symbols: symbols(0, true), channels: KindSet::ALL, after: None };
        shard.handle(other, &Request { id: None, command: all }, Time::default());
        let mut published = Vec::new();
        let mut client = Model::default();
        let ask = |shard: &mut Shard, command| shard.handle(id, &Request { id: None, command }, Time::default());
        for step in steps {
            match step {
                Step::Publish(choices) => {
                    let events: Vec<Event> = choices.into_iter().map(event).collect();
                    published.extend(events.iter().cloned());
                    bus.publish(events);
                }
                Step::Read(most, is_near) => {
                    now += if is_near { PERIOD } else { Duration::ZERO };
                    read(&mut reader, &mut shard, now, most, &mut client.bytes);
                }
                Step::Subscribe { symbols: bits, star, channels: kinds } => ask(
                    &mut shard,
                    Command::Subscribe { symbols: symbols(bits, star), channels: channels(kinds), after: None },
                ),
                Step::Unsubscribe { symbols: bits, star, channels: kinds } => ask(
                    &mut shard,
                    Command::Unsubscribe { symbols: symbols(bits, star), channels: channels(kinds) },
                ),
                Step::Set { every } => {
                    let delivery = Some(if every { Delivery::Every } else { Delivery::Latest });
                    ask(&mut shard, Command::Set { delivery, interval: None });
                }
                Step::Write(most) => {
                    let bytes = shard.outgoing(id, now);
                    let count = bytes.len().min(most);
                    client.bytes.extend_from_slice(&bytes[..count]);
                    if count > 0 {
                        shard.written(id, count);
                    }
                }
                Step::Block => shard.block(id),
                Step::Mark => bus.mark(FeedState::Running),
                Step::Relay => shard.relay("c9", &Message::Text(r#"{"type":"message"}"#.to_owned())),
            }
            drain(&mut shard, other, now, &mut Vec::new());
            client.check(&published)?;
        }
        while read(&mut reader, &mut shard, now, usize::MAX, &mut client.bytes) {
            drain(&mut shard, id, now, &mut client.bytes);
        }
        drain(&mut shard, id, now, &mut client.bytes);
        // A boundary at the head: all that was due has come by now.
        ask(&mut shard, Command::Set { delivery: None, interval: None });
        shard.heartbeats(now + 2 * PERIOD, Time::default());
        drain(&mut shard, id, now, &mut client.bytes);
        client.check(&published)?;
        prop_assert_eq!(client.counted, Some((client.received, client.due - client.received)));
        for key in &client.active {
            let newest = (1..).zip(&published).filter(|(_, event)| key_of(event) == *key).map(|(seq, _)| seq).last();
            let known = client.known.get(key).copied();
            prop_assert!(newest.is_none() || known >= newest, "{:?}: {:?} of {:?}", key, known, newest);
        }
    }

    #[test]
    fn a_client_that_is_closed_for_its_lag_comes_back_and_misses_nothing(
        limit in 200_usize..2000,
        steps in vec(step(), 1..120),
    ) {
        let bus = a_bus(1_000_000);
        let (mut reader, start) = bus.reader();
        let settings = Settings { heartbeat: PERIOD, every_buffer: limit, max_symbols: 0, paced: false, deadlines: Deadlines::default() };
        let mut shard = Shard::new(Arc::clone(&bus), start, settings);
        let mut now = Instant::now();
        let resume = |shard: &mut Shard, now: Instant, cursor: &str| {
            let id = shard.connect(now);
            shard.begin(id, Delivery::Every, Duration::ZERO);
            let after = Some(cursor.parse::<Cursor>().unwrap());
            let command = Command::Subscribe { symbols: symbols(0, true), channels: KindSet::ALL, after };
            shard.handle(id, &Request { id: None, command }, Time::default());
            id
        };
        let mut id = resume(&mut shard, now, "test-0");
        let mut bytes = Vec::new();
        let mut received = Vec::new();
        let mut count = 0;
        for step in steps {
            match step {
                Step::Publish(choices) => {
                    count = bus.publish(choices.into_iter().map(event).collect());
                }
                Step::Read(most, is_near) => {
                    now += if is_near { PERIOD } else { Duration::ZERO };
                    read(&mut reader, &mut shard, now, most, &mut bytes);
                }
                Step::Write(most) => {
                    let waiting = shard.outgoing(id, now);
                    let taken = waiting.len().min(most);
                    bytes.extend_from_slice(&waiting[..taken]);
                    if taken > 0 {
                        shard.written(id, taken);
                    }
                }
                Step::Mark => bus.mark(FeedState::Running),
                _ => shard.block(id),
            }
            if let Some(reason) = shard.take_closing(id) {
                let (code, cursor) = reason.frame().map(|(code, text)| (code, text.to_owned())).unwrap();
                prop_assert_eq!(code, 4008);
                shard.close(id, code, &cursor);
                drain(&mut shard, id, now, &mut bytes);
                received.extend(seqs(&frames(&mut bytes)));
                prop_assert!(bytes.is_empty(), "the last frame before the close is whole");
                prop_assert_eq!(format!("test-{}", received.last().copied().unwrap_or(0)), cursor.clone());
                shard.disconnect(id);
                id = resume(&mut shard, now, &cursor);
            }
        }
        // A client that reads all that there is.
        loop {
            drain(&mut shard, id, now, &mut bytes);
            if !read(&mut reader, &mut shard, now, usize::MAX, &mut bytes) {
                break;
            }
            if let Some(reason) = shard.take_closing(id) {
                let cursor = reason.frame().unwrap().1.to_owned();
                shard.disconnect(id);
                id = resume(&mut shard, now, &cursor);
            }
        }
        received.extend(seqs(&frames(&mut bytes)));
        prop_assert_eq!(received, (1..=count).collect::<Vec<_>>());
    }
}

/// A symbol and a kind.
type Key = (String, String);

fn key_of(event: &Event) -> Key {
    let kind = match event.kind() {
        tickerplant::market::Kind::Trade => "trade",
        tickerplant::market::Kind::Quote => "quote",
        tickerplant::market::Kind::Bar => "bar",
    };
    (event.symbol.to_string(), kind.to_owned())
}

/// What a client can know from its own frames alone, and what it was promised.
#[derive(Default)]
struct Model {
    bytes: Vec<u8>,
    /// What it takes, a `*` written out.
    active: BTreeSet<Key>,
    is_every: bool,
    /// Up to here it is known what was due.
    cursor: u64,
    newest: u64,
    received: u64,
    due: u64,
    known: BTreeMap<Key, u64>,
    counted: Option<(u64, u64)>,
}

impl Model {
    /// Takes in whole frames.
    fn check(&mut self, published: &[Event]) -> Result<(), TestCaseError> {
        for frame in frames(&mut self.bytes) {
            match frame["type"].as_str().unwrap() {
                "subscribed" | "unsubscribed" | "set" => {
                    self.pass(published, frame["seq"].as_u64().unwrap(), false)?;
                    self.is_every = frame["delivery"] == "every";
                    self.active = active(&frame);
                }
                "snapshot" => {
                    prop_assert_eq!(frame["seq"].as_u64(), Some(self.cursor));
                    for kind in ["trade", "quote", "bar"] {
                        if let Some(seq) = frame[kind]["seq"].as_u64() {
                            self.known
                                .insert((frame["symbol"].as_str().unwrap().to_owned(), kind.to_owned()), seq);
                        }
                    }
                }
                "feed" | "message" => {}
                "heartbeat" => {
                    prop_assert_eq!(frame["sent"].as_u64(), Some(self.received));
                    self.counted = Some((frame["sent"].as_u64().unwrap(), frame["merged"].as_u64().unwrap()));
                }
                kind => {
                    let seq = frame["seq"].as_u64().unwrap();
                    let key = (frame["symbol"].as_str().unwrap().to_owned(), kind.to_owned());
                    prop_assert!(self.active.contains(&key), "{} is not subscribed to", frame);
                    prop_assert!(seq > self.newest, "{} after {}", frame, self.newest);
                    prop_assert_eq!(&key_of(&published[usize::try_from(seq).unwrap() - 1]), &key);
                    self.pass(published, seq, true)?;
                    self.newest = seq;
                    self.received += 1;
                    self.known.insert(key, seq);
                }
            }
        }
        Ok(())
    }

    /// Goes on to `seq`: what was due on the way has been received, or may have been merged.
    fn pass(&mut self, published: &[Event], seq: u64, is_event: bool) -> Result<(), TestCaseError> {
        prop_assert!(seq >= self.cursor, "back from {} to {}", self.cursor, seq);
        while self.cursor < seq {
            self.cursor += 1;
            let is_due = self.active.contains(&key_of(&published[usize::try_from(self.cursor).unwrap() - 1]));
            self.due += u64::from(is_due);
            let is_received = is_event && self.cursor == seq;
            prop_assert!(!(is_due && self.is_every && !is_received), "event {} is missing", self.cursor);
        }
        Ok(())
    }
}

fn active(reply: &Value) -> BTreeSet<Key> {
    let of = |list: &str, kind: &str| {
        let names: Vec<String> = serde_json::from_value(reply[list].clone()).unwrap();
        let all = names.iter().any(|name| name == "*");
        let names = if all { SYMBOLS.map(str::to_owned).to_vec() } else { names };
        names.into_iter().map(|name| (name, kind.to_owned())).collect::<Vec<_>>()
    };
    [of("trades", "trade"), of("quotes", "quote"), of("bars", "bar")].concat().into_iter().collect()
}

fn seqs(frames: &[Value]) -> Vec<u64> {
    let market =
        frames.iter().filter(|frame| matches!(frame["type"].as_str(), Some("trade" | "quote" | "bar")));
    market.map(|frame| frame["seq"].as_u64().unwrap()).collect()
}

/// Takes all whole text frames off the front; a close frame is dropped.
fn frames(bytes: &mut Vec<u8>) -> Vec<Value> {
    let mut taken = Vec::new();
    while let Some(len) = whole_frame(bytes) {
        let frame: Vec<u8> = bytes.drain(..len).collect();
        let header = if frame[1] < 126 { 2 } else { 4 };
        if frame[0] == 0x81 {
            taken.push(serde_json::from_slice(&frame[header..]).unwrap());
        }
    }
    taken
}

fn whole_frame(bytes: &[u8]) -> Option<usize> {
    // Asking about less than a header would be answered with all there is.
    let len = (bytes.len() >= 4).then(|| wire::first_frame_len(bytes))?;
    (len <= bytes.len()).then_some(len)
}

/// Has the shard read once, of which the first client's socket takes so many bytes; whether there was anything.
fn read(reader: &mut Reader, shard: &mut Shard, now: Instant, most: usize, bytes: &mut Vec<u8>) -> bool {
    let mut is_any = false;
    let next = || reader.try_next().inspect(|_| is_any = true);
    let take = |id, batch: &[u8]| {
        if id > 0 {
            return batch.len();
        }
        let count = batch.len().min(most);
        bytes.extend_from_slice(&batch[..count]);
        count
    };
    shard.read(now, Time::default(), next, take);
    is_any
}

fn drain(shard: &mut Shard, id: usize, now: Instant, bytes: &mut Vec<u8>) {
    loop {
        let waiting = shard.outgoing(id, now);
        let count = waiting.len();
        if count == 0 {
            return;
        }
        bytes.extend_from_slice(waiting);
        shard.written(id, count);
    }
}
