//! The source of a feed's events: a simulation, files, or a channel.
//!
//! Files are read again from their start after a seek, and when a looping replay begins its next lap. A lap
//! is one pass over all files. The times of each lap are whole days later than those of the previous lap, so
//! that they keep rising and the times of day stay the same.

use std::collections::HashSet;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio_stream::Stream;
use tracing::warn;

use super::error::FeedError;
use super::reader::{BATCH, Batches};
use super::replay::{Extent, MomentParser, Replay};
use super::simulated::Simulation;
use crate::market::{Event, Symbol, Time};

/// The wait between the last event of a lap and the first event of the next lap, in market time.
pub const BETWEEN_LAPS: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_hours(24);

/// The source of a feed's events.
#[derive(Debug)]
pub enum Source {
    /// A simulated market.
    Simulation(Box<Simulation>),
    /// Recorded files.
    Files(Files),
    /// A channel that another task or thread fills with events.
    Channel(Batches),
}

/// Files that are read once or in a loop.
#[derive(Debug)]
pub struct Files {
    replay: Replay,
    batches: Batches,
    repeats: bool,
    /// During the current lap of a loop, this duration is added to the times from the files.
    shift: Duration,
    /// The first and the last time of the current lap so far, as written in the files.
    span: Option<(Time, Time)>,
    /// Whether the newest batch is the first of a lap after the first lap.
    is_lap_start: bool,
    /// Whether the loop has ended because the times of the next lap would be after the year 2262.
    is_out_of_time: bool,
}

impl Source {
    /// Converts the time of an event to the time in its file, by subtracting the shift of the current lap.
    /// The event must belong to the newest batch of events.
    pub fn own_time(&self, time: Time) -> Time {
        match self {
            Self::Files(files) => time.earlier(files.shift),
            Self::Simulation(_) | Self::Channel(_) => time,
        }
    }

    /// Returns whether the newest batch of events belongs to the first lap, i.e. to the first pass over the
    /// files.
    pub fn is_first_lap(&self) -> bool {
        match self {
            Self::Files(files) => files.shift.is_zero(),
            Self::Simulation(_) | Self::Channel(_) => true,
        }
    }

    /// Returns the market time of the feed after a seek to `target`.
    pub fn position(&self, target: Time) -> Time {
        match self {
            Self::Files(files) => {
                files.replay.extent().map_or(target, |extent| target.clamp(extent.first, extent.last))
            }
            Self::Simulation(simulation) => target.max(simulation.start()),
            Self::Channel(_) => target,
        }
    }

    /// Returns whether the newest batch of events begins a new lap of a loop.
    pub fn is_lap_start(&self) -> bool {
        matches!(self, Self::Files(files) if files.is_lap_start)
    }

    /// Returns the time range and the row count of the files; `None` for other sources.
    pub fn extent(&self) -> Option<Extent> {
        match self {
            Self::Files(files) => files.extent(),
            Self::Simulation(_) | Self::Channel(_) => None,
        }
    }

    /// Returns the symbols that are known before the first event; `None` if the source has too many symbols.
    pub fn symbols(&self) -> Option<HashSet<Symbol>> {
        match self {
            Self::Simulation(simulation) => Some(simulation.symbols().cloned().collect()),
            Self::Files(files) => files.replay.symbols(),
            Self::Channel(_) => Some(HashSet::new()),
        }
    }

    /// Returns a parser for times that a user enters. The parser uses the time zone of the files.
    pub fn moments(&self) -> MomentParser {
        match self {
            Self::Files(files) => files.replay.moments(),
            Self::Simulation(_) | Self::Channel(_) => MomentParser::default(),
        }
    }
}

impl Stream for Source {
    /// A non-empty batch of events in publishing order, or the error that ends the source.
    type Item = Result<Vec<Event>, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Self::Simulation(simulation) => {
                let batch: Vec<Event> = simulation.by_ref().take(BATCH / 4).collect();
                Poll::Ready((!batch.is_empty()).then_some(Ok(batch)))
            }
            Self::Files(files) => files.poll_next(context),
            Self::Channel(batches) => batches.poll_recv(context),
        }
    }
}

impl Files {
    /// Starts to read the files.
    pub fn new(replay: Replay, repeats: bool) -> Self {
        let batches = replay.batches();
        let (is_lap_start, is_out_of_time) = (false, false);
        Self { replay, batches, repeats, shift: Duration::ZERO, span: None, is_lap_start, is_out_of_time }
    }

    /// Starts to read the files from the beginning again, as in the first lap of a loop.
    pub fn restart(&mut self) {
        self.batches = self.replay.batches();
        self.shift = Duration::ZERO;
        self.span = None;
        self.is_out_of_time = false;
    }

    /// Returns the time range and the row count of the files.
    pub fn extent(&self) -> Option<Extent> {
        self.replay.extent()
    }

    /// Returns whether the loop has ended because the times of the next lap would be after the year 2262.
    pub fn is_out_of_time(&self) -> bool {
        self.is_out_of_time
    }

    /// Sets whether the files are read again after their end. If `repeats` is true and the files have ended,
    /// a new lap of the loop begins.
    pub fn set_repeats(&mut self, repeats: bool) {
        self.repeats = repeats;
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<Event>, FeedError>>> {
        loop {
            let next = ready!(self.batches.poll_recv(context));
            // A lap without events ends the loop. Otherwise, empty laps would follow each other for ever.
            if let (None, true, Some((first, last))) = (&next, self.repeats, self.span) {
                let days = last.since(first).as_secs() / DAY.as_secs() + 1;
                let shift = self.shift + Duration::from_secs(days * DAY.as_secs());
                if last.later(shift).earlier(shift) != last {
                    self.is_out_of_time = true;
                    return Poll::Ready(None);
                }
                (self.batches, self.shift, self.span) = (self.replay.batches(), shift, None);
                continue;
            }
            if next.is_none() && self.repeats && !self.shift.is_zero() {
                warn!("a lap of the loop gave no event, so the loop ends");
            }
            return Poll::Ready(next.map(|batch| batch.map(|batch| self.moved(batch))));
        }
    }

    fn moved(&mut self, mut batch: Vec<Event>) -> Vec<Event> {
        if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
            self.is_lap_start = self.span.is_none() && !self.shift.is_zero();
            self.span = Some((self.span.map_or(first.time, |(begin, _)| begin), last.time));
        }
        for event in &mut batch {
            event.time = event.time.later(self.shift);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio_stream::StreamExt;

    use super::*;
    use crate::feed::{LineSettings, RejectCounters, replay};

    /// Repeats the replay of a file with two events. Returns the times of at least `events` events, as
    /// seconds after a fixed moment. `from` is the value of the setting `feed.replay.from`.
    async fn laps(from: Option<&str>, events: usize) -> Vec<i64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("A.csv");
        fs::write(&path, "time,price\n1704292210,1\n1704292212,1\n").unwrap();
        let from = from.map(str::to_owned);
        let config = replay::Config { files: vec![path], from, ..replay::Config::default() };
        let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
        let mut source = Source::Files(Files::new(Replay::open(&config, &lines).unwrap(), true));
        let mut seconds = Vec::new();
        while let (true, Some(batch)) = (seconds.len() < events, source.next().await) {
            let batch = batch.unwrap();
            let second = |time: Time| time.as_nanos() / 1_000_000_000 - 1_704_292_200;
            let own = batch.iter().map(|event| second(source.own_time(event.time)));
            assert!(own.eq([10, 12]));
            seconds.extend(batch.iter().map(|event| second(event.time)));
        }
        seconds
    }

    #[tokio::test]
    async fn a_loop_goes_on_at_the_same_times_of_later_days_and_knows_the_files_own() {
        let day = 86_400;
        let expected = [10, 12, day + 10, day + 12, 2 * day + 10, 2 * day + 12];
        assert_eq!(laps(None, 6).await, expected);
    }

    #[tokio::test]
    async fn a_loop_ends_with_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("A.csv");
        fs::write(&path, "time,price\n1970-01-02,1\n2100-01-01,1\n").unwrap();
        let config = replay::Config { files: vec![path], ..replay::Config::default() };
        let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
        let mut source = Source::Files(Files::new(Replay::open(&config, &lines).unwrap(), true));

        let mut events = 0;
        while let Some(batch) = source.next().await {
            events += batch.unwrap().len();
        }

        assert_eq!(events, 4, "the third lap would begin in 2230 and end in 2360");
        assert!(source.next().await.is_none(), "an end stays one");
    }

    #[tokio::test]
    async fn a_loop_over_no_events_ends() {
        assert!(laps(Some("2100-01-01"), 1).await.is_empty());
    }
}
