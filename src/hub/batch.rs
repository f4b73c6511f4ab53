//! A batch: updates that are written to sockets together.
//!
//! A batch stores each frame once, in one buffer for all frames. A client whose updates are consecutive gets
//! a slice of that buffer. The frames of any other client are first copied into a second buffer. So each
//! client costs one write of contiguous bytes.
//!
//! A batch is filled, written and cleared within one turn of its shard.

use crate::bus::Key;

/// A batch is full when it has this many bytes for each subscriber, on average. A full batch is written at
/// once.
///
/// A socket accepts about this many bytes at a time. An update costs less if it shares a write with many
/// others. A batch may be larger, because a segment of the log is never split between two batches.
const FULL_BYTES: usize = 64 * 1024;

/// Updates that are written together.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Vec<u8>,
    updates: Vec<Update>,
    /// The number of bytes to write, summed over all subscribers.
    subscribed_bytes: usize,
    /// The copied frames of a client whose updates are not consecutive.
    gathered: Vec<u8>,
}

/// An update of a batch: one event.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The event's sequence number.
    pub seq: u64,
    /// The event's symbol and kind.
    pub key: Key,
    /// The index after the last byte of the update's frame.
    end: u32,
}

/// A run: consecutive updates of a batch, as a half-open range of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    first: u32,
    end: u32,
}

impl Batch {
    /// Returns whether a batch for this many clients is full. The shard must write a full batch before it
    /// reads more of the log.
    #[must_use]
    pub const fn is_full(&self, clients: usize) -> bool {
        clients > 0 && self.subscribed_bytes >= clients * FULL_BYTES
    }

    /// Adds an update; returns its number.
    pub fn push(&mut self, seq: u64, key: Key, frame: &[u8]) -> u32 {
        self.frames.extend_from_slice(frame);
        self.updates.push(Update { seq, key, end: to_u32(self.frames.len()) });
        to_u32(self.updates.len() - 1)
    }

    /// Records that an update has this many subscribers.
    pub fn add_subscribers(&mut self, number: u32, clients: usize) {
        self.subscribed_bytes += clients * (self.start(number + 1) - self.start(number));
    }

    /// Returns the updates of these runs, each with its frame.
    pub fn updates(&self, runs: &[Run]) -> impl Iterator<Item = (Update, &[u8])> {
        let numbers = runs.iter().flat_map(|run| run.first..run.end);
        numbers.map(|number| {
            (self.updates[number as usize], &self.frames[self.start(number)..self.start(number + 1)])
        })
    }

    /// Returns the total length of the frames of these runs.
    pub fn len_of(&self, runs: &[Run]) -> usize {
        runs.iter().map(|run| self.start(run.end) - self.start(run.first)).sum()
    }

    /// Returns the last update of these runs.
    pub fn last_of(&self, runs: &[Run]) -> Option<Update> {
        Some(self.updates[runs.last()?.end as usize - 1])
    }

    /// Returns the frames of these runs, followed by the bytes `behind`, as one slice.
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
    }

    /// Returns the index at which the frame of an update begins.
    fn start(&self, number: u32) -> usize {
        number.checked_sub(1).map_or(0, |before| self.updates[before as usize].end as usize)
    }
}

impl Run {
    /// Returns a run of one update.
    #[must_use]
    pub const fn one(number: u32) -> Self {
        Self { first: number, end: number + 1 }
    }

    /// Returns the number of updates.
    #[must_use]
    pub fn len(self) -> u64 {
        u64::from(self.end - self.first)
    }

    /// Adds an update if it directly follows the run; returns whether it was added.
    pub fn extend(&mut self, number: u32) -> bool {
        let is_next = self.end == number;
        self.end += u32::from(is_next);
        is_next
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is shorter than 4 GiB")
}
