//! `/api/v1/symbols`, `/api/v1/snapshots` and `/api/v1/events`: checks requests for market data.
//!
//! The routes do not have the market state, which belongs to the worker's thread. A route therefore adds a
//! [`DataRequest`] to its response, and the worker writes the body of the response.

use http::{HeaderMap, StatusCode};
use warp::reply::Response;

use super::app_state::AppState;
use super::json_response::{ErrorResponse, json_response};
use crate::auth::Access;
use crate::market::{KindSet, Symbol};
use crate::wire::{Cursor, DataParameters, ErrorCode, ErrorReply, Symbols, parse_after};

/// The maximum number of events in a response if the request has no `limit`.
const DEFAULT_EVENTS: usize = 1000;

/// A checked request for market data. The worker removes this value from the response and writes the body.
#[derive(Clone, Debug)]
pub enum DataRequest {
    /// A request for the last values of symbols.
    LastValues(LastValuesRequest),
    /// A request for past events.
    Events(EventsRequest),
}

/// A request for the last values of symbols.
#[derive(Clone, Debug)]
pub struct LastValuesRequest {
    /// How the response shows a symbol.
    pub form: Form,
    /// The symbols in the order of the response; `None` for all symbols.
    pub names: Option<Vec<Symbol>>,
    /// The client's permissions.
    pub access: Access,
    /// The last symbol of the previous page. The response begins after this symbol.
    pub after: Option<Symbol>,
    /// The maximum number of symbols in the response.
    pub limit: usize,
}

/// How a response shows a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One line of `/api/v1/symbols`: the last price and the change of the day.
    Summary,
    /// The snapshot of the protocol.
    Snapshot,
}

/// A request for past events.
#[derive(Clone, Debug)]
pub struct EventsRequest {
    /// The symbols of the events.
    pub symbols: Symbols,
    /// The kinds of the events.
    pub channels: KindSet,
    /// The cursor after which the response begins. Without a cursor, the response begins with the oldest
    /// event of the history.
    pub after: Option<Cursor>,
    /// The maximum number of events in the response.
    pub limit: usize,
}

/// Answers a request to `/api/v1/symbols`.
///
/// # Errors
///
/// Returns an error if the token or a parameter is missing or wrong.
pub fn symbols(state: &AppState, headers: &HeaderMap, query: &str) -> Result<Response, ErrorResponse> {
    let (access, parameters) = parse(state, headers, query, &["after", "limit"])?;
    let DataParameters { after, limit, .. } = parameters;
    let after = symbol_after(after).map_err(bad)?;
    let limit = limit.unwrap_or(usize::MAX);
    let request = LastValuesRequest { form: Form::Summary, names: None, access, after, limit };
    Ok(pending(DataRequest::LastValues(request)))
}

/// Answers a request to `/api/v1/snapshots`.
///
/// # Errors
///
/// Returns an error if the token or a parameter is missing or wrong, or if the token does not allow the
/// symbols.
pub fn snapshots(state: &AppState, headers: &HeaderMap, query: &str) -> Result<Response, ErrorResponse> {
    let (access, parameters) = parse(state, headers, query, &["symbols", "after", "limit"])?;
    let DataParameters { symbols, after, limit, .. } = parameters;
    let symbols = allowed(symbols, &access)?;
    let after = symbol_after(after).map_err(bad)?;
    let limit = limit.unwrap_or(usize::MAX);
    let (names, after) = if symbols.all {
        (None, after)
    } else {
        let is_later = |name: &Symbol| after.as_ref().is_none_or(|after| name > after);
        (Some(symbols.names.into_iter().filter(is_later).collect()), None)
    };
    let request = LastValuesRequest { form: Form::Snapshot, names, access, after, limit };
    Ok(pending(DataRequest::LastValues(request)))
}

/// Answers a request to `/api/v1/events`. A node of a cluster first waits until it has reached the cursor.
///
/// # Errors
///
/// Returns an error if the token or a parameter is missing or wrong, or if the token does not allow the
/// symbols. Also returns an error if the node is cut off from its cluster before the cursor.
pub async fn events(state: &AppState, headers: &HeaderMap, query: &str) -> Result<Response, ErrorResponse> {
    let (access, parameters) = parse(state, headers, query, &["symbols", "channels", "after", "limit"])?;
    let DataParameters { symbols, channels, after, limit } = parameters;
    let symbols = allowed(symbols, &access)?;
    let after = after.map(|text| parse_after(&text)).transpose().map_err(bad)?;
    if let Some(cursor) = &after {
        state.reach(cursor).await?;
    }
    let request = EventsRequest { symbols, channels, after, limit: limit.unwrap_or(DEFAULT_EVENTS) };
    Ok(pending(DataRequest::Events(request)))
}

fn parse(
    state: &AppState,
    headers: &HeaderMap,
    query: &str,
    names: &[&str],
) -> Result<(Access, DataParameters), ErrorResponse> {
    let access = state.authorize(headers, query)?;
    Ok((access, DataParameters::parse(query, names).map_err(bad)?))
}

/// Returns the symbols of a request, which must name symbols that its token allows.
fn allowed(symbols: Option<Symbols>, access: &Access) -> Result<Symbols, ErrorResponse> {
    let message = "the request needs symbols, e.g. symbols=AAPL,MSFT or symbols=*";
    let symbols = symbols.ok_or_else(|| bad(ErrorReply::new(ErrorCode::BadParameter, message)))?;
    access.check_symbols(&symbols).map_err(|error| (StatusCode::FORBIDDEN, error))?;
    Ok(symbols)
}

/// Parses `after` as the last symbol of the previous page.
fn symbol_after(after: Option<String>) -> Result<Option<Symbol>, ErrorReply> {
    let symbol = after.map(|text| text.parse()).transpose();
    symbol.map_err(|error| ErrorReply::new(ErrorCode::BadSymbol, format_args!("after: {error}")))
}

/// Returns a response whose body the worker writes.
fn pending(request: DataRequest) -> Response {
    let mut response = json_response(StatusCode::OK, String::new());
    response.extensions_mut().insert(request);
    response
}

fn bad(error: ErrorReply) -> ErrorResponse {
    (StatusCode::BAD_REQUEST, error)
}
