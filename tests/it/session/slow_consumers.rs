//! Tests of slow consumers: their pending bytes, conflation, and the close with code 4008.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::Value;
use tickerplant::counters::Limit;
use tickerplant::market::FeedState;
use tickerplant::session::Config;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_gets_the_newest_values_when_it_reads_again() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut client = harness.connect("symbols=*", 512).await;
        client.json().await;

        for n in 1..=1000 {
            harness.publish([trade("A", &n.to_string()), trade("B", &n.to_string())]);
            tokio::task::yield_now().await;
        }

        let mut received = 0;
        let mut newest = 0;
        while newest < 2000 {
            let seq = client.event().await["seq"].as_u64().unwrap();
            assert!(seq > newest);
            newest = seq;
            received += 1;
        }
        assert!(received < 100, "{received} frames: what was stale has not been merged");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_every_client_past_its_buffer_is_closed_with_the_cursor_of_its_last_frame() {
    locally(async {
        let config = Config { every_buffer: 2000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut client = harness.connect("symbols=*&delivery=every", 512).await;
        client.json().await;

        for n in 1..=1000 {
            harness.publish([trade("A", &n.to_string())]);
            tokio::task::yield_now().await;
        }

        let mut last = 0;
        let cursor = loop {
            match client.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    last = serde_json::from_str::<Value>(&text).unwrap()["seq"].as_u64().unwrap();
                }
                Message::Close(Some(frame)) => break (u16::from(frame.code), frame.reason.to_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(cursor, (4008, format!("test-{last}")));
        assert_eq!(harness.bus.counters().count_of(Limit::EveryBuffer), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_after_a_feed_state_closes_no_client_that_reads() {
    locally(async {
        let config = Config { every_buffer: 300_000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut client = harness.connect("symbols=A&delivery=every", 16 << 20).await;
        client.json().await;

        harness.bus.set_feed_state(FeedState::Running);
        harness.publish((1..=30_000).map(|n| trade("A", &n.to_string())));

        assert_eq!(client.json().await["type"], "feed");
        for seq in 1..=30_000 {
            assert_eq!(client.event().await["seq"], seq);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_larger_than_the_buffer_close_no_client() {
    locally(async {
        let config = Config { every_buffer: 2000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut witness = harness.connect("symbols=*", 65_536).await;
        harness.publish((1..=100).map(|n| trade(&format!("S{n}"), "1")));
        while witness.event().await["seq"] != 100 {}
        let mut client = harness.connect("symbols=*&delivery=every", 512).await;

        harness.publish([trade("S1", "2")]);
        witness.event().await;
        witness.socket.send(Message::text("hello")).await.unwrap();

        // The event arrives as an update, or in a snapshot that was written after the event.
        let mut newest = 0;
        loop {
            let frame = client.json().await;
            if frame["type"] == "message" {
                break;
            }
            newest = newest.max(frame["seq"].as_u64().unwrap());
        }
        assert_eq!(newest, 101);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_latest_client_is_never_closed_for_events() {
    locally(async {
        let config = Config { every_buffer: 250, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut client = harness.connect("symbols=*", 65_536).await;
        client.json().await;

        harness.publish((1..=100).map(|n| trade("A", &n.to_string())));

        while client.event().await["seq"] != 100 {}
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_relayed_message_that_does_not_fit_closes_the_peer_that_does_not_read() {
    locally(async {
        let config = Config { every_buffer: 1000, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut sender = harness.connect("", 65_536).await;
        let mut asleep = harness.connect("", 512).await;

        for _ in 0..10 {
            sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
            assert_eq!(sender.socket.next().await.unwrap().unwrap().len(), 400);
        }

        assert_eq!(asleep.close_code().await.0, 4008);
        assert!(!sender.session.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_fill_the_buffer_close_no_client_and_one_more_does() {
    locally(async {
        // With its header, each message has 404 bytes. The socket has room for one message, and the outbox
        // for ten.
        let config = Config { every_buffer: 4040, ..Config::default() };
        let harness = SessionHarness::open(config, Duration::ZERO, None);
        let mut sender = harness.connect("", 65_536).await;
        let mut asleep = harness.connect("", 404).await;
        for _ in 0..11 {
            sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
            assert_eq!(sender.socket.next().await.unwrap().unwrap().len(), 400);
        }
        assert_eq!(harness.bus.counters().count_of(Limit::EveryBuffer), 0);

        sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
        assert_eq!(sender.socket.next().await.unwrap().unwrap().len(), 400);

        assert_eq!(asleep.close_code().await.0, 4008);
        assert_eq!(harness.bus.counters().count_of(Limit::EveryBuffer), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_does_not_delay_a_shutdown() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let peer = harness.connect("symbols=*", 64).await;
        harness.publish([trade("A", "1")]);
        tokio::task::yield_now().await;
        let start = Instant::now();

        harness.stop();
        peer.session.await.unwrap();

        assert!(start.elapsed() <= Duration::from_millis(2001), "{:?}", start.elapsed());
    })
    .await;
}
