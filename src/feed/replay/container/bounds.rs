//! The limits on the unpacked size of a packed file.

/// The limits on the unpacked size of a packed file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The largest number of unpacked bytes; 0 means no limit.
    pub max_bytes: u64,
    /// The largest number of unpacked bytes per packed byte; 0 means no limit. This limit applies only above
    /// 16 MiB of unpacked bytes, because a small text may pack extremely well.
    pub max_ratio: u64,
}
