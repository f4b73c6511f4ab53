//! A response that begins a session: the handshake of a WebSocket, or the head of a stream.
//!
//! A route marks such a response with a [`Start`]. The response then leaves the HTTP library. The server writes its head to the socket, and the session writes
//! all that follows. So a stream costs no more than a WebSocket.

use std::time::SystemTime;

use http::header::{CONNECTION, DATE, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::encoding::Body;
use crate::session::Start;

/// A response that begins a session, after the response has left the HTTP library.
#[derive(Debug)]
pub struct Departure {
    /// The bytes of the response's status line and headers.
    pub head: Vec<u8>,
    /// What the request asks for.
    pub start: Start,
}

impl Departure {
    /// Takes a response out of the HTTP library; returns `None` if the response does not begin a session.
    pub fn take(response: &mut Response) -> Option<Self> {
        let start = response.extensions_mut().remove::<Start>()?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let date = httpdate::fmt_http_date(SystemTime::now());
            let date = HeaderValue::from_str(&date).expect("a date is ASCII");
            response.headers_mut().insert(DATE, date);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if start.encoding.body() == Some(Body::Chunked) {
            response.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Some(Self { head: head(response), start })
    }
}

/// Returns the bytes of a response's status line and headers.
fn head(response: &Response) -> Vec<u8> {
    let status = response.status();
    let mut head =
        format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default())
            .into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
