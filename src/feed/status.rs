//! The status of a feed. The pump updates the status, and any thread can read the status.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::cut_gaps::CutGaps;
use super::replay::Extent;
use super::simulated;
use super::speed::Speed;
use crate::market::{FeedKind, FeedState, Time};

/// The state and the progress of a feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The kind of feed.
    pub kind: FeedKind,
    /// The state.
    pub state: FeedState,
    /// The market time of the newest event. Directly after a seek, the position is the target of the seek. In
    /// a replay, the position is a time as written in the files. The shift that a loop adds to later laps is
    /// not included.
    pub position: Option<Time>,
    /// The speed of market time; `None` for a feed from standard input.
    pub speed: Option<Speed>,
    /// Whether a replay starts again at its end; `None` for other feeds.
    pub repeats: Option<bool>,
    /// The number of events published in the last second.
    pub rate: u64,
    /// The settings of a simulation; `None` for other feeds.
    pub simulation: Option<Arc<simulated::Config>>,
    /// How late the newest events were published, compared with the schedule. The lateness is `None` at the
    /// speed `max`, and before the first event.
    pub lateness: Option<Duration>,
    /// The number of events published since the start. Neither a seek nor a new lap of a looping replay
    /// resets this number.
    pub events: u64,
    /// The files of a replay, as written in the configuration.
    pub files: Vec<PathBuf>,
    /// The time range and the row count of a replay, between the settings `from` and `to`.
    pub extent: Option<Extent>,
    /// The number of gaps that the schedule cut short, and how much market time was skipped in them.
    pub cut_gaps: CutGaps,
    /// The time until the end of the feed, at the current speed and without pauses.
    ///
    /// The remaining time is `None` for a feed without an end. The remaining time is also `None` if
    /// `feed.clock.max_gap` is set, because the gaps that will be cut are not known in advance.
    pub ends_in: Option<Duration>,
}

/// A status that is updated by the pump and read by other threads.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    status: Status,
    /// The status of a feed that runs elsewhere; `None` for a feed of this process.
    remote: Option<Status>,
    meter: Meter,
    /// Whether the schedule cuts long gaps, so that the remaining time cannot be computed.
    cuts_gaps: bool,
    /// The number of events of a replay that were published or skipped in the current pass over the files.
    consumed: u64,
    /// The market time of the next event, directly after a seek; `None` after an event.
    next: Option<Time>,
}

impl Status {
    /// Creates the status of a feed that has not started.
    #[must_use]
    pub fn new(kind: FeedKind) -> Self {
        Self {
            kind,
            state: FeedState::Starting,
            position: None,
            speed: None,
            repeats: None,
            rate: 0,
            simulation: None,
            lateness: None,
            events: 0,
            files: Vec::new(),
            extent: None,
            cut_gaps: CutGaps::default(),
            ends_in: None,
        }
    }
}

impl Progress {
    /// Creates the shared status of a feed that has not started.
    #[must_use]
    pub fn new(status: Status, cuts_gaps: bool) -> Self {
        let meter = Meter::new();
        Self(Arc::new(Mutex::new(Inner { status, remote: None, meter, cuts_gaps, consumed: 0, next: None })))
    }

    /// Returns the current status.
    #[must_use]
    pub fn status(&self) -> Status {
        let inner = self.inner();
        if let Some(remote) = &inner.remote {
            return remote.clone();
        }
        let rate = inner.meter.rate();
        Status { rate, ends_in: inner.ends_in(rate), ..inner.status.clone() }
    }

    /// Sets the kind of a feed that runs elsewhere.
    pub fn set_kind(&self, kind: FeedKind) {
        self.inner().status.kind = kind;
    }

    /// Sets the status of a feed that runs elsewhere.
    pub fn set_remote(&self, status: Status) {
        self.inner().remote = Some(status);
    }

    /// Sets the state. Returns whether the state changed.
    pub fn enter(&self, state: &FeedState) -> bool {
        let mut inner = self.inner();
        let is_new = inner.status.state != *state;
        inner.status.state.clone_from(state);
        is_new
    }

    /// Records that `count` events were published. `head` is the newest sequence number. `position` is the
    /// time of the newest event, without the shift that a loop adds to later laps.
    pub fn published(&self, count: usize, head: u64, position: Option<Time>) {
        let mut inner = self.inner();
        inner.status.events = head;
        if position.is_some() && position < inner.status.position {
            // Within a lap, positions never fall, so a new lap has begun.
            inner.consumed = 0;
        }
        inner.status.position = position.or(inner.status.position);
        inner.next = None;
        inner.consumed += count as u64;
        inner.meter.add(count as u64);
    }

    /// Records a seek to `position`. `next` is the time of the first event after the seek, which is due at
    /// once. `consumed` is the number of events in the files before that position.
    pub fn set_position(&self, position: Time, next: Option<Time>, consumed: u64) {
        let mut inner = self.inner();
        inner.status.position = Some(position);
        inner.status.lateness = None;
        inner.next = next;
        inner.consumed = consumed;
    }

    /// Records whether the replay starts again at its end.
    pub fn set_repeats(&self, repeats: bool) {
        self.inner().status.repeats = Some(repeats);
    }

    /// Records the schedule's speed, its cut gaps, and the lateness of the newest events.
    pub fn set_schedule(&self, speed: Speed, cut_gaps: CutGaps, lateness: Option<Duration>) {
        let mut inner = self.inner();
        inner.status.speed = Some(speed);
        inner.status.cut_gaps = cut_gaps;
        inner.status.lateness = lateness;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves the status consistent, so a poisoned lock can still be used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn ends_in(&self, rate: u64) -> Option<Duration> {
        let Status { state, position, speed, extent, repeats, .. } = &self.status;
        let has_known_end = !self.cuts_gaps && *repeats != Some(true);
        let extent = (*extent).filter(|_| has_known_end)?;
        if state.is_last() {
            return None;
        }
        let seconds = match (*speed)? {
            Speed::Factor(factor) => {
                let from = self.next.or(*position).unwrap_or(extent.first);
                extent.last.since(from).as_secs_f64() / factor
            }
            Speed::Max => {
                let left = u32::try_from(extent.rows.saturating_sub(self.consumed)).unwrap_or(u32::MAX);
                f64::from(left) / f64::from(u32::try_from(rate).unwrap_or(u32::MAX))
            }
        };
        // At a rate of zero, the quotient is not finite, and the result is `None`.
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Counts the events of the last second, with a separate count for each tenth of a second.
#[derive(Debug)]
struct Meter {
    start: Instant,
    /// The number of events in each tenth of a second, from the newest tenth to the oldest. The first count
    /// may still grow; the ten others are final.
    counts: [u64; 1 + TENTHS],
    newest: u128,
}

const TENTHS: usize = 10;

impl Meter {
    fn new() -> Self {
        Self { start: Instant::now(), counts: [0; 1 + TENTHS], newest: 0 }
    }

    fn add(&mut self, count: u64) {
        let elapsed_tenths = self.elapsed_tenths();
        self.newest = self.tenth();
        // `elapsed_tenths` is at most the length, so the rotation cannot panic.
        self.counts.rotate_right(elapsed_tenths);
        self.counts[..elapsed_tenths].fill(0);
        self.counts[0] += count;
    }

    /// Returns the number of events in the ten full tenths of a second before the current tenth.
    fn rate(&self) -> u64 {
        let elapsed_tenths = self.elapsed_tenths();
        let over = 1_usize.saturating_sub(elapsed_tenths)..self.counts.len() - elapsed_tenths;
        self.counts[over].iter().sum()
    }

    /// Returns how many tenths of a second have passed since the newest count began. The result is at most
    /// the length of `counts`.
    fn elapsed_tenths(&self) -> usize {
        usize::try_from(self.tenth() - self.newest).unwrap_or(usize::MAX).min(self.counts.len())
    }

    fn tenth(&self) -> u128 {
        self.start.elapsed().as_millis() / 100
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};

    use tokio::time::advance;

    use super::*;

    fn at(second: i64) -> Time {
        Time::from_nanos(second * 1_000_000_000)
    }

    fn progress(speed: Speed, cuts_gaps: bool) -> Progress {
        let status = Status {
            state: FeedState::Running,
            speed: Some(speed),
            extent: Some(Extent { first: at(100), last: at(160), rows: 5000 }),
            ..Status::new(FeedKind::Replay)
        };
        Progress::new(status, cuts_gaps)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_of_the_last_second() {
        let progress = progress(Speed::Max, false);
        for _ in 0..200 {
            progress.published(1, 0, None);
            advance(Duration::from_millis(10)).await;
        }

        assert_eq!(progress.status().rate, 100);
        advance(Duration::from_millis(500)).await;
        assert_eq!(progress.status().rate, 50);
        advance(Duration::from_hours(1)).await;
        assert_eq!(progress.status().rate, 0);
        progress.published(7, 0, None);
        advance(Duration::from_millis(100)).await;
        assert_eq!(progress.status().rate, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn the_remaining_time_depends_on_the_speed() {
        let progress = progress(Speed::Factor(10.0), false);
        assert_eq!(progress.status().ends_in, Some(Duration::from_secs(6)));

        progress.published(1, 1, Some(at(130)));
        assert_eq!(progress.status().ends_in, Some(Duration::from_secs(3)));
        progress.set_position(at(140), Some(at(150)), 9);
        assert_eq!(
            progress.status().ends_in,
            Some(Duration::from_secs(1)),
            "the gap after a seek is passed over"
        );
        progress.enter(&FeedState::Ended);
        assert_eq!(progress.status().ends_in, None);
    }

    #[tokio::test(start_paused = true)]
    async fn at_full_speed_the_remaining_time_depends_on_the_rate() {
        let progress = progress(Speed::Max, false);
        assert_eq!(progress.status().ends_in, None);

        progress.published(1000, 1000, Some(at(101)));
        advance(Duration::from_millis(100)).await;

        assert_eq!(progress.status().ends_in, Some(Duration::from_secs(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_while_the_status_is_locked_does_not_block_other_threads() {
        let progress = progress(Speed::Max, false);
        let held = panic::catch_unwind(AssertUnwindSafe(|| {
            let _inner = progress.inner();
            panic!("a fault on purpose");
        }));
        assert!(held.is_err());

        let failed = FeedState::Failed { detail: "a fault on purpose".to_owned() };
        assert!(progress.enter(&failed));

        assert_eq!(progress.status().state, failed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_and_a_feed_that_cuts_gaps_have_no_known_end() {
        assert_eq!(progress(Speed::Factor(1.0), true).status().ends_in, None);
        let looped = progress(Speed::Factor(1.0), false);
        looped.set_repeats(true);
        assert_eq!(looped.status().ends_in, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_remaining_events_are_those_of_the_lap() {
        let progress = progress(Speed::Max, false);
        progress.set_repeats(true);
        for _ in 0..3 {
            progress.published(4000, 4000, Some(at(150)));
            progress.published(1000, 5000, Some(at(160)));
        }
        progress.published(1000, 16_000, Some(at(101)));

        progress.set_repeats(false);
        advance(Duration::from_millis(100)).await;

        assert_eq!(progress.status().ends_in, Some(Duration::from_millis(250)));
    }
}
