//! The NDJSON framing: one JSON object per line.
//!
//! An NDJSON client only receives data and could not answer a ping, so this framing has no pings. The last
//! line of a stream is a JSON object whose `type` is `close`. This object has the same code and reason that a
//! WebSocket close frame would have.

use serde::Serialize;

use super::{Value, native_json};

/// The last line of a stream: a JSON object that tells why the server closes the stream.
#[derive(Serialize)]
struct Close<'a> {
    r#type: &'static str,
    code: u16,
    reason: &'a str,
}

/// Appends a value as one line of JSON.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Event(seq, event) => native_json::event(out, *seq, event),
        Value::Snapshot(snapshot) => native_json::snapshot(out, snapshot),
        Value::Reply(reply) => native_json::reply(out, reply),
        Value::Close(code, reason) => {
            let close = Close { r#type: "close", code: *code, reason };
            serde_json::to_writer(&mut *out, &close)
                .expect("a close is plain data, and writing to a vector never fails");
        }
        // Every NDJSON client is a subscriber, and a subscriber gets peers' messages as `Value::Reply`.
        Value::Message(_) | Value::Ping | Value::Pong(_) => return,
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Time;
    use crate::wire::{Message, Reply};

    fn written(value: &Value<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_becomes_one_line() {
        let heartbeat = Reply::Heartbeat { time: Time::default(), seq: 7, sent: 5, merged: 1 };

        assert_eq!(
            written(&Value::Reply(&heartbeat)),
            "{\"type\":\"heartbeat\",\"time\":\"1970-01-01T00:00:00Z\",\"seq\":7,\"sent\":5,\"merged\":1}\n"
        );
        assert_eq!(
            written(&Value::Close(4008, "k3f9-7")),
            "{\"type\":\"close\",\"code\":4008,\"reason\":\"k3f9-7\"}\n"
        );
    }

    #[test]
    fn values_that_only_websockets_have_write_nothing() {
        for value in [Value::Ping, Value::Pong(b"x"), Value::Message(&Message::Text("x".to_owned()))] {
            assert_eq!(written(&value), "", "{value:?}");
        }
    }
}
