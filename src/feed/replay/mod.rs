//! The replay: recorded files as a feed.
//!
//! Data flows one way. `container` unpacks a file. A file, or each member of an archive, is a part, and its unpacked
//! content is a text. `text_lines` decodes a part into lines, and `records` cuts the lines into cells. `sniff` reads
//! the first lines and recognizes the layout: which column holds what, and how times and numbers are written. `scan`
//! reads all times once and finds their order. A `plan` holds every decision on a part that is made before its first
//! row is replayed. Then each `row` becomes one event or two, and `merge` puts the events of all parts together by
//! time.
//!
//! A row that cannot be used is rejected, counted and logged. It does not stop the feed, unless `strict` asks for that.
//!
//! A separate thread reads the files, at most a few thousand events ahead of the pump.

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

use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::error::FeedError;
use super::line_settings::LineSettings;
use super::printable::printable;
use super::reader::{self, BATCH, BatchSender, Batches};
use crate::market::Event;
use events::Events;
use merge::Merge;
use plan::Plan;
use settings::Settings;

pub use config::Config;
pub use expand::expand;
pub use extent::Extent;
pub use inspect::Inspection;
pub use layout::{Entry, LAYOUTS, Map, RecognizedBy, Role, RoleError};
pub use number::DecimalSign;
pub use time::DateOrder;
pub use zone::ZoneError;

/// Files that have been checked and can be replayed, any number of times.
#[derive(Debug)]
pub struct Replay {
    plans: Arc<[Plan]>,
}

impl Replay {
    /// Opens and checks all files.
    ///
    /// # Errors
    ///
    /// Returns an error for a file that does not exist, is not market data, or is too long to be sorted.
    pub fn open(config: &Config, lines: &LineSettings) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let settings = Arc::new(Settings::new(config, lines)?);
        let mut plans = Vec::new();
        for path in &config.files {
            plans.append(&mut open_all(&expand(path)?, &settings)?);
        }
        let replay = Self { plans: plans.into() };
        if replay.extent().is_none() && replay.plans.iter().any(|plan| plan.scan.span.is_some()) {
            warn!("no event lies between feed.replay.from and feed.replay.to");
        }
        Ok(replay)
    }

    /// Returns the extent of all files together; `None` if no row has a time.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        self.plans.iter().filter_map(Plan::extent).reduce(|one, other| Extent {
            first: one.first.min(other.first),
            last: one.last.max(other.last),
            rows: one.rows + other.rows,
        })
    }

    /// Reads each part to its end, and returns what was recognized in it.
    ///
    /// # Errors
    ///
    /// Returns an error if a part cannot be read to its end. With `strict`, also if a row is rejected.
    pub fn inspect(&self) -> impl Iterator<Item = Result<Inspection, FeedError>> {
        self.plans.iter().map(Inspection::of)
    }

    /// Returns all events in time order. They are read as the iterator is advanced.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read. With `strict`, also if a row is rejected.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Event, FeedError>>, FeedError> {
        merged(&self.plans)
    }

    /// Starts a reader at the beginning of the files. It gives batches of events, in time order.
    pub(super) fn batches(&self) -> Batches {
        let plans = Arc::clone(&self.plans);
        reader::start("files", move |batches| read(&plans, batches))
    }
}

/// Makes the plans of the files that one path stands for.
///
/// If there are several files, or several members of an archive, those that are not market data are ignored.
///
/// # Errors
///
/// Returns an error if none of them is market data, or if one cannot be read at all.
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

/// Returns the events of all parts, merged by time.
fn merged(plans: &[Plan]) -> Result<Merge<Events>, FeedError> {
    Ok(Merge::new(plans.iter().map(Plan::events).collect::<Result<_, _>>()?))
}

/// Sends all events in batches.
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
