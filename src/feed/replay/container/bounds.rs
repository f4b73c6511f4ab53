//! The bounds of what may come out of a packed file.

/// How much may come out of a packed file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// In bytes; 0 for no bound.
    pub max_bytes: u64,
    /// In bytes for a packed byte; 0 for no bound. Not judged before 16 MiB have come out, for small texts pack well.
    pub max_ratio: u64,
}
