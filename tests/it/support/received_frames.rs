//! The text frames that a client of a shard received, whole and in short.

use std::io::Cursor;

use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

/// A text frame, as it came and as it reads.
pub struct Frame {
    pub text: Vec<u8>,
    pub value: Value,
}

impl Frame {
    /// The number of the event that it says, where it says one.
    pub fn event(&self) -> Option<u64> {
        let is_event = matches!(self.value["type"].as_str(), Some("trade" | "quote" | "bar"));
        self.value["seq"].as_u64().filter(|_| is_event)
    }
}

/// A word a frame: its type, and the numbers or the state that it tells.
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

/// Takes all whole text frames off the front; a close frame is dropped.
pub fn take_frames(bytes: &mut Vec<u8>) -> Vec<Frame> {
    let mut taken = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(len) = whole_frame(rest) {
        let (frame, behind) = rest.split_at(len);
        let header = match frame[1] {
            ..126 => 2,
            126 => 4,
            _ => 10,
        };
        if frame[0] == 0x81 {
            let text = frame[header..].to_vec();
            taken.push(Frame { value: serde_json::from_slice(&text).unwrap(), text });
        }
        rest = behind;
    }
    bytes.drain(..bytes.len() - rest.len());
    taken
}

fn whole_frame(bytes: &[u8]) -> Option<usize> {
    let (header, payload) = FrameHeader::parse(&mut Cursor::new(bytes)).unwrap()?;
    let len = header.len(payload) + usize::try_from(payload).unwrap();
    (len <= bytes.len()).then_some(len)
}
