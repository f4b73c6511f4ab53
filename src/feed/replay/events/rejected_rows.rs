//! Counts rejected rows by reason, and logs the first few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use super::super::reason::{Reason, RejectedRow};
use crate::feed::reject_counters::RejectCounters;

/// For each file, at most this many rejected rows are logged individually.
const LOGGED_ROWS: u64 = 5;

/// For each reason, the number of rows that were rejected in one pass over a file.
pub struct RejectedRows {
    name: String,
    counts: [u64; Reason::ALL.len()],
    reject_counters: RejectCounters,
    reported: ReportedUpTo,
}

/// The greatest line number among the rejected rows that were already reported. All readers of the same file
/// share this number.
///
/// A file is read again after a seek, and whenever a looping replay starts again. This number ensures that
/// the metrics count a rejected row only once, and that the row is logged at most once.
#[derive(Clone, Debug, Default)]
pub struct ReportedUpTo(Arc<AtomicU64>);

impl ReportedUpTo {
    /// Returns a value for a trial pass over a file: all lines count as already reported, so nothing is
    /// reported.
    pub fn all() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Records the line number of a rejected row. Returns whether the number is greater than all numbers
    /// recorded before.
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

    /// Returns each reason that occurred, and the number of rows that were rejected for this reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Reason::ALL.iter().map(|reason| (reason.name(), self.counts[reason.index()]));
        counted.filter(|(_, count)| *count > 0)
    }

    /// Counts a rejected row. Reports the row in the metrics and the log, unless another pass over the file
    /// already reported this row.
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

    /// Logs the counts of rejected rows at the end of a file, unless another pass over the file already
    /// logged these counts.
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
