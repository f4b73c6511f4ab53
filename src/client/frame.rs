//! The fields of frames that a client needs.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields of an error reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Head<'a> {
    /// The type of the frame. It is empty in a text that is not a frame.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
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
