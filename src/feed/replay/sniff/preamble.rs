//! What lines apart from the rows say, beside the zone: the symbol, and a unit of prices or sizes.

use super::super::layout::normal;
use crate::market::Symbol;

/// Normalized names that stand before a symbol.
const NAMES: [&str; 6] = ["symbol", "ticker", "instrument", "security", "mnemonic", "tickersymbol"];

/// Words of a unit that numbers are counted in.
const UNITS: &str =
    "cents pence pennies gbx usx thousand thousands million millions billion billions 000s mio tsd tausend";

/// Returns the symbol that a line names, as in `Ticker: MSFT`.
pub fn symbol_in(line: &str) -> Option<Symbol> {
    let line = line.trim_start_matches(['#', ' ', '"']);
    let (name, symbol) = line.split_once([':', '=', ',', ';', '\t', '|'])?;
    let symbol = symbol.trim_matches(|c: char| c.is_whitespace() || "\",;|".contains(c));
    let is_word = !symbol.is_empty() && !symbol.contains(|c: char| c.is_whitespace() || ",;|".contains(c));
    let is_symbol = is_word && NAMES.contains(&normal(name.as_bytes()).as_str());
    is_symbol.then(|| Symbol::from_name(symbol).ok()).flatten()
}

/// Returns a warning for a line that says in which unit numbers are. `number` is its line number.
pub fn unit_in_a_line(number: u64, line: &str) -> Option<String> {
    let line = line.trim();
    has_unit(line).then(|| format!("line {number} says `{line}`, and the numbers are read as they stand"))
}

/// Returns a warning for a column of prices or sizes whose name says in brackets that its numbers are counted in
/// thousands, in cents or the like, or that sizes are in money.
pub fn unit_in_a_name(name: &str, is_size: bool) -> Option<String> {
    const SHORT: &str = "k m mm mn bn mio '000 ¢ 手 張 张";
    const MONEY: &str = "usd eur gbp jpy cny inr usdt krw $ € £ ¥";
    let name = name.trim();
    let (_, unit) = name.split_once(['(', '[', '（'])?;
    let unit =
        unit.strip_suffix([')', ']', '）']).filter(|unit| unit.parse::<u32>().is_err() || unit.len() > 2)?;
    let is_among = |units: &str| units.split_ascii_whitespace().any(|known| known == unit.to_lowercase());
    let has_number = unit.contains(|c: char| c.is_ascii_digit() || "千百万萬億亿¢".contains(c));
    let is_said = has_unit(unit) || has_number || is_among(SHORT) || is_size && is_among(MONEY);
    is_said.then(|| format!("the name of column `{name}` has a unit, and its numbers are read as they stand"))
}

/// Returns whether a text has a word of a unit. In `GBp`, the small letter means pence.
fn has_unit(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    let is_unit = |word: &str| {
        let small = word.to_lowercase();
        UNITS.split_ascii_whitespace().any(|unit| unit == small)
            || small.strip_prefix('x').is_some_and(|times| {
                times.len() > 1 && times.bytes().all(|digit| digit == b'0' || digit == b'1')
            })
    };
    words.any(|word| word == "GBp" || is_unit(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_name_the_symbol() {
        let symbol = |line: &str| symbol_in(line).map(|symbol| symbol.to_string());

        for line in
            ["Ticker: MSFT", "# symbol=MSFT", "Instrument,MSFT", "\"Symbol\",\"MSFT\"", "Security;MSFT;;"]
        {
            assert_eq!(symbol(line).as_deref(), Some("MSFT"), "{line}");
        }
        for line in ["Ticker", "Ticker: MSFT US", "Symbol,Date,Close", "Source: Reuters", "Ticker:"] {
            assert_eq!(symbol(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_or_a_name_may_have_a_unit() {
        for line in ["Prices in cents", "# unit: GBp", "volume x1000", ",USD,USD,thousand"] {
            assert!(unit_in_a_line(1, line).is_some(), "{line}");
        }
        for line in ["# gbp, per cent", "# AAPL x2", "USD"] {
            assert_eq!(unit_in_a_line(1, line), None, "{line}");
        }
        for (name, is_size) in [
            ("Volume (thousands)", true),
            ("Open [GBX]", false),
            ("売買高(千株)", true),
            ("size(USD)", true),
            ("Volume ('000)", true),
        ] {
            assert!(unit_in_a_name(name, is_size).is_some(), "{name}");
        }
        for (name, is_size) in [
            ("Volume (BTC)", true),
            ("Close (EUR)", false),
            ("Close (TRY)", false),
            ("Price ($)", false),
            ("bids[0].price", false),
            ("bid[0]", false),
            ("Volume (shares)", true),
            ("Open (USD/bbl)", false),
            ("Close", false),
        ] {
            assert_eq!(unit_in_a_name(name, is_size), None, "{name}");
        }
    }
}
