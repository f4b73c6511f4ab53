//! What a source that reads lines is given.

use super::skipped::Skipped;

/// How lines are read, and where it is counted which are not.
#[derive(Clone, Debug)]
pub struct Input {
    /// The longest line, in bytes; 0 for no limit.
    pub line_bytes: usize,
    /// What is counted.
    pub skipped: Skipped,
}
