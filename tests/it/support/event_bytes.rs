//! Checks that all clients of one encoding receive the same bytes for an event.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tickerplant::encoding::Encoding;

use crate::support::received_frames::Frame;

/// For each event and encoding, the first frame that any client received.
#[derive(Debug, Default)]
pub struct EventBytes {
    first: BTreeMap<u64, [Option<Frame>; Encoding::ALL.len()]>,
}

impl EventBytes {
    /// Checks that each event has the same bytes for all clients with the same encoding, and the same JSON
    /// for all clients.
    pub fn check(&mut self, encoding: Encoding, frames: &[Frame]) -> Result<(), TestCaseError> {
        for frame in frames {
            let Some(seq) = frame.event() else { continue };
            let first = self.first.entry(seq).or_default();
            let same = first[encoding.index()].get_or_insert_with(|| frame.clone());
            prop_assert_eq!(&frame.bytes, &same.bytes, "event {} as {:?}", seq, encoding);
            for other in first.iter().flatten() {
                prop_assert_eq!(&frame.text, &other.text, "event {} as {:?}", seq, encoding);
            }
        }
        Ok(())
    }
}
