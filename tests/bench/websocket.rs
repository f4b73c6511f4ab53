//! The part of the WebSocket protocol (RFC 6455) that the clients need, and two functions that read fields of
//! a JSON text.

use std::net::SocketAddr;

/// The opcode of a text message (RFC 6455, section 5.2).
pub const TEXT: u8 = 1;
/// The opcode of a close frame.
pub const CLOSE: u8 = 8;
/// The opcode of a ping (RFC 6455, section 5.5.2).
pub const PING: u8 = 9;
/// The opcode of a pong, the answer to a ping.
pub const PONG: u8 = 10;

/// The mask of all WebSocket frames that the clients send. A mask of zeros does not change the payload.
const MASK: [u8; 4] = [0; 4];

/// Returns the HTTP request that opens a WebSocket connection, with this query in its URL.
pub fn request(address: SocketAddr, query: &str) -> String {
    format!(
        "GET /ws?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Returns the position after the head of an HTTP response, or `None` if the head is incomplete.
pub fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Returns a client's WebSocket frame that contains a whole message.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(0x80 | opcode, payload)
}

/// Returns a client's WebSocket frame that may contain only a part of a message. The byte `first` contains
/// the FIN bit and the opcode (RFC 6455, section 5.2).
pub fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut frame = vec![first];
    // The highest bit of the first length byte says that a mask follows.
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..126), _) => frame.push(0x80 | len),
        (_, Ok(len)) => {
            frame.push(0xfe);
            frame.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend_from_slice(&len.to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend_from_slice(payload);
    frame
}

/// Splits off the first WebSocket frame from the bytes that a server sent. Returns the frame's opcode, its
/// payload and the bytes after the frame, or `None` if the frame is incomplete.
pub fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([first, second], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match second {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u16::from_be_bytes(*len).into(), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        short => ((*short).into(), rest),
    };
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((first & 0x0f, payload, rest))
}

/// Returns the value of the field `type` of a JSON text. The field `type` must be the first field, and the
/// text must contain no spaces.
pub fn kind(text: &str) -> Option<&str> {
    text.strip_prefix(r#"{"type":""#)?.split('"').next()
}

/// Returns the integer after `name` in a JSON text. `name` includes the quotation marks and the colon.
pub fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}
