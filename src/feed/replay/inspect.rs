//! What a replay understands of a file, for those who ask before they serve it.

use indexmap::IndexMap;

use super::number::DecimalSign;
use super::plan::Plan;
use super::scan::Order;
use super::time::DateOrder;
use crate::feed::error::FeedError;
use crate::market::{Event, KindSet, Symbol, Time};

/// What was understood of one text.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The file, with the member of an archive behind a colon where it has several.
    pub file: String,
    /// The layout's name.
    pub layout: &'static str,
    /// Whose files have this layout, where it is one of [`LAYOUTS`](super::LAYOUTS).
    pub vendor: Option<&'static str>,
    /// The kinds of its events.
    pub kinds: KindSet,
    /// Data rows.
    pub rows: u64,
    /// Events; a row that is a trade and the quote of its moment gives two.
    pub events: u64,
    /// Rows that gave no event, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// How its times run: `ascending`, `descending` or `unsorted`.
    pub order: &'static str,
    /// Whose clock its times are of; `UTC (assumed)` where they do not say it, and nobody else.
    pub zone: String,
    /// Local times that there were twice, when clocks went back.
    pub repeated: u64,
    /// Local times that there were not, when clocks went forward.
    pub moved: u64,
    /// Events by symbol, in the order in which they come.
    pub symbols: IndexMap<Symbol, u64>,
    /// The first event in time order.
    pub first: Option<Event>,
    /// The last event in time order.
    pub last: Option<Event>,
    /// Which column is used as what.
    pub columns: Vec<(&'static str, String)>,
    /// How characters are coded.
    pub encoding: &'static str,
    /// What stands between cells.
    pub delimiter: char,
    /// Whether decimals stand behind a comma.
    pub has_decimal_comma: bool,
    /// Prices are in units of ten to the minus this.
    pub price_scale: u32,
    /// What is wrong with what it is packed in: what came before was read.
    pub damage: Option<String>,
    /// The order of day and month, where no date shows it and it was not given.
    pub assumed_date_order: Option<DateOrder>,
}

/// The first and the last event in time order, found in the order of the file.
#[derive(Default)]
struct Ends {
    /// The earliest that came first, and that came last.
    first: [Option<Event>; 2],
    /// The latest that came first, and that came last.
    last: [Option<Event>; 2],
}

impl Ends {
    fn observe(&mut self, event: &Event) {
        let times = |held: &Option<Event>| held.as_ref().map(|held| held.time);
        let replace = |held: &mut Option<Event>, if_so: fn(Time, Time) -> bool| {
            if times(held).is_none_or(|time| if_so(event.time, time)) {
                *held = Some(event.clone());
            }
        };
        replace(&mut self.first[0], |new, held| new < held);
        replace(&mut self.first[1], |new, held| new <= held);
        replace(&mut self.last[0], |new, held| new > held);
        replace(&mut self.last[1], |new, held| new >= held);
    }

    /// As a replay would give them: a file that runs backwards is turned round with its equal times.
    fn of(self, order: Order) -> (Option<Event>, Option<Event>) {
        let ([first, first_turned], [last_turned, last]) = (self.first, self.last);
        if order == Order::Descending { (first_turned, last_turned) } else { (first, last) }
    }
}

impl Inspection {
    /// Reads all of a text.
    ///
    /// # Errors
    ///
    /// It cannot be read to its end; with `strict`, a row cannot be used.
    pub(super) fn of(plan: &Plan) -> Result<Self, FeedError> {
        let Plan { part, sniffed, scan, .. } = plan;
        let mut rows = plan.rows()?;
        let mut ends = Ends::default();
        let mut symbols: IndexMap<Symbol, u64> = IndexMap::new();
        let (mut events, mut kinds) = (0, KindSet::NONE);
        while let Some(event) = rows.next()? {
            events += 1;
            kinds = kinds.with(event.kind().into());
            ends.observe(&event);
            match symbols.get_mut(&event.symbol) {
                Some(count) => *count += 1,
                None => drop(symbols.insert(event.symbol, 1)),
            }
        }
        let (first, last) = ends.of(scan.order);
        let column = |index: usize| match sniffed.names.get(index) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => index.to_string(),
        };
        Ok(Self {
            file: part.to_string(),
            layout: sniffed.layout.name,
            vendor: sniffed.layout.vendor,
            kinds,
            rows: scan.rows,
            events,
            rejected: rows.rejected().by_reason().collect(),
            order: scan.order.name(),
            zone: plan.zone(),
            repeated: scan.repeated,
            moved: scan.moved,
            symbols,
            first,
            last,
            columns: sniffed.layout.uses().map(|(role, index)| (role.name(), column(index))).collect(),
            encoding: sniffed.encoding.name(),
            delimiter: char::from(sniffed.delimiter),
            has_decimal_comma: sniffed.layout.numbers.decimal == DecimalSign::Comma,
            price_scale: sniffed.layout.numbers.price_scale,
            damage: rows.damage().found().map(str::to_owned),
            assumed_date_order: sniffed.is_date_order_assumed.then_some(sniffed.layout.date_order),
        })
    }
}
