//! What a client sends: RFC 6455 frames put together into messages.
//!
//! Bytes go in as they arrive, messages come out. A client that sends nothing holds no memory here.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{CloseCode, CloseReason};

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
    limit: usize,
    /// Bytes that are no whole frame yet.
    bytes: Vec<u8>,
    /// The data message that later frames continue.
    begun: Option<(Data, Vec<u8>)>,
}

impl Decoder {
    /// Takes messages of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), begun: None }
    }

    /// Takes in bytes as they arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more bytes arrive.
    ///
    /// # Errors
    ///
    /// The close that the client's fault asks for: 1002, 1007 or 1009. Nothing can be read after it.
    pub fn message(&mut self) -> Result<Option<Message>, CloseReason> {
        loop {
            let Some((header, payload)) = self.frame()? else {
                return Ok(None);
            };
            let message = match header.opcode {
                OpCode::Control(control) => Some(control_message(control, payload)?),
                OpCode::Data(data) => self.data_message(data, payload, header.is_final)?,
            };
            if message.is_some() {
                return Ok(message);
            }
        }
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
        let begun = self.begun.as_ref().map_or(0, |(_, bytes)| bytes.len()) as u64;
        if begun.saturating_add(len) > self.limit as u64 {
            Err(CloseReason::Server(
                CloseCode::TooLong,
                format!("messages have at most {} bytes", self.limit).into(),
            ))
        } else {
            Ok(())
        }
    }

    fn data_message(
        &mut self,
        data: Data,
        payload: Vec<u8>,
        is_final: bool,
    ) -> Result<Option<Message>, CloseReason> {
        let (kind, bytes) = match (data, self.begun.take()) {
            (Data::Continue, Some((kind, mut bytes))) => {
                bytes.extend_from_slice(&payload);
                (kind, bytes)
            }
            (Data::Continue, None) => return Err(protocol("nothing to continue")),
            (_, Some(_)) => return Err(protocol("the message before was not finished")),
            (kind, None) => (kind, payload),
        };
        if !is_final {
            self.begun = Some((kind, bytes));
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

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let len = u8::try_from(payload.len()).unwrap();
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
        [first, 0x80 | len].into_iter().chain(mask).chain(masked).collect()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, u16> {
        let mut decoder = Decoder::new(LIMIT);
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
