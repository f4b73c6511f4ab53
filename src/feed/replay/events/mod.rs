//! The events of a text, i.e. of a file or an archive member: streamed row by row, or sorted by time.

mod rejected_rows;

use std::cmp::Reverse;
use std::path::PathBuf;
use std::vec;

use super::container::Damage;
use super::extent::TimeRange;
use super::reason::{Reason, RejectedRow};
use super::records::Records;
use super::row::{Row, RowReader};
use super::scan::Order;
use crate::feed::error::FeedError;
use crate::market::{Event, Payload};
pub use rejected_rows::{RejectedRows, ReportedUpTo};

/// The events of a text (a file or an archive member) in time order.
pub enum Events {
    /// The events of a text whose rows are in time order: streamed row by row, in constant memory.
    Streamed(Box<Rows>),
    /// The events of a text whose rows are not in time order: sorted in memory.
    Sorted(vec::IntoIter<Event>),
}

/// The events of a text (a file or an archive member) in the order of its rows.
pub struct Rows {
    pub records: Records,
    pub reader: RowReader,
    /// The second event of the current row, if the row gives two events and only the first is returned so
    /// far.
    pub second_event: Option<Event>,
    pub rejected: RejectedRows,
    pub is_strict: bool,
    /// Events outside this time range are left out.
    pub range: TimeRange,
    /// Whether reading stops at the first row behind the time range. This is true only if the rows of the text
    /// are in time order.
    pub ends_with_time: bool,
}

/// Reads the events of all rows, and sorts them by time. Events with the same time usually stay in the order
/// of their rows. But if the newest row comes first, events with the same time are put into reverse row
/// order.
pub fn sorted(mut rows: Rows, order: Order) -> Result<vec::IntoIter<Event>, FeedError> {
    let mut events = Vec::new();
    while let Some(event) = rows.next()? {
        events.push((rows.records.line(), event));
    }
    match order {
        Order::Descending => events.sort_by_key(|(line, event)| (event.time, Reverse(*line))),
        Order::Ascending | Order::Unsorted => events.sort_by_key(|(_, event)| event.time),
    }
    let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    Ok(events.into_iter())
}

impl Iterator for Events {
    type Item = Result<Event, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Streamed(rows) => rows.next().transpose(),
            Self::Sorted(events) => events.next().map(Ok),
        }
    }
}

impl Rows {
    /// Returns the number of the current line, counted from 1.
    pub fn line(&self) -> u64 {
        self.records.line()
    }

    /// Returns the record of the damage that was found in the packed file so far.
    pub fn damage(&self) -> &Damage {
        self.records.damage()
    }

    pub fn rejected(&self) -> &RejectedRows {
        &self.rejected
    }

    /// Returns the next event; `None` at the end of the text.
    pub fn next(&mut self) -> Result<Option<Event>, FeedError> {
        if self.second_event.is_some() {
            return Ok(self.second_event.take());
        }
        loop {
            let Some(read) = self.next_row()? else {
                self.rejected.sum_up();
                return Ok(None);
            };
            match read {
                Ok(Row { time, symbol, payload, second }) => {
                    if let Some(trade) = second {
                        let payload = Payload::Trade(trade);
                        self.second_event = Some(Event { symbol: symbol.clone(), time, payload });
                    }
                    return Ok(Some(Event { symbol, time, payload }));
                }
                Err(row) if self.is_strict && row.reason != Reason::Filtered => {
                    let RejectedRow { reason, found } = row;
                    let path = PathBuf::from(self.rejected.name());
                    return Err(FeedError::BadRow {
                        path,
                        line: self.records.line(),
                        reason: reason.name(),
                        found,
                    });
                }
                Err(row) => self.rejected.add(self.records.line(), &row),
            }
        }
    }

    /// Returns the next row, or the reason why it is rejected; `None` at the end of the text.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, RejectedRow>>, FeedError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        let row = record.and_then(|record| self.reader.read(&record));
        let Ok(Row { time, .. }) = row else { return Ok(Some(row)) };
        if self.ends_with_time && self.range.is_past(time) {
            return Ok(None);
        }
        if !self.range.has(time) {
            return Ok(Some(Err(RejectedRow { reason: Reason::Filtered, found: String::new() })));
        }
        Ok(Some(row))
    }
}
