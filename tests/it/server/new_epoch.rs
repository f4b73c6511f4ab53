//! Tests of a log that starts over at a checkpoint: clients get the new epoch, or a gap, and then snapshots.

use tickerplant::bus::{Checkpoint, LastValueCache};
use tickerplant::config::Config;
use tickerplant::market::FeedState;

use crate::support::events::trade;
use crate::support::test_server::TestServer;

/// Returns a checkpoint at the sequence number 7, with one trade of the symbol `A`.
fn checkpoint(epoch: &str) -> Checkpoint {
    let mut last_values = LastValueCache::at(7);
    last_values.fold_unpublished(&trade("A", "9"));
    let feed_state = FeedState::Running;
    Checkpoint { epoch: epoch.into(), position: 0, last_values, feed_state, seek: None }
}

#[tokio::test]
async fn a_latest_client_is_told_of_a_new_epoch_and_goes_on_in_it() {
    let server = TestServer::start(Config::default()).await;
    server.publish([trade("A", "1"), trade("B", "1")]);
    server.caught_up().await;
    let mut client = server.connect("/ws?symbols=A,B").await;
    client.expect(r#"{"type":"subscribed","snapshots":2}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A"}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"B"}"#).await;

    server.bus().start_over(checkpoint("second"));

    let gap = client.expect(r#"{"type":"gap","reason":"epoch_changed","epoch":"second"}"#).await;
    assert_eq!((&gap["after"], &gap["until"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":7,"trade":{"seq":7,"price":9}}"#).await;
    server.publish([trade("A", "10")]);
    client.expect(r#"{"type":"trade","symbol":"A","seq":8,"price":10}"#).await;
}

#[tokio::test]
async fn an_every_client_is_closed_with_its_old_cursor_and_comes_back_to_a_gap() {
    let server = TestServer::start(Config::default()).await;
    let first = server.bus().epoch();
    let mut client = server.connect("/ws?symbols=A&delivery=every").await;
    client.expect(r#"{"type":"subscribed"}"#).await;
    server.publish([trade("A", "1")]);
    client.expect(r#"{"type":"trade","seq":1}"#).await;

    server.bus().start_over(checkpoint("second"));

    let cursor = format!("{first}-1");
    assert_eq!(client.closed().await, (4008, cursor.clone()));
    let mut client = server.connect(&format!("/ws?symbols=A&after={cursor}")).await;
    client.expect(r#"{"type":"subscribed","epoch":"second","resumed":false}"#).await;
    client.expect(r#"{"type":"gap","reason":"epoch_changed","epoch":"second"}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":7}"#).await;
}

#[tokio::test]
async fn a_checkpoint_of_the_same_epoch_is_a_gap_of_a_server_that_lagged() {
    let server = TestServer::start(Config::default()).await;
    let epoch = server.bus().epoch();
    server.publish([trade("A", "1")]);
    server.caught_up().await;
    let mut client = server.connect("/ws?symbols=A").await;
    client.expect(r#"{"type":"subscribed","snapshots":1}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":1}"#).await;

    server.bus().start_over(checkpoint(&epoch));

    client.expect(r#"{"type":"gap","after":1,"until":7,"reason":"lagged"}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":7}"#).await;
}
