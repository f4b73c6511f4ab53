//! Chooses the delimiter of a file from its first lines, before the layout is recognized.
//!
//! Every row of market data has a time and a number. With a wrong delimiter, one of them is glued to the cell beside it.
//! So the delimiter with which most lines have a time and a number of their own is right.

use super::super::cells::{Cells, Splitter};
use super::super::number::{DecimalSign, Numbers};
use super::super::time::{self, DateOrder};

/// The delimiters, in the order of preference. The comma is last, because numbers and names may contain commas.
pub const ALL: [u8; 4] = [b'\t', b';', b'|', b','];

/// A delimiter is preferred to later ones if it suits at least one in this many of the lines that another one suits.
const ONE_IN: usize = 2;

/// Returns the delimiter of a file. `lines` are its first lines.
pub fn choose(lines: &[&[u8]]) -> u8 {
    let first = lines.first().copied().unwrap_or_default();
    if let Some(said) = first.strip_prefix(b"sep=").and_then(|rest| rest.first()) {
        return *said;
    }
    if is_quoted_with_blanks(first) {
        return b' ';
    }
    let has_both = |cells: &Cells<'_>| {
        let time = cells.iter().position(is_time);
        time.is_some_and(|time| {
            cells.iter().enumerate().any(|(index, cell)| index != time && is_number(cell))
        })
    };
    // Rows whose times have their parts in columns, or are in the file's name, have numbers only. A first cell with
    // another delimiter is glued to the cells beside it.
    let is_whole = |cell: &[u8]| is_number(cell) || !cell.iter().any(|byte| ALL.contains(byte));
    let has_number =
        |cells: &Cells<'_>| cells.iter().next().is_some_and(is_whole) && cells.iter().any(is_number);
    first_that_suits(lines, has_both)
        .or_else(|| first_that_suits(lines, has_number))
        .unwrap_or_else(|| most_cells(lines))
}

/// Returns the first delimiter that suits many lines: `suits` holds for the cells of a line, if there are several.
fn first_that_suits(lines: &[&[u8]], suits: impl Fn(&Cells<'_>) -> bool) -> Option<u8> {
    let count = |delimiter: u8| {
        let mut splitter = Splitter::new(delimiter);
        let mut is_row = |line: &[u8]| {
            let cells = splitter.split(line, usize::MAX);
            cells.len() > 1 && suits(&cells)
        };
        lines.iter().filter(|line| is_row(line)).count()
    };
    let counts = ALL.map(count);
    let most = counts.into_iter().max().filter(|most| *most > 0)?;
    ALL.into_iter().zip(counts).find(|(_, count)| count * ONE_IN >= most).map(|(delimiter, _)| delimiter)
}

/// Returns the delimiter with which a line has the most cells.
fn most_cells(lines: &[&[u8]]) -> u8 {
    let cells = |delimiter: u8| {
        let mut splitter = Splitter::new(delimiter);
        lines.iter().map(|line| splitter.split(line, usize::MAX).len()).max()
    };
    ALL.into_iter().rev().max_by_key(|delimiter| cells(*delimiter)).unwrap_or(b',')
}

fn is_time(cell: &[u8]) -> bool {
    let is_stamp = time::stamp(cell, DateOrder::Mdy).or(time::stamp(cell, DateOrder::Dmy)).is_some();
    is_stamp || cell.contains(&b':') && time::time_of_day(cell).is_some()
}

fn is_number(cell: &[u8]) -> bool {
    let is_in = |decimal| {
        let numbers = Numbers { decimal, ..Numbers::default() };
        matches!(numbers.price(cell), Ok(Some(_)))
    };
    is_in(DecimalSign::Point) || is_in(DecimalSign::Comma)
}

/// Returns whether a line has quoted names with blanks between them, as R writes a table.
fn is_quoted_with_blanks(line: &[u8]) -> bool {
    line.starts_with(b"\"")
        && line.windows(3).any(|cells| cells == b"\" \"")
        && !line.iter().any(|byte| ALL.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(lines: &[&str]) -> u8 {
        choose(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn the_delimiter_leaves_the_times_alone() {
        for (lines, delimiter) in [
            (&["time,price", "2024-01-03 09:30:00,5"][..], b','),
            (&["Datum;Kurs", "03.01.2024;59,82", "04.01.2024;59,83"], b';'),
            (&["2024-01-03 09:30:00,5,100,37;41;12"], b','),
            (&["time,price,size", "2024-01-03;09:30:00,5,100"], b','),
            (&["time\tlevels", "1704292200\t[1,2,3,4,5,6,7]"], b'\t'),
            (&["a|b", "20240103|1,234"], b'|'),
            (&["a;b,c", "2024-01-03,5"], b','),
            (&["year;month;day;close", "2024;1;3;59,82"], b';'),
            (&["name,close", "x,5"], b','),
            (&["34200000|10.5|\"x;1;2;3\""], b'|'),
            (&["34200000\t10.5\t[1,2,3,4]"], b'\t'),
            (&["Date|Close", "x|y"], b'|'),
            (&["sep=|", "time|close"], b'|'),
            (&["\"time\" \"close\"", "\"2024-01-03\" 5"], b' '),
        ] {
            assert_eq!(char::from(chosen(lines)), char::from(delimiter), "{lines:?}");
        }
    }

    #[test]
    fn half_of_the_lines_are_enough_for_a_delimiter_of_preference() {
        let (one, other) = ("2024-01-03;5", "2024-01-03,5");

        assert_eq!(chosen(&[one, other, other]), b';');
        assert_eq!(chosen(&[one, other, other, other]), b',');
    }
}
