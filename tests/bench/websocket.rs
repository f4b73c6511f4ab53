//! The client's side of RFC 6455, as far as the clients here need it.

use std::net::SocketAddr;

/// What a frame is: section 5.2.
pub const TEXT: u8 = 1;
/// What a frame is, where it ends the connection.
pub const CLOSE: u8 = 8;

/// The mask of what the clients send: all zeros leave the payload as it is.
const MASK: [u8; 4] = [0; 4];

/// The request that asks for the upgrade, with what the URL asks for.
pub fn request(address: SocketAddr, query: &str) -> String {
    format!(
        "GET /ws?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Where the head of an answer ends; `None` where it is not whole.
pub fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// A whole message, or a control frame, of a client.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(0x80 | opcode, payload)
}

/// A frame of a client that begins with this byte: section 5.2.
pub fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut frame = vec![first];
    // With the bit that says that a mask follows.
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

/// The first frame of a server's bytes: its opcode, its payload, and what follows it; `None` where it is not whole.
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

/// What a JSON text without blanks says its `type` is.
pub fn kind(text: &str) -> Option<&str> {
    text.strip_prefix(r#"{"type":""#)?.split('"').next()
}

/// The whole number after a name in a JSON text.
pub fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}
