//! Warns of a second column that may be the close of bars: many exchanges have a close, which may be an average or a
//! settlement price, and the price of the last trade.

use super::entry::{Entry, RecognizedBy};
use super::role::{Role, normal};
use super::{Layout, Record, Values, header};
use crate::feed::printable::excerpt;

/// Normalized names of columns, each list for one kind of close.
const CLOSES: [&[&str]; 3] = [
    &["close", "closeprice", "closing", "closingprice", "c"],
    &["last", "lastprice", "ltp", "lasttraded", "lasttradedprice", "lasttradeprice", "latest"],
    &["settle", "settlement", "settleprice", "settlementprice", "sett", "settl"],
];

/// Returns a warning if another column may be the close, and has other prices. An entry of the table may say which
/// column is the close. `names` are the names in the header.
pub fn assumed(names: &[Vec<u8>], rows: &[Record], layout: &Layout, entry: Option<&Entry>) -> Option<String> {
    let Values::Bars { close, .. } = layout.values else { return None };
    let is_said = |column: header::HeaderColumn| column.role == Some(Role::Close);
    let description = entry.and_then(|entry| match entry.recognized_by {
        RecognizedBy::Header(described) => Some(described),
        RecognizedBy::Shape(_) => None,
    });
    if description.is_some_and(|described| header::columns(described).any(is_said)) {
        return None;
    }
    let kind = |column: usize| {
        let name = names.get(column).map(|name| normal(name))?;
        CLOSES.iter().position(|kind| kind.contains(&name.as_str()))
    };
    let used = kind(close)?;
    let is_price = |row: &Record, column: usize| {
        row.get(column)
            .is_some_and(|cell| matches!(layout.numbers.price(cell), Ok(Some(price)) if !price.0.is_zero()))
    };
    let differs = |row: &Record, column: usize| is_price(row, column) && row.get(column) != row.get(close);
    let is_other = |column: &usize| {
        kind(*column).is_some_and(|kind| kind != used) && rows.iter().any(|row| differs(row, *column))
    };
    let other = (0..names.len()).find(is_other)?;
    let [read, other] = [close, other].map(|column| excerpt(&names[column]));
    Some(format!(
        "column `{read}` is read as the close, and column `{other}`, which has other prices, is not used (set it by --map \
         close=COLUMN)"
    ))
}
