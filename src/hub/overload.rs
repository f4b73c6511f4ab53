//! Overload: a shard that cannot send every event in time sends only the newest event of each symbol and
//! kind.
//!
//! A shard that falls behind the log only for a moment catches up and sends every event. A shard that stays
//! behind is overloaded for one turn. A shard is also overloaded if the log may soon drop the event that the
//! shard reads next. In an overloaded turn, the shard first reads the log, and counts the events of each
//! symbol and kind. Then the shard sends the newest event of each symbol and kind to its `latest` clients.
//! The older events count as merged.
//!
//! After the overloaded turn, the shard returns to sending every event, because many events then share one
//! write. Conflated events make small writes, which cost more for each event.

use std::time::Duration;

use tokio::time::Instant;

use crate::bus::{Backlog, Key, LastValueCache};
use crate::market::Kind;

/// A shard is overloaded if it has been behind the log for this long. The log entry that the shard reads next
/// must also be at least this old.
const MIN_BEHIND: Duration = Duration::from_millis(50);

/// If the log may soon drop a shard's next event, the shard is overloaded once that event has waited this
/// long. A shorter wait means only a burst of events, which the shard can read at once.
const MIN_AGE: Duration = Duration::from_millis(10);

/// Decides in each turn of a shard whether the shard is overloaded.
#[derive(Debug, Default)]
pub struct Overload {
    /// The time since which the shard has been behind the log; `None` if the shard has caught up.
    behind_since: Option<Instant>,
}

/// The number of events of each key (a symbol and a kind) since the last call of [`take`](Self::take).
#[derive(Debug, Default)]
pub struct EventCounts {
    /// The number of events of each symbol and kind, indexed by symbol and then by kind.
    counts: Vec<[u64; Kind::ALL.len()]>,
    /// The keys with a count above 0.
    keys: Vec<Key>,
}

impl Overload {
    /// Begins a turn of the shard; returns whether the shard is overloaded. `backlog` describes how far the
    /// shard is behind the log.
    pub fn begin_turn(&mut self, backlog: Backlog, now: Instant) -> bool {
        let Backlog { age, is_soon_lost } = backlog;
        let is_late = |since| now.duration_since(since) >= MIN_BEHIND && age >= MIN_BEHIND;
        self.behind_since.is_some_and(|since| is_late(since) || is_soon_lost && age >= MIN_AGE)
    }

    /// Ends a turn of the shard; `has_caught_up` says whether the shard caught up with the log in this turn.
    pub fn end_turn(&mut self, has_caught_up: bool, now: Instant) {
        self.behind_since = (!has_caught_up).then(|| self.behind_since.unwrap_or(now));
    }
}

impl EventCounts {
    /// Counts an event.
    pub fn add(&mut self, key: Key) {
        let (index, kind) = key;
        if self.counts.len() <= index {
            self.counts.resize_with(index + 1, Default::default);
        }
        let count = &mut self.counts[index][kind.index()];
        if *count == 0 {
            self.keys.push(key);
        }
        *count += 1;
    }

    /// Returns the count of each key, ordered by the sequence number of the key's newest event. Resets all
    /// counts.
    pub fn take(&mut self, last_values: &LastValueCache) -> Vec<(Key, u64)> {
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_by_cached_key(|key| last_values.latest(*key).map(|latest| latest.seq));
        let mut take = |(index, kind): Key| std::mem::take(&mut self.counts[index][kind.index()]);
        keys.into_iter().map(|key| (key, take(key))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(age: Duration) -> Backlog {
        Backlog { age, is_soon_lost: false }
    }

    #[test]
    fn a_shard_that_stays_behind_is_overloaded_until_it_has_caught_up() {
        let mut overload = Overload::default();
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);

        overload.end_turn(false, at(0));
        assert!(!overload.begin_turn(backlog(Duration::from_millis(49)), at(60)));
        overload.end_turn(false, at(60));
        assert!(overload.begin_turn(backlog(Duration::from_millis(50)), at(61)));
        overload.end_turn(true, at(62));
        assert!(!overload.begin_turn(backlog(Duration::from_millis(60)), at(122)));
        overload.end_turn(false, at(123));
        assert!(
            !overload.begin_turn(backlog(Duration::from_millis(60)), at(172)),
            "it has not been behind for long"
        );
        assert!(overload.begin_turn(backlog(Duration::from_millis(60)), at(173)));
    }

    #[test]
    fn a_shard_that_catches_up_after_a_pause_is_not_overloaded() {
        let mut overload = Overload::default();
        let begin = Instant::now();

        assert!(!overload.begin_turn(backlog(Duration::from_secs(1)), begin));
        overload.end_turn(false, begin);
        assert!(!overload.begin_turn(backlog(Duration::from_secs(1)), begin + Duration::from_millis(5)));
        overload.end_turn(true, begin + Duration::from_millis(9));
        assert!(!overload.begin_turn(backlog(Duration::from_millis(60)), begin + Duration::from_millis(70)));
    }

    #[test]
    fn a_shard_that_the_log_is_about_to_pass_is_overloaded_at_once_if_it_is_behind() {
        let lost = |millis| Backlog { age: Duration::from_millis(millis), is_soon_lost: true };
        let mut overload = Overload::default();
        let now = Instant::now();

        assert!(!overload.begin_turn(lost(12), now));
        overload.end_turn(false, now);
        assert!(!overload.begin_turn(lost(1), now), "a burst");
        assert!(overload.begin_turn(lost(12), now));
    }
}
