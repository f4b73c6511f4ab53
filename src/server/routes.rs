//! The routes: selects the handler for each request.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::filters::BoxedFilter;
use warp::reject::{self, Rejection};
use warp::{Filter, Reply};

use super::app_state::AppState;
use super::handshake::{ErrorResponse, Handshake, is_upgrade};
use super::json_response::{error_response, json_response};
use super::{feed_api, ndjson, readiness};
use crate::auth::Access;
use crate::counters::Limit;
use crate::wire::{ErrorCode, ErrorReply, UrlParameters};

/// The page that browsers get at `/`.
const PAGE: &str = include_str!("page.html");

/// The page's content security policy. The page loads nothing and connects only to its own server.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Facts about a request that warp does not pass to the routes. The worker adds these facts to the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext {
    /// The HTTP version.
    pub version: Version,
    /// The limit that the connection exceeds, if any.
    pub exceeded: Option<Limit>,
}

/// A WebSocket handshake that is answered with 101. The worker removes this value from the response and runs
/// the session.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Completes with the socket when the response has been sent.
    pub socket: OnUpgrade,
    /// The parameters of the URL.
    pub parameters: UrlParameters,
    /// The client's permissions.
    pub access: Access,
}

/// Returns the filter with all routes.
pub fn routes(state: Arc<AppState>) -> BoxedFilter<(warp::reply::Response,)> {
    let [upgrading, limiting, controlling, checking, streaming] = [&state; 5].map(Arc::clone);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let request = warp::ext::get::<RequestContext>();
    let handshake = warp::method()
        .and(warp::header::headers_cloned())
        .and(query)
        .and(request)
        .and(warp::ext::optional::<OnUpgrade>())
        .map(move |method, headers, query: String, request, socket| {
            upgrade_response(&upgrading, &method, &headers, &query, request, socket)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        });
    let wants_upgrade = warp::header::headers_cloned()
        .and_then(|headers: HeaderMap| async move {
            if is_upgrade(&headers) { Ok(()) } else { Err(reject::not_found()) }
        })
        .untuple_one();
    let get = warp::get().or(warp::head()).unify();

    let socket = warp::path!("ws").and(handshake.clone());
    let socket_at_root = warp::path::end().and(wants_upgrade).and(handshake);
    let page = warp::path::end().and(get).map(page_response);
    let health = warp::path!("healthz")
        .and(get)
        .map(|| json_response(StatusCode::OK, "{\"status\":\"alive\"}".to_owned()));
    let metrics = warp::path!("metrics").and(get).and(warp::header::headers_cloned()).and(query).map(
        move |headers, query: String| {
            metrics_response(&state, &headers, &query)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        },
    );
    let ready = warp::path!("readyz").and(get).map(move || readiness::response(&checking));
    let ndjson = warp::path!("ndjson")
        .and(get)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .map(move |method, headers, query: String| {
            ndjson::response(&streaming, &method, &headers, &query)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        });
    let feed = warp::path!("api" / "v1" / "feed")
        .and(warp::any().map(move || Arc::clone(&controlling)))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(feed_api::respond);
    // Rejects a connection that exceeds a limit. With `may_be_full`, a connection that exceeds only
    // `limits.connections` is passed on to the routes.
    let over_limit = |may_be_full: bool| {
        let state = Arc::clone(&limiting);
        warp::ext::get::<RequestContext>().and_then(move |request: RequestContext| {
            let limit = request.exceeded.filter(|limit| !(may_be_full && *limit == Limit::Connections));
            // The admission counts the other connection limits. `limits.connections` is counted here, because
            // a full server still answers some routes.
            if limit == Some(Limit::Connections) {
                state.bus.counters().increment(Limit::Connections);
            }
            async move { limit.map(limit_response).ok_or_else(reject::not_found) }
        })
    };

    // Health, readiness and metrics are answered even when the server is full.
    over_limit(true)
        .or(health)
        .unify()
        .or(ready)
        .unify()
        .or(metrics)
        .unify()
        .or(over_limit(false))
        .unify()
        .or(socket)
        .unify()
        .or(socket_at_root)
        .unify()
        .or(ndjson)
        .unify()
        .or(feed)
        .unify()
        .or(page)
        .unify()
        .recover(not_routed)
        .unify()
        .boxed()
}

fn upgrade_response(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    query: &str,
    request: RequestContext,
    socket: Option<OnUpgrade>,
) -> Result<warp::reply::Response, ErrorResponse> {
    let handshake = Handshake { method, version: request.version, headers };
    let accept = handshake.check(&state.origins)?;
    let (parameters, access) = state.subscription(headers, query)?;
    let socket = socket.ok_or_else(|| {
        let message = "this connection cannot be upgraded";
        (StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadHandshake, message))
    })?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    response.extensions_mut().insert(Upgrade { socket, parameters, access });
    Ok(response)
}

fn metrics_response(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
) -> Result<warp::reply::Response, ErrorResponse> {
    state.authorize(headers, query)?;
    let response = Response::builder()
        .header(CONTENT_TYPE, super::metrics::CONTENT_TYPE)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(state.metrics.text())
        .expect("the headers are well-formed");
    Ok(response.into_response())
}

/// Returns the page. The page needs no more responses, so its connection ends: an idle one could take the last
/// permit, which the page's WebSocket needs.
fn page_response() -> warp::reply::Response {
    Response::builder()
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CACHE_CONTROL, "no-cache")
        .body(PAGE)
        .expect("the headers are well-formed")
        .into_response()
}

/// Returns the response for a connection that exceeds a limit.
fn limit_response(limit: Limit) -> warp::reply::Response {
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
    response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
    response
}

async fn not_routed(rejection: Rejection) -> Result<warp::reply::Response, Infallible> {
    Ok(if rejection.find::<reject::MethodNotAllowed>().is_some() {
        let error = ErrorReply::new(ErrorCode::MethodNotAllowed, "this page answers GET and HEAD");
        error_response(StatusCode::METHOD_NOT_ALLOWED, &error)
    } else {
        let message =
            "there is no such page; there are /, /ws, /ndjson, /api/v1/feed, /healthz, /readyz and /metrics";
        error_response(StatusCode::NOT_FOUND, &ErrorReply::new(ErrorCode::NotFound, message))
    })
}
