//! Warnings about a file: what was assumed, and which unused columns may matter.

use super::super::layout::{NumberRule, Role, TimeColumns, TimeOfDayForm, Values, normal};
use super::super::number::DecimalSign;
use super::super::path;
use super::super::scan::{Likelihood, NamedSymbols, Precision, PriceJump, TimeJump};
use super::super::settings::Settings;
use super::super::sniff::{Suspicion, names_a_zone};
use super::Plan;
use crate::market::{Symbol, Time};

/// An hour in nanoseconds.
const HOUR: i64 = 60 * 60 * 1_000_000_000;

/// Bars are said to share their times if at least one in this many does.
const REPEATED_ONE_IN: u64 = 10;

/// Normalized names of columns that have ids rather than times.
const IDS: [&str; 10] =
    ["id", "seq", "seqno", "seqnum", "sequence", "no", "number", "index", "tradeid", "orderid"];

/// Currencies of which many units buy little.
const SMALL_UNITS: [&str; 7] = ["JPY", "KRW", "IDR", "VND", "IRR", "IRT", "COP"];

/// Hardly any trades and quotes are recorded with Unix times before 1995, the start of this year in seconds since 1970.
const FIRST_RECORDED: i64 = 788_918_400;

/// Returns a warning for each unused column that may hold something that the layout lacks, and warnings about what
/// was assumed of the times.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let times = [
        folder_day(plan),
        zone_in_name(plan),
        falling_times(plan),
        evening(plan),
        digits(plan),
        codes(plan),
        exchanged_dates(plan),
        ids(plan),
        time_jump(plan),
        repeated_times(plan),
    ];
    let numbers = [
        decimal_sign(plan),
        lean_scale(plan),
        running_total(plan),
        price_jump(plan),
        price_in_32nds(plan),
        great_whole_price(plan),
        zero_price(plan),
        crossed(plan),
        without_size(plan),
        sentinel(plan),
        bars_of_quotes(plan),
    ];
    let found = [source_in_name(plan), word_in_name(plan), month_in_name(plan)]
        .into_iter()
        .chain(times)
        .chain(numbers)
        .flatten();
    suspicions(plan).chain(zone_clues(plan)).chain(found).chain(plan.assumed.iter().cloned()).collect()
}

fn suspicions(plan: &Plan) -> impl Iterator<Item = String> {
    let Plan { layout, unused, scan, settings, .. } = plan;
    let Settings { symbol, zone, .. } = &**settings;
    let is_open = |suspicion: &Suspicion| match suspicion {
        Suspicion::Instrument => !layout.has_name_column() && symbol.is_none(),
        Suspicion::Contract | Suspicion::Kind => symbol.is_none(),
        Suspicion::Size(_) | Suspicion::PartOfSize(_) | Suspicion::BarPrice(_) => true,
        Suspicion::PartOfTime => scan.times.precision < Precision::Fraction,
        Suspicion::Zone => scan.times.has_local_times && zone.is_none(),
        Suspicion::Scale => scan.are_prices_whole && settings.price_scale.is_none(),
        Suspicion::Fill => settings.map.is_none(),
    };
    unused.iter().filter_map(move |column| {
        let suspicion = Suspicion::of(column, unused, layout).filter(is_open)?;
        Some(suspicion.warning(column))
    })
}

/// Returns what the first lines say about the zone of local times, unless the zone is configured.
fn zone_clues(plan: &Plan) -> impl Iterator<Item = String> {
    let is_open = plan.scan.times.has_local_times && plan.settings.zone.is_none();
    plan.zone_clues.iter().filter(move |_| is_open).cloned()
}

/// Returns a warning if a word of the file's name is taken for an exchange, a broker or a vendor.
fn source_in_name(plan: &Plan) -> Option<String> {
    let (symbol, path) = (plan.symbol_in_name()?, plan.part.virtual_path());
    let source = path::source_beside(&path, symbol)?;
    Some(format!(
        "`{source}` in the file's name is taken for a source, and `{symbol}` for the symbol (set it by --symbol)"
    ))
}

/// Returns a warning if the symbol in the file's name is written like a usual word.
fn word_in_name(plan: &Plan) -> Option<String> {
    let symbol = plan.symbol_in_name().filter(|symbol| path::is_like_a_word(symbol))?;
    Some(format!("the word `{symbol}` in the file's name is taken for the symbol (set it by --symbol)"))
}

/// Returns a warning if a month in the file's name is taken for the month of a contract.
fn month_in_name(plan: &Plan) -> Option<String> {
    let (symbol, path) = (plan.symbol_in_name()?, plan.part.virtual_path());
    let (first, _) = plan.scan.times.span?;
    let month =
        path::month_of_contract(&path, first.as_nanos()).filter(|month| symbol.as_str().ends_with(month))?;
    Some(format!(
        "the rows begin before the month {month} in the file's name, which is taken for the month of a contract (set the \
         symbol by --symbol)"
    ))
}

/// Returns the day that all times have because the file's path names it.
fn day_in_path(plan: &Plan) -> Option<i64> {
    match plan.layout.times.columns {
        TimeColumns::TimeOfDay { day, .. } | TimeColumns::Day(day) => Some(day),
        TimeColumns::One(_) | TimeColumns::Two { .. } | TimeColumns::Parts(_) => None,
    }
}

fn folder_day(plan: &Plan) -> Option<String> {
    let path = plan.part.virtual_path();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let is_of_name = |day: &i64| [path::day(name), path::short_day(name)].contains(&Some(*day));
    let day = day_in_path(plan).filter(|day| !is_of_name(day))?;
    let day = Time::from_nanos(day).to_string();
    let day = day.split('T').next().unwrap_or_default();
    Some(format!("the times have no date, so the day {day} in the name of a folder is assumed"))
}

/// Returns a warning if the name of a column with local times may give their zone.
fn zone_in_name(plan: &Plan) -> Option<String> {
    let Plan { layout, names, scan, settings, .. } = plan;
    let is_open = scan.times.has_local_times && settings.zone.is_none();
    let is_time = |role: Role| matches!(role, Role::Time | Role::Date | Role::TimeOfDay);
    let mut columns =
        layout.uses().filter(|(role, _)| is_time(*role)).filter_map(|(_, column)| names.get(column));
    let column = columns.find(|name| is_open && names_a_zone(name))?;
    Some(format!(
        "the name of column `{column}` may give the zone of its times, which are read as UTC (set it by --tz)"
    ))
}

/// Returns a warning if the times of day of one symbol fall and rise within a date.
fn falling_times(plan: &Plan) -> Option<String> {
    plan.scan.times.rises_and_falls.then(|| {
        "the times of day fall and rise, but all are read as times of their date (a session may begin on the evening \
         before, or hours may lack AM and PM)"
            .to_owned()
    })
}

fn evening(plan: &Plan) -> Option<String> {
    let hour = plan.layout.times.evening? / HOUR;
    Some(format!(
        "the times fall once in each date, so times from {hour:02}:00 on are read as the evening before the date"
    ))
}

/// Returns a warning if the times of day, which are digits, may be meant in another way.
fn digits(plan: &Plan) -> Option<String> {
    let (_, form) = plan.layout.times.columns.time_of_day()?;
    let other = plan.scan.times.other_form?;
    let advice = match (form, other) {
        (TimeOfDayForm::Digits(_), TimeOfDayForm::Digits(_)) => {
            "six digits, with the zeros before them, would tell"
        }
        _ => "set it by --time-of-day",
    };
    Some(format!("the times of day are read as {form}, and could be {other} ({advice})"))
}

fn exchanged_dates(plan: &Plan) -> Option<String> {
    plan.scan.are_dates_exchanged.then(|| {
        "the dates are in order only if day and month are exchanged where both are at most 12: a program, such as a \
         spreadsheet, may have exchanged them"
            .to_owned()
    })
}

fn crossed(plan: &Plan) -> Option<String> {
    plan.scan.odd_ticks.are_crossed().then(|| {
        "most bids are above the ask, so their columns may be exchanged (--map bid=COLUMN ask=COLUMN)"
            .to_owned()
    })
}

fn without_size(plan: &Plan) -> Option<String> {
    plan.scan
        .odd_ticks
        .have_no_size()
        .then(|| "at least a tenth of the trades have a size of 0, so they may be no trades".to_owned())
}

/// Returns a warning if digits in a file without a header are read as times of day, and may be codes of instruments.
fn codes(plan: &Plan) -> Option<String> {
    let TimeColumns::Two { time_of_day, form, .. } = plan.layout.times.columns else { return None };
    let is_open = plan.names.is_empty() && plan.settings.map.is_none() && !plan.layout.has_name_column();
    (is_open && form != TimeOfDayForm::Text && plan.scan.may_times_be_codes).then(|| {
        format!(
            "the numbers in column {time_of_day} are the same on each date: they are read as times of day, and may be codes of \
             instruments (--map symbol={time_of_day})"
        )
    })
}

/// Returns a warning if the times of trades or quotes are numbers that may be ids.
fn ids(plan: &Plan) -> Option<String> {
    let Plan { layout, names, scan, settings, .. } = plan;
    let TimeColumns::One(column) = layout.times.columns else { return None };
    let is_given = settings.map.as_ref().is_some_and(|map| map.has_any(&[Role::Time]));
    let is_open = scan.odd_times.are_counts && !is_given && matches!(layout.values, Values::Ticks { .. });
    let (first, _) = scan.times.span.filter(|_| is_open)?;
    let name = names.get(column).map(String::as_str).unwrap_or_default();
    let is_early = first.as_nanos() < FIRST_RECORDED * 1_000_000_000;
    let rise_by_one = names.is_empty() && scan.odd_times.rise_by_one();
    let is_id = is_early || rise_by_one || IDS.contains(&normal(name.as_bytes()).as_str());
    is_id.then(|| {
        let column = if name.is_empty() { column.to_string() } else { format!("`{name}`") };
        format!(
            "the numbers in column {column} are read as Unix times from {first} on, and may be ids (--map time=COLUMN names \
             the column of the times)"
        )
    })
}

/// Returns a warning if a time of a symbol is far from the time before.
fn time_jump(plan: &Plan) -> Option<String> {
    let TimeJump { line, before, time } = plan.scan.odd_times.jump?;
    let [before, time] = [before, time].map(|nanos| {
        let text = Time::from_nanos(nanos).to_string();
        text.split('T').next().unwrap_or_default().to_owned()
    });
    Some(format!(
        "the times jump by more than ten years (line {line}: {time} after {before}): some may be wrong"
    ))
}

/// Returns a warning if many bars share their times, or if trades or quotes have dates only.
fn repeated_times(plan: &Plan) -> Option<String> {
    let Plan { scan, layout, .. } = plan;
    let count = scan.repeated_times;
    match layout.values {
        Values::Bars { .. } if count * REPEATED_ONE_IN >= scan.rows && count > 0 => Some(format!(
            "{count} of {} bars have the same time and symbol as the bar before: they may be of several instruments",
            scan.rows
        )),
        Values::Bars { .. } if scan.repeated_bars * REPEATED_ONE_IN >= scan.compared_bars && scan.repeated_bars > 1 => {
            Some(format!(
                "{} of {} bars have the same time and symbol as an earlier bar: they may be of several instruments, exchanges \
                 or lengths",
                scan.repeated_bars, scan.compared_bars
            ))
        }
        Values::Ticks { .. } if count > 0 && scan.times.precision == Precision::Day => Some(
            "the times are dates only, so all rows of a day have the same time (another column may have the time of day: \
             --map time=DATE+TIME)"
                .to_owned(),
        ),
        _ => None,
    }
}

fn decimal_sign(plan: &Plan) -> Option<String> {
    let Plan { scan, layout, settings, .. } = plan;
    let number = scan.ambiguous_number.as_ref().filter(|_| settings.decimal.is_none())?;
    let (sign, meaning) = match (layout.numbers.decimal, number.contains(',')) {
        (DecimalSign::Comma, true) => ("comma", "is the decimal sign"),
        (DecimalSign::Comma, false) => ("point", "separates thousands"),
        (DecimalSign::Point, true) => ("comma", "separates thousands"),
        (DecimalSign::Point, false) => ("point", "is the decimal sign"),
    };
    Some(format!(
        "no number shows whether the {sign} in `{number}` {meaning}, as is assumed (set it by --decimal)"
    ))
}

/// Returns a warning if a layout of the trading engine LEAN is configured, and the path does not say whether the
/// file is one of equities, whose prices LEAN scales.
fn lean_scale(plan: &Plan) -> Option<String> {
    let is_lean = plan.settings.layout.is_some() && plan.layout.number_rule == NumberRule::Lean;
    let is_open = is_lean && plan.settings.price_scale.is_none();
    let is_unknown = is_open && !path::has_lean_kind(&plan.part.virtual_path());
    is_unknown.then(|| {
        "no folder of the path names the kind of instrument, so prices are read as they are (LEAN writes those of \
         equities in units of 0.0001: --price-scale 4)"
            .to_owned()
    })
}

/// Returns a warning if bars of bids and asks are read as quotes.
fn bars_of_quotes(plan: &Plan) -> Option<String> {
    let is_quote =
        matches!(plan.layout.values, Values::Ticks { bid: Some(_), .. } | Values::Ticks { ask: Some(_), .. });
    let is_high = |name: &str| ["bidhigh", "askhigh", "highbid", "highask"].contains(&name);
    let column = plan.unused.iter().find(|column| is_high(&normal(column.name.as_bytes())))?;
    is_quote.then(|| {
        format!(
            "column `{}` is not used: bars of bids and asks are read as the quote at their close",
            column.name
        )
    })
}

fn running_total(plan: &Plan) -> Option<String> {
    let text = match (plan.scan.running_total, &plan.layout.values) {
        (Likelihood::Likely | Likelihood::Certain, Values::Bars { .. }) => {
            "the volumes only ever grow during a day, so they may be the volume of the day so far"
        }
        (Likelihood::Likely, Values::Ticks { size: Some(_), .. }) => {
            "the sizes only ever grow, so they may be a running total (--map size=- leaves them out)"
        }
        (Likelihood::Certain, Values::Ticks { size: None, .. }) => {
            "the sizes only ever grow, so they are a running total, and the trades have no size (--map size=COLUMN reads \
             them as they are)"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn zero_price(plan: &Plan) -> Option<String> {
    let line = plan.scan.zero_price?;
    Some(format!("a price is 0 (line {line}), which may mean that there is none"))
}

/// Returns a warning if the decimals of prices may be 32nds.
fn price_in_32nds(plan: &Plan) -> Option<String> {
    let Settings { prices, decimal, price_scale, .. } = &*plan.settings;
    let is_open = prices.is_none() && decimal.is_none() && price_scale.is_none();
    let price = plan.scan.price_in_32nds.filter(|_| is_open && plan.layout.numbers.price_scale == 0)?;
    Some(format!(
        "no price has decimals above 31, so they may be 32nds: {price} is read as a decimal number (--prices 32nds reads \
         them as 32nds, and --decimal point as decimals)"
    ))
}

/// Returns a warning if all prices are whole numbers that may be in smaller units.
fn great_whole_price(plan: &Plan) -> Option<String> {
    let Plan { scan, layout, settings, .. } = plan;
    let is_open = settings.price_scale.is_none() && layout.number_rule == NumberRule::Plain;
    let is_of_small_unit = |symbol: &Symbol| {
        SMALL_UNITS.iter().any(|currency| symbol.as_str().to_uppercase().contains(currency))
    };
    let is_known = match &scan.symbols {
        NamedSymbols::Few(symbols) => symbols.iter().any(is_of_small_unit),
        NamedSymbols::TooMany => false,
    };
    let price = scan.great_whole_price.filter(|_| is_open && !is_known)?;
    Some(format!(
        "all prices are whole numbers of a million and more, such as {price}, which may be in smaller units (--price-scale 4 \
         divides them by 10000, and --price-scale 0 leaves them)"
    ))
}

fn sentinel(plan: &Plan) -> Option<String> {
    let (line, price) = plan.scan.sentinel?;
    Some(format!("a price is {price} (line {line}), which may mean that there is none"))
}

fn price_jump(plan: &Plan) -> Option<String> {
    let PriceJump { line, before, price } = plan.scan.price_jump.as_ref()?;
    Some(format!(
        "prices jump by a power of ten (line {line}: {price} after {before}): some may be in another unit or lack their \
         decimal sign"
    ))
}
