//! The reasons why a row is rejected.

use crate::feed::printable::excerpt;

/// The reason why a row is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The row has no price. A bar needs a close, and any other row needs a trade price, a bid or an ask.
    Missing,
    /// The time of the row cannot be read.
    BadTime,
    /// A number in the row cannot be read. One bad number rejects the whole row.
    BadNumber,
    /// The symbol of the row cannot be read.
    BadSymbol,
    /// The line has more cells than the layout allows, or lacks a column that every event needs.
    Ragged,
    /// The line is longer than `feed.line_bytes`.
    TooLong,
    /// The row is a bar that contradicts itself: the high is below the low, or the open or the close is not
    /// between the low and the high.
    Implausible,
    /// The row is of a kind that is not replayed, or its time is not between the settings `from` and `to`.
    Filtered,
}

/// A row that does not become an event, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    pub reason: Reason,
    /// The text that caused the rejection of the row.
    pub found: String,
}

impl Reason {
    /// All reasons for a rejection, in the order of [`Reason::index`].
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::BadTime,
        Self::BadNumber,
        Self::BadSymbol,
        Self::Ragged,
        Self::TooLong,
        Self::Implausible,
        Self::Filtered,
    ];

    /// Returns the reason's name in logs, in metrics and in `inspect`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::BadTime => "bad_time",
            Self::BadNumber => "bad_number",
            Self::BadSymbol => "bad_symbol",
            Self::Ragged => "ragged",
            Self::TooLong => "too_long",
            Self::Implausible => "implausible",
            Self::Filtered => "filtered",
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }
}

impl RejectedRow {
    /// Creates a rejected row with an excerpt of the text that caused the rejection.
    pub fn new(reason: Reason, found: &[u8]) -> Self {
        Self { reason, found: excerpt(found) }
    }
}
