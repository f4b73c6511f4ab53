//! Cursors: the positions in a feed's sequence of events from which clients can resume.

use std::fmt;
use std::str::FromStr;

use super::error_reply::{ErrorCode, ErrorReply, quoted};

/// A position in a feed's sequence of events, written as `EPOCH-SEQ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch to which `seq` belongs. Each start of the server begins a new epoch.
    pub epoch: String,
    /// The sequence number of the last event that the client has received.
    pub seq: u64,
}

impl FromStr for Cursor {
    type Err = ErrorReply;

    fn from_str(text: &str) -> Result<Self, ErrorReply> {
        let parsed = text.rsplit_once('-').and_then(|(epoch, seq)| {
            let is_name = (1..=32).contains(&epoch.len()) && epoch.chars().all(|c| c.is_ascii_alphanumeric());
            let seq = seq.parse().ok().filter(|_| seq.starts_with(|c: char| c.is_ascii_digit()))?;
            is_name.then(|| Self { epoch: epoch.to_owned(), seq })
        });
        parsed.ok_or_else(|| {
            ErrorReply::new(
                ErrorCode::BadCursor,
                format_args!("{} is not a cursor; cursors are EPOCH-SEQ, e.g. k3f9-1042", quoted(text)),
            )
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_is_written() {
        let cursor: Cursor = "k3f9-1042".parse().unwrap();

        assert_eq!(cursor, Cursor { epoch: "k3f9".into(), seq: 1042 });
        assert_eq!(cursor.to_string(), "k3f9-1042");
        for text in ["", "-", "k3f9", "k3f9-", "-5", "k3f9-+5", "k 9-5"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
