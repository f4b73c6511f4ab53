//! Warnings about columns of times that are not read, because another column is.

use super::super::time::{self, DateOrder, Stamp};
use super::role::normal;
use super::{Layout, Record, Role, TimeColumns};
use crate::feed::printable::excerpt;

/// A day in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;

/// Offsets from UTC are multiples of a quarter of an hour, here in nanoseconds.
const QUARTER: i64 = 900 * 1_000_000_000;

/// Returns a warning if further columns have times, and nothing says that they are of another kind. `names` are the
/// names in the header.
pub fn assumed(names: &[Vec<u8>], rows: &[Record], layout: &Layout) -> Option<String> {
    utc_beside_local(names, rows, layout).or_else(|| times_beside(names, rows, layout))
}

/// Returns a warning if the layout has no entry in the table, and a further column has times close to those that are
/// read, such as the times of receipt. Times that differ by an offset from UTC are the same.
fn times_beside(names: &[Vec<u8>], rows: &[Record], layout: &Layout) -> Option<String> {
    // Names of times that are of the end of a bar or of another day.
    const OTHERS: [&str; 7] = ["close", "end", "settle", "exp", "maturity", "updated", "final"];
    let (TimeColumns::One(used), None) = (layout.times.columns, layout.vendor) else { return None };
    let stamp = |row: &Record, column: usize| time::stamp(row.get(column)?, layout.times.date_order);
    let nanos = |row: &Record, column: usize| stamp(row, column).map(Stamp::nanos);
    let are_in_utc = |column: usize| rows.iter().all(|row| matches!(stamp(row, column), Some(Stamp::Utc(_))));
    let is_other = |column: usize| {
        let name = normal(&names[column]);
        let is_named_otherwise = OTHERS.iter().any(|part| name.contains(part));
        let is_used = layout.uses().any(|(_, used)| used == column);
        // Of usual names, the order of preference is known. The times of trades may be the right ones, too.
        let is_of_trades = ["trade", "exec", "transact", "fill"].iter().any(|part| name.contains(part));
        let is_usual = !is_of_trades
            && [Role::Time, Role::Date, Role::TimeOfDay]
                .iter()
                .any(|role| role.names().any(|usual| usual == name));
        if is_named_otherwise || is_used || is_usual {
            return false;
        }
        let difference = |row: &Record| nanos(row, column)?.checked_sub(nanos(row, used)?);
        let Some(differences) = rows.iter().map(difference).collect::<Option<Vec<i64>>>() else {
            return false;
        };
        let Some(first) = differences.first() else { return false };
        let is_offset = first % QUARTER == 0 && differences.iter().all(|difference| difference == first);
        let is_same = is_offset && (*first == 0 || !are_in_utc(column) || !are_in_utc(used));
        let has_times_of_day =
            rows.iter().any(|row| nanos(row, column).is_some_and(|nanos| nanos % DAY != 0));
        let are_close = differences.iter().all(|difference| (-DAY..=DAY).contains(difference));
        !is_same && has_times_of_day && are_close
    };
    let other = (0..names.len()).find(|column| is_other(*column))?;
    let [read, other] = [used, other].map(|column| excerpt(&names[column]));
    Some(format!(
        "column `{read}` is read as the time, and column `{other}`, which has other times, is not used (set it by --map \
         time=COLUMN)"
    ))
}

/// Returns a warning if a column of times in UTC is read, and a column of local times beside it is not.
fn utc_beside_local(names: &[Vec<u8>], rows: &[Record], layout: &Layout) -> Option<String> {
    let normals: Vec<String> = names.iter().map(|name| normal(name)).collect();
    let of_times = |(role, _): &(Role, usize)| matches!(role, Role::Time | Role::Date | Role::TimeOfDay);
    let used: Vec<usize> = layout.uses().filter(of_times).map(|(_, column)| column).collect();
    let is_utc = |column: &&usize| {
        normals.get(**column).is_some_and(|name| name.contains("utc") || name.contains("gmt"))
    };
    let is_time = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        let is_whole = |nanos: i64| nanos % 86_400_000_000_000 != 0;
        cells.any(
            |cell| matches!(time::stamp(cell, DateOrder::Mdy), Some(Stamp::Local(nanos)) if is_whole(nanos)),
        )
    };
    let is_local = |column: &usize| {
        let is_named = ["local", "time", "date"].iter().any(|part| normals[*column].contains(part));
        is_named && !used.contains(column) && is_time(*column)
    };
    let (utc, local) = (used.iter().find(is_utc)?, (0..names.len()).find(is_local)?);
    let [utc, local] = [*utc, local].map(|column| excerpt(&names[column]));
    Some(format!(
        "column `{utc}` is read as the time, and column `{local}`, which has local times, is not used"
    ))
}
