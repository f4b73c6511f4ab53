//! Tests that each client gets the new position after a seek of the feed, and the snapshots at that position.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tickerplant::bus::LastValueCache;
use tickerplant::market::{Event, FeedState};
use tickerplant::session::Config;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::{quote, trade};
use crate::support::local_set::locally;
use crate::support::session_harness::{Peer, SessionHarness};

fn seek(harness: &SessionHarness, folded: &[Event], position: &str) {
    let mut last_values = LastValueCache::at(harness.bus.head());
    for event in folded {
        last_values.fold_unpublished(event);
    }
    harness.bus.seek(last_values, position.parse().unwrap(), FeedState::Paused);
}

async fn expect(peer: &mut Peer, expected: Value) {
    assert_eq!(peer.json().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_seek_sends_its_position_and_the_day_at_that_position() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::from_millis(2), None);
        let mut client = harness.connect("symbols=A", 4096).await;
        client.json().await;
        let at = |time: &str, event: Event| Event { time: time.parse().unwrap(), ..event };
        harness.publish([at("2024-01-05T10:00:00Z", trade("A", "5"))]);
        assert_eq!(client.json().await["seq"], 1);

        let before = [
            at("2024-01-02T20:00:00Z", trade("A", "2")),
            at("2024-01-03T10:00:00Z", trade("A", "3")),
            at("2024-01-03T14:00:00Z", quote("A", "3", "4")),
        ];
        seek(&harness, &before, "2024-01-03T14:30:00Z");

        let told = json!({
            "type":"feed","state":"paused","position":"2024-01-03T14:30:00Z","seq":1,"snapshots":1
        });
        expect(&mut client, told).await;
        let snapshot = client.json().await;
        assert_eq!((&snapshot["seq"], &snapshot["quote"]["seq"]), (&json!(1), &json!(1)));
        assert_eq!(snapshot["trade"]["time"], "2024-01-03T10:00:00Z");
        assert_eq!(snapshot["day"]["change"], 1);
        harness.bus.set_feed_state(FeedState::Running);
        harness.publish([at("2024-01-03T14:31:00Z", trade("A", "6"))]);
        expect(&mut client, json!({"type":"feed","state":"running"})).await;
        assert_eq!(client.json().await["seq"], 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resumes_while_a_feed_is_paused_after_a_seek_gets_snapshots_at_once() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::from_millis(2), None);
        let mut witness = harness.connect("symbols=A", 4096).await;
        harness.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        seek(&harness, &[trade("A", "2")], "2024-01-03T14:30:00Z");
        let start = Instant::now();

        // The first client subscribes before the shard reads the seek. The second client subscribes after the
        // shard has read the seek.
        for kinds in
            [["subscribed", "gap", "feed", "snapshot"].as_slice(), &["subscribed", "gap", "snapshot"]]
        {
            let mut client = harness.connect("symbols=A&after=test-1", 4096).await;
            for kind in kinds {
                assert_eq!(client.json().await["type"], *kind);
            }
        }

        assert!(start.elapsed() < Duration::from_millis(10), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn commands_during_a_seek_are_answered_after_the_snapshots() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut client = harness.connect("symbols=*", 1 << 20).await;
        assert_eq!(client.json().await["type"], "subscribed");
        let symbols: Vec<Event> = (0..1000).map(|n| trade(&format!("S{n}"), "1")).collect();

        // Both the seek and the command are pending before the session runs.
        seek(&harness, &symbols, "2024-01-03T14:30:00Z");
        let subscribe = r#"{"action":"subscribe","symbols":["S0"]}"#;
        client.socket.send(Message::text(subscribe)).await.unwrap();

        assert_eq!(client.json().await["snapshots"], symbols.len());
        for _ in &symbols {
            assert_eq!(client.json().await["type"], "snapshot");
        }
        assert_eq!(client.json().await["type"], "subscribed");
    })
    .await;
}
