//! A client's outbox: what it has yet to be sent.
//!
//! A client that keeps up has nothing here but the numbers of the updates that it takes of the
//! batch at hand. Answers, and what its socket did not take, lie in one buffer, frame behind
//! frame, ready for one write. Behind it a `latest` client that does not keep up, or that asked
//! for an interval, has a set of held keys, one a symbol and kind: it can never hold more than it
//! subscribed to, and they become bytes some at a time. An answer that changes what comes, and what follows it, are kept back
//! until that has happened. An `every` client has nothing held; what others put into its buffer is bounded
//! in bytes, and past the bound it is closed and comes back with its cursor.
//!
//! A shard pushes and never waits; a session drains. No I/O and no clock here.

use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::batch::{Batch, Run};
use super::conflated_keys::ConflatedKeys;
use super::encoding_cache::EncodedEvents;
use crate::bus::{Key, LastValueCache};
use crate::market::Kind;
use crate::wire::Delivery;

/// Room for more runs than these is given back when they are written.
const KEPT_RUNS: usize = 64;

/// A frame that waits takes so many bytes at the least, however short it is.
const FRAME_BYTES: usize = 32;

/// What is held may go so much late.
const LATE_FLUSH: Duration = Duration::from_millis(5);

/// The buffer gives back what the socket has taken when that is so many bytes, and the greater part of it.
const GIVE_BACK: usize = 4096;

/// The client is further behind than its buffer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowConsumer;

/// What waits for one client.
#[derive(Debug)]
pub struct Outbox {
    delivery: Delivery,
    interval: Duration,
    /// How many bytes that the client did not ask for may wait.
    limit: usize,
    /// What the client takes of the batch at hand.
    runs: SmallVec<[Run; 2]>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer the socket has taken.
    taken: usize,
    /// The frames that the socket has not taken whole.
    frames: VecDeque<Waiting>,
    /// Whether it has taken a part of the first of them.
    is_begun: bool,
    /// How many bytes of them wait, by their content.
    waiting: [usize; 3],
    /// Whether the socket takes no more for now.
    is_blocked: bool,
    /// Whether the socket took an update since this was asked, or anything after it had taken no more.
    is_moving: bool,
    conflated: ConflatedKeys,
    /// What goes behind what is held.
    delayed: Option<Box<Delayed>>,
    /// When what was held went last.
    last_flush: Option<Instant>,
    /// The event up to which the client has all, by what the socket took whole; `None` within a set of snapshots.
    reached: Option<u64>,
    sent: u64,
    merged: u64,
}

/// A frame in the buffer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Where it ends.
    end: usize,
    /// What it means for the client's cursor.
    meaning: Meaning,
    content: Content,
    /// For how many bytes it counts.
    bytes: u32,
}

/// An answer that is kept back until what was held before it is in the buffer, and what comes behind the answer.
#[derive(Debug)]
struct Delayed {
    /// What is held up to this event goes before it.
    until: u64,
    buffer: Vec<u8>,
    frames: VecDeque<Waiting>,
}

/// What a frame says, as far as the limit asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// What the client asked for, which does not count.
    Answer,
    /// An event of the feed.
    Event,
    /// Another client's message, or how the feed fares.
    News,
}

/// What a frame means for the cursor with which its client can come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing.
    None,
    /// With it the client has all up to this event, unless it is owed snapshots.
    Reaches(u64),
    /// Snapshots follow: before the last of them the client has no cursor.
    BeginsSet,
    /// It is one of a set of snapshots.
    InSet,
    /// It is the last of a set of snapshots, with which the client has all up to this event.
    EndsSet(u64),
}

impl Outbox {
    /// An empty outbox in which at most `limit` bytes wait that the client did not ask for.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            delivery: Delivery::Latest,
            interval: Duration::ZERO,
            limit,
            runs: SmallVec::new(),
            buffer: Vec::new(),
            taken: 0,
            frames: VecDeque::new(),
            is_begun: false,
            waiting: [0; 3],
            is_blocked: false,
            is_moving: false,
            conflated: ConflatedKeys::default(),
            delayed: None,
            last_flush: None,
            reached: Some(0),
            sent: 0,
            merged: 0,
        }
    }

    /// How the client is served, and within which time newer events replace older ones.
    #[must_use]
    pub fn delivery(&self) -> (Delivery, Duration) {
        (self.delivery, self.interval)
    }

    /// Changes how the client is served from now on; what is held is not lost.
    pub fn set_delivery(&mut self, delivery: Delivery, interval: Duration) {
        self.delivery = delivery;
        self.interval = interval;
    }

    /// Market frames on their way or gone, and events that newer ones replaced.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let fresh: u64 = self.runs.iter().map(|run| run.len()).sum();
        (self.sent + fresh, self.merged)
    }

    /// The event up to which the client has all, by what the socket took whole; 0 before the first, and within a set of
    /// snapshots.
    #[must_use]
    pub fn last_written(&self) -> u64 {
        self.reached.unwrap_or(0)
    }

    /// The event that the client has first with a frame that the socket has not taken whole.
    #[must_use]
    pub fn first_waiting(&self) -> Option<u64> {
        let delayed = self.delayed.iter().flat_map(|delayed| &delayed.frames);
        self.frames.iter().chain(delayed).find_map(|frame| match frame.meaning {
            Meaning::Reaches(seq) | Meaning::EndsSet(seq) => Some(seq),
            Meaning::None | Meaning::BeginsSet | Meaning::InSet => None,
        })
    }

    /// Whether the socket takes no more for now.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Whether, since this was asked last, the socket took an update, or anything after it had taken no more.
    pub fn take_moving(&mut self) -> bool {
        std::mem::take(&mut self.is_moving)
    }

    /// Whether so much waits that the client's own messages have to.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let (bytes, frames) =
            self.delayed.as_ref().map_or((0, 0), |delayed| (delayed.buffer.len(), delayed.frames.len()));
        (self.bytes().len() + bytes).max((self.frames.len() + frames) * FRAME_BYTES) >= self.limit
    }

    /// Whether a new event has to be held, where a newer one can replace it.
    #[must_use]
    pub fn must_conflate(&self) -> bool {
        let keeps_up = !self.is_blocked && self.conflated.is_empty() && self.interval.is_zero();
        self.delivery == Delivery::Latest && !keeps_up
    }

    /// Holds the newest of `count` events of this symbol and kind; returns whether it is the first that is held.
    pub fn conflate(&mut self, key: Key, count: u64) -> bool {
        let is_first = self.conflated.is_empty();
        self.merged += count - u64::from(self.conflated.insert(key));
        is_first
    }

    /// Counts events that a newer one has replaced.
    pub fn count_merged(&mut self, count: u64) {
        self.merged += count;
    }

    /// Whether anything is held.
    #[must_use]
    pub fn has_conflated(&self) -> bool {
        !self.conflated.is_empty()
    }

    /// How many events are held.
    #[must_use]
    pub fn conflated_len(&self) -> usize {
        usize::try_from(self.conflated.len()).unwrap_or(usize::MAX)
    }

    /// Whether nothing waits, so that the socket can be tried at once.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.delayed.is_none()
    }

    /// Takes an update of the batch at hand; returns whether it is the first.
    pub fn take(&mut self, number: u32) -> bool {
        let is_first = self.runs.is_empty();
        if !self.runs.last_mut().is_some_and(|last| last.extend(number)) {
            self.runs.push(Run::one(number));
        }
        is_first
    }

    /// What the client takes of the batch at hand.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Takes in that the socket took `count` bytes of what the client takes of the batch and of what was written behind
    /// that. Keeps the rest of the batch; where there is none, returns how many bytes behind it the socket took.
    ///
    /// # Errors
    ///
    /// The rest does not fit; with `unbounded` it always does.
    pub fn flushed(
        &mut self,
        batch: &Batch,
        count: usize,
        unbounded: bool,
    ) -> Result<Option<usize>, SlowConsumer> {
        self.is_moving |= count > 0;
        let taken = batch.len_of(&self.runs);
        let beyond = count.checked_sub(taken);
        if beyond.is_none() {
            self.keep_rest(batch, count, unbounded)?;
        } else if let Some(last) = batch.last_of(&self.runs) {
            self.reach(Meaning::Reaches(last.seq));
            self.sent += self.runs.iter().map(|run| run.len()).sum::<u64>();
        }
        if self.runs.capacity() <= KEPT_RUNS {
            self.runs.clear();
        } else {
            self.runs = SmallVec::new();
        }
        Ok(beyond)
    }

    /// Keeps the rest of what it takes of the batch, of which the socket took the first `count` bytes.
    fn keep_rest(&mut self, batch: &Batch, mut count: usize, unbounded: bool) -> Result<(), SlowConsumer> {
        let runs = std::mem::take(&mut self.runs);
        let mut updates = batch.updates(&runs).peekable();
        while let Some((update, frame)) = updates.next_if(|(_, frame)| frame.len() <= count) {
            count -= frame.len();
            self.reach(Meaning::Reaches(update.seq));
            self.sent += 1;
        }
        if count > 0
            && let Some((update, frame)) = updates.next()
        {
            self.append(Meaning::Reaches(update.seq), Content::Event, |buffer| {
                buffer.extend_from_slice(frame);
            });
            self.sent += 1;
            self.written(count);
        }
        for (update, frame) in updates {
            match self.delivery {
                Delivery::Latest => {
                    self.conflate(update.key, 1);
                }
                Delivery::Every => self.push_event(update.seq, frame, unbounded)?,
            }
        }
        Ok(())
    }

    /// Puts what the client takes of the batch behind all that waits; a `latest` client holds what does not fit.
    ///
    /// # Errors
    ///
    /// It does not fit; with `unbounded` it always does, for a feed that waits for its readers.
    pub fn keep(&mut self, batch: &Batch, unbounded: bool) -> Result<(), SlowConsumer> {
        let runs = std::mem::take(&mut self.runs);
        for (update, frame) in batch.updates(&runs) {
            // Nothing may overtake what is held, unless it goes behind an answer that is kept back for that.
            let is_every = self.delivery == Delivery::Every;
            let fits = (is_every || self.conflated.is_empty())
                && self.push_event(update.seq, frame, unbounded).is_ok();
            if !fits && is_every {
                return Err(SlowConsumer);
            }
            if !fits {
                self.conflate(update.key, 1);
            }
        }
        Ok(())
    }

    fn push_event(&mut self, seq: u64, frame: &[u8], unbounded: bool) -> Result<(), SlowConsumer> {
        if !unbounded {
            self.check(frame, self.counted())?;
        }
        self.append(Meaning::Reaches(seq), Content::Event, |buffer| buffer.extend_from_slice(frame));
        self.sent += 1;
        Ok(())
    }

    /// Puts another client's message, or news of the feed, behind all that waits.
    ///
    /// # Errors
    ///
    /// It does not fit; with `beside_events` it has to fit with other news alone, for a feed that waits for its readers.
    pub fn push_news(&mut self, frame: &[u8], beside_events: bool) -> Result<(), SlowConsumer> {
        self.check(frame, if beside_events { self.waiting[Content::News as usize] } else { self.counted() })?;
        self.append(Meaning::None, Content::News, |buffer| buffer.extend_from_slice(frame));
        Ok(())
    }

    /// Puts an event of the past, which `write` appends, behind all that waits; the client asked for it.
    pub fn push_missed(&mut self, seq: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(Meaning::Reaches(seq), Content::Answer, write);
        self.sent += 1;
    }

    /// Puts a snapshot behind all that waits; one that is not the last of its set.
    pub fn push_snapshot(&mut self, frame: &[u8]) {
        self.append(Meaning::InSet, Content::Answer, |buffer| buffer.extend_from_slice(frame));
    }

    /// Puts the last snapshot of a set behind all that waits: with it the client has all up to `seq`.
    pub fn push_last_snapshot(&mut self, frame: &[u8], seq: u64) {
        self.append(Meaning::EndsSet(seq), Content::Answer, |buffer| buffer.extend_from_slice(frame));
    }

    /// Puts an answer behind all that waits. Whoever asks is not heard again while the outbox is full.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(Meaning::None, Content::Answer, write);
    }

    /// Puts an answer behind all that waits, and behind what is held, which is up to the event `until`: it is kept back until
    /// that has [gone](Self::flush_delayed), and so is all that follows it.
    pub fn push_behind_conflated(&mut self, until: u64, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.conflated.is_empty() {
            self.delayed.get_or_insert_with(|| {
                Box::new(Delayed { until, buffer: Vec::new(), frames: VecDeque::new() })
            });
        }
        self.push(write);
    }

    /// Whether an answer is kept back behind what is held.
    #[must_use]
    pub fn has_delayed(&self) -> bool {
        self.delayed.is_some()
    }

    /// Says that the client has all up to `seq`, as it says itself.
    pub fn has(&mut self, seq: u64) {
        self.reached = Some(seq);
    }

    /// Says that with the last frame so far the client has all up to `seq`.
    pub fn reaches(&mut self, seq: u64) {
        self.set_last_meaning(Meaning::Reaches(seq));
    }

    /// Says that snapshots follow the last frame so far: until the last of them the client has no cursor.
    pub fn begins_set(&mut self) {
        self.set_last_meaning(Meaning::BeginsSet);
    }

    /// Says that with the last frame so far the client has all up to `seq`, and is owed no snapshots.
    pub fn ends_set(&mut self, seq: u64) {
        self.set_last_meaning(Meaning::EndsSet(seq));
    }

    fn set_last_meaning(&mut self, meaning: Meaning) {
        let (_, frames) = self.end();
        if let Some(frame) = frames.back_mut() {
            frame.meaning = meaning;
        }
    }

    /// Moves the oldest of what is held into the buffer, `most` at the most, in the order of its sequence numbers, and nothing
    /// that is newer than `until`; returns whether that was all.
    pub fn flush_conflated(
        &mut self,
        last_values: &LastValueCache,
        encoded: &mut EncodedEvents,
        until: u64,
        most: usize,
    ) -> bool {
        if self.conflated.is_empty() {
            return true;
        }
        let delayed = self.delayed.take();
        let mut count = 0;
        for key in self.conflated.take_oldest(last_values, until, most) {
            let (seq, frame) = encoded.latest(last_values, key);
            self.append(Meaning::Reaches(seq), Content::Answer, |buffer| buffer.extend_from_slice(frame));
            self.sent += 1;
            count += 1;
        }
        self.delayed = delayed;
        count < most || self.conflated.is_empty()
    }

    /// Moves the oldest of what goes before the kept answer into the buffer, `most` at the most, and behind the last of it the
    /// answer and all that followed it; returns whether it did. What is held then is newer than the answer.
    pub fn flush_delayed(
        &mut self,
        last_values: &LastValueCache,
        encoded: &mut EncodedEvents,
        most: usize,
    ) -> bool {
        let Some(until) = self.delayed.as_ref().map(|delayed| delayed.until) else { return false };
        let is_all = self.flush_conflated(last_values, encoded, until, most);
        if is_all {
            self.push_delayed();
        }
        is_all
    }

    /// Puts what is kept back, where something is, behind all that waits.
    fn push_delayed(&mut self) {
        let Some(delayed) = self.delayed.take() else { return };
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&delayed.buffer);
        self.frames.extend(delayed.frames.iter().map(|frame| Waiting { end: start + frame.end, ..*frame }));
    }

    /// Forgets what is held of keys that are not `wanted`: newer events replaced it.
    pub fn retain_conflated(&mut self, wanted: impl FnMut(Key) -> bool) {
        self.merged += self.conflated.retain(wanted);
    }

    /// Forgets what is held of the symbol with this index: its snapshot says it.
    pub fn drop_conflated_of(&mut self, index: usize) {
        if self.has_conflated() {
            self.merged +=
                Kind::ALL.iter().filter(|kind| self.conflated.remove((index, **kind))).count() as u64;
        }
    }

    /// Forgets what is held, where snapshots say it better; an answer that was kept back for it goes.
    pub fn drop_conflated(&mut self) {
        self.merged += self.conflated.len();
        self.conflated.clear();
        self.push_delayed();
    }

    /// When what is held may go, `now` at the earliest; `None` where nothing is held, or other bytes have to go first.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.last_flush.map_or(now, |last_flush| now.max(last_flush + self.interval));
        (!self.conflated.is_empty() && self.buffer.is_empty()).then_some(due)
    }

    /// Says that what was held has gone at `now`: what comes next waits for an interval, from when it was due if that was
    /// just now. Otherwise every interval would be longer by what the one before was late.
    pub fn set_last_flush(&mut self, now: Instant) {
        let due = self.last_flush.map(|last_flush| last_flush + self.interval);
        self.last_flush = due.filter(|due| now.duration_since(*due) < LATE_FLUSH).or(Some(now));
    }

    /// The bytes that the socket is to take next.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Says that the socket took the next `count` bytes.
    pub fn written(&mut self, count: usize) {
        self.taken += count;
        self.is_moving |= std::mem::take(&mut self.is_blocked) && count > 0;
        self.is_begun |= count > 0;
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.end <= self.taken) {
            self.is_begun = frame.end < self.taken;
            self.waiting[frame.content as usize] -= frame.bytes as usize;
            self.is_moving |= !matches!(frame.meaning, Meaning::None | Meaning::BeginsSet);
            self.reach(frame.meaning);
        }
        if self.taken == self.buffer.len() {
            // An idle client costs no buffer.
            self.buffer = Vec::new();
            self.frames = VecDeque::new();
            self.taken = 0;
        } else if self.taken >= GIVE_BACK && self.taken > self.buffer.len() / 2 {
            // One that always lags a little never empties its buffer.
            self.buffer.drain(..self.taken);
            for frame in &mut self.frames {
                frame.end -= self.taken;
            }
            self.taken = 0;
        }
    }

    /// Says that the socket takes no more for now of what waits.
    pub fn block(&mut self) {
        self.is_blocked = !self.buffer.is_empty();
    }

    /// Drops all that waits but the frame whose first bytes are out already.
    pub fn cut(&mut self) {
        self.conflated.clear();
        self.delayed = None;
        self.frames.truncate(usize::from(self.is_begun));
        let begun = self.frames.front().copied();
        self.buffer.truncate(begun.map_or(self.taken, |frame| frame.end));
        self.waiting = [0; 3];
        if let Some(Waiting { meaning, content, bytes, .. }) = begun {
            self.waiting[content as usize] = bytes as usize;
            self.reach(meaning);
        }
    }

    /// Takes in that the socket has taken a frame, or is to take it before anything else.
    fn reach(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Reaches(seq) => self.reached = self.reached.map(|_| seq),
            Meaning::None | Meaning::InSet => {}
            Meaning::BeginsSet => self.reached = None,
            Meaning::EndsSet(seq) => self.reached = Some(seq),
        }
    }

    /// Returns how many bytes wait that count against the limit.
    fn counted(&self) -> usize {
        self.waiting[Content::Event as usize] + self.waiting[Content::News as usize]
    }

    /// Checks that a frame fits beside so many bytes.
    fn check(&self, frame: &[u8], waiting: usize) -> Result<(), SlowConsumer> {
        if waiting + frame.len().max(FRAME_BYTES) > self.limit { Err(SlowConsumer) } else { Ok(()) }
    }

    fn append(&mut self, meaning: Meaning, content: Content, write: impl FnOnce(&mut Vec<u8>)) {
        let (buffer, frames) = self.end();
        let start = buffer.len();
        write(buffer);
        let end = buffer.len();
        if end == start {
            // The encoding has no words for it.
            return;
        }
        let bytes = u32::try_from((end - start).max(FRAME_BYTES)).expect("a frame is not so long");
        frames.push_back(Waiting { end, meaning, content, bytes });
        self.waiting[content as usize] += bytes as usize;
    }

    /// The bytes and the frames behind which the next frame goes.
    fn end(&mut self) -> (&mut Vec<u8>, &mut VecDeque<Waiting>) {
        match &mut self.delayed {
            Some(delayed) => (&mut delayed.buffer, &mut delayed.frames),
            None => (&mut self.buffer, &mut self.frames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_always_lags_a_little_does_not_make_the_buffer_grow() {
        let mut outbox = Outbox::new(1 << 20);
        let frame = [b'x'; 100];
        for seq in 1..=10 {
            outbox.push_event(seq, &frame, false).unwrap();
        }

        for seq in 11..100_000 {
            outbox.push_event(seq, &frame, false).unwrap();
            outbox.written(100);
        }

        assert_eq!(outbox.bytes().len(), 1000);
        assert!(outbox.buffer.capacity() < 64 * 1024, "{}", outbox.buffer.capacity());
        assert_eq!(outbox.last_written(), 99_989);
    }

    #[test]
    fn answers_do_not_count_against_what_others_may_put_there() {
        let mut outbox = Outbox::new(100);
        outbox.push(|buffer| buffer.resize(5000, b'x'));

        assert_eq!(outbox.push_news(&[0; 100], false), Ok(()));
        assert_eq!(outbox.push_news(&[0; 1], false), Err(SlowConsumer));
        assert!(outbox.is_full());
    }

    #[test]
    fn news_fit_beside_the_events_of_a_feed_that_waits_and_not_beside_more_news() {
        let mut outbox = Outbox::new(100);
        outbox.push_event(1, &[0; 200], true).unwrap();

        assert_eq!(outbox.push_news(&[0; 60], false), Err(SlowConsumer));
        assert_eq!(outbox.push_news(&[0; 60], true), Ok(()));
        assert_eq!(outbox.push_news(&[0; 60], true), Err(SlowConsumer));

        // What has gone counts no more.
        outbox.written(200);
        assert_eq!(outbox.push_news(&[0; 41], false), Err(SlowConsumer));
        assert_eq!(outbox.push_event(2, &[0; 41], false), Err(SlowConsumer));
        assert_eq!(outbox.push_event(2, &[0; 40], false), Ok(()));
        outbox.written(60);
        assert_eq!(outbox.push_news(&[0; 60], false), Ok(()));
    }
}
