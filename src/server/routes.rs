//! The routes: selects the handler for each request that `guard.rs` lets through.

use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, Response, StatusCode};
use warp::filters::BoxedFilter;
use warp::{Filter, Reply, reject};

use super::app_state::{AppState, no_parameter};
use super::guard::{RequestContext, finished, guard, not_found_response};
use super::handshake::{Handshake, is_upgrade};
use super::json_response::{ErrorResponse, error_response, json_response};
use super::streams::{self, Stream};
use super::{bars_api, cluster_api, dashboard, data_api, feed_api, readiness};
use crate::encoding::Encoding;
use crate::session::Start;

/// A function that checks a request for market data.
type DataRoute = fn(&AppState, &HeaderMap, &str) -> Result<warp::reply::Response, ErrorResponse>;

/// Returns the warp filter that contains all routes.
pub fn routes(state: Arc<AppState>) -> BoxedFilter<(warp::reply::Response,)> {
    let [guarding, upgrading, controlling, charting, checking, streaming, finishing, informing, paging] =
        [&state; 9].map(Arc::clone);
    let [openapi, asyncapi] = [&state; 2].map(Arc::clone);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let facts = warp::header::headers_cloned().and(warp::ext::get::<RequestContext>());
    let guard = warp::method().and(facts).and_then(move |method, headers, context| {
        let guarded = guard(&guarding, &method, &headers, &context);
        async move { guarded.ok_or_else(reject::not_found) }
    });
    // The responses that may wait are boxed, because each `or` holds the futures of both sides.
    let handshake = facts.and(query).then(move |headers, context, query| {
        Box::pin(handshake_response(Arc::clone(&upgrading), headers, context, query))
    });
    let wants_upgrade = warp::get()
        .and(warp::header::headers_cloned())
        .and_then(|headers: HeaderMap| async move {
            if is_upgrade(&headers) { Ok(()) } else { Err(reject::not_found()) }
        })
        .untuple_one();

    let socket = warp::path!("ws").and(handshake.clone());
    let socket_at_root = warp::path::end().and(wants_upgrade).and(handshake);
    let file = facts.map(|headers: HeaderMap, context: RequestContext| {
        dashboard::response(context.uri.path(), &headers).unwrap_or_else(not_found_response)
    });
    let health =
        warp::path!("healthz").map(|| json_response(StatusCode::OK, "{\"status\":\"alive\"}".to_owned()));
    let reading = |name: &'static str, respond: DataRoute| {
        let state = Arc::clone(&state);
        let facts = warp::header::headers_cloned().and(query);
        warp::path!("api" / "v1" / ..).and(warp::path(name)).and(warp::path::end()).and(facts).map(
            move |headers, query: String| {
                respond(&state, &headers, &query)
                    .unwrap_or_else(|(status, error)| error_response(status, &error))
            },
        )
    };
    let symbols = reading("symbols", data_api::symbols);
    let snapshots = reading("snapshots", data_api::snapshots);
    let events = warp::path!("api" / "v1" / "events")
        .and(warp::header::headers_cloned())
        .and(query)
        .then(move |headers, query| Box::pin(events_response(Arc::clone(&paging), headers, query)));
    let cluster = reading("cluster", cluster_api::response);
    let info = warp::path!("api" / "v1" / "info").and(query).map(move |query: String| {
        let has_tokens = !informing.auth.borrow().tokens.is_empty();
        match no_parameter(&query) {
            Ok(()) => informing.info.response(informing.bus.kind(), has_tokens),
            Err((status, error)) => error_response(status, &error),
        }
    });
    let metrics = warp::path!("metrics").and(warp::header::headers_cloned()).and(query).map(
        move |headers, query: String| {
            metrics_response(&state, &headers, &query)
                .unwrap_or_else(|(status, error)| error_response(status, &error))
        },
    );
    let openapi = warp::path!("openapi.json").map(move || openapi.contract.openapi());
    let asyncapi = warp::path!("asyncapi.json").map(move || asyncapi.contract.asyncapi());
    let ready = warp::path!("readyz").map(move || readiness::response(&checking));
    let stream =
        warp::path!("ndjson").map(|| Stream::Ndjson).or(warp::path!("sse").map(|| Stream::Sse)).unify();
    let stream = stream.and(warp::method()).and(facts).and(query).then(
        move |stream, method, headers, context, query| {
            Box::pin(stream_response(Arc::clone(&streaming), stream, method, headers, context, query))
        },
    );
    let feed = warp::path!("api" / "v1" / "feed")
        .and(warp::any().map(move || Arc::clone(&controlling)))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(feed_api::respond);
    let bars = warp::path!("api" / "v1" / "bars" / ..)
        .and(warp::any().map(move || Arc::clone(&charting)))
        .and(warp::path::tail())
        .and(warp::header::headers_cloned())
        .and(query)
        .then(bars_api::respond);

    // Each `or` makes the type of its filter longer. The compiler needs boxes to finish in a short time.
    let market =
        bars.or(symbols).unify().or(snapshots).unify().or(events).unify().or(cluster).unify().boxed();
    let descriptions = info.or(openapi).unify().or(asyncapi).unify().boxed();
    let operation = health.or(ready).unify().or(metrics).unify().boxed();
    let sessions = socket.or(socket_at_root).unify().or(stream).unify().boxed();
    let answer = guard
        .or(operation)
        .unify()
        .or(sessions)
        .unify()
        .or(feed)
        .unify()
        .or(market)
        .unify()
        .or(descriptions)
        .unify()
        .or(file)
        .unify();
    facts
        .and(answer)
        .map(move |headers, context, response| finished(&finishing, &headers, &context, response))
        .boxed()
}

async fn handshake_response(
    state: Arc<AppState>,
    headers: HeaderMap,
    context: RequestContext,
    query: String,
) -> warp::reply::Response {
    let reached = state.reach_subscription(&query, None).await;
    reached
        .and_then(|()| upgrade_response(&state, &headers, &query, &context))
        .unwrap_or_else(|(status, error)| error_response(status, &error))
}

async fn stream_response(
    state: Arc<AppState>,
    stream: Stream,
    method: Method,
    headers: HeaderMap,
    context: RequestContext,
    query: String,
) -> warp::reply::Response {
    let reached = state.reach_subscription(&query, streams::last_event(&headers).ok().flatten()).await;
    reached
        .and_then(|()| streams::response(&state, stream, &method, context.version, &headers, &query))
        .unwrap_or_else(|(status, error)| error_response(status, &error))
}

async fn events_response(state: Arc<AppState>, headers: HeaderMap, query: String) -> warp::reply::Response {
    data_api::events(&state, &headers, &query)
        .await
        .unwrap_or_else(|(status, error)| error_response(status, &error))
}

fn upgrade_response(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
    context: &RequestContext,
) -> Result<warp::reply::Response, ErrorResponse> {
    let accept = Handshake { version: context.version, headers }.check()?;
    let (parameters, access) = state.subscription(headers, query, None)?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body("")
        .expect("the headers are well-formed")
        .into_response();
    response.extensions_mut().insert(Start { encoding: Encoding::WebSocket, parameters, access });
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
