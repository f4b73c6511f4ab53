//! Rows that give no event: counted by reason, the first few logged one by one.

use std::mem;

use tracing::warn;

use super::row::{Reason, Skip};
use crate::feed::Skipped;

/// So many skipped rows of a file are logged one by one; the rest are counted.
const LOGGED_SKIPS: u64 = 5;

/// The rows that gave no event, by reason.
pub struct SkippedRows {
    name: String,
    counts: [u64; Reason::ALL.len()],
    skipped: Skipped,
    /// Told once, and not again in every lap.
    told: bool,
}

impl SkippedRows {
    /// Nothing has been skipped of this text yet; where that has been told before, it is neither told nor counted again.
    pub fn new(name: String, skipped: Skipped, told: bool) -> Self {
        Self {
            name,
            counts: [0; Reason::ALL.len()],
            skipped: if told { Skipped::default() } else { skipped },
            told,
        }
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
    pub fn add(&mut self, line: u64, Skip { reason, found }: &Skip) {
        self.counts[reason.index()] += 1;
        self.skipped.add(reason.name());
        let logged = self.counts.iter().sum::<u64>() - self.counts[Reason::Filtered.index()];
        if !self.told && *reason != Reason::Filtered && logged <= LOGGED_SKIPS {
            let place = format_args!("{}:{line}", self.name);
            warn!(%place, reason = reason.name(), ?found, "skipped a row");
        }
    }

    /// Tells once how many there were, at the end.
    pub fn sum_up(&mut self) {
        let bad: u64 = self.counts.iter().sum::<u64>() - self.counts[Reason::Filtered.index()];
        if bad > 0 && !mem::replace(&mut self.told, true) {
            let reasons: Vec<String> =
                self.by_reason().map(|(reason, count)| format!("{count} {reason}")).collect();
            warn!(file = %self.name, rows = bad, reasons = %reasons.join(", "), "rows were skipped");
        }
    }
}
