//! Tests of the limits on the messages of one connection. A client may reach a limit without consequences. If
//! the client exceeds the limit by one, the server must count one violation of the limit.

use std::time::Duration;

use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use crate::support::in_memory_server::InMemoryServer;
use crate::support::local_set::locally;
use crate::support::websocket_client::Client;

/// A text frame with the payload `hi`, masked with zeros.
const HI: &[u8; 8] = b"\x81\x82\0\0\0\0hi";

/// Returns a configuration in which clients can exceed only the limits under test: it has no relay limits and
/// no heartbeats.
fn talkative() -> Config {
    let mut config = Config::default();
    config.session.heartbeat = Duration::from_hours(1);
    (config.relay.max_bytes, config.relay.rate, config.relay.total_bytes) = (0, 0, 0);
    config
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_byte_limit_passes_and_one_byte_more_closes_with_1009() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let (whole, half) = ("x".repeat(65_536), "x".repeat(32_768));
        let within = [vec![whole.as_str()], vec![&half, &half], vec![&half, "", &half, ""]];
        let beyond = [vec![whole.as_str(), "x"], vec![&half, &half, "", "x"]];

        let mut client = server.connect("/ws").await;
        for parts in within {
            client.send_parts(&parts).await;
            assert_eq!(client.text().await, whole);
        }
        assert_eq!(server.count_of(Limit::MessageBytes), 0);

        client.send(&format!("{whole}x")).await;
        assert_eq!(client.closed().await.0, 1009);
        for parts in beyond {
            let mut client = server.connect("/ws").await;
            client.send_parts(&parts).await;
            assert_eq!(client.closed().await.0, 1009);
        }
        assert_eq!(server.count_of(Limit::MessageBytes), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_at_the_frame_limit_passes_and_one_frame_more_closes_with_1008() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;
        let empty = [""; 62];

        client.send_parts(&[&["a"], empty.as_slice(), &["z"]].concat()).await;
        assert_eq!(client.text().await, "az");
        assert_eq!(server.count_of(Limit::Fragments), 0);

        client.send_parts(&[&["a"], empty.as_slice(), &["", "z"]].concat()).await;
        assert_eq!(client.closed().await.0, 1008);
        assert_eq!(server.count_of(Limit::Fragments), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_limits_a_message_may_have_any_length_and_any_number_of_frames() {
    locally(async {
        let mut config = talkative();
        (config.limits.message_bytes, config.limits.fragments) = (0, 0);
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;

        client.send_parts(&vec!["0123456789"; 20_000]).await;

        assert_eq!(client.text().await, "0123456789".repeat(20_000));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_complete_in_time_passes_and_a_later_one_closes_with_1008() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;

        for _ in 0..2 {
            client.send_part("in ", true, false).await;
            sleep(Duration::from_millis(9990)).await;
            client.send_part("time", false, true).await;
            assert_eq!(client.text().await, "in time");
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(server.count_of(Limit::MessageTimeout), 0);

        let begin = Instant::now();
        client.send_part("too ", true, false).await;
        assert_eq!(client.closed().await.0, 1008);
        assert_is_about(begin, Duration::from_secs(10));
        assert_eq!(server.count_of(Limit::MessageTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_single_frame_has_the_same_time_limit_as_a_fragmented_message() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;
        let begin = Instant::now();

        // The header announces the length of the message. Then one byte arrives each second.
        client.line().write_all(b"\x81\xe4\0\0\0\0").await.unwrap();
        while server.count_of(Limit::MessageTimeout) == 0 {
            client.line().write_all(b"x").await.unwrap();
            sleep(Duration::from_secs(1)).await;
            assert!(begin.elapsed() < Duration::from_secs(12), "it takes as long as it likes");
        }

        assert_eq!(client.closed().await.0, 1008);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn control_frames_do_not_extend_the_time_for_a_message() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;
        let begin = Instant::now();

        client.send_part("a", true, false).await;
        for _ in 0..3 {
            sleep(Duration::from_secs(3)).await;
            client.ping().await;
            client.pong().await;
        }

        assert_eq!(client.closed().await.0, 1008);
        assert_is_about(begin, Duration::from_secs(10));
        assert_eq!(server.count_of(Limit::MessageTimeout), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn short_messages_without_a_pause_between_them_are_all_in_time() {
    locally(async {
        let mut config = talkative();
        // Without pings from the server, the client sends no pongs between its messages.
        config.limits.ping_interval = Duration::ZERO;
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;

        // Each write ends with the first part of the next message, so a message is always incomplete.
        client.line().write_all(&HI[..5]).await.unwrap();
        for _ in 0..40 {
            sleep(Duration::from_secs(1)).await;
            client.line().write_all(&[&HI[5..], &HI[..5]].concat()).await.unwrap();
            assert_eq!(client.text().await, "hi");
        }

        assert_eq!(server.count_of(Limit::MessageTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_message_may_take_an_hour() {
    locally(async {
        let mut config = talkative();
        config.limits.message_timeout = Duration::ZERO;
        config.limits.ping_interval = Duration::ZERO;
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;

        client.send_part("at ", true, false).await;
        sleep(Duration::from_hours(1)).await;
        client.send_part("last", false, true).await;

        assert_eq!(client.text().await, "at last");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_control_frames_passes_and_one_more_closes_with_1008() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;

        // A pong counts as much as a ping.
        controls(&mut client, 25, 25).await;
        is_heard(&mut client).await;
        sleep(Duration::from_secs(1)).await;
        controls(&mut client, 10, 0).await;
        is_heard(&mut client).await;
        assert_eq!(server.count_of(Limit::ControlRate), 0);

        client.pong().await;
        assert_eq!(client.closed().await.0, 1008);
        assert_eq!(server.count_of(Limit::ControlRate), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_there_may_be_any_number_of_control_frames() {
    locally(async {
        let mut config = talkative();
        config.limits.control_rate = 0;
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;

        controls(&mut client, 500, 500).await;

        is_heard(&mut client).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_over_the_burst_is_an_error_and_the_connection_stays() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;

        commands(&mut client, 100).await;
        assert_eq!(server.count_of(Limit::CommandRate), 0);
        client.send(r#"{"action":"ping","id":"more"}"#).await;
        client.expect(r#"{"type":"error","id":"more","code":"rate_limited"}"#).await;
        assert_eq!(server.count_of(Limit::CommandRate), 1);

        sleep(Duration::from_secs(1)).await;
        commands(&mut client, 20).await;
        // An invalid command counts as much as a valid command.
        client.send(r#"{"action":"subscribe","id":"more"}"#).await;
        client.expect(r#"{"type":"error","id":"more","code":"rate_limited"}"#).await;
        assert_eq!(server.count_of(Limit::CommandRate), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_counts_once_more_for_each_hundred_symbols_that_it_names() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;
        let subscribe = format!(r#"{{"action":"subscribe","symbols":["{}"]}}"#, symbols(900).join("\",\""));

        for _ in 0..10 {
            client.send(&subscribe).await;
            client.expect(r#"{"type":"subscribed"}"#).await;
        }
        client.send(r#"{"action":"ping"}"#).await;
        client.expect(r#"{"type":"error","code":"rate_limited"}"#).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_there_may_be_any_number_of_commands() {
    locally(async {
        let mut config = talkative();
        config.limits.command_rate = 0;
        let server = InMemoryServer::start(config);
        let mut client = server.connect("/ws").await;

        commands(&mut client, 1000).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_symbols_up_to_the_limit_and_a_star_counts_as_one() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let mut client = server.connect("/ws").await;
        let names = symbols(1000);

        client
            .send(&format!(r#"{{"action":"subscribe","symbols":["*","{}"]}}"#, names[1..].join("\",\"")))
            .await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        // A repeated subscribe to the same symbol does not count again. After an unsubscribe, there is room
        // for another symbol.
        client.send(r#"{"action":"subscribe","symbols":["*","S1","S999"]}"#).await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        client.send(r#"{"action":"unsubscribe","symbols":"*"}"#).await;
        client.expect(r#"{"type":"unsubscribed"}"#).await;
        client.send(r#"{"action":"subscribe","symbols":"S0"}"#).await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        assert_eq!(server.count_of(Limit::Symbols), 0);

        client.send(r#"{"action":"subscribe","symbols":"*"}"#).await;
        client.expect(r#"{"type":"error","code":"too_many_symbols"}"#).await;
        assert_eq!(server.count_of(Limit::Symbols), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_url_with_more_symbols_than_a_connection_may_have_is_answered_400() {
    locally(async {
        let server = InMemoryServer::start(talkative());
        let stream = |count: usize| format!("/ws?symbols=*,{}", symbols(count - 1).join(","));

        server.connect(&stream(1000)).await.expect(r#"{"type":"subscribed"}"#).await;
        assert_eq!(server.count_of(Limit::Symbols), 0);

        let refused = server.try_connect("192.0.2.1", &stream(1001)).await.map(drop).unwrap_err();
        assert!(refused.to_string().contains("400"), "{refused}");
        assert_eq!(server.count_of(Limit::Symbols), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_connection_has_any_number_of_symbols() {
    locally(async {
        let mut config = talkative();
        config.limits.symbols = 0;
        let server = InMemoryServer::start(config);

        let mut client = server.connect(&format!("/ws?symbols={}", symbols(2000).join(","))).await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        client
            .send(&format!(r#"{{"action":"subscribe","symbols":["*","{}"]}}"#, symbols(4000).join("\",\"")))
            .await;
        client.expect(r#"{"type":"subscribed"}"#).await;
    })
    .await;
}

fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("S{number}")).collect()
}

/// Sends this many pings and unsolicited pongs, and reads the replies to the pings.
async fn controls(client: &mut Client, pings: usize, unasked: usize) {
    for _ in 0..pings {
        client.ping().await;
    }
    for _ in 0..unasked {
        client.pong().await;
    }
    for _ in 0..pings {
        assert!(client.next().await.is_pong());
    }
}

/// Sends a message and waits until the server relays it back to the sender. The relayed message shows that
/// the server has read all earlier bytes.
async fn is_heard(client: &mut Client) {
    client.send("here").await;
    assert_eq!(client.text().await, "here");
}

/// Sends `count` commands at once, and asserts that the server executes all of them.
async fn commands(client: &mut Client, count: usize) {
    for id in 0..count {
        client.send(&format!(r#"{{"action":"ping","id":{id}}}"#)).await;
    }
    for id in 0..count {
        client.expect(&format!(r#"{{"type":"pong","id":{id}}}"#)).await;
    }
}

/// Asserts that the time since `begin` is the duration `expected` or a little longer. The extra time is
/// needed because the server checks its clients only a few times a second.
fn assert_is_about(begin: Instant, expected: Duration) {
    let elapsed = begin.elapsed();
    assert!((expected..expected + Duration::from_millis(300)).contains(&elapsed), "{elapsed:?}");
}
