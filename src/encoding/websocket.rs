//! The WebSocket framing (RFC 6455, section 5.2).
//!
//! A WebSocket server does not mask its frames, so a frame header has 2, 4 or 10 bytes.

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{Value, native_json};
use crate::wire::Message;

/// The maximum length of a close reason, in bytes. The payload of a close frame has at most 125 bytes, of
/// which the close code uses 2.
const CLOSE_TEXT: usize = 123;

/// The initial capacity of the buffer for one reply, in bytes. Most replies are shorter than this capacity.
const REPLY_BYTES: usize = 256;

/// Appends a value as one WebSocket frame.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Event(seq, event) => text(out, |out| native_json::event(out, *seq, event)),
        Value::Snapshot(snapshot) => text(out, |out| native_json::snapshot(out, snapshot)),
        Value::Reply(reply) => {
            // A vector that grows in small steps may use twice the memory of its content. A reply can be
            // long. The reply is therefore written to a separate vector first, and `out` grows only once.
            let mut text = Vec::with_capacity(REPLY_BYTES);
            native_json::reply(&mut text, reply);
            whole(out, OpCode::Data(Data::Text), &text);
        }
        Value::Message(Message::Text(said)) => text(out, |out| out.extend_from_slice(said.as_bytes())),
        Value::Message(Message::Binary(said)) => whole(out, OpCode::Data(Data::Binary), said),
        Value::Ping => whole(out, OpCode::Control(Control::Ping), &[]),
        Value::Pong(payload) => whole(out, OpCode::Control(Control::Pong), payload),
        Value::Close(code, reason) => close(out, *code, reason),
    }
}

/// Appends a text frame. The function `write` appends the payload of the frame.
fn text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // Reserves four bytes, because most headers have four bytes. If the header has another length, `splice`
    // moves the payload.
    let reserved = start..start + 4;
    out.extend_from_slice(&[0; 4]);
    write(out);
    let header = Header::new(OpCode::Data(Data::Text), out.len() - reserved.end);
    if header.as_slice().len() == reserved.len() {
        out[reserved].copy_from_slice(header.as_slice());
    } else {
        out.splice(reserved, header.as_slice().iter().copied());
    }
}

/// Appends a close frame. A reason longer than [`CLOSE_TEXT`] is cut.
fn close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_TEXT)];
    let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
    whole(out, OpCode::Control(Control::Close), &payload);
}

fn whole(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    out.extend_from_slice(Header::new(opcode, payload.len()).as_slice());
    out.extend_from_slice(payload);
}

struct Header {
    bytes: [u8; 10],
    len: usize,
}

impl Header {
    fn new(opcode: OpCode, payload: usize) -> Self {
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        let mut bytes = [0; 10];
        header
            .format(payload as u64, &mut &mut bytes[..])
            .expect("a header without a mask has at most ten bytes");
        Self { bytes, len: header.len(payload as u64) }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_header_is_as_short_as_the_payload_allows() {
        for (len, expected) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = vec![b'<'];
            text(&mut out, |out| out.resize(out.len() + len, b'x'));

            assert_eq!(out[1..=expected.len()], expected);
            assert_eq!(out.len(), 1 + expected.len() + len);
            assert!(out[1 + expected.len()..].iter().all(|byte| *byte == b'x'));
            let (header, payload) = FrameHeader::parse(&mut Cursor::new(&out[1..])).unwrap().unwrap();
            assert_eq!((header.len(payload), payload), (expected.len(), len as u64));
        }
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let mut out = Vec::new();

        close(&mut out, 4008, &"é".repeat(100));

        assert_eq!(out[..2], [0x88, 2 + 122]);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }
}
