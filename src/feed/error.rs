//! Why a feed cannot begin, or comes to an end before its own.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use zip::result::ZipError;

use super::replay::zone::ZoneError;
use crate::task::Panicked;

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
    #[error("{}:{line}: no time column among `{found}`", path.display())]
    NoTimeColumn {
        /// The file.
        path: PathBuf,
        /// The line of the header.
        line: u64,
        /// The header.
        found: String,
    },
    /// No column of a file's header is a price.
    #[error("{}:{line}: no price column among `{found}`", path.display())]
    NoPriceColumn {
        /// The file.
        path: PathBuf,
        /// The line of the header.
        line: u64,
        /// The header.
        found: String,
    },
    /// A file has no header, and its columns are like those of no layout.
    #[error("{}:{line}: no header, and columns like `{found}` are those of no known layout", path.display())]
    NoLayout {
        /// The file.
        path: PathBuf,
        /// The line of the first row.
        line: u64,
        /// The row.
        found: String,
    },
    /// A file does not have a column that it has to have.
    #[error("{}: there is no column `{name}`", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
    },
    /// The times of a file have no date, and its path names no day.
    #[error("{}: its times have no date, and its path names no day", path.display())]
    NoDay {
        /// The file.
        path: PathBuf,
    },
    /// The column beside a file's dates holds no time of day.
    #[error("{}: column {column} should be a time of day, and is none that can be read in `{found}`", path.display())]
    NoTimeOfDay {
        /// The file.
        path: PathBuf,
        /// The column, from 0.
        column: usize,
        /// A row.
        found: String,
    },
    /// A file is market data of a kind that is not replayed.
    #[error("{}: `{layout}` is {looks_like}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Its layout.
        layout: &'static str,
        /// What it holds.
        looks_like: &'static str,
    },
    /// Most of the first rows of a file cannot be used.
    #[error(
        "{}: not market data: {bad} of its first {tried} rows cannot be used; line {line} is {reason}: `{found}`",
        path.display()
    )]
    MostlyBad {
        /// The file.
        path: PathBuf,
        /// How many of them.
        bad: u64,
        /// How many were tried.
        tried: u64,
        /// The line of the first one.
        line: u64,
        /// Why it cannot be used.
        reason: &'static str,
        /// The text at fault.
        found: String,
    },
    /// No row of a file says that anything has happened.
    #[error("{}: of its {rows} rows, none has a price and is wanted", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: u64,
    },
    /// A row cannot be used, and none may be passed over.
    #[error("{}:{line}: {reason}: `{found}`", path.display())]
    BadRow {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Why it cannot be used.
        reason: &'static str,
        /// The text at fault.
        found: String,
    },
    /// A folder or a pattern means no file.
    #[error("{}: {fault}", path.display())]
    NoSuchFiles {
        /// The folder or the pattern.
        path: PathBuf,
        /// Why.
        fault: &'static str,
    },
    /// A setting of a replay says what cannot be.
    #[error("feed.replay.{key}: {fault}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// A zone is none.
    #[error("feed.replay.tz: {source}")]
    Zone {
        /// What is wrong with it.
        source: ZoneError,
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
    /// A simulation is to run as fast as it can.
    #[error("feed.clock.speed: a simulation has no end and waits for nobody, so it cannot run at `max`")]
    Endless,
    /// Reading standard input failed.
    #[error("cannot read standard input")]
    Stdin {
        /// What the system says.
        source: io::Error,
    },
    /// The thread that reads an input cannot be started.
    #[error("cannot start the reader of {input}")]
    ReaderNotStarted {
        /// The input, e.g. `files`.
        input: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The thread that reads an input has panicked.
    #[error("the reader of {input} {panic}")]
    ReaderPanicked {
        /// The input, e.g. `files`.
        input: &'static str,
        /// What it said.
        panic: Panicked,
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
pub(super) const PIPE: &str = "a pipe or a device, which cannot be read twice";

impl FeedError {
    /// Whose fault it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Open { .. }
            | Self::Read { .. }
            | Self::Stdin { .. }
            | Self::ReaderNotStarted { .. }
            | Self::ReaderPanicked { .. }
            | Self::NoSuchFiles { .. } => ErrorClass::NoInput,
            Self::ZipDirectory { .. }
            | Self::Packed { .. }
            | Self::TooMuchUnpacked { .. }
            | Self::TooTightlyPacked { .. }
            | Self::NotMarketData { .. }
            | Self::NoTimeColumn { .. }
            | Self::NoPriceColumn { .. }
            | Self::NoLayout { .. }
            | Self::NoColumn { .. }
            | Self::NoDay { .. }
            | Self::NoTimeOfDay { .. }
            | Self::Unfit { .. }
            | Self::MostlyBad { .. }
            | Self::NoEvents { .. }
            | Self::BadRow { .. }
            | Self::NoTimes { .. }
            | Self::TooLongToSort { .. } => ErrorClass::BadData,
            Self::NoFiles
            | Self::Encoding { .. }
            | Self::NoSymbol { .. }
            | Self::Setting { .. }
            | Self::Zone { .. }
            | Self::Simulated { .. }
            | Self::Endless => ErrorClass::Configuration,
        }
    }

    /// Whether it says of a file that it is something else than market data, so that others beside it may be meant.
    #[must_use]
    pub const fn is_of_another_kind(&self) -> bool {
        matches!(
            self,
            Self::NotMarketData { .. }
                | Self::NoTimeColumn { .. }
                | Self::NoPriceColumn { .. }
                | Self::NoLayout { .. }
                | Self::NoEvents { .. }
                | Self::Unfit { .. }
        )
    }

    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
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
                "market data are text in columns, packed by gzip, zip or zstd or not; inspect --help lists layouts",
            ),
            Self::NoLayout { .. } => Some("say which column is what, e.g. --map time=0,price=1,size=2"),
            Self::NoColumn { .. } => Some("columns are named as in the header, or numbered from 0"),
            Self::NoDay { .. } => Some("put the date into the file's name, e.g. 20240103_AAPL.csv"),
            Self::NoTimeOfDay { .. } => Some(
                "times of day are like 9:30, 09:30:00.123 or 093000; --map time=DATE leaves the column out",
            ),
            Self::Unfit { .. } => Some("trades, quotes and bars can be replayed"),
            Self::MostlyBad { .. } => {
                Some("inspect shows what is taken for what; --map, --layout, --tz and others say otherwise")
            }
            Self::NoEvents { .. } => Some("is it the right file, and is it complete?"),
            Self::BadRow { .. } => Some("without --strict it is skipped and counted"),
            Self::NoSuchFiles { .. } => {
                Some("a folder means its .csv, .txt, .gz, .zip and .zst; quote a pattern")
            }
            Self::Setting { key: "layout", .. } => Some("inspect --help lists them"),
            Self::Setting { key: "from" | "to", .. } => {
                Some("times are ISO 8601, e.g. 2024-01-03, \"2024-01-03 09:30\" or 2024-01-03T14:30:00Z")
            }
            Self::Zone { source } => Some(source.hint()),
            Self::NoTimeColumn { .. } => {
                Some("name a column time, timestamp, datetime or date, or say which it is: --map time=NAME,…")
            }
            Self::NoPriceColumn { .. } => Some(
                "name a column price (trades), bid and ask (quotes) or close (bars), or say which it is: --map price=NAME,…",
            ),
            Self::NoTimes { .. } => {
                Some("times are ISO 8601, e.g. 2024-01-03T14:30:00Z, or seconds to nanoseconds since 1970")
            }
            Self::NoSymbol { .. } => Some("give it with --symbol NAME, or add a symbol column"),
            Self::TooLongToSort { .. } => {
                Some("sort the file by time first, or raise feed.replay.sort_rows (about 200 bytes a row)")
            }
            Self::Simulated { .. } => Some("e.g. symbols = [\"AAPL\", { name = \"MSFT\", price = 402.5 }]"),
            Self::Endless => {
                Some("give a number, e.g. --speed 60, or more events a second, e.g. --rate 10000")
            }
            Self::Read { .. }
            | Self::Setting { .. }
            | Self::Stdin { .. }
            | Self::ReaderNotStarted { .. }
            | Self::ReaderPanicked { .. } => None,
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
