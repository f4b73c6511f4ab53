//! `/ndjson`: a subscription as the body of an answer, one frame a line.
//!
//! Behind it is a session like any other. Its socket is a pipe, which the body drains as fast as the client reads: when
//! the client is slow the pipe is full, and the session conflates or closes as it does on a WebSocket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderName, ORIGIN, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tcp_info::Acknowledgements;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio_util::io::ReaderStream;
use warp::Reply;

use super::app_state::{AppState, unlocked};
use super::handshake::Denied;
use super::patient::Patience;
use crate::auth::Access;
use crate::encoding::Encoding;
use crate::hub::{Duplex, Socket};
use crate::wire::{ErrorCode, Refusal, Stream};

/// How many bytes the pipe takes that the answer has not.
const PIPE_BYTES: usize = 16 * 1024;

/// How many bytes the answer takes from the pipe at a time.
const CHUNK_BYTES: usize = 8 * 1024;

/// Tells proxies of the nginx kind to pass on every line as it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An answer whose body is a session: the worker takes this from the response and begins it.
#[derive(Clone, Debug)]
pub struct Streaming {
    /// How the session's frames are written.
    pub encoding: Encoding,
    /// What the URL asks for.
    pub stream: Stream,
    /// What the client may do.
    pub access: Access,
}

/// The session's end of a pipe.
#[derive(Debug)]
struct Pipe {
    stream: DuplexStream,
    patience: Patience,
    is_finished: Arc<AtomicBool>,
}

/// The body's end of a pipe.
struct Body {
    bytes: ReaderStream<DuplexStream>,
    /// Whether the session has said all that it had to say.
    is_finished: Arc<AtomicBool>,
}

/// Answers `/ndjson`.
///
/// # Errors
///
/// The status that the request deserves and what to do about it.
pub fn ndjson(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    query: &str,
) -> Result<warp::reply::Response, Denied> {
    state.origins.check(headers)?;
    let (stream, access) = state.subscription(headers, query)?;
    let access = unlocked(access)?;
    if stream.subscribe.is_none() {
        let message = "a stream needs symbols, e.g. /ndjson?symbols=AAPL,MSFT or symbols=*";
        return Err((StatusCode::BAD_REQUEST, Refusal::new(ErrorCode::BadParameter, message)));
    }
    let mut response = Response::builder()
        .header(CONTENT_TYPE, "application/x-ndjson")
        .header(CACHE_CONTROL, "no-store")
        .header(X_ACCEL_BUFFERING, "no")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(VARY, HeaderValue::from_static("Origin"))
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    if let Some(origin) = headers.get(ORIGIN) {
        // It has been checked: its page may open a WebSocket too.
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    if method != Method::HEAD {
        response.extensions_mut().insert(Streaming { encoding: Encoding::Lines, stream, access });
    }
    Ok(response)
}

/// Returns the two ends of a pipe: the session's socket, and this answer with the other end as its body. The answer goes out
/// by the socket of this `patience`.
pub fn pipe(answer: warp::reply::Response, patience: Patience) -> (Socket, warp::reply::Response) {
    // Both ways, though nothing comes back: that way the session learns that the body is gone.
    let (ours, theirs) = duplex(PIPE_BYTES);
    let bytes = ReaderStream::with_capacity(theirs, CHUNK_BYTES);
    let is_finished = Arc::<AtomicBool>::default();
    let pipe = Pipe { stream: ours, patience, is_finished: Arc::clone(&is_finished) };
    let body = warp::reply::stream(Body { bytes, is_finished }).into_response().into_body();
    (Socket::Other(Box::new(pipe)), Response::from_parts(answer.into_parts().0, body))
}

impl tokio_stream::Stream for Body {
    type Item = io::Result<hyper::body::Bytes>;

    /// Ends as the session does: where that was cut off, the answer is broken off, too, instead of looking whole.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.bytes).poll_next(cx));
        let is_cut_off = next.is_none() && !self.is_finished.load(Ordering::Relaxed);
        Poll::Ready(if is_cut_off { Some(Err(io::ErrorKind::UnexpectedEof.into())) } else { next })
    }
}

impl Duplex for Pipe {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        self.patience.acknowledgements()
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

    /// Says that nothing more comes.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_finished.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
