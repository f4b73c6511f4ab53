//! A client's WebSocket connection to a server.

use std::io;
use std::time::Duration;

use futures_util::SinkExt;
use http::header::AUTHORIZATION;
use http::{StatusCode, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::error::ClientError;
use super::frame::Head;
use super::target::Target;
use super::url::Endpoint;

/// The time limit for the handshake, and for the answer to a message.
const TIMEOUT: Duration = Duration::from_secs(10);

/// If no message arrives for this time, the client pings the server. The value is twice the server's default
/// time between heartbeats.
const PING_AFTER: Duration = Duration::from_secs(10);

/// If no message arrives within this time after the client's ping, the connection counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    url: Uri,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Connection {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// Fails if the client cannot connect within ten seconds, or if the server rejects the handshake.
    pub async fn open(target: &Target) -> Result<Self, ClientError> {
        let url = target.url.clone();
        match timeout(TIMEOUT, connect(target)).await.unwrap_or_else(|late| Err(Error::Io(late.into()))) {
            Ok(socket) => Ok(Self { url, socket }),
            Err(error) => Err(cannot_connect(Endpoint::of(&url), error)),
        }
    }

    /// Sends a message, which the server passes to all peers.
    ///
    /// # Errors
    ///
    /// Fails if the connection broke.
    pub async fn send(&mut self, text: String) -> Result<(), ClientError> {
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|cause| self.broken(cause))
    }

    /// Waits for the next text or binary message from the server. If the server is silent, pings the server.
    ///
    /// # Errors
    ///
    /// Fails if the server closes the connection or does not answer the ping, or if the connection breaks.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        let mut is_asked = false;
        loop {
            let patience = if is_asked { LOST_AFTER } else { PING_AFTER };
            let Ok(message) = timeout(patience, self.socket.next()).await else {
                if is_asked {
                    return Err(self.broken(Error::Io(io::ErrorKind::TimedOut.into())));
                }
                is_asked = true;
                let sent = self.socket.send(Message::Ping("".into())).await;
                sent.map_err(|cause| self.broken(cause))?;
                continue;
            };
            is_asked = false;
            match message.transpose().map_err(|cause| self.broken(cause))? {
                Some(message @ (Message::Text(_) | Message::Binary(_))) => return Ok(message),
                Some(Message::Close(frame)) => return Err(self.closed(frame)),
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                None => return Err(self.closed(None)),
            }
        }
    }

    /// Waits at most ten seconds for the server's next message. This message counts as the answer to `text`.
    ///
    /// # Errors
    ///
    /// Fails if the answer is an error reply, the connection closed or broke, or no message arrived in time.
    pub async fn answer(&mut self, text: &str) -> Result<Vec<u8>, ClientError> {
        let Ok(answer) = timeout(TIMEOUT, self.next()).await else {
            return Err(self.broken(Error::Io(io::ErrorKind::TimedOut.into())));
        };
        match answer? {
            // An answer equal to `text` is the relayed message itself, even if it looks like an error reply.
            Message::Text(answer) if answer.as_str() != text => match Head::of(&answer).into_error() {
                Some(error) => Err(self.rejected(error)),
                None => Ok(answer.as_bytes().to_vec()),
            },
            answer => Ok(answer.into_data().to_vec()),
        }
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        // A failed close is ignored, because the client needs nothing more from the server.
        let _ = self.socket.close(None).await;
    }

    /// Returns the error for an error reply with this code and message.
    pub(super) fn rejected(&self, (code, message): (String, String)) -> ClientError {
        ClientError::Rejected { url: Endpoint::of(&self.url), code, message }
    }

    fn broken(&self, cause: Error) -> ClientError {
        ClientError::Broken { url: Endpoint::of(&self.url), cause: Box::new(cause) }
    }

    fn closed(&self, frame: Option<CloseFrame>) -> ClientError {
        let (code, reason) =
            frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
        ClientError::Closed { url: Endpoint::of(&self.url), code, reason }
    }
}

async fn connect(target: &Target) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    let mut request = target.url.clone().into_client_request()?;
    if let Some(token) = &target.authorization {
        request.headers_mut().insert(AUTHORIZATION, token.clone());
    }
    let connector = target.tls.clone().map(Connector::Rustls);
    let (socket, _) = connect_async_tls_with_config(request, None, false, connector).await?;
    Ok(socket)
}

fn cannot_connect(url: Endpoint, error: Error) -> ClientError {
    match error {
        Error::Http(response) => {
            let status = response.status();
            let message = error_message(response.body().as_deref().unwrap_or_default(), status);
            ClientError::Refused { url, status: status.as_u16(), message }
        }
        Error::Io(error) => match error.downcast() {
            Ok(cause) => ClientError::Tls { url, cause },
            Err(error) => ClientError::Connect { url, cause: Box::new(Error::Io(error)) },
        },
        cause => ClientError::Connect { url, cause: Box::new(cause) },
    }
}

/// If the body of a response is a JSON error reply, returns the message of this error. For any other body,
/// for example a proxy's HTML page, returns the name of the HTTP status.
fn error_message(body: &[u8], status: StatusCode) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["error"]["message"].as_str());
    message.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason is given")).to_owned()
}
