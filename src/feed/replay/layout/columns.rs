//! Columns: which of a file holds what role.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::role::{Role, normal};
use super::shape;
use super::table::Entry;
use super::{Lacks, Record, SymbolColumns, TimeColumns, Values};
use crate::feed::replay::time::{self, DateOrder, MidnightUnit, Stamp};

/// The columns that an owner names, by role: a name of the header, or a number from 0; a time of two, joined by `+`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Map(pub BTreeMap<Role, String>);

/// The column of each role that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    places: [Option<usize>; Role::COUNT],
    /// The unit of a clock that counts from midnight.
    unit: Option<MidnightUnit>,
}

impl Map {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a column is given by its name, so that there has to be a header.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.0
            .values()
            .flat_map(|columns| columns.split('+'))
            .any(|column| column.trim().parse::<usize>().is_err())
    }
}

impl Columns {
    /// The columns that a header names.
    pub fn of_header(names: &[String], entry: Option<&Entry>) -> Self {
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut columns = Self::default();
        for role in Role::all() {
            columns.places[role as usize] = role.names().find_map(place);
        }
        // What pandas writes: the index has no name.
        let index = names.first().filter(|name| name.is_empty() || *name == "unnamed0").map(|_| 0);
        let has_time = [Role::Time, Role::Date, Role::Clock].iter().any(|role| columns.get(*role).is_some());
        if !has_time {
            columns.places[Role::Time as usize] = index;
        }
        if columns.get(Role::Volume).is_none() {
            // As `Volume BTC`, or `Volume (shares)`.
            columns.places[Role::Volume as usize] = names.iter().position(|name| name.starts_with("volume"));
        }
        for (role, name) in entry
            .map(|entry| entry.rules.columns)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .filter_map(|rule| rule.split_once('='))
        {
            let role: Role = role.parse().expect("the table names roles");
            columns.places[role as usize] = place(name);
        }
        columns
    }

    /// The columns of a shape.
    pub fn of_shape(shape: &'static str) -> Self {
        let mut columns = Self::default();
        for (place, column) in shape::columns(shape).0.into_iter().enumerate() {
            if let Some(role) = column.role {
                columns.places[role as usize] = Some(place);
            }
            columns.unit = columns.unit.or(column.midnight_unit());
        }
        columns
    }

    /// The columns that a map names in a header.
    ///
    /// # Errors
    ///
    /// The role whose column the header does not have.
    pub fn of_map(map: &Map, names: &[String]) -> Result<Self, Role> {
        let place = |column: &str| {
            let wanted = normal(column.as_bytes());
            column.trim().parse().ok().or_else(|| names.iter().position(|name| *name == wanted))
        };
        let mut columns = Self::default();
        for (role, column) in &map.0 {
            match (role, column.split_once('+')) {
                (Role::Time, Some((date, clock))) => {
                    columns.places[Role::Date as usize] = Some(place(date).ok_or(Role::Time)?);
                    columns.places[Role::Clock as usize] = Some(place(clock).ok_or(Role::Time)?);
                }
                _ => columns.places[*role as usize] = Some(place(column).ok_or(*role)?),
            }
        }
        Ok(columns)
    }

    /// The column of a role.
    pub fn get(&self, role: Role) -> Option<usize> {
        self.places[role as usize]
    }

    /// So many cells of a row are looked at.
    pub fn width(&self) -> usize {
        self.places.iter().flatten().max().map_or(0, |last| last + 1)
    }

    /// The columns of numbers.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        let first = Role::Price as usize;
        self.places[first..=Role::Volume as usize].iter().flatten().copied()
    }

    /// Where the symbol stands.
    pub fn symbol(&self) -> Option<SymbolColumns> {
        Some(SymbolColumns { name: self.get(Role::Symbol)?, suffix: self.get(Role::Suffix) })
    }

    /// Whether the day has to come from the path.
    pub fn needs_day(&self) -> bool {
        self.unit.is_some() && self.get(Role::Date).is_none()
    }

    /// The time of a row, as far as its columns say it.
    pub fn time_in(&self, row: &Record) -> Option<()> {
        let cell = |role| self.get(role).and_then(|column| row.get(column));
        let is_stamp = |cell: &Vec<u8>| {
            time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)).is_some()
        };
        match (cell(Role::Time).or(cell(Role::Date)), cell(Role::Clock)) {
            (Some(date), _) => is_stamp(date).then_some(()),
            (None, Some(clock)) => match self.unit {
                Some(unit) => time::since_midnight(clock, unit).map(drop),
                None => (is_stamp(clock) || time::clock(clock).is_some()).then_some(()),
            },
            (None, None) => None,
        }
    }

    /// Where the time stands, as the first rows show it; `day` is what the path names.
    ///
    /// # Errors
    ///
    /// There is no column for it, or the day is not known.
    pub fn time(&self, rows: &[Record], day: Option<i64>) -> Result<TimeColumns, Option<Lacks>> {
        let any = |column: usize, is: fn(&[u8]) -> bool| {
            rows.iter().any(|row| row.get(column).is_some_and(|cell| is(cell)))
        };
        let stamp = self.get(Role::Time);
        if let Some(column) = stamp.filter(|column| rows.is_empty() || any(*column, is_stamp)) {
            return Ok(TimeColumns::One(column));
        }
        // What is called a timestamp may be a clock beside a date.
        match (self.get(Role::Date), self.get(Role::Clock).or(stamp)) {
            (Some(date), Some(clock)) if is_halved(rows, date, clock) => Ok(TimeColumns::Two { date, clock }),
            (Some(date), _) => Ok(TimeColumns::One(date)),
            (None, Some(clock)) => {
                let is_time_of_day = self.unit.is_some()
                    || !any(clock, is_stamp) && any(clock, |cell| time::clock(cell).is_some());
                match (is_time_of_day, day) {
                    (false, _) => Ok(TimeColumns::One(clock)),
                    (true, Some(day)) => Ok(TimeColumns::Clock { clock, unit: self.unit, day }),
                    (true, None) => Err(Some(Lacks::Day)),
                }
            }
            // Whatever it is called: of yfinance, the first name is that of all columns.
            (None, None) if any(0, is_stamp) => Ok(TimeColumns::One(0)),
            (None, None) if any(0, |cell| cell.contains(&b':') && time::clock(cell).is_some()) => {
                let of_day = |day| TimeColumns::Clock { clock: 0, unit: None, day };
                day.map(of_day).ok_or(Some(Lacks::Day))
            }
            (None, None) => day.map(TimeColumns::Day).ok_or(None),
        }
    }

    /// What the rows are; `None` where there is no price.
    pub fn values(&self) -> Option<Values> {
        let get = |role| self.get(role);
        let (open, high, low, price) = (get(Role::Open), get(Role::High), get(Role::Low), get(Role::Price));
        let is_bar = open.is_some() && high.is_some() && low.is_some();
        if let Some(close) = get(Role::Close).or(price.filter(|_| is_bar)) {
            return Some(Values::Bars { open, high, low, close, volume: get(Role::Volume) });
        }
        let (bid, ask) = (get(Role::Bid), get(Role::Ask));
        price.or(bid).or(ask)?;
        Some(Values::Ticks {
            price,
            size: price.and(get(Role::Size)),
            bid,
            bid_size: bid.and(get(Role::BidSize)),
            ask,
            ask_size: ask.and(get(Role::AskSize)),
        })
    }

    /// So many cells a row has at least: its time, and what an event cannot be without.
    pub fn least(&self, time: TimeColumns, values: &Values) -> usize {
        let last_of_time = match time {
            TimeColumns::One(column) | TimeColumns::Clock { clock: column, .. } => Some(column),
            TimeColumns::Two { date, clock } => Some(date.max(clock)),
            TimeColumns::Day(_) => None,
        };
        let value = match values {
            Values::Bars { close, .. } => Some(*close),
            Values::Ticks { price, bid, ask, .. } => [price, bid, ask].into_iter().flatten().min().copied(),
        };
        [last_of_time, value, self.get(Role::Symbol)].into_iter().flatten().max().map_or(0, |last| last + 1)
    }
}

fn is_stamp(cell: &[u8]) -> bool {
    matches!(
        time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)),
        Some(Stamp::Utc(_) | Stamp::Local(_))
    )
}

/// Whether a date and a clock are the halves of a time; a count from 1970 beside a date says the same as the date.
fn is_halved(rows: &[Record], date: usize, clock: usize) -> bool {
    let is_date = |cell: &Vec<u8>| {
        [DateOrder::Mdy, DateOrder::Dmy].iter().any(|order| time::date(cell, *order).is_some())
    };
    let is_clock = |cell: &Vec<u8>| {
        time::clock(cell).is_some() && !(cell.len() >= 9 && cell.iter().all(u8::is_ascii_digit))
    };
    rows.is_empty()
        || rows.iter().any(|row| row.get(date).is_some_and(is_date) && row.get(clock).is_some_and(is_clock))
}
