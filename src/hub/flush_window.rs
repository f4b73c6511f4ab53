//! The flush window: how long a shard collects updates before it writes them.
//!
//! Collected updates save writes only if a client gets several of them in one window. So the shard counts how
//! many of its updates follow another update to the same client within a window. While the percentage of such
//! updates is high, the shard collects updates. While the percentage is low, the shard writes each update at
//! once.

use std::time::Duration;

use tokio::time::Instant;

/// The shard begins to collect when at least this percentage of its updates are shared. A shared update
/// follows another update to the same client within a window.
const COLLECT_FROM: u64 = 40;

/// The shard stops collecting when less than this percentage of its updates are shared. The gap between
/// `STOP_BELOW` and `COLLECT_FROM` prevents frequent changes.
const STOP_BELOW: u64 = 25;

/// The shard counts at least this many updates before it decides whether to collect. After each decision, the
/// counts are halved.
const JUDGED_UPDATES: u64 = 512;

/// Decides whether a shard collects updates.
#[derive(Debug)]
pub(super) struct FlushWindow {
    /// How long updates are collected at most; zero means never.
    longest: Duration,
    is_collecting: bool,
    /// When the current window ends; `None` before the first batch.
    end: Option<Instant>,
    number: WindowNumber,
    /// The number of recent updates.
    updates: u64,
    /// The number of recent updates that followed another update to the same client within a window.
    shared: u64,
}

/// The number of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowNumber(u32);

impl FlushWindow {
    /// Returns the flush window of a shard that has written nothing.
    pub(super) fn new(longest: Duration) -> Self {
        let number = WindowNumber::default();
        Self { longest, is_collecting: false, end: None, number, updates: 0, shared: 0 }
    }

    /// Returns how long updates are collected for now.
    pub(super) fn collect_for(&self) -> Duration {
        if self.is_collecting { self.longest } else { Duration::ZERO }
    }

    /// If the current window has ended, begins a new window. Returns the number of the window that is now
    /// current.
    pub(super) fn enter(&mut self, now: Instant) -> WindowNumber {
        if self.end.is_none_or(|end| now >= end) {
            self.end = Some(now + self.longest);
            self.number.0 = self.number.0.wrapping_add(1);
        }
        self.number
    }

    /// Records a batch. `updates` is the number of updates in the batch, summed over all clients. `first` is
    /// how many of these updates were a client's first update in the current window.
    pub(super) fn record(&mut self, updates: u64, first: u64) {
        self.updates += updates;
        self.shared += updates.saturating_sub(first);
        if self.updates < JUDGED_UPDATES {
            return;
        }
        let percent = self.shared * 100 / self.updates;
        self.is_collecting = percent >= if self.is_collecting { STOP_BELOW } else { COLLECT_FROM };
        self.updates /= 2;
        self.shared /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(2);

    /// Records a series of batches, one every `period`. Each batch has one update for each of `clients`
    /// clients. Returns how long the shard then collects updates.
    fn collected_after(
        window: &mut FlushWindow,
        now: &mut Instant,
        clients: u64,
        period: Duration,
    ) -> Duration {
        let mut last = WindowNumber::default();
        for _ in 0..4 * JUDGED_UPDATES {
            let number = window.enter(*now);
            let is_first = std::mem::replace(&mut last, number) != number;
            window.record(clients, if is_first { clients } else { 0 });
            *now += period;
        }
        window.collect_for()
    }

    #[test]
    fn updates_are_collected_while_they_share_writes() {
        let (mut window, mut now) = (FlushWindow::new(LONGEST), Instant::now());
        let mut collected = |clients, period| collected_after(&mut window, &mut now, clients, period);

        assert_eq!(collected(1000, 3 * LONGEST), Duration::ZERO);
        assert_eq!(collected(1000, LONGEST / 4), LONGEST);
        assert_eq!(collected(1, LONGEST / 2), LONGEST);
        assert_eq!(collected(1, 2 * LONGEST), Duration::ZERO);
    }

    #[test]
    fn a_share_between_the_limits_changes_nothing() {
        for (is_collecting, expected) in [(false, Duration::ZERO), (true, LONGEST)] {
            let mut window = FlushWindow { is_collecting, ..FlushWindow::new(LONGEST) };

            window.record(JUDGED_UPDATES, JUDGED_UPDATES * 7 / 10);

            assert_eq!(window.collect_for(), expected);
        }
    }

    #[test]
    fn a_window_of_zero_never_collects() {
        let (mut window, mut now) = (FlushWindow::new(Duration::ZERO), Instant::now());

        assert_eq!(collected_after(&mut window, &mut now, 1000, Duration::ZERO), Duration::ZERO);
    }
}
