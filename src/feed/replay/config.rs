//! The configuration of a replay.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::Map;
use super::number::{DecimalSign, PriceNotation};
use super::time::{DateOrder, DigitNotation};
use crate::range::{self, Check, DAY, MILLION, MILLISECOND};

/// The settings of the replay (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The files, folders and file-name patterns to replay. The events of all files are merged by time.
    /// Events with the same time are published in the order in which their files are listed.
    pub files: Vec<PathBuf>,
    /// Whether the replay starts again after its end. The event times of each repetition are whole days later, so
    /// that times keep rising and times of day stay the same.
    pub r#loop: bool,
    /// The symbol for files without a symbol column. By default, the symbol is taken from the file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The time zone of times that have no UTC offset, such as `America/New_York`. The default time zone is
    /// UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The name of the files' layout, one of [`LAYOUTS`](super::LAYOUTS). By default, the layout is
    /// recognized from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The configured columns, each for a role such as time or price. A column is given by its name in the
    /// file's header, or by its number, counted from 0.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub map: Map,
    /// The order of day, month and year in dates such as `01/02/2024`. By default, the order is recognized
    /// from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// The notation of times of day that are written in digits, such as `93000`. By default, the notation is
    /// recognized from all times of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_of_day: Option<DigitNotation>,
    /// The decimal sign in the files. By default, the decimal sign is recognized from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// The number of decimal places in prices that are written as integers: with 4 places, 1893000 means
    /// 189.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_scale: Option<u32>,
    /// The notation of prices. By default, prices are decimal numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<PriceNotation>,
    /// The delimiter between the cells of a line: one character, or the word `tab`. By default, the delimiter
    /// is recognized from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The character encoding of the files, given by a label from the WHATWG Encoding Standard, such as
    /// `euc-kr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The start of the replay: events before this time are left out. If the time has no UTC offset, it is in
    /// the time zone `tz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The end of the replay: events at or after this time are left out. If the time has no UTC offset, it is
    /// in the time zone `tz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether a rejected row ends the replay with an error.
    pub strict: bool,
    /// The maximum size to which a packed file may unpack, in bytes; 0 means no limit.
    pub max_bytes: u64,
    /// The maximum ratio of a packed file's unpacked size to its packed size; 0 means no limit.
    pub max_ratio: u64,
    /// How long a client with `delivery=every` may keep a full-speed replay waiting. The server closes the
    /// connection of a client that has read too little within this time.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// The maximum number of rows in a file whose rows are not in time order. A file without time order is
    /// sorted in memory, which needs about 200 bytes for each row.
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
            time_of_day: None,
            decimal: None,
            price_scale: None,
            prices: None,
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
    /// Returns the checks of all settings whose values are numbers, durations, or texts from a fixed set.
    pub(in crate::feed) fn checks(&self) -> Vec<Check> {
        vec![
            range::text("date_order", "mdy, dmy or ymd", true),
            range::text(
                "time_of_day",
                "digits, minutes, seconds, milliseconds, microseconds or nanoseconds",
                true,
            ),
            range::text("decimal", "point or comma", true),
            range::whole_number("price_scale", self.price_scale, 0..=28),
            range::text("prices", "32nds", true),
            range::whole_number("max_bytes", self.max_bytes, 0..=1 << 50),
            range::whole_number("max_ratio", self.max_ratio, 0..=u64::from(MILLION)),
            range::time("stall_timeout", self.stall_timeout, MILLISECOND..=DAY),
            range::whole_number("sort_rows", self.sort_rows, 0..=1000 * MILLION as usize),
        ]
    }
}
