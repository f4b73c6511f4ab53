//! A batch: the updates that go to the sockets together.
//!
//! They lie one behind the other in one buffer, each once. A client that takes neighbours is
//! written a slice of it; what another one takes is gathered first, so that every client costs
//! one write of contiguous bytes. A batch is laid out, written and forgotten in one go: nobody
//! holds on to it.

use crate::bus::Key;

/// A batch of which each client takes so many bytes, in the mean, is written before more is read: sockets take about as
/// much at a time. The more updates share a write, the less each costs; a segment of the log is never parted.
const FULL: usize = 64 * 1024;

/// The updates that go out together.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Vec<u8>,
    updates: Vec<Update>,
    /// How many bytes all clients together take.
    taken: usize,
    /// Where the frames of one client are put together.
    gathered: Vec<u8>,
}

/// An update of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Its sequence number.
    pub seq: u64,
    /// What a newer one replaces.
    pub key: Key,
    /// Where its frame ends in the batch.
    end: u32,
}

/// Neighbours in a batch: the numbers of the first update and of the one behind the last.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    first: u32,
    end: u32,
}

impl Batch {
    /// Whether the batch is to be written to these many clients before more is read.
    #[must_use]
    pub const fn is_full(&self, clients: usize) -> bool {
        clients > 0 && self.taken >= clients * FULL
    }

    /// Adds an update and returns its number.
    pub fn push(&mut self, seq: u64, key: Key, frame: &[u8]) -> u32 {
        self.frames.extend_from_slice(frame);
        self.updates.push(Update { seq, key, end: to_u32(self.frames.len()) });
        to_u32(self.updates.len() - 1)
    }

    /// Says how many clients take an update.
    pub fn taken(&mut self, number: u32, clients: usize) {
        self.taken += clients * (self.start(number + 1) - self.start(number));
    }

    /// The updates of these runs, each with its frame.
    pub fn updates(&self, runs: &[Run]) -> impl Iterator<Item = (Update, &[u8])> {
        let numbers = runs.iter().flat_map(|run| run.first..run.end);
        numbers.map(|number| {
            (self.updates[number as usize], &self.frames[self.start(number)..self.start(number + 1)])
        })
    }

    /// Returns how many bytes the frames of these runs have.
    pub fn len_of(&self, runs: &[Run]) -> usize {
        runs.iter().map(|run| self.start(run.end) - self.start(run.first)).sum()
    }

    /// Returns the last update of these runs.
    pub fn last_of(&self, runs: &[Run]) -> Option<Update> {
        Some(self.updates[runs.last()?.end as usize - 1])
    }

    /// The frames of these runs, one behind the other, and what is to follow them.
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

    /// Forgets all updates.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.updates.clear();
        self.taken = 0;
    }

    /// Where the frame of an update begins.
    fn start(&self, number: u32) -> usize {
        number.checked_sub(1).map_or(0, |before| self.updates[before as usize].end as usize)
    }
}

impl Run {
    /// One update.
    #[must_use]
    pub const fn one(number: u32) -> Self {
        Self { first: number, end: number + 1 }
    }

    /// How many updates these are.
    #[must_use]
    pub fn len(self) -> u64 {
        u64::from(self.end - self.first)
    }

    /// Whether an update is the next behind these, which it then belongs to.
    pub fn extend(&mut self, number: u32) -> bool {
        let is_next = self.end == number;
        self.end += u32::from(is_next);
        is_next
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is written long before")
}
