//! The state that all routes share, and the common checks of requests: permissions and URL parameters.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
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
use crate::feed::Control;
use crate::hub::{self, Relay};
use crate::wire::{Command, Cursor, ErrorCode, ErrorReply, TokenHash, UrlParameters};

/// The state that all routes share.
#[derive(Debug)]
pub struct AppState {
    /// The bus, which publishes the events and keeps past events.
    pub bus: Arc<Bus>,
    /// The bars of all symbols.
    pub bars: Arc<Bars>,
    /// Sends commands to the feed, and returns the feed's status.
    pub feed: Control,
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
    /// Returns the permissions of a request. A token in the `Authorization` header has precedence over a
    /// token in the URL. A server without tokens ignores the `Authorization` header, because the header may
    /// be meant for a proxy.
    ///
    /// # Errors
    ///
    /// The error has the status 401 if the token is unknown.
    fn access(&self, headers: &HeaderMap, token: Option<&TokenHash>) -> Result<Access, ErrorResponse> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| TokenHash::of(token.trim()))
        });
        let auth = self.auth.borrow();
        let bearer = bearer.filter(|_| !auth.tokens.is_empty());
        auth.access(bearer.as_ref().or(token)).map_err(|error| (StatusCode::UNAUTHORIZED, error))
    }

    /// Returns the permissions of a request. If the server has tokens, the request must contain a token,
    /// either in the `Authorization` header or in the query.
    ///
    /// # Errors
    ///
    /// The error has the status 401 if the token is missing or unknown.
    pub fn authorize(&self, headers: &HeaderMap, query: &str) -> Result<Access, ErrorResponse> {
        let access = self.access(headers, UrlParameters::token(query).as_ref())?;
        if access.is_unauthenticated() {
            let message = "show a token: in the header `Authorization: Bearer`, or in the URL";
            return Err((StatusCode::UNAUTHORIZED, ErrorReply::new(ErrorCode::Unauthorized, message)));
        }
        Ok(access)
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
