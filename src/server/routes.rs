//! The routes: selects the handler for each request that `guard.rs` lets through.

use std::sync::Arc;

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply, reject};

use super::app_state::AppState;
use super::guard::{RequestContext, finished, guard, not_found_response};
use super::handshake::{Handshake, is_upgrade};
use super::json_response::{ErrorResponse, error_response, json_response};
use super::{feed_api, ndjson, readiness};
use crate::auth::Access;
use crate::wire::{ErrorCode, ErrorReply, UrlParameters};

/// The page that browsers get at `/`.
const PAGE: &str = include_str!("page.html");

/// The content security policy of the page at `/`. The policy lets the page load no other files, and connect
/// only to its own server.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An accepted WebSocket handshake. The worker removes this value from the 101 response and starts the
/// session.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// The future that returns the socket when the 101 response has been sent.
    pub socket: OnUpgrade,
    /// The parameters of the URL.
    pub parameters: UrlParameters,
    /// The client's permissions.
    pub access: Access,
}

/// Returns the warp filter that contains all routes.
pub fn routes(state: Arc<AppState>) -> BoxedFilter<(warp::reply::Response,)> {
    let [guarding, upgrading, controlling, checking, streaming, openapi, asyncapi, finishing] =
        [&state; 8].map(Arc::clone);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let facts = warp::header::headers_cloned().and(warp::ext::get::<RequestContext>());
    let guard = warp::method().and(facts).and_then(move |method, headers, context| {
        let guarded = guard(&guarding, &method, &headers, &context);
        async move { guarded.ok_or_else(reject::not_found) }
    });
    let handshake = facts.and(query).and(warp::ext::optional::<OnUpgrade>()).map(
        move |headers, context, query: String, socket| {
            upgrade_response(&upgrading, &headers, &query, &context, socket)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        },
    );
    let wants_upgrade = warp::get()
        .and(warp::header::headers_cloned())
        .and_then(|headers: HeaderMap| async move {
            if is_upgrade(&headers) { Ok(()) } else { Err(reject::not_found()) }
        })
        .untuple_one();

    let socket = warp::path!("ws").and(handshake.clone());
    let socket_at_root = warp::path::end().and(wants_upgrade).and(handshake);
    let page = warp::path::end().map(page_response);
    let health =
        warp::path!("healthz").map(|| json_response(StatusCode::OK, "{\"status\":\"alive\"}".to_owned()));
    let metrics = warp::path!("metrics").and(warp::header::headers_cloned()).and(query).map(
        move |headers, query: String| {
            metrics_response(&state, &headers, &query)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        },
    );
    let openapi = warp::path!("openapi.json").map(move || openapi.contract.openapi());
    let asyncapi = warp::path!("asyncapi.json").map(move || asyncapi.contract.asyncapi());
    let ready = warp::path!("readyz").map(move || readiness::response(&checking));
    let ndjson =
        warp::path!("ndjson").and(warp::method()).and(warp::header::headers_cloned()).and(query).map(
            move |method, headers, query: String| {
                ndjson::response(&streaming, &method, &headers, &query)
                    .unwrap_or_else(|(status, error)| error_response(status, &error))
            },
        );
    let feed = warp::path!("api" / "v1" / "feed")
        .and(warp::any().map(move || Arc::clone(&controlling)))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(feed_api::respond);

    let answer = guard
        .or(health)
        .unify()
        .or(ready)
        .unify()
        .or(metrics)
        .unify()
        .or(socket)
        .unify()
        .or(socket_at_root)
        .unify()
        .or(ndjson)
        .unify()
        .or(feed)
        .unify()
        .or(openapi)
        .unify()
        .or(asyncapi)
        .unify()
        .or(page)
        .unify()
        .or(warp::any().map(not_found_response))
        .unify();
    facts
        .and(answer)
        .map(move |headers, context, response| finished(&finishing, &headers, &context, response))
        .boxed()
}

fn upgrade_response(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
    context: &RequestContext,
    socket: Option<OnUpgrade>,
) -> Result<warp::reply::Response, ErrorResponse> {
    let accept = Handshake { version: context.version, headers }.check()?;
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

/// Returns the response that has the page at `/` and closes the connection. If the connection stayed open, it
/// could use up the last permit, which the page's WebSocket needs.
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
