//! For the command `inspect`, finds the layout, time order, time zone, symbols and rejected rows of a file or
//! archive member.

use indexmap::IndexMap;

use super::number::DecimalSign;
use super::plan::Plan;
use super::plan::warnings;
use super::scan::Order;
use super::sniff::{UnusedColumn, column_name};
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
    /// The vendor whose files have the layout; `None` if the layout is not one of
    /// [`LAYOUTS`](super::LAYOUTS).
    pub vendor: Option<&'static str>,
    /// The kinds of events in the file, such as trades.
    pub kinds: KindSet,
    /// The number of data rows in the file.
    pub rows: u64,
    /// The number of events that are read from the rows. A row with both a trade and a quote becomes two
    /// events.
    pub events: u64,
    /// The reasons why rows were rejected, each with the number of rows to which the reason applies.
    pub rejected: Vec<(&'static str, u64)>,
    /// The order of the rows by time, i.e. `ascending`, `descending` or `unsorted`.
    pub order: &'static str,
    /// The time zone of the times in the file; `UTC (assumed)` if neither the file nor the configuration
    /// gives a time zone.
    pub zone: String,
    /// The number of local times in the file that occur twice in their time zone, because the clocks were set
    /// back.
    pub repeated: u64,
    /// The number of local times in the file that do not exist in their time zone, because the clocks were
    /// set forward.
    pub moved: u64,
    /// The number of events of each symbol. The symbols are listed in the order of their first events.
    pub symbols: IndexMap<Symbol, u64>,
    /// The first event in time order.
    pub first: Option<Event>,
    /// The last event in time order.
    pub last: Option<Event>,
    /// The roles, such as `time`, for which the file has a column. Each role is listed with the name or the
    /// number of its column.
    pub columns: Vec<(&'static str, String)>,
    /// The columns that no role uses.
    pub unused: Vec<UnusedColumn>,
    /// The warnings about unused columns that may hold something that the layout lacks, and about an assumed
    /// day.
    pub warnings: Vec<String>,
    /// The character encoding of the file.
    pub encoding: &'static str,
    /// The delimiter between the cells of a line.
    pub delimiter: char,
    /// Whether the decimal sign in the file is a comma.
    pub has_decimal_comma: bool,
    /// The number of decimal places in prices that are written as integers; 0 if prices are written as plain
    /// decimals.
    pub price_scale: u32,
    /// The damage that was found in a packed file; `None` if the file is intact. The rows before the damage
    /// are inspected as usual.
    pub damage: Option<String>,
    /// The assumed order of day and month in the file's dates; `None` if the dates prove the order, or if the
    /// configuration sets the order.
    pub assumed_date_order: Option<DateOrder>,
}

/// Finds the first and the last event in time order, while the rows are read in file order.
#[derive(Default)]
struct Ends {
    /// Among the events with the earliest time: the first and the last event in file order.
    first: [Option<Event>; 2],
    /// Among the events with the latest time: the first and the last event in file order.
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

    /// Returns the events that a replay publishes first and last. If the file's rows are in descending time
    /// order, a replay publishes the rows in reverse order.
    fn of(self, order: Order) -> (Option<Event>, Option<Event>) {
        let ([first, first_turned], [last_turned, last]) = (self.first, self.last);
        if order == Order::Descending { (first_turned, last_turned) } else { (first, last) }
    }
}

impl Inspection {
    /// Reads a file or archive member to its end, and collects what the command `inspect` prints.
    ///
    /// # Errors
    ///
    /// Returns an error if the file or archive member cannot be read to its end. With the setting `strict`,
    /// also returns an error if a row is rejected.
    pub(super) fn of(plan: &Plan) -> Result<Self, FeedError> {
        let Plan { part, dialect, layout, names, scan, .. } = plan;
        let times = &scan.times;
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
        let (first, last) = ends.of(times.order);
        let column = |index: usize| column_name(names, index);
        Ok(Self {
            file: part.to_string(),
            layout: layout.name,
            vendor: layout.vendor,
            kinds,
            rows: scan.rows,
            events,
            rejected: rows.rejected().by_reason().collect(),
            order: times.order.name(),
            zone: plan.zone(),
            repeated: times.repeated,
            moved: times.moved,
            symbols,
            first,
            last,
            columns: layout.uses().map(|(role, index)| (role.name(), column(index))).collect(),
            unused: plan.unused.clone(),
            warnings: warnings(plan),
            encoding: dialect.encoding.name(),
            delimiter: char::from(dialect.delimiter),
            has_decimal_comma: layout.numbers.decimal == DecimalSign::Comma,
            price_scale: layout.numbers.price_scale,
            damage: rows.damage().found().map(str::to_owned),
            assumed_date_order: times.is_date_order_assumed.then_some(times.times.date_order),
        })
    }
}
