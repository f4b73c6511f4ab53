//! The values of the protocol: commands, messages, replies, URL parameters, tokens and close codes.
//!
//! This module does no I/O and reads no clock. The module parses the commands and frames of clients. The
//! `encoding` module writes the frames that the server sends.

mod close;
mod command;
mod cursor;
mod data_parameters;
mod decoder;
mod error_reply;
mod fields;
mod message;
mod message_parser;
mod parameter;
mod reply;
mod token_check;
mod token_hash;
mod url_parameters;
mod verb;

pub use close::{CloseCode, CloseReason};
pub use command::{Command, CommandWithId, Symbols, unknown_field};
pub use cursor::Cursor;
pub use data_parameters::{DataParameters, MAX_LIMIT};
pub use decoder::{DecodeError, Decoder, DecoderLimits, Incoming};
pub use error_reply::{ErrorCode, ErrorReply, bad_command, quoted};
pub use fields::{CommandId, Fields};
pub use message::Message;
pub use message_parser::{ParsedMessage, parse_message, parse_text};
pub use parameter::{bad_parameter, distinct_pairs, parse_after, parse_limit, unknown_parameter};
pub use reply::{FeedFields, FeedInfo, GapReason, Owner, Reply, SubscriptionState};
pub use token_hash::TokenHash;
pub use url_parameters::UrlParameters;

use serde::Serialize;
use utoipa::ToSchema;

/// The delivery policy: what happens to unsent events when a client reads too slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Unsent events are conflated: a newer event replaces an older event of the same symbol and kind.
    #[default]
    Latest,
    /// The client gets every event, so the server closes the connection if the client reads too slowly.
    Every,
}
