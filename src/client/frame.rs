//! The fields of frames that a client needs to follow a subscription.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields of a frame that matter to a subscription. A field that the frame does not have is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Head<'a> {
    /// The type of the frame. The type is empty if the text is not a frame.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The sequence number of an event or a snapshot. In a reply, the sequence number of the newest event.
    pub seq: Option<u64>,
    /// The epoch: the run of the server to which the sequence numbers belong.
    pub epoch: Option<String>,
    /// How many snapshots follow.
    pub snapshots: Option<u64>,
    /// Whether the server resumes the subscription after the cursor.
    pub resumed: bool,
    /// The names in a subscription that the feed does not know.
    pub unknown: Vec<String>,
    /// The sequence number of the last event before a gap.
    pub after: Option<u64>,
    /// The sequence number of the last event in a gap.
    pub until: Option<u64>,
    /// The reason of a gap.
    pub reason: Option<String>,
    /// The symbol of a market frame.
    pub symbol: Option<String>,
    /// The code of an error.
    pub code: Option<String>,
    /// The message of an error.
    pub message: Option<String>,
}

impl Head<'_> {
    /// Parses the fields of a frame. All fields are empty if the text is not a frame.
    pub fn of(text: &str) -> Head<'_> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Returns the code and the message if the frame is an error reply.
    pub fn into_error(self) -> Option<(String, String)> {
        if self.kind == "error" { self.code.zip(self.message) } else { None }
    }
}
