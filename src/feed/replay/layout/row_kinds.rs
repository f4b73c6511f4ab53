//! Recognizes files whose rows are of several kinds: trades beside asks, orders, payments of an account.

use super::Record;
use super::columns::Columns;
use super::layout_error::LayoutError;
use super::role::{Role, normal};
use crate::feed::replay::number::Numbers;

/// What a statement of an account holds.
pub const STATEMENT: &str =
    "a statement of an account, with payments beside its trades (--map reads all rows)";

/// Returns whether the rows are those of an account's statement: a column has purchases or sales in some rows, and
/// dividends or other payments in other rows. Payments without a price are no trades anyway.
pub fn is_statement(rows: &[Record], columns: &Columns) -> bool {
    const TRADES: &str =
        "buy sell trade fill bought sold purchase sale kauf verkauf achat vente compra venta kupno sprzedaż";
    const PAYMENTS: &str = "dividend dividends div deposit deposits withdrawal withdraw interest fee fees tax split transfer \
        journal coupon funding pnl reinvest reinvestment payment commission charge charges bonus merger spinoff dividende einzahlung \
        auszahlung zinsen gebühr steuer dividendo";
    let has_word = |cell: &[u8], words: &str| {
        let text = String::from_utf8_lossy(cell).to_lowercase();
        let mut of_cell = text.split(|c: char| !c.is_alphanumeric());
        of_cell.any(|word| words.split_ascii_whitespace().any(|known| known == word))
    };
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..width).any(|column| {
        let has_price = |row: &&Record| {
            let price = columns.get(Role::Price).and_then(|price| row.get(price));
            price.is_some_and(|price| matches!(Numbers::default().price(price), Ok(Some(_))))
        };
        let cells = || rows.iter().filter(has_price).filter_map(|row| row.get(column)).map(Vec::as_slice);
        let is_payment = |cell: &[u8]| has_word(cell, PAYMENTS) && !has_word(cell, TRADES);
        let are_payments = cells().next().is_some() && cells().all(is_payment);
        are_payments || cells().any(|cell| has_word(cell, TRADES)) && cells().any(is_payment)
    })
}

/// Finds the column whose value marks each row as a trade, a bid or an ask, and the values that mark a trade.
/// Returns `None` if no row is marked as an ask. Returns an error if some rows are marked as asks, but none
/// as a trade.
pub fn only_trades(
    rows: &[Record],
    names: &[String],
) -> Result<Option<(usize, &'static [&'static str])>, LayoutError> {
    // Bids are not searched for, because `b` may mean a buyer.
    const ASKS: [&str; 6] = ["ask", "asks", "a", "bestask", "quoteask", "askquote"];
    const TRADES: &[&str] = &["TRADE", "Trade", "trade", "TRADES", "trades", "T"];
    let kinds = ["type", "ticktype", "eventtype", "recordtype", "side", "kind"];
    let is_cancelled = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.any(|cell| normal(cell).starts_with("cancel"))
    };
    let of_orders = ["action", "event", "status", "orderstatus"];
    if (0..names.len()).any(|column| of_orders.contains(&&*names[column]) && is_cancelled(column)) {
        return Err(LayoutError::Unfit("orders", "orders, some of them cancelled"));
    }
    let Some(column) = names.iter().position(|name| kinds.contains(&name.as_str())) else { return Ok(None) };
    let holds = |is: &dyn Fn(&str) -> bool| {
        rows.iter().filter_map(|row| row.get(column)).any(|cell| is(&String::from_utf8_lossy(cell)))
    };
    if !holds(&|cell| ASKS.contains(&normal(cell.as_bytes()).as_str())) {
        return Ok(None);
    }
    if holds(&|cell| TRADES.contains(&cell)) {
        return Ok(Some((column, TRADES)));
    }
    Err(LayoutError::Unfit("quotes", "one side of the book a row"))
}
