//! The inspection of a text: what a replay recognizes in it, for the command `inspect`.

use indexmap::IndexMap;

use super::number::DecimalSign;
use super::plan::Plan;
use super::scan::Order;
use super::time::DateOrder;
use crate::feed::error::FeedError;
use crate::market::{Event, KindSet, Symbol, Time};

/// The result of the inspection of a text.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The file's path. For a member of an archive, `path:member`.
    pub file: String,
    /// The name of the layout.
    pub layout: &'static str,
    /// The vendor of the layout, if it is one of [`LAYOUTS`](super::LAYOUTS).
    pub vendor: Option<&'static str>,
    /// The kinds of the events.
    pub kinds: KindSet,
    /// The number of data rows.
    pub rows: u64,
    /// The number of events. A row with both a trade and a quote gives two.
    pub events: u64,
    /// The number of rejected rows, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// The order of the times: `ascending`, `descending` or `unsorted`.
    pub order: &'static str,
    /// The zone of the times. `UTC (assumed)` if neither the file nor the configuration gives one.
    pub zone: String,
    /// The number of local times that occur twice, because the zone's clocks went back.
    pub repeated: u64,
    /// The number of local times that do not exist, because the zone's clocks went forward.
    pub moved: u64,
    /// The number of events of each symbol, in the order of their first events.
    pub symbols: IndexMap<Symbol, u64>,
    /// The first event in time order.
    pub first: Option<Event>,
    /// The last event in time order.
    pub last: Option<Event>,
    /// The column of each role.
    pub columns: Vec<(&'static str, String)>,
    /// The character encoding.
    pub encoding: &'static str,
    /// The delimiter.
    pub delimiter: char,
    /// Whether the decimal sign is a comma.
    pub has_decimal_comma: bool,
    /// The power of ten by which prices are divided.
    pub price_scale: u32,
    /// The damage of the packed file. The rows before it were read.
    pub damage: Option<String>,
    /// The order of day and month, if it was assumed: no date shows it, and the configuration does not give it.
    pub assumed_date_order: Option<DateOrder>,
}

/// The first and the last event in time order, collected while the rows are read in file order.
#[derive(Default)]
struct Ends {
    /// The events at the earliest time: the first and the last of them in file order.
    first: [Option<Event>; 2],
    /// The events at the latest time: the first and the last of them in file order.
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

    /// Returns the first and the last event as a replay would give them: a descending file is reversed.
    fn of(self, order: Order) -> (Option<Event>, Option<Event>) {
        let ([first, first_turned], [last_turned, last]) = (self.first, self.last);
        if order == Order::Descending { (first_turned, last_turned) } else { (first, last) }
    }
}

impl Inspection {
    /// Reads a text to its end.
    ///
    /// # Errors
    ///
    /// Returns an error if the text cannot be read to its end. With `strict`, also if a row is rejected.
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
