//! Feeds: where events come from, and at what pace they are published.
//!
//! A [`Feed`] is a stream of batches of events. A simulated or replayed one says when each event is due,
//! by its own market time; a replay at full speed goes as fast as its readers; a live one is published as
//! it comes. [`open`] finds out at once what cannot be read. [`pump`] moves what is due to the bus and
//! says there how the feed fares: a feed that fails is told to clients, and the server stays.

mod clock;
mod error;
mod lines;
mod pump;
pub mod replay;
pub mod simulated;
mod skipped;
mod stdin;

use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use crate::market::{Event, FeedKind};

pub use clock::{Speed, SpeedError};
pub use error::{ErrorClass, FeedError};
pub use pump::pump;
pub use skipped::Skipped;

use clock::Schedule;
use replay::Replay;

/// At most this many events are published, and read from a file, at a time.
const BATCH: usize = 1024;
/// So many batches are read from a file or from standard input before they are asked for; then the reader
/// waits.
const READ_AHEAD: usize = 8;

/// Where events come from (`[feed]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which feed runs: `simulated`, `replay` or `stdin`.
    pub kind: FeedKind,
    /// A feed is `stalled` when nothing has come for this long, unless it waits for its schedule or its readers.
    #[serde(with = "humantime_serde")]
    pub stalled_after: Duration,
    /// Whether a replay or standard input waits for the first subscriber; a simulation never does.
    pub wait_for_client: bool,
    /// How many symbols there may be; events of more are skipped. 0 for no limit.
    pub symbols: usize,
    /// The longest line of a file or of standard input, in bytes; longer ones are skipped. 0 for no limit.
    pub line_bytes: usize,
    /// The random walk.
    pub simulated: simulated::Config,
    /// Recorded files.
    pub replay: replay::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: FeedKind::Simulated,
            stalled_after: Duration::from_secs(30),
            wait_for_client: false,
            symbols: 65_536,
            line_bytes: 64 * 1024,
            simulated: simulated::Config::default(),
            replay: replay::Config::default(),
        }
    }
}

impl Config {
    /// How long a client may keep the feed waiting; `None` for a feed that waits for nobody.
    #[must_use]
    pub fn stall_timeout(&self) -> Option<Duration> {
        let waits = self.kind == FeedKind::Replay && self.replay.speed == Speed::Max;
        waits.then_some(self.replay.stall_timeout)
    }
}

/// Batches of events in the order in which they are to be published; none is empty.
type Batches = Pin<Box<dyn Stream<Item = Result<Vec<Event>, FeedError>> + Send>>;

/// The one source of events of a running server. Dropping it ends whatever reads for it.
pub struct Feed {
    batches: Batches,
    pace: Pace,
    waits_for_client: bool,
    /// How long nothing may come from where it comes from.
    stalled_after: Duration,
    symbols: usize,
    skipped: Skipped,
}

/// How lines are read, and where it is counted which are not.
#[derive(Clone, Debug)]
pub struct Input {
    /// The longest line, in bytes; 0 for no limit.
    pub line_bytes: usize,
    /// What is counted.
    pub skipped: Skipped,
}

/// When the events of a feed are published.
enum Pace {
    /// When their market time is due.
    Scheduled(Schedule),
    /// As fast as the readers of the bus go.
    Unscheduled,
    /// As they come.
    Live,
}

/// Opens the configured feed and checks all that can be checked before its first event.
///
/// # Errors
///
/// Settings that cannot be, and a file that is not there, is no market data, or is too long to be sorted.
pub fn open(config: &Config) -> Result<Feed, FeedError> {
    let skipped = Skipped::default();
    let input = Input { line_bytes: config.line_bytes, skipped: skipped.clone() };
    let (batches, pace): (Batches, _) = match config.kind {
        FeedKind::Simulated => {
            let mut walk = simulated::Walk::new(&config.simulated)?;
            let batches = iter::from_fn(move || Some(Ok(walk.by_ref().take(BATCH / 4).collect())));
            (Box::pin(tokio_stream::iter(batches)), Pace::Scheduled(Schedule::new(1.0)))
        }
        FeedKind::Replay => {
            let batches = ReceiverStream::new(Replay::open(&config.replay, &input)?.batches());
            let pace = match config.replay.speed {
                Speed::Factor(factor) => Pace::Scheduled(Schedule::new(factor)),
                Speed::Max => Pace::Unscheduled,
            };
            (Box::pin(batches), pace)
        }
        FeedKind::Stdin => (Box::pin(ReceiverStream::new(stdin::open(input))), Pace::Live),
    };
    Ok(Feed {
        batches,
        pace,
        waits_for_client: config.wait_for_client && config.kind != FeedKind::Simulated,
        stalled_after: config.stalled_after,
        symbols: config.symbols,
        skipped,
    })
}

impl Feed {
    /// What it has passed over.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }
}

impl Stream for Feed {
    /// Events in the order in which they are to be published, or what ends the feed; never an empty batch.
    type Item = Result<Vec<Event>, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.as_mut().poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_comes_back_from_toml() {
        let text = toml::to_string(&Config::default()).unwrap();

        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default(), "{text}");
    }
}
