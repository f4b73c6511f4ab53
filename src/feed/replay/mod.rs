//! The replay: recorded files as a feed.
//!
//! A layout tells which column is what, times and numbers what a cell stands for, a
//! row what happened; a file gives its rows in time order, and a merge puts several files
//! together. A row that cannot be used is skipped, counted and logged; it never stops the feed.
//!
//! Files are read on a thread of their own, at most some thousand events ahead of what is published.

mod file;
mod layout;
mod merge;
mod number;
mod records;
mod row;
mod symbol;
mod time;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{BATCH, FeedError, READ_AHEAD, Speed};
use crate::market::{Event, Symbol, Time};
use file::Source;
use merge::Merge;

/// Each lap of a loop begins so much market time after the last event of the lap before.
const BETWEEN_LAPS: Duration = Duration::from_secs(1);

/// Recorded files (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The files, merged by time; of equal times, the earlier file's events come first.
    pub files: Vec<PathBuf>,
    /// Seconds of market time a second, or `"max"`: as fast as clients with `delivery=every` read.
    pub speed: Speed,
    /// Whether it begins again after its end. Times go on rising: each lap is moved to begin one second after
    /// the last event of the lap before.
    pub r#loop: bool,
    /// The symbol of files that have no column for it; where it is not given, the file's name tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// At full speed, a client with `delivery=every` that holds up the replay for this long is closed.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// A file that is not in time order is sorted in memory, up to so many rows, at about 200 bytes each.
    pub sort_rows: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            speed: Speed::Factor(1.0),
            r#loop: false,
            symbol: None,
            stall_timeout: Duration::from_secs(10),
            sort_rows: 2_000_000,
        }
    }
}

/// Opens all files, and begins to read them: batches of events, in time order.
///
/// # Errors
///
/// A file that is not there, is no market data, or is too long to be sorted.
pub fn open(config: &Config) -> Result<mpsc::Receiver<Result<Vec<Event>, FeedError>>, FeedError> {
    if config.files.is_empty() {
        return Err(FeedError::NoFiles);
    }
    let symbol: Option<Symbol> = config
        .symbol
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|source| FeedError::Symbol { key: "feed.replay.symbol", source })?;
    let open = |path: &PathBuf| Source::open(path, symbol.as_ref(), config.sort_rows);
    let sources: Vec<Source> = config.files.iter().map(open).collect::<Result<_, _>>()?;
    let laps = if config.r#loop { u64::MAX } else { 1 };
    let (batches, receiver) = mpsc::channel(READ_AHEAD);
    // It ends with the files, or with the receiver: nobody has to wait for it.
    thread::spawn(move || {
        if let Err(error) = read(&sources, laps, &batches) {
            // Nobody is left to be told.
            let _ = batches.blocking_send(Err(error));
        }
    });
    Ok(receiver)
}

/// Sends all events of all laps.
fn read(
    sources: &[Source],
    laps: u64,
    batches: &mpsc::Sender<Result<Vec<Event>, FeedError>>,
) -> Result<(), FeedError> {
    let mut shift = Duration::ZERO;
    for lap in 0..laps {
        let inputs = sources.iter().map(|source| source.events(lap)).collect::<Result<_, _>>()?;
        let mut events = Merge::new(inputs)?;
        let mut span: Option<(Time, Time)> = None;
        loop {
            let mut failure = None;
            let good = |event: Result<Event, _>| event.map_err(|error| failure = Some(error)).ok();
            let mut batch: Vec<Event> = events.by_ref().take(BATCH).map_while(good).collect();
            if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
                span = Some((span.map_or(first.time, |(begin, _)| begin), last.time));
                for event in &mut batch {
                    event.time = event.time.later(shift);
                }
                if batches.blocking_send(Ok(batch)).is_err() {
                    return Ok(());
                }
            } else if failure.is_none() {
                break;
            }
            failure.map_or(Ok(()), Err)?;
        }
        // A lap without an event would be followed by another one for ever.
        let Some((begin, end)) = span else { return Ok(()) };
        shift = shift.saturating_add(end.since(begin)).saturating_add(BETWEEN_LAPS);
    }
    Ok(())
}
