//! The state that all routes share, and the checks that requests have in common: permissions and URL parameters.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use super::Metrics;
use super::handshake::{ErrorResponse, Origins};
use crate::auth::{self, Access};
use crate::bus::Bus;
use crate::feed::Control;
use crate::hub;
use crate::wire::{Command, ErrorCode, ErrorReply, TokenHash, UrlParameters};

/// The state that all routes share.
#[derive(Debug)]
pub struct AppState {
    /// The bus. A cursor is a position in its history.
    pub bus: Arc<Bus>,
    /// Controls the feed that publishes on the bus.
    pub feed: Control,
    /// The origins whose pages may connect.
    pub origins: Origins,
    /// Time limit for the body of a request.
    pub body_timeout: Duration,
    /// Symbols that a connection may subscribe to; 0 means no limit.
    pub max_symbols: usize,
    /// The server is ready while no reader of the log lags by more than this.
    pub max_lag: Duration,
    /// The tokens.
    pub auth: auth::Config,
    /// The metrics.
    pub metrics: Metrics,
}

impl AppState {
    /// Returns the permissions of a request. Its token is in a header or else in the URL. A server without tokens ignores
    /// the header, which may be meant for a proxy.
    ///
    /// # Errors
    ///
    /// 401 for an unknown token.
    fn access(&self, headers: &HeaderMap, token: Option<&TokenHash>) -> Result<Access, ErrorResponse> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| TokenHash::of(token.trim()))
        });
        let bearer = bearer.filter(|_| !self.auth.tokens.is_empty());
        self.auth.access(bearer.as_ref().or(token)).map_err(|error| (StatusCode::UNAUTHORIZED, error))
    }

    /// Returns the permissions of a request that needs a token when the server has tokens. The token is in a header or in
    /// the query.
    ///
    /// # Errors
    ///
    /// 401 for a missing or unknown token.
    pub fn authorize(&self, headers: &HeaderMap, query: &str) -> Result<Access, ErrorResponse> {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        let token = parameters.find(|(name, _)| name == "token").map(|(_, token)| TokenHash::of(&token));
        require_token(self.access(headers, token.as_ref())?)
    }

    /// Returns the parameters of a URL and the permissions of the request. Checks the subscription as far as that is
    /// possible before the connection exists.
    ///
    /// # Errors
    ///
    /// 400 for a wrong parameter, too many symbols or a cursor ahead of the feed; 401 for an unknown token; 403 for symbols
    /// that the token does not allow. Without a token the subscription is checked later, after the client has shown one:
    /// an error here would reveal the state of the feed.
    pub fn subscription(
        &self,
        headers: &HeaderMap,
        query: &str,
    ) -> Result<(UrlParameters, Access), ErrorResponse> {
        let bad = |error| (StatusCode::BAD_REQUEST, error);
        let parameters = UrlParameters::parse(query).map_err(bad)?;
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

/// Returns the permissions of a request that has shown a token, or that needs none.
///
/// # Errors
///
/// 401 for a missing token.
pub fn require_token(access: Access) -> Result<Access, ErrorResponse> {
    if access.is_unauthenticated() {
        let message = "show a token: in the header `Authorization: Bearer`, or in the URL";
        return Err((StatusCode::UNAUTHORIZED, ErrorReply::new(ErrorCode::Unauthorized, message)));
    }
    Ok(access)
}
