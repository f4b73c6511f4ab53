//! Says one thing to all peers, as in the classic broadcast tutorial.

use std::io::{self, Write};

use futures_util::SinkExt;
use http::Uri;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{ClientError, Endpoint, PATIENCE, closed, connect};

/// Connects, sends `text`, and writes `Received: …` for the first message that comes back.
///
/// # Errors
///
/// No connection, or no answer within ten seconds; an output that cannot be written.
pub async fn send(url: &Uri, text: String, out: &mut impl Write) -> Result<(), ClientError> {
    let broken = |source| ClientError::Broken { url: Endpoint::of(url), source: Box::new(source) };
    let mut socket = connect(url).await?;
    socket.send(Message::text(text)).await.map_err(broken)?;
    let late = |_| Error::Io(io::ErrorKind::TimedOut.into());
    while let Some(message) = timeout(PATIENCE, socket.next()).await.map_err(late).map_err(broken)? {
        match message.map_err(broken)? {
            Message::Text(text) => writeln!(out, "Received: {text}").map_err(ClientError::Output)?,
            Message::Binary(bytes) => {
                writeln!(out, "Received: {}", String::from_utf8_lossy(&bytes))
                    .map_err(ClientError::Output)?;
            }
            Message::Close(frame) => return Err(closed(url, frame)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        }
        // The answer is there: a goodbye that fails changes nothing.
        let _ = socket.close(None).await;
        return Ok(());
    }
    Err(closed(url, None))
}
