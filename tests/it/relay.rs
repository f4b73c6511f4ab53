//! What clients say to each other.

use tickerplant::config::Config;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{TestServer, quote};

#[tokio::test]
async fn a_plain_message_reaches_all_peers_and_its_sender_to_the_byte() {
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
async fn each_message_over_the_rate_gets_one_error_and_no_peer_hears_it() {
    let mut config = Config::default();
    config.relay.burst = 2.try_into().unwrap();
    config.relay.rate = 1;
    let server = TestServer::start(config).await;
    let mut client = server.connect("/ws").await;

    for text in ["one", "two", "three"] {
        client.send(text).await;
    }

    // What is relayed takes its way through the relay; an error does not.
    let answers = [client.text().await, client.text().await, client.text().await];
    let (errors, relayed): (Vec<_>, Vec<_>) = answers.iter().partition(|text| text.starts_with('{'));
    assert_eq!(relayed, ["one", "two"]);
    assert!(errors[0].contains(r#""code":"rate_limited""#), "{errors:?}");
}

#[tokio::test]
async fn a_message_at_the_limit_is_relayed_and_one_byte_more_is_refused() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws").await;
    let longest = "x".repeat(4096);

    client.send(&longest).await;
    client.send(&format!("{longest}x")).await;

    let answers = [client.text().await, client.text().await];
    assert!(answers.contains(&longest), "{answers:?}");
    assert!(answers.iter().any(|text| text.contains(r#""code":"message_too_long""#)), "{answers:?}");
}

#[tokio::test]
async fn the_whole_server_relays_only_so_much() {
    let mut config = Config::default();
    config.relay.total_bytes = 10;
    let server = TestServer::start(config).await;
    let mut client = server.connect("/ws").await;

    client.send("0123456789").await;
    client.send("0123456789").await;

    let answers = [client.text().await, client.text().await];
    assert!(answers.iter().any(|text| text == "0123456789"), "{answers:?}");
    assert!(answers.iter().any(|text| text.contains(r#""code":"rate_limited""#)), "{answers:?}");
}

#[tokio::test]
async fn a_relay_that_is_off_says_so_and_commands_go_on() {
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
