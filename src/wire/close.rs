//! The close codes, and the reasons why a connection ends.

use std::borrow::Cow;
use std::io;

use super::DecodeError;

/// A WebSocket close code that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The client closed the connection without a close code.
    Normal = 1000,
    /// The server shuts down.
    GoingAway = 1001,
    /// The client violated the WebSocket protocol.
    Protocol = 1002,
    /// A text message was not UTF-8.
    InvalidUtf8 = 1007,
    /// The client exceeded a limit, or did not send a token in time.
    Policy = 1008,
    /// A message was longer than `limits.message_bytes`.
    TooLong = 1009,
    /// The node is cut off from its cluster.
    TryAgainLater = 1013,
    /// The client read too slowly.
    SlowConsumer = 4008,
}

/// The reason why a connection ends.
#[derive(Debug)]
pub enum CloseReason {
    /// The server closes the connection with this code and text.
    Server(CloseCode, Cow<'static, str>),
    /// The client closed the connection. The value is the close code, or `None` if the client's close frame
    /// had none.
    Client(Option<u16>),
    /// The client showed no sign of life for too long.
    Unresponsive,
    /// The connection broke with this error.
    Lost(io::Error),
}

impl CloseReason {
    /// Returns the code and the text of the close frame for this reason; `None` if the client can no longer
    /// receive frames.
    #[must_use]
    pub fn frame(&self) -> Option<(u16, &str)> {
        match self {
            Self::Server(code, reason) => Some((*code as u16, reason)),
            Self::Client(code) => Some((code.unwrap_or(CloseCode::Normal as u16), "")),
            Self::Unresponsive | Self::Lost(_) => None,
        }
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::Protocol(_) => CloseCode::Protocol,
            DecodeError::Utf8 => CloseCode::InvalidUtf8,
            DecodeError::TooLong { .. } => CloseCode::TooLong,
            DecodeError::TooManyFragments { .. } => CloseCode::Policy,
        };
        Self::Server(code, error.to_string().into())
    }
}
