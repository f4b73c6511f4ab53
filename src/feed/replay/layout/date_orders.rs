//! Finds the orders of day, month and year that the dates of the first rows allow.

use super::super::time::{self, DateOrder, OrdersLeft, Stamp};
use super::{Record, TimeColumns};

/// The orders of day, month and year in which all dates of the first rows are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateOrders {
    /// The orders, the most likely first. If there is only one, the order is certain.
    pub left: Vec<DateOrder>,
    /// Whether the notation of the dates or the language of the header makes the first order likely.
    pub is_first_likely: bool,
    /// Whether the dates have points between their numbers, as only where the day comes first.
    pub have_points: bool,
}

/// Returns the orders of day, month and year in which all dates of the first rows are valid, unless an order
/// is configured.
pub fn date_orders(
    rows: &[Record],
    time: TimeColumns,
    is_european: bool,
    configured: Option<DateOrder>,
) -> DateOrders {
    let certain = |order| DateOrders { left: vec![order], is_first_likely: true, have_points: false };
    if let Some(order) = configured {
        return certain(order);
    }
    let dates = || rows.iter().filter_map(|row| row.get(time.date_column()?));
    let mut left = OrdersLeft::default();
    if let Some(order) = dates().find_map(|date| left.observe(date)) {
        return certain(order);
    }
    let first = usual_order(&left, dates, is_european);
    // A date that begins with a year of four digits, or has a month's name, means one day in any order.
    let usual = dates().find_map(|date| time::order_usual(date)).filter(|usual| *usual != DateOrder::Ymd);
    let Some(usual) = usual else { return certain(first) };
    let others = [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd].into_iter();
    let others = others.filter(|order| *order != first && left.has(*order));
    let have_points = usual == DateOrder::Dmy;
    DateOrders {
        left: [first].into_iter().chain(others).collect(),
        is_first_likely: is_european || have_points,
        have_points: have_points && !left.has(DateOrder::Ymd),
    }
}

/// Returns a date if the configured order is valid for none of the dates of the first rows, and another order is.
pub fn misfit(rows: &[Record], time: TimeColumns, configured: DateOrder) -> Option<String> {
    let orders = |row: &Record| -> Vec<DateOrder> {
        time.date_column()
            .and_then(|column| row.get(column))
            .into_iter()
            .flat_map(|cell| time::orders(cell))
            .collect()
    };
    let dates = || rows.iter().filter(|row| !orders(row).is_empty());
    let date = dates().next()?.get(time.date_column()?)?;
    dates()
        .all(|row| !orders(row).contains(&configured))
        .then(|| String::from_utf8_lossy(date).trim().to_owned())
}

/// Returns the most likely order of day, month and year. Only orders in which all dates are valid are
/// considered. If consecutive dates lie closest together when they are read with the year first, the year is
/// assumed to come first. Otherwise, the day is assumed to come first if the dates have points, or if the
/// header is in a European language. In all other cases, the month is assumed to come first.
fn usual_order<'a, D: Iterator<Item = &'a Vec<u8>>>(
    left: &OrdersLeft,
    dates: impl Fn() -> D,
    is_european: bool,
) -> DateOrder {
    let apart = |order| {
        let local = |date: &Vec<u8>| match time::stamp(date, order) {
            Some(Stamp::Local(nanos) | Stamp::Named(nanos)) => Some(i128::from(nanos)),
            _ => None,
        };
        let times: Vec<i128> = dates().filter_map(local).collect();
        times.windows(2).map(|pair| pair[0].abs_diff(pair[1])).sum::<u128>()
    };
    let others = [DateOrder::Dmy, DateOrder::Mdy].into_iter().filter(|order| left.has(*order));
    if left.has(DateOrder::Ymd) && others.clone().all(|order| apart(DateOrder::Ymd) < apart(order)) {
        return DateOrder::Ymd;
    }
    match dates().find_map(|date| time::order_usual(date)) {
        Some(DateOrder::Mdy) if is_european && left.has(DateOrder::Dmy) => DateOrder::Dmy,
        Some(usual) if left.has(usual) => usual,
        _ => others.clone().next().unwrap_or(DateOrder::Ymd),
    }
}
