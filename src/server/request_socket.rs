//! The socket through which the HTTP library reads and writes a connection.
//!
//! The HTTP library itself answers invalid requests, and requests whose headers are too many or too long. The
//! library's answer has no body. The socket adds a JSON body to the library's answer, and does not change the
//! status. The socket also tells the [timer](super::request_timer) when bytes arrive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::request_timer::ConnectionPhase;
use super::write_timeout::WriteTimeoutSocket;
use crate::wire::{ErrorCode, ErrorReply};

/// The maximum length of an answer that the HTTP library itself sends, in bytes.
const LONGEST_ANSWER: usize = 256;

/// The limits for the request line and the headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The maximum number of headers in a request.
    pub headers: usize,
    /// The maximum length of the request line and the headers together, in bytes.
    pub bytes: usize,
}

/// A socket that adds a JSON body to the HTTP library's own answers.
#[derive(Debug)]
pub struct RequestSocket {
    socket: WriteTimeoutSocket,
    phase: Arc<ConnectionPhase>,
    limits: HeadLimits,
    /// The unsent rest of an answer to which this socket added a body.
    answer: Option<Vec<u8>>,
}

impl RequestSocket {
    /// Wraps the socket of a connection. `phase` is the connection's phase; `limits` are the limits for its
    /// requests.
    #[must_use]
    pub fn new(socket: WriteTimeoutSocket, phase: Arc<ConnectionPhase>, limits: HeadLimits) -> Self {
        Self { socket, phase, limits, answer: None }
    }

    /// Returns the inner socket.
    #[must_use]
    pub fn into_inner(self) -> WriteTimeoutSocket {
        self.socket
    }

    /// Writes the unsent rest of `answer`.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.answer.as_mut().filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(rest.drain(..written)),
            }
        }
        self.answer = None;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for RequestSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.phase.on_bytes();
        }
        read
    }
}

impl AsyncWrite for RequestSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // While the library waits for a request, it writes only the rest of an earlier response or its own
        // answer.
        if this.answer.is_none() && this.phase.is_waiting() {
            this.answer = with_body(bytes, this.limits);
        }
        let written = if this.answer.is_none() {
            Pin::new(&mut this.socket).poll_write(cx, bytes)
        } else {
            this.poll_answer(cx).map_ok(|()| bytes.len())
        };
        this.phase.set_blocked(written.is_pending());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// Adds a JSON body to the HTTP library's own answer. Returns `None` if the bytes are not an answer of the
/// library. An error response without a body comes from the library, because error responses from the routes
/// always have a body.
fn with_body(bytes: &[u8], limits: HeadLimits) -> Option<Vec<u8>> {
    const NO_BODY: &str = "content-length: 0\r\n";
    let answer = str::from_utf8(bytes).ok().filter(|answer| answer.len() <= LONGEST_ANSWER)?;
    let (head, rest) = answer.split_once(NO_BODY).filter(|(_, rest)| rest.ends_with("\r\n\r\n"))?;
    let error = match head.strip_prefix("HTTP/1.1 ")?.split(' ').next()? {
        "400" => {
            let message = "the request is not valid HTTP/1.1; in a URL, special characters are escaped, e.g. a space as %20";
            ErrorReply::new(ErrorCode::BadRequest, message)
        }
        "414" => ErrorReply::new(ErrorCode::BadRequest, "the URL is too long; it has at most 65534 bytes"),
        "431" => {
            let HeadLimits { headers, bytes } = limits;
            let message = format!(
                "a request has at most {headers} headers (server.max_headers), and {bytes} bytes of request line and \
                 headers (server.max_header_bytes)"
            );
            ErrorReply::new(ErrorCode::HeadersTooLarge, message)
        }
        _ => return None,
    };
    let body = serde_json::json!({ "error": error }).to_string();
    let length = body.len();
    let fields = "content-type: application/json\r\nx-content-type-options: nosniff\r\n";
    Some(format!("{head}{fields}content-length: {length}\r\n{rest}{body}").into_bytes())
}
