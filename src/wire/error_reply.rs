//! Error replies to invalid commands, messages and HTTP requests.

use std::fmt;

use serde::Serialize;

/// The kind of an error, as a fixed name on which a client program can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    /// A cursor is malformed, is sent after the first market frame, or is ahead of the feed.
    BadCursor,
    /// The connection would exceed its limit of symbols.
    TooManySymbols,
    /// The client sends commands, messages or connections too often.
    RateLimited,
    /// A relayed message or the body of a request is too long.
    MessageTooLong,
    /// The relay is switched off.
    RelayDisabled,
    /// The token is missing or unknown.
    Unauthorized,
    /// The client's token, or the request's host or origin, does not allow the request.
    Forbidden,
    /// A URL parameter is unknown or malformed.
    BadParameter,
    /// The path is unknown.
    NotFound,
    /// The feed cannot execute this command, or has ended.
    Conflict,
    /// A request is not valid HTTP/1.1, its URL is too long, or its `Host` is wrong.
    BadRequest,
    /// A request has too many headers, or too long headers.
    HeadersTooLarge,
    /// The body of a request arrived too slowly.
    TooSlow,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The path expects a WebSocket handshake.
    UpgradeRequired,
    /// A WebSocket handshake is malformed.
    BadHandshake,
    /// The server or the address has reached its limit of connections.
    TooManyConnections,
    /// The server is not ready.
    NotReady,
}

/// The reply to an error. A WebSocket stays open after an error reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReply {
    /// The kind of the error.
    pub code: ErrorCode,
    /// A text for a person: the error, and how to avoid it.
    pub message: String,
}

impl ErrorReply {
    /// Returns an error reply.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// Returns the error reply to a command with a wrong field.
pub(super) fn bad_command(message: impl fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadCommand, message)
}

/// Returns the beginning of a client's text, quoted and escaped, for an error message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
