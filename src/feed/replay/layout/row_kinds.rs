//! Recognizes files whose rows are of several kinds: trades beside asks, and levels of an order book.

use super::super::words::is_among;
use super::Record;
use super::layout_error::LayoutError;
use super::role::normal;

/// Finds the column whose value marks each row as a trade, a bid or an ask, and the values that mark a trade.
/// Returns `None` if no row is marked as an ask. Returns an error if some rows are marked as asks, but none
/// as a trade.
pub fn only_trades(rows: &[Record], names: &[String]) -> Result<Option<Only>, LayoutError> {
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
    let is_kind = |column: &usize| is_among(KINDS, &names[*column]);
    for column in (0..names.len()).filter(is_kind).chain(sides(rows, names)) {
        let only = trades_in(column, rows, names)?;
        if only.is_some() {
            return Ok(only);
        }
    }
    Ok(None)
}

/// The column whose value marks each row, and the values that mark a trade.
type Only = (usize, &'static [&'static str]);

/// Normalized names of columns that may say of which kind each row is.
const KINDS: &str = "type ticktype eventtype event recordtype record side kind action updateaction mdupdateaction msgtype \
    messagetype tradetype";

/// Returns the values in a column of kinds that mark a trade, if other rows are none.
fn trades_in(column: usize, rows: &[Record], names: &[String]) -> Result<Option<Only>, LayoutError> {
    // Bids are not searched for, because `b` may mean a buyer.
    const ASKS: &str = "ask asks a bestask quoteask askquote offer";
    const CHANGES: &str = "l2update depthupdate bookchange bookupdate booksnapshot delta l2 orderbook add addorder insert \
        modify delete deleteorder remove replace";
    // Actions on an order: to add, modify, cancel and delete it, and in FIX to change and delete it.
    const ACTIONS: &str = "a m c d 1 2";
    const NO_TRADES: &str = "quote quotes q order indicative indication theoretical test";
    const TRADES: &[&str] = &["TRADE", "Trade", "trade", "TRADES", "trades", "T"];
    let cells = || rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim_ascii());
    let holds = |known: &str| cells().any(|cell| is_among(known, &normal(cell)));
    let only =
        cells().any(|cell| TRADES.iter().any(|trade| trade.as_bytes() == cell)).then_some((column, TRADES));
    let is_action = names[column].ends_with("action");
    if holds(CHANGES) || is_action && holds(ACTIONS) {
        return only.map(Some).ok_or(LayoutError::Unfit("a table", "changes of an order book"));
    }
    if holds(ASKS) && !are_of_trades(names) {
        return only.map(Some).ok_or(LayoutError::Unfit("quotes", "one side of the book a row"));
    }
    // <https://interactivebrokers.github.io/tws-api/tick_types.html>
    if names[column] == "ticktype" && holds("1 2 4") && holds("0 1 2 3 5") {
        return Err(LayoutError::Unfit("a table", "ticks of several types, each a number"));
    }
    let has_quotes = names.iter().any(|name| name.contains("bid") || name.contains("ask"));
    Ok(only.filter(|_| !has_quotes && holds(NO_TRADES)))
}

/// Returns whether normalized names of columns mean trades. Their side is then that of who traded.
pub fn are_of_trades(names: &[String]) -> bool {
    const PARTS: [&str; 4] = ["aggressor", "tradeprice", "tradesize", "tradevolume"];
    let is_of_trades =
        |name: &String| PARTS.iter().any(|part| name.contains(part)) || is_among("tid hash", name);
    names.iter().any(is_of_trades)
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

/// Returns whether each row is a level of an order book: of one side of it, or of both.
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
    let is_quote = |side: &str| names.iter().any(|name| name.contains(side));
    let are_quotes = is_quote("bid") && (is_quote("ask") || is_quote("offer"));
    has_side && (0..names.len()).any(is_one)
        || are_quotes && (0..names.len()).any(|column| are_cycles(rows, column))
}

/// Returns whether a column counts from 0 or 1 to the same number again and again, as the levels of a book do.
fn are_cycles(rows: &[Record], column: usize) -> bool {
    let number = |row: &Record| str::from_utf8(row.get(column)?.trim_ascii()).ok()?.parse::<u32>().ok();
    let Some(numbers) = rows.iter().map(number).collect::<Option<Vec<u32>>>() else { return false };
    let Some(length) = numbers.iter().skip(1).position(|next| *next == numbers[0]) else { return false };
    let is_of_cycle =
        |(row, number): (usize, &u32)| *number as usize == numbers[0] as usize + row % (length + 1);
    numbers[0] <= 1
        && length > 0
        && numbers.len() > 2 * (length + 1)
        && numbers.iter().enumerate().all(is_of_cycle)
}
