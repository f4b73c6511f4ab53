//! Chooses the layout of a file without a header, by the kinds of values in its first rows.
//!
//! The first layout of the table that fits is used. A layout before it that fits most rows, but not all, may
//! be the right one: for example, quotes look like trades if some asks are far above their bids. Such a file is
//! refused, and the error names the row that does not fit.

use super::columns::Columns;
use super::entry::{Entry, RecognizedBy};
use super::given::Given;
use super::layout_error::LayoutError;
use super::role::Role;
use super::table::LAYOUTS;
use super::{Record, shape, time_columns};
use crate::feed::replay::time::{self, DateOrder};

/// Times from 1990 to 2060, in nanoseconds since 1970.
const RECENT: std::ops::Range<i64> = 631_152_000_000_000_000..2_840_140_800_000_000_000;

/// A layout may be the right one, although it does not fit, if it fits at least one in this many rows.
const NEARLY_ONE_IN: usize = 2;

/// A layout from the table that fits a file without a header.
pub struct Chosen {
    pub entry: &'static Entry,
    pub columns: Columns,
    /// What was assumed, if another layout fits too.
    pub assumed: Vec<String>,
}

/// Chooses the layout. `first_row` is the index of the first row among the lines of the file.
///
/// # Errors
///
/// Returns an error if no layout fits, or if a layout before the first one that fits nearly does.
pub fn choose(rows: &[Record], first_row: usize, given: Given<'_>) -> Result<Chosen, LayoutError> {
    let rows = &without_empty_ends(rows);
    let mut nearly = None;
    for (entry, shape) in candidates(given) {
        let misfits = shape::misfits(shape, rows);
        let columns = Columns::of_shape(shape);
        if shape::fits(shape, rows) {
            return match nearly {
                Some((line, name, others)) if others != columns => Err(LayoutError::Misfit(line, name)),
                _ => {
                    let assumed = [assumed(&columns, rows, given), other_time(shape, &columns, rows)];
                    Ok(Chosen { entry, assumed: assumed.into_iter().flatten().collect(), columns })
                }
            };
        }
        if (rows.len() - misfits.count) * NEARLY_ONE_IN >= rows.len()
            && let (None, Some(line)) = (&nearly, misfits.first)
        {
            nearly = Some((first_row + line, entry.name, columns));
        }
    }
    let named = given.layout.and_then(|_| in_a_named_layout(rows, given));
    match (named, nearly) {
        (Some(chosen), _) => Ok(chosen),
        (None, Some((line, name, _))) => Err(LayoutError::Misfit(line, name)),
        (None, None) => Err(LayoutError::NoShape(first_row)),
    }
}

/// Returns the configured layout, although its shape does not fit: the shape with a readable time and with the
/// right number of columns.
fn in_a_named_layout(rows: &[Record], given: Given<'_>) -> Option<Chosen> {
    let has_times = |columns: &Columns| rows.iter().any(|row| time_columns::has_time(columns, row));
    candidates(given).find_map(|(entry, shape)| {
        let columns = Columns::of_shape(shape);
        let is_possible = shape::has_room(shape, rows) && has_times(&columns);
        is_possible.then_some(Chosen { entry, columns, assumed: Vec::new() })
    })
}

/// Returns the layouts for files without a header that are possible by the settings and the path.
fn candidates(given: Given<'_>) -> impl Iterator<Item = (&'static Entry, &'static str)> {
    let may_be = move |entry: &Entry, shape| {
        if let Some(name) = given.layout {
            return entry.name == name;
        }
        let has_day = !Columns::of_shape(shape).needs_day() || given.day.is_some();
        has_day && entry.is_of(given.path)
    };
    LAYOUTS.iter().filter_map(move |entry| match entry.recognized_by {
        RecognizedBy::Shape(shape) => may_be(entry, shape).then_some((entry, shape)),
        RecognizedBy::Header(_) => None,
    })
}

/// Returns what is assumed of bids and asks if they could be prices and sizes of trades.
fn assumed(columns: &Columns, rows: &[Record], given: Given<'_>) -> Option<String> {
    let (bid, ask) = (columns.get(Role::Bid)?, columns.get(Role::Ask)?);
    let are_trades = |columns: &Columns| {
        columns.get(Role::Price) == Some(bid.min(ask)) && columns.get(Role::Size) == Some(bid.max(ask))
    };
    let mut others = candidates(given).filter(|(_, shape)| are_trades(&Columns::of_shape(shape)));
    others.any(|(_, shape)| shape::fits(shape, rows)).then(|| {
        format!(
            "columns {bid} and {ask} are read as bid and ask, and could be prices and sizes (set it by --layout)"
        )
    })
}

/// Returns a warning if the time is a number, and another column, for which the shape expects no time, has times
/// as well. The first of both may be a number of the trade.
fn other_time(shape: &'static str, columns: &Columns, rows: &[Record]) -> Option<String> {
    let used = columns.get(Role::Time)?;
    let cells =
        |column: usize| rows.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim_ascii());
    let is_number = |cell: &[u8]| cell.iter().all(u8::is_ascii_digit);
    let is_time = |cell: &[u8]| {
        let stamp = time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy));
        let is_recent = stamp.is_some_and(|stamp| RECENT.contains(&stamp.nanos()));
        is_recent && (!is_number(cell) || cell.len() >= 10)
    };
    let is_other = |column: &usize| {
        *column > used
            && !shape::expects_time(shape, *column)
            && cells(*column).next().is_some()
            && cells(*column).all(is_time)
    };
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let other = (0..width).find(|column| cells(used).all(is_number) && is_other(column))?;
    Some(format!(
        "column {used} is read as the time and column {other} is not, but column {used} may be an id (set it by --map time={other})"
    ))
}

/// Removes the trailing columns that are empty in all rows, because some files end each line with a
/// delimiter.
fn without_empty_ends(rows: &[Record]) -> Vec<Record> {
    let last = |row: &Record| row.iter().rposition(|cell| !cell.trim_ascii().is_empty());
    let width = rows.iter().filter_map(last).max().map_or(0, |last| last + 1);
    rows.iter().map(|row| row.iter().take(width).cloned().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(rows: &[&str], layout: Option<&'static str>) -> Result<&'static str, LayoutError> {
        let cells = |row: &&str| row.split(',').map(|cell| cell.as_bytes().to_vec()).collect();
        let rows: Vec<Record> = rows.iter().map(cells).collect();
        choose(&rows, 7, Given { layout, path: "KO.csv", day: Some(0), ..Given::default() })
            .map(|chosen| chosen.entry.name)
    }

    #[test]
    fn a_layout_that_fits_half_of_the_rows_may_be_the_right_one() {
        let (quote, trade) = ("2024-01-03,9.8,9.9", "2024-01-03,9.8,20.5");

        assert_eq!(choice(&[quote, quote], None), Ok("quotes"));
        assert_eq!(choice(&[quote, trade], None), Err(LayoutError::Misfit(8, "quotes")));
        assert_eq!(choice(&[quote, trade, trade], None), Ok("trades"));
        assert_eq!(choice(&[quote, trade], Some("trades")), Ok("trades"));
        assert_eq!(choice(&[quote, trade], Some("quotes")), Ok("quotes"));
    }

    #[test]
    fn a_named_layout_never_turns_an_ask_into_a_size() {
        let rows = [&["34200000".into(), "9.8".into(), "20.5".into()][..]; 2].map(<[Vec<u8>]>::to_vec);
        let given = Given { layout: Some("lean-quotes"), day: Some(0), ..Given::default() };

        let chosen = choose(&rows, 0, given).ok().unwrap();

        assert_eq!((chosen.columns.get(Role::Bid), chosen.columns.get(Role::Ask)), (Some(1), Some(2)));
    }

    #[test]
    fn another_column_of_times_from_1990_to_2060_makes_the_first_one_doubtful() {
        let is_doubtful = |time: &str| {
            let row: Record =
                ["1700000001", "9.8", "9.9", time].map(|cell| cell.as_bytes().to_vec()).to_vec();
            !choose(&[row.clone(), row], 0, Given::default()).ok().unwrap().assumed.is_empty()
        };

        assert!(is_doubtful("1704292200") && is_doubtful("631152000000") && is_doubtful("2840140799"));
        assert!(!is_doubtful("631151999999") && !is_doubtful("2840140800") && !is_doubtful("999999999"));
    }
}
