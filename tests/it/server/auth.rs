//! Authentication with tokens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tickerplant::auth::Grant;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::events::trade;
use crate::support::json_answer::JsonAnswer;
use crate::support::test_server::TestServer;

/// The hash of the token `secret`, from `printf %s secret | sha256sum`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
/// The hash of the token `correct`, from `printf %s correct | sha256sum`.
const CORRECT: &str = "15a596e3c98c407e043751ff3b21ff0358a1bdfdf3fe948b1523893a8e5de2e8";

/// The hash of the token `a+b`, from `printf %s a+b | sha256sum`.
const PLUS: &str = "300273daf0bb57c239f83585d71ced54ce6b3b5fb81615abbeeb3f9cf5fae92f";

/// Returns a configuration with three tokens. The token `secret` allows AAPL and symbols that begin with MS.
/// The token `correct` allows all symbols and the relay. The token `a+b` allows a connection, but no symbols.
fn config() -> Config {
    let auth = format!(
        "[[tokens]]\nname = \"dash\"\nsha256 = \"{SECRET}\"\nsubscribe = [\"AAPL\", \"MS*\"]\n\
         [[tokens]]\nname = \"desk\"\nsha256 = \"{CORRECT}\"\nsubscribe = [\"*\"]\nrelay = true\n\
         [[tokens]]\nname = \"plus\"\nsha256 = \"{PLUS}\"\n"
    );
    Config { auth: toml::from_str(&auth).unwrap(), ..Config::default() }
}

const HANDSHAKE: &str = "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_client_without_a_token_gets_and_does_nothing_until_it_shows_one() {
    // Both clients are on one shard, so a message that has come to one would have come to the other.
    let mut config = config();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let mut desk = server.connect("/ws?token=correct").await;
    let mut client = server.connect("/ws?symbols=AAPL").await;

    client.send("hello").await;
    client.expect(r#"{"type":"error","code":"unauthorized"}"#).await;
    client.send(r#"{"action":"ping","id":1}"#).await;
    client.expect(r#"{"type":"error","code":"unauthorized","id":1}"#).await;
    desk.send("for those who may").await;
    assert_eq!(desk.text().await, "for those who may");
    server.publish([trade("AAPL", "1")]);
    client.send(r#"{"action":"auth","token":"guess","id":2}"#).await;
    let refused = client.expect(r#"{"type":"error","code":"unauthorized","id":2}"#).await;
    client.send(r#"{"action":"auth","token":"secret","id":3}"#).await;

    assert!(!refused.to_string().contains("guess"), "{refused}");
    client.expect(r#"{"type":"authenticated","id":3,"name":"dash","relay":false,"control":false}"#).await;
    // The server executes the subscription of the URL only now.
    client.expect(r#"{"type":"subscribed","trades":["AAPL"],"seq":1}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"AAPL"}"#).await;
    desk.send("for all").await;
    client.expect(r#"{"type":"message","text":"for all"}"#).await;
}

#[tokio::test]
async fn the_reply_to_auth_says_whether_the_client_may_send_messages_and_control_the_feed() {
    let server = TestServer::start(config()).await;
    let mut client = server.connect("/ws").await;

    client.send(r#"{"action":"auth","token":"correct"}"#).await;

    client.expect(r#"{"type":"authenticated","name":"desk","relay":true,"control":false}"#).await;
}

#[tokio::test]
async fn a_repeated_header_is_answered_400_by_name() {
    let server = TestServer::start(config()).await;
    let token = "Authorization: Bearer secret\r\n";
    for (path, name, headers) in [
        ("/metrics", "Authorization", token.repeat(2)),
        (
            "/api/v1/events?symbols=AAPL",
            "Authorization",
            format!("{token}Authorization: Basic Zm9vOmJhcg==\r\n"),
        ),
        ("/ndjson?symbols=AAPL", "Authorization", token.repeat(2)),
        (
            "/sse?symbols=AAPL",
            "Last-Event-ID",
            format!("{token}Last-Event-ID: k3f9-1\r\nLast-Event-ID: k3f9-2\r\n"),
        ),
    ] {
        let answer = JsonAnswer::to(&server, "GET", path, &headers).await;

        let message = format!("the header `{name}` is given twice; give it once");
        assert_eq!((answer.status, answer.error()), (400, ("bad_request".to_owned(), message)), "{path}");
    }
}

#[tokio::test]
async fn a_token_allows_its_symbols_and_no_others() {
    let server = TestServer::start(config()).await;
    let mut client = server.connect("/ws?token=secret").await;

    for (symbols, code) in [
        (json!(["MSFT", "AAPL"]), None),
        (json!(["NVDA"]), Some("forbidden")),
        (json!("*"), Some("forbidden")),
    ] {
        client.send(&json!({"action":"subscribe","symbols":symbols}).to_string()).await;
        let frame = client.json().await;
        assert_eq!(frame["code"].as_str(), code, "{symbols}: {frame}");
    }
    client.send("hello").await;
    client.expect(r#"{"type":"error","code":"forbidden"}"#).await;
    server.publish([trade("NVDA", "1"), trade("MSFT", "2")]);
    client.expect(r#"{"type":"trade","symbol":"MSFT","seq":2}"#).await;
}

#[tokio::test]
async fn a_token_may_be_in_the_header_or_the_url_and_a_wrong_one_is_answered_401() {
    let server = TestServer::start(config()).await;
    let close = "Connection: close\r\n";
    for (path, header, status) in [
        ("/ws", "Authorization: Bearer secret\r\n", 101),
        ("/ws", "Authorization: bearer  correct\r\n", 101),
        ("/ws?token=secret", "", 101),
        ("/ws?token=guess", "", 401),
        ("/ws", "Authorization: Bearer guess\r\n", 401),
        ("/ws?token=guess", "Authorization: Bearer secret\r\n", 401),
        ("/ws?token=secret", "Authorization: Bearer guess\r\n", 401),
        ("/ws?token=secret", "Authorization: Bearer\r\n", 401),
        ("/ws?token=secret", "Authorization: Bearer caf\u{e9}\r\n", 401),
        ("/ws?token=secret", "Authorization: Basic Zm9vOmJhcg==\r\n", 101),
        ("/ws?token=secret", "Authorization: Bearer correct\r\n", 101),
        ("/metrics?token=guess", "Authorization: Bearer secret\r\n", 401),
        ("/api/v1/feed?token=guess", "Authorization: Bearer secret\r\n", 401),
        ("/api/v1/symbols?token=guess", "Authorization: Bearer secret\r\n", 401),
        ("/ndjson?symbols=AAPL&token=guess", "Authorization: Bearer secret\r\n", 401),
        ("/metrics?token=secret&token=guess", "", 400),
        ("/ws?symbols=NVDA&token=secret", "", 403),
        ("/metrics", "", 401),
        ("/metrics", "Authorization: Bearer secret\r\n", 200),
        ("/metrics?token=secret", "", 200),
        ("/ws?token=a+b", "", 101),
        ("/metrics?token=a+b", "", 200),
        ("/metrics?token=a%2Bb", "", 200),
        ("/api/v1/feed?token=a+b", "", 200),
        ("/api/v1/feed?token=a%20b", "", 401),
        ("/healthz", "", 200),
    ] {
        let headers = if path.starts_with("/ws") { HANDSHAKE } else { "Host: 127.0.0.1\r\n" };
        let request = format!("GET {path} HTTP/1.1\r\n{headers}{header}{close}\r\n");
        let answer =
            if status == 101 { server.first_bytes(&request).await } else { server.request(&request).await };

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {header}: {answer}");
        assert_eq!(answer.contains("www-authenticate: Bearer"), status == 401, "{answer}");
        assert!(!answer.contains("guess"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_shows_no_token_in_time_is_closed_with_1008() {
    let mut config = config();
    config.auth.timeout = std::time::Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let mut late = server.connect("/ws?symbols=*").await;
    let mut in_time = server.connect("/ws?token=correct").await;

    assert_eq!(late.closed().await, (1008, "no token came in time".to_owned()));
    in_time.send("still here").await;
    assert_eq!(in_time.text().await, "still here");
    assert_eq!(server.bus().counters().count_of(Limit::AuthTimeout), 1);
}

#[tokio::test]
async fn without_configured_tokens_auth_is_an_error_and_the_client_stays() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws").await;

    client.send(r#"{"action":"auth","token":"secret"}"#).await;
    client.expect(r#"{"type":"error","code":"unauthorized"}"#).await;
    client.send("hello").await;

    assert_eq!(client.next().await, Message::text("hello"));
    let refused = server.try_connect("/ws?token=secret").await.err();
    assert!(matches!(refused, Some(Error::Http(response)) if response.status() == 401));
}

#[tokio::test]
async fn a_second_token_on_one_connection_is_an_error() {
    let server = TestServer::start(config()).await;
    let mut client = server.connect("/ws?token=secret").await;

    client.send(r#"{"action":"auth","token":"correct"}"#).await;

    client.expect(r#"{"type":"error","code":"bad_command"}"#).await;
}

/// Returns a list with only one token: the second token of [`config`], with the additional permission
/// `control`.
fn changed_tokens() -> Vec<Arc<Grant>> {
    let mut desk = Grant::clone(&config().auth.tokens[1]);
    desk.control = true;
    vec![Arc::new(desk)]
}

#[tokio::test]
async fn a_client_is_closed_when_its_token_is_removed_or_changed_and_the_others_stay() {
    let server = TestServer::start(config()).await;
    let mut removed = server.connect("/ws?symbols=AAPL&token=secret").await;
    let mut changed = server.connect("/ws?token=correct").await;
    let mut undecided = server.connect("/ws").await;
    removed.expect(r#"{"type":"subscribed"}"#).await;
    let line =
        "GET /ndjson?symbols=AAPL&token=secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let stream = server.request(line);
    let replace = async {
        // The stream is the third peer.
        wait_for_peers(&server, 3).await;
        server.reloader().replace_tokens(changed_tokens());
    };

    let (lines, ()) = tokio::join!(stream, replace);

    let reason = "the tokens of the server have changed; connect again with a valid token";
    assert!(lines.contains(&format!(r#"{{"type":"close","code":1008,"reason":"{reason}"}}"#)), "{lines}");
    assert_eq!(removed.closed().await, (1008, reason.to_owned()));
    assert_eq!(changed.closed().await, (1008, reason.to_owned()));
    undecided.send(r#"{"action":"auth","token":"secret"}"#).await;
    undecided.expect(r#"{"type":"error","code":"unauthorized"}"#).await;
    undecided.send(r#"{"action":"auth","token":"correct"}"#).await;
    undecided.expect(r#"{"type":"authenticated","name":"desk"}"#).await;

    // If the tokens stay the same, the server closes no client.
    server.reloader().replace_tokens(changed_tokens());
    undecided.send(r#"{"action":"ping"}"#).await;
    undecided.expect(r#"{"type":"pong"}"#).await;
    drop((removed, changed));
    wait_for_peers(&server, 1).await;
    server.shut_down().await;
}

#[tokio::test]
async fn the_first_tokens_close_the_clients_without_one_and_an_empty_list_changes_nothing() {
    let server = TestServer::start(Config::default()).await;
    let mut anonymous = server.connect("/ws?symbols=*").await;

    server.reloader().replace_tokens(config().auth.tokens);

    assert_eq!(anonymous.closed().await.0, 1008);
    let mut desk = server.connect("/ws?token=correct").await;
    server.reloader().replace_tokens(Vec::new());
    desk.send("still here").await;
    assert_eq!(desk.text().await, "still here");
    let metrics =
        server.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(metrics.starts_with("HTTP/1.1 401"), "{metrics}");
}

/// Waits until the feed's status at `/api/v1/feed` gives this number of peers.
async fn wait_for_peers(server: &TestServer, count: u64) {
    let request = "GET /api/v1/feed?token=correct HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let counted = async {
        loop {
            let answer = server.request(request).await;
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let status: serde_json::Value = serde_json::from_str(body).unwrap();
            if status["peers"] == count {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), counted).await.expect("the server has this number of peers");
}

#[tokio::test]
async fn a_token_in_a_wrong_form_reaches_no_peer() {
    let server = TestServer::start(config()).await;
    let mut peer = server.connect("/ws?token=correct").await;
    let mut client = server.connect("/ws?token=correct").await;
    let auth = r#"{"action":"auth","token":"correct","id":1}"#;
    let utf16: Vec<u8> = auth.encode_utf16().flat_map(u16::to_le_bytes).collect();

    for bytes in [auth.as_bytes(), &utf16, format!("\u{feff}{auth}\0").as_bytes()] {
        client.send_binary(bytes).await;
        let error = client.expect(r#"{"type":"error","code":"bad_command"}"#).await;
        assert!(!error.to_string().contains("correct"), "{error}");
    }
    client.send(&format!("\u{feff}{auth}")).await;
    client.expect(r#"{"type":"error","id":1,"code":"bad_command"}"#).await;
    client.send(r#"{"op":"login","token":"correct","id":2}"#).await;
    client.expect(r#"{"type":"error","id":2,"code":"bad_command"}"#).await;

    client.send_binary(b"{\"text\":\"hello\"}").await;
    assert_eq!(peer.next().await, Message::binary(b"{\"text\":\"hello\"}".to_vec()));
}
