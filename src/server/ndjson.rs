//! `/ndjson`: streams a subscription as the body of a response, one frame per line.
//!
//! A session writes the stream into a pipe instead of a socket. The response body reads from the pipe as fast
//! as the client reads. If the client is slow, the pipe fills up. The session then conflates events or closes
//! the connection, as it does for a slow WebSocket client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, Response, StatusCode};
use tcp_info::Acknowledgements;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio_util::io::ReaderStream;
use warp::Reply;

use super::app_state::{AppState, require_token};
use super::json_response::ErrorResponse;
use super::write_timeout::WriteTimeoutHandle;
use crate::auth::Access;
use crate::encoding::Encoding;
use crate::hub::{Duplex, Socket};
use crate::wire::{ErrorCode, ErrorReply, UrlParameters};

/// The capacity of the pipe between session and body, in bytes.
const PIPE_BYTES: usize = 16 * 1024;

/// The maximum number of bytes that the response body reads from the pipe at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// The response header that tells nginx and compatible proxies to forward each line at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The parameters of a session that streams its frames as a response body. The worker removes this value from
/// the response and starts the session.
#[derive(Clone, Debug)]
pub struct StreamedSession {
    /// The encoding of the frames.
    pub encoding: Encoding,
    /// The parameters of the URL.
    pub parameters: UrlParameters,
    /// The client's permissions.
    pub access: Access,
}

/// The session's end of the pipe.
#[derive(Debug)]
struct Pipe {
    stream: DuplexStream,
    write_timeout: WriteTimeoutHandle,
    is_finished: Arc<AtomicBool>,
}

/// The response body's end of the pipe.
struct Body {
    bytes: ReaderStream<DuplexStream>,
    /// Whether the session has written its last line.
    is_finished: Arc<AtomicBool>,
}

/// Answers a request to `/ndjson`.
///
/// # Errors
///
/// Returns an error if the token or the subscription is missing or invalid.
pub fn response(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    query: &str,
) -> Result<warp::reply::Response, ErrorResponse> {
    let (parameters, access) = state.subscription(headers, query)?;
    let access = require_token(access)?;
    if parameters.subscribe.is_none() {
        let message = "a stream needs symbols, e.g. /ndjson?symbols=AAPL,MSFT or symbols=*";
        return Err((StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadParameter, message)));
    }
    let mut response = Response::builder()
        .header(CONTENT_TYPE, "application/x-ndjson")
        .header(CACHE_CONTROL, "no-store")
        .header(X_ACCEL_BUFFERING, "no")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    if method != Method::HEAD {
        response.extensions_mut().insert(StreamedSession { encoding: Encoding::Ndjson, parameters, access });
    }
    Ok(response)
}

/// Creates a pipe. Returns the session's end of the pipe, and the response, whose body is the other end.
/// `write_timeout` is the handle of the socket that sends the response.
pub fn pipe(
    response: warp::reply::Response,
    write_timeout: WriteTimeoutHandle,
) -> (Socket, warp::reply::Response) {
    // The body sends nothing to the session. The pipe is duplex only so that the session notices when the
    // body is dropped.
    let (ours, theirs) = duplex(PIPE_BYTES);
    let bytes = ReaderStream::with_capacity(theirs, CHUNK_BYTES);
    let is_finished = Arc::<AtomicBool>::default();
    let pipe = Pipe { stream: ours, write_timeout, is_finished: Arc::clone(&is_finished) };
    let body = warp::reply::stream(Body { bytes, is_finished }).into_response().into_body();
    (Socket::Other(Box::new(pipe)), Response::from_parts(response.into_parts().0, body))
}

impl tokio_stream::Stream for Body {
    type Item = io::Result<hyper::body::Bytes>;

    /// Returns the next chunk of the body. Fails if the session ended before it wrote its last line. Without
    /// this error, the incomplete response would look complete to the client.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.bytes).poll_next(cx));
        let is_cut_off = next.is_none() && !self.is_finished.load(Ordering::Relaxed);
        Poll::Ready(if is_cut_off { Some(Err(io::ErrorKind::UnexpectedEof.into())) } else { next })
    }
}

impl Duplex for Pipe {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        self.write_timeout.acknowledgements()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Marks the stream as complete and closes the pipe.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_finished.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
