//! A batch: updates that are written to sockets together.
//!
//! A batch stores the encoded frame of each update once, in one buffer for all clients. If a client's updates
//! are consecutive, a slice of this buffer is written to the client's socket. For any other client, the
//! frames are first copied into a second buffer. So each client needs only one write of contiguous bytes.
//!
//! A batch is filled, written and cleared within one turn, which is one pass of the shard's loop.

use crate::bus::Key;

/// A batch is full if it has, on average, at least this many bytes for each subscriber. A full batch is
/// written at once.
///
/// A socket accepts about this many bytes at a time. An update costs less if it is written together with many
/// other updates. A batch may exceed this size, because all events of one segment of the log go into the
/// same batch.
const FULL_BYTES: usize = 64 * 1024;

/// Updates that are written to sockets together.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Vec<u8>,
    updates: Vec<Update>,
    /// The number of bytes to write, summed over all subscribers.
    subscribed_bytes: usize,
    /// The number of updates, summed over all subscribers.
    subscribed_updates: u64,
    /// If the bytes for a client are not a single slice of `frames`, the bytes are copied into this buffer.
    gathered: Vec<u8>,
}

/// An update in a batch: one event that is sent to subscribers.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The event's sequence number.
    pub seq: u64,
    /// The event's symbol and kind.
    pub key: Key,
    /// Where the update's frame ends in the batch's buffer, as an exclusive index.
    end: u32,
}

/// A run of consecutive updates in a batch, stored as a half-open range of update numbers.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    first: u32,
    end: u32,
}

impl Batch {
    /// Returns whether the batch, which has `clients` subscribers, is full. If the batch is full, the shard
    /// must write it before reading more of the log.
    #[must_use]
    pub const fn is_full(&self, clients: usize) -> bool {
        clients > 0 && self.subscribed_bytes >= clients * FULL_BYTES
    }

    /// Returns the number that the next update gets in the batch.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        to_u32(self.updates.len())
    }

    /// Adds an update, which goes to `clients` subscribers.
    pub fn push(&mut self, seq: u64, key: Key, frame: &[u8], clients: usize) {
        self.frames.extend_from_slice(frame);
        self.updates.push(Update { seq, key, end: to_u32(self.frames.len()) });
        self.subscribed_bytes += clients * frame.len();
        self.subscribed_updates += clients as u64;
    }

    /// Returns the number of updates, summed over all subscribers.
    #[must_use]
    pub const fn subscribed_updates(&self) -> u64 {
        self.subscribed_updates
    }

    /// Returns the updates in `runs`, each with its frame.
    pub fn updates(&self, runs: &[Run]) -> impl Iterator<Item = (Update, &[u8])> {
        let numbers = runs.iter().flat_map(|run| run.first..run.end);
        numbers.map(|number| {
            (self.updates[number as usize], &self.frames[self.start(number)..self.start(number + 1)])
        })
    }

    /// Returns the total length of the frames in `runs`, in bytes.
    pub fn len_of(&self, runs: &[Run]) -> usize {
        runs.iter().map(|run| self.start(run.end) - self.start(run.first)).sum()
    }

    /// Returns the last update in `runs`; `None` if `runs` is empty.
    pub fn last_of(&self, runs: &[Run]) -> Option<Update> {
        Some(self.updates[runs.last()?.end as usize - 1])
    }

    /// Returns the frames in `runs`, followed by the bytes in `behind`, as one slice.
    pub fn bytes(&mut self, runs: &[Run], behind: &[u8]) -> &[u8] {
        if let ([run], []) = (runs, behind) {
            return &self.frames[self.start(run.first)..self.start(run.end)];
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.clear();
        for run in runs {
            gathered.extend_from_slice(&self.frames[self.start(run.first)..self.start(run.end)]);
        }
        gathered.extend_from_slice(behind);
        self.gathered = gathered;
        &self.gathered
    }

    /// Removes all updates.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.updates.clear();
        self.subscribed_bytes = 0;
        self.subscribed_updates = 0;
    }

    /// Returns the index at which an update's frame begins in the batch's buffer.
    fn start(&self, number: u32) -> usize {
        number.checked_sub(1).map_or(0, |before| self.updates[before as usize].end as usize)
    }
}

impl Run {
    /// Returns a run that consists of the update with this number.
    #[must_use]
    pub const fn one(number: u32) -> Self {
        Self { first: number, end: number + 1 }
    }

    /// Returns the number of updates in the run.
    #[must_use]
    pub fn len(self) -> u64 {
        u64::from(self.end - self.first)
    }

    /// Adds the update with this number if it directly follows the run; returns whether the update was added.
    pub fn extend(&mut self, number: u32) -> bool {
        let is_next = self.end == number;
        self.end += u32::from(is_next);
        is_next
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is shorter than 4 GiB")
}
