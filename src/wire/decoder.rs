//! Decodes the WebSocket frames (RFC 6455) of a client, and joins fragments into messages.
//!
//! A decoder without pending bytes uses no heap memory, so that an idle client costs little memory.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Message;

/// Maximum payload of a control frame, in bytes (RFC 6455, section 5.5).
const CONTROL_BYTES: u64 = 125;

/// A complete message or control frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text or binary message: a command, or a message for the client's peers.
    Message(Message),
    /// A ping, with the payload that the pong must repeat.
    Ping(Vec<u8>),
    /// A pong: the answer to a ping, or an unsolicited pong.
    Pong,
    /// A close frame. The value is the close code, or `None` if the frame has none.
    Close(Option<u16>),
}

/// A decoding error, after which the server must close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The client violated the WebSocket protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text message is not UTF-8.
    #[error("a text message must be UTF-8")]
    Utf8,
    /// A message is too long.
    #[error("a message may have at most {most} bytes")]
    TooLong {
        /// The maximum length of a message, in bytes.
        most: u64,
    },
    /// A message has too many frames.
    #[error("a message may have at most {most} frames")]
    TooManyFragments {
        /// The maximum number of frames in a message.
        most: usize,
    },
}

/// Decodes frames and joins them into messages.
#[derive(Debug)]
pub struct Decoder {
    limits: DecoderLimits,
    /// Bytes that have not been decoded yet.
    bytes: Vec<u8>,
    /// The message whose last frame has not arrived yet.
    unfinished: Option<Box<Unfinished>>,
    /// The number of complete messages so far, plus the number of control frames that arrived between
    /// messages.
    completed: u64,
}

/// The limits of a message; 0 means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecoderLimits {
    /// Maximum length of a message, in bytes.
    pub message_bytes: usize,
    /// Maximum number of frames in a message.
    pub fragments: usize,
}

/// A message whose last frame has not arrived yet.
#[derive(Debug)]
struct Unfinished {
    kind: Data,
    bytes: Vec<u8>,
    frames: usize,
}

impl Decoder {
    /// Returns a decoder that has received no bytes.
    #[must_use]
    pub const fn new(limits: DecoderLimits) -> Self {
        Self { limits, bytes: Vec::new(), unfinished: None, completed: 0 }
    }

    /// Adds received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next complete message or control frame; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// Fails if the client violated the protocol or exceeded a limit. The decoder cannot continue after an
    /// error.
    pub fn message(&mut self) -> Result<Option<Incoming>, DecodeError> {
        loop {
            let Some((header, payload)) = self.frame()? else {
                return Ok(None);
            };
            let message = match header.opcode {
                OpCode::Control(control) => Some(control_message(control, payload)?),
                OpCode::Data(data) => self.data_message(data, payload, header.is_final)?,
            };
            self.completed += u64::from(self.unfinished.is_none());
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// Returns a number that identifies the incomplete message; `None` if no message is incomplete.
    #[must_use]
    pub fn partial(&self) -> Option<u64> {
        (self.unfinished.is_some() || !self.bytes.is_empty()).then_some(self.completed)
    }

    /// Drops the incomplete message, and all bytes that are not decoded yet.
    pub fn forget(&mut self) {
        self.bytes = Vec::new();
        self.unfinished = None;
    }

    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, DecodeError> {
        let mut cursor = Cursor::new(&self.bytes);
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| DecodeError::Protocol("the opcode is unknown"))?;
        let Some((header, len)) = parsed else {
            return Ok(None);
        };
        self.check(&header, len)?;
        let start = usize::try_from(cursor.position()).expect("the cursor is within the buffer");
        let end = start + usize::try_from(len).expect("a checked length fits in memory");
        if self.bytes.len() < end {
            return Ok(None);
        }
        let mut payload = self.bytes[start..end].to_vec();
        let mask = header.mask.expect("an unmasked frame is an error");
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        self.bytes.drain(..end);
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
        Ok(Some((header, payload)))
    }

    fn check(&self, header: &FrameHeader, len: u64) -> Result<(), DecodeError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(DecodeError::Protocol("a reserved bit is set"));
        }
        if header.mask.is_none() {
            return Err(DecodeError::Protocol("a frame of a client must be masked"));
        }
        if matches!(header.opcode, OpCode::Control(_)) {
            return if header.is_final && len <= CONTROL_BYTES {
                Ok(())
            } else {
                Err(DecodeError::Protocol("a control frame must be a single frame of at most 125 bytes"))
            };
        }
        let DecoderLimits { message_bytes, fragments } = self.limits;
        let (bytes, frames) = self
            .unfinished
            .as_ref()
            .map_or((0, 0), |unfinished| (unfinished.bytes.len() as u64, unfinished.frames));
        // Without a configured limit, the limit is 4 GiB, so that sums of lengths cannot overflow.
        let most = if message_bytes == 0 { u64::from(u32::MAX) } else { message_bytes as u64 };
        if bytes.saturating_add(len) > most {
            return Err(DecodeError::TooLong { most });
        }
        if fragments > 0 && frames >= fragments {
            return Err(DecodeError::TooManyFragments { most: fragments });
        }
        Ok(())
    }

    fn data_message(
        &mut self,
        data: Data,
        payload: Vec<u8>,
        is_final: bool,
    ) -> Result<Option<Incoming>, DecodeError> {
        let unfinished = match (data, self.unfinished.take()) {
            (Data::Continue, Some(mut unfinished)) => {
                unfinished.bytes.extend_from_slice(&payload);
                unfinished.frames += 1;
                unfinished
            }
            (Data::Continue, None) => {
                return Err(DecodeError::Protocol("a continuation frame follows no message"));
            }
            (_, Some(_)) => {
                return Err(DecodeError::Protocol("a new message begins before the last one was complete"));
            }
            (kind, None) => Box::new(Unfinished { kind, bytes: payload, frames: 1 }),
        };
        if !is_final {
            self.unfinished = Some(unfinished);
            return Ok(None);
        }
        let Unfinished { kind, bytes, .. } = *unfinished;
        if kind == Data::Binary {
            return Ok(Some(Incoming::Message(Message::Binary(bytes))));
        }
        let text = String::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        Ok(Some(Incoming::Message(Message::Text(text))))
    }
}

fn control_message(control: Control, payload: Vec<u8>) -> Result<Incoming, DecodeError> {
    match control {
        Control::Ping => Ok(Incoming::Ping(payload)),
        Control::Close => close_message(&payload),
        _ => Ok(Incoming::Pong),
    }
}

fn close_message(payload: &[u8]) -> Result<Incoming, DecodeError> {
    let (code, reason) = match payload {
        [] => return Ok(Incoming::Close(None)),
        [_] => return Err(DecodeError::Protocol("a close code must have two bytes")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // A close frame may contain only these codes (RFC 6455, section 7.4).
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(DecodeError::Protocol("the close code must not be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| DecodeError::Utf8)?;
    Ok(Incoming::Close(Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::CloseReason;

    const LIMIT: usize = 16;
    const FRAMES: usize = 3;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let len = u8::try_from(payload.len()).unwrap();
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
        [first, 0x80 | len].into_iter().chain(mask).chain(masked).collect()
    }

    fn text(said: &str) -> Incoming {
        Incoming::Message(Message::Text(said.to_owned()))
    }

    fn read(bytes: &[u8]) -> Result<Vec<Incoming>, u16> {
        let mut decoder = Decoder::new(DecoderLimits { message_bytes: LIMIT, fragments: FRAMES });
        let mut messages = Vec::new();
        // Feeds one byte at a time, because the result must not depend on the sizes of the reads.
        for byte in bytes {
            decoder.feed(&[*byte]);
            while let Some(message) =
                decoder.message().map_err(|error| CloseReason::from(error).frame().unwrap().0)?
            {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    #[test]
    fn a_message_in_parts_is_one_message_and_a_ping_may_come_between() {
        let bytes = [frame(0x01, b"Hello, "), frame(0x89, b"p"), frame(0x80, b"peers")].concat();

        let messages = read(&bytes).unwrap();

        assert_eq!(messages, [Incoming::Ping(b"p".to_vec()), text("Hello, peers")]);
    }

    #[test]
    fn a_message_at_the_limit_passes_and_one_byte_more_closes_with_1009() {
        assert_eq!(
            read(&frame(0x82, &[7; LIMIT])),
            Ok(vec![Incoming::Message(Message::Binary(vec![7; LIMIT]))])
        );
        assert_eq!(read(&frame(0x82, &[7; LIMIT + 1])), Err(1009));
        assert_eq!(read(&[frame(0x02, &[7; LIMIT]), frame(0x80, &[7])].concat()), Err(1009));
    }

    #[test]
    fn a_message_at_the_frame_limit_passes_and_one_frame_more_closes_with_1008() {
        // Empty frames count towards the limit. A control frame in between does not count.
        let begin = [frame(0x01, b""), frame(0x00, b""), frame(0x89, b"")].concat();
        let within = [begin.clone(), frame(0x80, b"x")].concat();
        let beyond = [begin, frame(0x00, b""), frame(0x80, b"x")].concat();

        assert_eq!(read(&within), Ok(vec![Incoming::Ping(Vec::new()), text("x")]));
        assert_eq!(read(&beyond), Err(1008));
    }

    #[test]
    fn an_incomplete_message_keeps_its_number_until_it_is_complete() {
        let mut decoder = Decoder::new(DecoderLimits::default());
        let mut partial = |bytes: &[u8]| {
            decoder.feed(bytes);
            while decoder.message().unwrap().is_some() {}
            decoder.partial()
        };

        assert_eq!(partial(&frame(0x01, b"a")), Some(0));
        assert_eq!(partial(&frame(0x89, b"")), Some(0));
        assert_eq!(partial(&frame(0x80, b"b")), None);
        assert_eq!(partial(&[frame(0x81, b"c"), vec![0x81]].concat()), Some(2));
    }

    #[test]
    fn a_protocol_error_closes_with_1002() {
        let unmasked = vec![0x81, 0x01, b'x'];
        let reserved_bit = frame(0xC1, b"x");
        let reserved_opcode = frame(0x83, b"x");
        let nothing_to_continue = frame(0x80, b"x");
        let not_finished = [frame(0x01, b"x"), frame(0x81, b"y")].concat();
        let ping_in_parts = frame(0x09, b"x");
        let bad_close_code = frame(0x88, &1005_u16.to_be_bytes());
        for bytes in [
            unmasked,
            reserved_bit,
            reserved_opcode,
            nothing_to_continue,
            not_finished,
            ping_in_parts,
            bad_close_code,
        ] {
            assert_eq!(read(&bytes), Err(1002), "{bytes:x?}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_closes_with_1007() {
        assert_eq!(read(&frame(0x81, &[0xff])), Err(1007));
    }

    #[test]
    fn a_close_tells_its_code() {
        assert_eq!(read(&frame(0x88, b"")), Ok(vec![Incoming::Close(None)]));
        assert_eq!(read(&frame(0x88, &1000_u16.to_be_bytes())), Ok(vec![Incoming::Close(Some(1000))]));
    }
}
