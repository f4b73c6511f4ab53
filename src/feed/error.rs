//! The errors of a feed. Most of the errors come with a hint for the user.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use zip::result::ZipError;

use super::replay::zone::ZoneError;
use super::replay::{DateOrder, MomentError};
use crate::market::Symbol;
use crate::task::Panicked;

/// The reason why a feed cannot start or has failed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Standard input has ended, and had bad lines but no event.
    #[error("standard input: none of its {lines} lines is an event")]
    NoEventLines {
        /// The number of lines.
        lines: u64,
    },
    /// `feed.replay.files` is empty.
    #[error("feed.replay.files: no file is given")]
    NoFiles,
    /// A file cannot be opened: it does not exist, or the process has no permission to read it.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// Reading a file failed.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// The directory of a zip archive, i.e. its list of members, cannot be read.
    #[error("{}: the directory of the zip archive cannot be read", path.display())]
    ZipDirectory {
        /// The archive.
        path: PathBuf,
        /// The error of the library that reads zip archives.
        source: ZipError,
    },
    /// A compressed file or archive member cannot be unpacked.
    #[error("{part}: {how}")]
    Packed {
        /// The path of the file. For an archive member, the archive's path and the member's name.
        part: String,
        /// The reason why unpacking fails, such as `it is encrypted`.
        how: String,
    },
    /// A compressed file or archive member unpacks to more bytes than `feed.replay.max_bytes` allows.
    #[error("{part}: {packed} packed bytes give more than {limit} bytes")]
    TooMuchUnpacked {
        /// The path of the file. For an archive member, the archive's path and the member's name.
        part: String,
        /// The packed size of the file or member, in bytes.
        packed: u64,
        /// The limit on the unpacked size, in bytes.
        limit: u64,
    },
    /// A compressed file or archive member unpacks to more than `feed.replay.max_ratio` times its packed
    /// size.
    #[error("{part}: {packed} packed bytes give more than {limit} times as many")]
    TooTightlyPacked {
        /// The path of the file. For an archive member, the archive's path and the member's name.
        part: String,
        /// The packed size of the file or member, in bytes.
        packed: u64,
        /// The maximum number of unpacked bytes for each packed byte.
        limit: u64,
    },
    /// The setting `feed.replay.encoding` is not the name of a character encoding.
    #[error("feed.replay.encoding: `{label}` is not an encoding")]
    Encoding {
        /// The value of the setting `feed.replay.encoding`.
        label: String,
    },
    /// A file is not market data.
    #[error("{}: not market data: it looks like {looks_like}", path.display())]
    NotMarketData {
        /// The file.
        path: PathBuf,
        /// A description of the file's content, such as `an HTML page`.
        looks_like: &'static str,
    },
    /// The header of a file has no time column.
    #[error("{}:{line}: no time column among `{found}`", path.display())]
    NoTimeColumn {
        /// The file.
        path: PathBuf,
        /// The line number of the header.
        line: u64,
        /// The text of the header.
        found: String,
    },
    /// The header of a file has no price column.
    #[error("{}:{line}: no price column among `{found}`", path.display())]
    NoPriceColumn {
        /// The file.
        path: PathBuf,
        /// The line number of the header.
        line: u64,
        /// The text of the header.
        found: String,
    },
    /// A file has no header, and its columns match none of the known file layouts.
    #[error("{}:{line}: no header, and no known layout has columns like `{found}`", path.display())]
    NoLayout {
        /// The file.
        path: PathBuf,
        /// The line number of the file's first row.
        line: u64,
        /// The text of the first row.
        found: String,
    },
    /// A file has no header, and most of its rows fit a known layout, but not all.
    #[error("{}:{line}: no header, and most rows look like the layout `{layout}`, but not `{found}`", path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// The line number of the first row that does not fit.
        line: u64,
        /// The name of the layout.
        layout: &'static str,
        /// The text of the row.
        found: String,
    },
    /// The first row of a file stands behind the header, in the same line.
    #[error("{}:{line}: the header and the first row are one line: `{found}`", path.display())]
    GluedHeader {
        /// The file.
        path: PathBuf,
        /// The line number.
        line: u64,
        /// The text of the cell in which the header ends and the row begins.
        found: String,
    },
    /// A file with a header has another layout than the configured one.
    #[error("{}:{line}: the header is one of `{layout}`, not of `{wanted}`", path.display())]
    OtherLayout {
        /// The file.
        path: PathBuf,
        /// The line number of the header.
        line: u64,
        /// The layout by the header.
        layout: &'static str,
        /// The configured layout.
        wanted: &'static str,
    },
    /// The configured order of day, month and year fits no date of a file.
    #[error("{}: `{found}` is no date in the order {order} of feed.replay.date_order, nor is another one", path.display())]
    DateOrder {
        /// The file.
        path: PathBuf,
        /// A date in the file.
        found: String,
        /// The configured order.
        order: DateOrder,
    },
    /// A file lacks a column that its layout needs, or that the setting `feed.replay.map` names.
    #[error("{}: there is no column `{name}`", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The name of the missing column.
        name: String,
    },
    /// Neither the times in a file nor its path contain a date.
    #[error("{}: its times have no date, and its path names no day", path.display())]
    NoDay {
        /// The file.
        path: PathBuf,
    },
    /// A file has a column of dates, but the column beside it holds no times of day.
    #[error("{}: column {column} should hold times of day, and holds none in `{found}`", path.display())]
    NoTimeOfDay {
        /// The file.
        path: PathBuf,
        /// The index of the column that should hold times of day, counted from 0.
        column: usize,
        /// The text of one row, as an example of what the column holds.
        found: String,
    },
    /// A file holds a kind of market data that the replay does not support.
    #[error("{}: `{layout}` is {looks_like}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The name of the file's layout.
        layout: &'static str,
        /// A description of the data in the file.
        looks_like: &'static str,
    },
    /// Most of the rows at the start of a file are rejected.
    #[error(
        "{}: not market data: {bad} of its first {tried} rows cannot be used; line {line} is {reason}: `{found}`",
        path.display()
    )]
    MostlyBad {
        /// The file.
        path: PathBuf,
        /// The number of rejected rows among the tried rows.
        bad: u64,
        /// The number of rows that were tried, from the start of the file.
        tried: u64,
        /// The line number of the first rejected row.
        line: u64,
        /// The reason why the first rejected row cannot be used.
        reason: &'static str,
        /// An excerpt from the row: the text that caused the rejection.
        found: String,
    },
    /// No row of a file becomes an event.
    #[error("{}: none of its {rows} rows gives an event", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
        /// The number of rows in the file.
        rows: u64,
    },
    /// A row is rejected, which is an error because the setting `feed.replay.strict` is on.
    #[error("{}:{line}: {reason}: `{found}`", path.display())]
    BadRow {
        /// The file.
        path: PathBuf,
        /// The line number of the rejected row.
        line: u64,
        /// The reason why the row is rejected.
        reason: &'static str,
        /// An excerpt from the row: the text that caused the rejection.
        found: String,
    },
    /// A folder contains no market-data files, or a file-name pattern is invalid or matches no file.
    #[error("{}: {fault}", path.display())]
    NoSuchFiles {
        /// The path of the folder, or the file-name pattern.
        path: PathBuf,
        /// The reason why the folder or the pattern gives no files.
        fault: &'static str,
    },
    /// The value of a setting in `[feed.replay]` cannot be used.
    #[error("feed.replay.{key}: {fault}")]
    Setting {
        /// The key of the setting whose value cannot be used.
        key: &'static str,
        /// The reason why the value cannot be used.
        fault: String,
    },
    /// The setting `feed.replay.tz` is not a time zone.
    #[error("feed.replay.tz: {source}")]
    Zone {
        /// The reason why the value of `feed.replay.tz` is not a time zone.
        source: ZoneError,
    },
    /// The times of a file are numbers of days, as spreadsheets store them.
    #[error("{}:{line}: `{found}` may be the number of a day in a spreadsheet, which is not read", path.display())]
    SpreadsheetDays {
        /// The file.
        path: PathBuf,
        /// The line number of the file's first row.
        line: u64,
        /// The text in the time column of the file's first row.
        found: String,
    },
    /// No row of a file has a valid time.
    #[error("{}:{line}: `{found}` is not a time, and no other row has one", path.display())]
    NoTimes {
        /// The file.
        path: PathBuf,
        /// The line number of the file's first row.
        line: u64,
        /// The text in the time column of the file's first row.
        found: String,
    },
    /// No row of a file has a valid time, because the rows name an unknown zone.
    #[error("{}:{line}: `{found}` names the zone `{zone}`, which is not known", path.display())]
    UnknownZone {
        /// The file.
        path: PathBuf,
        /// The line number of the file's first row.
        line: u64,
        /// The text in the time column of the file's first row.
        found: String,
        /// The name of the zone.
        zone: String,
    },
    /// Rows of the same time have the same symbol, but name different instruments in another column.
    #[error(
        "{}:{line}: `{symbol}` is several instruments: at one time, column `{column}` has `{}` and `{}`",
        path.display(), values[0], values[1]
    )]
    SeveralInstruments {
        /// The file.
        path: PathBuf,
        /// The line number of the second of the two rows.
        line: u64,
        /// The symbol of both rows.
        symbol: Symbol,
        /// The name or the number of the column in which the rows differ.
        column: String,
        /// The values of this column in the two rows.
        values: Box<[String; 2]>,
    },
    /// The names of two files give the same symbol, although the files seem to be of different instruments.
    #[error("{}: its name gives the symbol `{symbol}`, and so does {}", path.display(), other.display())]
    SymbolOfTwoFiles {
        /// The second file.
        path: PathBuf,
        /// The first file.
        other: PathBuf,
        /// The symbol in both names.
        symbol: Symbol,
    },
    /// The prices of a file may be in 32nds behind an apostrophe, or have an apostrophe between thousands.
    #[error("{}: `{found}` may be a price in 32nds, or a number with an apostrophe between thousands", path.display())]
    Fractions {
        /// The file.
        path: PathBuf,
        /// The first such price.
        found: String,
    },
    /// Many bars of a file contradict themselves, e.g. a high is below the low.
    #[error("{}:{line}: {bad} of {bars} judged bars contradict themselves, here: {found}", path.display())]
    Contradictions {
        /// The file.
        path: PathBuf,
        /// The line number of the first such bar.
        line: u64,
        /// The number of judged bars whose prices are not all equal.
        bars: u64,
        /// The number of judged bars that contradict themselves.
        bad: u64,
        /// The prices of the first such bar.
        found: String,
    },
    /// A file has no symbol column, and its file name does not contain a symbol.
    #[error("{}: cannot tell the symbol from the file name", path.display())]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// A file is not in time order, and has too many rows to be sorted.
    #[error("{}: its {rows} rows are not in time order, and at most {limit} can be sorted", path.display())]
    TooLongToSort {
        /// The file.
        path: PathBuf,
        /// The number of rows in the file.
        rows: u64,
        /// The largest number of rows that can be sorted, as set by `feed.replay.sort_rows`.
        limit: usize,
    },
    /// The value of a setting in `[feed.simulated]` cannot be used.
    #[error("feed.simulated.{key}: {fault}")]
    Simulated {
        /// The key of the setting whose value cannot be used.
        key: &'static str,
        /// The reason why the value cannot be used.
        fault: String,
    },
    /// The feed is a simulation, but the setting `feed.exit_at_end` is on.
    #[error("feed.exit_at_end: a simulation has no end")]
    NoEndOfSimulation,
    /// The settings `feed.exit_at_end` and `feed.replay.loop` are both on.
    #[error("feed.exit_at_end: a replay that starts again (feed.replay.loop, --loop) has no end")]
    NoEndOfLoop,
    /// Reading standard input failed.
    #[error("cannot read standard input")]
    Stdin {
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// The thread that reads the feed's input cannot be started.
    #[error("cannot start the reader of {input}")]
    ReaderNotStarted {
        /// The name of the input that the thread reads, such as `files`.
        input: &'static str,
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// The thread that reads the feed's input has panicked.
    #[error("the reader of {input} {panic}")]
    ReaderPanicked {
        /// The name of the input that the thread reads, such as `files`.
        input: &'static str,
        /// The message of the panic.
        panic: Panicked,
    },
}

/// The class of a feed error, which determines the program's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The input does not exist or cannot be read.
    NoInput,
    /// The input can be read, but is not usable market data.
    BadData,
    /// A setting of the feed is missing or cannot be used.
    Configuration,
}

impl FeedError {
    /// Returns the class of the error.
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
            | Self::Misfit { .. }
            | Self::GluedHeader { .. }
            | Self::OtherLayout { .. }
            | Self::DateOrder { .. }
            | Self::NoColumn { .. }
            | Self::NoDay { .. }
            | Self::NoTimeOfDay { .. }
            | Self::Unfit { .. }
            | Self::MostlyBad { .. }
            | Self::NoEvents { .. }
            | Self::NoEventLines { .. }
            | Self::BadRow { .. }
            | Self::SpreadsheetDays { .. }
            | Self::NoTimes { .. }
            | Self::UnknownZone { .. }
            | Self::NoSymbol { .. }
            | Self::SymbolOfTwoFiles { .. }
            | Self::SeveralInstruments { .. }
            | Self::Contradictions { .. }
            | Self::Fractions { .. }
            | Self::TooLongToSort { .. } => ErrorClass::BadData,
            Self::NoFiles
            | Self::Encoding { .. }
            | Self::Setting { .. }
            | Self::Zone { .. }
            | Self::Simulated { .. }
            | Self::NoEndOfSimulation
            | Self::NoEndOfLoop => ErrorClass::Configuration,
        }
    }

    /// Returns the configuration key whose value causes the error; `None` if the error has another cause. If
    /// there is a key, the error text begins with this key.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Setting { key, .. } => Some(format!("feed.replay.{key}")),
            Self::Simulated { key, .. } => Some(format!("feed.simulated.{key}")),
            Self::Zone { .. } => Some("feed.replay.tz".to_owned()),
            Self::Encoding { .. } => Some("feed.replay.encoding".to_owned()),
            Self::NoEndOfSimulation | Self::NoEndOfLoop => Some("feed.exit_at_end".to_owned()),
            _ => None,
        }
    }

    /// Returns whether the error means that a file has no replayable market data. When several files are
    /// replayed, a file with such an error is ignored.
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

    /// Returns a hint that tells the user how to fix the error; `None` if there is no hint.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoFiles => Some("name one, e.g. --feed replay feeds/bars-1m.csv"),
            Self::Open { .. } => Some("a relative path starts from the working directory"),
            Self::ZipDirectory { .. } => Some(
                "the directory is at the end of the file, which may be cut short: fetch or copy it again",
            ),
            Self::Packed { .. } => Some("unpack it first, and replay what comes out"),
            Self::TooMuchUnpacked { .. } => Some(
                "raise feed.replay.max_bytes (--max-bytes), or unpack it first: plain files have no bound",
            ),
            Self::TooTightlyPacked { .. } => {
                Some("if you trust it, unpack it first: plain files have no bound")
            }
            Self::Encoding { .. } => Some("e.g. utf-8, euc-kr, windows-1252, utf-16le, shift_jis or gbk"),
            Self::NotMarketData { .. } => Some(
                "market data are text in columns, plain or packed by gzip, zip or zstd; inspect --help lists layouts",
            ),
            Self::NoLayout { .. } => Some("say which column is what, e.g. --map time=0,price=1,size=2"),
            Self::Misfit { .. } => Some(
                "name the right layout, e.g. --layout trades, or say which column is what, e.g. --map time=0,price=1,size=2",
            ),
            Self::GluedHeader { .. } => Some("put a line break before the row"),
            Self::OtherLayout { .. } => {
                Some("leave --layout out, or say which column is what, e.g. --map price=last,size=qty")
            }
            Self::DateOrder { .. } => {
                Some("leave --date-order out, or name the order of these dates: mdy, dmy or ymd")
            }
            Self::NoColumn { .. } => Some("columns are named as in the header, or numbered from 0"),
            Self::NoDay { .. } => Some("put the date into the file's name, e.g. 20240103_AAPL.csv"),
            Self::NoTimeOfDay { .. } => Some(
                "times of day are like 9:30, 09:30:00.123 or 093000; --map time=DATE leaves the column out",
            ),
            Self::Unfit { .. } => Some("trades, quotes and bars can be replayed"),
            Self::MostlyBad { .. } => {
                Some("inspect shows which column is read as what; --map, --layout, --tz and others change it")
            }
            Self::NoEvents { .. } => Some("is it the right file, and is it complete?"),
            Self::NoEventLines { .. } => {
                Some("the log says why; `tickerplant cat FILE` writes lines that are events")
            }
            Self::BadRow { .. } => {
                Some("without --strict the row is rejected and counted, and the replay goes on")
            }
            Self::NoSuchFiles { .. } => Some(
                "a folder stands for its .csv, .txt, .gz, .zip and .zst files; write a pattern in quotes",
            ),
            Self::Setting { key: "layout", .. } => Some("inspect --help lists them"),
            Self::Setting { key: "delimiter", .. } => Some("a delimiter is one character, e.g. ;, or tab"),
            Self::Setting { key: "from" | "to", .. } => Some(MomentError::FORMS),
            Self::Zone { source } => Some(source.hint()),
            Self::NoTimeColumn { .. } => {
                Some("name a column time, timestamp, datetime or date, or say which it is: --map time=NAME,…")
            }
            Self::NoPriceColumn { .. } => Some(
                "name a column price (trades), bid and ask (quotes) or close (bars), or say which it is: --map price=NAME,…",
            ),
            Self::SpreadsheetDays { .. } => {
                Some("format the column as a date in the spreadsheet, and write the file again")
            }
            Self::NoTimes { .. } => {
                Some("times are ISO 8601, e.g. 2024-01-03T14:30:00Z, or seconds to nanoseconds since 1970")
            }
            Self::UnknownZone { .. } => Some(
                "an abbreviation such as EST stands for several zones: say which it is, e.g. --tz America/New_York",
            ),
            Self::SeveralInstruments { .. } => Some(
                "name the columns: --map symbol=COLUMN,suffix=COLUMN or expiry, strike and right; without any, --symbol NAME",
            ),
            Self::SymbolOfTwoFiles { .. } => Some(
                "name files after their symbols, e.g. CRUDE-ICE.csv, or say that all are one with --symbol NAME",
            ),
            Self::Fractions { .. } => Some(
                "--prices 32nds reads them as 32nds; --decimal point reads the apostrophe between thousands",
            ),
            Self::Contradictions { .. } => Some(
                "the columns may be in another order: say which is which, e.g. --map open=1,close=2,high=3,low=4",
            ),
            Self::NoSymbol { .. } => Some("give it with --symbol NAME, or add a symbol column"),
            Self::TooLongToSort { .. } => {
                Some("sort the file by time first, or raise feed.replay.sort_rows (about 200 bytes a row)")
            }
            Self::Simulated { key: "session", .. } => {
                Some("only the profile realistic has a session: --profile realistic")
            }
            Self::Simulated { .. } => {
                Some("e.g. symbols = [\"AAPL\", { name = \"MSFT\", price = 402.5 }], or symbols = 500")
            }
            Self::NoEndOfSimulation => {
                Some("only a replay and standard input end: --feed replay FILE, or --feed stdin")
            }
            Self::NoEndOfLoop => Some("leave out one of the two"),
            Self::Read { .. }
            | Self::Setting { .. }
            | Self::Stdin { .. }
            | Self::ReaderNotStarted { .. }
            | Self::ReaderPanicked { .. } => None,
        }
    }

    /// Creates the error for a failed attempt to read a file. If `source` wraps a [`FeedError`], returns the
    /// wrapped error instead.
    pub(super) fn read_failed(path: &Path, source: io::Error) -> Self {
        source.downcast().unwrap_or_else(|source| Self::Read { path: path.to_owned(), source })
    }

    /// Returns one line with the text of the error and the texts of its causes.
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
