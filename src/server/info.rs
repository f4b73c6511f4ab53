//! `/api/v1/info`: describes the server to clients. The page needs no token.

use http::StatusCode;
use serde::Serialize;
use warp::reply::Response;

use super::json_response::json_response;
use crate::hub::RelayConfig;
use crate::market::FeedKind;
use crate::session::{Config, Limits};
use crate::wire::MAX_LIMIT;

/// The version of the protocol.
const PROTOCOL: u32 = 1;

/// What the settings of a server say to its clients. Only a restart changes it.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    heartbeat_ms: u64,
    relay: bool,
    limits: ClientLimits,
}

#[derive(Clone, Debug, Serialize)]
struct Feed {
    kind: FeedKind,
}

/// The limits that a client should know. A limit that is off is left out of the JSON.
#[derive(Clone, Debug, Serialize)]
struct ClientLimits {
    #[serde(skip_serializing_if = "is_zero")]
    symbols: usize,
    #[serde(skip_serializing_if = "is_zero")]
    message_bytes: usize,
    #[serde(skip_serializing_if = "is_zero")]
    command_rate: u32,
    every_buffer: usize,
    #[serde(skip_serializing_if = "is_zero")]
    relay_bytes: usize,
    #[serde(skip_serializing_if = "is_zero")]
    relay_rate: u32,
    page: usize,
}

/// The answer to a request for the description. A reload of the configuration may add tokens. A node without a feed
/// learns the kind of feed from its cluster.
#[derive(Serialize)]
struct Answer<'a> {
    version: &'static str,
    protocol: u32,
    feed: Feed,
    #[serde(flatten)]
    info: &'a Info,
    tokens: bool,
}

impl Info {
    /// Returns the description of a server with these settings.
    #[must_use]
    pub fn new(session: &Config, limits: &Limits, relay: &RelayConfig) -> Self {
        Self {
            heartbeat_ms: u64::try_from(session.heartbeat.as_millis()).unwrap_or(u64::MAX),
            relay: relay.enabled,
            limits: ClientLimits {
                symbols: limits.symbols,
                message_bytes: limits.message_bytes,
                command_rate: limits.command_rate,
                every_buffer: session.every_buffer,
                relay_bytes: relay.max_bytes,
                relay_rate: relay.rate,
                page: MAX_LIMIT.into(),
            },
        }
    }

    /// Returns the response with the description. `has_tokens` states whether the server has tokens now.
    #[must_use]
    pub fn response(&self, kind: FeedKind, has_tokens: bool) -> Response {
        let answer = Answer {
            version: env!("CARGO_PKG_VERSION"),
            protocol: PROTOCOL,
            feed: Feed { kind },
            info: self,
            tokens: has_tokens,
        };
        json_response(StatusCode::OK, serde_json::to_string(&answer).expect("a description is plain data"))
    }
}

fn is_zero<N: PartialEq + From<bool>>(number: &N) -> bool {
    *number == N::from(false)
}
