//! The settings for reading lines of text.

use super::reject_counters::RejectCounters;

/// The maximum length of a line, and the counters of rejected lines.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// The longest line, in bytes; 0 means no limit.
    pub line_bytes: usize,
    /// The counters of rejected lines and rows.
    pub reject_counters: RejectCounters,
}
