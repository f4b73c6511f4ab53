//! Server-Sent Events: the framing that a browser's `EventSource` reads (HTML standard, section 9.2).
//!
//! Each frame is one event: `id` is the cursor, `data` is the JSON object, and `event` is the object's type. A
//! frame has an `id` only if a client that resumes from this cursor loses nothing.

use std::io::Write;

use super::{Position, Value, ndjson};

/// The bytes with which each JSON object begins. The object's type follows.
const TYPE: &[u8] = b"{\"type\":\"";

/// The beginning of the line with the cursor.
const ID: &[u8] = b"id: ";

/// Appends a value as one event, with `position` as its cursor.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>, position: Option<Position<'_>>) {
    let start = out.len();
    if let Some(Position { epoch, seq }) = position {
        out.extend_from_slice(ID);
        writeln!(out, "{epoch}-{seq}").expect("writing to a vector never fails");
    }
    out.extend_from_slice(b"data: ");
    let json = out.len();
    ndjson::write(out, value);
    if out.len() == json {
        out.truncate(start);
        return;
    }
    out.extend_from_slice(b"event: ");
    let name = json + TYPE.len();
    let len = out[name..].iter().position(|byte| *byte == b'"').expect("a type ends with a quotation mark");
    out.extend_from_within(name..name + len);
    out.extend_from_slice(b"\n\n");
}

/// Turns the line with the cursor into a comment, if `event` has such a line. The length of the event stays the
/// same.
pub fn hide_position(event: &mut [u8]) {
    if event.starts_with(ID) {
        event[0] = b':';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Time;
    use crate::wire::Reply;

    const POSITION: Position<'static> = Position { epoch: "k3f9", seq: 7 };

    fn written(value: &Value<'_>, position: Option<Position<'_>>) -> String {
        let mut out = Vec::new();
        write(&mut out, value, position);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_is_an_event_with_its_cursor_and_its_type() {
        let heartbeat = Reply::Heartbeat { time: Time::default(), seq: 7, sent: 5, merged: 1 };
        let data = r#"data: {"type":"heartbeat","time":"1970-01-01T00:00:00Z","seq":7,"sent":5,"merged":1}"#;

        let value = Value::Reply(&heartbeat);

        assert_eq!(written(&value, Some(POSITION)), format!("id: k3f9-7\n{data}\nevent: heartbeat\n\n"));
        assert_eq!(written(&value, None), format!("{data}\nevent: heartbeat\n\n"));
        assert_eq!(written(&Value::Ping, Some(POSITION)), "");
    }

    #[test]
    fn a_hidden_cursor_is_a_comment() {
        let close = Value::Close(1001, "x");
        for (position, begin) in [(Some(POSITION), ":d: k3f9-7\ndata: "), (None, "data: ")] {
            let mut event = written(&close, position).into_bytes();

            hide_position(&mut event);

            assert!(event.starts_with(begin.as_bytes()));
        }
    }
}
