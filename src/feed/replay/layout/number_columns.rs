//! Finds the notation of the numbers in the first rows.

use super::super::number::{self, DecimalSign, price_in_32nds, price_in_32nds_after_point};
use super::Record;
use super::columns::Columns;
use super::entry::NumberRule;
use super::role::{Role, normal};
use crate::feed::printable::excerpt;

/// Of prices in 32nds with a point, at most one in this many may be another number.
const MISFITS_ONE_IN: usize = 4;

/// Returns an example of the prices if all of them may be in 32nds, as in `112'285`. With several prices, a
/// thousands separator hardly ever gives such digits only, unless the last ones stand for other eighths than quarters.
pub fn price_in_fractions(rows: &[Record], columns: &Columns) -> Option<String> {
    let is_thousand = |cell: &[u8]| matches!(cell, [.., b'\'', _, _, b'1' | b'3' | b'6' | b'8']);
    let is_fraction = |cell: &[u8]| price_in_32nds(cell).is_some() && !is_thousand(cell);
    let prices = prices(rows, columns);
    let are_fractions = prices.len() > 1 && prices.iter().all(|cell| is_fraction(cell));
    are_fractions.then(|| String::from_utf8_lossy(prices[0]).into_owned())
}

/// Returns the notation of prices that are configured to be in 32nds. If the prices have no other sign, a point stands
/// between the points and the 32nds. Numbers with a point are decimal numbers if others have another sign, or if many
/// are no 32nds.
pub fn rule_of_32nds(rows: &[Record], columns: &Columns) -> NumberRule {
    let prices = prices(rows, columns);
    let has_sign = prices.iter().any(|price| price_in_32nds(price).is_some());
    let misfits = prices.iter().filter(|price| price_in_32nds_after_point(price).is_none()).count();
    if has_sign || misfits * MISFITS_ONE_IN > prices.len() {
        NumberRule::ThirtySeconds
    } else {
        NumberRule::ThirtySecondsAfterPoint
    }
}

/// Returns a warning if prices are configured to be in 32nds, and are read as decimal numbers.
pub fn no_32nds(rows: &[Record], columns: &Columns, rule: NumberRule) -> Option<String> {
    let prices = prices(rows, columns);
    let has_sign = || prices.iter().any(|price| price_in_32nds(price).is_some());
    let misfit = prices.iter().find(|price| price_in_32nds_after_point(price).is_none());
    let price = misfit.filter(|_| rule == NumberRule::ThirtySeconds && !has_sign())?;
    Some(format!(
        "prices are read as decimal numbers, not as 32nds: `{}` is no price in 32nds",
        excerpt(price)
    ))
}

/// Returns all prices in the rows, as they are written.
fn prices<'a>(rows: &'a [Record], columns: &Columns) -> Vec<&'a [u8]> {
    const PRICES: [Role; 7] =
        [Role::Price, Role::Bid, Role::Ask, Role::Open, Role::High, Role::Low, Role::Close];
    let cells = |row: &'a Record| PRICES.iter().filter_map(|role| row.get(columns.get(*role)?));
    let prices = rows.iter().flat_map(cells).map(|cell| cell.trim_ascii());
    prices.filter(|cell| !cell.is_empty()).collect()
}

/// Returns the notation of numbers. Databento's files with decimal points, which other programs may have saved,
/// have plain decimals only.
pub fn number_rule(rows: &[Record], columns: &Columns, usual: NumberRule) -> NumberRule {
    let has_point = |row: &Record| {
        columns.numbers().filter_map(|column| row.get(column)).any(|cell| cell.contains(&b'.'))
    };
    if usual == NumberRule::FixedPoint && rows.iter().any(has_point) { NumberRule::Plain } else { usual }
}

/// Returns the decimal sign that has more proofs in the rows: a point or a comma. A number such as `0.5` or
/// `0,5` is a proof. If neither sign has more proofs, e.g. because all numbers look like `1,234`,
/// `is_comma_likely` decides.
pub fn decimal_sign(rows: &[Record], columns: &Columns, is_comma_likely: bool) -> DecimalSign {
    let cells = || rows.iter().flat_map(|row| columns.numbers().filter_map(|column| row.get(column)));
    let shown = |sign| cells().filter(|cell| number::sign_shown(cell) == Some(sign)).count();
    let (points, commas) = (shown(DecimalSign::Point), shown(DecimalSign::Comma));
    if commas > points || commas == points && is_comma_likely {
        DecimalSign::Comma
    } else {
        DecimalSign::Point
    }
}

/// Returns whether the sizes of trades have a minus sign for sales. Interactive Brokers writes -1 for an unknown
/// size, so -1 proves no sign, unless the row says that it is a sale, or all sizes are 1 or -1.
pub fn are_sizes_signed(rows: &[Record], columns: &Columns) -> bool {
    const SALES: [&str; 5] = ["sell", "sold", "sld", "s", "sale"];
    let sizes = || sizes(rows, columns);
    let is_sale = |row: &Record| row.iter().any(|cell| SALES.contains(&normal(cell).as_str()));
    let is_signed = |(row, size): (&Record, &[u8])| size.starts_with(b"-") && (size != b"-1" || is_sale(row));
    sizes().any(is_signed) || sizes().all(|(_, size)| matches!(size, b"1" | b"-1"))
}

/// Returns a warning if the size -1 is read as an unknown size.
pub fn unknown_size(rows: &[Record], columns: &Columns) -> Option<String> {
    let is_unknown = !are_sizes_signed(rows, columns) && sizes(rows, columns).any(|(_, size)| size == b"-1");
    is_unknown.then(|| "the size -1 is read as unknown, so its trades have no size".to_owned())
}

/// Returns the sizes of trades, each with its row.
fn sizes<'a>(rows: &'a [Record], columns: &Columns) -> impl Iterator<Item = (&'a Record, &'a [u8])> {
    let column = columns.get(Role::Price).and(columns.get(Role::Size));
    let cells = rows.iter().filter_map(move |row| Some((row, row.get(column?)?.trim_ascii())));
    cells.filter(|(_, cell)| cell.len() > usize::from(cell.starts_with(b"-")))
}
