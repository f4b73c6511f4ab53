//! Checks a subscribe command: the number of its symbols, and whether the client can resume from its cursor.
//!
//! An HTTP route checks the subscription in a URL before the session starts. A shard checks a subscribe
//! command before the shard executes the command. The route and the shard send the same error replies.

use crate::bus::{Bus, Evicted};
use crate::counters::Limit;
use crate::wire::{Cursor, ErrorCode, ErrorReply, GapReason};

/// States whether the log still has all events that a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The log still has all events that the client missed.
    InHistory,
    /// The log no longer has all events that the client missed.
    Lost {
        /// The sequence number of the last event before the gap; `None` if the cursor is from another epoch.
        after: Option<u64>,
        /// The reason why the log lacks the missed events.
        reason: GapReason,
    },
}

/// Checks that a connection may subscribe to `count` symbols. `most` is the maximum number of symbols; 0
/// means no limit.
///
/// # Errors
///
/// Returns an error if there are too many symbols. In this case, the function also increments the counter of
/// the symbol limit.
pub fn symbols(most: usize, count: usize, bus: &Bus) -> Result<(), ErrorReply> {
    if most > 0 && count > most {
        bus.counters().increment(Limit::Symbols);
        let message = format!("a connection has at most {most} symbols; \"*\" counts as one");
        return Err(ErrorReply::new(ErrorCode::TooManySymbols, message));
    }
    Ok(())
}

/// Returns whether the log still has all events after a cursor.
///
/// # Errors
///
/// Returns an error if the cursor is ahead of the feed's newest event.
pub fn cursor(bus: &Bus, cursor: &Cursor) -> Result<Missed, ErrorReply> {
    let epoch = bus.epoch();
    if cursor.epoch != *epoch {
        return Ok(Missed::Lost { after: None, reason: GapReason::EpochChanged });
    }
    let newest = bus.head();
    if cursor.seq > newest {
        let message = format!("{cursor} is ahead of the feed, which is at {epoch}-{newest}");
        return Err(ErrorReply::new(ErrorCode::BadCursor, message));
    }
    Ok(match bus.after(&cursor.epoch, cursor.seq) {
        Ok(_) => Missed::InHistory,
        Err(Evicted) => Missed::Lost { after: Some(cursor.seq), reason: GapReason::HistoryExhausted },
    })
}

/// Returns the error reply to a late cursor: only a connection's first subscribe command may have a cursor.
pub fn late_cursor() -> ErrorReply {
    let message = "`after` comes with a connection's first subscribe; open a new connection to resume";
    ErrorReply::new(ErrorCode::BadCursor, message)
}
