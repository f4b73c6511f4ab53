//! Counters of the lines, rows and events of a feed that were rejected, by reason.

use prometheus_client::registry::Registry;

use crate::counters::LabelledCounters;

/// Counters of rejected lines, rows and events, by reason. A reason is a fixed text of this program, never
/// text from a file.
#[derive(Clone, Debug, Default)]
pub struct RejectCounters(LabelledCounters);

impl RejectCounters {
    /// Increments the counter of a reason.
    pub fn increment(&self, reason: &'static str) {
        self.0.get_or_create(&[("reason", reason)]).inc();
    }

    /// Returns the count of a reason.
    #[cfg(test)]
    pub(super) fn count(&self, reason: &'static str) -> u64 {
        self.0.get_or_create(&[("reason", reason)]).get()
    }

    /// Registers the counters with `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lines, rows and events of the feed that were not published";
        registry.register("feed_skipped", help, self.0.clone());
    }
}
