//! The feed on standard input: one JSON object per line, in the format of the server's market frames.
//!
//! The output of the command `watch --json` can be piped into this feed. The field `seq` of a line is
//! ignored. Lines with other server frames (`subscribed`, `snapshot`, `heartbeat` and so on) are ignored,
//! too. A bad line is rejected, counted, and logged with its number. A bad line never stops the feed. Only an
//! input that ends with bad lines and without an event makes the feed fail. A field
//! that the event does not use is ignored and counted. Such a field is not an error, because a source may add
//! fields at any time. The name of each ignored field is logged once.

mod fields;
mod ignored_fields;
mod line;
mod line_error;

use std::io::{self, Read};
use std::mem;

use tracing::warn;

use super::error::FeedError;
use super::line_settings::LineSettings;
use super::lines::{Length, Lines};
use super::printable::printable;
use super::reader::{self, BATCH, BatchSender, Batches};
use crate::market::Time;
use ignored_fields::IgnoredFields;
use line::EventLine;
use line_error::LineError;

/// Up to this number of bad lines, every bad line is logged. After that, only the 32nd, 64th, 128th bad line
/// and so on are logged.
const LOGGED_LINES: u64 = 20;

/// Starts a thread that reads standard input.
///
/// The thread ends at the end of the input. Neither the feed nor the process waits for the thread to end,
/// because a read may block for ever.
pub fn open(input: LineSettings) -> Batches {
    reader::start("standard input", move |batches| read(io::stdin(), &input, batches))
}

/// Reads lines from `from`, and sends their events to `batches`. The events of lines that arrive together
/// form one batch. A batch is sent before a read that may block, so that no event waits for a later line.
fn read(
    from: impl Read,
    LineSettings { line_bytes, reject_counters }: &LineSettings,
    batches: &BatchSender,
) -> Result<(), FeedError> {
    let mut lines = Lines::new(from, *line_bytes);
    let mut ignored_fields = IgnoredFields::new(reject_counters.clone());
    let mut batch = Vec::new();
    let (mut bad, mut has_events) = (0_u64, false);
    let outcome = loop {
        let parsed = match lines.advance() {
            Ok(Some(Length::Whole)) => line::parse(lines.line(), Time::now),
            Ok(Some(Length::TooLong)) => Err(LineError::TooLong(*line_bytes)),
            Ok(None) => break Ok(()),
            Err(source) => break Err(FeedError::Stdin { source }),
        };
        match parsed {
            Ok(Some(EventLine { event, kind, left })) => {
                ignored_fields.observe(&left, kind, lines.number());
                batch.push(event);
                has_events = true;
            }
            Ok(None) => {}
            Err(error) => {
                bad += 1;
                reject_counters.increment(error.reason());
                if bad <= LOGGED_LINES || bad.is_power_of_two() {
                    let error = printable(&error.to_string());
                    warn!(line = lines.number(), %error, bad, "rejected a line of standard input");
                }
            }
        }
        let is_due = batch.len() == BATCH || !lines.has_next_at_hand();
        if is_due && !batch.is_empty() && !reader::send(batches, mem::take(&mut batch)) {
            return Ok(());
        }
    };
    if bad > 0 {
        warn!(lines = lines.number(), bad, "lines of standard input were rejected");
    }
    if bad > 0 && !has_events {
        return outcome.and(Err(FeedError::NoEventLines { lines: lines.number() }));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::feed::RejectCounters;
    use crate::market::Event;

    const LIMIT: usize = 64 * 1024;

    fn batches(input: impl Read) -> Vec<Vec<Event>> {
        read_all(input).0
    }

    /// Reads all lines; returns the batches of events, and the counters of rejected lines.
    fn read_all(from: impl Read) -> (Vec<Vec<Event>>, RejectCounters) {
        let (sender, mut receiver) = mpsc::channel(64);
        let input = LineSettings { line_bytes: LIMIT, reject_counters: RejectCounters::default() };
        read(from, &input, &sender).unwrap();
        drop(sender);
        let batches = std::iter::from_fn(|| receiver.blocking_recv()).map(Result::unwrap).collect();
        (batches, input.reject_counters)
    }

    #[test]
    fn bad_lines_do_not_stop_the_good_ones() {
        let long = "x".repeat(LIMIT + 1);
        let good = r#"{"type":"trade","symbol":"A","price":1}"#;

        let (batches, reject_counters) = read_all(format!("{good}\n{long}\nhello\n\u{0}\n{good}").as_bytes());

        assert_eq!(batches.concat().len(), 2);
        assert_eq!((reject_counters.count("too_long"), reject_counters.count("bad_line")), (1, 2));
    }

    #[test]
    fn an_input_without_any_event_is_an_error_at_its_end_unless_nothing_was_rejected() {
        let end_of = |input: &str| {
            let (sender, _receiver) = mpsc::channel(64);
            let input_settings =
                LineSettings { line_bytes: LIMIT, reject_counters: RejectCounters::default() };
            read(input.as_bytes(), &input_settings, &sender).map_err(|error| error.to_string())
        };
        let good = r#"{"type":"trade","symbol":"A","price":1}"#;

        let error = "standard input: none of its 2 lines is an event".to_owned();
        assert_eq!(end_of("hello\nworld\n"), Err(error));
        for input in ["", "\n", "{\"type\":\"heartbeat\"}\n", &format!("hello\n{good}\n")] {
            assert_eq!(end_of(input), Ok(()), "{input}");
        }
    }

    #[test]
    fn fields_that_an_event_does_not_have_are_ignored_and_counted() {
        let lines =
            "{\"type\":\"trade\",\"symbol\":\"A\",\"price\":1,\"bid\":2,\"exchange\":\"X\"}\n".repeat(3);

        let (batches, reject_counters) = read_all(lines.as_bytes());

        assert_eq!(batches.concat().len(), 3);
        assert_eq!((reject_counters.ignored_fields(), reject_counters.count("bad_line")), (6, 0));
    }

    #[test]
    fn lines_that_arrive_together_are_one_batch_and_none_waits_for_the_next() {
        let line = "{\"type\":\"trade\",\"symbol\":\"A\",\"price\":1}\n";
        let half = &line[..20];
        let input = format!("{line}{line}{half}");

        let batches = batches(input.as_bytes().chain(&line.as_bytes()[20..]));

        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }
}
