//! A session over a socket in memory, with a clock that only moves when nothing else does.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::Value;
use tickerplant::bus;
use tickerplant::market::FeedState;
use tickerplant::session::Config;
use tickerplant::tally::Limit;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::{quote, trade};
use crate::support::local_set::locally;
use crate::support::session_harness::Desk;

#[tokio::test(start_paused = true)]
async fn a_heartbeat_comes_every_period_to_subscribers_alone() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut subscriber = desk.connect("symbols=A", 4096).await;
        let mut plain = desk.connect("", 4096).await;
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
async fn within_an_interval_the_newest_event_replaces_the_older_ones() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut client = desk.connect("symbols=A,B&interval_ms=1000", 4096).await;
        client.json().await;
        let start = Instant::now();

        // The first goes at once; what follows within the interval waits, the newest of each symbol and kind.
        desk.publish([trade("A", "1")]);
        assert_eq!(client.event().await["seq"], 1);
        assert_eq!(start.elapsed().as_millis(), 0);
        desk.publish([trade("A", "2"), trade("B", "3"), quote("A", "4", "5"), trade("A", "6")]);

        assert_eq!(
            [client.event().await, client.event().await, client.event().await].map(|f| f["seq"].clone()),
            [3, 4, 5]
        );
        assert!((1000..1005).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_gets_the_newest_values_when_it_reads_again() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut client = desk.connect("symbols=*", 512).await;
        client.json().await;

        for n in 1..=1000 {
            desk.publish([trade("A", &n.to_string()), trade("B", &n.to_string())]);
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
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut client = desk.connect("symbols=*&delivery=every", 512).await;
        client.json().await;

        for n in 1..=1000 {
            desk.publish([trade("A", &n.to_string())]);
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
        assert_eq!(desk.bus.tally().strikes(Limit::EveryBuffer), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_the_log_has_passed_tells_its_clients_and_goes_on() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::from_millis(2), None);
        let mut latest = desk.connect("symbols=A", 64 << 20).await;
        let mut every = desk.connect("symbols=A&delivery=every", 4096).await;
        desk.publish([trade("A", "1")]);
        assert_eq!(latest.event().await["seq"], 1);
        assert_eq!(every.event().await["seq"], 1);

        // More at once than the history holds, twice.
        let history = bus::Config::default().history.get();
        for _ in 0..2 {
            desk.publish((0..history + 1024).map(|n| trade("A", &n.to_string())));
        }
        desk.publish([trade("A", "2")]);

        let gap = latest.json().await;
        assert_eq!((gap["type"].as_str(), gap["reason"].as_str()), (Some("gap"), Some("lagged")), "{gap}");
        assert_eq!(gap["after"], 1);
        let snapshot = latest.json().await;
        assert_eq!((snapshot["type"].as_str(), &snapshot["seq"]), (Some("snapshot"), &gap["until"]));
        assert_eq!(every.close_code().await, (4008, "test-1".to_owned()));
        assert_eq!(desk.bus.tally().lags.get(), 1);
        // What came after it is in the log, and the shard goes on to its end.
        for seq in gap["until"].as_u64().unwrap() + 1..=desk.bus.head() {
            assert_eq!(latest.event().await["seq"], seq);
        }
        desk.publish([trade("A", "3")]);
        assert_eq!(latest.event().await["seq"], desk.bus.head());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_told_once_how_often_the_log_has_passed_its_shard() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut client = desk.connect("symbols=A,B", 300).await;
        assert_eq!(client.json().await["type"], "subscribed");
        let mut witness = desk.connect("symbols=A", 64 << 20).await;
        desk.publish((1..=20).map(|n| trade("A", &n.to_string())));
        while witness.event().await["seq"] != 20 {}
        let history = bus::Config::default().history.get();

        for _ in 0..3 {
            desk.publish((0..2 * history).map(|n| trade("A", &n.to_string())));
            while witness.event().await["seq"] != desk.bus.head() {}
        }

        assert_eq!(desk.bus.tally().lags.get(), 3);
        desk.publish([trade("B", "1")]);
        let mut gaps = Vec::new();
        loop {
            let frame = client.json().await;
            match frame["type"].as_str() {
                Some("gap") => gaps.push(frame),
                // It is in the snapshot already, or comes live.
                Some("snapshot" | "trade") if frame["symbol"] == "B" => break,
                _ => {}
            }
        }
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let lost = gaps[0]["until"].as_u64().unwrap() - gaps[0]["after"].as_u64().unwrap();
        assert!(lost > 5 * history as u64, "{gaps:?}");
        // Each event is in the gap, or sent, or merged, and in one of them alone.
        loop {
            let frame = client.json().await;
            if frame["type"] == "heartbeat" {
                let count = |name: &str| frame[name].as_u64().unwrap();
                assert_eq!(count("sent") + count("merged") + lost, count("seq"), "{frame} {gaps:?}");
                break;
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_not_made_to_wait_for_flush_windows() {
    locally(async {
        let window = Duration::from_secs(1);
        let desk = Desk::open(Config::default(), window, None);
        let mut client = desk.connect("symbols=A&delivery=every", 16 << 20).await;
        client.json().await;
        let start = Instant::now();

        // Many batches full.
        desk.publish((1..=30_000).map(|n| trade("A", &n.to_string())));

        for seq in 1..=30_000 {
            assert_eq!(client.event().await["seq"], seq);
        }
        assert!(start.elapsed() <= window, "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_behind_news_of_the_feed_closes_nobody_who_reads() {
    locally(async {
        let config = Config { every_buffer: 300_000, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut client = desk.connect("symbols=A&delivery=every", 16 << 20).await;
        client.json().await;

        desk.bus.mark(FeedState::Running);
        desk.publish((1..=30_000).map(|n| trade("A", &n.to_string())));

        assert_eq!(client.json().await["type"], "feed");
        for seq in 1..=30_000 {
            assert_eq!(client.event().await["seq"], seq);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_having_missed_nothing_is_heard_at_once() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut witness = desk.connect("symbols=A", 4096).await;
        desk.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        let mut client = desk.connect("symbols=A&after=test-1", 4096).await;
        let start = Instant::now();
        assert_eq!(client.json().await["resumed"], true);

        client.socket.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();

        assert_eq!(client.json().await["type"], "pong");
        assert_eq!(start.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_waits_for_a_slow_client_and_not_for_one_that_stands_still() {
    locally(async {
        let config = Config { every_buffer: 100, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, Some(Duration::from_secs(10)));
        let mut slow = desk.connect("symbols=*&delivery=every", 512).await;
        let mut still = desk.connect("symbols=*&delivery=every", 512).await;
        slow.json().await;
        let start = Instant::now();

        // Twice what the buffer takes: with a feed that waits, nobody is closed for that.
        desk.publish((1..=100).map(|n| trade("A", &n.to_string())));
        for n in 1..=100 {
            assert_eq!(slow.event().await["seq"], n);
        }
        desk.bus.level().await;

        assert!((10..12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert_eq!(still.close_code().await.0, 4008);
        assert!(!slow.session.is_finished());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_goes_on_when_the_client_that_it_waits_for_is_gone() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, Some(Duration::from_secs(10)));
        let still = desk.connect("symbols=*&delivery=every", 512).await;
        desk.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), desk.bus.level()).await.is_err());

        drop(still.socket);

        timeout(Duration::from_secs(1), desk.bus.level()).await.expect("nobody is waited for");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_a_waiting_feed_and_stands_still_does_not_hold_it_for_ever() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, Some(Duration::from_secs(10)));
        let first = desk.connect("symbols=*&delivery=every", 512).await;
        desk.publish((1..=100).map(|n| trade("A", &n.to_string())));
        assert!(timeout(Duration::from_secs(1), desk.bus.level()).await.is_err());
        let mut still = desk.connect("symbols=*&delivery=every&after=test-0", 512).await;
        drop(first.socket);

        timeout(Duration::from_secs(12), desk.bus.level()).await.expect("the feed goes on");

        assert_eq!(still.close_code().await.0, 4008);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_counts_from_the_last_release() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut client = desk.connect("symbols=A&interval_ms=60000", 4096).await;
        client.json().await;
        desk.publish([trade("A", "1")]);
        client.event().await;
        let start = Instant::now();

        client.socket.send(Message::text(r#"{"action":"set","interval_ms":100}"#)).await.unwrap();
        assert_eq!(client.json().await["type"], "set");
        desk.publish([trade("A", "2")]);
        client.event().await;

        assert!(start.elapsed() < Duration::from_millis(110), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_larger_than_the_buffer_close_nobody() {
    locally(async {
        let config = Config { every_buffer: 2000, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut witness = desk.connect("symbols=*", 65_536).await;
        desk.publish((1..=100).map(|n| trade(&format!("S{n}"), "1")));
        while witness.event().await["seq"] != 100 {}
        let mut client = desk.connect("symbols=*&delivery=every", 512).await;

        desk.publish([trade("S1", "2")]);
        witness.event().await;
        witness.socket.send(Message::text("hello")).await.unwrap();

        while client.event().await["seq"] != 101 {}
        assert_eq!(client.json().await["type"], "message");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_latest_client_is_never_closed_for_events() {
    locally(async {
        let config = Config { every_buffer: 250, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut client = desk.connect("symbols=*", 65_536).await;
        client.json().await;

        desk.publish((1..=100).map(|n| trade("A", &n.to_string())));

        while client.event().await["seq"] != 100 {}
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_relayed_message_that_does_not_fit_closes_the_peer_that_does_not_read() {
    locally(async {
        let config = Config { every_buffer: 1000, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut sender = desk.connect("", 65_536).await;
        let mut asleep = desk.connect("", 512).await;

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
async fn what_fits_the_buffer_to_the_byte_closes_nobody_and_one_message_more_does() {
    locally(async {
        // With its header each message has 404 bytes; one is in the socket, ten wait.
        let config = Config { every_buffer: 4040, ..Config::default() };
        let desk = Desk::open(config, Duration::ZERO, None);
        let mut sender = desk.connect("", 65_536).await;
        let mut asleep = desk.connect("", 404).await;
        for _ in 0..11 {
            sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
            assert_eq!(sender.socket.next().await.unwrap().unwrap().len(), 400);
        }
        assert_eq!(desk.bus.tally().strikes(Limit::EveryBuffer), 0);

        sender.socket.send(Message::text("x".repeat(400))).await.unwrap();
        assert_eq!(sender.socket.next().await.unwrap().unwrap().len(), 400);

        assert_eq!(asleep.close_code().await.0, 4008);
        assert_eq!(desk.bus.tally().strikes(Limit::EveryBuffer), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_does_not_hold_up_a_shutdown() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let peer = desk.connect("symbols=*", 64).await;
        desk.publish([trade("A", "1")]);
        tokio::task::yield_now().await;
        let start = Instant::now();

        desk.stop.cancel();
        peer.session.await.unwrap();

        assert!(start.elapsed() <= Duration::from_millis(2001), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_ahead_of_its_shard_is_heard_when_that_has_caught_up() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::from_millis(300), None);
        let mut witness = desk.connect("symbols=A", 4096).await;
        desk.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        // These wait for the end of the flush window, and the client has them already.
        desk.publish([trade("A", "2"), trade("A", "3")]);
        let mut client = desk.connect("symbols=B&after=test-3", 4096).await;
        let start = Instant::now();
        assert_eq!(client.json().await["resumed"], true);

        client.socket.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();

        assert_eq!(client.json().await["type"], "pong");
        assert!(start.elapsed() < Duration::from_millis(350), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_client_lets_the_others_have_their_turn() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::ZERO, None);
        let mut witness = desk.connect("symbols=A", 4096).await;
        witness.json().await;
        let mut flooding = desk.connect("", 65_536).await;
        // A masked text frame with a mask of zeros.
        let ping = [&b"\x81\x91\0\0\0\0"[..], br#"{"action":"ping"}"#].concat();

        flooding.socket.get_mut().write_all(&ping.repeat(2000)).await.unwrap();
        desk.publish([trade("A", "1")]);
        witness.event().await;

        let refused = desk.bus.tally().strikes(Limit::CommandRate);
        assert!(refused < 1000, "{refused} of 1900 before the others");
    })
    .await;
}
