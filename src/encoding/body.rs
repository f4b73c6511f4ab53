//! The body of a response that is a stream: how the client finds the end of the body.
//!
//! In HTTP/1.1, each value is one chunk of the body (RFC 9112, section 7.1). If the connection is cut, the client
//! notices that the last chunk is missing.

use std::io::Write;

use super::Value;

/// How a client finds the end of a response that has no fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The body consists of chunks, and an empty chunk ends it (HTTP/1.1).
    Chunked,
    /// The body ends where the connection ends (HTTP/1.0).
    UntilClose,
}

/// The chunk that ends a body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The number of digits in the length of most chunks. Leading zeros are allowed.
const LENGTH_DIGITS: usize = 4;

impl Body {
    /// Appends a value to `out`. The function `write` appends the value without a chunk around it. If the value
    /// is a close, also appends the end of the body.
    pub(super) fn write(
        self,
        out: &mut Vec<u8>,
        value: &Value<'_>,
        write: impl FnOnce(&mut Vec<u8>, &Value<'_>),
    ) {
        match self {
            Self::UntilClose => write(out, value),
            Self::Chunked => {
                chunk(out, |out| write(out, value));
                if matches!(value, Value::Close(..)) {
                    out.extend_from_slice(LAST_CHUNK);
                }
            }
        }
    }

    /// Returns the content of a frame, and perhaps what follows the content.
    pub(super) fn content(self, frame: &mut [u8]) -> &mut [u8] {
        let header = match self {
            Self::UntilClose => 0,
            Self::Chunked => frame.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1),
        };
        &mut frame[header..]
    }
}

/// Appends a chunk whose content the function `write` appends. Appends nothing if there is no content, because an
/// empty chunk would end the body.
fn chunk(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let length = start..start + LENGTH_DIGITS;
    out.extend_from_slice(b"0000\r\n");
    let content = out.len();
    write(out);
    let len = out.len() - content;
    if len == 0 {
        out.truncate(start);
        return;
    }
    if len < 1 << (4 * LENGTH_DIGITS) {
        write!(&mut out[length], "{len:04x}").expect("the length has four digits");
    } else {
        out.splice(length, format!("{len:x}").into_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(content: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        chunk(&mut out, |out| out.extend_from_slice(content));
        out.split_off(6)
    }

    #[test]
    fn a_chunk_has_its_length_in_hexadecimal_digits() {
        assert_eq!(chunked(b"twelve bytes"), b"000c\r\ntwelve bytes\r\n");
        assert_eq!(chunked(&vec![b'x'; 0xffff])[..6], *b"ffff\r\n");
        assert_eq!(chunked(&vec![b'x'; 0x1_0000])[..7], *b"10000\r\n");
    }

    #[test]
    fn a_chunk_without_content_is_not_written() {
        assert_eq!(chunked(b""), b"");
    }
}
