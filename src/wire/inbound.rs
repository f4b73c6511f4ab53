//! What a client sends: RFC 6455 frames put together into messages.
//!
//! Bytes go in as they arrive, messages come out. A client that sends nothing holds no memory here.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{CloseCode, CloseReason};
use crate::tally::Limit;

/// A control frame's payload is at most this long.
const CONTROL_BYTES: u64 = 125;

/// A whole message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Asks for a pong with the same payload.
    Ping(Vec<u8>),
    /// Answers a ping, or says that the client lives.
    Pong,
    /// The client closes, with this code where it gives one.
    Close(Option<u16>),
}

impl Message {
    /// The bytes of what is said.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) => bytes.len(),
            Self::Pong | Self::Close(_) => 0,
        }
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
    /// The close that the client's fault asks for: 1002, 1007, 1008 or 1009. Nothing can be read after it.
    pub fn message(&mut self) -> Result<Option<Message>, CloseReason> {
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

    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, CloseReason> {
        let mut cursor = Cursor::new(&self.bytes);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| protocol("the opcode is unknown"))?;
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

    fn check(&self, header: &FrameHeader, len: u64) -> Result<(), CloseReason> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(protocol("a reserved bit is set"));
        }
        if header.mask.is_none() {
            return Err(protocol("a frame of a client must be masked"));
        }
        if matches!(header.opcode, OpCode::Control(_)) {
            return if header.is_final && len <= CONTROL_BYTES {
                Ok(())
            } else {
                Err(protocol("a control frame has one part and at most 125 bytes"))
            };
        }
        let InboundLimits { message_bytes, fragments } = self.limits;
        let (bytes, frames) =
            self.begun.as_ref().map_or((0, 0), |begun| (begun.bytes.len() as u64, begun.frames));
        // Without a limit of ours there is that of memory; lengths stay within what can be added.
        let most = if message_bytes == 0 { u64::from(u32::MAX) } else { message_bytes as u64 };
        if bytes.saturating_add(len) > most {
            let reason = format!("messages have at most {most} bytes");
            return Err(CloseReason::Over(Limit::MessageBytes, reason.into()));
        }
        if fragments > 0 && frames >= fragments {
            let reason = format!("a message comes in at most {fragments} frames");
            return Err(CloseReason::Over(Limit::Fragments, reason.into()));
        }
        Ok(())
    }

    fn data_message(
        &mut self,
        data: Data,
        payload: Vec<u8>,
        is_final: bool,
    ) -> Result<Option<Message>, CloseReason> {
        let Begun { kind, bytes, frames } = match (data, self.begun.take()) {
            (Data::Continue, Some(mut begun)) => {
                begun.bytes.extend_from_slice(&payload);
                Begun { frames: begun.frames + 1, ..begun }
            }
            (Data::Continue, None) => return Err(protocol("nothing to continue")),
            (_, Some(_)) => return Err(protocol("the message before was not finished")),
            (kind, None) => Begun { kind, bytes: payload, frames: 1 },
        };
        if !is_final {
            self.begun = Some(Begun { kind, bytes, frames });
            return Ok(None);
        }
        if kind == Data::Binary {
            return Ok(Some(Message::Binary(bytes)));
        }
        let text = String::from_utf8(bytes).map_err(|_| invalid_utf8())?;
        Ok(Some(Message::Text(text)))
    }
}

fn control_message(control: Control, payload: Vec<u8>) -> Result<Message, CloseReason> {
    match control {
        Control::Ping => Ok(Message::Ping(payload)),
        Control::Close => close_message(&payload),
        _ => Ok(Message::Pong),
    }
}

fn close_message(payload: &[u8]) -> Result<Message, CloseReason> {
    let (code, reason) = match payload {
        [] => return Ok(Message::Close(None)),
        [_] => return Err(protocol("a close code has two bytes")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // RFC 6455, section 7.4: what an endpoint may send.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol("the close code is not one that may be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| invalid_utf8())?;
    Ok(Message::Close(Some(code)))
}

fn protocol(fault: &'static str) -> CloseReason {
    CloseReason::Server(CloseCode::Protocol, fault.into())
}

fn invalid_utf8() -> CloseReason {
    CloseReason::Server(CloseCode::InvalidUtf8, "text is UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16;
    const FRAMES: usize = 3;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let len = u8::try_from(payload.len()).unwrap();
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
        [first, 0x80 | len].into_iter().chain(mask).chain(masked).collect()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, u16> {
        let mut decoder = Decoder::new(InboundLimits { message_bytes: LIMIT, fragments: FRAMES });
        let mut messages = Vec::new();
        // One byte at a time: a message never depends on how its bytes arrived.
        for byte in bytes {
            decoder.feed(&[*byte]);
            while let Some(message) = decoder.message().map_err(|reason| reason.frame().unwrap().0)? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    #[test]
    fn a_message_in_parts_is_one_message_and_a_ping_may_come_between() {
        let bytes = [frame(0x01, b"Hello, "), frame(0x89, b"p"), frame(0x80, b"peers")].concat();

        let messages = read(&bytes).unwrap();

        assert_eq!(messages, [Message::Ping(b"p".to_vec()), Message::Text("Hello, peers".into())]);
    }

    #[test]
    fn a_message_at_the_limit_passes_and_one_byte_more_closes_with_1009() {
        assert_eq!(read(&frame(0x82, &[7; LIMIT])), Ok(vec![Message::Binary(vec![7; LIMIT])]));
        assert_eq!(read(&frame(0x82, &[7; LIMIT + 1])), Err(1009));
        assert_eq!(read(&[frame(0x02, &[7; LIMIT]), frame(0x80, &[7])].concat()), Err(1009));
    }

    #[test]
    fn a_message_in_as_many_frames_as_may_be_passes_and_one_more_closes_with_1008() {
        // Empty ones count; a control frame between them is none of them.
        let begin = [frame(0x01, b""), frame(0x00, b""), frame(0x89, b"")].concat();
        let within = [begin.clone(), frame(0x80, b"x")].concat();
        let beyond = [begin, frame(0x00, b""), frame(0x80, b"x")].concat();

        assert_eq!(read(&within), Ok(vec![Message::Ping(Vec::new()), Message::Text("x".into())]));
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
        assert_eq!(read(&frame(0x88, b"")), Ok(vec![Message::Close(None)]));
        assert_eq!(read(&frame(0x88, &1000_u16.to_be_bytes())), Ok(vec![Message::Close(Some(1000))]));
    }
}
