//! A client that checks the order and the completeness of its events.

use std::net::SocketAddr;

use futures_util::SinkExt;
use serde::Deserialize;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::support::process::PATIENCE;

/// The URL parameters of a subscriber that wants every event of all symbols.
pub const EVERY: &str = "symbols=*&delivery=every";

/// A client that has subscribed and has received the reply to its subscribe.
pub struct Subscriber {
    socket: WebSocketStream<TcpStream>,
    /// Whether the subscriber has `delivery=every`, so that no event may be missing.
    is_exact: bool,
    pub epoch: String,
    pub resumed: bool,
    /// The sequence number of the newest event that the client has, as an update or in a snapshot.
    pub seq: u64,
    /// The number of snapshots that have not arrived yet. The events of a symbol arrive only after its
    /// snapshot.
    owed: usize,
}

/// What a subscriber receives next: a frame, or the end of the connection.
#[derive(Debug)]
pub enum Frame {
    /// A trade, a quote or a bar.
    Event(String),
    Heartbeat(Heartbeat),
    /// Any other frame.
    Other(String),
    /// A close frame, with its code and reason.
    Closed(u16, String),
    /// The connection ended without a close frame.
    Lost,
}

#[derive(Debug, Deserialize)]
pub struct Heartbeat {
    pub time: String,
    pub seq: u64,
    pub sent: u64,
    pub merged: u64,
}

#[derive(Deserialize)]
struct Head<'a> {
    r#type: &'a str,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct Subscribed {
    r#type: String,
    epoch: String,
    seq: u64,
    resumed: bool,
    snapshots: usize,
    delivery: String,
}

impl Subscriber {
    /// Connects with the URL parameters in `query`, which must include `symbols`.
    pub async fn connect(address: SocketAddr, query: &str) -> Self {
        Self::try_connect(address, query).await.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    pub async fn try_connect(address: SocketAddr, query: &str) -> Result<Self, Error> {
        Self::over(TcpSocket::new_v4()?, address, query).await
    }

    /// Connects a client whose receive buffer has about this many bytes.
    pub async fn connect_with_room(address: SocketAddr, query: &str, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        Self::over(socket, address, query).await.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Connects with the URL parameters in `query`, and resumes after `cursor`.
    pub async fn resume(address: SocketAddr, query: &str, cursor: &str) -> Self {
        let mut subscriber = Self::connect(address, &format!("{query}&after={cursor}")).await;
        if subscriber.resumed {
            subscriber.seq = cursor.rsplit_once('-').unwrap().1.parse().unwrap();
        }
        subscriber
    }

    async fn over(socket: TcpSocket, address: SocketAddr, query: &str) -> Result<Self, Error> {
        let open = async {
            let request = format!("ws://{address}/ws?{query}").into_client_request()?;
            let config = WebSocketConfig::default().read_buffer_size(4096);
            let socket = socket.connect(address).await?;
            let (mut socket, _) = client_async_with_config(request, socket, Some(config)).await?;
            let first = socket.next().await.ok_or(Error::ConnectionClosed)??.into_text()?;
            Ok::<_, Error>((socket, first))
        };
        let (socket, first) = timeout(PATIENCE, open).await.expect("the server answers")?;
        let first: Subscribed = serde_json::from_str(&first).unwrap_or_else(|_| panic!("{first}"));
        assert_eq!(first.r#type, "subscribed");
        Ok(Self {
            socket,
            is_exact: first.delivery == "every",
            epoch: first.epoch,
            resumed: first.resumed,
            seq: first.seq,
            owed: first.snapshots,
        })
    }

    /// Returns the socket.
    pub fn line(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// Returns the cursor from which the client can resume. Until all snapshots have arrived, the sequence
    /// number of the cursor is 0.
    pub fn cursor(&self) -> String {
        let seq = if self.owed == 0 { self.seq } else { 0 };
        format!("{}-{seq}", self.epoch)
    }

    pub async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Returns the next frame. Checks that each event is newer than the events before it. If the client has
    /// `delivery=every`, also checks that no event was skipped.
    pub async fn next(&mut self) -> Frame {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a frame comes");
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(Some(close)))) => {
                    return Frame::Closed(close.code.into(), close.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(other)) => panic!("after {} comes {other:?}", self.seq),
                Some(Err(_)) | None => return Frame::Lost,
            };
            let head: Head = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
            return match (head.r#type, head.seq) {
                ("trade" | "quote" | "bar" | "status", Some(seq)) => {
                    let is_next = seq == self.seq + 1 || !self.is_exact || self.owed > 0;
                    let follows = is_next && seq > self.seq;
                    assert!(follows, "after {} comes {text}", self.seq);
                    self.seq = seq;
                    Frame::Event(text.to_string())
                }
                ("snapshot", Some(seq)) => {
                    self.owed -= 1;
                    self.seq = seq;
                    Frame::Other(text.to_string())
                }
                ("heartbeat", _) => Frame::Heartbeat(serde_json::from_str(&text).unwrap()),
                _ => Frame::Other(text.to_string()),
            };
        }
    }

    /// Reads until an event arrives.
    pub async fn next_event(&mut self) {
        let before = self.seq;
        self.read_to(before + 1).await;
    }

    /// Reads until a heartbeat arrives.
    pub async fn next_heartbeat(&mut self) -> Heartbeat {
        loop {
            match self.next().await {
                Frame::Heartbeat(heartbeat) => return heartbeat,
                Frame::Event(_) | Frame::Other(_) => {}
                end => panic!("after {}: {end:?}", self.seq),
            }
        }
    }

    /// Reads until all events up to this sequence number have arrived.
    pub async fn read_to(&mut self, seq: u64) {
        while self.seq < seq {
            if let end @ (Frame::Closed(..) | Frame::Lost) = self.next().await {
                panic!("after {}, on the way to {seq}: {end:?}", self.seq)
            }
        }
    }

    /// Sends a ping command, and reads until its reply arrives.
    pub async fn catch_up(&mut self) {
        self.say(r#"{"action":"ping","id":"caught up"}"#).await;
        loop {
            match self.next().await {
                Frame::Other(text) if text.contains(r#""id":"caught up""#) => return,
                end @ (Frame::Closed(..) | Frame::Lost) => panic!("after {}: {end:?}", self.seq),
                _ => {}
            }
        }
    }

    /// Reads until the server closes the connection, or until the connection is lost.
    pub async fn read_to_end(&mut self) -> Frame {
        loop {
            if let end @ (Frame::Closed(..) | Frame::Lost) = self.next().await {
                return end;
            }
        }
    }
}
