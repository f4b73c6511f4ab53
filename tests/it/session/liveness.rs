//! Tests of heartbeats and pings, of the timeout for silent clients, and of the time limit for a close.

use std::time::Duration;

use futures_util::SinkExt;
use tickerplant::counters::Limit;
use tickerplant::session::{Config, Limits};
use tickerplant::wire::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::{Peer, SessionHarness};

const PING: u8 = 0x89;
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// The bytes of a WebSocket pong frame from a client, with a mask of zeros.
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

/// The bytes of a WebSocket text frame from a client, with the payload `hi` and a mask of zeros.
const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

/// The greatest delay with which the server notices a timeout. The server checks its clients only a few times
/// a second.
const LOOK: Duration = Duration::from_millis(300);

/// The time limit for each wait in a test, on the paused clock. A test that waits longer fails.
const FOR_EVER: Duration = Duration::from_hours(1);

/// How many bytes fit in a client's in-memory socket. No test fills the socket.
const ROOM: usize = 1 << 20;

/// A client that sends nothing on its own, not even a pong.
struct Mute {
    socket: DuplexStream,
    session: JoinHandle<CloseReason>,
}

impl Mute {
    async fn connect(harness: &SessionHarness, query: &str, room: usize) -> Self {
        let Peer { socket, session } = harness.connect(query, room).await;
        Self { socket: socket.into_inner(), session }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Returns the first byte and the payload of the next WebSocket frame. Returns `None` at the end of the
    /// connection.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let first =
            timeout(FOR_EVER, self.socket.read_u8()).await.expect("a frame comes, or the end").ok()?;
        let len = match self.socket.read_u8().await.unwrap() {
            126 => usize::from(self.socket.read_u16().await.unwrap()),
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.socket.read_exact(&mut payload).await.unwrap();
        Some((first, payload))
    }

    /// Waits for the next ping and skips all other frames.
    async fn pinged(&mut self) {
        let pinged = async { while self.frame().await.expect("the connection stays").0 != PING {} };
        timeout(FOR_EVER, pinged).await.expect("it is pinged");
    }

    /// Waits until the connection ends, and asserts that no close frame arrives before the end. Returns the
    /// time at which the connection ended.
    async fn dropped(&mut self) -> Instant {
        let dropped = async {
            while let Some((first, _)) = self.frame().await {
                assert_ne!(first, CLOSE, "a client that is gone gets no close");
            }
        };
        timeout(FOR_EVER, dropped).await.expect("it is dropped");
        Instant::now()
    }
}

/// Waits until a session ends, and returns the reason for its end.
async fn ended(session: JoinHandle<CloseReason>) -> CloseReason {
    timeout(FOR_EVER, session).await.expect("the session ends").unwrap()
}

fn harness(limits: Limits) -> SessionHarness {
    SessionHarness::open_with(Config::default(), limits, Duration::ZERO, None)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn assert_is_about(elapsed: Duration, expected: Duration) {
    assert!((expected..expected + LOOK).contains(&elapsed), "{elapsed:?} is not {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_comes_every_period_to_subscribers_alone() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut subscriber = harness.connect("symbols=A", 4096).await;
        let mut plain = harness.connect("", 4096).await;
        let start = Instant::now();
        assert_eq!(subscriber.json().await["type"], "subscribed");

        for beat in 1..=3 {
            assert_eq!(subscriber.json().await["type"], "heartbeat");
            assert_eq!(start.elapsed().as_secs(), 5 * beat);
        }

        assert!(timeout(Duration::from_secs(1), plain.socket.next()).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_pinged_every_period_and_stays_while_it_answers_or_says_anything() {
    locally(async {
        let harness = harness(Limits::default());
        let mut client = Mute::connect(&harness, "", ROOM).await;

        let mut last = Instant::now();
        for answer in [PONG, HI, PONG] {
            client.pinged().await;
            assert_is_about(last.elapsed(), seconds(20));
            last = Instant::now();
            sleep(seconds(9)).await;
            client.send(answer).await;
        }

        client.pinged().await;
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_within_the_ping_timeout_is_dropped() {
    locally(async {
        let harness = harness(Limits::default());
        let mut client = Mute::connect(&harness, "", ROOM).await;
        // Bytes that the client sends before the ping do not count as an answer.
        sleep(seconds(19)).await;
        client.send(HI).await;
        client.pinged().await;
        let pinged = Instant::now();

        let dropped = client.dropped().await;

        assert_is_about(dropped - pinged, seconds(10));
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_accepted_update_is_a_sign_of_life_and_a_heartbeat_is_none() {
    locally(async {
        let harness = harness(Limits::default());
        let mut client = Mute::connect(&harness, "symbols=A", ROOM).await;
        let begin = Instant::now();

        // Each update is published after a ping, and before the ping timeout.
        for _ in 0..3 {
            client.pinged().await;
            sleep(seconds(8)).await;
            harness.publish([trade("A", "1")]);
        }
        let dropped = client.dropped().await;

        // An update followed each of the first three pings. Only heartbeats followed the fourth ping.
        assert!((seconds(90)..seconds(92)).contains(&(dropped - begin)), "{:?}", dropped - begin);
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_stays_and_one_that_stops_reading_is_dropped() {
    locally(async {
        let harness = harness(Limits::default());
        let mut slow = Mute::connect(&harness, "symbols=A&delivery=every", 1000).await;
        harness.publish((1..=500).map(|n| trade("A", &n.to_string())));

        for _ in 0..12 {
            sleep(seconds(9)).await;
            slow.socket.read_exact(&mut [0; 500]).await.unwrap();
        }
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 0);
        assert!(!slow.session.is_finished());

        let stopped = Instant::now();
        assert!(matches!(ended(slow.session).await, CloseReason::Unresponsive));
        assert!(stopped.elapsed() < seconds(31), "{:?}", stopped.elapsed());
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_drops_no_client_and_causes_no_burst() {
    locally(async {
        let harness = harness(Limits::default());
        let mut quiet = Mute::connect(&harness, "", ROOM).await;
        let mut subscriber = Mute::connect(&harness, "symbols=A", ROOM).await;
        sleep(seconds(1)).await;
        assert_eq!(waiting(&mut subscriber).await[0], TEXT);

        advance(Duration::from_hours(1)).await;
        sleep(seconds(4)).await;

        // Each client gets one ping, and the subscriber also gets one heartbeat.
        assert_eq!(waiting(&mut quiet).await, [PING]);
        let mut found = waiting(&mut subscriber).await;
        found.sort_unstable();
        assert_eq!(found, [TEXT, PING]);
        quiet.send(PONG).await;
        subscriber.send(PONG).await;
        sleep(seconds(8)).await;
        assert!(!quiet.session.is_finished() && !subscriber.session.is_finished());
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 0);
    })
    .await;
}

/// Reads all frames that are pending for a client. Returns the first byte of each of these frames.
async fn waiting(client: &mut Mute) -> Vec<u8> {
    let mut frames = Vec::new();
    while let Ok(Some((first, _))) = timeout(Duration::from_millis(10), client.frame()).await {
        frames.push(first);
    }
    frames
}

#[tokio::test(start_paused = true)]
async fn without_pings_a_client_may_be_silent_for_ever() {
    locally(async {
        for limits in [
            Limits { ping_interval: Duration::ZERO, ..Limits::default() },
            Limits { ping_timeout: Duration::ZERO, ..Limits::default() },
        ] {
            let is_pinged = !limits.ping_interval.is_zero();
            let harness = harness(limits);
            let mut client = Mute::connect(&harness, "", ROOM).await;

            sleep(seconds(600)).await;

            let pings = waiting(&mut client).await;
            assert_eq!(!pings.is_empty(), is_pinged);
            assert!(!client.session.is_finished());
            assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 0);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_close_answered_in_time_is_not_counted_and_a_later_one_is_cut_off() {
    locally(async {
        let harness = harness(Limits::default());
        let [mut prompt, mut late] = [harness.connect("", ROOM).await, harness.connect("", ROOM).await];
        for client in [&mut prompt, &mut late] {
            client.socket.send(Message::text("x".repeat(65_537))).await.unwrap();
            assert_eq!(client.close_code().await.0, 1009);
        }
        let closed = Instant::now();

        sleep(Duration::from_millis(1990)).await;
        drop(prompt.socket);
        ended(prompt.session).await;
        assert_eq!(harness.bus.counters().count_of(Limit::CloseTimeout), 0);

        ended(late.session).await;
        assert_eq!(closed.elapsed().as_millis() / 10, 200);
        assert_eq!(harness.bus.counters().count_of(Limit::CloseTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_close_takes_as_long_as_the_client_does() {
    locally(async {
        let config = Config { close_timeout: Duration::ZERO, ..Config::default() };
        let harness = SessionHarness::open_with(config, Limits::default(), Duration::ZERO, None);
        let mut client = harness.connect("", ROOM).await;
        client.socket.send(Message::text("x".repeat(65_537))).await.unwrap();
        assert_eq!(client.close_code().await.0, 1009);

        sleep(Duration::from_hours(1)).await;
        assert!(!client.session.is_finished());
        drop(client.socket);

        ended(client.session).await;
        assert_eq!(harness.bus.counters().count_of(Limit::CloseTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_pinged_when_the_clock_jumps_still_has_time_to_answer() {
    locally(async {
        let harness = harness(Limits::default());
        let mut client = Mute::connect(&harness, "", ROOM).await;
        client.pinged().await;
        sleep(seconds(1)).await;

        advance(Duration::from_hours(1)).await;
        sleep(seconds(1)).await;

        assert!(
            !client.session.is_finished(),
            "the client had one second, and the server did not listen for the rest of the hour"
        );
        client.send(PONG).await;
        sleep(seconds(15)).await;
        assert_eq!(harness.bus.counters().count_of(Limit::PingTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_begun_when_the_clock_jumps_still_has_time_to_complete() {
    locally(async {
        let harness = harness(Limits { ping_interval: Duration::ZERO, ..Limits::default() });
        let mut client = Mute::connect(&harness, "", ROOM).await;
        client.send(&HI[..3]).await;
        sleep(seconds(1)).await;

        advance(Duration::from_hours(1)).await;
        sleep(seconds(1)).await;

        assert_eq!(harness.bus.counters().count_of(Limit::MessageTimeout), 0);
        client.send(&HI[3..]).await;
        assert_eq!(client.frame().await, Some((TEXT, b"hi".to_vec())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_complete_message_is_in_time_even_when_its_reply_is_read_late() {
    locally(async {
        let harness = harness(Limits::default());
        harness.publish((1..=5000).map(|n| trade("A", &n.to_string())));
        let mut client = harness.connect("", 1000).await;
        let command = br#"{"action":"subscribe","symbols":"A","after":"test-0"}"#;
        let frame =
            [&[TEXT, 0x80 | u8::try_from(command.len()).unwrap(), 0, 0, 0, 0], command.as_slice()].concat();

        // The two pieces of the message arrive almost at once.
        client.socket.get_mut().write_all(&frame[..20]).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        client.socket.get_mut().write_all(&frame[20..]).await.unwrap();

        // The client reads its missed events slowly, for half a minute.
        for seq in 1..=5000 {
            sleep(Duration::from_millis(6)).await;
            assert_eq!(harness.bus.counters().count_of(Limit::MessageTimeout), 0, "before event {seq}");
            assert_eq!(client.event().await["seq"], seq);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_may_answer_every_ping_that_it_was_sent_even_all_at_once() {
    locally(async {
        let limits = Limits { ping_interval: seconds(1), ping_timeout: seconds(120), ..Limits::default() };
        let harness = harness(limits);
        let mut client = Mute::connect(&harness, "", ROOM).await;
        let mut pings = 0;
        while pings < 60 {
            client.pinged().await;
            pings += 1;
        }

        client.send(&PONG.repeat(pings)).await;

        sleep(seconds(5)).await;
        assert!(!client.session.is_finished());
        assert_eq!(harness.bus.counters().count_of(Limit::ControlRate), 0);
    })
    .await;
}
