//! `/api/v1/bars/SYMBOL`: returns the newest bars of a symbol.
//!
//! The response includes every event that was published before the request. Another thread derives and
//! encodes the bars, so that the worker can serve other clients meanwhile.

use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;
use warp::path::Tail;
use warp::reply::Response;

use super::app_state::AppState;
use super::json_response::{ErrorResponse, error_response, json_response};
use crate::bars::BarInterval;
use crate::encoding;
use crate::market::{KindSet, Symbol};
use crate::wire::{
    Command, ErrorCode, ErrorReply, Symbols, bad_parameter, distinct_pairs, parse_limit, quoted,
    unknown_parameter,
};

/// The beginning of the path. The symbol follows.
pub const PREFIX: &str = "api/v1/bars/";

/// The number of bars in a response, if the request does not limit it.
const DEFAULT_LIMIT: usize = 500;

/// The maximum number of bars in a response.
const MAX_LIMIT: u16 = 5000;

/// The parsed parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct Parameters {
    interval: BarInterval,
    limit: usize,
}

/// Answers a request to `/api/v1/bars/SYMBOL`.
pub async fn respond(state: Arc<AppState>, symbol: Tail, headers: HeaderMap, query: String) -> Response {
    match bars(state, symbol.as_str(), &headers, &query).await {
        Ok(body) => {
            let mut response = json_response(StatusCode::OK, body);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err((status, error)) => error_response(status, &error),
    }
}

/// Returns the body of the response.
async fn bars(
    state: Arc<AppState>,
    symbol: &str,
    headers: &HeaderMap,
    query: &str,
) -> Result<String, ErrorResponse> {
    let bad = |error| (StatusCode::BAD_REQUEST, error);
    let access = state.authorize(headers, query)?;
    let symbol = parse_symbol(symbol).map_err(bad)?;
    let Parameters { interval, limit } = Parameters::parse(query).map_err(bad)?;
    let subscribe = Command::Subscribe {
        symbols: Symbols { all: false, names: [symbol.clone()].into() },
        channels: KindSet::ALL,
        after: None,
        delivery: None,
        interval: None,
    };
    access.check(&subscribe).map_err(|error| (StatusCode::FORBIDDEN, error))?;
    state.bars.caught_up(state.bus.end()).await;
    let encoding = spawn_blocking(move || {
        let bars = state.bars.newest(&symbol, interval, limit);
        // The feed may have announced a symbol before the symbol's first event.
        let bars = bars.or_else(|| state.bus.is_announced(&symbol).then(Vec::new));
        let bars = bars.ok_or_else(|| {
            let message = format!("the feed has no symbol {symbol}");
            (StatusCode::NOT_FOUND, ErrorReply::new(ErrorCode::NotFound, message))
        })?;
        let mut body = Vec::new();
        let bars = bars.iter().map(|bar| (bar.start, &bar.bar, bar.is_partial));
        encoding::bars(&mut body, &symbol, interval.name(), bars);
        Ok(String::from_utf8(body).expect("JSON is UTF-8"))
    });
    encoding.await.expect("encoding bars does not panic")
}

fn parse_symbol(text: &str) -> Result<Symbol, ErrorReply> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    decoded.parse().map_err(|error| ErrorReply::new(ErrorCode::BadSymbol, error))
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, ErrorReply> {
        let mut parameters = Self { interval: BarInterval::Minute, limit: DEFAULT_LIMIT };
        for pair in distinct_pairs(query) {
            let (name, value) = pair?;
            match &*name {
                "interval" => {
                    parameters.interval = BarInterval::from_name(&value).ok_or_else(|| {
                        let names = "1s, 1m, 5m, 15m, 1h or 1d";
                        bad_parameter(format_args!("interval is {names}, not {}", quoted(&value)))
                    })?;
                }
                "limit" => parameters.limit = parse_limit(&value, MAX_LIMIT)?,
                "token" => {}
                _ => return Err(unknown_parameter(&name, &["interval", "limit"])),
            }
        }
        Ok(parameters)
    }
}
