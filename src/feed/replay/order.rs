//! The order of a text: known only after a pass over its times.

use super::container::Part;
use super::reading::Reading;
use super::records::Records;
use super::row::Skip;
use super::survey::Survey;
use super::time::{self, DateOrder, Stamp};
use super::zone::{Resolver, Zone};
use crate::feed::FeedError;
use crate::market::Time;

/// How the times of a text run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
    Unsorted,
}

/// What a pass over the times of a text finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    pub rows: u64,
    pub order: Order,
    /// The earliest and the latest time.
    pub span: Option<(Time, Time)>,
    /// Whether a time says neither its zone nor its offset.
    pub has_local_times: bool,
    /// Local times that there were twice, and that there were not.
    pub repeated: u64,
    pub skipped: u64,
    /// What is wrong with what it is packed in.
    pub damage: Option<String>,
}

/// Times in the order of a text, read in one direction.
struct Run {
    resolver: Resolver,
    before: Option<Time>,
    span: Option<(Time, Time)>,
    rises: bool,
    falls: bool,
}

impl Order {
    /// Its name for those who ask.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Unsorted => "unsorted",
        }
    }
}

/// What the first date shows that can be read in one way only; `None` where there is none.
pub fn date_order(part: &Part, reading: &Reading, survey: &Survey) -> Result<Option<DateOrder>, FeedError> {
    let Some(column) = survey.layout.time.date_column() else { return Ok(None) };
    let mut records = Records::open(part, reading, survey)?.cut_at(column + 1);
    while let Some(record) = records.next()? {
        if let Some(order) = record.ok().and_then(|row| time::order_shown(row.get(column)?)) {
            return Ok(Some(order));
        }
    }
    Ok(None)
}

/// How many rows there are and how their times run.
pub fn pass_over_times(part: &Part, reading: &Reading, survey: &Survey) -> Result<Pass, FeedError> {
    let layout = &survey.layout;
    let mut records = Records::open(part, reading, survey)?.cut_at(layout.width_of_time());
    let zone = reading.zone.clone().unwrap_or_else(Zone::utc);
    // Which of two equal local times is meant depends on how the text runs.
    let mut runs = [Run::new(zone.resolver(false)), Run::new(zone.resolver(true))];
    let (mut rows, mut has_local_times, mut first_bad) = (0, false, None);
    while let Some(record) = records.next()? {
        rows += 1;
        match record.and_then(|record| layout.time.read(&record, layout.date_order)) {
            Ok(Stamp::Utc(time)) => runs.iter_mut().for_each(|run| run.observe(time)),
            Ok(Stamp::Local(nanos)) => {
                has_local_times = true;
                for run in &mut runs {
                    let time = run.resolver.resolve(nanos);
                    run.observe(time);
                }
            }
            Err(Skip { found, .. }) => {
                first_bad.get_or_insert((records.line(), found));
            }
        }
    }
    let [forward, backward] = runs;
    if let (None, Some((line, found))) = (forward.span, first_bad) {
        return Err(FeedError::NoTimes { path: part.to_string().into(), line, found });
    }
    let (order, run) = match (forward, backward) {
        (run, _) if !run.falls => (Order::Ascending, run),
        (_, run) if !run.rises => (Order::Descending, run),
        (run, _) => (Order::Unsorted, run),
    };
    let (repeated, skipped) = (run.resolver.repeated(), run.resolver.skipped());
    let damage = records.damage().found().map(str::to_owned);
    Ok(Pass { rows, order, span: run.span, has_local_times, repeated, skipped, damage })
}

impl Run {
    fn new(resolver: Resolver) -> Self {
        Self { resolver, before: None, span: None, rises: false, falls: false }
    }

    fn observe(&mut self, time: Time) {
        if let Some(before) = self.before {
            self.rises |= before < time;
            self.falls |= before > time;
        }
        self.before = Some(time);
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
    }
}
