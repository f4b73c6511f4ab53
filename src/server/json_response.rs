//! Responses with a JSON body, and error responses.

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use warp::Reply;

use crate::wire::{ErrorCode, ErrorReply};

/// The status of an error response, and the error reply in its body.
pub type ErrorResponse = (StatusCode, ErrorReply);

/// Returns a response with this JSON body. No cache may store the response, because the state of a feed
/// changes all the time.
pub fn json_response(status: StatusCode, body: String) -> warp::reply::Response {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body)
        .expect("the headers are well-formed")
        .into_response()
}

/// Returns an error response, with the headers that HTTP requires for its status. The response also has the
/// error as an extension, so that the server can log the error.
pub fn error_response(status: StatusCode, error: &ErrorReply) -> warp::reply::Response {
    let mut response = json_response(status, error_body(error));
    let headers = response.headers_mut();
    match status {
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ if error.code == ErrorCode::NoLeader => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response.extensions_mut().insert(error.clone());
    response
}

/// Returns the body of an error response, as JSON.
pub fn error_body(error: &ErrorReply) -> String {
    serde_json::json!({ "error": error }).to_string()
}
