//! The replay: a feed of events that are read from recorded files.
//!
//! The stages of a replay, in the order in which they work:
//!
//! - The folder `container` unpacks a file. In this code, a part is one file or one member of an archive, and
//!   a text is the content of a part.
//! - The module `text_lines` decodes a text into lines, and `records` splits the lines into cells.
//! - The folder `sniff` reads the first lines of a text and recognizes the layout: the columns, and the
//!   notation of times and numbers.
//! - The folder `scan` reads all times and symbols of a text once. It finds out whether the times rise or
//!   fall, and whether the rows are plausible.
//! - The folder `plan` stores what `sniff` and `scan` found out about one part.
//! - The folder `row` converts each row of a text to one or two events, and `events` puts them in order.
//! - The module `merge` merges the events of all parts by time.
//!
//! All stages share the folders `layout`, `number`, `time` and `zone`.
//!
//! A row that cannot be used is rejected and counted. The first few rejected rows are also logged. With the
//! setting `strict`, the first rejected row ends the replay with an error.
//!
//! A separate thread reads the files. The thread is never more than about 10,000 events ahead of the newest
//! published event.

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
mod number;
mod path;
mod plan;
mod reason;
mod records;
mod row;
mod scan;
mod settings;
mod sniff;
mod text_lines;
mod time;
mod words;
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
use plan::{Plan, warnings};
use scan::NamedSymbols;
use settings::Settings;

pub use config::Config;
pub use expand::expand;
pub use extent::Extent;
pub use inspect::Inspection;
pub use layout::{Entry, LAYOUTS, Map, RecognizedBy, Role, RoleError};
pub use moment::{MomentError, MomentParser};
pub use number::{DecimalSign, PriceNotation};
pub use plan::SymbolsInNames;
pub use sniff::UnusedColumn;
pub(super) use time::unix_time;
pub use time::{DateOrder, DigitNotation};
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

/// Checks that the files of a replay can be opened. Does not read the files.
///
/// # Errors
///
/// Returns an error if `paths` is empty, if a path leads to no file, or if a file cannot be opened.
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
    /// Returns an error if a file does not exist, or if all files of one configured path lack market data.
    /// Returns an error if a file is not in time order and has more than `sort_rows` rows. Returns an error if
    /// the names of two different instruments' files would give the same symbol.
    pub fn open(config: &Config, lines: &LineSettings) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let settings = Arc::new(Settings::new(config, lines)?);
        let mut plans = Vec::new();
        for path in &config.files {
            plans.append(&mut open_all(&expand(path)?, &settings)?);
        }
        SymbolsInNames::default().add(&plans)?;
        let mut symbols = NamedSymbols::default();
        for plan in &mut plans {
            symbols.append(mem::take(&mut plan.scan.symbols));
        }
        let moments = MomentParser { zone: settings.zone.clone(), date_order: settings.date_order };
        let replay = Self { plans: plans.into(), symbols, moments };
        if replay.extent().is_none() && replay.plans.iter().any(|plan| plan.scan.times.span.is_some()) {
            warn!("no event lies between feed.replay.from and feed.replay.to");
        }
        Ok(replay)
    }

    /// Returns the time range and the number of the rows between the settings `from` and `to`, for all files
    /// together; `None` if there are no such rows.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        self.plans.iter().filter_map(|plan| plan.scan.times.extent).reduce(Extent::and)
    }

    /// Checks that the names of these files and of earlier files do not give one symbol to two instruments.
    ///
    /// # Errors
    ///
    /// Returns an error for the first file whose name gives the symbol of another instrument's file.
    pub fn check_names(&self, earlier: &mut SymbolsInNames) -> Result<(), FeedError> {
        earlier.add(&self.plans)
    }

    /// Returns the symbols of all files; `None` if there are too many symbols to store.
    #[must_use]
    pub fn symbols(&self) -> Option<HashSet<Symbol>> {
        match &self.symbols {
            NamedSymbols::Few(symbols) => Some(symbols.iter().cloned().collect()),
            NamedSymbols::TooMany => None,
        }
    }

    /// Reads each part (a file, or a member of an archive) to its end. Returns an [`Inspection`] for each
    /// part.
    ///
    /// # Errors
    ///
    /// Returns an error if a part cannot be read to its end. With the setting `strict`, also returns an error
    /// if a row is rejected.
    pub fn inspect(&self) -> impl Iterator<Item = Result<Inspection, FeedError>> {
        self.plans.iter().map(Inspection::of)
    }

    /// Returns all events in time order. Files in time order are streamed, and other files are first sorted
    /// in memory.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read. With the setting `strict`, also returns an error if a row
    /// is rejected.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Event, FeedError>>, FeedError> {
        merged(&self.plans)
    }

    /// Returns a parser for times that a user enters. The parser assumes that a time without an offset from
    /// UTC is in the time zone of the files.
    #[must_use]
    pub fn moments(&self) -> MomentParser {
        self.moments.clone()
    }

    /// Starts a thread that reads the files from the beginning. Returns the events that the thread reads, in
    /// batches and in time order.
    pub(super) fn batches(&self) -> Batches {
        let plans = Arc::clone(&self.plans);
        reader::start("files", move |batches| read(&plans, batches))
    }
}

/// Opens the files of one configured path. Creates a plan for each part, i.e. for each file or each member of
/// an archive.
///
/// Files and archive members that are not market data are ignored, unless the setting `strict` is on.
///
/// # Errors
///
/// Returns an error if none of the files holds market data, or if a file cannot be read.
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
            Ok(plan) => {
                for warning in warnings(&plan) {
                    warn!(file = %plan.part, "{}", printable(&warning));
                }
                plans.push(plan);
            }
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

/// Reads all events of the files, and sends the events in batches until the receiver is dropped.
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
