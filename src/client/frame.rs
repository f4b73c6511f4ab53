//! The fields that a client reads from frames to follow its subscription.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields of a frame that a client reads to follow its subscription. A field is empty if the frame does
/// not have this field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Head<'a> {
    /// The type of the frame; empty if the text is not a frame.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The sequence number of an event or a snapshot. In a `subscribed` frame, `seq` is the sequence number
    /// of the newest event.
    pub seq: Option<u64>,
    /// The epoch: the run of the server to which the sequence numbers belong.
    pub epoch: Option<String>,
    /// How many snapshot frames follow this frame.
    pub snapshots: Option<u64>,
    /// Whether the server resumes the subscription from the client's cursor.
    pub resumed: bool,
    /// The symbols of the subscription that the feed does not know.
    pub unknown: Vec<String>,
    /// In a `gap` frame, the sequence number of the last event before the gap.
    pub after: Option<u64>,
    /// In a `gap` frame, the sequence number of the last event in the gap.
    pub until: Option<u64>,
    /// In a `gap` frame, the reason for the gap.
    pub reason: Option<String>,
    /// The symbol of a market frame.
    pub symbol: Option<String>,
    /// In an error reply, the code of the error.
    pub code: Option<String>,
    /// In an error reply, the message of the error.
    pub message: Option<String>,
}

impl Head<'_> {
    /// Parses the fields of a frame. If the text is not a frame, all fields are empty.
    pub fn of(text: &str) -> Head<'_> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// If the frame is an error reply, returns the code and the message of the error.
    pub fn into_error(self) -> Option<(String, String)> {
        if self.kind == "error" { self.code.zip(self.message) } else { None }
    }
}
