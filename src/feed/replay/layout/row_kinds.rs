//! Recognizes files whose rows are of several kinds: trades beside asks, and levels of an order book.

use super::Record;
use super::layout_error::LayoutError;
use super::role::normal;

/// Finds the column whose value marks each row as a trade, a bid or an ask, and the values that mark a trade.
/// Returns `None` if no row is marked as an ask. Returns an error if some rows are marked as asks, but none
/// as a trade.
pub fn only_trades(
    rows: &[Record],
    names: &[String],
) -> Result<Option<(usize, &'static [&'static str])>, LayoutError> {
    // Bids are not searched for, because `b` may mean a buyer.
    const ASKS: [&str; 7] = ["ask", "asks", "a", "bestask", "quoteask", "askquote", "offer"];
    const CHANGES: [&str; 8] =
        ["l2update", "depthupdate", "bookchange", "bookupdate", "booksnapshot", "delta", "l2", "orderbook"];
    const TRADES: &[&str] = &["TRADE", "Trade", "trade", "TRADES", "trades", "T"];
    let kinds = ["type", "ticktype", "eventtype", "recordtype", "side", "kind"];
    if rows.len() > 1 && (0..names.len()).any(|column| are_values_of_bars(rows, column)) {
        return Err(LayoutError::Unfit("a table", "the prices of each bar in rows of their own"));
    }
    let is_side = |name: &String| ["isbid", "isask", "bidflag", "askflag"].contains(&name.as_str());
    if names.iter().any(is_side) {
        return Err(LayoutError::Unfit("quotes", "one side of the book a row"));
    }
    if has_book_levels(rows, names) {
        return Err(LayoutError::Unfit("a table", "levels of an order book, one a row"));
    }
    let by_name = names.iter().position(|name| kinds.contains(&name.as_str()));
    let Some(column) = by_name.or_else(|| sides(rows, names)) else { return Ok(None) };
    let holds = |is: &dyn Fn(&str) -> bool| {
        rows.iter().filter_map(|row| row.get(column)).any(|cell| is(&String::from_utf8_lossy(cell)))
    };
    if holds(&|cell| CHANGES.contains(&normal(cell.as_bytes()).as_str()))
        && !holds(&|cell| TRADES.contains(&cell))
    {
        return Err(LayoutError::Unfit("a table", "changes of an order book"));
    }
    if !holds(&|cell| ASKS.contains(&normal(cell.as_bytes()).as_str())) {
        return Ok(None);
    }
    if holds(&|cell| TRADES.contains(&cell)) {
        return Ok(Some((column, TRADES)));
    }
    Err(LayoutError::Unfit("quotes", "one side of the book a row"))
}

/// Returns whether a column says of each row which price of a bar it has.
fn are_values_of_bars(rows: &[Record], column: usize) -> bool {
    const VALUES: [&str; 6] = ["open", "high", "low", "close", "volume", "adjclose"];
    let mut cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| normal(cell));
    let Some(first) = cells.clone().next() else { return false };
    cells.clone().all(|cell| VALUES.contains(&cell.as_str())) && cells.any(|cell| cell != first)
}

/// Returns the first column that has a side of the book, or a trade, in each row.
fn sides(rows: &[Record], names: &[String]) -> Option<usize> {
    const SIDES: [&str; 9] = ["ask", "asks", "bestask", "offer", "bid", "bids", "bestbid", "trade", "trades"];
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let are_sides = |column: &usize| cells(*column).all(|cell| SIDES.contains(&normal(cell).as_str()));
    (0..names.len()).filter(|_| !rows.is_empty()).find(are_sides)
}

/// Returns whether each row is a level of one side of an order book.
fn has_book_levels(rows: &[Record], names: &[String]) -> bool {
    const LEVELS: [&str; 7] = ["level", "lvl", "depth", "pricelevel", "booklevel", "position", "pos"];
    let has_side = names.iter().any(|name| ["side", "bidask", "bookside"].contains(&name.as_str()));
    let is_level = |cell: &[u8]| (1..=3).contains(&cell.len()) && cell.iter().all(u8::is_ascii_digit);
    let are_levels = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim_ascii());
        let Some(first) = cells.clone().next() else { return false };
        cells.clone().all(is_level) && cells.any(|cell| cell != first)
    };
    let is_one = |column: usize| LEVELS.contains(&names[column].as_str()) && are_levels(column);
    has_side && (0..names.len()).any(is_one)
}
