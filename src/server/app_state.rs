//! What all routes share, and what every request is asked first: whose it is, and what it may do.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use super::Metrics;
use super::handshake::{Denied, Origins};
use crate::auth::{self, Access};
use crate::bus::Bus;
use crate::feed::Control;
use crate::hub;
use crate::wire::{Command, ErrorCode, Refusal, Stream, Token};

/// What the answers depend on.
#[derive(Debug)]
pub struct AppState {
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
    /// By how much a reader of the log may lag while the server calls itself ready.
    pub max_lag: Duration,
    /// The tokens.
    pub auth: auth::Config,
    /// What is counted.
    pub metrics: Metrics,
}

impl AppState {
    /// Returns what a request may do, by its header or else by the token of its URL; of a server without tokens the header
    /// is not for it.
    ///
    /// # Errors
    ///
    /// 401 where there is no such token.
    fn access(&self, headers: &HeaderMap, token: Option<&Token>) -> Result<Access, Denied> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| Token::of(token.trim()))
        });
        let bearer = bearer.filter(|_| !self.auth.tokens.is_empty());
        self.auth.access(bearer.as_ref().or(token)).map_err(|refusal| (StatusCode::UNAUTHORIZED, refusal))
    }

    /// Returns what a request may do that needs a token where there are some, in a header or as a parameter of its query.
    ///
    /// # Errors
    ///
    /// 401 where it shows none, or one that is not known.
    pub fn authorized(&self, headers: &HeaderMap, query: &str) -> Result<Access, Denied> {
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        let token = parameters.find(|(name, _)| name == "token").map(|(_, token)| Token::of(&token));
        unlocked(self.access(headers, token.as_ref())?)
    }

    /// Returns the subscription that a URL asks for, and what the request may do. Checks that it can be had, as far as that
    /// is known before there is a connection.
    ///
    /// # Errors
    ///
    /// 400 for a wrong parameter, too many symbols and a cursor ahead of the feed, 401 for a token that is not known, 403
    /// for symbols that are not allowed. A request that has shown no token is told nothing of what is here, and is checked
    /// when it has.
    pub fn subscription(&self, headers: &HeaderMap, query: &str) -> Result<(Stream, Access), Denied> {
        let bad = |refusal| (StatusCode::BAD_REQUEST, refusal);
        let stream = Stream::parse(query).map_err(bad)?;
        let access = self.access(headers, stream.token.as_ref())?;
        if let (Some(command @ Command::Subscribe { symbols, after, .. }), false) =
            (&stream.subscribe, access.is_locked())
        {
            access.check(command).map_err(|refusal| (StatusCode::FORBIDDEN, refusal))?;
            hub::check_symbols(self.max_symbols, symbols.len(), &self.bus).map_err(bad)?;
            if let Some(cursor) = after {
                hub::check_cursor(&self.bus, cursor).map_err(bad)?;
            }
        }
        Ok((stream, access))
    }
}

/// Returns the access of a request that has shown a token where there are some.
///
/// # Errors
///
/// 401 where it has shown none.
pub fn unlocked(access: Access) -> Result<Access, Denied> {
    if access.is_locked() {
        let message = "show a token: in the header `Authorization: Bearer`, or in the URL";
        return Err((StatusCode::UNAUTHORIZED, Refusal::new(ErrorCode::Unauthorized, message)));
    }
    Ok(access)
}
