//! Inspects a text for the command `inspect`: its layout, time order, zone and symbols, and its rejected
//! rows.

use indexmap::IndexMap;

use super::number::DecimalSign;
use super::plan::Plan;
use super::scan::Order;
use super::time::DateOrder;
use crate::feed::error::FeedError;
use crate::market::{Event, KindSet, Symbol, Time};

/// The result of inspecting one file, or one member of an archive.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The path of the file, or `path:member` for a member of an archive.
    pub file: String,
    /// The name of the recognized layout.
    pub layout: &'static str,
    /// The vendor of the layout, if the layout is one of [`LAYOUTS`](super::LAYOUTS).
    pub vendor: Option<&'static str>,
    /// The kinds of event that the file has.
    pub kinds: KindSet,
    /// The number of data rows.
    pub rows: u64,
    /// The number of events. A row with both a trade and a quote becomes two events.
    pub events: u64,
    /// The number of rejected rows, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// The order of the times: `ascending`, `descending` or `unsorted`.
    pub order: &'static str,
    /// The zone of the times; `UTC (assumed)` if neither the file nor the configuration has a zone.
    pub zone: String,
    /// The number of local times that occur twice, because the zone's clocks went back.
    pub repeated: u64,
    /// The number of local times that do not exist, because the zone's clocks went forward.
    pub moved: u64,
    /// The number of events of each symbol. The symbols are in the order of their first events.
    pub symbols: IndexMap<Symbol, u64>,
    /// The first event in time order.
    pub first: Option<Event>,
    /// The last event in time order.
    pub last: Option<Event>,
    /// The roles that have a column, such as `time`. Each role comes with the name or the number of its
    /// column.
    pub columns: Vec<(&'static str, String)>,
    /// The character encoding.
    pub encoding: &'static str,
    /// The delimiter.
    pub delimiter: char,
    /// Whether the decimal sign is a comma.
    pub has_decimal_comma: bool,
    /// The number of decimal places of prices that are written as integers; 0 for plain decimals.
    pub price_scale: u32,
    /// The damage of the packed file; `None` if the file is intact. The rows before the damage were read.
    pub damage: Option<String>,
    /// The assumed order of day and month; `None` if the dates prove the order, or if the configuration sets
    /// it.
    pub assumed_date_order: Option<DateOrder>,
}

/// The first and the last event in time order, collected while the rows are read in file order.
#[derive(Default)]
struct Ends {
    /// Two events at the earliest time: the first and the last in file order.
    first: [Option<Event>; 2],
    /// Two events at the latest time: the first and the last in file order.
    last: [Option<Event>; 2],
}

impl Ends {
    fn observe(&mut self, event: &Event) {
        let times = |kept: &Option<Event>| kept.as_ref().map(|kept| kept.time);
        let replace = |kept: &mut Option<Event>, if_so: fn(Time, Time) -> bool| {
            if times(kept).is_none_or(|time| if_so(event.time, time)) {
                *kept = Some(event.clone());
            }
        };
        replace(&mut self.first[0], |new, kept| new < kept);
        replace(&mut self.first[1], |new, kept| new <= kept);
        replace(&mut self.last[0], |new, kept| new > kept);
        replace(&mut self.last[1], |new, kept| new >= kept);
    }

    /// Returns the first and the last event of the replay. A replay reverses the rows of a descending file.
    fn of(self, order: Order) -> (Option<Event>, Option<Event>) {
        let ([first, first_turned], [last_turned, last]) = (self.first, self.last);
        if order == Order::Descending { (first_turned, last_turned) } else { (first, last) }
    }
}

impl Inspection {
    /// Reads a text to its end, and collects what `inspect` prints.
    ///
    /// # Errors
    ///
    /// Returns an error if the text cannot be read to its end, or, with `strict`, if a row is rejected.
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
