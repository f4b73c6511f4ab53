//! The settings for reading the lines of a feed's input.

use super::reject_counters::RejectCounters;

/// The maximum length of an input line, and the counters of rejected lines.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// The maximum length of a line, in bytes; 0 means no limit.
    pub line_bytes: usize,
    /// The counters of rejected lines and rows of the input.
    pub reject_counters: RejectCounters,
}
