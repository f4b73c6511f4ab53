//! Error replies to invalid commands, messages and HTTP requests.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// The kind of an error, as a stable name for client programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A field of a command is missing, unknown or malformed.
    BadCommand,
    /// The `action` of a command is unknown.
    UnknownAction,
    /// A symbol is malformed.
    BadSymbol,
    /// A channel is unknown.
    BadChannel,
    /// A cursor is malformed, is ahead of the feed, or arrives after the connection's first market frame.
    BadCursor,
    /// The command would exceed the connection's limit of symbols.
    TooManySymbols,
    /// The client sends commands or messages too often, or connects too often.
    RateLimited,
    /// A relayed message or the body of a request is too long.
    MessageTooLong,
    /// The relay is switched off.
    RelayDisabled,
    /// The token is missing or unknown.
    Unauthorized,
    /// A rule for tokens, hosts or origins forbids the request.
    Forbidden,
    /// A URL parameter is unknown or malformed.
    BadParameter,
    /// The cursor of a request belongs to another epoch.
    EpochChanged,
    /// The history no longer reaches back to the cursor of a request.
    HistoryExhausted,
    /// The path of the URL is unknown.
    NotFound,
    /// The feed cannot execute a control command, or the feed has ended.
    Conflict,
    /// A request is not valid HTTP/1.1, its URL is too long, or its `Host` header is missing or malformed.
    BadRequest,
    /// The headers of a request are too many or too long.
    HeadersTooLarge,
    /// The body of a request arrived too slowly.
    TooSlow,
    /// The path of the URL does not support the HTTP method.
    MethodNotAllowed,
    /// The path of the URL requires a WebSocket handshake, but the request is not a handshake.
    UpgradeRequired,
    /// A WebSocket handshake is malformed.
    BadHandshake,
    /// The server or the client's address has reached its maximum number of connections.
    TooManyConnections,
    /// The server is not ready.
    NotReady,
    /// No node of the cluster leads the feed at the moment.
    NoLeader,
}

/// The reply to an invalid command, message or request. A WebSocket connection stays open after an error
/// reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReply {
    /// The kind of the error.
    pub code: ErrorCode,
    /// A description of the error, with advice, for human readers.
    pub message: String,
}

impl ErrorReply {
    /// Returns an error reply.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// Returns an error reply with the code `BadCommand`.
pub fn bad_command(message: impl fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadCommand, message)
}

/// Returns a text from a client, quoted and escaped, for use in an error message. Cuts off the end of a long
/// text.
#[must_use]
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
