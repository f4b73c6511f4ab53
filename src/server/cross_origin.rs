//! Lets pages of allowed origins read responses (CORS), and answers `OPTIONS`.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use warp::Reply;
use warp::reply::Response;

use super::json_response::ErrorResponse;

/// The request headers that a page of an allowed origin may send.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, last-event-id");

/// How many seconds a browser may cache the response to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The outcome of the Origin rule: the `Origin` header if the request has one, or the error response that
/// refuses the request.
pub type CheckedOrigin = Result<Option<HeaderValue>, ErrorResponse>;

/// Returns the response to an `OPTIONS` request. `allow` lists the methods that the requested URL supports.
///
/// If the request is a preflight from an allowed origin, the response also lists the methods and headers that
/// the origin's pages may use. Without these lists, the browser does not send the request that should follow
/// the preflight. For a preflight from a refused origin, the response has the refusal as an extension, so that
/// the server can log the refusal.
pub fn options_response(allow: &HeaderValue, headers: &HeaderMap, origin: &CheckedOrigin) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(ALLOW, allow.clone());
    if !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return response;
    }
    match origin {
        Ok(Some(_)) => {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
            response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        Ok(None) => {}
        Err((_, refusal)) => drop(response.extensions_mut().insert(refusal.clone())),
    }
    response
}

/// Adds headers to a response, so that the pages of an allowed origin can read the response.
pub fn let_page_read(response: &mut Response, origin: CheckedOrigin) {
    // Without this header, a cache could send the response for one origin to another origin.
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    if let Ok(Some(origin)) = origin {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}
