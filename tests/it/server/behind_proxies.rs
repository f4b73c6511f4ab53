//! Tests of the server behind `nginx` and `haproxy`, which run with the configurations in
//! `docs/operations.md`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;
use tickerplant::config::Config;
use tickerplant::market::FeedState;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Error;

use crate::support::events::trade;
use crate::support::line_client::{LineClient, Next};
use crate::support::process::PATIENCE;
use crate::support::reverse_proxy::{CLIENT, NAME, Program, ReverseProxy, documented_config};
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// The paths of streams.
const STREAMS: [&str; 2] = ["/ndjson", "/sse"];

/// The changes that turn the documented configuration of nginx into one with nginx's defaults: HTTP/1.0 to
/// the server, without an upgrade.
const NGINX_DEFAULTS: [(&str, &str); 3] = [
    ("proxy_http_version 1.1;", ""),
    ("proxy_set_header Upgrade $http_upgrade;", ""),
    ("proxy_set_header Connection $connection_upgrade;", ""),
];

async fn serve(config: Config) -> TestServer {
    let server = TestServer::start(config).await;
    // HAProxy passes no request to a server that is not ready.
    server.bus().set_feed_state(FeedState::Running);
    server
}

/// Returns the HTTP status of a handshake that the server refuses.
fn refused(outcome: Result<Client, Error>) -> u16 {
    match outcome.map(drop) {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

/// A connection to a proxy that sends one request after the other.
struct KeptConnection(BufReader<TlsStream<TcpStream>>);

impl KeptConnection {
    async fn open(proxy: &ReverseProxy) -> Self {
        Self(BufReader::new(proxy.open(CLIENT).await))
    }

    async fn get(&mut self, path: &str, host: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
    }

    /// Sends a request, and returns the status and the body of the response.
    async fn ask(&mut self, request: &str) -> (u16, String) {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let answer = async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(self.0.read_line(&mut head).await.unwrap(), 0, "{head}");
            }
            let head = head.to_lowercase();
            let (_, length) = head.split_once("content-length: ").expect("the response has a length");
            let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
            self.0.read_exact(&mut body).await.unwrap();
            (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
        };
        timeout(PATIENCE, answer).await.expect("an answer comes")
    }
}

#[tokio::test]
async fn a_websocket_passes_messages_updates_and_the_close() {
    for program in Program::ALL {
        let server = serve(documented_config()).await;
        let Some(proxy) = program.start(server.address(), &[]).await else { continue };
        let mut plain = proxy.connect(CLIENT, "/ws", &[]).await.unwrap();
        let mut subscriber = proxy.connect(CLIENT, "/ws?symbols=A&delivery=every", &[]).await.unwrap();
        subscriber.expect(r#"{"type":"subscribed"}"#).await;

        plain.send("Hello, WebSocket Server!").await;
        assert_eq!(plain.text().await, "Hello, WebSocket Server!");
        subscriber.expect(r#"{"type":"message","text":"Hello, WebSocket Server!"}"#).await;
        for seq in 1..=3 {
            server.publish([trade("A", "1")]);
            assert_eq!(subscriber.json().await["seq"], seq);
        }

        let ((), plain, subscriber) = tokio::join!(server.shut_down(), plain.closed(), subscriber.closed());
        assert_eq!(plain, (1001, "the server shuts down".to_owned()), "{program:?}");
        assert_eq!(subscriber.0, 1001, "{program:?}");
    }
}

#[tokio::test]
async fn each_line_of_a_stream_arrives_at_once() {
    for path in STREAMS {
        for (program, changes) in
            [(Program::Nginx, &[][..]), (Program::Nginx, &NGINX_DEFAULTS), (Program::Haproxy, &[])]
        {
            let server = serve(documented_config()).await;
            let Some(proxy) = program.start(server.address(), changes).await else { continue };
            let path = format!("{path}?symbols=A&delivery=every");
            let mut stream = LineClient::ask(proxy.open(CLIENT).await, &path).await;

            let mut arrives = async |part: &str| {
                while !stream.text().await.expect("the stream goes on").contains(part) {}
            };
            arrives(r#""type":"subscribed""#).await;
            // Each trade is published only when the previous one has arrived, so that no buffer fills up.
            for price in ["1", "2", "3"] {
                server.publish([trade("A", price)]);
                arrives(&format!(r#""price":{price}"#)).await;
            }

            let end = async {
                let mut last = String::new();
                loop {
                    match stream.text().await {
                        Ok(line) if !line.contains('{') => {}
                        Ok(line) => last = line,
                        Err(end) => break (last, end),
                    }
                }
            };
            let ((), (last, end)) = tokio::join!(server.shut_down(), end);
            assert!(last.contains(r#""code":1001"#), "{program:?}: {last}");
            assert_eq!(end, Next::End, "{program:?}");
        }
    }
}

#[tokio::test]
async fn no_request_fails_when_a_proxy_uses_its_connections_again() {
    // All idle times are a fifth of the usual ones. A proxy then closes an idle connection 3 s before the
    // server does. A busy machine is never that late.
    let scaled = |program| match program {
        Program::Nginx => ("keepalive_timeout 60s", "keepalive_timeout 12s"),
        Program::Haproxy => ("check", "check pool-purge-delay 1s"),
    };
    // A proxy sends a failed `GET` again, but not a failed `POST`. This server has no feed, so its own answer
    // is 409.
    let command = r#"{"action":"pause"}"#;
    let command = format!(
        "POST /api/v1/feed HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {}\r\n\r\n{command}",
        command.len()
    );
    let ask = async |program: Program, pauses: &[u64]| {
        let mut config = documented_config();
        config.server.keep_alive = Config::default().server.keep_alive / 5;
        let server = serve(config).await;
        let Some(proxy) = program.start(server.address(), &[scaled(program)]).await else { return };
        let mut client = KeptConnection::open(&proxy).await;
        // On a busy machine, HAProxy may already have replaced a connection that was idle for a second.
        let mut is_alone = false;
        for _ in 0..50 {
            for _ in 0..10 {
                assert_eq!(client.get("/healthz", NAME).await.0, 200);
            }
            let (_, metrics) = client.get("/metrics", NAME).await;
            is_alone |= metrics.contains("\ntickerplant_connections 1\n");
            if is_alone {
                break;
            }
        }
        assert!(is_alone, "the proxy has used its connection again");

        let mut clients = join_all((0..8).map(|_| KeptConnection::open(&proxy))).await;
        for pause in pauses.iter().chain(&[0]) {
            let answers = join_all(clients.iter_mut().map(|client| client.ask(&command))).await;
            assert!(answers.iter().all(|(status, _)| *status == 409), "{program:?}: {answers:?}");
            sleep(Duration::from_millis(*pause)).await;
        }
    };
    // The second requests come before, at and after the time at which nginx closes an idle connection.
    let pauses: [&[u64]; 5] = [&[200, 1000, 4000], &[11_900], &[12_000], &[12_050], &[13_000]];
    join_all(Program::ALL.into_iter().flat_map(|program| pauses.map(|pauses| ask(program, pauses)))).await;
}

#[tokio::test]
async fn the_limits_count_each_client_of_a_proxy() {
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
    for program in Program::ALL {
        let mut config = documented_config();
        (config.limits.per_address, config.limits.loopback) = (1, true);
        let server = serve(config).await;
        let Some(proxy) = program.start(server.address(), &[]).await else { continue };
        let _first = proxy.connect(CLIENT, "/ws", &[]).await.unwrap();

        let made_up = ("X-Forwarded-For", "192.0.2.1");
        assert_eq!(refused(proxy.connect(CLIENT, "/ws", &[]).await), 429, "{program:?}");
        assert_eq!(refused(proxy.connect(CLIENT, "/ws", &[made_up]).await), 429, "{program:?}");
        assert!(proxy.connect(other, "/ws", &[]).await.is_ok(), "{program:?}");
    }
}

#[tokio::test]
async fn only_the_listed_name_passes_a_proxy() {
    for program in Program::ALL {
        let server = serve(documented_config()).await;
        let Some(proxy) = program.start(server.address(), &[]).await else { continue };
        let mut client = KeptConnection::open(&proxy).await;

        for (host, status) in [(NAME, 200), ("ticks.example:8443", 200), ("other.example", 403)] {
            assert_eq!(client.get("/api/v1/feed", host).await.0, status, "{program:?}: {host}");
        }
    }
}

#[tokio::test]
async fn own_pages_may_connect_although_the_proxy_ends_tls() {
    for program in Program::ALL {
        let server = serve(documented_config()).await;
        let Some(proxy) = program.start(server.address(), &[]).await else { continue };
        let connect = async |origin| proxy.connect(CLIENT, "/ws", &[("Origin", origin)]).await;

        assert!(connect("https://ticks.example").await.is_ok(), "{program:?}");
        for origin in ["https://ticks.example:8443", "https://other.example"] {
            assert_eq!(refused(connect(origin).await), 403, "{program:?}: {origin}");
        }
    }
}
