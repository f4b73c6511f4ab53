//! The replay: recorded files as a feed.
//!
//! A file comes in one or several parts, undone of what it is packed by and how its characters are coded. A survey of a
//! part's first lines tells the layout: which column is what, and how times and numbers are written. A pass over its
//! times tells the order. Then its rows are read in time order, and a merge puts several parts together. A row that
//! cannot be used is skipped, counted and logged; it never stops the feed, unless that is asked for.
//!
//! Files are read on a thread of their own, at most some thousand events ahead of what is published.

mod cells;
mod container;
mod expand;
mod file;
mod inspect;
mod layout;
mod merge;
mod number;
mod order;
mod path;
mod reading;
mod records;
mod row;
mod skips;
mod survey;
mod text;
mod time;
mod zone;

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tracing::warn;

use super::{BATCH, FeedError, Input, READ_AHEAD};
use crate::market::{Event, Time};
use file::{Events, Source};
use merge::Merge;
use reading::Reading;

pub use inspect::Inspection;
pub use layout::{Entry, LAYOUTS, Map, Role, RoleError, ToldBy};
pub use number::DecimalSign;
pub use time::DateOrder;
pub use zone::ZoneError;

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
    /// The layout of the files, by its name in [`LAYOUTS`]; where it is not given, the files tell it.
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
    /// At full speed, a client with `delivery=every` that holds up the replay for this long is closed.
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

/// Files that can be replayed, checked and ready to be read, as often as it is asked for.
#[derive(Debug)]
pub struct Replay {
    sources: Arc<[Source]>,
    /// Whether they have been read before: what is wrong with their rows is told once.
    is_told: bool,
}

/// What lies in the files of a replay between `from` and `to`, by a pass over their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time.
    pub first: Time,
    /// The latest time.
    pub last: Time,
    /// Data rows, those included that will be skipped or lie before or after.
    pub rows: u64,
}

impl Replay {
    /// Opens and checks all files.
    ///
    /// # Errors
    ///
    /// A file that is not there, is no market data, or is too long to be sorted.
    pub fn open(config: &Config, input: &Input) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let reading = Arc::new(Reading::new(config, input)?);
        let mut sources = Vec::new();
        for path in &config.files {
            sources.append(&mut open_all(&expand::expand(path)?, &reading)?);
        }
        Ok(Self { sources: sources.into(), is_told: false })
    }

    /// What lies in the files together; `None` where no row has a time.
    #[must_use]
    pub fn extent(&self) -> Option<Extent> {
        self.sources.iter().filter_map(Source::extent).reduce(|one, other| Extent {
            first: one.first.min(other.first),
            last: one.last.max(other.last),
            rows: one.rows + other.rows,
        })
    }

    /// What is understood of each part, read to its end.
    ///
    /// # Errors
    ///
    /// A part cannot be read to its end; with `strict`, a row of it cannot be used.
    pub fn inspect(&self) -> impl Iterator<Item = Result<Inspection, FeedError>> {
        self.sources.iter().map(Inspection::of)
    }

    /// All events, in time order, read as they are asked for.
    ///
    /// # Errors
    ///
    /// A file cannot be read; with `strict`, a row of it cannot be used.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Event, FeedError>>, FeedError> {
        merged(&self.sources, false)
    }

    /// Begins to read the files from their start: batches of events, in time order.
    pub(super) fn batches(&mut self) -> mpsc::Receiver<Result<Vec<Event>, FeedError>> {
        let sources = Arc::clone(&self.sources);
        let is_told = mem::replace(&mut self.is_told, true);
        let (batches, receiver) = mpsc::channel(READ_AHEAD);
        // It ends with the files, or with the receiver: nobody has to wait for it.
        thread::spawn(move || {
            if let Err(error) = read(&sources, is_told, &batches) {
                // Nobody is left to be told.
                let _ = batches.blocking_send(Err(error));
            }
        });
        receiver
    }
}

/// The files that these files, folders and patterns mean.
///
/// # Errors
///
/// There is none for one of them.
pub fn expand_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FeedError> {
    let files: Vec<Vec<PathBuf>> = paths.iter().map(|path| expand::expand(path)).collect::<Result<_, _>>()?;
    Ok(files.concat())
}

/// Opens what one path means. Among several files or members of an archive, those that are no market data are passed over.
///
/// # Errors
///
/// None of them is market data, or one cannot be read at all.
fn open_all(files: &[PathBuf], reading: &Arc<Reading>) -> Result<Vec<Source>, FeedError> {
    let mut parts = Vec::new();
    let mut refused = Vec::new();
    for file in files {
        match container::parts(file) {
            Ok(of_file) => parts.extend(of_file),
            Err(error) => refused.push(error),
        }
    }
    let mut sources = Vec::new();
    for part in parts {
        match Source::open(part, reading) {
            Ok(source) => sources.push(source),
            Err(error) => refused.push(error),
        }
    }
    let is_grave = |error: &FeedError| sources.is_empty() || reading.is_strict || !error.is_of_another_kind();
    if let Some(grave) = refused.iter().position(is_grave) {
        return Err(refused.swap_remove(grave));
    }
    for error in refused {
        warn!(error = error.in_full(), "passed over");
    }
    Ok(sources)
}

/// The events of all parts, in time order.
fn merged(sources: &[Source], is_told: bool) -> Result<Merge<Events>, FeedError> {
    Ok(Merge::new(sources.iter().map(|source| source.events(is_told)).collect::<Result<_, _>>()?))
}

/// Sends all events.
fn read(
    sources: &[Source],
    is_told: bool,
    batches: &mpsc::Sender<Result<Vec<Event>, FeedError>>,
) -> Result<(), FeedError> {
    let mut events = merged(sources, is_told)?;
    loop {
        let mut failure = None;
        let good = |event: Result<Event, _>| event.map_err(|error| failure = Some(error)).ok();
        let batch: Vec<Event> = events.by_ref().take(BATCH).map_while(good).collect();
        let is_over = batch.is_empty();
        if !is_over && batches.blocking_send(Ok(batch)).is_err() {
            return Ok(());
        }
        failure.map_or(Ok(()), Err)?;
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::iter;

    use tempfile::TempDir;

    use super::*;
    use crate::feed::{ErrorClass, Skipped};

    /// Files in a folder of their own, and the settings to replay them.
    fn files(contents: &[(&str, &str)]) -> (TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for (name, content) in contents {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            files.push(path);
        }
        (folder, Config { files, ..Config::default() })
    }

    fn opened(config: &Config) -> Result<mpsc::Receiver<Result<Vec<Event>, FeedError>>, FeedError> {
        let input = Input { line_bytes: 64 * 1024, skipped: Skipped::default() };
        Replay::open(config, &input).map(|mut replay| replay.batches())
    }

    /// Symbol and time of each event.
    fn replayed(config: &Config) -> Vec<String> {
        let mut batches = opened(config).unwrap();
        let events = iter::from_fn(|| batches.blocking_recv()).flat_map(Result::unwrap);
        events.take(8).map(|event| format!("{} {}", event.symbol, event.time)).collect()
    }

    fn refused(name: &str, content: &str) -> FeedError {
        let (_folder, config) = files(&[(name, content)]);
        opened(&config).unwrap_err()
    }

    #[test]
    fn a_newest_first_file_is_turned_round_with_its_equal_times() {
        let (_folder, config) = files(&[(
            "a.csv",
            "time,symbol,price\n1704292203,D,1\n1704292202,C,1\n1704292202,B,1\n1704292201,A,1\n",
        )]);

        let symbols: Vec<_> = replayed(&config).iter().map(|event| event[..1].to_owned()).collect();

        assert_eq!(symbols, ["A", "B", "C", "D"]);
    }

    #[test]
    fn an_unsorted_file_is_sorted_and_equal_times_keep_their_order() {
        let (_folder, config) = files(&[(
            "a.csv",
            "time,symbol,price\n1704292202,B,1\n1704292203,D,1\n1704292202,C,1\n1704292201,A,1\n",
        )]);

        let symbols: Vec<_> = replayed(&config).iter().map(|event| event[..1].to_owned()).collect();

        assert_eq!(symbols, ["A", "B", "C", "D"]);
    }

    #[test]
    fn a_file_out_of_order_is_sorted_up_to_the_limit_and_not_past_it() {
        let (_folder, config) = files(&[("a.csv", "time,symbol,price\n1704292202,B,1\n1704292201,A,1\n")]);

        assert_eq!(replayed(&Config { sort_rows: 2, ..config.clone() }).len(), 2);
        let error = opened(&Config { sort_rows: 1, ..config }).unwrap_err();

        assert!(error.to_string().contains("2 rows that are not in time order, more than the 1"), "{error}");
        assert!(error.hint().unwrap().contains("feed.replay.sort_rows"));
    }

    #[test]
    fn files_are_merged_and_named_by_their_files() {
        let (_folder, config) = files(&[
            ("SPY-2013.csv", "Date,Close\n2013-01-02,1\n2013-01-04,1\n"),
            ("daily_IBM.csv", "Date;Close\n2013-01-02;1\n2013-01-03;1\n"),
        ]);

        assert_eq!(
            replayed(&config),
            [
                "SPY 2013-01-02T00:00:00Z",
                "IBM 2013-01-02T00:00:00Z",
                "IBM 2013-01-03T00:00:00Z",
                "SPY 2013-01-04T00:00:00Z"
            ]
        );
    }

    #[test]
    fn a_given_symbol_is_for_files_that_have_no_column_for_it() {
        let (_folder, config) = files(&[
            ("x.csv", "time,price\n1704292201,5\n"),
            ("y.csv", "time,ticker,price\n1704292202, NA ,5\n"),
        ]);

        let events = replayed(&Config { symbol: Some("ABC".to_owned()), ..config });

        assert_eq!(events, ["ABC 2024-01-03T14:30:01Z", "NA 2024-01-03T14:30:02Z"]);
    }

    #[test]
    fn files_tell_their_extent_and_can_be_read_again() {
        let (_folder, config) = files(&[
            ("A.csv", "time,price\n1704292210,1\n1704292212,x\n"),
            ("B.csv", "time,price\n1704292209,1\n"),
        ]);
        let input = Input { line_bytes: 0, skipped: Skipped::default() };
        let mut replay = Replay::open(&config, &input).unwrap();
        let second = |seconds: i64| Time::from_nanos((1_704_292_200 + seconds) * 1_000_000_000);

        let mut times = || {
            let mut batches = replay.batches();
            let events = iter::from_fn(|| batches.blocking_recv()).flat_map(Result::unwrap);
            events.map(|event| event.time).collect::<Vec<_>>()
        };
        assert_eq!(times(), [second(9), second(10)]);
        assert_eq!(times(), [second(9), second(10)]);
        assert_eq!(replay.extent(), Some(Extent { first: second(9), last: second(12), rows: 3 }));
    }

    #[test]
    fn a_span_of_time_leaves_out_what_comes_before_it_and_from_its_end_on() {
        let (_folder, config) = files(&[
            ("A.csv", "time,price\n2024-01-03,1\n2024-01-04,1\n2024-01-05,1\n2024-01-06,1\n"),
            ("B.csv", "time,price\n2023-01-05,1\n2023-01-04,1\n"),
        ]);
        let (from, to) = (Some("2024-01-04".to_owned()), Some("2024-01-06".to_owned()));

        let config = Config { from, to, ..config };
        let events = replayed(&config);

        assert_eq!(events, ["A 2024-01-04T00:00:00Z", "A 2024-01-05T00:00:00Z"]);
        let input = Input { line_bytes: 0, skipped: Skipped::default() };
        let extent = Replay::open(&config, &input).unwrap().extent().unwrap();
        assert_eq!(extent.first.to_string(), "2024-01-04T00:00:00Z");
        assert_eq!(extent.last.to_string(), "2024-01-06T00:00:00Z");
    }

    #[test]
    fn a_strict_reading_ends_at_the_first_row_that_cannot_be_used() {
        let (_folder, config) = files(&[("A.csv", "time,price\n1704292201,1\n1704292202,x\n1704292203,1\n")]);

        let mut batches = opened(&Config { strict: true, ..config }).unwrap();
        let read: Vec<_> = iter::from_fn(|| batches.blocking_recv()).collect();

        assert_eq!(read[0].as_ref().unwrap().len(), 1);
        let error = read[1].as_ref().unwrap_err();
        assert!(error.to_string().ends_with("A.csv:3: bad_number: `x`"), "{error}");
    }

    #[test]
    fn a_file_of_which_most_rows_are_bad_or_none_is_good_is_refused() {
        let bad = refused("A.csv", "time,price\n1704292201,1\n1704292202,x\n1704292203,x\n");
        let none = refused("A.csv", "time,price\n1704292201,null\n");

        assert!(
            bad.to_string().contains("2 of its first 3 rows cannot be used; line 3 is bad_number: `x`"),
            "{bad}"
        );
        assert!(none.to_string().ends_with("none of its 1 rows has a price, or is wanted"), "{none}");
    }

    #[test]
    fn local_times_are_on_the_clock_of_the_zone_and_a_repeated_hour_follows_the_file() {
        let rows = "2024-11-03 00:30,1\n2024-11-03 01:30,1\n2024-11-03 01:00,1\n2024-11-03 01:30,1\n2024-11-03 02:00,1\n";
        let (_folder, config) = files(&[("A.csv", &format!("time,price\n{rows}"))]);

        let events = replayed(&Config { tz: Some("America/New_York".to_owned()), ..config });

        let times: Vec<_> = events.iter().map(|event| &event[13..18]).collect();
        assert_eq!(times, ["04:30", "05:30", "06:00", "06:30", "07:00"]);
    }

    #[test]
    fn bad_rows_headers_and_comments_in_between_stop_nothing() {
        let long = "9".repeat(70_000);
        let content = format!(
            "\u{feff}time,symbol,price\r\n1704292201,A,1\r\nnoon,A,1\r\n\r\n# a comment\r\n\
             time,symbol,price\r\n\
             1704292202,\"A,1\r\n1704292203,,1\r\n1704292204,A,{long}\r\n1704292205,A\r\n\
             1704292206,\"A\",\"1\",more\r\n1704292207,A,1\r\n1704292208,A,1\r\n1704292209,A,1\r\n\
             1704292210,A,1\r\n1704292211,A,1\r\n1704292212,A,1"
        );
        let (_folder, config) = files(&[("a.csv", &content)]);

        let events = replayed(&config);
        let seconds: Vec<_> = events.iter().map(|event| event.rsplit(':').next().unwrap()).collect();
        assert_eq!(seconds, ["01Z", "07Z", "08Z", "09Z", "10Z", "11Z", "12Z"]);
    }

    #[test]
    fn what_is_no_market_data_is_refused_with_what_it_looks_like() {
        for (content, looks_like) in [
            ("", "an empty file"),
            ("\n\n", "an empty file"),
            ("<!DOCTYPE html>\n<p>not found", "an HTML page"),
            ("{\"error\":\"limit\"}", "JSON"),
            ("\u{1}\u{0}\u{2}", "binary data"),
            ("Not found\nNo such page\n", "text that is no table"),
        ] {
            let error = refused("A.csv", content);
            assert!(error.to_string().ends_with(&format!("it looks like {looks_like}")), "{error}");
            assert_eq!(error.class(), ErrorClass::BadData);
        }
    }

    #[test]
    fn a_file_that_lacks_something_is_refused_with_what_and_where() {
        let ending = |name, content| {
            let error = refused(name, content).to_string();
            error[error.rfind(name).unwrap()..].to_owned()
        };

        assert_eq!(ending("A.csv", "symbol,price\n"), "A.csv:1: no time column among `symbol,price`");
        assert_eq!(ending("A.csv", "time,symbol\n"), "A.csv:1: no price column among `time,symbol`");
        assert_eq!(
            ending("A.csv", "date,close\nnoon,5\n"),
            "A.csv:2: `noon` is no time, and no row has a better one"
        );
        assert_eq!(
            ending("trades.csv", "time,price\n"),
            "trades.csv: cannot tell the symbol from the file name"
        );
    }

    #[test]
    fn a_missing_file_a_folder_and_none_at_all_are_told_apart() {
        let missing = Config { files: vec!["no/such/file.csv".into()], ..Config::default() };

        let error = opened(&missing).unwrap_err();

        assert_eq!(error.to_string(), "cannot open no/such/file.csv");
        assert_eq!(error.class(), ErrorClass::NoInput);
        assert_eq!(opened(&Config::default()).unwrap_err().class(), ErrorClass::Configuration);
        let folder = tempfile::tempdir().unwrap();
        let error = opened(&Config { files: vec![folder.path().to_owned()], ..missing }).unwrap_err();
        assert!(error.to_string().ends_with("no file in it ends like market data"), "{error}");
    }
}
