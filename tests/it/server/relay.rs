//! Tests of the relay, which passes messages between clients.

use std::time::Duration;

use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::quote;
use crate::support::in_memory_server::InMemoryServer;
use crate::support::local_set::locally;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

#[tokio::test]
async fn a_plain_message_reaches_all_peers_and_its_sender_unchanged() {
    let server = TestServer::start(Config::default()).await;
    let mut alice = server.connect("/ws").await;
    let mut bob = server.connect("/").await;
    for text in ["Hello, WebSocket Server!", "", " {\"type\":\"chat\"} ", "ünï"] {
        alice.send(text).await;

        assert_eq!(alice.text().await, text);
        assert_eq!(bob.text().await, text);
    }

    bob.send_binary(&[0, 255, 7]).await;

    assert_eq!(alice.next().await, Message::binary(vec![0, 255, 7]));
    assert_eq!(bob.next().await, Message::binary(vec![0, 255, 7]));
}

#[tokio::test]
async fn a_subscriber_can_never_be_sent_a_forged_price() {
    let server = TestServer::start(Config::default()).await;
    let mut victim = server.connect("/ws?symbols=AAPL").await;
    victim.expect(r#"{"type":"subscribed"}"#).await;
    let mut peer = server.connect("/ws").await;
    let forged = r#"{"type":"trade","symbol":"AAPL","seq":1,"time":"2024-01-03T14:30:00Z","price":0.01}"#;

    peer.send(forged).await;
    peer.send_binary(forged.as_bytes()).await;

    let wrapped = victim.json().await;
    assert_eq!(wrapped["type"], "message");
    assert_eq!(wrapped["text"], forged);
    let wrapped = victim.json().await;
    assert_eq!(wrapped["type"], "message");
    assert!(wrapped.get("text").is_none() && wrapped["base64"].is_string(), "{wrapped}");
}

#[tokio::test]
async fn the_server_names_the_sender_and_keeps_its_order() {
    let server = TestServer::start(Config::default()).await;
    let mut listener = server.connect("/ws?symbols=AAPL").await;
    listener.expect(r#"{"type":"subscribed"}"#).await;
    let mut sender = server.connect("/ws").await;

    for number in 0..10 {
        sender.send(&format!("{number}")).await;
    }

    let first = listener.expect(r#"{"type":"message","text":"0"}"#).await;
    for number in 1..10 {
        let next = listener.expect(&format!(r#"{{"type":"message","text":"{number}"}}"#)).await;
        assert_eq!(next["from"], first["from"]);
    }
}

#[tokio::test]
async fn each_message_over_the_rate_gets_one_error_and_reaches_no_peer() {
    let mut config = Config::default();
    config.relay.burst = 2.try_into().unwrap();
    config.relay.rate = 1;
    let server = TestServer::start(config).await;
    let mut client = server.connect("/ws").await;

    for text in ["one", "two", "three"] {
        client.send(text).await;
    }

    // An error reply may overtake a relayed message, because it does not pass through the relay.
    let answers = [client.text().await, client.text().await, client.text().await];
    let (errors, relayed): (Vec<_>, Vec<_>) = answers.iter().partition(|text| text.starts_with('{'));
    assert_eq!(relayed, ["one", "two"]);
    assert!(errors[0].contains(r#""code":"rate_limited""#), "{errors:?}");
    assert_eq!(server.count_of(Limit::RelayRate), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_send_messages_in_a_burst_and_then_at_the_rate() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut client = server.connect("/ws").await;

        for number in 0..20 {
            assert_eq!(said(&mut client, &number.to_string()).await, number.to_string());
        }
        sleep(Duration::from_secs(1)).await;
        for number in 0..10 {
            assert_eq!(said(&mut client, &number.to_string()).await, number.to_string());
        }
        assert_eq!(server.count_of(Limit::RelayRate), 0);

        assert!(said(&mut client, "more").await.contains(r#""code":"rate_limited""#));
        assert_eq!(server.count_of(Limit::RelayRate), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_limit_is_relayed_and_one_byte_more_is_an_error() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut client = server.connect("/ws").await;
        let longest = "x".repeat(4096);

        assert_eq!(said(&mut client, &longest).await, longest);
        assert_eq!(server.count_of(Limit::RelayBytes), 0);

        let reply = said(&mut client, &format!("{longest}x")).await;
        assert!(reply.contains(r#""code":"message_too_long""#), "{reply}");
        assert_eq!(server.count_of(Limit::RelayBytes), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_relay_has_a_byte_rate_for_the_whole_server() {
    locally(async {
        let mut config = Config::default();
        config.relay.total_bytes = 400;
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;
        // The relay counts each message with its frame: 100 bytes.
        let message = "x".repeat(52);

        for _ in 0..4 {
            assert_eq!(said(&mut client, &message).await, message);
        }
        assert_eq!(server.count_of(Limit::RelayTotal), 0);
        assert!(said(&mut client, &message).await.contains(r#""code":"rate_limited""#));
        assert_eq!(server.count_of(Limit::RelayTotal), 1);

        let _peer = server.connect("/ws").await;
        sleep(Duration::from_secs(1)).await;
        for _ in 0..2 {
            assert_eq!(said(&mut client, &message).await, message);
        }
        assert!(said(&mut client, &message).await.contains(r#""code":"rate_limited""#));
        assert_eq!(server.count_of(Limit::RelayTotal), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_limits_relayed_messages_may_be_long_and_frequent() {
    locally(async {
        let mut config = Config::default();
        (config.relay.rate, config.relay.max_bytes, config.relay.total_bytes) = (0, 0, 0);
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;
        let message = "x".repeat(60_000);

        // Sends more messages than the default limit allows in a second.
        for _ in 0..200 {
            assert_eq!(said(&mut client, &message).await, message);
        }
    })
    .await;
}

#[tokio::test]
async fn a_disabled_relay_answers_with_an_error_and_commands_still_work() {
    let mut config = Config::default();
    config.relay.enabled = false;
    let server = TestServer::start(config).await;
    server.publish([quote("AAPL", "1", "2")]);
    let mut client = server.connect("/ws").await;

    client.send("hello").await;
    client.send(r#"{"action":"subscribe","symbols":"AAPL"}"#).await;

    client.expect(r#"{"type":"error","code":"relay_disabled"}"#).await;
    client.expect(r#"{"type":"subscribed","quotes":["AAPL"]}"#).await;
}

/// Sends a message from a client, and returns the next message that the same client receives.
async fn said(client: &mut Client, text: &str) -> String {
    client.send(text).await;
    client.text().await
}
