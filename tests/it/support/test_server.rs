//! A server of one's own for each test, and clients that speak to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::Value;
use tickerplant::app::{App, ShardFailed};
use tickerplant::bus::Bus;
use tickerplant::config::Config;
use tickerplant::feed::{self, Feed};
use tickerplant::hub::Duplex;
use tickerplant::market::{Data, Event, Quote, Trade};
use tickerplant::tally::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data as Opcode, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes: a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of its own, whose feed is the test.
pub struct TestServer {
    address: SocketAddr,
    bus: Arc<Bus>,
    stop: CancellationToken,
    running: JoinSet<Result<(), ShardFailed>>,
}

impl TestServer {
    pub async fn start(config: Config) -> Self {
        Self::run(config, None).await
    }

    /// A server whose feed is the configured one.
    pub async fn feed(config: Config) -> Self {
        let feed = feed::open(&config.feed).unwrap();
        Self::run(config, Some(feed)).await
    }

    async fn run(mut config: Config, feed: Option<Feed>) -> Self {
        "127.0.0.1:0".clone_into(&mut config.server.listen);
        let app = App::start(config, feed).await.unwrap();
        let (address, bus) = (app.address(), Arc::clone(app.bus()));
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(app.run(stop.clone()));
        Self { address, bus, stop, running }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn bus(&self) -> &Bus {
        &self.bus
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
        Ok(Client { socket })
    }

    /// Connects a client for which the kernel takes about so many bytes that it has not read.
    pub async fn connect_with_room(&self, path: &str, bytes: u32) -> Client {
        let request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        let socket = Box::new(self.open_with_room(bytes).await);
        Client { socket: client_async(request, socket as _).await.unwrap().0 }
    }

    pub async fn open_with_room(&self, bytes: u32) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends these bytes over a connection of their own and returns all that comes back.
    pub async fn request(&self, bytes: &str) -> String {
        let mut socket = self.open().await;
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may answer and cut off somebody who has not finished speaking.
        let _ =
            timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the server ends the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends these bytes over a connection of their own and returns the head of the answer.
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

    /// How often a limit has struck.
    pub fn strikes(&self, limit: Limit) -> u64 {
        self.bus.tally().strikes(limit)
    }

    /// Waits until a limit has struck so often: a client may see what comes of it before it is counted.
    pub async fn struck(&self, limit: Limit, times: u64) {
        let counted = async {
            while self.strikes(limit) < times {
                yield_now().await;
            }
        };
        timeout(PATIENCE, counted).await.expect("the limit strikes");
        assert_eq!(self.strikes(limit), times);
    }

    pub async fn shut_down(mut self) {
        self.stop.cancel();
        let ended = timeout(PATIENCE, self.running.join_next()).await.expect("the server ends");
        assert_eq!(ended.unwrap().unwrap(), Ok(()));
    }
}

/// A WebSocket client.
pub struct Client {
    socket: WebSocketStream<Box<dyn Duplex>>,
}

impl Client {
    pub fn new(socket: WebSocketStream<Box<dyn Duplex>>) -> Self {
        Self { socket }
    }

    /// What it speaks through, for bytes that are no whole frame.
    pub fn line(&mut self) -> &mut Box<dyn Duplex> {
        self.socket.get_mut()
    }

    /// Sends a text in frames, one for each part.
    pub async fn send_parts(&mut self, parts: &[&str]) {
        for (number, part) in parts.iter().enumerate() {
            self.send_part(part, number == 0, number + 1 == parts.len()).await;
        }
    }

    /// Sends one frame of a text that may come in several.
    pub async fn send_part(&mut self, part: &str, is_first: bool, is_last: bool) {
        let opcode = OpCode::Data(if is_first { Opcode::Text } else { Opcode::Continue });
        let frame = Frame::message(part.to_owned(), opcode, is_last);
        self.socket.send(Message::Frame(frame)).await.unwrap();
    }

    pub async fn ping(&mut self) {
        self.socket.send(Message::Ping("ping".into())).await.unwrap();
    }

    pub async fn pong(&mut self) {
        self.socket.send(Message::Pong("pong".into())).await.unwrap();
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next message, whatever it is.
    pub async fn next(&mut self) -> Message {
        let message = timeout(PATIENCE, self.socket.next()).await.expect("a message comes");
        message.expect("the connection stays").unwrap()
    }

    pub async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected text, got {other:?}"),
        }
    }

    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} is no JSON"))
    }

    /// Takes the next frame, which has at least the fields of `expected`, with these values.
    pub async fn expect(&mut self, expected: &str) -> Value {
        let frame = self.json().await;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert!(has(&frame, &expected), "expected {expected}\n     got {frame}");
        frame
    }

    /// Takes the close that is all that is left to come, and returns its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Message::Close(Some(CloseFrame { code, reason })) => {
                    return (code.into(), reason.to_string());
                }
                Message::Close(None) => return (1005, String::new()),
                _ => {}
            }
        }
    }

    /// Says something of its own and takes all that comes before it comes back: nothing more was on its way.
    pub async fn quiet(&mut self) {
        self.send(r#"{"action":"ping","id":"quiet"}"#).await;
        let frame = self.json().await;
        assert_eq!(frame["id"], "quiet", "{frame}");
    }
}

/// Whether `expected` is part of `found`.
fn has(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| has(found, value)))
        }
        (found, expected) => found == expected,
    }
}

pub fn trade(symbol: &str, price: &str) -> Event {
    let trade = Trade { price: price.parse().unwrap(), size: Some("100".parse().unwrap()) };
    event(symbol, Data::Trade(trade))
}

pub fn quote(symbol: &str, bid: &str, ask: &str) -> Event {
    let price = |text: &str| Some(text.parse().unwrap());
    event(symbol, Data::Quote(Quote { bid: price(bid), bid_size: None, ask: price(ask), ask_size: None }))
}

fn event(symbol: &str, data: Data) -> Event {
    Event { symbol: symbol.parse().unwrap(), time: "2024-01-03T14:30:00Z".parse().unwrap(), data }
}
