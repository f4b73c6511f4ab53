//! Why a connection ends.

use std::borrow::Cow;
use std::io;

use super::DecodeError;

/// A close code that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The client asked for it.
    Normal = 1000,
    /// The server shuts down.
    GoingAway = 1001,
    /// The client broke the WebSocket protocol.
    Protocol = 1002,
    /// A text message was not UTF-8.
    InvalidUtf8 = 1007,
    /// The client goes against what this server allows.
    Policy = 1008,
    /// A message was longer than the server takes.
    TooLong = 1009,
    /// The client reads too slowly.
    SlowConsumer = 4008,
}

/// Why a connection ends, and what the client is told.
#[derive(Debug)]
pub enum CloseReason {
    /// The server closes.
    Server(CloseCode, Cow<'static, str>),
    /// The client closed, with this code where it gave one.
    Client(Option<u16>),
    /// The client gave no sign of life in time.
    Unresponsive,
    /// The connection broke.
    Lost(io::Error),
}

impl CloseReason {
    /// The code and text of the close frame that answers; `None` where nobody is left to read it.
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
