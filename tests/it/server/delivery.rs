//! Tests of subscribing and resuming: snapshots, events, gaps and feed states.

use tickerplant::config::Config;
use tickerplant::market::FeedState;

use crate::support::events::{quote, trade};
use crate::support::late_reader::gets_every_event_though_it_reads_late;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

#[tokio::test]
async fn a_late_subscriber_gets_the_last_values_before_any_live_event() {
    let server = TestServer::start(Config::default()).await;
    server.publish([quote("AAPL", "189.53", "189.55"), trade("AAPL", "189.54"), trade("MSFT", "402")]);
    let mut client = server.connect("/ws").await;

    client.send(r#"{"action":"subscribe","symbols":["AAPL"],"id":7}"#).await;

    let reply = client.expect(r#"{"type":"subscribed","id":7,"trades":["AAPL"],"resumed":false}"#).await;
    let snapshot = client.expect(r#"{"type":"snapshot","symbol":"AAPL"}"#).await;
    // The shard may lag behind the head. Events that it has not folded yet arrive live.
    let mut seen = snapshot["seq"].as_u64().unwrap();
    assert_eq!(reply["seq"], seen);
    while seen < 2 {
        seen = client.json().await["seq"].as_u64().unwrap();
    }
    server.publish([trade("AAPL", "189.60")]);
    client.expect(r#"{"type":"trade","symbol":"AAPL","seq":4,"price":189.60,"size":100}"#).await;
}

#[tokio::test]
async fn a_client_gets_what_it_subscribed_to_and_nothing_else() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws?symbols=AAPL&channels=trades").await;
    client.expect(r#"{"type":"subscribed","trades":["AAPL"],"quotes":[],"bars":[]}"#).await;

    server.publish([trade("MSFT", "1"), quote("AAPL", "1", "2"), trade("AAPL", "3")]);
    client.expect(r#"{"type":"trade","symbol":"AAPL","seq":3}"#).await;

    client.send(r#"{"action":"unsubscribe","symbols":["AAPL"],"id":"x"}"#).await;
    client.expect(r#"{"type":"unsubscribed","id":"x","trades":[]}"#).await;
    server.publish([trade("AAPL", "4")]);
    client.quiet().await;
}

#[tokio::test]
async fn a_star_and_a_name_give_each_event_once() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws?symbols=*,AAPL").await;
    client.expect(r#"{"type":"subscribed","trades":["*","AAPL"]}"#).await;

    server.publish([trade("AAPL", "1"), trade("NEW", "2")]);

    client.expect(r#"{"type":"trade","symbol":"AAPL","seq":1}"#).await;
    client.expect(r#"{"type":"trade","symbol":"NEW","seq":2}"#).await;
}

#[tokio::test]
async fn a_client_that_comes_back_with_its_cursor_misses_nothing() {
    let server = TestServer::start(Config::default()).await;
    let mut first = server.connect("/ws?symbols=*&delivery=every").await;
    let epoch = first.expect(r#"{"type":"subscribed"}"#).await["epoch"].as_str().unwrap().to_owned();
    // Publishes more events than a segment of the log, or one part of a resume, can have.
    server.publish((0..3000).map(|n| trade("AAPL", &n.to_string())));
    assert_eq!(seqs(&mut first, 3000).await, (1..=3000).collect::<Vec<_>>());
    drop(first);
    server.publish([trade("AAPL", "3000")]);

    let mut second = server.connect(&format!("/ws?symbols=AAPL&delivery=every&after={epoch}-1200")).await;

    second.expect(r#"{"type":"subscribed","resumed":true}"#).await;
    assert_eq!(seqs(&mut second, 1801).await, (1201..=3001).collect::<Vec<_>>());
    server.publish([trade("AAPL", "3001")]);
    assert_eq!(seqs(&mut second, 1).await, [3002]);
}

#[tokio::test]
async fn a_slow_reader_gets_every_event_whole_and_in_order() {
    let server = TestServer::start(Config::default()).await;
    let client = server.connect_with_room("/ws?symbols=A&delivery=every", 4096).await;

    gets_every_event_though_it_reads_late(&server, client).await;
}

#[tokio::test]
async fn a_resume_that_cannot_be_complete_gets_a_gap_and_snapshots() {
    let mut config = Config::default();
    config.bus.history = 4.try_into().unwrap();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let mut watcher = server.connect("/ws?symbols=A").await;
    let epoch = watcher.expect(r#"{"type":"subscribed"}"#).await["epoch"].as_str().unwrap().to_owned();
    for n in 1..=10 {
        server.publish([trade("A", &n.to_string())]);
        assert_eq!(seqs(&mut watcher, 1).await, [n]);
    }
    let resume = |cursor: String| format!(r#"{{"action":"subscribe","symbols":"A","after":"{cursor}"}}"#);

    // The history holds events 7 to 10. A resume after event 6 is complete, but a resume after event 5 is
    // not.
    let mut client = server.connect("/ws").await;
    client.send(&resume(format!("{epoch}-6"))).await;
    client.expect(r#"{"type":"subscribed","resumed":true}"#).await;
    assert_eq!(seqs(&mut client, 4).await, [7, 8, 9, 10]);

    let mut client = server.connect("/ws").await;
    client.send(&resume(format!("{epoch}-5"))).await;
    client.expect(r#"{"type":"subscribed","resumed":false}"#).await;
    client.expect(r#"{"type":"gap","after":5,"until":10,"reason":"history_exhausted"}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":10}"#).await;

    let mut client = server.connect("/ws").await;
    client.send(&resume("other-5".to_owned())).await;
    client.expect(r#"{"type":"subscribed","resumed":false}"#).await;
    let gap = client.expect(r#"{"type":"gap","reason":"epoch_changed"}"#).await;
    assert!(gap.get("after").is_none() && gap.get("until").is_none(), "{gap}");
    client.expect(r#"{"type":"snapshot","symbol":"A"}"#).await;

    // Only the first subscribe may have a cursor, and no cursor may be ahead of the feed.
    client.send(&resume(format!("{epoch}-6"))).await;
    client.expect(r#"{"type":"error","code":"bad_cursor"}"#).await;
    let mut client = server.connect("/ws").await;
    client.send(&resume(format!("{epoch}-11"))).await;
    client.expect(r#"{"type":"error","code":"bad_cursor"}"#).await;
}

#[tokio::test]
async fn a_heartbeat_accounts_for_every_event_of_the_subscription() {
    let mut config = Config::default();
    config.session.heartbeat = std::time::Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let mut client = server.connect("/ws?symbols=A&interval_ms=20").await;
    client.expect(r#"{"type":"subscribed","interval_ms":20}"#).await;

    server.publish((1..=500).map(|n| trade("A", &n.to_string())));

    let mut received = 0;
    let mut newest = 0;
    loop {
        let frame = client.json().await;
        if frame["type"] == "heartbeat" {
            assert_eq!(frame["sent"], received);
            if newest == 500 {
                assert_eq!(received + frame["merged"].as_u64().unwrap(), 500);
                assert_eq!(frame["seq"], 500);
                break;
            }
        } else {
            received += 1;
            newest = frame["seq"].as_u64().unwrap();
        }
    }
    assert!(received < 500, "an interval merges");
}

#[tokio::test]
async fn the_state_of_the_feed_follows_its_last_event() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws?symbols=*").await;
    client.expect(r#"{"type":"subscribed","feed":{"kind":"simulated","state":"starting"}}"#).await;

    server.bus().set_feed_state(FeedState::Running);
    server.publish([trade("A", "1")]);
    server.bus().set_feed_state(FeedState::Failed { detail: "the file ends in the middle".into() });

    client.expect(r#"{"type":"feed","state":"running"}"#).await;
    client.expect(r#"{"type":"trade","seq":1}"#).await;
    client.expect(r#"{"type":"feed","state":"failed","detail":"the file ends in the middle"}"#).await;
}

async fn seqs(client: &mut Client, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        let frame = client.json().await;
        match frame["type"].as_str() {
            Some("trade" | "quote" | "bar" | "status") => seqs.push(frame["seq"].as_u64().unwrap()),
            Some("heartbeat" | "snapshot") => {}
            _ => panic!("after {seqs:?} comes {frame}"),
        }
    }
    seqs
}
