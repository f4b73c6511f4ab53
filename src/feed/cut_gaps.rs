//! Counts the gaps that the schedule cut short, and logs a summary of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::info;

/// The shortest time between two summaries in the log.
const BETWEEN_SUMMARIES: Duration = Duration::from_mins(1);

/// The gaps that were cut short because they were longer than `feed.clock.max_gap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutGaps {
    /// The number of gaps that were cut.
    pub gaps: u64,
    /// How much market time was skipped in all cut gaps together.
    pub time: Duration,
}

/// Logs how many gaps were cut: once at the first gap, then at most once a minute, and at the end of the feed.
#[derive(Debug, Default)]
pub struct CutGapsLog {
    logged: CutGaps,
    /// The instant of the newest summary; `None` before the first one.
    at: Option<Instant>,
}

impl CutGaps {
    /// Counts a gap in which the market time `skipped` was skipped.
    pub fn add(&mut self, skipped: Duration) {
        self.gaps += 1;
        self.time = self.time.saturating_add(skipped);
    }
}

impl CutGapsLog {
    /// Logs a summary if more gaps were cut, unless the newest summary is less than a minute old.
    pub fn observe(&mut self, found: CutGaps) {
        if self.at.is_none_or(|at| at.elapsed() >= BETWEEN_SUMMARIES) {
            self.sum_up(found);
        }
    }

    /// Logs a summary if more gaps were cut.
    pub fn sum_up(&mut self, found: CutGaps) {
        if found != self.logged {
            self.logged = found;
            self.at = Some(Instant::now());
            let CutGaps { gaps, time } = found;
            info!(gaps, skipped = ?time, "cut gaps that are longer than feed.clock.max_gap");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn gaps_are_logged_at_the_first_then_once_a_minute_and_at_the_end() {
        let (mut found, mut log) = (CutGaps::default(), CutGapsLog::default());
        let mut logged = Vec::new();
        log.observe(found);
        for _ in 0..150 {
            found.add(Duration::from_hours(1));
            log.observe(found);
            logged.push(log.logged.gaps);
            advance(Duration::from_secs(1)).await;
        }
        log.sum_up(found);
        logged.push(log.logged.gaps);

        logged.dedup();
        assert_eq!(logged, [1, 61, 121, 150]);
    }
}
