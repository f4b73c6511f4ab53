//! `/ndjson`: streams a subscription as the body of a response, one frame per line.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use warp::Reply;

use super::app_state::{AppState, require_token};
use super::json_response::ErrorResponse;
use crate::encoding::{Body, Encoding};
use crate::session::Start;
use crate::wire::{ErrorCode, ErrorReply};

/// The response header that tells nginx and compatible proxies to forward each line at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answers a request to `/ndjson`.
///
/// # Errors
///
/// Returns an error if the token or the subscription is missing or invalid.
pub fn response(
    state: &AppState,
    method: &Method,
    version: Version,
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
        let body = if version == Version::HTTP_11 { Body::Chunked } else { Body::UntilClose };
        response.extensions_mut().insert(Start { encoding: Encoding::Ndjson(body), parameters, access });
    }
    Ok(response)
}
