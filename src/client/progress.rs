//! A client's cursor says up to which event the client has received everything.
//!
//! Each event moves the cursor to the event's `seq`. A set of snapshots has one snapshot for each symbol.
//! While snapshots of the set are missing, the client has no cursor, because the client does not know all
//! symbols yet. The last snapshot of the set moves the cursor to the snapshot's `seq`.

use super::frame::Head;

/// The progress of a client: up to which event the client has received everything.
#[derive(Debug, Default)]
pub struct Progress {
    epoch: String,
    /// How many snapshots of the current set have not arrived yet.
    owed: u64,
    /// The sequence number of the newest event that the client has received, as a frame or as part of a
    /// snapshot.
    seq: Option<u64>,
    /// The cursor from which this connection resumes. The client keeps this cursor until the first event
    /// arrives, or until a set of snapshots begins.
    resumed_from: Option<String>,
}

impl Progress {
    /// Returns the progress of a client that resumes from this cursor.
    pub fn from(cursor: Option<String>) -> Self {
        Self { resumed_from: cursor, ..Self::default() }
    }

    /// Returns the cursor from which a new connection can resume. Returns `None` if the client has no cursor
    /// yet.
    pub fn cursor(&self) -> Option<String> {
        let received = self.seq.map(|seq| format!("{}-{seq}", self.epoch));
        received.or_else(|| self.resumed_from.clone())
    }

    /// Updates the progress after the client has received a frame.
    pub fn note(&mut self, frame: &Head<'_>) {
        if let Some(epoch) = &frame.epoch {
            self.epoch.clone_from(epoch);
        }
        let snapshots = frame.snapshots.unwrap_or(0);
        match frame.kind.as_ref() {
            "subscribed" if frame.resumed => {}
            "subscribed" => self.begin(snapshots, frame.seq),
            "gap" | "feed" if snapshots > 0 => self.begin(snapshots, None),
            "snapshot" => {
                self.owed = self.owed.saturating_sub(1);
                self.reach(frame.seq);
            }
            "trade" | "quote" | "bar" | "status" => self.reach(frame.seq),
            _ => {}
        }
    }

    /// Notes that a set of snapshots begins. If the set is empty, the cursor moves to `seq`.
    fn begin(&mut self, snapshots: u64, seq: Option<u64>) {
        (self.owed, self.seq, self.resumed_from) = (snapshots, None, None);
        self.reach(seq);
    }

    fn reach(&mut self, seq: Option<u64>) {
        if self.owed == 0 {
            self.seq = seq.or(self.seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the client's cursor after each frame. An empty text means that the client has no cursor. The
    /// client resumes from the cursor `old-3`.
    fn cursors(frames: &[&str]) -> Vec<String> {
        let mut progress = Progress::from(Some("old-3".to_owned()));
        let after = frames.iter().map(|frame| {
            progress.note(&Head::of(frame));
            progress.cursor().unwrap_or_default()
        });
        after.collect()
    }

    #[test]
    fn there_is_no_cursor_until_the_last_snapshot_of_a_set() {
        let found = cursors(&[
            r#"{"type":"subscribed","epoch":"e","seq":9,"resumed":false,"snapshots":2}"#,
            r#"{"type":"gap","reason":"epoch_changed"}"#,
            r#"{"type":"snapshot","symbol":"A","seq":9}"#,
            r#"{"type":"trade","symbol":"A","seq":10}"#,
            r#"{"type":"snapshot","symbol":"B","seq":11}"#,
            r#"{"type":"heartbeat","seq":90}"#,
            r#"{"type":"quote","symbol":"B","seq":12}"#,
            r#"{"type":"message","from":"c1","text":"{\"type\":\"trade\",\"seq\":99}"}"#,
            r#"{"type":"feed","state":"paused","position":"2024-01-03T14:31:00Z","seq":12,"snapshots":1}"#,
            r#"{"type":"snapshot","symbol":"A","seq":12}"#,
            r#"{"type":"gap","after":12,"until":40,"reason":"lagged","snapshots":1}"#,
            r#"{"type":"snapshot","symbol":"A","seq":40}"#,
        ]);

        let before_the_seek = ["", "", "", "", "e-11", "e-11", "e-12", "e-12"];
        assert_eq!(found, [&before_the_seek[..], &["", "e-12", "", "e-40"]].concat());
    }

    #[test]
    fn a_resumed_connection_keeps_its_cursor_until_the_first_event() {
        let found = cursors(&[
            r#"{"type":"subscribed","epoch":"old","seq":9,"resumed":true,"snapshots":0}"#,
            r#"{"type":"heartbeat","seq":9}"#,
            r#"{"type":"status","symbol":"A","seq":5,"status":"halted"}"#,
        ]);

        assert_eq!(found, ["old-3", "old-3", "old-5"]);
    }

    #[test]
    fn a_subscription_without_data_begins_at_its_reply() {
        let found = cursors(&[r#"{"type":"subscribed","epoch":"e","seq":9,"resumed":false,"snapshots":0}"#]);

        assert_eq!(found, ["e-9"]);
    }
}
