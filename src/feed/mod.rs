//! Feeds: the sources of events, and the pace at which their events are published.
//!
//! A [`Feed`] produces batches of events. The events of a simulation or a replay are published according to a
//! [schedule]. The schedule maps an event's market time to the instant at which the event is due. With a
//! [`Control`], a user can pause, step or seek a feed, and change its speed. A feed at full speed ignores
//! due times, but waits for the readers of its events. Events on standard input are published as they arrive.
//!
//! [`open`] checks the feed's settings and input files, and returns an error if a setting or a file cannot be
//! used. On the bus, [`pump()`] publishes the feed's state, and each event when it is due. When a feed fails,
//! clients see the state `failed`, and the server stays up.

mod control;
mod cut_gaps;
mod error;
mod lateness;
mod line_settings;
mod lines;
mod pace;
mod printable;
mod pump;
mod reader;
mod reject_counters;
pub mod replay;
pub mod schedule;
pub mod simulated;
mod source;
mod speed;
mod standby;
mod status;
mod stdin;
mod symbol_gate;
mod wall_clock;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::market::{Event, FeedKind, Symbol, Time};
use crate::range::{self, Check, DAY, GIB, MILLION, MILLISECOND};

pub use control::{Control, ControlError, FeedCommand, QueuedCommand, RemoteFeed};
pub use cut_gaps::CutGaps;
pub use error::{ErrorClass, FeedError};
pub use line_settings::LineSettings;
pub use pace::Pace;
pub use printable::printable;
pub use pump::pump;
pub use reject_counters::RejectCounters;
pub use speed::{Speed, SpeedError};
pub use standby::{Difference, Place, Standby};
pub use status::Status;

use replay::Replay;
use schedule::Schedule;
use simulated::Hours;
use source::{Files, Source};
use status::Progress;
use symbol_gate::SymbolGate;
use wall_clock::WallClock;

/// The settings of the feed (`[feed]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The kind of the feed, i.e. `simulated`, `replay` or `stdin`.
    pub kind: FeedKind,
    /// If the feed's source gives no event for this long, the feed's state becomes `stalled`. Only the wait
    /// for the source counts: not the wait until an event is due, and not the wait for readers.
    #[serde(with = "humantime_serde")]
    pub stalled_after: Duration,
    /// Whether a replay or standard input starts only when the first client subscribes. A simulation never
    /// waits for a client.
    pub wait_for_client: bool,
    /// Whether the server ends when a replay or standard input has ended and the clients have got everything.
    pub exit_at_end: bool,
    /// The largest number of different symbols in the feed; events of further symbols are rejected. 0 means
    /// no limit.
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
            exit_at_end: false,
            symbols: 65_536,
            line_bytes: 64 * 1024,
            clock: schedule::Config::default(),
            simulated: simulated::Config::default(),
            replay: replay::Config::default(),
        }
    }
}

impl Config {
    /// Returns the checks for the values in `[feed]` and its subsections.
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

    /// Checks the settings of both the simulation and the replay, whatever the kind of the feed.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that cannot be used.
    pub fn check_settings(&self) -> Result<(), FeedError> {
        simulated::Simulation::new(&self.simulated)?;
        replay::check_settings(&self.replay)
    }

    /// Checks that the settings fit the kind of the feed, and that the files of a replay can be opened. Does
    /// not read the files' contents.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting does not fit the kind of the feed, or if a file cannot be opened.
    pub fn check_input(&self) -> Result<(), FeedError> {
        self.check_end()?;
        match self.kind {
            FeedKind::Simulated | FeedKind::Stdin => Ok(()),
            FeedKind::Replay => replay::check_files(&self.replay.files),
        }
    }

    /// Returns the pace at which the feed starts.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let has_schedule = self.kind != FeedKind::Stdin;
        Pace {
            is_paused: has_schedule && self.clock.paused,
            speed: has_schedule.then_some(self.clock.speed),
            repeats: (self.kind == FeedKind::Replay).then_some(self.replay.r#loop),
        }
    }

    /// Returns the seed and the start of a simulation, if they are set.
    #[must_use]
    pub fn origin(&self) -> (Option<u64>, Option<Time>) {
        let simulated = &self.simulated;
        let is_simulated = self.kind == FeedKind::Simulated;
        (simulated.seed.filter(|_| is_simulated), simulated.start.filter(|_| is_simulated))
    }

    /// Returns a text of all that determines the events of the feed, except the seed and the start of a
    /// simulation. Two feeds with the same text, seed and start have the same events.
    #[must_use]
    pub fn determinants(&self) -> String {
        let own = match self.kind {
            FeedKind::Simulated => {
                let simulated = simulated::Config { seed: None, start: None, ..self.simulated.clone() };
                toml::to_string(&simulated)
            }
            FeedKind::Replay => {
                // The folder of a file does not matter, since nodes may keep their files in different places.
                let name = |path: &PathBuf| {
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned().into()
                };
                let files = self.replay.files.iter().map(name).collect();
                toml::to_string(&replay::Config { files, r#loop: false, ..self.replay.clone() })
            }
            FeedKind::Stdin => Ok(String::new()),
        };
        let own = own.expect("the settings of a feed can be written as TOML");
        format!("{}\n{}\n{}\n{own}", self.kind, self.symbols, self.line_bytes)
    }

    /// Returns an error if the feed has no end, but a setting needs an end.
    fn check_end(&self) -> Result<(), FeedError> {
        match self.kind {
            FeedKind::Simulated if self.exit_at_end => Err(FeedError::NoEndOfSimulation),
            FeedKind::Replay if self.exit_at_end && self.replay.r#loop => Err(FeedError::NoEndOfLoop),
            FeedKind::Simulated | FeedKind::Replay | FeedKind::Stdin => Ok(()),
        }
    }

    /// Returns whether the simulation has more symbols than the setting `feed.symbols` allows.
    fn has_too_many_symbols(&self) -> bool {
        self.symbols > 0 && self.simulated.symbols.count() > self.symbols
    }

    /// Returns how long one slow client may keep the feed waiting; `None` for a feed that does not wait for
    /// clients.
    #[must_use]
    pub fn stall_timeout(&self) -> Option<Duration> {
        let waits = self.kind != FeedKind::Stdin && self.clock.speed == Speed::Max;
        waits.then_some(self.replay.stall_timeout)
    }
}

/// An opened feed that is not running yet. A server has only one feed. Dropping the feed stops the thread
/// that reads its input.
#[derive(Debug)]
pub struct Feed {
    /// The settings of the feed.
    config: Config,
    /// The seed and the start of a simulation, where the configuration gives them.
    given: (Option<u64>, Option<Time>),
    source: Source,
    /// The limit of symbols, and the symbols that the source has had so far.
    gate: SymbolGate,
    /// Events that were taken from the source already.
    pending: Vec<Event>,
    /// The schedule of the feed's events; `None` if events are published as they arrive.
    schedule: Option<Schedule>,
    /// The wall clock from which events get new times; `None` if the setting `feed.clock.retime` is off.
    wall_clock: Option<WallClock>,
    is_paused: bool,
    waits_for_client: bool,
    /// If the source gives no event for this long, the feed's state becomes `stalled`.
    stalled_after: Duration,
    /// How long one slow client may keep the feed waiting.
    stall_timeout: Duration,
    reject_counters: RejectCounters,
    progress: Progress,
    control: Control,
    commands: mpsc::Receiver<QueuedCommand>,
}

/// Opens the configured feed, and checks its settings and input files. Publishes no events.
///
/// # Errors
///
/// Returns an error if a setting is invalid. Returns an error if a file is missing, is not market data, or is
/// too long to be sorted.
pub fn open(config: &Config) -> Result<Feed, FeedError> {
    let reject_counters = RejectCounters::default();
    let lines = LineSettings { line_bytes: config.line_bytes, reject_counters: reject_counters.clone() };
    config.check_end()?;
    let given = config.origin();
    let config = &Config { simulated: config.simulated.resolved(), ..config.clone() };
    let source = match config.kind {
        FeedKind::Simulated if config.has_too_many_symbols() => {
            let (count, limit) = (config.simulated.symbols.count(), config.symbols);
            let fault = format!("{count} symbols are more than feed.symbols allows, which is {limit}");
            return Err(FeedError::Simulated { key: "symbols", fault });
        }
        FeedKind::Simulated => Source::Simulation(Box::new(simulated::Simulation::new(&config.simulated)?)),
        FeedKind::Replay => {
            Source::Files(Files::new(Replay::open(&config.replay, &lines)?, config.replay.r#loop))
        }
        FeedKind::Stdin => Source::Channel(stdin::open(lines)),
    };
    Ok(Feed { given, ..Feed::new(config, source, reject_counters) })
}

impl Feed {
    fn new(config: &Config, source: Source, reject_counters: RejectCounters) -> Self {
        let (kind, clock) = (config.kind, &config.clock);
        let has_schedule = kind != FeedKind::Stdin;
        let status = Status {
            speed: has_schedule.then_some(clock.speed),
            repeats: (kind == FeedKind::Replay).then_some(config.replay.r#loop),
            simulation: (kind == FeedKind::Simulated).then(|| config.simulated.clone().into()),
            files: if kind == FeedKind::Replay { config.replay.files.clone() } else { Vec::new() },
            extent: source.extent(),
            ..Status::new(kind)
        };
        let progress = Progress::new(status, clock.max_gap.is_some());
        let hours =
            if kind == FeedKind::Simulated { config.simulated.session.clone() } else { Hours::AllDay };
        let (control, commands) = Control::new(source.moments(), progress.clone());
        // A simulation has no more symbols, as `open` has checked.
        let symbols = if kind == FeedKind::Simulated { 0 } else { config.symbols };
        Self {
            config: config.clone(),
            given: config.origin(),
            source,
            gate: SymbolGate::new(symbols, reject_counters.clone()),
            pending: Vec::new(),
            schedule: has_schedule.then(|| Schedule::new(clock.speed, clock.max_gap, hours)),
            wall_clock: (has_schedule && clock.retime).then(|| WallClock::new(Time::now)),
            is_paused: has_schedule && clock.paused,
            waits_for_client: config.wait_for_client && kind != FeedKind::Simulated,
            stalled_after: config.stalled_after,
            stall_timeout: config.replay.stall_timeout,
            reject_counters,
            progress,
            control,
            commands,
        }
    }

    /// Returns the counters of the feed's rejected lines, rows and events.
    #[must_use]
    pub fn reject_counters(&self) -> &RejectCounters {
        &self.reject_counters
    }

    /// Returns the symbols that are known and [announced](crate::bus::Bus::announce) before the first event;
    /// `None` if a replay has too many symbols to store.
    #[must_use]
    pub fn announced_symbols(&self) -> Option<HashSet<Symbol>> {
        self.source.symbols()
    }

    /// Returns the handle that controls the feed. Commands that are sent through this handle are executed
    /// only while [`pump()`] runs.
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
