//! The replay: recorded files as a feed.
//!
//! A file comes in one or several parts, undone of what it is packed by and how its characters are coded. A survey of a
//! part's first lines tells the layout: which column is what, and how times and numbers are written. A pass over its
//! times tells the order. Then its rows are read in time order, and a merge puts several parts together. A row that
//! cannot be used is skipped, counted and logged; it never stops the feed, unless that is asked for.
//!
//! Files are read on a thread of their own, at most some thousand events ahead of what is published.

mod cells;
mod config;
mod container;
mod expand;
mod extent;
mod file;
mod inspect;
mod layout;
mod merge;
mod number;
mod order;
mod path;
mod reading;
mod records;
mod rejected_rows;
mod row;
mod survey;
mod text;
mod text_lines;
mod time;
pub(super) mod zone;

use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::error::FeedError;
use super::line_settings::LineSettings;
use super::lines::harmless;
use super::reader::{self, BATCH, BatchSender, Batches};
use crate::market::Event;
use file::{Events, Source};
use merge::Merge;
use reading::Reading;

pub use config::Config;
pub use expand::expand;
pub use extent::Extent;
pub use inspect::Inspection;
pub use layout::{Entry, LAYOUTS, Map, Role, RoleError, ToldBy};
pub use number::DecimalSign;
pub use time::DateOrder;
pub use zone::ZoneError;

/// Files that can be replayed, checked and ready to be read, as often as it is asked for.
#[derive(Debug)]
pub struct Replay {
    sources: Arc<[Source]>,
}

impl Replay {
    /// Opens and checks all files.
    ///
    /// # Errors
    ///
    /// A file that is not there, is no market data, or is too long to be sorted.
    pub fn open(config: &Config, lines: &LineSettings) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let reading = Arc::new(Reading::new(config, lines)?);
        let mut sources = Vec::new();
        for path in &config.files {
            sources.append(&mut open_all(&expand(path)?, &reading)?);
        }
        let replay = Self { sources: sources.into() };
        if replay.extent().is_none() && replay.sources.iter().any(|source| source.pass.span.is_some()) {
            warn!("no event lies between feed.replay.from and feed.replay.to");
        }
        Ok(replay)
    }

    /// What lies in the files together; `None` where no row has a time.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        self.sources.iter().filter_map(Source::extent).reduce(|one, other| Extent {
            first: one.first.min(other.first),
            last: one.last.max(other.last),
            rows: one.rows + other.rows,
        })
    }

    /// What is understood of each part, read to its end.
    ///
    /// # Errors
    ///
    /// A part cannot be read to its end; with `strict`, a row of it cannot be used.
    pub fn inspect(&self) -> impl Iterator<Item = Result<Inspection, FeedError>> {
        self.sources.iter().map(Inspection::of)
    }

    /// All events, in time order, read as they are asked for.
    ///
    /// # Errors
    ///
    /// A file cannot be read; with `strict`, a row of it cannot be used.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Event, FeedError>>, FeedError> {
        merged(&self.sources)
    }

    /// Begins to read the files from their start: batches of events, in time order.
    pub(super) fn batches(&self) -> Batches {
        let sources = Arc::clone(&self.sources);
        reader::start("files", move |batches| read(&sources, batches))
    }
}

/// Opens what one path means. Among several files or members of an archive, those that are no market data are passed over.
///
/// # Errors
///
/// None of them is market data, or one cannot be read at all.
fn open_all(files: &[PathBuf], reading: &Arc<Reading>) -> Result<Vec<Source>, FeedError> {
    let mut parts = Vec::new();
    let mut refused = Vec::new();
    for file in files {
        match container::parts(file) {
            Ok(of_file) => parts.extend(of_file),
            Err(error) => refused.push(error),
        }
    }
    let mut sources = Vec::new();
    for part in parts {
        match Source::open(part, reading) {
            Ok(source) => sources.push(source),
            Err(error) => refused.push(error),
        }
    }
    let is_grave = |error: &FeedError| sources.is_empty() || reading.is_strict || !error.is_of_another_kind();
    if let Some(grave) = refused.iter().position(is_grave) {
        return Err(refused.swap_remove(grave));
    }
    for error in refused {
        warn!(error = harmless(&error.in_full()), "passed over");
    }
    Ok(sources)
}

/// The events of all parts, in time order.
fn merged(sources: &[Source]) -> Result<Merge<Events>, FeedError> {
    Ok(Merge::new(sources.iter().map(Source::events).collect::<Result<_, _>>()?))
}

/// Sends all events.
fn read(sources: &[Source], batches: &BatchSender) -> Result<(), FeedError> {
    let mut events = merged(sources)?;
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
