//! The values of the protocol: commands, messages, replies, URL parameters, tokens and close codes.
//!
//! Pure functions and small values, without I/O and without a clock. This module parses what clients send. The
//! encodings write what clients receive.

mod close;
mod command;
mod decoder;
mod error_reply;
mod message;
mod reply;
mod token_hash;
mod url_parameters;

pub use close::{CloseCode, CloseReason};
pub use command::{Command, CommandId, CommandWithId, Cursor, ParsedText, Symbols, parse_text};
pub use decoder::{DecodeError, Decoder, DecoderLimits, Incoming};
pub use error_reply::{ErrorCode, ErrorReply};
pub use message::Message;
pub use reply::{FeedFields, FeedInfo, GapReason, Reply, SubscriptionState};
pub use token_hash::TokenHash;
pub use url_parameters::UrlParameters;

use serde::Serialize;

/// The treatment of a client that reads more slowly than events are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Events are conflated: the newest of a symbol and kind replaces an older one that has not been sent.
    #[default]
    Latest,
    /// No event is skipped. A client that is too slow is closed.
    Every,
}
