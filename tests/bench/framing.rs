//! The three ways in which a client gets its frames: over a WebSocket, as Server-Sent Events from `/sse`, or as
//! lines from `/ndjson`.
//!
//! The two streams have the chunked transfer coding (RFC 9112, section 7.1). A chunk contains whole lines, and
//! a line contains at most one frame.

use std::net::SocketAddr;

use crate::websocket::{self, CLOSE, TEXT};

/// The opcode with which [`Framing::read`] reports bytes that are not in the framing. WebSocket messages in
/// several parts have this opcode, too, and the server sends no such messages.
const UNKNOWN: u8 = 0;

/// How a client gets its frames.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    WebSocket,
    Sse,
    Ndjson,
}

impl Framing {
    /// Returns the HTTP request with which a client begins, with this query in its URL.
    pub fn request(self, address: SocketAddr, query: &str) -> String {
        let path = match self {
            Self::WebSocket => return websocket::request(address, query),
            Self::Sse => "/sse",
            Self::Ndjson => "/ndjson",
        };
        format!("GET {path}?{query} HTTP/1.1\r\nHost: {address}\r\n\r\n")
    }

    /// Returns the beginning of the answer to a request that the server accepts.
    pub const fn accepted(self) -> &'static [u8] {
        match self {
            Self::WebSocket => b"HTTP/1.1 101 ",
            Self::Sse | Self::Ndjson => b"HTTP/1.1 200 ",
        }
    }

    /// Calls `on_frame` with the opcode and the payload of each complete frame in the bytes that a server sent.
    /// A frame of a stream counts as a text message, and the end of a stream counts as a close frame. Returns
    /// the bytes after the last complete frame.
    pub fn read(self, mut bytes: &[u8], mut on_frame: impl FnMut(u8, &[u8])) -> &[u8] {
        if self == Self::WebSocket {
            while let Some((opcode, payload, rest)) = websocket::split_frame(bytes) {
                on_frame(opcode, payload);
                bytes = rest;
            }
            return bytes;
        }
        while let Some((chunk, rest)) = split_chunk(bytes) {
            self.read_chunk(chunk, &mut on_frame);
            bytes = rest;
        }
        bytes
    }

    fn read_chunk(self, chunk: &[u8], mut on_frame: impl FnMut(u8, &[u8])) {
        let Some(lines) = chunk.strip_suffix(b"\n") else {
            return on_frame(if chunk.is_empty() { CLOSE } else { UNKNOWN }, chunk);
        };
        for line in lines.split(|byte| *byte == b'\n') {
            match self {
                Self::Sse => line.strip_prefix(b"data: ").into_iter().for_each(|data| on_frame(TEXT, data)),
                Self::Ndjson | Self::WebSocket => on_frame(TEXT, line),
            }
        }
    }
}

/// Splits off the first chunk from the bytes that a server sent. Returns the content of the chunk and the bytes
/// after the chunk, or `None` if the chunk is incomplete. The chunk that ends a body has no content.
fn split_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let length = str::from_utf8(&bytes[..end]).ok()?.trim_end();
    let length = usize::from_str_radix(length, 16).ok()?;
    let (chunk, rest) = bytes[end + 1..].split_at_checked(length)?;
    Some((chunk, rest.strip_prefix(b"\r\n")?))
}
