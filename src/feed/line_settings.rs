//! The settings with which a feed reads lines of text.

use super::reject_counters::RejectCounters;

/// How long a line may be, and where rejected lines are counted.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// The longest line, in bytes; 0 means no limit.
    pub line_bytes: usize,
    /// The counters of rejected lines and rows.
    pub reject_counters: RejectCounters,
}
