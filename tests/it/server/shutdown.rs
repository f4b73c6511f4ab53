//! Tests of the server's shutdown, which closes all connections and waits for the clients for a limited time.

use std::time::Duration;

use serde_json::Value;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::trade;
use crate::support::in_memory_server::{HERE, InMemoryServer, rest};
use crate::support::line_client::{LineClient, Next};
use crate::support::local_set::locally;
use crate::support::test_server::TestServer;

/// Returns a configuration with this time limit for a shutdown, and no time limit for the close of a
/// connection.
fn config(shutdown: Duration) -> Config {
    let mut config = Config::default();
    config.session.close_timeout = Duration::ZERO;
    config.server.shutdown = shutdown;
    config
}

#[tokio::test]
async fn a_shutdown_closes_every_client_with_1001() {
    let server = TestServer::start(Config::default()).await;
    let mut plain = server.connect("/ws").await;
    let mut subscriber = server.connect("/ws?symbols=A").await;
    subscriber.expect(r#"{"type":"subscribed"}"#).await;

    let ((), plain, subscriber) = tokio::join!(server.shut_down(), plain.closed(), subscriber.closed());

    assert_eq!((plain.0, subscriber.0), (1001, 1001));
}

#[tokio::test(start_paused = true)]
async fn only_a_client_with_a_request_or_a_websocket_keeps_a_shutdown_waiting() {
    locally(async {
        let mut server = InMemoryServer::start(config(Duration::ZERO));
        let mut fresh = server.open(HERE, 4096).await;
        let mut idle = server.open(HERE, 4096).await;
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            idle.read_buf(&mut answer).await.unwrap();
        }
        let mut stream = LineClient::ask(server.open(HERE, 4096).await, "/ndjson?symbols=A").await;
        assert_eq!(stream.line().await["type"], "subscribed");
        let mut asking = server.open(HERE, 4096).await;
        asking.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        sleep(Duration::from_millis(1)).await;
        let begin = Instant::now();

        server.stop();

        assert_eq!((rest(&mut fresh).await.as_str(), rest(&mut idle).await.as_str()), ("", ""));
        assert_eq!(stream.line().await["type"], "close");
        assert_eq!((stream.next().await, begin.elapsed()), (Next::End, Duration::ZERO));
        asking.write_all(b"Host: server\r\n\r\n").await.unwrap();
        let answer = rest(&mut asking).await;
        assert!(
            answer.contains("connection: close\r\n") && answer.ends_with(r#"{"status":"alive"}"#),
            "{answer}"
        );
        server.ended().await;
        assert_eq!(server.count_of(Limit::Shutdown), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_in_time_is_waited_for() {
    locally(async {
        let mut server = InMemoryServer::start(config(Duration::from_secs(10)));
        let mut client = server.connect("/ws").await;

        server.stop();
        assert_eq!(client.closed().await.0, 1001);
        assert!(timeout(Duration::from_millis(9990), server.ended()).await.is_err());
        drop(client);
        server.ended().await;

        assert_eq!(server.count_of(Limit::Shutdown), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_close_in_time_are_not_waited_for() {
    locally(async {
        let mut server = InMemoryServer::start(config(Duration::from_secs(10)));
        let [mut first, mut second] = [server.connect("/ws").await, server.connect("/ws").await];
        let begin = Instant::now();

        server.stop();
        assert_eq!((first.closed().await.0, second.closed().await.0), (1001, 1001));
        server.ended().await;

        assert_eq!(begin.elapsed().as_secs(), 10);
        assert_eq!(server.count_of(Limit::Shutdown), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_shutdown_takes_as_long_as_the_clients_do() {
    locally(async {
        let mut server = InMemoryServer::start(config(Duration::ZERO));
        let mut client = server.connect("/ws").await;

        server.stop();
        assert_eq!(client.closed().await.0, 1001);
        sleep(Duration::from_hours(1)).await;
        assert!(timeout(Duration::from_secs(1), server.ended()).await.is_err());
        drop(client);
        server.ended().await;

        assert_eq!(server.count_of(Limit::Shutdown), 0);
    })
    .await;
}

#[tokio::test]
async fn what_was_published_before_a_shutdown_reaches_every_client_first() {
    let server = TestServer::start(Config::default()).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = server.connect("/ws?symbols=*&delivery=every").await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        clients.push(client);
    }
    let mut latest = server.connect("/ws?symbols=*&interval_ms=60000").await;
    latest.expect(r#"{"type":"subscribed"}"#).await;

    for _ in 0..10 {
        server.publish(vec![trade("A", "1"); 500]);
    }
    let reading = async {
        for client in &mut clients {
            for seq in 1..=5000 {
                assert_eq!(client.json().await["seq"], seq);
            }
            assert_eq!(client.closed().await.0, 1001);
        }
        let mut newest = 0;
        while let Message::Text(text) = latest.next().await {
            newest = serde_json::from_str::<Value>(&text).unwrap()["seq"].as_u64().unwrap_or(newest);
        }
        assert_eq!(newest, 5000);
    };

    tokio::join!(server.shut_down(), reading);
}
