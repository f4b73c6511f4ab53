//! The progress bar of a replay on a terminal.
//!
//! The bar shows the status of the feed. Log lines are printed above the bar.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::interval;

use crate::feed::{Control, Status};
use crate::market::{FeedKind, FeedState, Time};

/// The time between two drawings of the bar.
const PERIOD: Duration = Duration::from_millis(200);

/// The value at which the bar is full: the bar measures progress in thousandths.
const PARTS: u16 = 1000;

/// A progress bar on standard error. The bar is visible only for a replay on a terminal.
#[derive(Debug)]
pub struct Bar(ProgressBar);

/// A writer to standard error that hides the bar during each write.
#[derive(Clone, Debug)]
pub struct Around(ProgressBar);

impl Bar {
    /// Returns a bar that is not drawn yet.
    #[must_use]
    pub fn new(kind: FeedKind) -> Self {
        let target = match kind {
            FeedKind::Replay => ProgressDrawTarget::stderr(),
            FeedKind::Simulated | FeedKind::Stdin => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:20} {percent:>3}%  {wide_msg}");
        let style = style.expect("the template is well-formed").progress_chars("━╸ ");
        Self(ProgressBar::with_draw_target(Some(u64::from(PARTS)), target).with_style(style))
    }

    /// Returns the writer that prints log lines above the bar.
    #[must_use]
    pub fn writer(&self) -> Around {
        Around(self.0.clone())
    }

    /// Draws the progress of the feed until the future is dropped. Hides the bar while the feed is `ended` or
    /// `failed`.
    pub async fn show(&self, control: &Control) -> Infallible {
        let mut period = interval(PERIOD);
        loop {
            period.tick().await;
            let status = control.status();
            match status.state {
                FeedState::Ended | FeedState::Failed { .. } => self.0.finish_and_clear(),
                _ => {
                    if self.0.is_finished() {
                        self.0.reset();
                    }
                    self.0.set_message(text(&status));
                    self.0.set_position(part(&status));
                }
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Write for Around {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Returns the replay's progress within the time span of its files, in thousandths.
fn part(status: &Status) -> u64 {
    let (Some(extent), Some(position)) = (status.extent, status.position) else { return 0 };
    let whole = extent.last.since(extent.first).as_nanos().max(1);
    let parts = position.since(extent.first).as_nanos() * u128::from(PARTS) / whole;
    u64::try_from(parts).unwrap_or(u64::from(PARTS))
}

/// Returns the text beside the bar: market time, events per second, and the remaining time or the feed's
/// state.
fn text(status: &Status) -> String {
    // The time is rounded down to seconds, to keep the line short.
    let second = |time: Time| Time::from_nanos(time.as_nanos().div_euclid(1_000_000_000) * 1_000_000_000);
    let position = status.position.map(|time| format!("{}  ", second(time))).unwrap_or_default();
    let rest = match (&status.state, status.ends_in) {
        (FeedState::Running, Some(left)) => format!("{} left", FormattedDuration(left)),
        (FeedState::Running, None) => String::new(),
        (state, _) => state.name().to_owned(),
    };
    format!("{position}{} events/s  {rest}", status.rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::replay::Extent;

    #[test]
    fn the_text_and_the_bar_show_position_rate_progress_and_remaining_time() {
        let time = |text: &str| format!("2024-01-03T{text}Z").parse().unwrap();
        let extent = Extent { first: time("14:00:00"), last: time("15:00:00"), rows: 9 };
        let running = Status {
            state: FeedState::Running,
            position: Some(time("14:15:00")),
            rate: 120,
            extent: Some(extent),
            ends_in: Some(Duration::from_mins(45)),
            ..Status::new(FeedKind::Replay)
        };
        let paused = Status { state: FeedState::Paused, position: None, ..running.clone() };

        assert_eq!(text(&running), "2024-01-03T14:15:00Z  120 events/s  00:45:00 left");
        assert_eq!(part(&running), 250);
        assert_eq!(text(&paused), "120 events/s  paused");
        assert_eq!(part(&paused), 0);
    }
}
