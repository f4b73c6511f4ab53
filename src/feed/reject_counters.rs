//! Counters of the input that a feed rejects or ignores.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::counters::LabelledCounters;

/// One counter for each reason to reject a line, a row or an event of a feed, and one counter of ignored
/// fields. A reason for a rejection is a fixed text of this program, never text from a file.
#[derive(Clone, Debug, Default)]
pub struct RejectCounters {
    rejected: LabelledCounters,
    ignored_fields: Counter,
}

impl RejectCounters {
    /// Increments the counter of the rejections for `reason`.
    pub fn increment(&self, reason: &'static str) {
        self.rejected.get_or_create(&[("reason", reason)]).inc();
    }

    /// Increments the counter of ignored input fields.
    pub fn increment_ignored_fields(&self) {
        self.ignored_fields.inc();
    }

    /// Returns the number of rejections for `reason`.
    #[cfg(test)]
    pub(super) fn count(&self, reason: &'static str) -> u64 {
        self.rejected.get_or_create(&[("reason", reason)]).get()
    }

    #[cfg(test)]
    pub(super) fn ignored_fields(&self) -> u64 {
        self.ignored_fields.get()
    }

    /// Adds the counters to a registry, so that they appear at `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lines, rows and events of the feed that were not published";
        registry.register("feed_skipped", help, self.rejected.clone());
        let help = "Fields on standard input that were ignored, because the event has no such field";
        registry.register("feed_ignored_fields", help, self.ignored_fields.clone());
    }
}
