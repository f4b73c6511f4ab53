//! Finds the notation of the numbers in the first rows.

use super::super::number::{self, DecimalSign};
use super::Record;
use super::columns::Columns;
use super::entry::NumberRule;
use super::role::Role;

/// Returns an example of the prices if all of them may be in 32nds and eighths of a 32nd behind an apostrophe, as
/// in `112'285`. With several prices, a thousands separator hardly ever gives such digits only.
pub fn price_in_fractions(rows: &[Record], columns: &Columns) -> Option<String> {
    const PRICES: [Role; 7] =
        [Role::Price, Role::Bid, Role::Ask, Role::Open, Role::High, Role::Low, Role::Close];
    let is_fraction = |cell: &[u8]| match cell {
        [whole @ .., b'\'' | b'-', tens @ b'0'..=b'3', ones @ b'0'..=b'9', b'0' | b'2' | b'5' | b'7'] => {
            whole.len() <= 3 && whole.iter().all(u8::is_ascii_digit) && (*tens < b'3' || *ones < b'2')
        }
        _ => false,
    };
    let in_row = |row: &Record| {
        let cells = PRICES.iter().filter_map(|role| row.get(columns.get(*role)?));
        cells.map(|cell| cell.trim_ascii().to_vec()).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    let prices: Vec<Vec<u8>> = rows.iter().flat_map(in_row).collect();
    let are_fractions = prices.len() > 1 && prices.iter().all(|cell| is_fraction(cell));
    are_fractions.then(|| String::from_utf8_lossy(&prices[0]).into_owned())
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
