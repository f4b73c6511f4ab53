//! Tests of a flow-controlled feed: which clients the feed waits for, and for how long.

use std::time::Duration;

use futures_util::SinkExt;
use tickerplant::counters::Limit;
use tickerplant::market::FeedState;
use tickerplant::session::Config;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_waits_for_a_slow_client_but_not_for_one_that_does_not_read() {
    locally(async {
        let config = Config { every_buffer: 100, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut slow = harness.connect("symbols=*&delivery=every", 512).await;
        let mut still = harness.connect("symbols=*&delivery=every", 512).await;
        slow.json().await;
        let start = Instant::now();

        // These events have twice the size of the buffer. With flow control, the shard still closes no
        // client.
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        for n in 1..=100 {
            assert_eq!(slow.event().await["seq"], n);
        }
        harness.bus.caught_up().await;

        assert!((10..12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert_eq!(still.close_code().await.0, 4008);
        assert!(!slow.session.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_waits_for_a_client_that_reads_its_snapshots_but_not_for_one_that_reads_too_slowly()
 {
    const SYMBOLS: usize = 2000;
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, Some(Duration::from_secs(10)));
        harness.publish((0..SYMBOLS).map(|n| trade(&format!("S{n}"), "1")));
        harness.bus.caught_up().await;
        let mut slow = harness.connect("symbols=*&delivery=every", 512).await;
        let mut too_slow = harness.connect("symbols=*&delivery=every", 512).await;
        harness.publish([trade("S0", "2")]);
        let start = Instant::now();
        let read_too_slowly = async {
            while !too_slow.session.is_finished() {
                sleep(Duration::from_secs(1)).await;
                too_slow.socket.next().await;
            }
        };
        let read = async {
            assert_eq!(slow.json().await["snapshots"], SYMBOLS);
            let mut snapshots = 0;
            while snapshots < SYMBOLS {
                sleep(Duration::from_millis(20)).await;
                snapshots += usize::from(slow.json().await["type"] == "snapshot");
            }
        };

        tokio::join!(harness.bus.caught_up(), read_too_slowly, read);

        assert_eq!(harness.bus.counters().count_of(Limit::StallTimeout), 1);
        assert!((40..42).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert!(!slow.session.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_continues_when_the_slow_client_leaves() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, Some(Duration::from_secs(10)));
        let still = harness.connect("symbols=*&delivery=every", 512).await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), harness.bus.caught_up()).await.is_err());

        drop(still.socket);

        timeout(Duration::from_secs(1), harness.bus.caught_up()).await.expect("the feed waits for no client");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_a_waiting_feed_and_does_not_read_is_closed() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, Some(Duration::from_secs(10)));
        let first = harness.connect("symbols=*&delivery=every", 512).await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), harness.bus.caught_up()).await.is_err());
        let mut still = harness.connect("symbols=*&delivery=every&after=test-0", 512).await;
        drop(first.socket);

        timeout(Duration::from_secs(12), harness.bus.caught_up()).await.expect("the feed goes on");

        assert_eq!(still.close_code().await.0, 4008);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn when_flow_control_ends_the_next_event_closes_a_client_over_its_buffer() {
    locally(async {
        let config = Config { every_buffer: 2000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut client = harness.connect("symbols=*&delivery=every", 512).await;
        client.json().await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        sleep(Duration::from_secs(1)).await;
        assert!(!client.session.is_finished());

        harness.bus.set_flow_controlled(false);
        sleep(Duration::from_secs(2)).await;
        assert!(!client.session.is_finished());
        harness.publish([trade("A", "101")]);

        assert_eq!(client.close_code().await.0, 4008);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flow_controlled_feed_sends_its_state_after_more_events_than_the_buffer_holds() {
    locally(async {
        let config = Config { every_buffer: 1000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut client = harness.connect("symbols=*&delivery=every", 512).await;
        client.json().await;

        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        harness.bus.set_feed_state(FeedState::Paused);

        for seq in 1..=100 {
            assert_eq!(client.json().await["seq"], seq);
        }
        assert_eq!(client.json().await["state"], "paused");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_flow_control_a_message_follows_more_events_than_the_buffer_holds() {
    locally(async {
        let config = Config { every_buffer: 1000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut sender = harness.connect("", 65_536).await;
        let mut client = harness.connect("symbols=*&delivery=every", 512).await;
        client.json().await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), harness.bus.caught_up()).await.is_err());

        for _ in 0..2 {
            sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
            sender.socket.next().await.unwrap().unwrap();
        }

        for seq in 1..=100 {
            assert_eq!(client.json().await["seq"], seq);
        }
        assert_eq!(client.json().await["type"], "message");
        assert_eq!(client.json().await["type"], "message");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn with_flow_control_messages_over_the_buffer_still_close_a_client() {
    locally(async {
        let config = Config { every_buffer: 1000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut sender = harness.connect("", 65_536).await;
        let mut asleep = harness.connect("symbols=*&delivery=every", 512).await;
        asleep.json().await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), harness.bus.caught_up()).await.is_err());

        for _ in 0..3 {
            sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
            sender.socket.next().await.unwrap().unwrap();
        }

        assert_eq!(harness.bus.counters().count_of(Limit::EveryBuffer), 1);
        assert_eq!(asleep.close_code().await.0, 4008);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn flow_control_includes_clients_that_were_slow_before_it_began() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut slow = harness.connect("symbols=*&delivery=every", 512).await;
        let mut still = harness.connect("symbols=*&delivery=every", 512).await;
        slow.json().await;
        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));
        sleep(Duration::from_secs(2)).await;

        harness.bus.set_flow_controlled(true);
        let start = Instant::now();
        assert!(timeout(Duration::from_secs(5), harness.bus.caught_up()).await.is_err());
        assert!(!harness.bus.is_waiting());
        sleep(Duration::from_secs(1)).await;
        for n in 1..=100 {
            assert_eq!(slow.event().await["seq"], n);
        }
        harness.bus.caught_up().await;

        // The stall timeout runs only while the feed waits. It starts again when the feed waits again.
        assert!((16..18).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert_eq!(still.close_code().await.0, 4008);
        assert!(!slow.session.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn updates_of_a_busy_feed_that_does_not_wait_are_collected() {
    locally(async {
        let window = Duration::from_secs(1);
        let harness = SessionHarness::open(Config::default(), window, None);
        let mut client = harness.connect("symbols=A", 1 << 20).await;
        client.json().await;
        for (is_busy, is_flow_controlled, waited) in [
            (false, false, Duration::ZERO),
            (true, false, window),
            (true, true, Duration::ZERO),
            (true, false, window),
        ] {
            // A busy feed publishes many updates of a client within one window.
            let burst = if is_busy { 2000 } else { 0 };
            harness.publish((0..burst).map(|_| trade("A", "0")));
            for _ in 0..burst {
                client.event().await;
            }
            harness.bus.set_flow_controlled(is_flow_controlled);
            sleep(Duration::from_secs(2)).await;
            harness.publish([trade("A", "1")]);
            client.event().await;
            let start = Instant::now();

            harness.publish([trade("A", "2")]);
            client.event().await;

            assert!(
                (waited..=waited + Duration::from_millis(5)).contains(&start.elapsed()),
                "busy {is_busy}, flow-controlled {is_flow_controlled}: {:?}",
                start.elapsed()
            );
            harness.bus.set_flow_controlled(false);
        }
    })
    .await;
}
