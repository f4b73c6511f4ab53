//! A frame buffer: encoded frames that a socket has not accepted yet, in order.
//!
//! The bytes of all frames are contiguous in memory, so that one write can send them. For each frame, the
//! buffer stores the kind, the length, and the effect on the client's cursor.

use std::collections::VecDeque;

/// A pending frame counts as at least this many bytes, because the buffer also stores an entry for each
/// frame.
pub(super) const MIN_FRAME_BYTES: usize = 32;

/// While a buffer has pending bytes, its written bytes are removed only under two conditions. There must be
/// at least this many written bytes, and they must fill more than half of the buffer.
const MIN_RECLAIM: usize = 4096;

/// The pending frames of one client, in the order in which they are written to the socket.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    /// How many bytes, from the start of `bytes`, the socket has accepted.
    written: usize,
    /// The frames that the socket has not accepted completely.
    frames: VecDeque<PendingFrame>,
    /// Whether the socket has accepted a part of the first pending frame.
    is_begun: bool,
}

/// A frame that the socket has not accepted completely.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingFrame {
    /// Where the frame ends in the buffer, as an exclusive index.
    end: usize,
    pub(super) effect: CursorEffect,
    pub(super) kind: FrameKind,
    /// How many bytes the frame counts as: its length, but at least `MIN_FRAME_BYTES`.
    pub(super) bytes: u32,
}

/// The kind of a frame, which decides whether the frame counts against the outbox's limit of pending bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// A reply, or any other frame that does not count against the limit of pending bytes.
    Reply,
    /// An event of the feed, which counts against the limit of pending bytes.
    Event,
    /// A relayed message or a new feed state, which counts against the limit of pending bytes.
    News,
}

/// The effect of a frame on the client's cursor, from which the client can resume. The effect applies once
/// the frame is written completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CursorEffect {
    /// The cursor does not change.
    None,
    /// If the client has a cursor, the cursor moves to the event with this sequence number.
    MovesTo(u64),
    /// A set of snapshots follows the frame. The client has no cursor until the last snapshot is written.
    BeginsSnapshots,
    /// The frame is a snapshot, but not the last snapshot of its set.
    InSnapshots,
    /// The frame ends a set of snapshots. The client's cursor becomes this sequence number.
    EndsSnapshots(u64),
}

impl FrameBuffer {
    /// Returns whether the buffer has no bytes.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the bytes that the socket has not accepted yet.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Returns the frames that the socket has not accepted completely, in order.
    pub(super) fn frames(&self) -> impl ExactSizeIterator<Item = &PendingFrame> {
        self.frames.iter()
    }

    /// Appends a frame, whose bytes the function `write` produces. Returns how many bytes the frame counts
    /// as: its length, but at least `MIN_FRAME_BYTES`.
    ///
    /// Some encodings write nothing for some values. If `write` produces no bytes, no frame is added, and the
    /// result is 0.
    pub(super) fn push(
        &mut self,
        effect: CursorEffect,
        kind: FrameKind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end == start {
            return 0;
        }
        let bytes = u32::try_from((end - start).max(MIN_FRAME_BYTES)).expect("a frame is shorter than 4 GiB");
        self.frames.push_back(PendingFrame { end, effect, kind, bytes });
        bytes as usize
    }

    /// Appends all frames of `other`, a buffer of which no byte has been written yet.
    pub(super) fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.frames.extend(other.frames().map(|frame| PendingFrame { end: start + frame.end, ..*frame }));
    }

    /// Changes the cursor effect of the last frame in the buffer.
    pub(super) fn set_last_effect(&mut self, effect: CursorEffect) {
        if let Some(frame) = self.frames.back_mut() {
            frame.effect = effect;
        }
    }

    /// Marks the next `count` bytes as written. Calls `on_frame` with each frame that is now written
    /// completely.
    pub(super) fn written(&mut self, count: usize, mut on_frame: impl FnMut(PendingFrame)) {
        self.written += count;
        self.is_begun |= count > 0;
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.end <= self.written) {
            self.is_begun = frame.end < self.written;
            on_frame(frame);
        }
        if self.written == self.bytes.len() {
            // An idle client needs no buffer, so the memory is freed.
            self.bytes = Vec::new();
            self.frames = VecDeque::new();
            self.written = 0;
        } else if self.written >= MIN_RECLAIM && self.written > self.bytes.len() / 2 {
            // A client that is always a little behind never empties its buffer. Without this removal the
            // buffer would grow without limit.
            self.bytes.drain(..self.written);
            for frame in &mut self.frames {
                frame.end -= self.written;
            }
            self.written = 0;
        }
    }

    /// Removes all frames of which the socket has accepted no byte. Returns the partly written frame, if
    /// there is one.
    pub(super) fn discard_unbegun(&mut self) -> Option<PendingFrame> {
        self.frames.truncate(usize::from(self.is_begun));
        let begun = self.frames.front().copied();
        self.bytes.truncate(begun.map_or(self.written, |frame| frame.end));
        begun
    }
}

impl CursorEffect {
    /// Applies the effect to a client's cursor. The cursor is `None` while a set of snapshots is being
    /// written.
    pub(super) fn apply(self, cursor: &mut Option<u64>) {
        match self {
            Self::MovesTo(seq) => *cursor = cursor.map(|_| seq),
            Self::None | Self::InSnapshots => {}
            Self::BeginsSnapshots => *cursor = None,
            Self::EndsSnapshots(seq) => *cursor = Some(seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_never_empty_does_not_grow() {
        let mut buffer = FrameBuffer::default();
        let frame = [b'x'; 100];
        let push = |buffer: &mut FrameBuffer| {
            buffer.push(CursorEffect::None, FrameKind::Event, |bytes| bytes.extend_from_slice(&frame));
        };
        (0..10).for_each(|_| push(&mut buffer));

        for _ in 0..100_000 {
            push(&mut buffer);
            buffer.written(100, |_| {});
        }

        assert_eq!(buffer.pending().len(), 1000);
        assert!(buffer.bytes.capacity() < 64 * 1024, "{}", buffer.bytes.capacity());
    }
}
