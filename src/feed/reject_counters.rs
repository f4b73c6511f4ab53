//! Counters of rejected lines, rows and events by reason, and of ignored fields.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::counters::LabelledCounters;

/// Counters of rejected lines, rows and events by reason, and of ignored fields. A reason is a fixed text of
/// this program, never text from a file.
#[derive(Clone, Debug, Default)]
pub struct RejectCounters {
    rejected: LabelledCounters,
    ignored_fields: Counter,
}

impl RejectCounters {
    /// Increments the counter of a reason.
    pub fn increment(&self, reason: &'static str) {
        self.rejected.get_or_create(&[("reason", reason)]).inc();
    }

    /// Increments the counter of ignored fields.
    pub fn increment_ignored_fields(&self) {
        self.ignored_fields.inc();
    }

    /// Returns the count of a reason.
    #[cfg(test)]
    pub(super) fn count(&self, reason: &'static str) -> u64 {
        self.rejected.get_or_create(&[("reason", reason)]).get()
    }

    /// Returns the count of ignored fields.
    #[cfg(test)]
    pub(super) fn ignored_fields(&self) -> u64 {
        self.ignored_fields.get()
    }

    /// Registers the counters with `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lines, rows and events of the feed that were not published";
        registry.register("feed_skipped", help, self.rejected.clone());
        let help = "Fields on standard input that were ignored, because the event has no such field";
        registry.register("feed_ignored_fields", help, self.ignored_fields.clone());
    }
}
