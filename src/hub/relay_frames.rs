//! The frames of relayed messages, each encoded once for all clients with the same encoding and role.
//!
//! The frames of all messages are contiguous in memory, so that a client gets all of them in one write.

use std::sync::Arc;

use super::relay::Relayed;
use crate::encoding::{Encoding, Value};
use crate::wire::Reply;

/// Messages that are relayed together, and their frames.
#[derive(Debug)]
pub(super) struct RelayFrames<'a> {
    messages: &'a [Arc<Relayed>],
    /// The frames for clients without and with a subscription, at the index of the encoding.
    frames: [[Option<Frames>; 2]; Encoding::ALL.len()],
}

/// The frames of all messages, one after the other.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) bytes: Vec<u8>,
    /// The index after the last byte of each frame.
    ends: Vec<usize>,
}

impl<'a> RelayFrames<'a> {
    /// Returns the frames of these messages, which are not encoded yet.
    pub(super) fn new(messages: &'a [Arc<Relayed>]) -> Self {
        Self { messages, frames: Default::default() }
    }

    /// Returns the frames for clients with this encoding. A subscriber gets each message in a frame that names
    /// the sender; any other client gets the bare message.
    pub(super) fn get(&mut self, encoding: Encoding, is_subscriber: bool) -> &Frames {
        let frames = &mut self.frames[encoding.index()][usize::from(is_subscriber)];
        frames.get_or_insert_with(|| {
            let mut bytes = Vec::new();
            let ends = self.messages.iter().map(|relayed| {
                let Relayed { from, message } = &**relayed;
                let reply = Reply::message(from, message);
                let value = if is_subscriber { Value::Reply(&reply) } else { Value::Message(message) };
                encoding.write(&mut bytes, &value);
                bytes.len()
            });
            let ends = ends.collect();
            Frames { bytes, ends }
        })
    }
}

impl Frames {
    /// Returns each frame. The frame is empty if the encoding writes nothing for the message.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}
