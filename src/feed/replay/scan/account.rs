//! Recognizes files of an account, which have other rows beside trades: payments such as dividends, or orders that
//! were not filled. All rows are compared, because such a row may come late.

use super::super::cells::Cells;
use super::super::layout::{Layout, Role};
use super::super::sniff::{Kind, KindColumn};

/// So many different cells of a column are remembered. The others are compared again in each row.
const REMEMBERED: usize = 32;

/// What a row of an account's file is beside a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    Payments,
    UnfilledOrders,
    Cancelled,
    Asks,
}

/// Compares the kinds of all rows.
#[derive(Debug, Default)]
pub struct AccountRows {
    columns: Vec<Observed>,
    /// The column of the price or the close.
    price: usize,
}

/// What the cells of a column say so far.
#[derive(Debug)]
struct Observed {
    column: KindColumn,
    known: Vec<Vec<u8>>,
    /// The kinds of rows.
    kinds: Vec<Kind>,
}

impl AccountRows {
    /// Creates the comparison of the columns. A file without prices of trades or bars is no account's.
    pub fn new(layout: &Layout, columns: &[KindColumn]) -> Self {
        let mut uses = layout.uses();
        let Some((_, price)) = uses.find(|(role, _)| matches!(role, Role::Price | Role::Close)) else {
            return Self::default();
        };
        let observed =
            |column: &KindColumn| Observed { column: column.clone(), known: Vec::new(), kinds: Vec::new() };
        Self { columns: columns.iter().map(observed).collect(), price }
    }

    /// Returns how many cells of a row must be read.
    pub fn width(&self) -> usize {
        let last = self.columns.iter().map(|observed| observed.column.column).max();
        last.map_or(0, |last| last.max(self.price) + 1)
    }

    /// Adds a row. A row without a price gives no trade anyway, so it does not count.
    pub fn observe(&mut self, layout: &Layout, row: &Cells<'_>) {
        for observed in &mut self.columns {
            let Some(cell) = row.get(observed.column.column) else { continue };
            if observed.known.iter().any(|known| known == cell) {
                continue;
            }
            let price = row.get(self.price).map(|price| layout.numbers.price(price));
            if !matches!(price, Some(Ok(Some(_)))) {
                continue;
            }
            let kind = observed.column.kind(cell);
            if !observed.kinds.contains(&kind) {
                observed.kinds.push(kind);
            }
            if observed.known.len() < REMEMBERED {
                observed.known.push(cell.to_vec());
            }
        }
    }

    /// Returns what the rows are beside trades: payments if a column has both, or payments only; or orders that were
    /// not filled. Returns `None` if the rows are of one kind.
    pub fn found(&self) -> Option<Account> {
        let is_statement = |Observed { kinds, .. }: &Observed| {
            kinds.contains(&Kind::Payment) && (kinds.contains(&Kind::Trade) || kinds.len() == 1)
        };
        if self.columns.iter().any(is_statement) {
            return Some(Account::Payments);
        }
        let has = |kind: Kind| self.columns.iter().any(|observed| observed.kinds.contains(&kind));
        match () {
            () if has(Kind::Unfilled) => Some(Account::UnfilledOrders),
            () if has(Kind::Cancelled) => Some(Account::Cancelled),
            () if has(Kind::Ask) => Some(Account::Asks),
            () => None,
        }
    }
}

impl Account {
    /// Returns what the file holds.
    pub const fn looks_like(self) -> &'static str {
        match self {
            Self::Payments => {
                "a statement of an account, with payments beside its trades (--map reads all rows)"
            }
            Self::Asks => "asks beside other rows (--map reads all rows)",
            Self::Cancelled => "trades, some of them cancelled or marked as none (--map reads all rows)",
            Self::UnfilledOrders => "orders, some of them not filled (--map reads all rows)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cells::Splitter;
    use super::super::super::layout::{self, Given, Record};
    use super::*;

    fn found(name: &str, cells: &[&str]) -> Option<Account> {
        let record = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Record>();
        let header = format!("time,price,{name}");
        let rows: Vec<String> = cells.iter().map(|cell| format!("1704292200,5,{cell}")).collect();
        let lines: Vec<Record> =
            [header.as_str()].into_iter().chain(rows.iter().map(String::as_str)).map(record).collect();
        let layout = layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        let columns = KindColumn::all(&layout, &names, &lines[1..]);
        let mut account = AccountRows::new(&layout, &columns);
        for row in &rows {
            account.observe(&layout, &Splitter::new(b',').split(row.as_bytes(), account.width()));
        }
        account.found()
    }

    #[test]
    fn payments_beside_trades_are_a_statement() {
        assert_eq!(found("what", &["Buy", "Dividend"]), Some(Account::Payments));
        assert_eq!(found("what", &["close", "dividend"]), Some(Account::Payments));
        assert_eq!(found("what", &["Dividend", "Deposit"]), Some(Account::Payments));
        assert_eq!(found("what", &["Dividend", "x"]), None);
        assert_eq!(found("what", &["Buy", "x"]), None);
        assert_eq!(found("what", &["Buy", "Sell dividend shares"]), None);
    }

    #[test]
    fn orders_that_were_not_filled_are_no_trades() {
        assert_eq!(found("status", &["FILLED", "CANCELLED"]), Some(Account::UnfilledOrders));
        assert_eq!(found("status", &["FILLED", "Rejected: no margin"]), Some(Account::UnfilledOrders));
        assert_eq!(found("status", &["FILLED", "NEW"]), Some(Account::UnfilledOrders));
        assert_eq!(found("event", &["NEW", "x"]), None);
        assert_eq!(found("event", &["cancel", "x"]), Some(Account::UnfilledOrders));
        assert_eq!(found("what", &["CANCELLED", "x"]), Some(Account::Cancelled));
        assert_eq!(found("status", &["open", "closed"]), None);
    }

    #[test]
    fn cancelled_trades_are_no_trades() {
        assert_eq!(found("is_cancel", &["0", "1"]), Some(Account::Cancelled));
        assert_eq!(found("Cancelled", &["N", "Yes"]), Some(Account::Cancelled));
        assert_eq!(found("condition", &["@", "CANCELED"]), Some(Account::Cancelled));
        assert_eq!(found("cancelled", &["0", "N", "", "false"]), None);
        assert_eq!(found("condition", &["@", "new", "expired"]), None);
        assert_eq!(found("is_test", &["0", "1"]), Some(Account::Cancelled));
        assert_eq!(found("phase", &["CONT", "INDICATIVE"]), Some(Account::Cancelled));
        assert_eq!(found("cancels", &["0", "1"]), None);
        assert_eq!(found("note", &["x", "cancelled by someone"]), Some(Account::Cancelled));
        assert_eq!(found("note", &["x", "cancelled by somebody"]), None);
    }

    #[test]
    fn trades_that_nyse_corrected_away_and_orders_without_a_filled_part_are_no_trades() {
        assert_eq!(found("TR_CORR", &["00", "07"]), Some(Account::Cancelled));
        assert_eq!(found("CORR", &["0", "12"]), Some(Account::Cancelled));
        assert_eq!(found("CORR", &["0", "1", "06"]), None);
        assert_eq!(found("executed_qty", &["5", "0.000"]), Some(Account::UnfilledOrders));
        assert_eq!(found("filled", &["5", "2.5", "true"]), None);
    }

    #[test]
    fn asks_are_no_trades() {
        assert_eq!(found("what", &["TRADE", "ASK"]), Some(Account::Asks));
        assert_eq!(found("what", &["TRADE", "BID"]), None);
    }

    #[test]
    fn different_cells_are_compared_without_end() {
        let mut cells: Vec<String> = (0..100).map(|number| format!("BOUGHT {number}")).collect();
        cells.push("TAX".to_owned());
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();

        assert_eq!(found("what", &cells), Some(Account::Payments));
    }
}
