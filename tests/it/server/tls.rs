//! Tests of TLS connections to the server.

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
async fn a_websocket_works_over_tls_in_either_version() {
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
async fn a_burst_over_tls_arrives_completely_even_when_nothing_follows() {
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

    // When `witness` has received everything, the socket of `late` is full.
    for client in [&mut witness, &mut late] {
        for seq in 1..=EVENTS {
            let text = client.text().await;
            assert!(text.starts_with(&format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"#)), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_buffered_by_tls_are_written_when_the_socket_has_room() {
    locally(async {
        let certificate = Certificate::new();
        let files = CertificateFiles::of(&certificate);
        let identity = Identity::load(Some(&files.certificate), Some(&files.key)).unwrap().unwrap();

        // The socket buffers 4 KiB, and TLS buffers 16 KiB more. Each number of events fills these buffers to
        // another level.
        for events in (10..=300).step_by(10) {
            Box::pin(read_late(events, &identity.acceptor(), &certificate)).await;
        }
    })
    .await;
}

/// Publishes `events` events at once, and checks that a client gets all of them. The client starts to read
/// only when the server cannot write any more.
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
async fn a_shutdown_closes_with_1001_and_a_close_notify() {
    let certificate = Certificate::new();
    let server = TestServer::start(CertificateFiles::of(&certificate).config()).await;
    let mut client = certificate.connect(&server, "/ws").await;

    let goodbye = async {
        let code = client.closed().await.0;
        // Without a `close_notify`, this read would fail.
        let rest = client.line().read_to_end(&mut Vec::new()).await;
        drop(client);
        (code, rest.unwrap())
    };
    let ((), end) = tokio::join!(server.shut_down(), goodbye);

    assert_eq!(end, (1001, 0));
}

#[tokio::test]
async fn a_client_without_tls_is_rejected_and_others_stay() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let mut client = certificate.connect(&server, "/ws").await;
    // A client hello of TLS 1.1, which the server does not support.
    let algorithms = [0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let hello = [&[3, 2], [7; 32].as_slice(), &[0, 0, 4, 0xc0, 9, 0xc0, 10, 1, 0], &algorithms].concat();
    let tls_1_1 = [&[0x16, 3, 1, 0, 57, 1, 0, 0, 53], hello.as_slice()].concat();

    for (said, answer) in [
        // The server answers with a fatal alert about the protocol version.
        (tls_1_1.as_slice(), Some([2, 70].as_slice())),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), None),
        (&[0; 1000], None),
    ] {
        let mut socket = server.open().await;
        socket.write_all(said).await.unwrap();
        let mut found = Vec::new();
        // The read may fail: if the server leaves bytes unread, the system resets the connection.
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
async fn stalled_handshakes_do_not_delay_others() {
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

        // A slow client can still connect within the time limit.
        let mut slow = certificate.websocket(silent, "/ws").await;
        slow.send("here too").await;
        assert_eq!(slow.text().await, "here too");
        assert_eq!(server.count_of(Limit::TlsTimeout), 0);
    }
}

#[tokio::test]
async fn a_stalled_handshake_is_dropped() {
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
        // The connection may be reset, because the server did not read all bytes.
        let _ =
            timeout(Duration::from_secs(20), socket.read_u8()).await.expect("the server ends the connection");
    }

    server.wait_for_exceeded(Limit::TlsTimeout, 2).await;
}

#[tokio::test]
async fn the_time_limit_for_headers_holds_over_tls() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let mut config = files.config();
    config.server.header_timeout = Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let mut socket = certificate.encrypt(server.open().await, ALL_VERSIONS).await.unwrap();

    socket.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();

    let ended = timeout(Duration::from_secs(20), socket.read_to_end(&mut Vec::new())).await;
    let _ = ended.expect("the server ends the connection");
    server.wait_for_exceeded(Limit::HeaderTimeout, 1).await;
}
