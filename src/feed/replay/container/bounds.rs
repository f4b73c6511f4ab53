//! Limits against decompression bombs, i.e. small packed files that unpack to a huge size.

/// The limits on the unpacked size of a packed file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of unpacked bytes; 0 means no limit.
    pub max_bytes: u64,
    /// The maximum ratio of the unpacked size to the packed size; 0 means no limit. This limit applies only
    /// above 16 MiB of unpacked bytes, because a small, harmless text may have an extremely high ratio.
    pub max_ratio: u64,
}
