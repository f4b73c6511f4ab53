//! The fields of frames that a client needs to follow a subscription.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields of a frame that decide what a client has received, and what it tells its user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Head<'a> {
    /// The type of the frame. It is empty in a text that is not a frame.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The sequence number of an event or a snapshot; the newest event that a reply takes into account.
    pub seq: Option<u64>,
    /// The name of the present count of events.
    pub epoch: Option<String>,
    /// How many snapshots follow.
    pub snapshots: Option<u64>,
    /// Whether a reply resumes.
    pub resumed: bool,
    /// The names in a subscription that the feed does not know.
    pub unknown: Vec<String>,
    /// The last event before a gap.
    pub after: Option<u64>,
    /// The last event of a gap.
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
    /// Reads the fields of a frame. A text that is not a frame has none of them.
    pub fn of(text: &str) -> Head<'_> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Returns the code and the message of an error reply.
    pub fn into_error(self) -> Option<(String, String)> {
        if self.kind == "error" { self.code.zip(self.message) } else { None }
    }
}
