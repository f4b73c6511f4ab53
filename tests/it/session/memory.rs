//! Tests that the server uses a bounded amount of memory for one client. The bound holds for a client that
//! sends as much as possible, and for a client that never reads.
//!
//! In each test, the client makes the server use as much memory as the limits allow. Most tests measure the
//! memory that the server frees when the client leaves. The bounds in this file hold for the default
//! configuration. `docs/operations.md` lists the same bounds.

use std::collections::VecDeque;
use std::time::Duration;

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::bus::LastValueCache;
use tickerplant::hub::Socket;
use tickerplant::market::{Event, FeedState, Time};
use tickerplant::session::{Config, Limits};
use tickerplant::wire::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{sleep, timeout};

use crate::support::events::{bar, quote, trade};
use crate::support::proptest_cases::cases;
use crate::support::session_harness::SessionHarness;

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;

/// The most memory that an idle connection may use, in bytes.
const IDLE: i64 = 2 * KIB;

/// The most memory that a subscription may use, in bytes. The subscription has 1,000 symbols, and each name
/// has the greatest length.
const NAMES: i64 = 600 * KIB;

/// The most memory that the keys of a client's conflated updates may use, in bytes. A key is a symbol and a
/// kind of event.
const CONFLATED: i64 = 32 * KIB;

/// The most memory that one part of a long output may use, in bytes. The shard writes missed events,
/// snapshots and conflated updates in parts.
const PART: i64 = 512 * KIB;

/// The most memory that an incomplete message from a client may use, in bytes.
const MESSAGE: i64 = 256 * KIB;

/// The most memory that the pending replies to a client may use, in bytes. The pending events and relayed
/// messages of a client together have the same bound. The bound is greater than the limit in
/// `session.every_buffer`, because a growing buffer can use twice the memory of its content. If the frames in
/// the buffer are short, the list of their positions can use as much memory as the buffer.
const BUFFER: i64 = 4 * MIB;

/// The most memory that one connection may use in total, in bytes.
const MOST: i64 = 10 * MIB;

const _: () = assert!(IDLE + NAMES + CONFLATED + PART + MESSAGE + 2 * BUFFER <= MOST);

const SYMBOLS: usize = 65_536;

/// How many bytes fit in an in-memory socket in each direction.
const SOCKET: usize = 4096;

/// A shard and its clients, which all run on one thread with a paused clock.
struct Scene {
    runtime: Runtime,
    tasks: LocalSet,
    harness: SessionHarness,
}

/// A client that reads only when the test calls a method that reads.
struct Client {
    socket: DuplexStream,
    session: JoinHandle<CloseReason>,
    /// Bytes that the client wants to send, but that did not fit in the socket.
    unread: VecDeque<u8>,
}

/// Lets all tasks of the server run until every task waits.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

impl Scene {
    fn open() -> Self {
        // Without rate limits, the client can send as many commands as the other limits allow.
        let limits = Limits { command_rate: 0, control_rate: 0, ..Limits::default() };
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let tasks = LocalSet::new();
        let open = async { SessionHarness::open_with(Config::default(), limits, Duration::ZERO, None) };
        let harness = tasks.block_on(&runtime, open);
        Self { runtime, tasks, harness }
    }

    fn run<T>(&self, act: impl Future<Output = T>) -> T {
        self.tasks.block_on(&self.runtime, act)
    }

    fn connect(&self, query: &str) -> Client {
        let (ours, socket) = tokio::io::duplex(SOCKET);
        let mut session = None;
        self.run(async {
            session = Some(self.harness.serve(query, Socket::Other(Box::new(ours))));
            settle().await;
        });
        let session = session.expect("it has begun");
        Client { socket, session, unread: VecDeque::new() }
    }

    fn say(&self, client: &mut Client, text: &str) {
        self.send(client, &frame(0x81, text.as_bytes()));
    }

    fn send(&self, client: &mut Client, bytes: &[u8]) {
        client.unread.extend(bytes);
        self.run(async {
            let written = client.socket.write_all_buf(&mut client.unread);
            // If the server does not read, the rest of the bytes stays in `unread`.
            let _ = timeout(Duration::from_millis(1), written).await;
            settle().await;
        });
    }

    /// Lets the client read about `most` bytes, or all pending bytes if there are fewer.
    fn read(&self, client: &mut Client, most: usize) {
        let mut bytes = [0; SOCKET];
        self.run(async {
            for _ in 0..most.div_ceil(bytes.len()) {
                let read = timeout(Duration::from_millis(1), client.socket.read(&mut bytes)).await;
                if !read.is_ok_and(|read| read.is_ok_and(|count| count > 0)) {
                    break;
                }
            }
        });
    }

    fn read_all(&self, client: &mut Client) {
        self.read(client, usize::MAX);
    }

    fn publish(&self, events: impl IntoIterator<Item = Event>) {
        let mut events = events.into_iter().peekable();
        self.run(async {
            while events.peek().is_some() {
                self.harness.publish(events.by_ref().take(2048));
                settle().await;
            }
        });
    }

    /// Lets the shard relay the message `text` from another client, `times` times.
    fn relay(&self, text: &str, times: usize) {
        self.run(async {
            for _ in 0..times {
                self.harness.relay(text);
            }
            settle().await;
        });
    }

    /// Lets the feed seek to a position at which only the given symbols have data.
    fn seek(&self, symbols: &[String]) {
        let mut last_values = LastValueCache::at(self.harness.bus.head());
        for event in updates(symbols) {
            last_values.fold_unpublished(&event);
        }
        self.harness.bus.seek(last_values, Time::from_nanos(0), FeedState::Running);
        self.run(settle());
    }

    /// Publishes more events at once than the log can hold, so that the shard lags.
    fn lag(&self) {
        self.harness.publish((0..=SYMBOLS).map(|_| trade("S00000", "184.25")));
        self.run(settle());
    }

    /// Disconnects the client. Returns the number of bytes that the server freed, without the bytes of the
    /// client's in-memory socket.
    fn leave(&self, client: Client) -> i64 {
        let Client { socket, session, .. } = client;
        let freed = measure(|| {
            drop(socket);
            self.run(async {
                session.await.unwrap();
                settle().await;
            });
        });
        -freed.bytes_current - socket_bytes()
    }
}

/// Returns the number of bytes of memory that an in-memory socket uses, including both ends.
fn socket_bytes() -> i64 {
    let mut socket = None;
    measure(|| socket = Some(tokio::io::duplex(SOCKET))).bytes_current
}

/// Returns a WebSocket frame from a client with this first byte and payload, and with a mask of zeros.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u64).to_be_bytes();
    [&[head, 0xff][..], &len, &[0; 4], payload].concat()
}

/// Returns as many symbol names as one connection may subscribe to. Each name has the greatest allowed
/// length.
fn names() -> Vec<String> {
    (0..1000).map(|n| format!("{n:0>32}")).collect()
}

fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("S{n:0>5}")).collect()
}

fn updates(symbols: &[String]) -> impl Iterator<Item = Event> {
    symbols
        .iter()
        .flat_map(|name| [trade(name, "184.25"), quote(name, "184.24", "184.26"), bar(name, "184.25")])
}

fn subscribe(names: &[String]) -> String {
    serde_json::json!({ "action": "subscribe", "symbols": names }).to_string()
}

fn unsubscribe(names: &[String]) -> String {
    serde_json::json!({ "action": "unsubscribe", "symbols": names }).to_string()
}

/// Asserts that a measured number of bytes does not exceed a bound.
fn check(what: &str, held: i64, most: i64) {
    assert!(held <= most, "{what}: {held} bytes, more than {most}");
    println!("{what}: {held} bytes of {most}");
}

#[test]
fn an_idle_connection_takes_almost_no_memory() {
    let scene = Scene::open();
    let mut clients = Vec::with_capacity(64);

    let grown = measure(|| clients.extend((0..64).map(|_| scene.connect(""))));

    check("idle", grown.bytes_current / 64 - socket_bytes(), IDLE);
}

#[test]
fn memory_for_a_thousand_names_is_bounded_however_often_they_change() {
    let scene = Scene::open();
    let (more, less) = (subscribe(&names()), unsubscribe(&names()));
    let mut client = scene.connect("");
    client.unread.reserve(2 * more.len());

    // The measured growth includes the subscription index, which all clients share.
    let grown = measure(|| scene.say(&mut client, &more));
    check("names", grown.bytes_current, NAMES);
    let subscribed = scene.leave(client);
    check("names of one that leaves", subscribed, NAMES);

    let mut client = scene.connect("");
    scene
        .send(&mut client, &[frame(0x81, more.as_bytes()), frame(0x81, less.as_bytes())].concat().repeat(50));
    check("names that come and go", scene.leave(client), NAMES + BUFFER);

    scene.publish(updates(&names()));
    let mut client = scene.connect("");
    scene.say(&mut client, &more);
    check("names with snapshots", scene.leave(client), NAMES + PART);
    let query: Vec<_> = (0..1000).map(|n| format!("{n:0>15}")).collect();
    check("a long URL", scene.leave(scene.connect(&format!("symbols={}", query.join(",")))), NAMES);
}

#[test]
fn memory_for_all_symbols_is_bounded_for_a_client_that_does_not_read() {
    let scene = Scene::open();
    let (names, all) = (names(), symbols(SYMBOLS - 1000));
    let update_all = || scene.publish(updates(&names).chain(updates(&all)));
    update_all();

    check("snapshots", scene.leave(scene.connect("symbols=*")), PART);
    let stop_reading = |query: &str| {
        let mut client = scene.connect(query);
        scene.read_all(&mut client);
        update_all();
        client
    };
    check("conflated", scene.leave(stop_reading("symbols=*")), CONFLATED);
    let mut client = stop_reading("symbols=*&interval_ms=60000");
    // When the client closes, the server first writes the conflated updates, and then the close frame.
    let closing = measure(|| scene.send(&mut client, &frame(0x88, &[])));
    check(
        "conflated for an interval, and a close",
        scene.leave(client).max(closing.bytes_current),
        CONFLATED + PART,
    );
    for command in [
        r#"{"action":"set","delivery":"every"}"#.to_owned(),
        unsubscribe(&["*".to_owned()]),
        subscribe(&names),
    ] {
        let mut client = stop_reading("symbols=*");
        scene.say(&mut client, &command);
        check(&format!("conflated, and {command:.24}"), scene.leave(client), CONFLATED + PART + NAMES);
    }
}

#[test]
fn an_unread_resume_takes_the_memory_of_one_part() {
    let scene = Scene::open();
    scene.publish((0..SYMBOLS).map(|_| trade("A", "184.25")));
    let oldest = (0..SYMBOLS as u64)
        .find(|after| scene.harness.bus.after(&scene.harness.bus.epoch(), *after).is_ok())
        .unwrap();

    for delivery in ["latest", "every"] {
        let client = scene.connect(&format!("symbols=*&after=test-{oldest}&delivery={delivery}"));
        check("resume", scene.leave(client), PART);
    }
}

#[test]
fn memory_for_messages_and_events_is_bounded_by_the_buffer() {
    let scene = Scene::open();
    // The first case sends long messages. The second case sends messages below the minimum size with which a
    // frame counts. The third case sends messages slightly above this minimum.
    for (len, times) in [(4000, 261), (28, 32_767), (31, 31_774)] {
        let client = scene.connect("");
        scene.relay(&"x".repeat(len), times);
        check(&format!("{times} messages"), scene.leave(client), BUFFER);
        let client = scene.connect("");
        scene.relay(&"x".repeat(len), times + 1000);
        check("one message too many", scene.leave(client), BUFFER);
    }
    for events in [8000, 20_000] {
        let client = scene.connect("symbols=*&delivery=every");
        scene.publish((0..events).map(|_| trade("A", "184.25")));
        check("every event", scene.leave(client), BUFFER);
    }
}

#[test]
fn an_incomplete_message_takes_at_most_its_length_limit() {
    let scene = Scene::open();
    let long = frame(0x81, &vec![b'x'; 65_536]);
    let (first, last) = (frame(0x01, &vec![b'x'; 33_000]), frame(0x80, &vec![b'x'; 32_500]));
    let small = [
        frame(0x01, &vec![b'x'; 1024]),
        frame(0x00, &vec![b'x'; 1024]).repeat(62),
        frame(0x80, &vec![b'x'; 1024]),
    ];

    for message in [long, [first, last].concat(), small.concat()] {
        let mut client = scene.connect("");
        scene.send(&mut client, &message[..message.len() - 1]);
        check("a message but for a byte", scene.leave(client), MESSAGE);
    }
}

#[test]
fn memory_for_unread_replies_and_messages_is_bounded_by_the_buffer() {
    let scene = Scene::open();
    for question in [frame(0x81, br#"{"action":"ping"}"#), frame(0x89, &[])] {
        let mut client = scene.connect("");
        scene.send(&mut client, &question.repeat(60_000));
        scene.relay("x", 32_000);
        check("answers", scene.leave(client), 2 * BUFFER);
    }
}

#[test]
fn repeated_seeks_and_lags_take_no_more_memory_than_one() {
    let scene = Scene::open();
    let all = symbols(1000);
    scene.publish(updates(&all));

    for query in ["symbols=*", "symbols=*&interval_ms=60000", "symbols=*&delivery=every"] {
        let client = scene.connect(query);
        for _ in 0..50 {
            scene.seek(&all);
            scene.publish(updates(&all));
        }
        scene.lag();
        scene.seek(&all);
        scene.publish(updates(&all));
        check("seeks and lags", scene.leave(client), BUFFER);
    }
}

/// A step of a random test: an action of the client, of another client or of the feed.
#[derive(Clone, Debug)]
enum Act {
    Say(&'static str),
    SubscribeNames,
    UnsubscribeNames,
    BeginMessage,
    Read(usize),
    Update,
    Relay(usize, usize),
    Seek,
    Lag,
}

fn act() -> impl Strategy<Value = Act> {
    let command = prop::sample::select(&[
        r#"{"action":"subscribe","symbols":"*"}"#,
        r#"{"action":"unsubscribe","symbols":"*"}"#,
        r#"{"action":"set","interval_ms":60000}"#,
        r#"{"action":"set","delivery":"every"}"#,
        r#"{"action":"set","delivery":"latest","interval_ms":0}"#,
        r#"{"action":"subscribe","symbols":"*","after":"test-0"}"#,
        r#"{"action":"ping"}"#,
    ]);
    prop_oneof![
        4 => command.prop_map(Act::Say),
        2 => Just(Act::SubscribeNames),
        1 => Just(Act::UnsubscribeNames),
        1 => Just(Act::BeginMessage),
        2 => (0_usize..1 << 20).prop_map(Act::Read),
        4 => Just(Act::Update),
        1 => (1_usize..4000, 1_usize..100).prop_map(|(len, times)| Act::Relay(len, times)),
        1 => Just(Act::Seek),
        1 => Just(Act::Lag),
    ]
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn whatever_a_client_does_its_memory_is_bounded(acts in vec(act(), 1..40)) {
        let scene = Scene::open();
        let (names, all) = (names(), symbols(2000));
        let mut client = scene.connect("");
        for act in acts {
            match act {
                Act::Say(command) => scene.say(&mut client, command),
                Act::SubscribeNames => scene.say(&mut client, &subscribe(&names)),
                Act::UnsubscribeNames => scene.say(&mut client, &unsubscribe(&names)),
                Act::BeginMessage => scene.send(&mut client, &frame(0x01, &vec![b'x'; 60_000])),
                Act::Read(most) => scene.read(&mut client, most),
                Act::Update => scene.publish(updates(&names).chain(updates(&all))),
                Act::Relay(len, times) => scene.relay(&"x".repeat(len), times),
                Act::Seek => scene.seek(&all),
                Act::Lag => scene.lag(),
            }
        }
        check("all of it", scene.leave(client), MOST);
    }
}
