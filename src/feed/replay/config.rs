//! The configuration of a replay.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::Map;
use super::number::DecimalSign;
use super::time::DateOrder;
use crate::range::{self, Check, DAY, MILLION, MILLISECOND};

/// The settings of the replay (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The files, folders and patterns to replay. Events are merged by time. Events of equal time are in the
    /// order of their files.
    pub files: Vec<PathBuf>,
    /// Whether the replay starts again after its end. The times of each lap are shifted: a lap begins one
    /// second after the end of the previous lap.
    pub r#loop: bool,
    /// The symbol of files without a symbol column. By default, the symbol is found in the file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The time zone of times without an offset, e.g. `America/New_York`. The default is UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The name of the files' layout, one of [`LAYOUTS`](super::LAYOUTS). By default, the layout is
    /// recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The column of each role, such as time or price. A column is given by its name in the header, or by its
    /// number, counted from 0.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub map: Map,
    /// The order of day, month and year in dates such as `01/02/2024`. By default, the order is recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// The decimal sign. By default, the sign is recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// The number of decimal places of prices that are written as integers: with 4, 1893000 is 189.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_scale: Option<u32>,
    /// The delimiter of cells: one character, or `tab`. By default, the delimiter is recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The character encoding: a label of the Encoding Standard, e.g. `euc-kr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Events before this time are left out. A time without an offset is in the zone `tz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Events at or after this time are left out. A time without an offset is in the zone `tz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether the first rejected row ends the replay with an error.
    pub strict: bool,
    /// The largest unpacked size of a packed file, in bytes; 0 means no limit.
    pub max_bytes: u64,
    /// The largest number of unpacked bytes per packed byte; 0 means no limit.
    pub max_ratio: u64,
    /// At full speed, the replay waits for clients with `delivery=every`. The server closes a client that has
    /// read too little within this time.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// The largest number of rows of a file that is not in time order. Such a file is sorted in memory, which
    /// needs about 200 bytes for each row.
    pub sort_rows: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            r#loop: false,
            symbol: None,
            tz: None,
            layout: None,
            map: Map::default(),
            date_order: None,
            decimal: None,
            price_scale: None,
            delimiter: None,
            encoding: None,
            from: None,
            to: None,
            strict: false,
            max_bytes: 1 << 40,
            max_ratio: 1000,
            stall_timeout: Duration::from_secs(10),
            sort_rows: 2_000_000,
        }
    }
}

impl Config {
    /// Returns the checks of all numbers and durations, and of the texts with a fixed set of values.
    pub(in crate::feed) fn checks(&self) -> Vec<Check> {
        vec![
            range::text("date_order", "mdy, dmy or ymd", true),
            range::text("decimal", "point or comma", true),
            range::whole_number("price_scale", self.price_scale, 0..=28),
            range::whole_number("max_bytes", self.max_bytes, 0..=1 << 50),
            range::whole_number("max_ratio", self.max_ratio, 0..=u64::from(MILLION)),
            range::time("stall_timeout", self.stall_timeout, MILLISECOND..=DAY),
            range::whole_number("sort_rows", self.sort_rows, 0..=1000 * MILLION as usize),
        ]
    }
}
