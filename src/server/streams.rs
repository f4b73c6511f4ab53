//! `/ndjson` and `/sse`: stream a subscription as the body of a response.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use warp::Reply;

use super::app_state::{AppState, single_header};
use super::json_response::ErrorResponse;
use crate::encoding::{Body, Encoding};
use crate::session::Start;
use crate::wire::{Cursor, ErrorCode, ErrorReply};

/// The response header that tells nginx and compatible proxies to forward each line at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The request header in which a browser's `EventSource` sends the cursor of the last event that it got.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Lines of JSON, at `/ndjson`.
    Ndjson,
    /// Server-Sent Events, at `/sse`.
    Sse,
}

/// Answers a request for a stream.
///
/// # Errors
///
/// Returns an error if the token or the subscription is missing or invalid.
pub fn response(
    state: &AppState,
    stream: Stream,
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    query: &str,
) -> Result<warp::reply::Response, ErrorResponse> {
    state.authorize(headers, query)?;
    let last = (stream == Stream::Sse).then(|| last_event(headers)).transpose()?.flatten();
    let (parameters, access) = state.subscription(headers, query, last)?;
    if parameters.subscribe.is_none() {
        let message =
            format!("a stream needs symbols, e.g. {}?symbols=AAPL,MSFT or symbols=*", stream.path());
        return Err((StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadParameter, message)));
    }
    let body = if version == Version::HTTP_11 { Body::Chunked } else { Body::UntilClose };
    let (encoding, content_type) = match stream {
        Stream::Ndjson => (Encoding::Ndjson(body), "application/x-ndjson"),
        Stream::Sse => (Encoding::Sse(body), "text/event-stream"),
    };
    let mut response = Response::builder()
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .header(X_ACCEL_BUFFERING, "no")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    if method != Method::HEAD {
        response.extensions_mut().insert(Start { encoding, parameters, access });
    }
    Ok(response)
}

/// Returns the cursor in the header `Last-Event-ID`; `None` if the request has no such header, or an empty one.
pub fn last_event(headers: &HeaderMap) -> Result<Option<Cursor>, ErrorResponse> {
    let text = single_header(headers, LAST_EVENT_ID)?.filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(None) };
    let cursor = String::from_utf8_lossy(text.as_bytes()).parse();
    cursor.map(Some).map_err(|error: ErrorReply| {
        let message = format!("{LAST_EVENT_ID}: {}", error.message);
        (StatusCode::BAD_REQUEST, ErrorReply::new(error.code, message))
    })
}

impl Stream {
    const fn path(self) -> &'static str {
        match self {
            Self::Ndjson => "/ndjson",
            Self::Sse => "/sse",
        }
    }
}
