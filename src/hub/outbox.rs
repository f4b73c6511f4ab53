//! A client's outbox: what it has yet to be sent.
//!
//! All that is certain to go out lies in one buffer, frame behind frame, ready for one write.
//! Behind it a `latest` client that does not keep up, or that asked for an interval, has a set
//! of held keys, one a symbol and kind: it can never hold more than it subscribed to. An
//! `every` client has nothing held; its buffer is bounded in bytes, and past the bound it is
//! closed and comes back with its cursor.
//!
//! A shard pushes and never waits; a session drains. No I/O and no clock here.

use std::collections::VecDeque;
use std::time::Duration;

use indexmap::IndexSet;
use tokio::time::Instant;

use super::frames::Frames;
use crate::bus::LastValues;
use crate::market::{Event, Kind};
use crate::wire::{self, Delivery};

/// The client is further behind than its buffer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// What waits for one client.
#[derive(Debug)]
pub struct Outbox {
    delivery: Delivery,
    interval: Duration,
    /// How many bytes may wait.
    limit: usize,
    buffer: Vec<u8>,
    /// How many bytes of the buffer the socket has taken.
    taken: usize,
    /// Where the first frame begins that the socket has not taken whole.
    frame_start: usize,
    /// The end of each frame in the buffer, and up to which event the client has all with it, where that is new.
    ends: VecDeque<(usize, Option<u64>)>,
    /// Whether the socket takes no more for now.
    blocked: bool,
    held: IndexSet<(usize, Kind)>,
    /// When what is held may go.
    due: Instant,
    last_written: u64,
    sent: u64,
    merged: u64,
}

impl Outbox {
    /// An empty outbox in which at most `limit` bytes wait; what is held may go from `now` on.
    #[must_use]
    pub fn new(limit: usize, now: Instant) -> Self {
        Self {
            delivery: Delivery::Latest,
            interval: Duration::ZERO,
            limit,
            buffer: Vec::new(),
            taken: 0,
            frame_start: 0,
            ends: VecDeque::new(),
            blocked: false,
            held: IndexSet::new(),
            due: now,
            last_written: 0,
            sent: 0,
            merged: 0,
        }
    }

    /// How the client is served, and within which time newer events replace older ones.
    #[must_use]
    pub fn delivery(&self) -> (Delivery, Duration) {
        (self.delivery, self.interval)
    }

    /// Changes how the client is served; what is held has been [released](Self::release) before.
    pub fn set_delivery(&mut self, delivery: Delivery, interval: Duration) {
        debug_assert!(self.held.is_empty(), "what is held goes out before the delivery changes");
        self.delivery = delivery;
        self.interval = interval;
    }

    /// Market frames put into the buffer, and events that newer ones replaced.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.sent, self.merged)
    }

    /// The event up to which the client has all, by what the socket took whole; 0 before the first.
    #[must_use]
    pub fn last_written(&self) -> u64 {
        self.last_written
    }

    /// The event that the client has first with a frame that the socket has not taken whole.
    #[must_use]
    pub fn first_waiting(&self) -> Option<u64> {
        self.ends.iter().find_map(|(_, seq)| *seq)
    }

    /// Whether the client has had or will have a market frame.
    #[must_use]
    pub fn has_market_frames(&self) -> bool {
        self.sent > 0 || !self.held.is_empty()
    }

    /// Whether nothing waits, held events included.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.buffer.is_empty() && self.held.is_empty()
    }

    /// Whether the socket takes no more for now.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether as much waits as may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting() >= self.limit
    }

    /// Whether a new event would be held, where a newer one can replace it.
    #[must_use]
    pub fn holds(&self) -> bool {
        let keeps_up = !self.blocked && self.held.is_empty() && self.waiting() < self.limit;
        self.delivery == Delivery::Latest && !(keeps_up && self.interval.is_zero())
    }

    /// Holds the newest event of this symbol and kind.
    pub fn hold(&mut self, index: usize, kind: Kind) {
        if !self.held.insert((index, kind)) {
            self.merged += 1;
        }
    }

    /// Puts a market frame behind all that waits.
    ///
    /// # Errors
    ///
    /// It does not fit; with `unbounded` it always does, for a feed that waits for its readers.
    pub fn push_event(&mut self, seq: u64, frame: &[u8], unbounded: bool) -> Result<(), Overflow> {
        if !unbounded {
            self.check(frame)?;
        }
        self.append(frame, Some(seq));
        self.sent += 1;
        Ok(())
    }

    /// Puts a market frame of the past behind all that waits.
    pub fn push_missed(&mut self, seq: u64, event: &Event) {
        self.push(|out| wire::text(out, |out| wire::event(out, seq, event)));
        self.reaches(seq);
        self.sent += 1;
    }

    /// Says that with the last frame so far the client has all up to `seq`.
    pub fn reaches(&mut self, seq: u64) {
        if let Some((_, reached)) = self.ends.back_mut() {
            *reached = Some(seq);
        }
    }

    /// Puts another client's message behind all that waits.
    ///
    /// # Errors
    ///
    /// It does not fit.
    pub fn push_relayed(&mut self, frame: &[u8]) -> Result<(), Overflow> {
        self.check(frame)?;
        self.append(frame, None);
        Ok(())
    }

    /// Puts a frame of the server's own behind all that waits. Whoever causes it waits while the outbox is full.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.ends.push_back((self.buffer.len(), None));
    }

    /// Moves what is held into the buffer, in the order of its sequence numbers.
    pub fn release(&mut self, last_values: &LastValues, frames: &mut Frames) {
        let seq = |(index, kind): &(usize, Kind)| {
            let latest = last_values.at(*index).and_then(|(_, last)| last.latest(*kind));
            latest.map_or(0, |latest| latest.seq)
        };
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_cached_key(seq);
        for (index, kind) in held {
            let (seq, frame) = frames.latest(last_values, index, kind);
            self.append(frame, Some(seq));
            self.sent += 1;
        }
    }

    /// Forgets what is held, where snapshots say it better.
    pub fn drop_held(&mut self) {
        self.merged += self.held.len() as u64;
        self.held.clear();
    }

    /// When what is held may go; `None` where nothing is held, or other bytes have to go first.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        (!self.held.is_empty() && self.buffer.is_empty()).then_some(self.due)
    }

    /// Says that what was held has gone at `now`: what comes next waits for an interval.
    pub fn rest(&mut self, now: Instant) {
        self.due = now + self.interval;
    }

    /// The bytes that the socket is to take next.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Says that the socket took the next `count` bytes.
    pub fn written(&mut self, count: usize) {
        self.taken += count;
        self.blocked = false;
        while let Some((end, seq)) = self.ends.pop_front_if(|(end, _)| *end <= self.taken) {
            self.frame_start = end;
            self.last_written = seq.unwrap_or(self.last_written);
        }
        if self.taken == self.buffer.len() {
            // An idle client costs no buffer.
            self.buffer = Vec::new();
            self.ends = VecDeque::new();
            self.taken = 0;
            self.frame_start = 0;
        }
    }

    /// Says that the socket takes no more for now of what waits.
    pub fn block(&mut self) {
        self.blocked = !self.buffer.is_empty();
    }

    /// Drops all that waits but the frame whose first bytes are out already.
    pub fn cut(&mut self) {
        self.held.clear();
        let begun = self.ends.front().copied().filter(|_| self.taken > self.frame_start);
        let (end, seq) = begun.unwrap_or((self.taken, None));
        self.buffer.truncate(end);
        self.last_written = seq.unwrap_or(self.last_written);
        self.ends.clear();
        self.ends.extend(begun);
    }

    fn check(&self, frame: &[u8]) -> Result<(), Overflow> {
        if self.waiting() + frame.len() > self.limit { Err(Overflow) } else { Ok(()) }
    }

    fn waiting(&self) -> usize {
        self.buffer.len() - self.taken
    }

    fn append(&mut self, frame: &[u8], seq: Option<u64>) {
        self.buffer.extend_from_slice(frame);
        self.ends.push_back((self.buffer.len(), seq));
    }
}
