//! Logs a warning when a feed publishes events later than its schedule requires.

use std::time::Duration;

use tracing::{debug, warn};

/// A feed counts as late when it publishes an event more than this duration after the event was due.
const LATE: Duration = Duration::from_secs(1);
/// A late feed counts as on time again when it publishes an event less than this duration after the event was
/// due.
const ON_TIME: Duration = Duration::from_millis(100);

/// Logs one message when a feed becomes late, and one message when it is on time again.
#[derive(Debug, Default)]
pub struct Lateness {
    is_late: bool,
}

impl Lateness {
    /// Logs a message if the feed has become late, or is on time again. `lateness` is the delay from the due
    /// time of the newest events to their publication.
    pub fn observe(&mut self, lateness: Duration) {
        if !self.is_late && lateness > LATE {
            self.is_late = true;
            warn!(?lateness, "the feed is behind its schedule");
        } else if self.is_late && lateness < ON_TIME {
            self.is_late = false;
            debug!("the feed has caught up with its schedule");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_begins_past_a_second_and_lasts_until_it_is_nearly_gone() {
        let mut lateness = Lateness::default();
        let mut observe = |millis| {
            lateness.observe(Duration::from_millis(millis));
            lateness.is_late
        };

        assert_eq!(
            [1000, 1001, 500, 100, 99, 500].map(&mut observe),
            [false, true, true, true, false, false]
        );
    }
}
