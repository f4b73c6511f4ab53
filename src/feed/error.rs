//! Why a feed cannot begin, or comes to an end before its own.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::market::SymbolError;

/// Why a feed cannot begin or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// A replay has nothing to replay.
    #[error("feed.replay.files: no file is given")]
    NoFiles,
    /// A file is not there, or may not be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Reading a file failed part of the way.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No encoding of text has the given name.
    #[error("feed.replay.encoding: `{label}` is no encoding")]
    Encoding {
        /// The name.
        label: String,
    },
    /// A file is something else than comma-separated market data.
    #[error("{}: not market data: it looks like {looks_like}", path.display())]
    NotMarketData {
        /// The file.
        path: PathBuf,
        /// What it is instead, e.g. `an HTML page`.
        looks_like: &'static str,
    },
    /// No column of a file's header is a time.
    #[error("{}:1: no time column among `{found}`", path.display())]
    NoTimeColumn {
        /// The file.
        path: PathBuf,
        /// The header line.
        found: String,
    },
    /// No column of a file's header is a price.
    #[error("{}:1: no price column among `{found}`", path.display())]
    NoPriceColumn {
        /// The file.
        path: PathBuf,
        /// The header line.
        found: String,
    },
    /// A file has rows, and none of them has a time that can be read.
    #[error("{}:{line}: `{found}` is no time, and no row has a better one", path.display())]
    NoTimes {
        /// The file.
        path: PathBuf,
        /// The line of the first row.
        line: u64,
        /// What stands in its time column.
        found: String,
    },
    /// A file has no symbol column, and its name does not tell the symbol.
    #[error("{}: cannot tell the symbol from the file name", path.display())]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// A symbol in the settings is none.
    #[error("{key}: {source}")]
    Symbol {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        source: SymbolError,
    },
    /// A file is not in time order and too long to be sorted.
    #[error("{}: {rows} rows that are not in time order, more than the {limit} that are sorted", path.display())]
    TooLongToSort {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: u64,
        /// `feed.replay.sort_rows`.
        limit: usize,
    },
    /// The settings of the simulation cannot be simulated.
    #[error("feed.simulated.{key}: {fault}")]
    Simulated {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// Reading standard input failed.
    #[error("cannot read standard input")]
    Stdin {
        /// What the system says.
        source: io::Error,
    },
}

/// Whose fault an error is, as exit codes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// An input is not there or cannot be read.
    NoInput,
    /// An input is there, but it is no market data that can be read.
    BadData,
    /// The settings ask for what cannot be.
    Configuration,
}

/// What files look like that can be made into what a replay reads.
pub(super) const GZIP: &str = "gzip data";
pub(super) const ZIP: &str = "a zip archive";
pub(super) const ZSTD: &str = "zstd data";
pub(super) const PIPE: &str = "a pipe or a device, which cannot be read twice";

impl FeedError {
    /// Whose fault it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Open { .. } | Self::Read { .. } | Self::Stdin { .. } => ErrorClass::NoInput,
            Self::NotMarketData { .. }
            | Self::NoTimeColumn { .. }
            | Self::NoPriceColumn { .. }
            | Self::NoTimes { .. }
            | Self::TooLongToSort { .. } => ErrorClass::BadData,
            Self::NoFiles
            | Self::Encoding { .. }
            | Self::NoSymbol { .. }
            | Self::Symbol { .. }
            | Self::Simulated { .. } => ErrorClass::Configuration,
        }
    }

    /// What the reader can do about it, where that is known.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoFiles => Some("name one, e.g. --feed replay feeds/bars-1m.csv"),
            Self::Open { .. } => Some("a relative path starts from the working directory"),
            Self::Encoding { .. } => Some("e.g. utf-8, euc-kr, windows-1252, utf-16le, shift_jis or gbk"),
            Self::NotMarketData { .. } => Some(
                "a replay reads text files whose first line names the columns, e.g. time,symbol,price,size",
            ),
            Self::NoTimeColumn { .. } => Some("name a column time, timestamp, datetime or date"),
            Self::NoPriceColumn { .. } => {
                Some("name a column price (trades), bid and ask (quotes) or close (bars)")
            }
            Self::NoTimes { .. } => {
                Some("times are ISO 8601, e.g. 2024-01-03T14:30:00Z, or seconds to nanoseconds since 1970")
            }
            Self::NoSymbol { .. } => Some("give it with --symbol NAME, or add a symbol column"),
            Self::TooLongToSort { .. } => {
                Some("sort the file by time first, or raise feed.replay.sort_rows (about 200 bytes a row)")
            }
            Self::Simulated { .. } => Some("e.g. symbols = [\"AAPL\", { name = \"MSFT\", price = 402.5 }]"),
            Self::Read { .. } | Self::Symbol { .. } | Self::Stdin { .. } => None,
        }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.ends_with(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }
}
