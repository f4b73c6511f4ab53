//! The appender: at most one message in flight, and what has to be read before the next one.
//!
//! A message in flight is decided as soon as the node reads a message with a higher number than the one that
//! the append expected. Either the node has read its own message then, or the stream will refuse it. No answer
//! of the stream proves more than that.

use std::time::Duration;

use tokio::time::Instant;

/// The state of a node's appends.
#[derive(Debug)]
pub struct Appender {
    /// The least time between two appends.
    window: Duration,
    /// The number of the message before the one in flight; `None` while nothing is in flight.
    expected: Option<u64>,
    /// The time at which the newest append began; `None` before the first.
    begun: Option<Instant>,
    /// No append begins before this time; `None` if nothing delays the next one.
    rests_until: Option<Instant>,
}

impl Appender {
    /// Returns an appender with nothing in flight.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, expected: None, begun: None, rests_until: None }
    }

    /// Returns the time from which the next message may be appended; `None` while a message is in flight.
    #[must_use]
    pub fn free_at(&self, now: Instant) -> Option<Instant> {
        let free =
            || self.begun.map_or(now, |begun| begun + self.window).max(self.rests_until.unwrap_or(now));
        self.expected.is_none().then(free)
    }

    /// Returns whether a message may be appended now.
    #[must_use]
    pub fn is_free(&self, now: Instant) -> bool {
        self.free_at(now).is_some_and(|free| free <= now)
    }

    /// Records that a message was sent. `expected` is the number of the message before.
    pub fn sent(&mut self, expected: u64, now: Instant) {
        self.expected = Some(expected);
        self.begun = Some(now);
        self.rests_until = None;
    }

    /// Records that the append was refused, or had no answer, and that the stream ended with the message `last`
    /// after that. If nothing came after the expected message, the node may append again. Otherwise the node
    /// first reads up to the end. Returns whether nothing came.
    pub fn failed(&mut self, last: u64) -> bool {
        let has_nothing_come = self.expected.is_some_and(|expected| last <= expected);
        if has_nothing_come {
            self.expected = None;
        }
        has_nothing_come
    }

    /// Lets no append begin before `until`, because the stream takes nothing at the moment.
    pub fn rest(&mut self, until: Instant) {
        self.rests_until = Some(until);
    }

    /// Records that the node has read a message, which may decide the message in flight.
    pub fn read(&mut self, number: u64) {
        if self.expected.is_some_and(|expected| number > expected) {
            self.expected = None;
        }
    }

    /// Forgets the message in flight, because the node opens the stream again and reads up to its end.
    pub fn forget(&mut self) {
        self.expected = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(1);

    #[test]
    fn one_message_is_in_flight_and_the_next_waits_for_the_window() {
        let (mut appender, now) = (Appender::new(WINDOW), Instant::now());
        assert_eq!(appender.free_at(now), Some(now), "the first goes at once");

        appender.sent(7, now);
        assert_eq!(appender.free_at(now), None);
        appender.read(7);
        assert_eq!(appender.free_at(now), None);
        appender.read(8);

        assert_eq!(appender.free_at(now), Some(now + WINDOW));
    }

    #[test]
    fn after_a_failure_the_end_of_the_stream_decides() {
        let (mut appender, now) = (Appender::new(WINDOW), Instant::now());
        appender.sent(7, now);

        assert!(!appender.failed(9));
        assert!(appender.free_at(now).is_none(), "8 and 9 must be read first");
        appender.read(8);
        assert!(appender.free_at(now).is_some());

        appender.sent(9, now);
        assert!(appender.failed(9));
        assert!(appender.free_at(now).is_some(), "nothing was stored, so the message is sent again");

        appender.rest(now + 10 * WINDOW);
        assert_eq!(appender.free_at(now), Some(now + 10 * WINDOW));
    }
}
