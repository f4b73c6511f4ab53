//! What a client sends: RFC 6455 frames put together into messages.
//!
//! Bytes go in as they arrive, messages come out. A client that sends nothing holds no memory here.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Message;

/// A control frame's payload is at most this long.
const CONTROL_BYTES: u64 = 125;

/// What a client sent, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A command, or a message for its peers.
    Message(Message),
    /// Asks for a pong with the same payload.
    Ping(Vec<u8>),
    /// Answers a ping, or says that the client lives.
    Pong,
    /// The client closes, with this code where it gives one.
    Close(Option<u16>),
}

/// Why nothing more can be read from a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It broke the WebSocket protocol.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text is not UTF-8.
    #[error("text is UTF-8")]
    Utf8,
    /// A message has more bytes than are read.
    #[error("messages have at most {most} bytes")]
    TooLong {
        /// As many are read.
        most: u64,
    },
    /// A message comes in more frames than are read.
    #[error("a message comes in at most {most} frames")]
    TooManyFragments {
        /// As many are read.
        most: usize,
    },
}

/// Puts frames together.
#[derive(Debug)]
pub struct Decoder {
    limits: InboundLimits,
    /// Bytes that are no whole frame yet.
    bytes: Vec<u8>,
    /// The data message that later frames continue.
    begun: Option<Begun>,
    /// How many messages have come whole, control frames between messages included.
    whole: u64,
}

/// What a message may be; 0 switches a limit off.
#[derive(Clone, Copy, Debug, Default)]
pub struct InboundLimits {
    /// How many bytes it may have.
    pub message_bytes: usize,
    /// In how many frames it may come.
    pub fragments: usize,
}

/// A data message of which some frames have come.
#[derive(Debug)]
struct Begun {
    kind: Data,
    bytes: Vec<u8>,
    frames: usize,
}

impl Decoder {
    /// Nothing has come yet.
    #[must_use]
    pub const fn new(limits: InboundLimits) -> Self {
        Self { limits, bytes: Vec::new(), begun: None, whole: 0 }
    }

    /// Takes in bytes as they arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// The client's fault. Nothing can be read after it.
    pub fn message(&mut self) -> Result<Option<Inbound>, DecodeError> {
        loop {
            let Some((header, payload)) = self.frame()? else {
                return Ok(None);
            };
            let message = match header.opcode {
                OpCode::Control(control) => Some(control_message(control, payload)?),
                OpCode::Data(data) => self.data_message(data, payload, header.is_final)?,
            };
            self.whole += u64::from(self.begun.is_none());
            if message.is_some() {
                return Ok(message);
            }
        }
    }

    /// Which message has come in part, by its number; `None` between messages.
    #[must_use]
    pub fn partial(&self) -> Option<u64> {
        (self.begun.is_some() || !self.bytes.is_empty()).then_some(self.whole)
    }

    /// Drops what has not become a message: nobody asks for it any more.
    pub fn forget(&mut self) {
        self.bytes = Vec::new();
        self.begun = None;
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
        let mask = header.mask.expect("an unmasked frame has been refused");
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
                Err(DecodeError::Protocol("a control frame has one part and at most 125 bytes"))
            };
        }
        let InboundLimits { message_bytes, fragments } = self.limits;
        let (bytes, frames) =
            self.begun.as_ref().map_or((0, 0), |begun| (begun.bytes.len() as u64, begun.frames));
        // Without a limit of ours there is that of memory; lengths stay within what can be added.
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
    ) -> Result<Option<Inbound>, DecodeError> {
        let Begun { kind, bytes, frames } = match (data, self.begun.take()) {
            (Data::Continue, Some(mut begun)) => {
                begun.bytes.extend_from_slice(&payload);
                Begun { frames: begun.frames + 1, ..begun }
            }
            (Data::Continue, None) => return Err(DecodeError::Protocol("nothing to continue")),
            (_, Some(_)) => return Err(DecodeError::Protocol("the message before was not finished")),
            (kind, None) => Begun { kind, bytes: payload, frames: 1 },
        };
        if !is_final {
            self.begun = Some(Begun { kind, bytes, frames });
            return Ok(None);
        }
        if kind == Data::Binary {
            return Ok(Some(Inbound::Message(Message::Binary(bytes))));
        }
        let text = String::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        Ok(Some(Inbound::Message(Message::Text(text))))
    }
}

fn control_message(control: Control, payload: Vec<u8>) -> Result<Inbound, DecodeError> {
    match control {
        Control::Ping => Ok(Inbound::Ping(payload)),
        Control::Close => close_message(&payload),
        _ => Ok(Inbound::Pong),
    }
}

fn close_message(payload: &[u8]) -> Result<Inbound, DecodeError> {
    let (code, reason) = match payload {
        [] => return Ok(Inbound::Close(None)),
        [_] => return Err(DecodeError::Protocol("a close code has two bytes")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // RFC 6455, section 7.4: what an endpoint may send.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(DecodeError::Protocol("the close code is not one that may be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| DecodeError::Utf8)?;
    Ok(Inbound::Close(Some(code)))
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

    fn text(said: &str) -> Inbound {
        Inbound::Message(Message::Text(said.to_owned()))
    }

    fn read(bytes: &[u8]) -> Result<Vec<Inbound>, u16> {
        let mut decoder = Decoder::new(InboundLimits { message_bytes: LIMIT, fragments: FRAMES });
        let mut messages = Vec::new();
        // One byte at a time: a message never depends on how its bytes arrived.
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

        assert_eq!(messages, [Inbound::Ping(b"p".to_vec()), text("Hello, peers")]);
    }

    #[test]
    fn a_message_at_the_limit_passes_and_one_byte_more_closes_with_1009() {
        assert_eq!(
            read(&frame(0x82, &[7; LIMIT])),
            Ok(vec![Inbound::Message(Message::Binary(vec![7; LIMIT]))])
        );
        assert_eq!(read(&frame(0x82, &[7; LIMIT + 1])), Err(1009));
        assert_eq!(read(&[frame(0x02, &[7; LIMIT]), frame(0x80, &[7])].concat()), Err(1009));
    }

    #[test]
    fn a_message_in_as_many_frames_as_may_be_passes_and_one_more_closes_with_1008() {
        // Empty ones count; a control frame between them is none of them.
        let begin = [frame(0x01, b""), frame(0x00, b""), frame(0x89, b"")].concat();
        let within = [begin.clone(), frame(0x80, b"x")].concat();
        let beyond = [begin, frame(0x00, b""), frame(0x80, b"x")].concat();

        assert_eq!(read(&within), Ok(vec![Inbound::Ping(Vec::new()), text("x")]));
        assert_eq!(read(&beyond), Err(1008));
    }

    #[test]
    fn a_message_that_has_come_in_part_keeps_its_number_until_it_is_whole() {
        let mut decoder = Decoder::new(InboundLimits::default());
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
    fn what_breaks_the_protocol_closes_with_1002() {
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
        assert_eq!(read(&frame(0x88, b"")), Ok(vec![Inbound::Close(None)]));
        assert_eq!(read(&frame(0x88, &1000_u16.to_be_bytes())), Ok(vec![Inbound::Close(Some(1000))]));
    }
}
