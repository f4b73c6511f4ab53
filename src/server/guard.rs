//! The rules for every request: the connection limits, the Host rule, the Origin rule, and the methods of
//! each page.
//!
//! The Host rule and the Origin rule do not apply to `/healthz` and `/readyz`. The server answers these two
//! pages and `/metrics` even when `limits.connections` is reached.

use std::net::IpAddr;

use http::header::{ALLOW, CONNECTION};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use warp::reply::Response;

use super::app_state::AppState;
use super::bars_api;
use super::cross_origin::{CheckedOrigin, let_page_read, options_response};
use super::dashboard;
use super::handshake::is_upgrade;
use super::json_response::error_response;
use crate::counters::Limit;
use crate::wire::{ErrorCode, ErrorReply};

/// Facts about a request. The worker adds these facts to the request, because warp does not pass them to the
/// routes.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The HTTP version.
    pub version: Version,
    /// The URI that the client requested.
    pub uri: Uri,
    /// The limit that the connection exceeds, if any.
    pub exceeded: Option<Limit>,
    /// The address of the client.
    pub client: IpAddr,
}

/// Answers `OPTIONS` requests, and all requests that violate a rule. Returns `None` for all other requests,
/// which the routes answer.
pub fn guard(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    context: &RequestContext,
) -> Option<Response> {
    let path = context.uri.path();
    let name = page_name(path);
    let is_probe = matches!(name, "healthz" | "readyz");
    let may_be_full = is_probe || name == "metrics";
    if let Some(limit) = context.exceeded.filter(|limit| !(may_be_full && *limit == Limit::Connections)) {
        // The admission has already counted the other connection limits. `limits.connections` is counted
        // here, because a full server still answers some routes.
        if limit == Limit::Connections {
            state.bus.counters().increment(limit);
        }
        return Some(limit_response(limit));
    }
    let origin = check_origin(state, headers, context);
    let checked = if is_probe {
        Ok(())
    } else {
        let is_options = method == Method::OPTIONS;
        let hosted = state.hosts.check(context.version, &context.uri, headers);
        hosted.and_then(|_| if is_options { Ok(()) } else { origin.clone().map(drop) })
    };
    if let Err((status, error)) = checked {
        return Some(error_response(status, &error));
    }
    let Some(methods) = methods(path) else { return Some(not_found_response()) };
    let allow = HeaderValue::from_str(&format!("{}, OPTIONS", methods.join(", "))).expect("it is ASCII");
    if method == Method::OPTIONS {
        return Some(options_response(&allow, headers, &origin));
    }
    if methods.contains(&method.as_str()) {
        let reason = state.not_ready().filter(|_| method != Method::POST && needs_market_data(name));
        return reason.map(|reason| {
            error_response(StatusCode::SERVICE_UNAVAILABLE, &ErrorReply::new(ErrorCode::NotReady, reason))
        });
    }
    let mut response = error_response(
        StatusCode::METHOD_NOT_ALLOWED,
        &ErrorReply::new(ErrorCode::MethodNotAllowed, format!("this page answers {}", in_words(methods))),
    );
    response.headers_mut().insert(ALLOW, allow);
    Some(response)
}

/// Finishes a response: logs some kinds of refusals, and lets the pages of allowed origins read the response.
pub fn finished(
    state: &AppState,
    headers: &HeaderMap,
    context: &RequestContext,
    mut response: Response,
) -> Response {
    if let Some(ErrorReply { code, message }) = response.extensions_mut().remove() {
        // Every refusal of a WebSocket or a stream is logged, because browsers and most libraries hide the
        // reason. On other pages, only refusals by permissions or by the Host and Origin rules are logged.
        let path = context.uri.path();
        let is_connecting = is_upgrade(headers) || matches!(page_name(path), "ws" | "ndjson" | "sse");
        if is_connecting || matches!(code, ErrorCode::Unauthorized | ErrorCode::Forbidden) {
            state.refusals.refused(context.client, path, response.status(), &message);
        }
    }
    let_page_read(&mut response, check_origin(state, headers, context));
    response
}

/// Applies the Origin rule. If the request's host violates the Host rule, no origin counts as the server's
/// own origin.
fn check_origin(state: &AppState, headers: &HeaderMap, context: &RequestContext) -> CheckedOrigin {
    let host = state.hosts.check(context.version, &context.uri, headers).ok().flatten();
    state.origins.check(headers, host.as_ref())
}

/// Returns the HTTP methods that the page at a path supports. Returns `None` if the path has no page.
///
/// Only requests for the paths in this function reach the routes.
fn methods(path: &str) -> Option<&'static [&'static str]> {
    match page_name(path) {
        "" | "ndjson" | "sse" | "metrics" | "healthz" | "readyz" | "openapi.json" | "asyncapi.json"
        | "client.js" | "licenses.txt" | "api/v1/symbols" | "api/v1/snapshots" | "api/v1/events"
        | "api/v1/cluster" | "api/v1/info" => Some(&["GET", "HEAD"]),
        "ws" => Some(&["GET"]),
        // `OPTIONS *` asks for the methods of the whole server.
        name if name.starts_with(bars_api::PREFIX) || name.starts_with(dashboard::PREFIX) => {
            Some(&["GET", "HEAD"])
        }
        "api/v1/feed" | "*" => Some(&["GET", "HEAD", "POST"]),
        _ => None,
    }
}

/// Returns whether a page tells market data.
fn needs_market_data(name: &str) -> bool {
    let is_page = matches!(
        name,
        "ws" | "ndjson" | "sse" | "api/v1/symbols" | "api/v1/snapshots" | "api/v1/events" | "api/v1/feed"
    );
    is_page || name.starts_with(bars_api::PREFIX)
}

/// Removes one slash from the beginning and one slash from the end of a path.
fn page_name(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Joins the names of methods to a text such as `GET, HEAD and POST`.
fn in_words(methods: &[&str]) -> String {
    match methods {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => methods.concat(),
    }
}

/// Returns the error response for a path that has no page.
pub fn not_found_response() -> Response {
    let message = "there is no such page; there are /, /ws, /ndjson, /sse, /api/v1/feed, /api/v1/symbols, \
                   /api/v1/snapshots, /api/v1/events, /api/v1/bars/SYMBOL, /api/v1/cluster, /api/v1/info, \
                   /client.js, /licenses.txt, /openapi.json, /asyncapi.json, /healthz, /readyz and /metrics";
    error_response(StatusCode::NOT_FOUND, &ErrorReply::new(ErrorCode::NotFound, message))
}

/// Returns the error response for a connection that exceeds a limit.
fn limit_response(limit: Limit) -> Response {
    let (status, code, message) = match limit {
        Limit::PerAddress => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::TooManyConnections,
            "too many connections from your address (limits.per_address); close one",
        ),
        Limit::NewPerSecond => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "your address connects too often (limits.new_per_second); try again later",
        ),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::TooManyConnections,
            "the server has no room for more connections (limits.connections); try again later",
        ),
    };
    let mut response = error_response(status, &ErrorReply::new(code, message));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
