//! A server that sends only the frames and responses that a test specifies.

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::support::process::PATIENCE;

pub struct ScriptedServer(TcpListener);

/// A connection of a client to a scripted server.
pub struct ScriptedConnection {
    pub query: String,
    pub authorization: Option<String>,
    socket: WebSocketStream<TcpStream>,
}

impl ScriptedServer {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.0.local_addr().unwrap())
    }

    async fn socket(&self) -> TcpStream {
        timeout(PATIENCE, self.0.accept()).await.expect("a client comes").unwrap().0
    }

    /// Accepts the next client.
    pub async fn accept(&self) -> ScriptedConnection {
        let (mut query, mut authorization) = (String::new(), None);
        #[expect(clippy::result_large_err, reason = "the library defines the type of the callback")]
        let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            request.uri().query().unwrap_or_default().clone_into(&mut query);
            let header = request.headers().get("authorization");
            authorization = header.map(|header| header.to_str().unwrap().to_owned());
            Ok(response)
        };
        let socket = accept_hdr_async(self.socket().await, note).await.unwrap();
        ScriptedConnection { query, authorization, socket }
    }

    /// Accepts the next client, sends these frames to it, and closes the connection with this close code. If
    /// there is no code, drops the connection without a close frame. Returns the query string of the URL that
    /// the client requested.
    pub async fn serve(&self, frames: &[&str], code: Option<u16>) -> String {
        let mut connection = self.accept().await;
        connection.say(frames).await;
        let query = connection.query.clone();
        connection.close(code).await;
        query
    }

    /// Answers the request of the next client with this HTTP status, and with this error message as JSON.
    pub async fn refuse(&self, status: u16, message: &str) {
        let mut socket = self.socket().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        let body = format!(r#"{{"error":{{"code":"any","message":"{message}"}}}}"#);
        let head = format!("HTTP/1.1 {status} Refused\r\nContent-Length: {}\r\n\r\n", body.len());
        socket.write_all((head + &body).as_bytes()).await.unwrap();
    }
}

impl ScriptedConnection {
    pub async fn say(&mut self, frames: &[&str]) {
        for frame in frames {
            self.socket.send(Message::text(*frame)).await.unwrap();
        }
    }

    /// Returns the next message of the client.
    pub async fn hear(&mut self) -> String {
        let message = timeout(PATIENCE, self.socket.next()).await.expect("the client sends a message");
        message.expect("the client stays").unwrap().into_text().unwrap().to_string()
    }

    /// Closes the connection with this close code, and waits for the client to leave. If there is no code,
    /// drops the connection without a close frame.
    pub async fn close(mut self, code: Option<u16>) {
        if let Some(code) = code {
            let frame = CloseFrame { code: code.into(), reason: "e-7".into() };
            self.socket.close(Some(frame)).await.unwrap();
            self.wait_for_end().await;
        }
    }

    /// Reads and ignores the client's messages until the client leaves.
    pub async fn wait_for_end(&mut self) {
        let end = async { while let Some(Ok(_)) = self.socket.next().await {} };
        timeout(PATIENCE, end).await.expect("the client leaves");
    }

    /// Returns the TCP socket that carries the WebSocket connection.
    pub fn line(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }
}
