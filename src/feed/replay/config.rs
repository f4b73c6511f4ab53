//! What is configured of a replay: which files, how they are read, and within what limits.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout::Map;
use super::number::DecimalSign;
use super::time::DateOrder;
use crate::range::{self, DAY, MILLISECOND, OutOfRange};

/// Recorded files (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files, folders and patterns, merged by time; of equal times, the earlier file's events come first.
    pub files: Vec<PathBuf>,
    /// Whether it begins again after its end. Times go on rising: each lap is moved to begin one second after
    /// the last event of the lap before.
    pub r#loop: bool,
    /// The symbol of files that have no column for it; where it is not given, the file's name tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Whose clock times without an offset are of, e.g. `America/New_York`; UTC is assumed where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The layout of the files, by its name in [`LAYOUTS`](super::LAYOUTS); where it is not given, the files tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// Which column is what, by name or number.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub map: Map,
    /// How day, month and year follow each other in dates of three numbers, where the files do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// The sign before decimals, where the files do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// Prices are in units of ten to the minus this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_scale: Option<u32>,
    /// What stands between cells: one character, or `tab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// How characters are coded, by a label of the Encoding Standard, e.g. `euc-kr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Only events at this time and later are replayed; without an offset, it is on the files' clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only events before this time are replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether the first row that cannot be used ends the replay.
    pub strict: bool,
    /// A packed file may give so many bytes; 0 for no limit.
    pub max_bytes: u64,
    /// A packed file may give so many bytes for each of its own; 0 for no limit.
    pub max_ratio: u64,
    /// At full speed, a client with `delivery=every` that holds up the replay and stands still for this long is closed.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// A file that is not in time order is sorted in memory, up to so many rows, at about 200 bytes each.
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
