//! Tests of three limits on connections. They limit the connections of the whole server, the connections of
//! one address, and how many connections one address may open per second.

use std::time::Duration;

use serde_json::Value;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Error;

use crate::support::in_memory_server::{HERE, InMemoryServer, rest};
use crate::support::local_set::locally;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// Returns the status of an HTTP response, and the error code in the response's body.
fn status(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("it is an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(
        status == 200 || body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Returns the HTTP status of a rejected handshake, and the error code in the response's body.
fn refused(outcome: Result<Client, Error>) -> (u16, String) {
    match outcome.map(drop) {
        Err(Error::Http(response)) => {
            let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap();
            (response.status().as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

fn health(more: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n")
}

#[tokio::test]
async fn a_client_over_the_limit_is_answered_503_and_the_others_stay() {
    let mut config = Config::default();
    config.limits.connections = 2;
    let server = TestServer::start(config).await;
    let mut first = server.connect("/ws").await;
    let second = server.connect("/ws").await;
    assert_eq!(server.count_of(Limit::Connections), 0);

    assert_eq!(refused(server.try_connect("/ws").await), (503, "too_many_connections".to_owned()));
    assert!(server.request("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.starts_with("HTTP/1.1 503"));
    // The server still answers requests for health and metrics.
    assert_eq!(status(&server.request(&health("")).await).0, 200);

    assert_eq!(server.count_of(Limit::Connections), 2);
    first.send("still here").await;
    assert_eq!(first.text().await, "still here");
    drop(second);
    free_again(async || server.try_connect("/ws").await.is_ok()).await;
}

#[tokio::test]
async fn an_address_over_its_limit_is_answered_429_and_its_others_stay() {
    let mut config = Config::default();
    (config.limits.per_address, config.limits.loopback) = (2, true);
    let server = TestServer::start(config).await;
    let mut first = server.connect("/ws").await;
    let second = server.connect("/ws").await;
    assert_eq!(server.count_of(Limit::PerAddress), 0);

    assert_eq!(refused(server.try_connect("/ws").await), (429, "too_many_connections".to_owned()));
    assert_eq!(status(&server.request(&health("")).await), (429, "too_many_connections".to_owned()));

    assert_eq!(server.count_of(Limit::PerAddress), 2);
    first.send("still here").await;
    assert_eq!(first.text().await, "still here");
    drop(second);
    free_again(async || server.try_connect("/ws").await.is_ok()).await;
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_answered_429() {
    let mut config = Config::default();
    (config.limits.new_per_second, config.limits.loopback) = (1, true);
    config.limits.new_burst = 1.try_into().unwrap();
    let server = TestServer::start(config).await;
    let mut first = server.connect("/ws").await;

    // The rate is one connection a second, and these connections are faster.
    let answer = async {
        loop {
            let answer = status(&server.request(&health("")).await);
            if answer.0 != 200 {
                break answer;
            }
        }
    };

    let answer = timeout(Duration::from_secs(20), answer).await.expect("it is too often");
    assert_eq!(answer, (429, "rate_limited".to_owned()));
    assert_eq!(server.count_of(Limit::NewPerSecond), 1);
    first.send("still here").await;
    assert_eq!(first.text().await, "still here");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_limits_apply_to_each_client() {
    let mut config = Config::default();
    config.limits.per_address = 1;
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = TestServer::start(config).await;
    // An open connection keeps its permit.
    let mut kept = server.open().await;
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(kept.read_buf(&mut answer).await.unwrap(), 0);
    }
    let behind = |address: &str| health(&format!("X-Forwarded-For: {address}\r\n"));

    let others = [behind("192.0.2.8"), behind("192.0.2.7, 192.0.2.9"), health("")];
    for request in others {
        assert_eq!(status(&server.request(&request).await).0, 200, "{request}");
    }
    assert_eq!(server.count_of(Limit::PerAddress), 0);

    // The server ignores an address that the client itself wrote into the header.
    for request in [behind("192.0.2.7"), behind("203.0.113.1, 192.0.2.7"), behind("192.0.2.7, 127.0.0.1")] {
        let found = status(&server.request(&request).await);
        assert_eq!(found, (429, "too_many_connections".to_owned()), "{request}");
    }
    assert_eq!(server.count_of(Limit::PerAddress), 3);
}

#[tokio::test]
async fn the_forwarded_header_of_an_untrusted_client_is_ignored() {
    let mut config = Config::default();
    (config.limits.per_address, config.limits.loopback) = (1, true);
    let server = TestServer::start(config).await;
    let _first = server.connect("/ws").await;

    let made_up = server.request(&health("X-Forwarded-For: 192.0.2.8\r\n")).await;

    assert_eq!(status(&made_up).0, 429);
}

#[tokio::test(start_paused = true)]
async fn an_address_may_connect_in_a_burst_and_then_at_the_rate() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        for _ in 0..256 {
            assert_eq!(status(&server.request(&health("")).await).0, 200);
        }
        sleep(Duration::from_secs(1)).await;
        for _ in 0..50 {
            assert_eq!(status(&server.request(&health("")).await).0, 200);
        }
        assert_eq!(server.count_of(Limit::NewPerSecond), 0);

        assert_eq!(status(&server.request(&health("")).await), (429, "rate_limited".to_owned()));
        assert_eq!(server.count_of(Limit::NewPerSecond), 1);
        assert!(server.try_connect("192.0.2.2", "/ws").await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_address_at_its_limit_does_not_limit_others() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut clients = Vec::new();
        for _ in 0..256 {
            clients.push(server.try_connect(HERE, "/ws").await.unwrap());
        }
        assert_eq!(server.count_of(Limit::PerAddress), 0);
        // After a second the rate allows another connection. So only the limit on open connections applies.
        sleep(Duration::from_secs(1)).await;

        let outcome = server.try_connect(HERE, "/ws").await;

        assert_eq!(refused(outcome), (429, "too_many_connections".to_owned()));
        assert_eq!(server.count_of(Limit::PerAddress), 1);
        assert!(server.try_connect("192.0.2.2", "/ws").await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_limits_an_address_may_open_any_number_of_connections_at_once() {
    locally(async {
        let mut config = Config::default();
        config.limits.connections = 0;
        (config.limits.per_address, config.limits.new_per_second) = (0, 0);
        let server = InMemoryServer::start(config);
        let mut sockets = Vec::new();

        for _ in 0..600 {
            let mut socket = server.open(HERE, 4096).await;
            socket.write_all(health("").as_bytes()).await.unwrap();
            sockets.push(socket);
        }

        for socket in &mut sockets {
            assert_eq!(status(&rest(socket).await).0, 200);
        }
    })
    .await;
}

/// Waits until the condition `is_so` is true. The wait is needed because the server may notice late that
/// clients have left.
async fn free_again(mut is_so: impl AsyncFnMut() -> bool) {
    let all = async {
        while !is_so().await {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("places are counted as they are");
}
