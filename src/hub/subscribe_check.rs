//! Whether a subscription can be had: the limit of symbols and the check of a cursor.
//!
//! A route asks before there is a connection, a shard when the command is carried out; both get the same answer in the
//! same words.

use crate::bus::{Bus, Evicted};
use crate::counters::Limit;
use crate::wire::{Cursor, ErrorCode, ErrorReply, GapReason};

/// What the log has of what a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// All of it.
    InHistory,
    /// Not all of it.
    Lost {
        /// The last event before the hole; `None` where the cursor is of another epoch.
        after: Option<u64>,
        /// Why.
        reason: GapReason,
    },
}

/// Checks that a connection may have so many symbols; `most` is 0 where there is no limit.
///
/// # Errors
///
/// They are too many, which is counted.
pub fn symbols(most: usize, count: usize, bus: &Bus) -> Result<(), ErrorReply> {
    if most > 0 && count > most {
        bus.counters().increment(Limit::Symbols);
        let message = format!("a connection has at most {most} symbols; \"*\" counts as one");
        return Err(ErrorReply::new(ErrorCode::TooManySymbols, message));
    }
    Ok(())
}

/// Returns what the log has of what came after a cursor.
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

/// Refuses a cursor that comes with a later subscribe than a connection's first.
pub fn late_cursor() -> ErrorReply {
    let message = "`after` comes with a connection's first subscribe; open a new connection to resume";
    ErrorReply::new(ErrorCode::BadCursor, message)
}
