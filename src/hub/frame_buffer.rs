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
///
/// An empty buffer needs no heap memory, and most clients have an empty buffer at most times.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer(Option<Box<Frames>>);

/// The pending frames of a buffer that is not empty.
#[derive(Debug, Default)]
struct Frames {
    bytes: Vec<u8>,
    /// How many bytes, from the start of `bytes`, the socket has accepted.
    written: usize,
    /// The frames that the socket has not accepted completely.
    pending: VecDeque<PendingFrame>,
    /// The number of pending bytes of each kind of frame, indexed by [`FrameKind`].
    pending_bytes: [usize; 3],
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
    counted: usize,
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
        self.0.is_none()
    }

    /// Returns the bytes that the socket has not accepted yet.
    pub(super) fn pending(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |frames| &frames.bytes[frames.written..])
    }

    /// Returns the number of pending bytes of this kind of frame. A short frame counts as `MIN_FRAME_BYTES`.
    pub(super) fn pending_bytes(&self, kind: FrameKind) -> usize {
        self.0.as_ref().map_or(0, |frames| frames.pending_bytes[kind as usize])
    }

    /// Returns the frames that the socket has not accepted completely, in order.
    pub(super) fn frames(&self) -> impl Iterator<Item = &PendingFrame> {
        self.0.iter().flat_map(|frames| &frames.pending)
    }

    /// Returns the number of frames that the socket has not accepted completely.
    pub(super) fn frame_count(&self) -> usize {
        self.0.as_ref().map_or(0, |frames| frames.pending.len())
    }

    /// Appends a frame, whose bytes the function `write` produces.
    ///
    /// Some encodings write nothing for some values. If `write` produces no bytes, no frame is added.
    pub(super) fn push(&mut self, effect: CursorEffect, kind: FrameKind, write: impl FnOnce(&mut Vec<u8>)) {
        let Frames { bytes, pending, pending_bytes, .. } = &mut **self.0.get_or_insert_default();
        let start = bytes.len();
        write(bytes);
        let end = bytes.len();
        if end > start {
            let counted = (end - start).max(MIN_FRAME_BYTES);
            pending.push_back(PendingFrame { end, effect, kind, counted });
            pending_bytes[kind as usize] += counted;
        } else if end == 0 {
            self.0 = None;
        }
    }

    /// Appends all frames of `other`, a buffer of which no byte has been written yet.
    pub(super) fn append(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        let Frames { bytes, pending, pending_bytes, .. } = &mut **self.0.get_or_insert_default();
        let start = bytes.len();
        bytes.extend_from_slice(&other.bytes);
        pending.extend(other.pending.iter().map(|frame| PendingFrame { end: start + frame.end, ..*frame }));
        for (sum, more) in pending_bytes.iter_mut().zip(other.pending_bytes) {
            *sum += more;
        }
    }

    /// Changes the cursor effect of the last frame in the buffer.
    pub(super) fn set_last_effect(&mut self, effect: CursorEffect) {
        if let Some(frame) = self.0.as_mut().and_then(|frames| frames.pending.back_mut()) {
            frame.effect = effect;
        }
    }

    /// Marks the next `count` bytes as written. Calls `on_frame` with each frame that is now written
    /// completely.
    pub(super) fn written(&mut self, count: usize, mut on_frame: impl FnMut(PendingFrame)) {
        let Some(frames) = &mut self.0 else { return };
        frames.written += count;
        frames.is_begun |= count > 0;
        while let Some(frame) = frames.pending.pop_front_if(|frame| frame.end <= frames.written) {
            frames.is_begun = frame.end < frames.written;
            frames.pending_bytes[frame.kind as usize] -= frame.counted;
            on_frame(frame);
        }
        if frames.written == frames.bytes.len() {
            self.0 = None;
        } else if frames.written >= MIN_RECLAIM && frames.written > frames.bytes.len() / 2 {
            // A client that is always a little behind never empties its buffer. Without this removal the
            // buffer would grow without limit.
            frames.bytes.drain(..frames.written);
            for frame in &mut frames.pending {
                frame.end -= frames.written;
            }
            frames.written = 0;
        }
    }

    /// Removes all frames of which the socket has accepted no byte. Returns the partly written frame, if
    /// there is one.
    pub(super) fn discard_unbegun(&mut self) -> Option<PendingFrame> {
        let frames = self.0.as_mut()?;
        let Some(begun) = frames.pending.front().copied().filter(|_| frames.is_begun) else {
            self.0 = None;
            return None;
        };
        frames.pending.truncate(1);
        frames.bytes.truncate(begun.end);
        frames.pending_bytes = [0; 3];
        frames.pending_bytes[begun.kind as usize] = begun.counted;
        Some(begun)
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
        let capacity = buffer.0.unwrap().bytes.capacity();
        assert!(capacity < 64 * 1024, "{capacity}");
    }
}
