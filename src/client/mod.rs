//! The client side of the protocol: a [`Connection`], and the errors that end it.

mod connection;

use std::borrow::Cow;
use std::fmt;

use http::Uri;
use tokio_tungstenite::tungstenite::Error;

pub use connection::Connection;

/// Why a client ends before it is done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no connection.
    #[error("cannot connect to {url}")]
    Connect {
        /// Where to.
        url: Endpoint,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The server refused the handshake.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// Where to.
        url: Endpoint,
        /// Its status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to {url} broke")]
    Broken {
        /// Where to.
        url: Endpoint,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The server closed, with a reason that a client has to act upon.
    #[error("{url} closed with {code} {reason}")]
    Closed {
        /// Where to.
        url: Endpoint,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
}

impl ClientError {
    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Connect { .. } => {
                Some("start one with `tickerplant`, or name another with --url ws://HOST:PORT/ws".into())
            }
            Self::Closed { code: 4008, reason, .. } => {
                Some(format!("come back with after={reason} in the URL to go on from there").into())
            }
            Self::Refused { .. } | Self::Broken { .. } | Self::Closed { .. } => None,
        }
    }
}

/// A server, as errors name it: host, port and path, without what stands around them, where a token may be.
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
