//! The socket of a connection, as the HTTP library uses it.
//!
//! The library itself answers what is no request, or has too many or too long headers. Its answer has no body.
//! The socket replaces this answer by one with the same status and a JSON body. The socket also records when
//! bytes arrive, for the [timer](super::request_timer).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::request_timer::ConnectionPhase;
use super::write_timeout::WriteTimeoutSocket;
use crate::wire::{ErrorCode, ErrorReply};

/// The longest answer of the library itself, in bytes.
const LONGEST_ANSWER: usize = 256;

/// The limits of the library on requests, for the text of an error.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Maximum number of headers.
    pub headers: usize,
    /// Maximum length of the request line and the headers together, in bytes.
    pub bytes: usize,
}

/// The socket of a connection, as the HTTP library uses it.
#[derive(Debug)]
pub struct RequestSocket {
    socket: WriteTimeoutSocket,
    phase: Arc<ConnectionPhase>,
    limits: HeadLimits,
    /// The part of a replaced answer that the socket has yet to accept.
    answer: Option<Vec<u8>>,
}

impl RequestSocket {
    /// Returns the socket of a connection in this phase, whose requests have these limits.
    #[must_use]
    pub fn new(socket: WriteTimeoutSocket, phase: Arc<ConnectionPhase>, limits: HeadLimits) -> Self {
        Self { socket, phase, limits, answer: None }
    }

    /// Returns the socket itself.
    #[must_use]
    pub fn into_inner(self) -> WriteTimeoutSocket {
        self.socket
    }

    /// Writes the rest of a replaced answer.
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
        // While the library waits for a request, it writes the rest of an earlier response, or its own answer.
        if this.answer.is_none() && this.phase.is_waiting() {
            this.answer = with_body(bytes, this.limits);
        }
        if this.answer.is_none() {
            return Pin::new(&mut this.socket).poll_write(cx, bytes);
        }
        this.poll_answer(cx).map_ok(|()| bytes.len())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// Returns the library's own answer with a JSON body. Returns `None` for all other bytes. No route answers with
/// an error and without a body, so only the library's own answer has the length 0.
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
