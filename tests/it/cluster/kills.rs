//! Nodes that are killed, while clients of all kinds connect again to any node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::client_async;

use super::nats_server::NatsServer;
use super::{PATIENCE, node, ready_process, until};
use crate::support::process::ServerProcess;

/// How many nodes are killed.
const KILLS: usize = 50;

/// The number of nodes.
const NODES: usize = 3;

/// The number of clients.
const CLIENTS: usize = 12;

/// How many events come between two kills.
const BETWEEN: u64 = 100;

/// The endpoints of the clients, which take turns.
const PATHS: [&str; 6] = [
    "/ws?symbols=*&delivery=every",
    "/ws?symbols=*&delivery=latest",
    "/ndjson?symbols=*&delivery=every",
    "/ndjson?symbols=*&delivery=latest",
    "/sse?symbols=*&delivery=every",
    "/sse?symbols=*&delivery=latest",
];

/// What a client has got.
#[derive(Clone, Debug, Default)]
struct Progress {
    epoch: String,
    /// The sequence number of the newest event; 0 before the first.
    seq: u64,
    /// The snapshots that are still to come.
    snapshots: u64,
    connections: u64,
}

/// A client that connects to any node, and again to any node when its connection ends.
struct Client {
    path: &'static str,
    nodes: watch::Receiver<Vec<SocketAddr>>,
    random: SmallRng,
    progress: Arc<Mutex<Progress>>,
}

/// The frames of a connection.
enum Frames {
    WebSocket(Box<tokio_tungstenite::WebSocketStream<TcpStream>>),
    Lines(BufReader<TcpStream>),
}

impl Frames {
    /// Connects. Returns `None` if the node is gone, or does not take the client.
    async fn open(node: SocketAddr, path: &str) -> Option<Self> {
        let mut socket = TcpStream::connect(node).await.ok()?;
        if path.starts_with("/ws") {
            let (socket, _) = client_async(format!("ws://{node}{path}"), socket).await.ok()?;
            return Some(Self::WebSocket(Box::new(socket)));
        }
        // An answer of HTTP/1.0 has no chunks.
        socket.write_all(format!("GET {path} HTTP/1.0\r\nHost: {node}\r\n\r\n").as_bytes()).await.ok()?;
        Some(Self::Lines(BufReader::new(socket)))
    }

    /// Returns the next frame; `None` if the connection has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let text = match self {
                Self::WebSocket(socket) => match socket.next().await?.ok()? {
                    tokio_tungstenite::tungstenite::Message::Text(text) => text.to_string(),
                    _ => continue,
                },
                Self::Lines(socket) => {
                    let mut line = String::new();
                    socket.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
                    line
                }
            };
            // The rest is the head of the answer, and what SSE has beside the data.
            if let Ok(frame @ Value::Object(_)) =
                serde_json::from_str(text.strip_prefix("data: ").unwrap_or(&text))
            {
                return Some(frame);
            }
        }
    }
}

impl Client {
    async fn run(mut self) {
        loop {
            let nodes = self.nodes.borrow_and_update().clone();
            let node = nodes[self.random.random_range(0..nodes.len())];
            let path = {
                let progress = self.progress.lock().unwrap();
                match progress.seq {
                    0 => self.path.to_owned(),
                    seq => format!("{}&after={}-{seq}", self.path, progress.epoch),
                }
            };
            if let Some(mut frames) = Frames::open(node, &path).await {
                while let Some(frame) = timeout(PATIENCE, frames.next()).await.expect("something comes") {
                    self.on_frame(&frame);
                }
            }
        }
    }

    fn on_frame(&self, frame: &Value) {
        let mut progress = self.progress.lock().unwrap();
        match frame["type"].as_str().unwrap() {
            "subscribed" => {
                let is_first = progress.seq == 0;
                assert!(is_first || frame["resumed"] == true, "{}: lost at {progress:?}: {frame}", self.path);
                frame["epoch"].as_str().unwrap().clone_into(&mut progress.epoch);
                progress.snapshots = frame["snapshots"].as_u64().unwrap();
                if is_first {
                    // The snapshots have everything up to here.
                    progress.seq = frame["seq"].as_u64().unwrap();
                }
                progress.connections += 1;
            }
            "snapshot" => progress.snapshots -= 1,
            "trade" | "quote" | "bar" => {
                let seq = frame["seq"].as_u64().unwrap();
                assert_eq!(progress.snapshots, 0);
                if self.path.ends_with("every") {
                    assert_eq!(seq, progress.seq + 1, "{}: {progress:?}", self.path);
                } else {
                    assert!(seq > progress.seq, "{}: {seq} comes twice: {progress:?}", self.path);
                }
                progress.seq = seq;
            }
            "gap" => panic!("{}: {frame} after {progress:?}", self.path),
            _ => {}
        }
    }
}

/// The nodes, and the addresses of the nodes that clients may connect to.
struct Nodes {
    url: String,
    running: Vec<ServerProcess>,
    addresses: watch::Sender<Vec<SocketAddr>>,
}

impl Nodes {
    async fn start(nats: &NatsServer) -> Self {
        let (url, addresses) = (nats.url().to_owned(), watch::Sender::new(Vec::new()));
        let mut nodes = Self { url, running: Vec::new(), addresses };
        for _ in 0..NODES {
            nodes.add().await;
        }
        nodes
    }

    async fn add(&mut self) {
        let node = node(&[&self.url], &[]).await;
        ready_process(&node).await;
        self.addresses.send_modify(|addresses| addresses.push(node.address()));
        self.running.push(node);
    }

    async fn kill(&mut self, index: usize) {
        let mut node = self.running.swap_remove(index);
        self.addresses.send_modify(|addresses| addresses.retain(|address| *address != node.address()));
        node.process.kill().await.unwrap();
    }
}

#[tokio::test]
async fn no_client_loses_an_event_or_gets_one_twice_while_nodes_are_killed() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut nodes = Nodes::start(&nats).await;
    let (mut random, mut clients) = (SmallRng::seed_from_u64(1), JoinSet::new());
    let mut all = Vec::new();
    for (number, path) in (1..=CLIENTS as u64).zip(PATHS.iter().cycle()) {
        let progress = Arc::new(Mutex::new(Progress::default()));
        all.push(Arc::clone(&progress));
        let (nodes, random) = (nodes.addresses.subscribe(), SmallRng::seed_from_u64(number));
        clients.spawn(Client { path, nodes, random, progress }.run());
    }
    // Waits until every client has come further.
    let mut further = async |by: u64| {
        let newest = all.iter().map(|one| one.lock().unwrap().seq).max().unwrap();
        until(async || {
            if let Some(failed) = clients.try_join_next() {
                failed.unwrap();
            }
            all.iter().all(|one| one.lock().unwrap().seq > newest + by)
        })
        .await;
    };
    further(BETWEEN).await;

    for _ in 0..KILLS {
        nodes.kill(random.random_range(0..NODES)).await;
        further(BETWEEN).await;
        nodes.add().await;
    }

    further(BETWEEN).await;
    let connections: u64 = all.iter().map(|one| one.lock().unwrap().connections).sum();
    assert!(connections > CLIENTS as u64, "no client has connected again");
}
