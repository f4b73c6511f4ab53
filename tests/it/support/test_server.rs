//! Starts a new server for each test, on a free loopback port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tickerplant::app::{App, Reloader, RunError};
use tickerplant::bus::Bus;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tickerplant::feed::{self, Feed};
use tickerplant::market::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;

use crate::support::websocket_client::Client;

/// The time limit for each wait in a test. A test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. The test publishes the server's events, unless the server has a configured feed.
pub struct TestServer {
    address: SocketAddr,
    bus: Arc<Bus>,
    reloader: Reloader,
    stop: CancellationToken,
    running: JoinSet<Result<(), RunError>>,
}

impl TestServer {
    pub async fn start(config: Config) -> Self {
        Self::run(config, None).await
    }

    /// Starts a server that gets its events from the feed in `config`.
    pub async fn feed(config: Config) -> Self {
        let feed = feed::open(&config.feed).unwrap();
        Self::run(config, Some(feed)).await
    }

    async fn run(mut config: Config, feed: Option<Feed>) -> Self {
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        // The future is boxed, so that a test can hold many of these without a large stack.
        let app = Box::pin(App::start(config, feed)).await.unwrap();
        let (address, bus) = (app.addresses()[0], Arc::clone(app.bus()));
        let (reloader, stop) = (app.reloader(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(app.run(stop.clone()));
        Self { address, bus, reloader, stop, running }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Returns the reloader, which replaces the tokens or the certificate of the running server.
    pub fn reloader(&self) -> &Reloader {
        &self.reloader
    }

    pub fn publish(&self, events: impl IntoIterator<Item = Event>) {
        self.bus.publish(events.into_iter().collect());
    }

    pub async fn connect(&self, path: &str) -> Client {
        self.try_connect(path).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn try_connect(&self, path: &str) -> Result<Client, Error> {
        let request = format!("ws://{}{path}", self.address).into_client_request()?;
        let (socket, _) = client_async(request, Box::new(self.open().await) as _).await?;
        Ok(Client::new(socket))
    }

    /// Connects a client whose receive buffer has about this many bytes.
    pub async fn connect_with_room(&self, path: &str, bytes: u32) -> Client {
        let request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        let socket = Box::new(self.open_with_room(bytes).await);
        Client::new(client_async(request, socket as _).await.unwrap().0)
    }

    pub async fn open_with_room(&self, bytes: u32) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends these bytes over a new connection, and returns everything that the server sends back.
    pub async fn request(&self, bytes: &str) -> String {
        String::from_utf8_lossy(&self.request_bytes(bytes).await).into_owned()
    }

    /// Sends these bytes over a new connection, and returns all bytes that the server sends back.
    pub async fn request_bytes(&self, bytes: &str) -> Vec<u8> {
        let mut socket = self.open().await;
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may answer and close before it has read everything.
        let _ =
            timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the server ends the connection");
        answer
    }

    /// Waits until the server's shards have read all events that were published.
    pub async fn caught_up(&self) {
        let reading = async {
            while self.bus.lagging(Duration::ZERO).is_some() {
                yield_now().await;
            }
        };
        timeout(PATIENCE, reading).await.expect("the shards read on");
    }

    /// Sends these bytes over a new connection, and returns the head of the server's response.
    pub async fn first_bytes(&self, bytes: &str) -> String {
        let mut socket = self.open().await;
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let read = timeout(PATIENCE, socket.read_buf(&mut answer)).await.expect("an answer comes");
            assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub async fn open(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Returns how often clients have exceeded a limit so far.
    pub fn count_of(&self, limit: Limit) -> u64 {
        self.bus.counters().count_of(limit)
    }

    /// Waits until clients have exceeded a limit at least `times` times. A client may see the error of an
    /// exceeded limit before the server counts the error.
    pub async fn wait_for_exceeded(&self, limit: Limit, times: u64) {
        let counted = async {
            while self.count_of(limit) < times {
                yield_now().await;
            }
        };
        timeout(PATIENCE, counted).await.expect("the limit is exceeded");
        assert_eq!(self.count_of(limit), times);
    }

    /// Begins to shut the server down.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    pub async fn shut_down(mut self) {
        self.stop();
        let ended = timeout(PATIENCE, self.running.join_next()).await.expect("the server ends");
        ended.unwrap().unwrap().unwrap();
    }
}
