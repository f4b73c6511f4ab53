//! Warnings about a file: what was assumed, and which unused columns may matter.

use super::layout::TimeColumns;
use super::path;
use super::plan::Plan;
use super::reading::Order;
use super::settings::Settings;
use super::suspicion::Suspicion;
use crate::market::Time;

/// An hour in nanoseconds.
const HOUR: i64 = 60 * 60 * 1_000_000_000;

/// Returns a warning for each unused column that may hold something that the layout lacks, and warnings about what
/// was assumed of the times.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let times = [folder_day(plan), falling_times(plan), evening(plan), digits(plan)];
    suspicions(plan).chain(times.into_iter().flatten()).collect()
}

fn suspicions(plan: &Plan) -> impl Iterator<Item = String> {
    let Plan { layout, unused, scan, settings, .. } = plan;
    let Settings { symbol, zone, .. } = &**settings;
    let is_open = |suspicion: &Suspicion| match suspicion {
        Suspicion::Instrument | Suspicion::Contract => layout.symbol.is_none() && symbol.is_none(),
        Suspicion::Size(_) | Suspicion::BarPrice(_) => true,
        Suspicion::PartOfTime => !scan.times.has_fractions,
        Suspicion::Zone => scan.times.has_local_times && zone.is_none(),
    };
    unused.iter().filter_map(move |column| {
        let suspicion = Suspicion::of(column, unused, layout).filter(is_open)?;
        Some(suspicion.warning(column))
    })
}

/// Returns the day that all times have because the file's path names it.
fn day_in_path(plan: &Plan) -> Option<i64> {
    match plan.layout.times.columns {
        TimeColumns::TimeOfDay { day, .. } | TimeColumns::Day(day) => Some(day),
        TimeColumns::One(_) | TimeColumns::Two { .. } => None,
    }
}

fn folder_day(plan: &Plan) -> Option<String> {
    let path = plan.part.virtual_path();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let day = day_in_path(plan).filter(|_| path::day(name).is_none())?;
    let day = Time::from_nanos(day).to_string();
    let day = day.split('T').next().unwrap_or_default();
    Some(format!("the times have no date, so the day {day} in the name of a folder is assumed"))
}

fn falling_times(plan: &Plan) -> Option<String> {
    day_in_path(plan).filter(|_| plan.scan.times.order == Order::Unsorted)?;
    Some("the times of day fall and rise, but all are read as times of one day".to_owned())
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
    Some(format!("the times of day are read as {form}, and could be {other} (set it by --time-of-day)"))
}
