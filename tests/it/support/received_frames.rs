//! Splits received bytes into frames.

use std::io::Cursor;

use serde_json::Value;
use tickerplant::encoding::{Body, Encoding};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

/// A received frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// All received bytes of the frame, including the WebSocket header or the line end.
    pub bytes: Vec<u8>,
    pub text: Vec<u8>,
    pub value: Value,
}

impl Frame {
    fn new(bytes: &[u8], text: &[u8]) -> Self {
        let value = serde_json::from_slice(text).unwrap();
        Self { bytes: bytes.to_vec(), text: text.to_vec(), value }
    }

    /// Returns the sequence number of an event frame, and `None` for any other frame.
    pub fn event(&self) -> Option<u64> {
        let is_event = matches!(self.value["type"].as_str(), Some("trade" | "quote" | "bar" | "status"));
        self.value["seq"].as_u64().filter(|_| is_event)
    }
}

/// Describes each frame in a few words: its type, and its numbers or state.
pub fn in_short(frames: &[Frame]) -> Vec<String> {
    let said = |frame: &Value| match frame["type"].as_str().unwrap() {
        "feed" => {
            let position = frame["position"].as_str().map(|position| format!(" {}", &position[17..19]));
            format!("{}{}", frame["state"].as_str().unwrap(), position.unwrap_or_default())
        }
        "subscribed" => format!("resumed {}", frame["resumed"]),
        "gap" => format!("gap {} {}", frame["after"], frame["until"]),
        "heartbeat" => format!("sent {} merged {}", frame["sent"], frame["merged"]),
        kind => format!("{kind} {} {}", frame["symbol"].as_str().unwrap(), frame["seq"]),
    };
    frames.iter().map(|frame| said(&frame.value)).collect()
}

/// Removes all complete frames from the front of `bytes`. Returns the removed frames, except close frames.
pub fn take_frames(encoding: Encoding, bytes: &mut Vec<u8>) -> Vec<Frame> {
    let (frames, len) = match encoding {
        Encoding::WebSocket => websocket_frames(bytes),
        Encoding::Ndjson(Body::UntilClose) => lines(bytes),
        Encoding::Ndjson(Body::Chunked) => chunks(bytes, lines),
        Encoding::Sse(Body::UntilClose) => server_sent_events(bytes),
        Encoding::Sse(Body::Chunked) => chunks(bytes, server_sent_events),
    };
    bytes.drain(..len);
    frames
}

/// Returns all complete text frames in `bytes`. Also returns the total length of all complete WebSocket
/// frames, in bytes.
fn websocket_frames(bytes: &[u8]) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some(len) = whole_frame(rest) {
        let (frame, behind) = rest.split_at(len);
        let header = match frame[1] {
            ..126 => 2,
            126 => 4,
            _ => 10,
        };
        if frame[0] == 0x81 {
            frames.push(Frame::new(frame, &frame[header..]));
        }
        rest = behind;
    }
    (frames, bytes.len() - rest.len())
}

/// Returns all complete lines in `bytes`, except lines that report a close. Also returns the total length of
/// all complete lines, in bytes.
fn lines(bytes: &[u8]) -> (Vec<Frame>, usize) {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let whole: Vec<Frame> =
        lines.filter_map(|line| Some(Frame::new(line, line.strip_suffix(b"\n")?))).collect();
    let len = whole.iter().map(|line| line.bytes.len()).sum();
    let frames = whole.into_iter().filter(|line| line.value["type"] != "close").collect();
    (frames, len)
}

/// Returns the frame in each complete chunk of `bytes`, except frames that report a close. The function `frames`
/// reads the content of a chunk. Also returns the total length of all complete chunks, in bytes.
fn chunks(bytes: &[u8], frames_in: impl Fn(&[u8]) -> (Vec<Frame>, usize)) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((content, len)) = whole_chunk(rest) {
        frames.extend(frames_in(content).0);
        rest = &rest[len..];
    }
    (frames, bytes.len() - rest.len())
}

/// Returns the content of the first chunk, and the length of the chunk with its header and its end.
fn whole_chunk(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let header = bytes.windows(2).position(|end| end == b"\r\n")? + 2;
    let len = usize::from_str_radix(str::from_utf8(&bytes[..header - 2]).unwrap(), 16).unwrap();
    let content = bytes.get(header..header + len)?;
    let end = bytes.get(header + len..header + len + 2)?;
    assert_eq!(end, b"\r\n");
    Some((content, header + len + 2))
}

/// Returns all complete Server-Sent Events in `bytes`, except events that report a close. Also returns the total
/// length of all complete events, in bytes.
fn server_sent_events(bytes: &[u8]) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut rest = str::from_utf8(bytes).unwrap();
    while let Some((event, behind)) = rest.split_once("\n\n") {
        let fields = event.lines().filter_map(|line| line.split_once(": "));
        let field = |name| fields.clone().find(|(other, _)| *other == name).map(|(_, value)| value);
        let data = field("data").expect("each event has data");
        // A cursor that is hidden from one client and not from another is the only difference between their
        // bytes.
        let shown = event.strip_prefix(":d: ").map_or(event.to_owned(), |hidden| format!("id: {hidden}"));
        let frame = Frame::new(shown.as_bytes(), data.as_bytes());
        assert_eq!(frame.value["type"].as_str(), field("event"), "{event}");
        frames.extend(Some(frame).filter(|frame| frame.value["type"] != "close"));
        rest = behind;
    }
    (frames, bytes.len() - rest.len())
}

fn whole_frame(bytes: &[u8]) -> Option<usize> {
    let (header, payload) = FrameHeader::parse(&mut Cursor::new(bytes)).unwrap()?;
    let len = header.len(payload) + usize::try_from(payload).unwrap();
    (len <= bytes.len()).then_some(len)
}
