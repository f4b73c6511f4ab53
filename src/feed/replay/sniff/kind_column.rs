//! Finds the columns that may say of which kind each row is: a trade, a payment, an order that was not filled.

use super::super::layout::{Layout, Record, Values, are_of_trades, normal};
use super::super::words::is_among;

/// Words of a trade.
const TRADES: &str =
    "buy sell trade fill bought sold purchase sale kauf verkauf achat vente compra venta kupno sprzedaż";

/// Words of a price that is neither a trade nor a payment.
const PRICES: &str = "price prices close quote";

/// Words of a payment.
const PAYMENTS: &str = "dividend dividends div deposit deposits withdrawal withdraw interest fee fees tax split transfer \
    journal coupon funding pnl reinvest reinvestment payment commission charge charges bonus merger spinoff dividende einzahlung \
    auszahlung zinsen gebühr steuer dividendo";

/// Words that may stand beside the kind of a row.
const BESIDE: &str = "stock cash special reverse regular";

/// Parts of normalized names of columns that say what an instrument is: `Best Buy` is a company.
const NAMES: [&str; 10] =
    ["name", "company", "security", "issuer", "instrument", "title", "sector", "industry", "fund", "product"];

/// Normalized names of columns with the state of an order.
const STATES: [&str; 11] = [
    "exectype",
    "action",
    "event",
    "status",
    "orderstatus",
    "ordstatus",
    "orderstate",
    "condition",
    "conditions",
    "salecondition",
    "tradecondition",
];

/// Normalized names of columns that mark cancelled trades and other rows that are none, with a flag in each row.
const CANCELS: &str = "cxl deleted isdeleted reversal reversed testtrade istest istheoretical theoretical isindicative indicative";

/// Parts of such names.
const PARTS_OF_CANCELS: [&str; 5] = ["cancel", "void", "bust", "storn", "撤"];

/// The beginnings of words that mark a cancelled trade, or a price without a trade, in a column of any name.
const CANCELLED: [&str; 7] = ["canc", "storn", "busted", "void", "broken", "indicativ", "theoretic"];

/// The largest number of bytes of such a word and what stands beside it.
const SHORT: usize = 20;

/// Normalized names of columns with the correction of a trade in the files of NYSE TAQ.
const CORRECTIONS: [&str; 6] =
    ["corr", "correction", "trcorr", "correctionindicator", "tradecorrection", "tradecorrectionindicator"];

/// From this code on, NYSE TAQ marks trades that were cancelled or were errors, and the records that say so.
/// <http://nysetechnologies.nyx.com/en/Data-Products/taq-web>
const FIRST_CANCELLED: u8 = 7;

/// Normalized names of columns with the filled part of an order.
const FILLED: [&str; 8] = [
    "filled",
    "filledqty",
    "filledquantity",
    "filledsize",
    "executedqty",
    "executedquantity",
    "executedvolume",
    "cumqty",
];

/// Normalized cells of a flag that is set.
const SET: [&str; 8] = ["y", "yes", "true", "t", "1", "x", "c", "ja"];

/// The beginnings of states in which an order gives no trade.
const UNFILLED: [&str; 4] = ["cancel", "reject", "expire", "unfilled"];

/// States in which an order gives no trade, in a column whose name means a state only.
const WAITING: &str = "new pending working placed submitted accepted triggerpending presubmitted inactive";

/// Normalized cells of an ask.
const ASKS: [&str; 4] = ["ask", "asks", "bestask", "offer"];

/// A column that may say of which kind each row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindColumn {
    pub column: usize,
    meaning: Meaning,
    /// Whether the rows are bars. A cell then says their kind only if it says nothing else.
    is_of_bars: bool,
    /// Whether a name of a column means trades, so that an ask is the side of who traded.
    are_of_trades: bool,
}

/// What the name of a column says of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    Unknown,
    /// The state of an order, in a column with this normalized name.
    State(String),
    /// A flag of cancelled trades.
    Cancelled,
    /// The code of a correction.
    Correction,
    /// The filled part of an order.
    Filled,
}

/// The kind of a row, by a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Trade,
    Payment,
    Unfilled,
    Cancelled,
    Ask,
    Other,
}

impl KindColumn {
    /// Finds the columns that may say of which kind each row is: those with the state of an order, and those in
    /// which a first row is a trade or a payment. `names` are the names in the header.
    pub fn all(layout: &Layout, names: &[String], rows: &[Record]) -> Vec<Self> {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let is_used = |column: usize| layout.uses().any(|(_, used)| used == column);
        let is_of_bars = matches!(layout.values, Values::Bars { .. });
        let normals: Vec<String> = names.iter().map(|name| normal(name.as_bytes())).collect();
        let are_of_trades = are_of_trades(&normals);
        let kind_column = |column: usize| {
            let name = normals.get(column).cloned().unwrap_or_default();
            if NAMES.iter().any(|part| name.contains(part)) {
                return None;
            }
            let column = Self { column, meaning: Meaning::of(name, is_of_bars), is_of_bars, are_of_trades };
            let is_kind =
                |row: &Record| row.get(column.column).is_some_and(|cell| column.kind(cell) != Kind::Other);
            (column.meaning != Meaning::Unknown || rows.iter().any(is_kind)).then_some(column)
        };
        (0..width).filter(|column| !is_used(*column)).filter_map(kind_column).collect()
    }

    /// Returns the kind of the rows that have this cell in the column.
    pub fn kind(&self, cell: &[u8]) -> Kind {
        let text = String::from_utf8_lossy(cell).to_lowercase();
        let kind_if = |is_kind: bool, kind: Kind| if is_kind { kind } else { Kind::Other };
        match &self.meaning {
            Meaning::Unknown => {}
            Meaning::Cancelled => return kind_if(SET.contains(&normal(cell).as_str()), Kind::Cancelled),
            Meaning::Correction => {
                let is_cancelled = text.trim().parse().is_ok_and(|code: u8| code >= FIRST_CANCELLED);
                return kind_if(is_cancelled, Kind::Cancelled);
            }
            Meaning::Filled => {
                let is_unfilled = text.trim().parse().is_ok_and(|size: f64| size == 0.0);
                return kind_if(is_unfilled, Kind::Unfilled);
            }
            Meaning::State(name) => {
                let state = normal(cell);
                let is_of_trades = name.contains("condition");
                if is_of_trades && state.starts_with("cancel") {
                    return Kind::Cancelled;
                }
                let is_of_orders = !is_of_trades && !matches!(name.as_str(), "action" | "event");
                let is_waiting = is_of_orders && is_among(WAITING, &state);
                if is_waiting || !is_of_trades && UNFILLED.iter().any(|start| state.starts_with(start)) {
                    return Kind::Unfilled;
                }
            }
        }
        let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let has = |known: &str| words.clone().any(|word| is_among(known, word));
        let is_known = |word: &str| {
            let known = [TRADES, PAYMENTS, PRICES, BESIDE];
            known.iter().any(|known| is_among(known, word)) || word.bytes().all(|byte| byte.is_ascii_digit())
        };
        let says_more = self.is_of_bars && !words.clone().all(is_known);
        match () {
            () if says_more => Kind::Other,
            () if !self.is_of_bars && is_cancelled(&text) => Kind::Cancelled,
            () if !self.are_of_trades && ASKS.contains(&normal(cell).as_str()) => Kind::Ask,
            () if has(TRADES) => Kind::Trade,
            () if has(PAYMENTS) => Kind::Payment,
            () if words.clone().next().is_some() && words.all(|word| is_among(PRICES, word)) => Kind::Trade,
            () => Kind::Other,
        }
    }
}

/// Returns whether a column's normalized name means that trades were cancelled.
fn is_cancel(name: &str) -> bool {
    // A name in the plural counts cancelled trades.
    let is_part = || PARTS_OF_CANCELS.iter().any(|part| name.contains(part));
    is_among(CANCELS, name) || !name.ends_with('s') && is_part()
}

impl Meaning {
    /// Returns what a column's normalized name says.
    fn of(name: String, is_of_bars: bool) -> Self {
        let is_among = |names: &[&str]| names.contains(&name.as_str());
        match () {
            () if is_among(&STATES) => Self::State(name),
            () if is_of_bars => Self::Unknown,
            () if is_cancel(&name) => Self::Cancelled,
            () if is_among(&CORRECTIONS) => Self::Correction,
            () if is_among(&FILLED) => Self::Filled,
            () => Self::Unknown,
        }
    }
}

/// Returns whether a cell in lower case says that a trade was cancelled.
fn is_cancelled(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    text.len() <= SHORT && words.any(|word| CANCELLED.iter().any(|start| word.starts_with(start)))
}
