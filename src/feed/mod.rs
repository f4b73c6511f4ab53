//! Feeds: the sources of events, and the pace at which their events are published.
//!
//! A [`Feed`] produces batches of events. A simulation or a replay has a [schedule]. The schedule maps an
//! event's market time to the instant at which the event is due. A [`Control`] can pause, step or seek a
//! feed, and change its speed. A replay at full speed has no due times, but waits for its readers. Events on
//! standard input are published as they arrive.
//!
//! [`open`] checks the input, and returns an error if the input cannot be used. [`pump()`] publishes due
//! events and the feed's state on the bus. When a feed fails, clients see the state `failed`, and the server
//! stays up.

mod control;
mod error;
mod instruments;
mod lateness;
mod line_settings;
mod lines;
mod printable;
mod pump;
mod reader;
mod reject_counters;
pub mod replay;
pub mod schedule;
pub mod simulated;
mod source;
mod speed;
mod status;
mod stdin;
mod symbol_gate;
mod wall_clock;

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::market::{FeedKind, Symbol};
use crate::range::{self, Check, DAY, GIB, MILLION, MILLISECOND};

pub use control::{Control, ControlError, FeedCommand};
pub use error::{ErrorClass, FeedError};
pub use line_settings::LineSettings;
pub use printable::printable;
pub use pump::pump;
pub use reject_counters::RejectCounters;
pub use speed::{Speed, SpeedError};
pub use status::Status;

use control::QueuedCommand;
use replay::Replay;
use schedule::Schedule;
use source::{Files, Source};
use status::Progress;

/// The settings of the feed (`[feed]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The kind of feed: `simulated`, `replay` or `stdin`.
    pub kind: FeedKind,
    /// A feed becomes `stalled` when its source delivers no event for this duration. The time during which
    /// the feed waits for its schedule or its readers does not count.
    #[serde(with = "humantime_serde")]
    pub stalled_after: Duration,
    /// Whether a replay or standard input waits for the first subscriber. A simulation never waits for a
    /// subscriber.
    pub wait_for_client: bool,
    /// The largest number of symbols; events of further symbols are rejected. 0 means no limit.
    pub symbols: usize,
    /// The longest line of a file or of standard input, in bytes; longer lines are rejected. 0 means no
    /// limit.
    pub line_bytes: usize,
    /// The settings of the schedule of a replay or a simulation.
    pub clock: schedule::Config,
    /// The settings of the simulation.
    pub simulated: simulated::Config,
    /// The settings of the replay.
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
            clock: schedule::Config::default(),
            simulated: simulated::Config::default(),
            replay: replay::Config::default(),
        }
    }
}

impl Config {
    /// Returns a check for each kind, number and time of the section.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let own = [
            range::text("kind", "simulated, replay or stdin", true),
            range::time("stalled_after", self.stalled_after, MILLISECOND..=DAY),
            range::whole_number("symbols", self.symbols, 0..=10 * MILLION as usize),
            range::whole_number("line_bytes", self.line_bytes, 0..=GIB as usize),
        ];
        own.into_iter()
            .chain(range::section("clock", self.clock.checks()))
            .chain(range::section("simulated", self.simulated.checks()))
            .chain(range::section("replay", self.replay.checks()))
            .collect()
    }

    /// Checks the settings of the simulation and of the replay, even if the feed is of another kind.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that cannot be used.
    pub fn check_settings(&self) -> Result<(), FeedError> {
        simulated::Walk::new(&self.simulated)?;
        replay::check_settings(&self.replay)
    }

    /// Checks that the settings fit the kind of the feed, and that the files of a replay can be opened. Does
    /// not read the files.
    ///
    /// # Errors
    ///
    /// Returns an error for a setting that does not fit, or for a file that cannot be opened.
    pub fn check_input(&self) -> Result<(), FeedError> {
        match self.kind {
            FeedKind::Simulated if self.clock.speed == Speed::Max => Err(FeedError::Endless),
            FeedKind::Simulated | FeedKind::Stdin => Ok(()),
            FeedKind::Replay => replay::check_files(&self.replay.files),
        }
    }

    /// Returns whether the simulation has more symbols than the feed may have.
    fn has_too_many_symbols(&self) -> bool {
        self.symbols > 0 && self.simulated.symbols.count() > self.symbols
    }

    /// Returns how long a client may keep the feed waiting; `None` for a feed that is not flow-controlled.
    #[must_use]
    pub fn stall_timeout(&self) -> Option<Duration> {
        let waits = self.kind == FeedKind::Replay && self.clock.speed == Speed::Max;
        waits.then_some(self.replay.stall_timeout)
    }
}

/// The only feed of a running server. Dropping the feed stops its reader thread.
#[derive(Debug)]
pub struct Feed {
    source: Source,
    /// The schedule; `None` if events are published as they arrive.
    schedule: Option<Schedule>,
    retime: bool,
    is_paused: bool,
    waits_for_client: bool,
    /// The feed becomes stalled when its source delivers no event for this duration.
    stalled_after: Duration,
    /// How long a client may keep the feed waiting.
    stall_timeout: Duration,
    symbols: usize,
    reject_counters: RejectCounters,
    progress: Progress,
    control: Control,
    commands: mpsc::Receiver<QueuedCommand>,
}

/// Opens the configured feed. Checks the settings and the input files before the first event.
///
/// # Errors
///
/// Returns an error for invalid settings. Returns an error for a file that is missing, is not market data, or
/// is too long to be sorted.
pub fn open(config: &Config) -> Result<Feed, FeedError> {
    let reject_counters = RejectCounters::default();
    let lines = LineSettings { line_bytes: config.line_bytes, reject_counters: reject_counters.clone() };
    let source = match config.kind {
        FeedKind::Simulated if config.clock.speed == Speed::Max => return Err(FeedError::Endless),
        FeedKind::Simulated if config.has_too_many_symbols() => {
            let (count, limit) = (config.simulated.symbols.count(), config.symbols);
            let fault = format!("{count} symbols are more than feed.symbols allows, which is {limit}");
            return Err(FeedError::Simulated { key: "symbols", fault });
        }
        FeedKind::Simulated => Source::Walk(Box::new(simulated::Walk::new(&config.simulated)?)),
        FeedKind::Replay => {
            Source::Files(Files::new(Replay::open(&config.replay, &lines)?, config.replay.r#loop))
        }
        FeedKind::Stdin => Source::Channel(stdin::open(lines)),
    };
    Ok(Feed::new(config, source, reject_counters))
}

impl Feed {
    fn new(config: &Config, source: Source, reject_counters: RejectCounters) -> Self {
        let (kind, clock) = (config.kind, &config.clock);
        let has_schedule = kind != FeedKind::Stdin;
        let status = Status {
            speed: has_schedule.then_some(clock.speed),
            repeats: (kind == FeedKind::Replay).then_some(config.replay.r#loop),
            configured_rate: (kind == FeedKind::Simulated).then_some(config.simulated.rate.get()),
            files: if kind == FeedKind::Replay { config.replay.files.clone() } else { Vec::new() },
            seed: (kind == FeedKind::Simulated).then_some(config.simulated.seed),
            extent: source.extent(),
            ..Status::new(kind)
        };
        let progress = Progress::new(status, clock.max_gap.is_some());
        let (control, commands) = Control::new(kind, source.moments(), progress.clone());
        Self {
            source,
            schedule: has_schedule.then(|| Schedule::new(clock.speed, clock.max_gap)),
            retime: has_schedule && clock.retime,
            is_paused: has_schedule && clock.paused,
            waits_for_client: config.wait_for_client && kind != FeedKind::Simulated,
            stalled_after: config.stalled_after,
            stall_timeout: config.replay.stall_timeout,
            symbols: config.symbols,
            reject_counters,
            progress,
            control,
            commands,
        }
    }

    /// Returns the counters of rejected lines, rows and events.
    #[must_use]
    pub fn reject_counters(&self) -> &RejectCounters {
        &self.reject_counters
    }

    /// Returns the symbols that the feed [announces](crate::bus::Bus::announce) before its first event;
    /// `None` if the feed has too many symbols.
    #[must_use]
    pub fn announced_symbols(&self) -> Option<HashSet<Symbol>> {
        self.source.symbols()
    }

    /// Returns the control. The control's commands are executed only while [`pump()`] runs.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_of_more_symbols_than_the_feed_may_have_is_an_error() {
        let config: Config = toml::from_str("symbols = 499\nsimulated.symbols = 500").unwrap();

        assert_eq!(
            open(&config).unwrap_err().to_string(),
            "feed.simulated.symbols: 500 symbols are more than feed.symbols allows, which is 499"
        );
        assert!(open(&Config { symbols: 500, ..config.clone() }).is_ok());
        assert!(open(&Config { symbols: 0, ..config }).is_ok());
    }

    #[test]
    fn the_default_configuration_comes_back_from_toml() {
        let text = toml::to_string(&Config::default()).unwrap();

        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default(), "{text}");
    }
}
