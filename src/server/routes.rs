//! What the server answers to which request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::filters::BoxedFilter;
use warp::reject::{self, Rejection};
use warp::{Filter, Reply};

use super::handshake::{Denied, Handshake, Origins, is_upgrade};
use super::{Metrics, control};
use crate::auth::{self, Access};
use crate::bus::Bus;
use crate::feed::Control;
use crate::tally::Limit;
use crate::wire::{Command, ErrorCode, Refusal, Stream, Token};

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

/// What the answers depend on.
#[derive(Debug)]
pub struct Site {
    /// The bus that cursors belong to.
    pub bus: Arc<Bus>,
    /// The feed that publishes there.
    pub feed: Control,
    /// Whose pages may connect.
    pub origins: Origins,
    /// How long a request's body may take.
    pub patience: Duration,
    /// How many symbols a connection may have; 0 means no limit.
    pub max_symbols: usize,
    /// The tokens.
    pub auth: auth::Config,
    /// What is counted.
    pub metrics: Metrics,
}

/// All routes.
pub fn routes(site: Arc<Site>) -> BoxedFilter<(warp::reply::Response,)> {
    let [upgrading, refusing, controlling] = [&site; 3].map(Arc::clone);
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
            metrics(&site, &headers, &query).unwrap_or_else(|(status, refusal)| error(status, &refusal))
        },
    );
    let feed = warp::path!("api" / "v1" / "feed")
        .and(warp::any().map(move || Arc::clone(&controlling)))
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(control::answer);
    let refuse = |may_be_full: bool| {
        let site = Arc::clone(&refusing);
        warp::ext::get::<Request>().and_then(move |request: Request| {
            let limit = request.over.filter(|limit| !(may_be_full && *limit == Limit::Connections));
            // The others have struck when the connection came; this one does where something is refused.
            if limit == Some(Limit::Connections) {
                site.bus.tally().struck(Limit::Connections);
            }
            async move { limit.map(over).ok_or_else(reject::not_found) }
        })
    };

    // How the server fares can be asked when it is full, and then above all.
    refuse(true)
        .or(health)
        .unify()
        .or(metrics)
        .unify()
        .or(refuse(false))
        .unify()
        .or(socket)
        .unify()
        .or(socket_at_root)
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
    site: &Site,
    method: &Method,
    headers: &HeaderMap,
    query: &str,
    request: Request,
    socket: Option<OnUpgrade>,
) -> Result<warp::reply::Response, Denied> {
    let handshake = Handshake { method, version: request.version, headers };
    let accept = handshake.check(&site.origins)?;
    let stream = Stream::parse(query).map_err(|refusal| (StatusCode::BAD_REQUEST, refusal))?;
    let access = access(site, headers, stream.token.as_ref())?;
    check(site, &stream, &access)?;
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

/// What a request may do, by its header or else by its URL; of a server without tokens the header is not for it.
fn access(site: &Site, headers: &HeaderMap, token: Option<&Token>) -> Result<Access, Denied> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Token::of(token.trim()))
    });
    let bearer = bearer.filter(|_| !site.auth.tokens.is_empty());
    site.auth.access(bearer.as_ref().or(token)).map_err(|refusal| (StatusCode::UNAUTHORIZED, refusal))
}

/// What a URL asks for is refused here as far as it can be known before there is a connection.
fn check(site: &Site, stream: &Stream, access: &Access) -> Result<(), Denied> {
    let Some(command @ Command::Subscribe { symbols, after, .. }) = &stream.subscribe else {
        return Ok(());
    };
    // Who has shown no token is told nothing of what is here, and is checked when it has.
    if access.is_locked() {
        return Ok(());
    }
    access.check(command).map_err(|refusal| (StatusCode::FORBIDDEN, refusal))?;
    let bad = |code, message| Err((StatusCode::BAD_REQUEST, Refusal::new(code, message)));
    if site.max_symbols > 0 && symbols.len() > site.max_symbols {
        site.bus.tally().struck(Limit::Symbols);
        let message = format!("a connection has at most {} symbols; * counts as one", site.max_symbols);
        return bad(ErrorCode::TooManySymbols, message);
    }
    match after {
        Some(cursor) if cursor.epoch == site.bus.epoch() && cursor.seq > site.bus.head() => bad(
            ErrorCode::BadCursor,
            format!("{cursor} is ahead of the feed, which is at {}", site.bus.head()),
        ),
        _ => Ok(()),
    }
}

/// What a request may do that has shown a token where there are some, in a header or in its URL.
pub fn authorized(site: &Site, headers: &HeaderMap, query: &str) -> Result<Access, Denied> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let token = parameters.find(|(name, _)| name == "token").map(|(_, token)| Token::of(&token));
    let access = access(site, headers, token.as_ref())?;
    if access.is_locked() {
        let message = "show a token: in the header `Authorization: Bearer`, or in the URL";
        return Err((StatusCode::UNAUTHORIZED, Refusal::new(ErrorCode::Unauthorized, message)));
    }
    Ok(access)
}

/// What is counted.
fn metrics(site: &Site, headers: &HeaderMap, query: &str) -> Result<warp::reply::Response, Denied> {
    authorized(site, headers, query)?;
    let response = Response::builder()
        .header(CONTENT_TYPE, super::metrics::CONTENT_TYPE)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(site.metrics.text())
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
        let message = "there is no such page; there are /, /ws, /api/v1/feed, /healthz and /metrics";
        error(StatusCode::NOT_FOUND, &Refusal::new(ErrorCode::NotFound, message))
    })
}

/// What is answered instead of what was asked for.
pub fn error(status: StatusCode, refusal: &Refusal) -> warp::reply::Response {
    let mut response = json(status, serde_json::json!({ "error": refusal }).to_string());
    let headers = response.headers_mut();
    match status {
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(SEC_WEBSOCKET_VERSION, http::HeaderValue::from_static("13"));
            headers.insert(UPGRADE, http::HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, http::HeaderValue::from_static("Upgrade"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: String) -> warp::reply::Response {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body)
        .expect("the headers are well-formed")
        .into_response()
}
