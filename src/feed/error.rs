//! Why a feed cannot begin, or comes to an end before its own.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use zip::result::ZipError;

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
    /// A zip archive does not say what is in it.
    #[error("{}: the directory of the zip archive cannot be read", path.display())]
    ZipDirectory {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: ZipError,
    },
    /// A file is packed in a way that is not undone here.
    #[error("{part}: {how}")]
    Packed {
        /// The file, or the archive and the member.
        part: String,
        /// What stands in the way, e.g. `it is encrypted`.
        how: String,
    },
    /// A packed file gives more than `feed.replay.max_bytes`.
    #[error("{part}: {packed} packed bytes give more than {limit} bytes")]
    TooMuchUnpacked {
        /// The file, or the archive and the member.
        part: String,
        /// How many bytes it has.
        packed: u64,
        /// How many may come out.
        limit: u64,
    },
    /// A packed file gives so many times its own size that it is hardly market data.
    #[error("{part}: {packed} packed bytes give more than {limit} times as many")]
    TooTightlyPacked {
        /// The file, or the archive and the member.
        part: String,
        /// How many bytes it has.
        packed: u64,
        /// How many times as many may come out.
        limit: u64,
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
            Self::ZipDirectory { .. }
            | Self::Packed { .. }
            | Self::TooMuchUnpacked { .. }
            | Self::TooTightlyPacked { .. }
            | Self::NotMarketData { .. }
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
            Self::ZipDirectory { .. } => {
                Some("it stands at the end of the file, which may be cut short: fetch or copy it again")
            }
            Self::Packed { .. } => Some("unpack it first, and replay what comes out"),
            Self::TooMuchUnpacked { .. } => Some(
                "raise feed.replay.max_bytes (--max-bytes), or unpack it first: plain files have no bound",
            ),
            Self::TooTightlyPacked { .. } => {
                Some("if it is to be trusted, unpack it first: plain files have no bound")
            }
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

    /// Reading a file failed; of what a reader of ours says itself, that and no more.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        source.downcast().unwrap_or_else(|source| Self::Read { path: path.to_owned(), source })
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
