//! Tests with clients whose machines vanish while the server sends them updates. In other tests, the clients
//! are still there but read slowly.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_stream::StreamExt;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;

use crate::support::line_client::LineClient;
use crate::support::process::{PATIENCE, ServerProcess};
use crate::support::subscriber::Subscriber;
use crate::support::test_certificate::{Certificate, CertificateFiles};
use crate::support::vanished_machine::vanish;

const PINGS: [(&str, &str); 2] = [("limits.ping_interval", "1s"), ("limits.ping_timeout", "1s")];

/// Starts a server whose feed publishes this many updates a second.
async fn serve(rate: &str, settings: &[(&str, &str)]) -> ServerProcess {
    ServerProcess::configured(&["--profile", "gbm", "--rate", rate], &[&PINGS, settings].concat()).await
}

#[tokio::test]
async fn a_websocket_whose_machine_vanishes_loses_its_permit_however_few_updates_it_gets() {
    for rate in ["2", "50"] {
        let server = serve(rate, &[("limits.connections", "1")]).await;
        let mut subscriber = Subscriber::connect(server.address(), "symbols=*").await;
        subscriber.next_event().await;
        assert!(is_full(server.address()).await);

        vanish(subscriber.line());

        a_place_becomes_free(server.address()).await;
    }
}

#[tokio::test]
async fn a_stream_whose_machine_vanishes_loses_its_permit_however_few_updates_it_gets() {
    for rate in ["2", "50", "20000"] {
        let server = serve(rate, &[("limits.connections", "1")]).await;
        let socket = TcpStream::connect(server.address()).await.unwrap();
        let mut stream = LineClient::ask(socket, "/ndjson?symbols=*").await;
        stream.event().await;
        assert!(is_full(server.address()).await);

        let socket = stream.into_socket();
        vanish(&socket);

        a_place_becomes_free(server.address()).await;
    }
}

#[tokio::test]
async fn a_stream_that_stopped_reading_before_its_machine_vanished_loses_its_permit() {
    let server = serve("2000", &[("limits.connections", "1")]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.address()).await.unwrap();
    socket.write_all(b"GET /ndjson?symbols=* HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let fills = async { while socket.peek(&mut [0; 2048]).await.unwrap() < 2048 {} };
    timeout(PATIENCE, fills).await.expect("what it does not read fills its receive buffer");

    vanish(&socket);

    a_place_becomes_free(server.address()).await;
}

#[tokio::test]
async fn a_websocket_over_tls_whose_machine_vanishes_loses_its_permit() {
    let certificate = Certificate::new();
    let files = CertificateFiles::of(&certificate);
    let paths = [&files.certificate, &files.key].map(|path| path.to_str().unwrap());
    let settings = [("server.tls_cert", paths[0]), ("server.tls_key", paths[1]), ("limits.connections", "1")];
    let server = serve("2", &settings).await;
    let socket = certificate.encrypt(TcpStream::connect(server.address()).await.unwrap(), ALL_VERSIONS).await;
    let request = "wss://localhost/ws?symbols=*";
    let (mut client, _) = client_async(request, socket.unwrap()).await.unwrap();
    assert!(client.next().await.is_some_and(|first| first.is_ok()));

    vanish(client.get_ref().get_ref().0);

    let come_in = async {
        loop {
            let socket = TcpStream::connect(server.address()).await.unwrap();
            if let Ok(socket) = certificate.encrypt(socket, ALL_VERSIONS).await
                && client_async(request, socket).await.is_ok()
            {
                return;
            }
        }
    };
    timeout(PATIENCE, come_in).await.expect("its place is free again");
}

#[tokio::test]
async fn a_slow_consumer_with_a_reachable_machine_stays() {
    // The client reads 200 bytes every 100 ms, so the test takes ten seconds. This is five times the sum of
    // the ping interval and the ping timeout.
    const BYTES: usize = 10 * 2000;
    let server = serve("200", &[]).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut reading = JoinSet::new();
    for (path, headers) in [("/ws?symbols=*", upgrade), ("/ndjson?symbols=*", "")] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut socket = socket.connect(server.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        reading.spawn(async move {
            let mut turns = interval(Duration::from_millis(100));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut read = 0;
            while read < BYTES {
                turns.tick().await;
                let count = timeout(PATIENCE, socket.read(&mut [0; 200])).await.expect("more comes").unwrap();
                assert_ne!(count, 0, "{path} ends after {read} bytes");
                read += count;
            }
        });
    }

    reading.join_all().await;
}

async fn is_full(server: SocketAddr) -> bool {
    match Subscriber::try_connect(server, "symbols=*").await {
        Ok(_) => false,
        Err(Error::Http(response)) if response.status() == 503 => true,
        Err(error) => panic!("{error}"),
    }
}

async fn a_place_becomes_free(server: SocketAddr) {
    timeout(PATIENCE, async { while is_full(server).await {} }).await.expect("its place is free again");
}
