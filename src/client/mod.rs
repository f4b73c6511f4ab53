//! A client of the protocol, for `watch` and `send`.

mod connection;

use std::borrow::Cow;
use std::fmt;

use http::Uri;
use tokio_tungstenite::tungstenite::Error;

pub use connection::Connection;

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot connect.
    #[error("cannot connect to {url}")]
    Connect {
        /// The server.
        url: Endpoint,
        /// The cause.
        source: Box<Error>,
    },
    /// The server rejected the handshake.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// The server.
        url: Endpoint,
        /// The status of the response.
        status: u16,
        /// The message of the response.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to {url} broke")]
    Broken {
        /// The server.
        url: Endpoint,
        /// The cause.
        source: Box<Error>,
    },
    /// The server closed the connection.
    #[error("{url} closed with {code} {reason}")]
    Closed {
        /// The server.
        url: Endpoint,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
}

impl ClientError {
    /// Returns advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Connect { .. } => Some(
                "start a server with `tickerplant`, or choose another with --url ws://HOST:PORT/ws".into(),
            ),
            Self::Closed { code: 4008, reason, .. } => {
                Some(format!("connect again with after={reason} in the URL to resume").into())
            }
            Self::Refused { .. } | Self::Broken { .. } | Self::Closed { .. } => None,
        }
    }
}

/// The URL of a server in errors, without user info and query, because these may contain a token.
#[derive(Debug)]
pub struct Endpoint(String);

impl Endpoint {
    fn of(url: &Uri) -> Self {
        let scheme = url.scheme_str().unwrap_or("ws");
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let server = authority.rsplit('@').next().unwrap_or_default();
        Self(format!("{scheme}://{server}{}", url.path()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
