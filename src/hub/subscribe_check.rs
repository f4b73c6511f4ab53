//! Checks a subscribe command: the number of its symbols, and whether the client can resume from its cursor.
//!
//! A route makes these checks before a connection exists. A shard makes them before it executes the command.
//! Both send the same error replies.

use crate::bus::{Bus, Evicted};
use crate::counters::Limit;
use crate::wire::{Cursor, ErrorCode, ErrorReply, GapReason};

/// Whether the log still has all events that a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The log has all missed events.
    InHistory,
    /// The log lacks some of the missed events.
    Lost {
        /// The last event before the gap; `None` if the cursor is from another epoch.
        after: Option<u64>,
        /// Why the events are lost.
        reason: GapReason,
    },
}

/// Checks that a connection may subscribe to `count` symbols. `most` is the limit; 0 means no limit.
///
/// # Errors
///
/// There are too many symbols. The limit's counter is incremented.
pub fn symbols(most: usize, count: usize, bus: &Bus) -> Result<(), ErrorReply> {
    if most > 0 && count > most {
        bus.counters().increment(Limit::Symbols);
        let message = format!("a connection has at most {most} symbols; \"*\" counts as one");
        return Err(ErrorReply::new(ErrorCode::TooManySymbols, message));
    }
    Ok(())
}

/// Returns whether the log has all events after a cursor.
///
/// # Errors
///
/// The cursor is ahead of the feed.
pub fn cursor(bus: &Bus, cursor: &Cursor) -> Result<Missed, ErrorReply> {
    if cursor.epoch != bus.epoch() {
        return Ok(Missed::Lost { after: None, reason: GapReason::EpochChanged });
    }
    let newest = bus.head();
    if cursor.seq > newest {
        let message = format!("{cursor} is ahead of the feed, which is at {}-{newest}", bus.epoch());
        return Err(ErrorReply::new(ErrorCode::BadCursor, message));
    }
    Ok(match bus.after(cursor.seq) {
        Ok(_) => Missed::InHistory,
        Err(Evicted) => Missed::Lost { after: Some(cursor.seq), reason: GapReason::HistoryExhausted },
    })
}

/// Returns the error reply to a cursor that comes after a connection's first subscribe command.
pub fn late_cursor() -> ErrorReply {
    let message = "`after` comes with a connection's first subscribe; open a new connection to resume";
    ErrorReply::new(ErrorCode::BadCursor, message)
}
