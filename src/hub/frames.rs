//! The encoded last values: an event becomes bytes when somebody first asks for it, and once.

use super::outbox::Key;
use crate::bus::LastValues;
use crate::wire;

/// For each symbol and kind, the frame of its latest event.
///
/// As many frames at the most as there are symbols and kinds; their bytes are reused.
#[derive(Debug, Default)]
pub struct Frames {
    symbols: Vec<[Encoded; 3]>,
}

#[derive(Debug, Default)]
struct Encoded {
    /// The event that the bytes say; 0 before the first.
    seq: u64,
    bytes: Vec<u8>,
}

impl Frames {
    /// The frame of a symbol's latest event of a kind, header included, and its sequence number.
    ///
    /// # Panics
    ///
    /// There is no such event: whoever asks has seen it.
    pub fn latest(&mut self, last_values: &LastValues, (index, kind): Key) -> (u64, &[u8]) {
        let (_, last) = last_values.get_index(index).expect("the symbol has been seen");
        let latest = last.latest(kind).expect("the kind has been seen");
        if self.symbols.len() <= index {
            self.symbols.resize_with(index + 1, Default::default);
        }
        let encoded = &mut self.symbols[index][kind.index()];
        if encoded.seq != latest.seq {
            encoded.seq = latest.seq;
            encoded.bytes.clear();
            wire::text(&mut encoded.bytes, |out| wire::event(out, latest.seq, &latest.event));
        }
        (encoded.seq, &encoded.bytes)
    }
}
