//! Finds several instruments under one symbol: rows of the same time and symbol that differ in a column for
//! instruments.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::cells::Cells;
use super::super::layout::{Layout, Values, normal};
use super::super::sniff::{Suspicion, UnusedColumn, Words};
use crate::feed::printable::excerpt;
use crate::market::Symbol;

/// The largest number of pairs of a time and a symbol whose first row is remembered. The instruments of a
/// file may stand one after the other, so the rows of one time may be far apart.
const MAX_TIMES: usize = 65_536;

/// Compares the rows of the same time and symbol.
pub struct MergedInstruments {
    /// The columns to compare.
    columns: Vec<UnusedColumn>,
    /// The cells in these columns, of the first row of each time and symbol.
    first_rows: HashMap<(i64, Symbol), Vec<Box<[u8]>>>,
}

/// Two rows of the same time and symbol that differ in a column for instruments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub symbol: Symbol,
    /// The name of the column.
    pub column: String,
    /// The values of the column in the two rows.
    pub values: [String; 2],
}

impl MergedInstruments {
    /// Creates a comparison for a file.
    ///
    /// The columns to compare are the unused columns whose names mean an instrument or a month. If the rows are bars and
    /// no column has the symbol, each unused column of words is compared too, because an instrument has one
    /// bar for each time.
    pub fn new(layout: &Layout, unused: &[UnusedColumn]) -> Self {
        let are_all_words = !layout.has_name_column() && matches!(layout.values, Values::Bars { .. });
        let is_compared = |column: &&UnusedColumn| {
            let is_named = matches!(
                Suspicion::of(column, unused, layout),
                Some(Suspicion::Instrument | Suspicion::Contract)
            );
            // The month of a time is the same in all rows of this time, so another one is a contract's.
            let is_month = ["month", "contractmonth"].contains(&normal(column.name.as_bytes()).as_str());
            is_named || is_month || are_all_words && column.words != Words::None && !column.example.is_empty()
        };
        let columns = unused.iter().filter(is_compared).cloned().collect();
        Self { columns, first_rows: HashMap::new() }
    }

    /// Returns how many cells of a row must be read to include all columns to compare, and the column that
    /// selects rows.
    pub fn width(&self, layout: &Layout) -> usize {
        let last = self.columns.iter().map(|column| column.index + 1).max();
        last.map_or(0, |last| last.max(layout.width))
    }

    /// Returns whether there is a column to compare.
    pub fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Compares a row with the first row of the same time and symbol. Returns the difference, if there is
    /// one. `time` is the time in nanoseconds as it is written in the file.
    pub fn observe(&mut self, time: i64, symbol: &Symbol, row: &Cells<'_>) -> Option<Merged> {
        let cell = |column: &UnusedColumn| row.get(column.index).unwrap_or_default().trim_ascii();
        let is_full = self.first_rows.len() >= MAX_TIMES;
        match self.first_rows.entry((time, symbol.clone())) {
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(place) => {
                place.insert(self.columns.iter().map(|column| cell(column).into()).collect());
                None
            }
            Entry::Occupied(first) => {
                let mut both = self.columns.iter().zip(first.get());
                let differ =
                    |before: &[u8], now: &[u8]| !before.is_empty() && !now.is_empty() && before != now;
                let (column, before) = both.find(|(column, before)| differ(before, cell(column)))?;
                let values = [excerpt(before), excerpt(cell(column))];
                Some(Merged { symbol: symbol.clone(), column: column.name.clone(), values })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cells::Splitter;
    use super::super::super::layout::{self, Given};
    use super::super::super::sniff::unused_columns;
    use super::*;

    /// Returns a comparison for a file with a column `strike`, which no role uses.
    fn compared(header: &str) -> MergedInstruments {
        let cells = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Vec<_>>();
        let row = cells(&header.split(',').map(|_| "1704292200").collect::<Vec<_>>().join(","));
        let given = Given { path: "KO.csv", has_symbol: true, ..Given::default() };
        let layout = layout::recognize(&[cells(header), row.clone()], given).unwrap().layout;
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        MergedInstruments::new(&layout, &unused_columns(&layout, &names, &[row]))
    }

    fn observe(compared: &mut MergedInstruments, time: i64, symbol: &str, strike: &str) -> Option<Merged> {
        let line = format!("{time},5,{strike}");
        let (mut splitter, symbol) = (Splitter::new(b','), symbol.parse().unwrap());
        compared.observe(time, &symbol, &splitter.split(line.as_bytes(), usize::MAX))
    }

    #[test]
    fn rows_of_one_time_and_symbol_that_differ_are_of_several_instruments() {
        let mut compared = compared("time,price,strike");

        assert!(compared.has_columns());
        assert_eq!(observe(&mut compared, 1, "A", "60"), None);
        assert_eq!(observe(&mut compared, 1, "A", " 60"), None);
        assert_eq!(observe(&mut compared, 1, "A", ""), None);
        assert_eq!(observe(&mut compared, 2, "A", "70"), None);
        assert_eq!(observe(&mut compared, 1, "B", "70"), None);
        let found = observe(&mut compared, 1, "A", "70").unwrap();
        assert_eq!((found.column.as_str(), found.values), ("strike", ["60".to_owned(), "70".to_owned()]));
    }

    #[test]
    fn the_first_row_of_each_time_is_remembered_up_to_the_limit() {
        let mut compared = compared("time,price,strike");
        for time in 0..65_537 {
            assert_eq!(observe(&mut compared, time, "A", "60"), None);
        }

        assert!(observe(&mut compared, 65_535, "A", "70").is_some());
        assert_eq!(observe(&mut compared, 65_536, "A", "70"), None);
    }

    #[test]
    fn only_columns_for_instruments_are_compared() {
        assert!(!compared("time,price,venue").has_columns());
        assert!(!compared("time,price,trades").has_columns());
    }
}
