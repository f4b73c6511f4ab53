//! A WebSocket client for tests, which sends messages and checks the frames that it receives.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data as Opcode, OpCode};

/// The time limit for each wait in a test. A test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The transport under a client's WebSocket connection: a TCP socket, a TLS stream or an in-memory socket.
pub trait Line: AsyncRead + AsyncWrite + Unpin + Send + Debug {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug> Line for S {}

/// A WebSocket client.
pub struct Client {
    socket: WebSocketStream<Box<dyn Line>>,
}

impl Client {
    pub fn new(socket: WebSocketStream<Box<dyn Line>>) -> Self {
        Self { socket }
    }

    /// Returns the transport, for sending raw bytes.
    pub fn line(&mut self) -> &mut Box<dyn Line> {
        self.socket.get_mut()
    }

    /// Sends a text message in several frames, with one frame for each part.
    pub async fn send_parts(&mut self, parts: &[&str]) {
        for (number, part) in parts.iter().enumerate() {
            self.send_part(part, number == 0, number + 1 == parts.len()).await;
        }
    }

    /// Sends one frame of a text message that is split into several frames.
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

    /// Returns the next WebSocket message of any kind.
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
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} is not JSON"))
    }

    /// Reads the next frame, and asserts that the frame has all fields of `expected`, with the same values.
    pub async fn expect(&mut self, expected: &str) -> Value {
        let frame = self.json().await;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert!(has(&frame, &expected), "expected {expected}\n     got {frame}");
        frame
    }

    /// Reads until a close frame arrives, and returns the code and the reason of the close.
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

    /// Sends a ping command, and asserts that nothing arrives before the reply to this command.
    pub async fn quiet(&mut self) {
        self.send(r#"{"action":"ping","id":"quiet"}"#).await;
        let frame = self.json().await;
        assert_eq!(frame["id"], "quiet", "{frame}");
    }
}

/// Returns whether `found` has all fields of `expected`, with the same values.
fn has(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| has(found, value)))
        }
        (found, expected) => found == expected,
    }
}
