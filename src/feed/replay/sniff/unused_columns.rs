//! The columns of a file that no role uses.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;

use super::super::layout::{Layout, Record, Role, is_word};
use crate::feed::printable::excerpt;
use crate::market::Price;

/// A column that no role uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedColumn {
    /// The number of the column, counted from 0.
    pub index: usize,
    /// The name of the column in the header. In a file without a header, the number of the column.
    pub name: String,
    /// The first value of the column; empty if the first rows of the file have no value in the column.
    pub example: String,
    /// The words or codes in the column.
    pub words: Words,
    /// Whether the first rows have several values in the column.
    pub varies: bool,
    /// Whether the first rows with one word in the column have far higher prices than those with another word.
    pub tells_prices_apart: bool,
}

/// The words or codes that the first rows have in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The column has a number or a time.
    None,
    Any,
    /// A few words of several letters occur again and again.
    Few,
}

/// A column of words may hold instruments if prices differ by word. The prices of one word must then be at least
/// five quarters of the prices of another word. This number is the quarters.
const APART_IN_QUARTERS: Decimal = Decimal::from_parts(5, 0, 0, false, 0);

impl UnusedColumn {
    /// Returns how the flag `--map` can name the column: by its name, or by its number if the name has
    /// characters with another meaning.
    #[must_use]
    pub fn in_a_map(&self) -> String {
        let is_plain = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        if self.name.chars().all(is_plain) { self.name.clone() } else { self.index.to_string() }
    }
}

/// Returns the columns that no role uses, in the order of the file. A column without a name and without a
/// value is left out, because some files end each line with a delimiter.
pub fn unused_columns(layout: &Layout, names: &[String], rows: &[Record]) -> Vec<UnusedColumn> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0).max(names.len());
    let is_used = |column: usize| {
        let selects_rows = layout.only.is_some_and(|(only, _)| only == column);
        selects_rows || layout.uses().any(|(_, used)| used == column)
    };
    let unused = (0..width).filter(|column| !is_used(*column)).map(|index| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.trim_ascii());
        let mut values = cells.filter(|cell| !cell.is_empty());
        let holds_words = values.clone().all(is_word);
        let first = values.clone().next();
        let varies = values.clone().any(|value| Some(value) != first);
        let words = match holds_words {
            false => Words::None,
            true if are_few(values.clone()) => Words::Few,
            true => Words::Any,
        };
        let example = values.next().map(excerpt).unwrap_or_default();
        let tells_prices_apart = holds_words && tells_prices_apart(layout, rows, index);
        UnusedColumn { index, name: column_name(names, index), words, varies, tells_prices_apart, example }
    });
    let has_a_name = |index: usize| names.get(index).is_some_and(|name| !name.is_empty());
    unused.filter(|column| has_a_name(column.index) || !column.example.is_empty()).collect()
}

/// Returns whether words of several letters repeat: there are two or more, and each occurs three times on average.
fn are_few<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    let distinct: HashSet<&[u8]> = words.clone().collect();
    let are_long = distinct.iter().all(|word| word.len() > 1);
    are_long && distinct.len() > 1 && words.count() >= 3 * distinct.len()
}

/// Returns whether the prices of two words in a column are far apart.
fn tells_prices_apart(layout: &Layout, rows: &[Record], index: usize) -> bool {
    let is_price = |role: Role| [Role::Price, Role::Bid, Role::Ask, Role::Close].contains(&role);
    let Some((_, price)) = layout.uses().find(|(role, _)| is_price(*role)) else { return false };
    let mut ranges: HashMap<&[u8], (Decimal, Decimal)> = HashMap::new();
    for row in rows {
        let price = row.get(price).and_then(|cell| layout.numbers.price(cell).ok().flatten());
        let (Some(word), Some(Price(price))) = (row.get(index), price) else { continue };
        let (least, most) = ranges.entry(word.trim_ascii()).or_insert((price, price));
        (*least, *most) = (price.min(*least), price.max(*most));
    }
    let mut ranges: Vec<(Decimal, Decimal)> =
        ranges.into_values().filter(|(least, _)| *least > Decimal::ZERO).collect();
    ranges.sort();
    let highest_before =
        |before: &[(Decimal, Decimal)]| before.iter().map(|(_, most)| *most).max().unwrap_or_default();
    (1..ranges.len()).any(|next| {
        let (before, least) = (highest_before(&ranges[..next]), ranges[next].0);
        least
            .checked_mul(Decimal::from(4))
            .zip(before.checked_mul(APART_IN_QUARTERS))
            .is_some_and(|(now, before)| now >= before)
    })
}

/// Returns the name of a column in the header. If the column has no name, returns its number.
pub fn column_name(names: &[String], index: usize) -> String {
    names.get(index).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| index.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::super::layout::{self, Given};
    use super::*;

    /// Returns whether the words in the third column tell prices apart. A row is a price and a word.
    fn tells_apart(rows: &[(&str, &str)]) -> bool {
        let cells = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Vec<_>>();
        let rows: Vec<Record> =
            rows.iter().map(|(price, word)| cells(&format!("1704292200,{price},{word}"))).collect();
        let lines = [&[cells("time,price,of")][..], &rows].concat();
        let layout = layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;
        let names = ["time", "price", "of"].map(str::to_owned);
        unused_columns(&layout, &names, &rows)[0].tells_prices_apart
    }

    #[test]
    fn few_words_of_several_letters_repeat() {
        let are_few = |words: &[&str]| are_few(words.iter().map(|word| word.as_bytes()));

        assert!(are_few(&["Brent", "WTI", "Brent", "WTI", "Brent", "WTI"]));
        assert!(!are_few(&["Brent", "WTI", "Brent", "WTI", "Brent"]));
        assert!(!are_few(&["Brent"; 6]));
        assert!(!are_few(&["Q", "P", "Q", "P", "Q", "P"]));
    }

    #[test]
    fn words_tell_prices_apart_from_five_quarters_on() {
        assert!(tells_apart(&[("100", "A"), ("125", "B")]));
        assert!(!tells_apart(&[("100", "A"), ("124.99", "B")]));
        assert!(tells_apart(&[("125", "B"), ("80", "A"), ("100", "A")]));
        assert!(!tells_apart(&[("100", "A"), ("125", "B"), ("110", "A"), ("105", "B")]));
        assert!(!tells_apart(&[("100", "A"), ("125", "A")]));
        assert!(!tells_apart(&[("100", "1"), ("125", "2")]));
    }
}
