//! Decides which columns are joined to the symbol of a row.

use std::collections::HashMap;

use super::super::words::is_among;
use super::columns::Columns;
use super::given::Given;
use super::role::{Role, normal};
use super::{Record, SymbolColumns};

/// Returns the columns of the symbol.
///
/// The parts of a contract are not added to a name with digits, as in `ESH24`, because such a name is taken for
/// the name of the contract, unless rows of one name are of several contracts. They are not added to a configured symbol either, unless the map names them.
pub fn symbol(
    rows: &[Record],
    names: &[String],
    columns: &Columns,
    given: Given<'_>,
) -> Option<SymbolColumns> {
    let symbol = columns.symbol()?;
    let is_other = |column: usize| {
        let is_weak = names.get(column).is_some_and(|name| is_among(WEAK_NAMES, name));
        are_all(EXCHANGES, rows, column) || is_weak && are_all(KINDS, rows, column)
    };
    let name = symbol.name.filter(|column| given.map.is_some() || !is_other(*column));
    let suffix = name.and(symbol.suffix);
    let is_contract = match name {
        _ if given.map.is_some_and(|map| map.has_any(&[Role::Expiry, Role::Strike, Role::Right])) => true,
        Some(column) => {
            let has_digits = |row: &Record| row.get(column).is_some_and(|name| has_digits(name));
            !rows.iter().any(has_digits) || has_several_contracts(rows, column, symbol)
        }
        None => !given.has_symbol,
    };
    let found = if is_contract {
        SymbolColumns { name, suffix, ..symbol }
    } else {
        SymbolColumns { name, suffix, is_pair: symbol.is_pair, ..SymbolColumns::default() }
    };
    Some(found).filter(|found| found.name.is_some() || found.is_joined())
}

/// Returns whether rows of one name differ in the parts of a contract.
fn has_several_contracts(rows: &[Record], name: usize, symbol: SymbolColumns) -> bool {
    let parts = |row: &Record| {
        [symbol.expiry, symbol.strike, symbol.right]
            .map(|column| row.get(column?).map(|cell| cell.trim_ascii().to_vec()))
    };
    let mut first = HashMap::new();
    rows.iter().any(|row| {
        let parts = parts(row);
        row.get(name).is_some_and(|name| *first.entry(name).or_insert_with(|| parts.clone()) != parts)
    })
}

fn has_digits(name: &[u8]) -> bool {
    name.iter().any(u8::is_ascii_digit)
}

/// Normalized names of columns that may have instruments, or else exchanges or kinds of instruments.
const WEAK_NAMES: &str = "market asset product instrument security contract code";

/// Names of exchanges.
const EXCHANGES: &str = "nasdaq nyse arca nysearca nyse_arca amex bats bzx byx edgx edga iex memx phlx psx cboe adf trf \
    finra otc xnas xnys arcx xase bats iexg lse xlon xetra xetr xpar xams tse xtks hkex xhkg nse bse xnse xbom spot \
    binance coinbase kraken bitstamp bitfinex bitmex huobi okx kucoin bybit gemini deribit";

/// Kinds of instruments, and countries and segments of markets.
const KINDS: &str = "us usa stock stocks equity equities share shares future futures crypto linear inverse perp perpetual swap \
    margin kospi kosdaq main regular usdtm coinm common front forex fx cash";

/// Returns whether all values in a column are among these words.
fn are_all(words: &str, rows: &[Record], column: usize) -> bool {
    let cells = || {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| normal(cell)).filter(|cell| !cell.is_empty())
    };
    cells().next().is_some() && cells().all(|cell| is_among(words, &cell))
}
