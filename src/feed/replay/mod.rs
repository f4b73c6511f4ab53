//! The replay: recorded files as a feed.
//!
//! The steps of a replay:
//!
//! 1. `container` unpacks a file. A part is one file or one member of an archive. A text is the content of
//!    a part.
//! 2. `text_lines` decodes a text into lines, and `records` splits the lines into cells.
//! 3. `sniff` reads the first lines and recognizes the layout: the columns, and the forms of times and
//!    numbers.
//! 4. `scan` reads all times and symbols once, and finds the order of the times.
//! 5. `plan` stores the results of steps 3 and 4 for one part.
//! 6. `row` converts each row to one or two events.
//! 7. `merge` merges the events of all parts by time.
//!
//! A row that cannot be used is rejected and counted. The first few rejected rows are also logged. With
//! `strict`, the first rejected row ends the replay with an error.
//!
//! A separate thread reads the files. The thread is at most about 10,000 events ahead of publication.

mod cells;
mod character_encoding;
mod config;
mod container;
mod events;
mod expand;
mod extent;
mod inspect;
mod layout;
mod merge;
mod moment;
mod named_symbols;
mod number;
mod path;
mod plan;
mod records;
mod rejected_rows;
mod row;
mod scan;
mod settings;
mod sniff;
mod text_lines;
mod time;
pub(super) mod zone;

use std::collections::HashSet;
use std::fs::File;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::error::FeedError;
use super::line_settings::LineSettings;
use super::printable::printable;
use super::reader::{self, BATCH, BatchSender, Batches};
use super::reject_counters::RejectCounters;
use crate::market::{Event, Symbol};
use events::Events;
use merge::Merge;
use named_symbols::NamedSymbols;
use plan::Plan;
use settings::Settings;

pub use config::Config;
pub use expand::expand;
pub use extent::Extent;
pub use inspect::Inspection;
pub use layout::{Entry, LAYOUTS, Map, RecognizedBy, Role, RoleError};
pub use moment::{MomentError, MomentParser};
pub use number::DecimalSign;
pub use time::DateOrder;
pub(super) use time::unix_time;
pub use zone::ZoneError;

/// Checked files, which can be replayed any number of times.
#[derive(Debug)]
pub struct Replay {
    plans: Arc<[Plan]>,
    symbols: NamedSymbols,
    moments: MomentParser,
}

/// Checks the settings of a replay.
///
/// # Errors
///
/// Returns an error that names the first invalid setting.
pub(super) fn check_settings(config: &Config) -> Result<(), FeedError> {
    let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
    Settings::new(config, &lines).map(drop)
}

/// Checks that the files of a replay can be opened. Does not read them.
///
/// # Errors
///
/// Returns an error if `paths` is empty, if a path names no file, or if a file cannot be opened.
pub(super) fn check_files(paths: &[PathBuf]) -> Result<(), FeedError> {
    if paths.is_empty() {
        return Err(FeedError::NoFiles);
    }
    for path in paths {
        for file in expand(path)? {
            File::open(&file).map_err(|source| FeedError::Open { path: file, source })?;
        }
    }
    Ok(())
}

impl Replay {
    /// Opens and checks all files.
    ///
    /// # Errors
    ///
    /// Returns an error if a file does not exist, if no file of a path is market data, or if a file out of
    /// time order has more than `sort_rows` rows.
    pub fn open(config: &Config, lines: &LineSettings) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let settings = Arc::new(Settings::new(config, lines)?);
        let mut plans = Vec::new();
        for path in &config.files {
            plans.append(&mut open_all(&expand(path)?, &settings)?);
        }
        let mut symbols = NamedSymbols::default();
        for plan in &mut plans {
            symbols.append(mem::take(&mut plan.scan.symbols));
        }
        let moments = MomentParser { zone: settings.zone.clone(), date_order: settings.date_order };
        let replay = Self { plans: plans.into(), symbols, moments };
        if replay.extent().is_none() && replay.plans.iter().any(|plan| plan.scan.span.is_some()) {
            warn!("no event lies between feed.replay.from and feed.replay.to");
        }
        Ok(replay)
    }

    /// Returns the extent of all files together; `None` if no file has times between `from` and `to`.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        self.plans.iter().filter_map(Plan::extent).reduce(|one, other| Extent {
            first: one.first.min(other.first),
            last: one.last.max(other.last),
            rows: one.rows + other.rows,
        })
    }

    /// Returns the symbols of all files; `None` if there are too many to store.
    #[must_use]
    pub fn symbols(&self) -> Option<HashSet<Symbol>> {
        match &self.symbols {
            NamedSymbols::Few(symbols) => Some(symbols.clone()),
            NamedSymbols::TooMany => None,
        }
    }

    /// Reads each part to its end, and returns the inspection of each part.
    ///
    /// # Errors
    ///
    /// Returns an error if a part cannot be read to its end, or, with `strict`, if a row is rejected.
    pub fn inspect(&self) -> impl Iterator<Item = Result<Inspection, FeedError>> {
        self.plans.iter().map(Inspection::of)
    }

    /// Returns all events in time order. Files in time order are streamed; other files are sorted in memory
    /// first.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read, or, with `strict`, if a row is rejected.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Event, FeedError>>, FeedError> {
        merged(&self.plans)
    }

    /// Returns a parser for times that a person gives. A time without an offset is in the zone of the files.
    #[must_use]
    pub fn moments(&self) -> MomentParser {
        self.moments.clone()
    }

    /// Starts a thread that reads the files from the beginning. Returns the batches of events that the thread
    /// reads, in time order.
    pub(super) fn batches(&self) -> Batches {
        let plans = Arc::clone(&self.plans);
        reader::start("files", move |batches| read(&plans, batches))
    }
}

/// Opens `files`, the files of one path. Creates a plan for each part of each file.
///
/// Parts that are not market data are ignored, unless `strict` is set.
///
/// # Errors
///
/// Returns an error if no part is market data, or if a file cannot be read.
fn open_all(files: &[PathBuf], settings: &Arc<Settings>) -> Result<Vec<Plan>, FeedError> {
    let mut parts = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match container::parts(file) {
            Ok(of_file) => parts.extend(of_file),
            Err(error) => errors.push(error),
        }
    }
    let mut plans = Vec::new();
    for part in parts {
        match Plan::open(part, settings) {
            Ok(plan) => plans.push(plan),
            Err(error) => errors.push(error),
        }
    }
    let is_grave = |error: &FeedError| plans.is_empty() || settings.is_strict || !error.is_of_another_kind();
    if let Some(grave) = errors.iter().position(is_grave) {
        return Err(errors.swap_remove(grave));
    }
    for error in errors {
        warn!(error = printable(&error.in_full()), "ignored a file that is not market data");
    }
    Ok(plans)
}

fn merged(plans: &[Plan]) -> Result<Merge<Events>, FeedError> {
    Ok(Merge::new(plans.iter().map(Plan::events).collect::<Result<_, _>>()?))
}

/// Reads all events, and sends them in batches until the receiver is dropped.
fn read(plans: &[Plan], batches: &BatchSender) -> Result<(), FeedError> {
    let mut events = merged(plans)?;
    loop {
        let mut failure = None;
        let good = |event: Result<Event, _>| event.map_err(|error| failure = Some(error)).ok();
        let batch: Vec<Event> = events.by_ref().take(BATCH).map_while(good).collect();
        let is_over = batch.is_empty();
        if !is_over && !reader::send(batches, batch) {
            return Ok(());
        }
        failure.map_or(Ok(()), Err)?;
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
