//! A whole server with one shard, over in-memory sockets and with a paused clock.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tickerplant::bus::Bus;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tickerplant::hub::Socket;
use tickerplant::market::FeedKind;
use tickerplant::server::{AcceptedSocket, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_util::sync::CancellationToken;

use crate::support::one_worker;
use crate::support::websocket_client::Client;

/// The IP address from which clients connect by default.
pub const HERE: &str = "192.0.2.1";

/// A duration that is longer than any time limit of the server. A test that waits longer than this duration
/// on the paused clock fails.
const FOR_EVER: Duration = Duration::from_hours(24);

/// How many bytes fit in a client's in-memory socket by default.
const ROOM: usize = 1 << 20;

/// A server that uses neither a network nor a feed. The test connects the clients and publishes the events.
pub struct InMemoryServer {
    bus: Arc<Bus>,
    connecting: mpsc::Sender<(DuplexStream, SocketAddr)>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

struct Network(mpsc::Receiver<(DuplexStream, SocketAddr)>);

struct Line(DuplexStream);

impl Listener for Network {
    type Socket = Line;

    async fn accept(&mut self) -> io::Result<(Line, SocketAddr)> {
        match self.0.recv().await {
            Some((socket, peer)) => Ok((Line(socket), peer)),
            None => pending().await,
        }
    }
}

impl AcceptedSocket for Line {
    fn register(self) -> io::Result<Socket> {
        Ok(Socket::Other(Box::new(self.0)))
    }
}

impl InMemoryServer {
    pub fn start(config: Config) -> Self {
        let bus = Bus::new(&config.bus, FeedKind::Simulated, "test".to_owned());
        let (connecting, network) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let running = one_worker::serve(config, Arc::clone(&bus), Network(network), stop.clone());
        Self { bus, connecting, stop, running: spawn_local(running) }
    }

    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Returns how often clients have exceeded a limit so far.
    pub fn count_of(&self, limit: Limit) -> u64 {
        self.bus.counters().count_of(limit)
    }

    pub async fn connect(&self, path: &str) -> Client {
        self.try_connect(HERE, path).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn try_connect(&self, from: &str, path: &str) -> Result<Client, Error> {
        let socket = self.open(from, ROOM).await;
        let (socket, _) = client_async(format!("ws://server{path}"), Box::new(socket) as _).await?;
        Ok(Client::new(socket))
    }

    /// Connects a client from the address `from`, over a socket that buffers `room` bytes.
    pub async fn open(&self, from: &str, room: usize) -> DuplexStream {
        let (ours, theirs) = duplex(room);
        let peer = SocketAddr::new(from.parse::<IpAddr>().unwrap(), 4711);
        self.connecting.send((theirs, peer)).await.unwrap();
        ours
    }

    /// Sends these bytes over a new connection. Returns everything that the server sends until it ends the
    /// connection.
    pub async fn request(&self, bytes: &str) -> String {
        let mut socket = self.open(HERE, ROOM).await;
        // The server may answer and close before it has read everything.
        let _ = socket.write_all(bytes.as_bytes()).await;
        rest(&mut socket).await
    }

    /// Starts the shutdown.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server has finished its shutdown.
    pub async fn ended(&mut self) {
        timeout(FOR_EVER, &mut self.running).await.expect("the server ends").unwrap();
    }
}

/// Reads until the server ends the connection, and returns the text that has arrived.
pub async fn rest(socket: &mut DuplexStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(FOR_EVER, socket.read_to_end(&mut answer)).await.expect("the server ends the connection");
    String::from_utf8_lossy(&answer).into_owned()
}
