//! Checks the server's memory against an upper bound, and records how close the memory came to this bound.

use std::io;
use std::time::{Duration, Instant};

use crate::process::Server;

/// The resident memory that a connection may use, in KiB.
const CONNECTION: u32 = 48;

/// The memory that the history may use, in KiB (`bus.history_bytes`).
const HISTORY: u32 = 16 * 1024;

/// The most memory that the unsent frames of one client with `delivery=every` may use, in KiB
/// (`session.every_buffer`).
const EVERY_BUFFER: u32 = 1024;

/// Compares the server's memory with its upper bound, over the whole run.
pub struct MemoryBound {
    /// The memory of the idle server after its start, in KiB.
    base: u32,
    /// The most memory that the server has used so far, in KiB.
    pub most: u32,
    /// The least value so far of the bound minus the memory, in KiB. The value is negative if the memory has
    /// exceeded the bound.
    left: i64,
    started: Instant,
}

impl MemoryBound {
    /// Reads the memory of a server that has just started.
    pub fn new(server: &Server) -> io::Result<Self> {
        let base = server.memory()?;
        Ok(Self { base, most: base, left: i64::MAX, started: Instant::now() })
    }

    /// Reads the server's memory. Returns the memory and its upper bound, in KiB.
    ///
    /// The bound depends on the number of connections, and on the number of slow clients with
    /// `delivery=every`.
    pub fn check(&mut self, server: &Server, connections: usize, slow: usize) -> io::Result<(u32, u32)> {
        let count = |count: usize| u32::try_from(count).map_err(io::Error::other);
        let bound = self.base + CONNECTION * count(connections)? + HISTORY + EVERY_BUFFER * count(slow)?;
        let memory = server.memory()?;
        self.most = self.most.max(memory);
        self.left = self.left.min(i64::from(bound) - i64::from(memory));
        Ok((memory, bound))
    }

    /// Returns whether the memory never exceeded the bound.
    pub fn is_bounded(&self) -> bool {
        self.left >= 0
    }

    /// Returns a summary of the server's memory in one line.
    pub fn text(&self) -> String {
        format!(
            "{} MiB when idle, at most {} MiB, always {} MiB or more below the bound, in {:.0} s",
            mib(self.base),
            mib(self.most),
            self.left / 1024,
            self.age().as_secs_f64()
        )
    }

    /// Returns how long the server has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Converts KiB to MiB, and returns the number as text with one decimal.
pub fn mib(kib: u32) -> String {
    format!("{:.1}", f64::from(kib) / 1024.0)
}
