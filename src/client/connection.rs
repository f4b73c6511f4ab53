//! A client's WebSocket connection to a server.

use std::io;
use std::time::Duration;

use futures_util::SinkExt;
use http::Uri;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{ClientError, Endpoint};

/// Time limit for the handshake and for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    url: Uri,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Connection {
    /// Connects to the server at this URL.
    ///
    /// # Errors
    ///
    /// The client cannot connect within ten seconds, or the server rejects the handshake.
    pub async fn open(url: Uri) -> Result<Self, ClientError> {
        let connected = timeout(TIMEOUT, connect_async(url.clone())).await;
        match connected.unwrap_or_else(|late| Err(Error::Io(late.into()))) {
            Ok((socket, _)) => Ok(Self { url, socket }),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(ClientError::Refused {
                    url: Endpoint::of(&url),
                    status: response.status().as_u16(),
                    message: error_message(body),
                })
            }
            Err(source) => Err(ClientError::Connect { url: Endpoint::of(&url), source: Box::new(source) }),
        }
    }

    /// Sends a message to all peers.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn send(&mut self, text: String) -> Result<(), ClientError> {
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|source| self.broken(source))
    }

    /// Waits for the next text or binary message from the server.
    ///
    /// # Errors
    ///
    /// The server closed the connection, or the connection broke.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        while let Some(message) = self.socket.next().await {
            match message.map_err(|source| self.broken(source))? {
                message @ (Message::Text(_) | Message::Binary(_)) => return Ok(message),
                Message::Close(frame) => return Err(self.closed(frame)),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Err(self.closed(None))
    }

    /// Waits at most ten seconds for the next message from the server.
    ///
    /// # Errors
    ///
    /// The server closed the connection, the connection broke, or no message came in time.
    pub async fn answer(&mut self) -> Result<Message, ClientError> {
        match timeout(TIMEOUT, self.next()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.broken(Error::Io(io::ErrorKind::TimedOut.into()))),
        }
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        // A failed close is ignored, because the client needs nothing more from the server.
        let _ = self.socket.close(None).await;
    }

    fn broken(&self, source: Error) -> ClientError {
        ClientError::Broken { url: Endpoint::of(&self.url), source: Box::new(source) }
    }

    fn closed(&self, frame: Option<CloseFrame>) -> ClientError {
        let (code, reason) =
            frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
        ClientError::Closed { url: Endpoint::of(&self.url), code, reason }
    }
}

/// Returns the message of a JSON error reply. Returns any other body unchanged.
fn error_message(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["error"]["message"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}
