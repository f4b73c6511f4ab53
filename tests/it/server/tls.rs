//! What goes over TCP goes over TLS as well.

use std::time::Duration;

use serde_json::Value;
use tickerplant::counters::Limit;
use tickerplant::hub::Socket;
use tickerplant::server::Identity;
use tickerplant::session::{self, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ALL_VERSIONS, ProtocolVersion};
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::events::{quote, trade};
use crate::support::late_reader::gets_every_event_though_it_reads_late;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;
use crate::support::test_certificate::{Certificate, CertificateFiles};
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

#[tokio::test]
async fn a_websocket_over_tls_goes_as_one_over_tcp_in_either_version() {
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let certificate = Certificate::new();
        let server = TestServer::start(CertificateFiles::of(&certificate).config()).await;
        server.publish([quote("AAPL", "189.53", "189.55")]);
        let socket = certificate.encrypt(server.open().await, &[version]).await.unwrap();
        assert_eq!(socket.get_ref().1.protocol_version(), Some(name));
        let mut client =
            Client::new(client_async("wss://localhost/ws", Box::new(socket) as _).await.unwrap().0);

        client.send("Hello, WebSocket Server!").await;
        assert_eq!(client.text().await, "Hello, WebSocket Server!");
        client.send(r#"{"action":"subscribe","symbols":["AAPL"],"channels":"trades"}"#).await;
        client.expect(r#"{"type":"subscribed","trades":["AAPL"]}"#).await;
        client
            .expect(r#"{"type":"snapshot","symbol":"AAPL","seq":1,"quote":{"bid":189.53,"ask":189.55}}"#)
            .await;
        server.publish([trade("AAPL", "189.54")]);
        client.expect(r#"{"type":"trade","symbol":"AAPL","seq":2,"price":189.54}"#).await;
        client.send(&"x".repeat(65_537)).await;
        assert_eq!(client.closed().await.0, 1009);
        assert_eq!(server.count_of(Limit::TlsTimeout), 0);
    }
}

#[tokio::test]
async fn a_slow_reader_over_tls_gets_every_event_whole_and_in_order() {
    let certificate = Certificate::new();
    let server = TestServer::start(CertificateFiles::of(&certificate).config()).await;
    let socket = server.open_with_room(4096).await;
    let client = certificate.websocket(socket, "/ws?symbols=A&delivery=every").await;

    gets_every_event_though_it_reads_late(&server, client).await;
}

#[tokio::test]
async fn a_burst_over_tls_arrives_whole_though_nothing_comes_after_it() {
    const EVENTS: u64 = 30_000;
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.shards = 1;
    config.session.every_buffer = 1 << 30;
    config.session.heartbeat = Duration::from_hours(1);
    config.limits.ping_interval = Duration::ZERO;
    let server = TestServer::start(config).await;
    let path = "/ws?symbols=A&delivery=every";
    let mut late = certificate.websocket(server.open_with_room(4096).await, path).await;
    let mut witness = certificate.connect(&server, path).await;
    for client in [&mut late, &mut witness] {
        client.expect(r#"{"type":"subscribed"}"#).await;
    }

    server.publish((1..=EVENTS).map(|n| trade("A", &n.to_string())));

    // When the witness has it all, the other's socket has long been full.
    for client in [&mut witness, &mut late] {
        for seq in 1..=EVENTS {
            let text = client.text().await;
            assert!(text.starts_with(&format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"#)), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_tls_holds_when_a_socket_is_full_follows_when_there_is_room() {
    locally(async {
        let certificate = Certificate::new();
        let files = CertificateFiles::of(&certificate);
        let identity = Identity::load(Some(&files.certificate), Some(&files.key)).unwrap().unwrap();

        // The socket holds 4 KiB, and TLS 16 more: at each count another part of the burst is the last to be held.
        for events in (10..=300).step_by(10) {
            Box::pin(read_late(events, &identity.acceptor(), &certificate)).await;
        }
    })
    .await;
}

/// A client that is sent so many events at once and nothing else, and begins to read when all has come to rest.
async fn read_late(events: u64, acceptor: &TlsAcceptor, certificate: &Certificate) {
    let config = session::Config { heartbeat: Duration::from_hours(1), ..session::Config::default() };
    let limits = Limits { ping_interval: Duration::ZERO, ..Limits::default() };
    let harness = SessionHarness::open_with(config, limits, Duration::ZERO, None);
    let (ours, theirs) = duplex(4096);
    let (ours, theirs) = tokio::join!(acceptor.accept(ours), certificate.encrypt(theirs, ALL_VERSIONS));
    let mut ours = ours.unwrap();
    ours.get_mut().1.set_buffer_limit(Some(16 * 1024));
    let session = harness.serve("symbols=A&delivery=every", Socket::Other(Box::new(ours)));
    let mut client = WebSocketStream::from_raw_socket(theirs.unwrap(), Role::Client, None).await;
    let mut next = async || {
        let message = timeout(Duration::from_secs(1), client.next()).await;
        let message = message.unwrap_or_else(|_| panic!("of {events} events one does not come"));
        serde_json::from_str::<Value>(message.unwrap().unwrap().to_text().unwrap()).unwrap()
    };
    assert_eq!(next().await["type"], "subscribed");

    harness.publish((1..=events).map(|n| trade("A", &n.to_string())));
    sleep(Duration::from_secs(1)).await;

    for seq in 1..=events {
        assert_eq!(next().await["seq"], seq);
    }
    drop(client);
    timeout(Duration::from_mins(1), session).await.expect("the session ends").unwrap();
}

#[tokio::test]
async fn a_shutdown_closes_with_1001_and_ends_the_tls_connection_as_it_should_end() {
    let certificate = Certificate::new();
    let server = TestServer::start(CertificateFiles::of(&certificate).config()).await;
    let mut client = certificate.connect(&server, "/ws").await;

    let goodbye = async {
        let code = client.closed().await.0;
        // Without a `close_notify` this is an error.
        let rest = client.line().read_to_end(&mut Vec::new()).await;
        drop(client);
        (code, rest.unwrap())
    };
    let ((), end) = tokio::join!(server.shut_down(), goodbye);

    assert_eq!(end, (1001, 0));
}

#[tokio::test]
async fn who_speaks_something_else_is_refused_and_harms_nobody() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let mut client = certificate.connect(&server, "/ws").await;
    // TLS 1.1, with all else as it should be.
    let algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let hello = [&[3, 2], [7; 32].as_slice(), &[0, 0, 4, 0xc0, 9, 0xc0, 10, 1, 0], &algorithms].concat();
    let tls_1_1 = [&[0x16, 3, 1, 0, 57, 1, 0, 0, 53], hello.as_slice()].concat();

    for (said, answer) in [
        // An alert: fatal, and it is the version.
        (tls_1_1.as_slice(), Some([2, 70].as_slice())),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), None),
        (&[0; 1000], None),
    ] {
        let mut socket = server.open().await;
        socket.write_all(said).await.unwrap();
        let mut found = Vec::new();
        // What it did not read makes the system cut the connection off.
        let _ = socket.read_to_end(&mut found).await;
        assert!(!found.starts_with(b"HTTP"), "{found:x?}");
        assert!(answer.is_none_or(|answer| found[0] == 0x15 && found.ends_with(answer)), "{found:x?}");
    }

    client.send("still here").await;
    assert_eq!(client.text().await, "still here");
    certificate.connect(&server, "/ws").await;
    assert_eq!(server.bus().counters().panics.get(), 0);
}

#[tokio::test]
async fn handshakes_that_stall_hold_up_nobody() {
    let certificate = Certificate::new();
    for limit in [Duration::from_hours(1), Duration::ZERO] {
        let files = CertificateFiles::of(&certificate);
        let mut config = files.config();
        config.server.shards = 1;
        config.server.tls_timeout = limit;
        let server = TestServer::start(config).await;
        let silent = server.open().await;
        let mut stalled = server.open().await;
        stalled.write_all(&[0x16, 3, 1]).await.unwrap();

        let mut client = certificate.connect(&server, "/ws").await;
        client.send("here").await;
        assert_eq!(client.text().await, "here");

        // Who takes long may still come.
        let mut slow = certificate.websocket(silent, "/ws").await;
        slow.send("here too").await;
        assert_eq!(slow.text().await, "here too");
        assert_eq!(server.count_of(Limit::TlsTimeout), 0);
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_dropped() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.tls_timeout = Duration::from_millis(50);
    config.limits.connections = 2;
    let server = TestServer::start(config).await;
    let mut silent = server.open().await;
    let mut stalled = server.open().await;
    stalled.write_all(&[0x16, 3, 1]).await.unwrap();

    for socket in [&mut silent, &mut stalled] {
        // It may be reset: what it said was not read.
        let _ =
            timeout(Duration::from_secs(20), socket.read_u8()).await.expect("the server ends the connection");
    }

    server.increment(Limit::TlsTimeout, 2).await;
}

#[tokio::test]
async fn headers_are_not_waited_for_over_tls_either() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.header_timeout = Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let mut socket = certificate.encrypt(server.open().await, ALL_VERSIONS).await.unwrap();

    socket.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();

    let ended = timeout(Duration::from_secs(20), socket.read_to_end(&mut Vec::new())).await;
    let _ = ended.expect("the server ends the connection");
    server.increment(Limit::HeaderTimeout, 1).await;
}
