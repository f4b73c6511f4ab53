//! The wall clock for the setting `feed.clock.retime`: computes the date and time at which an event is due.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use crate::market::Time;

/// If the machine's wall clock is ahead by more than this duration, the times of events follow it.
const JUMP: Duration = Duration::from_secs(1);

/// Converts instants of the monotonic clock to wall-clock time. A later instant never gets an earlier time.
///
/// The monotonic clock stops while the machine is suspended, but the machine's wall clock does not. So the
/// times follow the machine's wall clock when it is ahead. If somebody sets the machine's wall clock back, the
/// times go on as if this had not happened.
#[derive(Debug)]
pub struct WallClock {
    /// Reads the machine's wall clock.
    read: fn() -> Time,
    start: Time,
    start_instant: Instant,
}

impl WallClock {
    /// Creates a wall clock that is read by the function `read`.
    #[must_use]
    pub fn new(read: fn() -> Time) -> Self {
        Self { read, start: read(), start_instant: Instant::now() }
    }

    /// Reads the machine's wall clock, and follows it if it is ahead. Call this function before
    /// [`time`](Self::time).
    pub fn follow(&mut self) {
        let (now, instant) = ((self.read)(), Instant::now());
        let ahead = now.since(self.time(instant));
        if ahead > JUMP {
            info!(?ahead, "the machine's wall clock is ahead, as after a suspension, so new times follow it");
            (self.start, self.start_instant) = (now, instant);
        }
    }

    /// Returns the wall-clock time of an instant.
    #[must_use]
    pub fn time(&self, at: Instant) -> Time {
        self.start.later(at.saturating_duration_since(self.start_instant))
    }

    /// Returns the wall-clock time of this instant.
    pub fn now(&mut self) -> Time {
        self.follow();
        self.time(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    thread_local! {
        /// The machine's wall clock in these tests, in seconds since 1970.
        static SECONDS: Cell<i64> = const { Cell::new(1_700_000_000) };
    }

    fn mocked() -> Time {
        Time::from_nanos(SECONDS.get() * 1_000_000_000)
    }

    /// Lets a minute pass on the monotonic clock, and `seconds` on the machine's wall clock.
    async fn pass(seconds: i64) {
        advance(MINUTE).await;
        SECONDS.set(SECONDS.get() + seconds);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_suspension_of_the_machine_the_times_are_those_of_its_wall_clock() {
        let mut clock = WallClock::new(mocked);
        let before = Instant::now();
        pass(60 + 3 * 3600).await;

        assert_eq!(clock.now(), mocked());
        assert_eq!(clock.time(before), mocked(), "an event that was due before the suspension");
        assert_eq!(clock.time(Instant::now() + MINUTE), mocked().later(MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_back_moves_no_time() {
        let mut clock = WallClock::new(mocked);
        let start = mocked();
        pass(60 - 3600).await;

        assert_eq!(clock.now(), start.later(MINUTE));
        pass(60).await;
        assert_eq!(clock.now(), start.later(2 * MINUTE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_correction_of_a_second_moves_no_time_and_one_of_two_seconds_does() {
        let mut clock = WallClock::new(mocked);
        let start = mocked();
        pass(61).await;

        assert_eq!(clock.now(), start.later(MINUTE));
        pass(61).await;
        assert_eq!(clock.now(), mocked());
    }
}
