//! What one client can make the server hold, whatever it asks for and however little it reads: so many bytes at the most.
//!
//! Each test asks for as much as the limits allow, and measures what is freed when the client has left. The figures are
//! those of the default limits, and stand in `docs/operations.md`.

use std::collections::VecDeque;
use std::time::Duration;

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::bus::LastValueCache;
use tickerplant::hub::Socket;
use tickerplant::market::{Event, FeedState, Time};
use tickerplant::session::{Config, Limits};
use tickerplant::wire::{CloseReason, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{sleep, timeout};

use crate::support::events::{bar, quote, trade};
use crate::support::proptest_cases::cases;
use crate::support::session_harness::SessionHarness;

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;

/// A connection that asks for nothing.
const IDLE: i64 = 2 * KIB;

/// 1,000 symbols by name, of the greatest length.
const NAMES: i64 = 600 * KIB;

/// The keys of what is conflated, of all symbols and kinds.
const CONFLATED: i64 = 32 * KIB;

/// What is written at a time of snapshots, of what a client missed, and of what is conflated.
const PART: i64 = 512 * KIB;

/// A message of which the last byte has not come.
const MESSAGE: i64 = 256 * KIB;

/// Answers, or what others say and events, up to `session.every_buffer`: twice in the room of a buffer that grows, and as
/// much for the places of frames if they are short.
const BUFFER: i64 = 4 * MIB;

/// All of it together.
const MOST: i64 = 10 * MIB;

const _: () = assert!(IDLE + NAMES + CONFLATED + PART + MESSAGE + 2 * BUFFER <= MOST);

const SYMBOLS: usize = 65_536;

/// How many bytes a socket in memory holds in each direction.
const SOCKET: usize = 4096;

/// A server with its clients, on this thread. The clock moves only when nothing else does.
struct Scene {
    runtime: Runtime,
    tasks: LocalSet,
    harness: SessionHarness,
}

/// A client that reads only what it is told to.
struct Client {
    socket: DuplexStream,
    session: JoinHandle<CloseReason>,
    /// What it has said and the server has not read.
    unread: VecDeque<u8>,
}

/// Lets the server do all that it can do.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

impl Scene {
    fn open() -> Self {
        // Rates would only make a client slower.
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
            // It waits where the server does not read.
            let _ = timeout(Duration::from_millis(1), written).await;
            settle().await;
        });
    }

    /// Has the client read so many bytes, or all that there are.
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

    /// Others say this, so often.
    fn relay(&self, text: &str, times: usize) {
        self.run(async {
            for _ in 0..times {
                self.harness.shard().relay("c9", &Message::Text(text.to_owned()));
            }
            settle().await;
        });
    }

    /// The feed goes on from elsewhere, where these symbols have data.
    fn seek(&self, symbols: &[String]) {
        let mut last_values = LastValueCache::at(self.harness.bus.head());
        for event in updates(symbols) {
            last_values.absorb(&event);
        }
        self.harness.bus.seek(last_values, Time::from_nanos(0), FeedState::Running);
        self.run(settle());
    }

    /// Publishes more at once than the history holds.
    fn lag(&self) {
        self.harness.publish((0..=SYMBOLS).map(|_| trade("S00000", "184.25")));
        self.run(settle());
    }

    /// Has the client leave; returns how many bytes it held, without those of its socket.
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

/// Returns how many bytes the two ends of a socket in memory take.
fn socket_bytes() -> i64 {
    let mut socket = None;
    measure(|| socket = Some(tokio::io::duplex(SOCKET))).bytes_current
}

/// A frame of a client, whose mask changes nothing.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u64).to_be_bytes();
    [&[head, 0xff][..], &len, &[0; 4], payload].concat()
}

/// As many names as a connection may have, as long as they may be.
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

/// Checks what something made the server hold.
fn check(what: &str, held: i64, most: i64) {
    assert!(held <= most, "{what}: {held} bytes, more than {most}");
    println!("{what}: {held} bytes of {most}");
}

#[test]
fn a_connection_that_asks_for_nothing_holds_next_to_nothing() {
    let scene = Scene::open();
    let mut clients = Vec::with_capacity(64);

    let grown = measure(|| clients.extend((0..64).map(|_| scene.connect(""))));

    check("idle", grown.bytes_current / 64 - socket_bytes(), IDLE);
}

#[test]
fn a_thousand_names_hold_so_much_however_often_they_come_and_go() {
    let scene = Scene::open();
    let (more, less) = (subscribe(&names()), unsubscribe(&names()));
    let mut client = scene.connect("");
    client.unread.reserve(2 * more.len());

    // The index that all share grows, too.
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
fn all_symbols_hold_some_bits_each_whatever_a_client_asks_for_while_it_does_not_read() {
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
    // It closes, and what is conflated goes before that.
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
fn a_resume_that_is_not_read_holds_a_part_of_it() {
    let scene = Scene::open();
    scene.publish((0..SYMBOLS).map(|_| trade("A", "184.25")));
    let oldest = (0..SYMBOLS as u64).find(|after| scene.harness.bus.after(*after).is_ok()).unwrap();

    for delivery in ["latest", "every"] {
        let client = scene.connect(&format!("symbols=*&after=test-{oldest}&delivery={delivery}"));
        check("resume", scene.leave(client), PART);
    }
}

#[test]
fn what_others_say_and_events_hold_up_to_the_buffer() {
    let scene = Scene::open();
    // As many bytes as fit, as many frames, and most of both together.
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
fn a_message_that_does_not_end_holds_no_more_than_it_may_be_long() {
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
fn answers_that_are_not_read_hold_up_to_the_buffer_and_as_much_of_what_others_say() {
    let scene = Scene::open();
    for question in [frame(0x81, br#"{"action":"ping"}"#), frame(0x89, &[])] {
        let mut client = scene.connect("");
        scene.send(&mut client, &question.repeat(60_000));
        scene.relay("x", 32_000);
        check("answers", scene.leave(client), 2 * BUFFER);
    }
}

#[test]
fn seeks_and_lags_hold_no_more_than_one_of_them() {
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

/// What a client and the world around it may do.
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
    fn whatever_a_client_does_it_holds_no_more_than_all_of_it_together(acts in vec(act(), 1..40)) {
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
