//! A client's outbox: the frames and conflated events that have yet to be sent to the client.
//!
//! While a client keeps up, its outbox stores only the numbers of the client's updates in the current batch.
//! A [buffer](FrameBuffer) stores replies, and updates that the socket did not accept, as encoded frames.
//!
//! If a `latest` client does not keep up, or asked for an interval, its outbox also has conflated keys. A
//! conflated key is a symbol and kind whose newest event has yet to be sent. The client's subscription limits
//! the number of conflated keys. One flush turns a limited number of conflated keys into frames.
//!
//! A client's command may change the subscription or the delivery. The reply to such a command is delayed:
//! first, all older conflated events are flushed. All later frames wait behind the delayed reply.
//!
//! New events are never conflated for an `every` client. The client's pending events, relayed messages and
//! feed states have a common limit in bytes. A client that exceeds the limit is a slow consumer. The shard
//! closes a slow consumer's connection. The client may connect again and resume from its cursor.
//!
//! A shard pushes frames into the outbox and never waits. A session writes the frames to the socket. An
//! outbox does no I/O and reads no clock.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::batch::{Batch, Run};
use super::conflated_keys::ConflatedKeys;
use super::encoding_cache::EncodedEvents;
use super::flush_window::WindowNumber;
use super::frame_buffer::{CursorEffect, FrameBuffer, FrameKind, MIN_FRAME_BYTES, PendingFrame};
use crate::bus::{Key, LastValueCache};
use crate::encoding::Encoding;
use crate::market::Kind;
use crate::wire::Delivery;

/// After a batch is written, an outbox keeps memory for at most this many runs of consecutive updates.
const MAX_KEPT_RUNS: usize = 64;

/// If a flush is at least this late, the client's next interval begins at the time of the flush.
const LATE_FLUSH: Duration = Duration::from_millis(5);

/// The error that is returned if a frame would exceed a client's limit of pending bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowConsumer;

/// The pending frames and conflated keys of one client.
#[derive(Debug)]
pub struct Outbox {
    delivery: Delivery,
    /// The times of flushes; `None` if the client has neither asked for an interval nor had a flush.
    flushes: Option<Box<Flushes>>,
    /// The limit on the pending bytes of events, relayed messages and feed states.
    limit: usize,
    /// The client's updates in the current batch, as runs of consecutive updates.
    runs: SmallVec<[Run; 2]>,
    buffer: FrameBuffer,
    /// The flush window in which the client got its last update.
    window: WindowNumber,
    /// Whether the client has asked for an interval between flushes.
    has_interval: bool,
    /// Whether the client's socket accepts no more bytes for now.
    is_blocked: bool,
    /// Whether the socket made progress since the last call of [`take_progress`](Self::take_progress).
    has_progress: bool,
    conflated: ConflatedKeys,
    delayed: Option<Box<Delayed>>,
    /// The sequence number up to which the socket has accepted all events; `None` while a set of snapshots is
    /// being written.
    cursor: Option<u64>,
    /// The encoding in which the positions of pushed frames are hidden; `None` if positions are shown. Positions are
    /// hidden until a set of snapshots is complete. A client that resumed earlier would lose the rest of the set.
    hides_positions: Option<Encoding>,
    sent: u64,
    merged: u64,
}

/// The times at which a client's conflated events are flushed.
#[derive(Debug, Default)]
struct Flushes {
    /// The interval between flushes for which the client has asked; zero means as soon as possible.
    interval: Duration,
    /// The time of the last flush, at which the client's current interval began.
    last: Option<Instant>,
}

/// A delayed reply, and all frames that wait behind the reply. The reply itself waits until conflated events
/// are flushed.
#[derive(Debug)]
struct Delayed {
    /// Conflated events up to this sequence number are flushed before the reply.
    until: u64,
    buffer: FrameBuffer,
}

impl Outbox {
    /// Returns an empty outbox. At most `limit` bytes of events, relayed messages and feed states may be
    /// pending.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            delivery: Delivery::Latest,
            flushes: None,
            limit,
            runs: SmallVec::new(),
            buffer: FrameBuffer::default(),
            window: WindowNumber::default(),
            has_interval: false,
            is_blocked: false,
            has_progress: false,
            conflated: ConflatedKeys::default(),
            delayed: None,
            cursor: Some(0),
            hides_positions: None,
            sent: 0,
            merged: 0,
        }
    }

    /// Returns the client's delivery mode, and the client's interval between flushes.
    #[must_use]
    pub fn delivery(&self) -> (Delivery, Duration) {
        (self.delivery, self.interval())
    }

    /// Changes the client's delivery mode and interval for new events. Events that are already conflated are
    /// still sent.
    pub fn set_delivery(&mut self, delivery: Delivery, interval: Duration) {
        self.delivery = delivery;
        self.has_interval = !interval.is_zero();
        if self.flushes.is_some() || self.has_interval {
            self.flushes.get_or_insert_default().interval = interval;
        }
    }

    /// Returns two numbers of events. The first counts the events that were sent or are pending as frames.
    /// The second counts the events that newer events replaced.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let current: u64 = self.runs.iter().map(|run| run.len()).sum();
        (self.sent + current, self.merged)
    }

    /// Returns the client's cursor: the sequence number up to which the client's socket has accepted all
    /// events.
    ///
    /// The result is 0 before the first event, and while a set of snapshots is being written.
    #[must_use]
    pub fn last_written(&self) -> u64 {
        self.cursor.unwrap_or(0)
    }

    /// Returns the sequence number of the first pending frame that moves the cursor.
    #[must_use]
    pub fn first_pending(&self) -> Option<u64> {
        self.buffers().flat_map(FrameBuffer::frames).find_map(|frame| match frame.effect {
            CursorEffect::MovesTo(seq) | CursorEffect::EndsSnapshots(seq) => Some(seq),
            CursorEffect::None | CursorEffect::BeginsSnapshots | CursorEffect::InSnapshots => None,
        })
    }

    /// Returns whether the client's socket accepts no more bytes for now.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Returns whether the socket made progress since the last call of this function. The socket makes
    /// progress when it accepts an update. If the socket was blocked, any byte that it accepts counts as
    /// progress.
    pub fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progress)
    }

    /// Returns whether the outbox is full. A full outbox has too many pending bytes or frames, and the
    /// client's next message must wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let (bytes, frames) = self.buffers().fold((0, 0), |(bytes, frames), buffer| {
            (bytes + buffer.pending().len(), frames + buffer.frame_count())
        });
        bytes.max(frames * MIN_FRAME_BYTES) >= self.limit
    }

    /// Returns whether a new event must be conflated, because it cannot be sent at once.
    #[must_use]
    pub fn must_conflate(&self) -> bool {
        let is_late = self.is_blocked || self.has_interval || self.has_conflated();
        is_late && self.delivery == Delivery::Latest
    }

    /// Conflates `count` events of a key, so that only the newest of these events will be sent. Returns
    /// whether the outbox had no conflated events before.
    pub fn conflate(&mut self, key: Key, count: u64) -> bool {
        let is_first = self.conflated.is_empty();
        self.merged += count - u64::from(self.conflated.insert(key));
        is_first
    }

    /// Adds `count` to the number of merged events, which are events that newer events replaced.
    pub fn count_merged(&mut self, count: u64) {
        self.merged += count;
    }

    /// Returns whether there are conflated events.
    #[must_use]
    pub fn has_conflated(&self) -> bool {
        !self.conflated.is_empty()
    }

    /// Returns the number of conflated events.
    #[must_use]
    pub fn conflated_len(&self) -> usize {
        usize::try_from(self.conflated.len()).unwrap_or(usize::MAX)
    }

    /// Returns whether a batch may be written to the socket directly: no frame is pending, and no position must
    /// be hidden.
    #[must_use]
    pub fn may_write_directly(&self) -> bool {
        self.is_empty() && self.hides_positions.is_none()
    }

    /// Returns whether no frame is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.delayed.is_none()
    }

    /// Adds an update of the current batch, the update with this number, to the client's updates. Returns
    /// whether this update is the client's first update in the batch.
    pub fn add_update(&mut self, number: u32) -> bool {
        let is_first = self.runs.is_empty();
        if !self.runs.last_mut().is_some_and(|last| last.extend(number)) {
            self.runs.push(Run::one(number));
        }
        is_first
    }

    /// Records that the client gets an update in this flush window. Returns whether the update is the client's
    /// first in the window.
    pub fn enter_window(&mut self, number: WindowNumber) -> bool {
        std::mem::replace(&mut self.window, number) != number
    }

    /// Returns the client's updates in the current batch, as runs of consecutive updates.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Records that the socket accepted `count` bytes of a write. The write consisted of the client's updates
    /// in the batch, perhaps followed by a heartbeat.
    ///
    /// An update that the socket did not accept is pushed into the buffer or conflated. If the socket
    /// accepted all updates, returns how many bytes of the heartbeat the socket accepted. Otherwise returns
    /// `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if the updates exceed the limit of pending bytes and `unbounded` is false.
    pub fn batch_written(
        &mut self,
        batch: &Batch,
        count: usize,
        unbounded: bool,
    ) -> Result<Option<usize>, SlowConsumer> {
        self.has_progress |= count > 0;
        let beyond = count.checked_sub(batch.len_of(&self.runs));
        if beyond.is_none() {
            self.push_rest(batch, count, unbounded)?;
        } else if let Some(last) = batch.last_of(&self.runs) {
            CursorEffect::MovesTo(last.seq).apply(&mut self.cursor);
            self.sent += self.runs.iter().map(|run| run.len()).sum::<u64>();
        }
        if self.runs.capacity() <= MAX_KEPT_RUNS {
            self.runs.clear();
        } else {
            self.runs = SmallVec::new();
        }
        Ok(beyond)
    }

    /// Pushes or conflates the rest of the client's updates in the batch. The socket has already accepted the
    /// first `count` bytes of these updates.
    fn push_rest(&mut self, batch: &Batch, mut count: usize, unbounded: bool) -> Result<(), SlowConsumer> {
        let runs = std::mem::take(&mut self.runs);
        let mut updates = batch.updates(&runs).peekable();
        while let Some((update, frame)) = updates.next_if(|(_, frame)| frame.len() <= count) {
            count -= frame.len();
            CursorEffect::MovesTo(update.seq).apply(&mut self.cursor);
            self.sent += 1;
        }
        if count > 0
            && let Some((update, frame)) = updates.next()
        {
            self.append(CursorEffect::MovesTo(update.seq), FrameKind::Event, |buffer| {
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

    /// Moves the client's updates from the batch to the buffer. For a `latest` client, updates that exceed
    /// the limit of pending bytes are conflated instead. `unbounded` is true for a flow-controlled feed, and
    /// means that no limit is checked.
    ///
    /// # Errors
    ///
    /// Returns an error if the updates of an `every` client exceed the limit and `unbounded` is false.
    pub fn push_batch(&mut self, batch: &Batch, unbounded: bool) -> Result<(), SlowConsumer> {
        let runs = std::mem::take(&mut self.runs);
        for (update, frame) in batch.updates(&runs) {
            // No event may overtake a conflated event. For an `every` client this cannot happen, because a
            // delayed reply separates its conflated events from its new events.
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
            self.check_limit(frame, self.limited_bytes())?;
        }
        self.append(CursorEffect::MovesTo(seq), FrameKind::Event, |buffer| buffer.extend_from_slice(frame));
        self.sent += 1;
        Ok(())
    }

    /// Pushes news: a relayed message, or a new state of the feed.
    ///
    /// If `beside_events` is true, pending events do not count against the limit. The argument is true for a
    /// flow-controlled feed, because the pending events of such a feed have no limit.
    ///
    /// # Errors
    ///
    /// Returns an error if the frame exceeds the limit of pending bytes.
    pub fn push_news(&mut self, frame: &[u8], beside_events: bool) -> Result<(), SlowConsumer> {
        let pending = if beside_events { self.pending_bytes(FrameKind::News) } else { self.limited_bytes() };
        self.check_limit(frame, pending)?;
        self.append(CursorEffect::None, FrameKind::News, |buffer| buffer.extend_from_slice(frame));
        Ok(())
    }

    /// Records that the socket accepted the first `count` bytes of these frames of news; pushes the rest.
    ///
    /// # Errors
    ///
    /// Returns an error if the rest exceeds the limit of pending bytes, as for [`push_news`](Self::push_news).
    pub fn news_written<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a [u8]>,
        mut count: usize,
        beside_events: bool,
    ) -> Result<(), SlowConsumer> {
        for frame in frames {
            if frame.len() <= count {
                count -= frame.len();
            } else if count > 0 {
                self.append(CursorEffect::None, FrameKind::News, |buffer| buffer.extend_from_slice(frame));
                self.written(std::mem::take(&mut count));
            } else {
                self.push_news(frame, beside_events)?;
            }
        }
        Ok(())
    }

    /// Pushes an event that a resuming client missed; `write` appends the event's frame.
    pub fn push_missed(&mut self, seq: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(CursorEffect::MovesTo(seq), FrameKind::Reply, write);
        self.sent += 1;
    }

    /// Pushes a snapshot that is not the last of its set.
    pub fn push_snapshot(&mut self, frame: &[u8]) {
        self.append(CursorEffect::InSnapshots, FrameKind::Reply, |buffer| buffer.extend_from_slice(frame));
    }

    /// Pushes the last snapshot of a set. Once the snapshot is written, the client has all events up to
    /// `seq`.
    pub fn push_last_snapshot(&mut self, frame: &[u8], seq: u64) {
        self.hides_positions = None;
        let effect = CursorEffect::EndsSnapshots(seq);
        self.append(effect, FrameKind::Reply, |buffer| buffer.extend_from_slice(frame));
    }

    /// Pushes a reply. The limit of pending bytes is not checked, because the session reads no commands while
    /// the outbox is full.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(CursorEffect::None, FrameKind::Reply, write);
    }

    /// Pushes a reply behind the conflated events. `until` is at least the sequence number of the newest
    /// conflated event.
    ///
    /// If there are conflated events, the reply waits until these events are [flushed](Self::flush_delayed).
    /// All later frames wait behind the reply.
    pub fn push_behind_conflated(&mut self, until: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.delay_behind_conflated(until);
        self.push(write);
    }

    /// Delays all later frames until the conflated events are [flushed](Self::flush_delayed), if there are
    /// any. `until` is at least the sequence number of the newest conflated event.
    pub fn delay_behind_conflated(&mut self, until: u64) {
        if !self.conflated.is_empty() {
            self.delayed.get_or_insert_with(|| Box::new(Delayed { until, buffer: FrameBuffer::default() }));
        }
    }

    /// Returns whether a reply waits behind conflated events.
    #[must_use]
    pub fn has_delayed(&self) -> bool {
        self.delayed.is_some()
    }

    /// Sets the client's cursor to `seq`, which the client sent in order to resume.
    pub fn set_cursor(&mut self, seq: u64) {
        self.cursor = Some(seq);
    }

    /// Sets the effect of the last pending frame: once the frame is written, the client's cursor moves to
    /// `seq`.
    pub fn last_frame_moves_to(&mut self, seq: u64) {
        self.last_buffer().set_last_effect(CursorEffect::MovesTo(seq));
    }

    /// Marks the last pending frame as the frame before a set of snapshots.
    pub fn last_frame_begins_snapshots(&mut self, encoding: Encoding) {
        self.hides_positions = Some(encoding).filter(|encoding| encoding.has_positions());
        self.last_buffer().set_last_effect(CursorEffect::BeginsSnapshots);
    }

    /// Marks the last pending frame as the end of a set of snapshots. Once the frame is written, the client
    /// has all events up to `seq`.
    pub fn last_frame_ends_snapshots(&mut self, seq: u64) {
        self.hides_positions = None;
        self.last_buffer().set_last_effect(CursorEffect::EndsSnapshots(seq));
    }

    /// Flushes the oldest conflated events with sequence numbers up to `until`, at most `most` events.
    /// Returns whether all conflated events up to `until` are now flushed.
    ///
    /// The flushed events become frames in the buffer, in the order of their sequence numbers.
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
        // The delayed reply is removed for now, so that `append` adds the events before the reply.
        let delayed = self.delayed.take();
        let mut count = 0;
        for key in self.conflated.remove_oldest(last_values, until, most) {
            let (seq, frame) = encoded.latest(last_values, key);
            let effect = CursorEffect::MovesTo(seq);
            self.append(effect, FrameKind::Reply, |buffer| buffer.extend_from_slice(frame));
            self.sent += 1;
            count += 1;
        }
        self.delayed = delayed;
        count < most || self.conflated.is_empty()
    }

    /// Flushes the oldest conflated events that precede the delayed reply, at most `most` events. If no event
    /// that precedes the reply is left, also flushes the reply. Returns whether the reply was flushed.
    ///
    /// If events are still conflated after the reply was flushed, these events are newer than the reply.
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

    /// Moves a delayed reply, and the frames behind the reply, into the buffer.
    fn push_delayed(&mut self) {
        if let Some(delayed) = self.delayed.take() {
            self.buffer.append(&delayed.buffer);
        }
    }

    /// Removes the conflated keys for which `keep` is false. The event of each removed key counts as merged.
    pub fn retain_conflated(&mut self, keep: impl FnMut(Key) -> bool) {
        self.merged += self.conflated.retain(keep);
    }

    /// Removes the conflated keys of the symbol with this index. The events of the removed keys count as
    /// merged, because a snapshot replaces these events.
    pub fn drop_conflated_of(&mut self, index: usize) {
        if self.has_conflated() {
            self.merged +=
                Kind::ALL.iter().filter(|kind| self.conflated.remove((index, **kind))).count() as u64;
        }
    }

    /// Removes all conflated keys, and moves a delayed reply and the frames behind the reply into the buffer.
    /// The events of the removed keys count as merged, because snapshots replace these events.
    pub fn drop_conflated(&mut self) {
        self.merged += self.conflated.len();
        self.conflated.clear();
        self.push_delayed();
    }

    /// Returns the time at which the conflated events must be flushed. This time is never before `now`.
    ///
    /// The result is `None` if there are no conflated events, or if pending frames must be written first.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.flushes.as_ref().and_then(|flushes| flushes.due()).map_or(now, |due| now.max(due));
        (!self.conflated.is_empty() && self.buffer.is_empty()).then_some(due)
    }

    /// Records a flush of conflated events at `now`.
    ///
    /// The client's next interval begins at `now`. But if the flush was only a little late, the next interval
    /// begins when the flush was due. So small delays do not add up.
    pub fn set_last_flush(&mut self, now: Instant) {
        let flushes = self.flushes.get_or_insert_default();
        let due = flushes.due().filter(|due| now.duration_since(*due) < LATE_FLUSH);
        flushes.last = due.or(Some(now));
    }

    fn interval(&self) -> Duration {
        self.flushes.as_ref().map_or(Duration::ZERO, |flushes| flushes.interval)
    }

    /// Returns the bytes of the pending frames, which are written to the socket next.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.pending()
    }

    /// Records that the socket accepted the next `count` bytes of the pending frames.
    pub fn written(&mut self, count: usize) {
        self.has_progress |= std::mem::take(&mut self.is_blocked) && count > 0;
        let Self { buffer, has_progress, cursor, .. } = self;
        buffer.written(count, |frame| {
            *has_progress |= !matches!(frame.effect, CursorEffect::None | CursorEffect::BeginsSnapshots);
            frame.effect.apply(cursor);
        });
    }

    /// Records that the socket accepts no more of the pending bytes for now.
    pub fn block(&mut self) {
        self.is_blocked = !self.buffer.is_empty();
    }

    /// Discards everything that is pending, except for a frame that is partly written.
    pub fn discard_pending(&mut self) {
        self.conflated.clear();
        self.delayed = None;
        if let Some(PendingFrame { effect, .. }) = self.buffer.discard_unbegun() {
            // The session writes the rest of this frame before the close, so the frame's effect is applied
            // now.
            effect.apply(&mut self.cursor);
        }
    }

    /// Returns the number of pending bytes that count against the client's limit.
    fn limited_bytes(&self) -> usize {
        self.pending_bytes(FrameKind::Event) + self.pending_bytes(FrameKind::News)
    }

    /// Returns the number of pending bytes of this kind of frame.
    fn pending_bytes(&self, kind: FrameKind) -> usize {
        self.buffers().map(|buffer| buffer.pending_bytes(kind)).sum()
    }

    /// Returns the buffer, and the buffer of the frames that wait behind a delayed reply.
    fn buffers(&self) -> impl Iterator<Item = &FrameBuffer> {
        [&self.buffer].into_iter().chain(self.delayed.as_ref().map(|delayed| &delayed.buffer))
    }

    /// Checks that `pending` bytes plus the bytes of `frame` do not exceed the client's limit.
    fn check_limit(&self, frame: &[u8], pending: usize) -> Result<(), SlowConsumer> {
        if pending + frame.len().max(MIN_FRAME_BYTES) > self.limit { Err(SlowConsumer) } else { Ok(()) }
    }

    fn append(&mut self, effect: CursorEffect, kind: FrameKind, write: impl FnOnce(&mut Vec<u8>)) {
        let hides_positions = self.hides_positions;
        self.last_buffer().push(effect, kind, |buffer| {
            let start = buffer.len();
            write(buffer);
            if let Some(encoding) = hides_positions {
                encoding.hide_position(&mut buffer[start..]);
            }
        });
    }

    /// Returns the buffer to which the next frame is added. If a reply is delayed, the next frame is added
    /// behind this reply.
    fn last_buffer(&mut self) -> &mut FrameBuffer {
        self.delayed.as_mut().map_or(&mut self.buffer, |delayed| &mut delayed.buffer)
    }
}

impl Flushes {
    /// Returns when the next flush is due; `None` if there was no flush yet.
    fn due(&self) -> Option<Instant> {
        self.last.map(|last| last + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_always_a_little_behind_gets_every_event_in_order() {
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
        assert_eq!(outbox.last_written(), 99_989);
    }

    #[test]
    fn replies_do_not_count_against_the_limit() {
        let mut outbox = Outbox::new(100);
        outbox.push(|buffer| buffer.resize(5000, b'x'));

        assert_eq!(outbox.push_news(&[0; 100], false), Ok(()));
        assert_eq!(outbox.push_news(&[0; 1], false), Err(SlowConsumer));
        assert!(outbox.is_full());
    }

    #[test]
    fn news_fit_beside_the_events_of_a_flow_controlled_feed_but_not_beside_more_news() {
        let mut outbox = Outbox::new(100);
        outbox.push_event(1, &[0; 200], true).unwrap();

        assert_eq!(outbox.push_news(&[0; 60], false), Err(SlowConsumer));
        assert_eq!(outbox.push_news(&[0; 60], true), Ok(()));
        assert_eq!(outbox.push_news(&[0; 60], true), Err(SlowConsumer));

        // Written frames no longer count.
        outbox.written(200);
        assert_eq!(outbox.push_news(&[0; 41], false), Err(SlowConsumer));
        assert_eq!(outbox.push_event(2, &[0; 41], false), Err(SlowConsumer));
        assert_eq!(outbox.push_event(2, &[0; 40], false), Ok(()));
        outbox.written(60);
        assert_eq!(outbox.push_news(&[0; 60], false), Ok(()));
    }
}
