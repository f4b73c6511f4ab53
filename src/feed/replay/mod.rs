//! The replay: recorded files as a feed.
//!
//! A layout tells which column is what, times and numbers what a cell stands for, a
//! row what happened; a file gives its rows in time order, and a merge puts several files
//! together. A row that cannot be used is skipped, counted and logged; it never stops the feed.
//!
//! Files are read on a thread of their own, at most some thousand events ahead of what is published.

#[cfg_attr(not(test), expect(dead_code, reason = "the replay does not read by it yet"))]
mod container;
mod file;
mod layout;
mod merge;
#[cfg_attr(not(test), expect(dead_code, reason = "not all forms are asked for yet"))]
mod number;
mod records;
mod row;
mod symbol;
#[cfg_attr(not(test), expect(dead_code, reason = "the replay does not read by it yet"))]
mod text;
#[cfg_attr(not(test), expect(dead_code, reason = "not all forms are asked for yet"))]
mod time;
#[cfg_attr(not(test), expect(dead_code, reason = "no file is told its zone yet"))]
mod zone;

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{BATCH, FeedError, Input, READ_AHEAD, Speed};
use crate::market::{Event, Symbol, Time};
use file::Source;
use merge::Merge;

/// Each lap of a loop begins so much market time after the last event of the lap before.
const BETWEEN_LAPS: Duration = Duration::from_secs(1);

/// Recorded files (`[feed.replay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The files, merged by time; of equal times, the earlier file's events come first.
    pub files: Vec<PathBuf>,
    /// Seconds of market time a second, or `"max"`: as fast as clients with `delivery=every` read.
    pub speed: Speed,
    /// Whether it begins again after its end. Times go on rising: each lap is moved to begin one second after
    /// the last event of the lap before.
    pub r#loop: bool,
    /// The symbol of files that have no column for it; where it is not given, the file's name tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
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
            speed: Speed::Factor(1.0),
            r#loop: false,
            symbol: None,
            stall_timeout: Duration::from_secs(10),
            sort_rows: 2_000_000,
        }
    }
}

/// Files that can be replayed, checked and ready to be read, as often as it is asked for.
#[derive(Debug)]
pub struct Replay {
    sources: Arc<[Source]>,
    repeats: bool,
    /// Whether they have been read before: what is wrong with their rows is told once.
    is_told: bool,
}

/// What lies in the files of a replay, by a pass over their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time.
    pub first: Time,
    /// The latest time.
    pub last: Time,
    /// Data rows, those included that will be skipped.
    pub rows: u64,
}

impl Replay {
    /// Opens and checks all files.
    ///
    /// # Errors
    ///
    /// A file that is not there, is no market data, or is too long to be sorted.
    pub(super) fn open(config: &Config, input: &Input) -> Result<Self, FeedError> {
        if config.files.is_empty() {
            return Err(FeedError::NoFiles);
        }
        let symbol: Option<Symbol> = config
            .symbol
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|source| FeedError::Symbol { key: "feed.replay.symbol", source })?;
        let open = |path: &PathBuf| Source::open(path, symbol.as_ref(), config.sort_rows, input);
        let sources = config.files.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sources, repeats: config.r#loop, is_told: false })
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

    /// Begins to read the files from their start: batches of events, in time order.
    pub(super) fn batches(&mut self) -> mpsc::Receiver<Result<Vec<Event>, FeedError>> {
        let sources = Arc::clone(&self.sources);
        let laps = if self.repeats { u64::MAX } else { 1 };
        let is_told = mem::replace(&mut self.is_told, true);
        let (batches, receiver) = mpsc::channel(READ_AHEAD);
        // It ends with the files, or with the receiver: nobody has to wait for it.
        thread::spawn(move || {
            if let Err(error) = read(&sources, laps, is_told, &batches) {
                // Nobody is left to be told.
                let _ = batches.blocking_send(Err(error));
            }
        });
        receiver
    }
}

/// Sends all events of all laps.
fn read(
    sources: &[Source],
    laps: u64,
    is_told: bool,
    batches: &mpsc::Sender<Result<Vec<Event>, FeedError>>,
) -> Result<(), FeedError> {
    let mut shift = Duration::ZERO;
    for lap in 0..laps {
        let is_told = is_told || lap > 0;
        let inputs = sources.iter().map(|source| source.events(is_told)).collect::<Result<_, _>>()?;
        let mut events = Merge::new(inputs)?;
        let mut span: Option<(Time, Time)> = None;
        loop {
            let mut failure = None;
            let good = |event: Result<Event, _>| event.map_err(|error| failure = Some(error)).ok();
            let mut batch: Vec<Event> = events.by_ref().take(BATCH).map_while(good).collect();
            if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
                span = Some((span.map_or(first.time, |(begin, _)| begin), last.time));
                for event in &mut batch {
                    event.time = event.time.later(shift);
                }
                if batches.blocking_send(Ok(batch)).is_err() {
                    return Ok(());
                }
            } else if failure.is_none() {
                break;
            }
            failure.map_or(Ok(()), Err)?;
        }
        // A lap without an event would be followed by another one for ever.
        let Some((begin, end)) = span else { return Ok(()) };
        shift = shift.saturating_add(end.since(begin)).saturating_add(BETWEEN_LAPS);
    }
    Ok(())
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
    fn a_loop_goes_on_with_rising_times() {
        let (_folder, config) = files(&[("A.csv", "time,price\n1704292210,1\n1704292212,1\n")]);

        let events = replayed(&Config { r#loop: true, ..config });

        let seconds: Vec<_> = events.iter().map(|event| event.rsplit(':').next().unwrap()).collect();
        assert_eq!(seconds[..5], ["10Z", "12Z", "13Z", "15Z", "16Z"]);
    }

    #[test]
    fn files_tell_their_extent_and_can_be_read_again() {
        let (_folder, config) =
            files(&[("A.csv", "time,price\n10,1\n12,x\n"), ("B.csv", "time,price\n9,1\n")]);
        let input = Input { line_bytes: 0, skipped: Skipped::default() };
        let mut replay = Replay::open(&config, &input).unwrap();
        let second = |seconds: i64| Time::from_nanos(seconds * 1_000_000_000);

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
    fn a_loop_over_no_events_ends() {
        let (_folder, config) = files(&[("A.csv", "time,price\n1704292210,null\n")]);

        assert!(replayed(&Config { r#loop: true, ..config }).is_empty());
    }

    #[test]
    fn bad_rows_headers_and_comments_in_between_stop_nothing() {
        let long = "9".repeat(70_000);
        let content = format!(
            "\u{feff}time,symbol,price\r\n1704292201,A,1\r\nnoon,A,1\r\n\r\n# a comment\r\n\
             time,symbol,price\r\n\
             1704292202,\"A,1\r\n1704292203,,1\r\n1704292204,A,{long}\r\n1704292205,A\r\n\
             1704292206,\"A\",\"1\",more\r\n1704292207,A,1"
        );
        let (_folder, config) = files(&[("a.csv", &content)]);

        let events = replayed(&config);
        let seconds: Vec<_> = events.iter().map(|event| event.rsplit(':').next().unwrap()).collect();
        assert_eq!(seconds, ["01Z", "06Z", "07Z"]);
    }

    #[test]
    fn what_is_no_market_data_is_refused_with_what_it_looks_like() {
        for (content, looks_like) in [
            ("", "an empty file"),
            ("\n\n", "an empty file"),
            ("<!DOCTYPE html>\n<p>not found", "an HTML page"),
            ("{\"error\":\"limit\"}", "JSON"),
            ("\u{1}\u{0}\u{2}", "binary data"),
            ("1704292200,189.5,100\n", "rows without a header line"),
            ("1971.01.04,00:00,0.5369\n", "rows without a header line"),
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
        assert!(error.to_string().ends_with("it looks like a folder"), "{error}");
    }
}
