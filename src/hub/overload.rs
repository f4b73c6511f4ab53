//! Overload: a shard that cannot send every event in time sends the newest of each symbol and kind.
//!
//! A shard that is behind for a moment catches up and leaves nothing out. One that stays behind, or that the log is about
//! to pass, is overloaded for a turn: it folds all that the log has first, counts the events of each key, and gives its
//! `latest` clients the newest of each. All others count as merged. Then it goes on event by event: many events share a
//! write that way, which the newest of each key do not.

use std::time::Duration;

use tokio::time::Instant;

use crate::bus::{Backlog, Key, LastValueCache};
use crate::market::Kind;

/// A shard is overloaded that has not caught up for so long, and whose next event has waited for as long.
const BEHIND: Duration = Duration::from_millis(50);

/// One that the log is about to pass is not when its next event has waited for less: what comes in one burst is read in one.
const KEEPS_UP: Duration = Duration::from_millis(10);

/// Whether a shard is overloaded, by what is seen at each of its turns.
#[derive(Debug, Default)]
pub struct Overload {
    /// Since when it has not caught up.
    behind_since: Option<Instant>,
}

/// How many events of each key have come since they were taken last.
#[derive(Debug, Default)]
pub struct EventCounts {
    /// By the indexes of the symbols.
    counts: Vec<[u64; Kind::ALL.len()]>,
    /// The keys whose count is not 0.
    keys: Vec<Key>,
}

impl Overload {
    /// Takes in how far behind the shard is at the beginning of a turn; returns whether it is overloaded.
    pub fn begin_turn(&mut self, backlog: Backlog, now: Instant) -> bool {
        let Backlog { age, is_soon_lost } = backlog;
        let is_late = |since| now.duration_since(since) >= BEHIND && age >= BEHIND;
        self.behind_since.is_some_and(|since| is_late(since) || is_soon_lost && age >= KEEPS_UP)
    }

    /// Takes in whether the shard had caught up at the end of its turn.
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

    /// Takes all counts, in the order of the newest events of their keys.
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
            "it has just begun to be behind"
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
