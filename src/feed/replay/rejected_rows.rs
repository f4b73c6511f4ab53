//! Counts rejected rows by reason, and logs the first few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use super::row::{Reason, RejectedRow};
use crate::feed::reject_counters::RejectCounters;

/// The largest number of rejected rows of a text that are logged individually.
const LOGGED_ROWS: u64 = 5;

/// The rejected rows of one pass over a text, counted by reason.
pub struct RejectedRows {
    name: String,
    counts: [u64; Reason::ALL.len()],
    reject_counters: RejectCounters,
    reported: ReportedUpTo,
}

/// The number of the last line that was reported as rejected. All readers of a text share this record.
///
/// After a seek, and in each lap of a loop, the text is read again. This record ensures that the metrics
/// count a rejected row only once, and that the row is logged at most once.
#[derive(Clone, Debug, Default)]
pub struct ReportedUpTo(Arc<AtomicU64>);

impl ReportedUpTo {
    /// Creates a record that marks all lines as reported, so that a trial pass reports nothing.
    pub fn all() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Records a line number. Returns whether the number is greater than all numbers recorded before.
    fn is_new(&self, line: u64) -> bool {
        self.0.fetch_max(line, Ordering::Relaxed) < line
    }
}

impl RejectedRows {
    pub fn new(name: String, reject_counters: RejectCounters, reported: ReportedUpTo) -> Self {
        Self { name, counts: [0; Reason::ALL.len()], reject_counters, reported }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns each reason for which at least one row was rejected, with the number of these rows.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Reason::ALL.iter().map(|reason| (reason.name(), self.counts[reason.index()]));
        counted.filter(|(_, count)| *count > 0)
    }

    /// Counts a rejected row. Reports the row in the metrics and the log, unless another pass already
    /// reported it.
    pub fn add(&mut self, line: u64, RejectedRow { reason, found }: &RejectedRow) {
        self.counts[reason.index()] += 1;
        if !self.reported.is_new(line) {
            return;
        }
        self.reject_counters.increment(reason.name());
        if *reason != Reason::Filtered && self.bad() <= LOGGED_ROWS {
            let location = format_args!("{}:{line}", self.name);
            warn!(%location, reason = reason.name(), ?found, "rejected a row");
        }
    }

    /// Logs the counts at the end of the text, unless another pass already logged them.
    pub fn sum_up(&mut self) {
        let rows = self.bad();
        if rows > 0 && self.reported.is_new(u64::MAX) {
            let reasons: Vec<String> =
                self.by_reason().map(|(reason, count)| format!("{count} {reason}")).collect();
            warn!(file = %self.name, rows, reasons = %reasons.join(", "), "rows were rejected");
        }
    }

    /// Returns the number of rejected rows. Filtered rows do not count, because they are left out on purpose.
    fn bad(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.counts[Reason::Filtered.index()]
    }
}
