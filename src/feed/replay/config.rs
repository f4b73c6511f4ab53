//! The configuration of a replay.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::Map;
use super::number::DecimalSign;
use super::time::DateOrder;
use crate::range::{self, DAY, MILLISECOND, OutOfRange};

/// The settings of the replay (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files, folders and patterns. Their events are merged by time; at equal times, events of the earlier file come
    /// first.
    pub files: Vec<PathBuf>,
    /// Whether the replay starts again after its end. Each lap is shifted to begin one second after the end of the
    /// lap before, so that times keep rising.
    pub r#loop: bool,
    /// The symbol of files without a symbol column. Without it, the file's name gives the symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The time zone of times without an offset, e.g. `America/New_York`. Without it, UTC is assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The name of the files' layout, one of [`LAYOUTS`](super::LAYOUTS). Without it, the layout is recognized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The column of each role, by name or number.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub map: Map,
    /// The order of day, month and year in dates of three numbers, for files that do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// The decimal sign, for files that do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// The power of ten by which prices are divided: 4 means units of 0.0001.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_scale: Option<u32>,
    /// The delimiter: one character, or `tab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The character encoding, by a label of the Encoding Standard, e.g. `euc-kr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The start of the replayed span: events before it are left out. A time without an offset is in the files' zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The end of the replayed span: events at this time and later are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether the first rejected row ends the replay.
    pub strict: bool,
    /// The largest unpacked size of a packed file, in bytes; 0 means no limit.
    pub max_bytes: u64,
    /// The largest number of unpacked bytes per packed byte; 0 means no limit.
    pub max_ratio: u64,
    /// At full speed, a client with `delivery=every` is closed if it holds up the replay and stalls for this long.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// The largest number of rows that are sorted in memory, at about 200 bytes each. Only files that are not in time
    /// order are sorted.
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
    /// Checks that each value lies in its range.
    pub(in crate::feed) fn check(&self) -> Result<(), OutOfRange> {
        range::check("stall_timeout", self.stall_timeout, MILLISECOND..=DAY)
    }
}
