//! Rows that give no event: counted by reason, the first few logged one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::warn;

use super::row::{Reason, RejectedRow};
use crate::feed::reject_counters::RejectCounters;

/// So many skipped rows of a file are logged one by one; the rest are counted.
const LOGGED_ROWS: u64 = 5;

/// The rows rejected while a text is read once, counted by reason.
pub struct RejectedRows {
    name: String,
    counts: [u64; Reason::ALL.len()],
    reject_counters: RejectCounters,
    reported: ReportedUpTo,
}

/// Up to which line a text has been read by anybody: what it rejected is logged and counted once, however often it is read.
#[derive(Clone, Debug, Default)]
pub struct ReportedUpTo(Arc<AtomicU64>);

impl ReportedUpTo {
    /// All has been told, or nobody is to be.
    pub fn all() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Takes in a line, and returns whether none behind it was told of.
    fn is_new(&self, line: u64) -> bool {
        self.0.fetch_max(line, Ordering::Relaxed) < line
    }
}

impl RejectedRows {
    /// Nothing has been skipped yet.
    pub fn new(name: String, reject_counters: RejectCounters, reported: ReportedUpTo) -> Self {
        Self { name, counts: [0; Reason::ALL.len()], reject_counters, reported }
    }

    /// The text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many there were for each reason for which there were any.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Reason::ALL.iter().map(|reason| (reason.name(), self.counts[reason.index()]));
        counted.filter(|(_, count)| *count > 0)
    }

    /// Takes one in.
    pub fn add(&mut self, line: u64, RejectedRow { reason, found }: &RejectedRow) {
        self.counts[reason.index()] += 1;
        if !self.reported.is_new(line) {
            return;
        }
        self.reject_counters.increment(reason.name());
        if *reason != Reason::Filtered && self.bad() <= LOGGED_ROWS {
            let place = format_args!("{}:{line}", self.name);
            warn!(%place, reason = reason.name(), ?found, "rejected a row");
        }
    }

    /// Tells how many there were, at the end.
    pub fn sum_up(&mut self) {
        let rows = self.bad();
        if rows > 0 && self.reported.is_new(u64::MAX) {
            let reasons: Vec<String> =
                self.by_reason().map(|(reason, count)| format!("{count} {reason}")).collect();
            warn!(file = %self.name, rows, reasons = %reasons.join(", "), "rows were rejected");
        }
    }

    /// How many were not left out on purpose.
    fn bad(&self) -> u64 {
        self.counts.iter().sum::<u64>() - self.counts[Reason::Filtered.index()]
    }
}
