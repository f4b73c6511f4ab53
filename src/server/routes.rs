//! What the server answers to which request.

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

use super::answer::{error, json};
use super::app_state::AppState;
use super::handshake::{Denied, Handshake, is_upgrade};
use super::ready::ready;
use super::{control, stream};
use crate::auth::Access;
use crate::counters::Limit;
use crate::wire::{ErrorCode, Refusal, Stream};

/// The page for browsers.
const PAGE: &str = include_str!("page.html");

/// The page brings all that it needs and talks to its own server alone.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is known of a request beside its text; the worker adds it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its version of HTTP.
    pub version: Version,
    /// The limit that its connection is over, where it is.
    pub over: Option<Limit>,
}

/// A handshake that was answered 101: the worker takes this from the response and runs the session.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Gives the socket once the answer is out.
    pub socket: OnUpgrade,
    /// What the URL asks for.
    pub stream: Stream,
    /// What the client may do.
    pub access: Access,
}

/// All routes.
pub fn routes(state: Arc<AppState>) -> BoxedFilter<(warp::reply::Response,)> {
    let [upgrading, refusing, controlling, checking, streaming] = [&state; 5].map(Arc::clone);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let request = warp::ext::get::<Request>();
    let handshake = warp::method()
        .and(warp::header::headers_cloned())
        .and(query)
        .and(request)
        .and(warp::ext::optional::<OnUpgrade>())
        .map(move |method, headers, query: String, request, socket| {
            upgrade(&upgrading, &method, &headers, &query, request, socket)
                .unwrap_or_else(|(status, refusal)| error(status, &refusal))
        });
    let wants_upgrade = warp::header::headers_cloned()
        .and_then(|headers: HeaderMap| async move {
            if is_upgrade(&headers) { Ok(()) } else { Err(reject::not_found()) }
        })
        .untuple_one();
    let get = warp::get().or(warp::head()).unify();

    let socket = warp::path!("ws").and(handshake.clone());
    let socket_at_root = warp::path::end().and(wants_upgrade).and(handshake);
    let page = warp::path::end().and(get).map(page);
    let health =
        warp::path!("healthz").and(get).map(|| json(StatusCode::OK, "{\"status\":\"alive\"}".to_owned()));
    let metrics = warp::path!("metrics").and(get).and(warp::header::headers_cloned()).and(query).map(
        move |headers, query: String| {
            metrics(&state, &headers, &query).unwrap_or_else(|(status, refusal)| error(status, &refusal))
        },
    );
    let ready = warp::path!("readyz").and(get).map(move || ready(&checking));
    let ndjson = warp::path!("ndjson")
        .and(get)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .map(move |method, headers, query: String| {
            stream::ndjson(&streaming, &method, &headers, &query)
                .unwrap_or_else(|(status, refusal)| error(status, &refusal))
        });
    let feed = warp::path!("api" / "v1" / "feed")
        .and(warp::any().map(move || Arc::clone(&controlling)))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(control::answer);
    let refuse = |may_be_full: bool| {
        let state = Arc::clone(&refusing);
        warp::ext::get::<Request>().and_then(move |request: Request| {
            let limit = request.over.filter(|limit| !(may_be_full && *limit == Limit::Connections));
            // The others have struck when the connection came; this one does where something is refused.
            if limit == Some(Limit::Connections) {
                state.bus.counters().increment(Limit::Connections);
            }
            async move { limit.map(over).ok_or_else(reject::not_found) }
        })
    };

    // How the server fares can be asked when it is full, and then above all.
    refuse(true)
        .or(health)
        .unify()
        .or(ready)
        .unify()
        .or(metrics)
        .unify()
        .or(refuse(false))
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
        .recover(rejected)
        .unify()
        .boxed()
}

fn upgrade(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    query: &str,
    request: Request,
    socket: Option<OnUpgrade>,
) -> Result<warp::reply::Response, Denied> {
    let handshake = Handshake { method, version: request.version, headers };
    let accept = handshake.check(&state.origins)?;
    let (stream, access) = state.subscription(headers, query)?;
    let socket = socket.ok_or_else(|| {
        let message = "this connection cannot be upgraded";
        (StatusCode::BAD_REQUEST, Refusal::new(ErrorCode::BadHandshake, message))
    })?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    response.extensions_mut().insert(Upgrade { socket, stream, access });
    Ok(response)
}

/// What is counted.
fn metrics(state: &AppState, headers: &HeaderMap, query: &str) -> Result<warp::reply::Response, Denied> {
    state.authorized(headers, query)?;
    let response = Response::builder()
        .header(CONTENT_TYPE, super::metrics::CONTENT_TYPE)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(state.metrics.text())
        .expect("the headers are well-formed");
    Ok(response.into_response())
}

fn page() -> warp::reply::Response {
    Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CACHE_CONTROL, "no-cache")
        .body(PAGE)
        .expect("the headers are well-formed")
        .into_response()
}

/// What a connection is answered that may not be here.
fn over(limit: Limit) -> warp::reply::Response {
    let (status, code, message) = match limit {
        Limit::PerAddress => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::TooManyConnections,
            "your address has all the connections that it may have (limits.per_address); close one",
        ),
        Limit::NewPerSecond => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "your address connects too often (limits.new_per_second); try again later",
        ),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::TooManyConnections,
            "the server has all the connections that it takes (limits.connections); try again later",
        ),
    };
    let mut response = error(status, &Refusal::new(code, message));
    response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
    response
}

async fn rejected(rejection: Rejection) -> Result<warp::reply::Response, Infallible> {
    Ok(if rejection.find::<reject::MethodNotAllowed>().is_some() {
        let refusal = Refusal::new(ErrorCode::MethodNotAllowed, "this page answers GET and HEAD");
        error(StatusCode::METHOD_NOT_ALLOWED, &refusal)
    } else {
        let message =
            "there is no such page; there are /, /ws, /ndjson, /api/v1/feed, /healthz, /readyz and /metrics";
        error(StatusCode::NOT_FOUND, &Refusal::new(ErrorCode::NotFound, message))
    })
}
