//! The wall clock for the setting `feed.clock.retime`: computes the date and time at which an event is due.

use tokio::time::Instant;

use crate::market::Time;

/// Converts instants of the monotonic clock to wall-clock time.
///
/// The machine's wall clock is read only once, so a later clock change does not move the times of events.
#[derive(Debug)]
pub struct WallClock {
    start: Time,
    start_instant: Instant,
}

impl WallClock {
    /// Reads the machine's wall clock, from which all later times are computed.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Time::now(), start_instant: Instant::now() }
    }

    /// Returns the wall-clock time of an instant; a later instant never gets an earlier time.
    #[must_use]
    pub fn time(&self, at: Instant) -> Time {
        self.start.later(at.saturating_duration_since(self.start_instant))
    }
}
