//! The schedule tells when a moment of market time is due on the machine's clock.
//!
//! All due times are computed from one anchor: a moment of market time, and the instant at which that moment
//! was due. Therefore delays do not add up, and a late feed can catch up with its schedule. A pause, a step,
//! a seek and a change of speed move the anchor. The anchor also moves if a long gap between events is cut
//! short, if a lap of a loop begins, or if the process stood still.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::cut_gaps::CutGaps;
use super::simulated::Hours;
use super::speed::Speed;
use crate::market::Time;
use crate::range::{self, Check, DAY, MILLISECOND};

/// The longest wait that the schedule computes, about 34 years. A longer wait could overflow when it is added
/// to an instant.
const FAR: Duration = Duration::from_secs(1 << 30);

/// The settings of the schedule (`[feed.clock]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The number of seconds of market time that pass in one second of real time. At the speed `"max"`, the
    /// feed runs without a schedule, and waits only for clients with `delivery=every`.
    pub speed: Speed,
    /// The longest allowed gap between two events, in market time. If a gap is longer, the excess is skipped.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub max_gap: Option<Duration>,
    /// Whether each event gets the wall-clock time at which it is due, instead of its own time.
    pub retime: bool,
    /// Whether the feed starts paused.
    pub paused: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { speed: Speed::Factor(1.0), max_gap: None, retime: false, paused: false }
    }
}

impl Config {
    /// Returns a check for each number and time in the section `[feed.clock]` of the configuration.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            // A speed out of its range is not parsed.
            range::text("speed", Speed::FORM, true),
            range::time("max_gap", self.max_gap, MILLISECOND..=365 * DAY),
        ]
    }
}

/// Maps market times to the instants at which events are due.
#[derive(Debug)]
pub struct Schedule {
    speed: Speed,
    max_gap: Option<Duration>,
    /// The trading hours. The time between two sessions is skipped.
    hours: Hours,
    /// The end of the session of the newest market time.
    close: Time,
    anchor: Option<Anchor>,
    /// The newest market time that was scheduled or published.
    newest: Option<Time>,
    /// The instant at which the schedule was paused; `None` while the schedule runs.
    paused_at: Option<Instant>,
    cut_gaps: CutGaps,
}

/// A moment of market time, and the instant at which it is due.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    time: Time,
    at: Instant,
}

impl Schedule {
    /// Creates a schedule that has no anchor yet, so that the first event will be due at once.
    #[must_use]
    pub fn new(speed: Speed, max_gap: Option<Duration>, hours: Hours) -> Self {
        let close = Time::from_nanos(i64::MIN);
        let cut_gaps = CutGaps::default();
        Self { speed, max_gap, hours, close, anchor: None, newest: None, paused_at: None, cut_gaps }
    }

    /// Returns the speed.
    #[must_use]
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Returns the number of gaps that were cut short so far, and how much market time was skipped in them.
    #[must_use]
    pub fn cut_gaps(&self) -> CutGaps {
        self.cut_gaps
    }

    /// Returns the instant at which a moment of market time is due.
    ///
    /// The moment given in the first call becomes the anchor, and is due now. If a moment is before the
    /// anchor, it is due at the same instant as the anchor. At the speed `max`, every moment is due now.
    ///
    /// Call this function in the order of the events. Repeated calls for the same moment are allowed.
    pub fn due(&mut self, time: Time) -> Instant {
        let now = self.now();
        let Speed::Factor(factor) = self.speed else { return now };
        self.cut_gap(time);
        let anchor = *self.anchor.get_or_insert(Anchor { time, at: now });
        let wait = Duration::try_from_secs_f64(time.since(anchor.time).as_secs_f64() / factor);
        anchor.at + wait.unwrap_or(FAR).min(FAR)
    }

    /// Moves the anchor to an event that was just published, even if the event was not due yet.
    pub fn published_now(&mut self, time: Time) {
        self.anchor = Some(Anchor { time, at: self.now() });
        self.newest = Some(time);
    }

    /// Pauses the schedule.
    pub fn pause(&mut self) {
        self.paused_at.get_or_insert_with(Instant::now);
    }

    /// Resumes the schedule. All due times move into the future by the length of the pause.
    pub fn resume(&mut self) {
        if let (Some(paused_at), Some(anchor)) = (self.paused_at.take(), &mut self.anchor) {
            anchor.at += paused_at.elapsed();
        }
    }

    /// Delays all due times by `by`: the duration for which the process stood still.
    pub fn delay(&mut self, by: Duration) {
        if let Some(anchor) = &mut self.anchor {
            anchor.at += by;
        }
    }

    /// Changes the speed. `next` is the market time of the next event. If the feed is late, market time
    /// continues at `next`, so that the feed is on time again.
    pub fn set_speed(&mut self, speed: Speed, next: Option<Time>) {
        let at = self.now();
        self.anchor = self.anchor.map(|anchor| {
            let reached = anchor.time_at(at, self.speed);
            Anchor { time: next.or(self.newest).map_or(reached, |next| next.min(reached)), at }
        });
        self.speed = speed;
    }

    /// Skips market time, so that the moment `time` is due at most `gap` of market time after the newest moment.
    pub fn skip_to(&mut self, time: Time, gap: Duration) {
        if let (Some(newest), Some(anchor)) = (&mut self.newest, &mut self.anchor) {
            let skipped = time.since(*newest).saturating_sub(gap);
            anchor.time = anchor.time.later(skipped);
            *newest = newest.later(skipped);
        }
    }

    /// Drops the anchor. After this call, the next event is due at once.
    pub fn reset(&mut self) {
        self.anchor = None;
        self.newest = None;
        self.close = Time::from_nanos(i64::MIN);
    }

    /// Returns the current instant. While the schedule is paused, returns the instant at which the pause
    /// began.
    fn now(&self) -> Instant {
        self.paused_at.unwrap_or_else(Instant::now)
    }

    /// Moves the anchor by the time for which trading is closed between two market times, and returns this time.
    fn skip_closed_hours(&mut self, from: Time, time: Time) -> Duration {
        if time < self.close {
            return Duration::ZERO;
        }
        let session = |time: Time| self.hours.session(time.as_nanos());
        let (Some(before), Some(after)) = (session(from), session(time)) else { return Duration::ZERO };
        self.close = Time::from_nanos(after.end);
        let closed = Time::from_nanos(after.start).since(Time::from_nanos(before.end));
        if let Some(anchor) = &mut self.anchor {
            anchor.time = anchor.time.later(closed);
        }
        closed
    }

    fn cut_gap(&mut self, time: Time) {
        let from = self.newest.unwrap_or(time);
        self.newest = Some(from.max(time));
        let closed = self.skip_closed_hours(from, time);
        let (Some(max_gap), Some(anchor)) = (self.max_gap, &mut self.anchor) else { return };
        let skipped = time.since(from).saturating_sub(closed).saturating_sub(max_gap);
        if !skipped.is_zero() {
            anchor.time = anchor.time.later(skipped);
            self.cut_gaps.add(skipped);
        }
    }
}

impl Anchor {
    /// Returns the market time that is due at the instant `now`.
    fn time_at(self, now: Instant, speed: Speed) -> Time {
        let Speed::Factor(factor) = speed else { return self.time };
        let passed = (now - self.at).as_secs_f64() * factor;
        self.time.later(Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn time(text: &str) -> Time {
        format!("2024-01-03T{text}Z").parse().unwrap()
    }

    fn schedule(factor: f64) -> Schedule {
        Schedule::new(Speed::Factor(factor), None, Hours::AllDay)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_speed_scales_the_time_between_two_moments() {
        let start = Instant::now();
        let mut schedule = schedule(60.0);

        assert_eq!(schedule.due(time("14:30:00")), start);
        assert_eq!(schedule.due(time("14:31:00")), start + SECOND);
        assert_eq!(schedule.due(time("14:30:00.060")), start + Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_between_two_sessions_is_skipped() {
        let start = Instant::now();
        let hours = "09:30-16:00 America/New_York".parse().unwrap();
        let mut schedule = Schedule::new(Speed::Factor(1.0), None, hours);

        assert_eq!(schedule.due(time("20:59:59")), start);
        let next_day: Time = "2024-01-04T14:30:01Z".parse().unwrap();
        assert_eq!(schedule.due(next_day), start + 2 * SECOND);
        assert_eq!(schedule.due(next_day.later(SECOND)), start + 3 * SECOND);
        assert_eq!(schedule.cut_gaps(), CutGaps::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_moves_nothing_that_comes_later() {
        let start = Instant::now();
        let mut schedule = schedule(1.0);
        schedule.due(time("14:30:00"));

        advance(7 * SECOND).await;

        assert_eq!(schedule.due(time("14:30:10")), start + 10 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_before_the_first_one_is_due_at_once() {
        let start = Instant::now();
        let mut schedule = schedule(1.0);
        schedule.due(time("14:30:00"));

        assert_eq!(schedule.due(time("14:29:00")), start);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_due_in_a_million_years_overflows_nothing() {
        let start = Instant::now();
        let mut schedule = schedule(1e-9);
        schedule.due("1700-01-01T00:00:00Z".parse().unwrap());

        assert_eq!(schedule.due("2200-01-01T00:00:00Z".parse().unwrap()), start + FAR);
        schedule.set_speed(Speed::Factor(f64::MAX), None);
        advance(SECOND).await;
        schedule.set_speed(Speed::Factor(1.0), None);
        assert_eq!(schedule.due(time("14:30:00")), start + SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_adds_its_own_time_and_nothing_else() {
        let start = Instant::now();
        let mut schedule = schedule(10.0);
        schedule.due(time("14:30:00"));

        advance(SECOND).await;
        schedule.pause();
        advance(SECOND).await;
        schedule.pause();
        advance(SECOND).await;
        schedule.resume();
        schedule.resume();

        assert_eq!(schedule.due(time("14:30:50")), start + 7 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn another_speed_counts_from_the_moment_of_its_change() {
        let start = Instant::now();
        let mut schedule = schedule(1.0);
        schedule.due(time("14:30:00"));

        advance(10 * SECOND).await;
        schedule.set_speed(Speed::Factor(60.0), Some(time("14:31:00")));

        assert_eq!(schedule.due(time("14:31:10")), start + 11 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_feed_is_on_time_after_a_change_of_speed() {
        let mut schedule = schedule(1000.0);
        schedule.due(time("14:30:00"));

        advance(SECOND).await;
        schedule.set_speed(Speed::Factor(1.0), Some(time("14:30:05")));

        assert_eq!(schedule.due(time("14:30:05")), Instant::now());
        assert_eq!(schedule.due(time("14:30:06")), Instant::now() + SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn after_full_speed_time_goes_on_from_the_newest_event() {
        let mut schedule = Schedule::new(Speed::Max, None, Hours::AllDay);
        schedule.published_now(time("14:30:00"));

        advance(5 * SECOND).await;
        assert_eq!(schedule.due(time("18:00:00")), Instant::now());
        schedule.set_speed(Speed::Factor(1.0), Some(time("14:30:02")));

        assert_eq!(schedule.due(time("14:30:02")), Instant::now() + 2 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn time_continues_at_an_event_that_was_published_early() {
        let mut schedule = schedule(1.0);
        schedule.due(time("14:30:00"));
        schedule.pause();
        schedule.published_now(time("15:00:00"));

        advance(5 * SECOND).await;
        schedule.resume();

        assert_eq!(schedule.due(time("15:00:01")), Instant::now() + SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_cut_to_the_maximum_and_the_excess_is_counted() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Speed::Factor(2.0), Some(10 * SECOND), Hours::AllDay);
        schedule.due(time("14:30:00"));

        assert_eq!(schedule.due(time("14:30:10")), start + 5 * SECOND);
        assert_eq!(schedule.cut_gaps(), CutGaps::default());
        for _ in 0..2 {
            assert_eq!(schedule.due(time("14:30:21")), start + 10 * SECOND);
        }
        assert_eq!(schedule.due(time("14:30:23")), start + 11 * SECOND);
        assert_eq!(schedule.cut_gaps(), CutGaps { gaps: 1, time: SECOND });
    }

    #[tokio::test(start_paused = true)]
    async fn a_skip_to_a_moment_leaves_a_short_wait_before_it() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Speed::Factor(2.0), Some(10 * SECOND), Hours::AllDay);
        schedule.due(time("14:30:00"));
        schedule.due(time("14:30:04"));

        schedule.skip_to(time("20:00:00"), SECOND);

        assert_eq!(schedule.due(time("20:00:00")), start + 5 * SECOND / 2);
        assert_eq!(schedule.due(time("20:00:10")), start + 15 * SECOND / 2);
        assert_eq!(schedule.cut_gaps(), CutGaps::default());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_reset_the_next_moment_is_due_at_once() {
        let mut schedule = Schedule::new(Speed::Factor(1.0), Some(SECOND), Hours::AllDay);
        schedule.due(time("14:30:00"));
        advance(SECOND).await;

        schedule.reset();

        assert_eq!(schedule.due(time("18:00:00")), Instant::now());
        assert_eq!(schedule.cut_gaps(), CutGaps::default());
    }
}
