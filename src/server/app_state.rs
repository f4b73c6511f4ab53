//! The state that all routes share, and the common checks of requests: permissions and URL parameters.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::watch;

use super::contract_pages::ContractPages;
use super::host::Hosts;
use super::info::Info;
use super::json_response::ErrorResponse;
use super::metrics::Metrics;
use super::origin::Origins;
use super::refusal_log::RefusalLog;
use crate::auth::{self, Access};
use crate::bars::Bars;
use crate::bus::Bus;
use crate::cluster::View;
use crate::feed::Control;
use crate::hub::{self, Relay};
use crate::wire::{Command, Cursor, DataParameters, ErrorCode, ErrorReply, TokenHash, UrlParameters};

/// The state that all routes share.
#[derive(Debug)]
pub struct AppState {
    /// The bus, which publishes the events and keeps past events.
    pub bus: Arc<Bus>,
    /// The bars of all symbols.
    pub bars: Arc<Bars>,
    /// Sends commands to the feed, and returns the feed's status.
    pub feed: Control,
    /// What the server knows of its cluster; `None` if the server is no node of a cluster.
    pub cluster: Option<watch::Receiver<View>>,
    /// The relay of messages between clients, which also counts the clients.
    pub relay: Arc<Relay>,
    /// The hosts that the server accepts.
    pub hosts: Hosts,
    /// The origins whose pages may use the server.
    pub origins: Origins,
    /// Logs refused requests.
    pub refusals: Arc<RefusalLog>,
    /// The time limit for receiving the body of a request.
    pub body_timeout: Duration,
    /// Maximum number of symbols that a connection may subscribe to; 0 means no limit.
    pub max_symbols: usize,
    /// The maximum lag of a ready server: if a reader of the log lags by more than this time, the server is
    /// not ready.
    pub max_lag: Duration,
    /// The tokens, which may change while the server runs.
    pub auth: watch::Receiver<auth::Config>,
    /// The metrics.
    pub metrics: Metrics,
    /// The documents that describe the contract with clients.
    pub contract: ContractPages,
    /// The description of the server for clients.
    pub info: Info,
}

impl AppState {
    /// Returns the permissions of a request. If both the `Authorization` header and the URL have a token, the
    /// permissions are those of the header's token. A server without tokens ignores the `Authorization`
    /// header, because the header may be meant for a proxy.
    ///
    /// # Errors
    ///
    /// The error has the status 401 if one of the tokens is unknown, and 400 if the header is repeated.
    fn access(&self, headers: &HeaderMap, token: Option<&TokenHash>) -> Result<Access, ErrorResponse> {
        let unauthorized = |error| (StatusCode::UNAUTHORIZED, error);
        let bearer = single_header(headers, "Authorization")?.and_then(bearer_token);
        let auth = self.auth.borrow();
        let in_url = auth.access(token).map_err(unauthorized)?;
        match bearer {
            Some(bearer) if !auth.tokens.is_empty() => auth.access(Some(&bearer)).map_err(unauthorized),
            _ => Ok(in_url),
        }
    }

    /// Returns the permissions of a request. If the server has tokens, the request must contain a token,
    /// either in the `Authorization` header or in the query.
    ///
    /// # Errors
    ///
    /// The error has the status 401 if the token is missing or unknown, and 400 if a token is repeated.
    pub fn authorize(&self, headers: &HeaderMap, query: &str) -> Result<Access, ErrorResponse> {
        let token = UrlParameters::token(query).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
        let access = self.access(headers, token.as_ref())?;
        if access.is_unauthenticated() {
            let message = "show a token: in the header `Authorization: Bearer`, or in the URL";
            return Err((StatusCode::UNAUTHORIZED, ErrorReply::new(ErrorCode::Unauthorized, message)));
        }
        Ok(access)
    }

    /// Returns the reason why a node of a cluster has no market data yet; `None` if it has.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        let view = self.cluster.as_ref()?.borrow();
        (!view.has_caught_up).then(|| "this node has not caught up with the cluster yet".to_owned())
    }

    /// Waits until a node of a cluster has reached the cursor of a subscription: `last`, or the cursor in the URL.
    ///
    /// # Errors
    ///
    /// The error is that of [`reach`](Self::reach).
    pub async fn reach_subscription(&self, query: &str, last: Option<Cursor>) -> Result<(), ErrorResponse> {
        if self.cluster.is_none() {
            return Ok(());
        }
        let in_url = || match UrlParameters::parse(query).ok()?.subscribe {
            Some(Command::Subscribe { after, .. }) => after,
            _ => None,
        };
        let cursor = last.or_else(in_url);
        if let Some(cursor) = cursor { self.reach(&cursor).await } else { Ok(()) }
    }

    /// Waits until a node of a cluster has reached a cursor. The client may come from another node, which is ahead
    /// of this one.
    ///
    /// # Errors
    ///
    /// The error has the status 503 if the node is cut off from its cluster, so that it cannot reach the cursor.
    pub async fn reach(&self, cursor: &Cursor) -> Result<(), ErrorResponse> {
        if self.bus.reach(&cursor.epoch, cursor.seq).await || self.bus.is_current() {
            return Ok(());
        }
        let message = format!("this node is cut off from its cluster before {cursor}; ask another node");
        Err((StatusCode::SERVICE_UNAVAILABLE, ErrorReply::new(ErrorCode::NotReady, message)))
    }

    /// Returns the permissions of a request whose URL has no parameter besides the token.
    ///
    /// # Errors
    ///
    /// The error is that of [`authorize`](Self::authorize), or has the status 400 if there is another
    /// parameter.
    pub fn authorize_alone(&self, headers: &HeaderMap, query: &str) -> Result<Access, ErrorResponse> {
        let access = self.authorize(headers, query)?;
        no_parameter(query).map(|()| access)
    }

    /// Returns the parameters of a URL and the permissions of the request. If `last` is a cursor, the client resumes
    /// from it instead of the cursor in the URL. Also checks the subscription in
    /// the URL, so that most errors in a subscription get an HTTP error response.
    ///
    /// # Errors
    ///
    /// - The error has the status 400 if a parameter is wrong, there are too many symbols, or the cursor is
    ///   ahead of the feed.
    /// - The error has the status 401 if the token is unknown.
    /// - The error has the status 403 if the token does not allow the symbols.
    ///
    /// If the server requires a token and the request has none, the subscription is checked only after the
    /// client's `auth` command. An earlier error could reveal the state of the feed to a client without a
    /// token.
    pub fn subscription(
        &self,
        headers: &HeaderMap,
        query: &str,
        last: Option<Cursor>,
    ) -> Result<(UrlParameters, Access), ErrorResponse> {
        let bad = |error| (StatusCode::BAD_REQUEST, error);
        let mut parameters = UrlParameters::parse(query).map_err(bad)?;
        if let (Some(Command::Subscribe { after, .. }), Some(last)) = (&mut parameters.subscribe, last) {
            *after = Some(last);
        }
        let access = self.access(headers, parameters.token.as_ref())?;
        if let (Some(command @ Command::Subscribe { symbols, after, .. }), false) =
            (&parameters.subscribe, access.is_unauthenticated())
        {
            access.check(command).map_err(|error| (StatusCode::FORBIDDEN, error))?;
            hub::check_symbols(self.max_symbols, symbols.len(), &self.bus).map_err(bad)?;
            if let Some(cursor) = after {
                hub::check_cursor(&self.bus, cursor).map_err(bad)?;
            }
        }
        Ok((parameters, access))
    }
}

/// Checks that a URL has no parameter besides the token. Does not check the token.
///
/// # Errors
///
/// The error has the status 400.
pub fn no_parameter(query: &str) -> Result<(), ErrorResponse> {
    let parameters = DataParameters::parse(query, &[]);
    parameters.map(drop).map_err(|error| (StatusCode::BAD_REQUEST, error))
}

/// Returns the value of a header; `None` if the request does not have the header.
///
/// # Errors
///
/// The error has the status 400 if the request has the header more than once.
pub fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Result<Option<&'a HeaderValue>, ErrorResponse> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_none() {
        return Ok(value);
    }
    let message = format!("the header `{name}` is given twice; give it once");
    Err((StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadRequest, message)))
}

/// Returns the token in the value of an `Authorization` header; `None` if the header has another scheme.
fn bearer_token(value: &HeaderValue) -> Option<TokenHash> {
    let value = String::from_utf8_lossy(value.as_bytes());
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| TokenHash::of(token.trim()))
}
