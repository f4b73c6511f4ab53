use std::fs;
use std::iter;

use tempfile::TempDir;

use super::*;
use crate::feed::{ErrorClass, RejectCounters};
use crate::market::Time;

/// Writes files to a new folder, and returns the settings for a replay of these files.
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

fn opened(config: &Config) -> Result<Batches, FeedError> {
    let lines = LineSettings { line_bytes: 64 * 1024, reject_counters: RejectCounters::default() };
    Replay::open(config, &lines).map(|replay| replay.batches())
}

/// Replays the files, and returns the symbol and the time of each of the first eight events.
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
fn a_newest_first_file_is_reversed_including_rows_of_equal_time() {
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
fn a_file_out_of_order_is_sorted_only_up_to_the_row_limit() {
    let (_folder, config) = files(&[("a.csv", "time,symbol,price\n1704292202,B,1\n1704292201,A,1\n")]);

    assert_eq!(replayed(&Config { sort_rows: 2, ..config.clone() }).len(), 2);
    let error = opened(&Config { sort_rows: 1, ..config }).unwrap_err();

    assert!(
        error.to_string().contains("its 2 rows are not in time order, and at most 1 can be sorted"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("feed.replay.sort_rows"));
}

#[test]
fn files_are_merged_and_their_names_have_the_symbols() {
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
fn files_of_two_instruments_never_get_one_symbol_from_their_names() {
    let row = "time,price\n1704292201,5\n";
    let (_folder, config) = files(&[("CRUDE_W.csv", row), ("CRUDE_ICE.csv", row)]);
    let error = opened(&config).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("CRUDE_ICE.csv: its name gives the symbol `CRUDE`, and so does "), "{text}");
    assert!(text.ends_with("CRUDE_W.csv"), "{text}");

    let events = replayed(&Config { symbol: Some("OIL".to_owned()), ..config });
    assert_eq!(events, ["OIL 2024-01-03T14:30:01Z", "OIL 2024-01-03T14:30:01Z"]);

    let (_folder, config) = files(&[("KO_20240102.csv", row), ("KO (1).csv", row), ("KO_1min.csv", row)]);
    assert_eq!(replayed(&config), ["KO 2024-01-03T14:30:01Z"; 3]);
}

#[test]
fn files_whose_names_differ_in_a_number_are_parts_only_if_their_times_do_not_overlap() {
    let (row, later) =
        ("time,price\n1704292201,5\n1704292202,5\n", "time,price\n1704292202,5\n1704292203,5\n");
    let (_folder, config) = files(&[("ES_1.csv", row), ("ES_2.csv", row)]);
    let text = opened(&config).unwrap_err().to_string();
    assert!(text.contains("ES_2.csv: its name gives the symbol `ES`, and so does "), "{text}");

    let (_folder, config) = files(&[("ES_1.csv", row), ("ES_2.csv", later)]);
    assert_eq!(replayed(&config).len(), 4);

    let (_folder, config) = files(&[("CL_202403.csv", row), ("CL_202404.csv", row)]);
    assert_eq!(replayed(&config)[..2], ["CL_202403 2024-01-03T14:30:01Z", "CL_202404 2024-01-03T14:30:01Z"]);

    // The number is the length of the bars in minutes.
    let bars = |length: i64| format!("time,close\n1704292200,5\n{},5\n", 1_704_292_200 + 60 * length);
    let (_folder, config) = files(&[("KO 15.csv", &bars(15)), ("KO 60.csv", &bars(60))]);
    assert_eq!(replayed(&config).len(), 4);
}

#[test]
fn a_configured_symbol_applies_to_files_without_a_symbol_column() {
    let (_folder, config) = files(&[
        ("x.csv", "time,price\n1704292201,5\n"),
        ("y.csv", "time,ticker,price\n1704292202, NA ,5\n"),
    ]);

    let events = replayed(&Config { symbol: Some("ABC".to_owned()), ..config });

    assert_eq!(events, ["ABC 2024-01-03T14:30:01Z", "NA 2024-01-03T14:30:02Z"]);
}

#[test]
fn files_have_an_extent_and_can_be_read_again() {
    let (_folder, config) = files(&[
        ("A.csv", "time,price\n1704292210,1\n1704292212,x\n"),
        ("B.csv", "time,price\n1704292209,1\n"),
    ]);
    let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
    let replay = Replay::open(&config, &lines).unwrap();
    let second = |seconds: i64| Time::from_nanos((1_704_292_200 + seconds) * 1_000_000_000);

    let times = || {
        let mut batches = replay.batches();
        let events = iter::from_fn(|| batches.blocking_recv()).flat_map(Result::unwrap);
        events.map(|event| event.time).collect::<Vec<_>>()
    };
    assert_eq!(times(), [second(9), second(10)]);
    assert_eq!(times(), [second(9), second(10)]);
    assert_eq!(replay.extent(), Some(Extent { first: second(9), last: second(12), rows: 3 }));
}

#[test]
fn events_before_from_and_at_or_after_to_are_left_out() {
    let (_folder, config) = files(&[
        ("A.csv", "time,price\n2024-01-03,1\n2024-01-04,1\n2024-01-05,1\n2024-01-06,1\n"),
        ("B.csv", "time,price\n2023-01-05,1\n2023-01-04,1\n"),
    ]);
    let (from, to) = (Some("2024-01-04".to_owned()), Some("2024-01-06".to_owned()));

    let config = Config { from, to, ..config };
    let events = replayed(&config);

    assert_eq!(events, ["A 2024-01-04T00:00:00Z", "A 2024-01-05T00:00:00Z"]);
    let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
    let extent = Replay::open(&config, &lines).unwrap().extent().unwrap();
    assert_eq!(extent.first.to_string(), "2024-01-04T00:00:00Z");
    assert_eq!(extent.last.to_string(), "2024-01-05T00:00:00Z");
    assert_eq!(extent.rows, 2);
}

#[test]
fn a_rejected_row_is_counted_once_even_if_it_is_read_again() {
    let bad = "time,price\n1704292201,1\n1704292202,x\n1704292203,1\n1704292204,1\n1704292205,x\n";
    let (_folder, config) = files(&[("A.csv", bad)]);
    let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
    let replay = Replay::open(&config, &lines).unwrap();
    let read = || replay.events().unwrap().map(Result::unwrap);

    // The first reader stops after two events, and two others read to the end.
    assert_eq!((read().take(2).count(), read().count(), read().count()), (2, 3, 3));

    assert_eq!(lines.reject_counters.count("bad_number"), 2);
}

#[test]
fn a_symbol_may_begin_with_the_sign_of_a_comment() {
    let content = "# by a broker\nsymbol,time,price\n#AAPL,1704292201,1\n#MSFT,1704292202,1\n# the end\n";
    let (_folder, config) = files(&[("a.csv", content)]);

    assert_eq!(replayed(&config), ["_AAPL 2024-01-03T14:30:01Z", "_MSFT 2024-01-03T14:30:02Z"]);
}

#[test]
fn a_strict_replay_ends_at_the_first_rejected_row() {
    let (_folder, config) = files(&[("A.csv", "time,price\n1704292201,1\n1704292202,x\n1704292203,1\n")]);

    let mut batches = opened(&Config { strict: true, ..config }).unwrap();
    let read: Vec<_> = iter::from_fn(|| batches.blocking_recv()).collect();

    assert_eq!(read[0].as_ref().unwrap().len(), 1);
    let error = read[1].as_ref().unwrap_err();
    assert!(error.to_string().ends_with("A.csv:3: bad_number: `x`"), "{error}");
}

#[test]
fn a_file_is_refused_if_most_of_its_rows_are_bad_or_none_is_good() {
    let bad = refused("A.csv", "time,price\n1704292201,1\n1704292202,x\n1704292203,x\n");
    let none = refused("A.csv", "time,price\n1704292201,null\n");
    let empty = refused("A.csv", "time,price\n");

    assert!(
        bad.to_string().contains("2 of its first 3 rows cannot be used; line 3 is bad_number: `x`"),
        "{bad}"
    );
    assert!(empty.to_string().ends_with("none of its 0 rows gives an event"), "{empty}");
    assert!(none.to_string().ends_with("none of its 1 rows gives an event"), "{none}");
}

#[test]
fn local_times_are_in_the_zone_and_a_repeated_hour_follows_the_row_order() {
    let rows = "2024-11-03 00:30,1\n2024-11-03 01:30,1\n2024-11-03 01:00,1\n2024-11-03 01:30,1\n2024-11-03 02:00,1\n";
    let (_folder, config) = files(&[("A.csv", &format!("time,price\n{rows}"))]);

    let events = replayed(&Config { tz: Some("America/New_York".to_owned()), ..config });

    let times: Vec<_> = events.iter().map(|event| &event[13..18]).collect();
    assert_eq!(times, ["04:30", "05:30", "06:00", "06:30", "07:00"]);
}

#[test]
fn bad_rows_repeated_headers_and_comments_do_not_stop_a_replay() {
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
fn a_file_that_is_no_market_data_is_refused_with_its_likely_kind() {
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
fn a_file_without_a_needed_column_is_refused_with_its_name_and_line() {
    let ending = |name, content| {
        let error = refused(name, content).to_string();
        error[error.rfind(name).unwrap()..].to_owned()
    };

    assert_eq!(ending("A.csv", "symbol,price\n"), "A.csv:1: no time column among `symbol,price`");
    assert_eq!(ending("A.csv", "time,symbol\n"), "A.csv:1: no price column among `time,symbol`");
    assert_eq!(
        ending("A.csv", "date,close\nnoon,5\n"),
        "A.csv:2: `noon` is not a time, and no other row has one"
    );
    assert_eq!(ending("trades.csv", "time,price\n"), "trades.csv: cannot tell the symbol from the file name");
}

#[test]
fn a_missing_file_an_empty_folder_and_no_file_are_different_errors() {
    let missing = Config { files: vec!["no/such/file.csv".into()], ..Config::default() };

    let error = opened(&missing).unwrap_err();

    assert_eq!(error.to_string(), "cannot open no/such/file.csv");
    assert_eq!(error.class(), ErrorClass::NoInput);
    assert_eq!(opened(&Config::default()).unwrap_err().class(), ErrorClass::Configuration);
    let folder = tempfile::tempdir().unwrap();
    let error = opened(&Config { files: vec![folder.path().to_owned()], ..missing }).unwrap_err();
    assert!(error.to_string().ends_with("no file in it has an ending of market data"), "{error}");
}

/// Returns what `inspect` tells of a file.
fn inspected(content: &str) -> Inspection {
    let (_folder, config) = files(&[("a.csv", content)]);
    let lines = LineSettings { line_bytes: 64 * 1024, reject_counters: RejectCounters::default() };
    let replay = Replay::open(&config, &lines).unwrap();
    replay.inspect().next().unwrap().unwrap()
}

/// Returns the example of the only unused column, in a file of rows with a remark. A row is long by its remark.
fn example(remarks: impl IntoIterator<Item = String>) -> String {
    let rows: Vec<String> = remarks.into_iter().map(|remark| format!("1704292200,1,{remark}\n")).collect();
    let rows = rows.concat();
    let inspection = inspected(&format!("time,price,remark\n{rows}"));
    inspection.unused.first().map(|column| column.example.clone()).unwrap_or_default()
}

#[test]
fn the_first_hundred_lines_tell_the_columns() {
    let in_row = |row: usize| {
        let mut remarks = vec![String::new(); 120];
        "x".clone_into(&mut remarks[row - 1]);
        example(remarks)
    };

    assert_eq!(in_row(99), "x");
    assert_eq!(in_row(100), "");
}

#[test]
fn the_first_256_kib_tell_the_columns() {
    let in_row = |row: usize| {
        let header = "time,price,remark".len();
        let start = "1704292200,1,".len();
        let blanks = |bytes: usize| " ".repeat(bytes - start);
        // Up to row 19 the lines have 255 KiB, and up to row 20 they have 256 KiB.
        let mut remarks = vec![blanks(60 * 1024 - header)];
        remarks.extend(vec![blanks(60 * 1024); 3]);
        remarks.extend(vec![blanks(1024); 30]);
        remarks[row - 1].replace_range(..1, "x");
        example(remarks)
    };

    assert_eq!(in_row(20), "x");
    assert_eq!(in_row(21), "");
}

#[test]
fn bars_are_said_to_share_their_times_if_one_in_ten_does() {
    let is_said = |rows: u64| {
        let others: Vec<String> = (1..rows).map(|row| format!("{},1\n", 1_704_292_200 + row * 60)).collect();
        let others = others.concat();
        let inspection = inspected(&format!("time,close\n1704292260,1\n{others}"));
        inspection.warnings.iter().any(|warning| warning.contains("have the same time"))
    };

    assert!(is_said(10));
    assert!(!is_said(11));
}

#[test]
fn hourly_bars_of_the_hour_that_is_repeated_in_autumn_do_not_share_their_time() {
    let bars = "2024-10-27 01:00,5\n2024-10-27 02:00,5\n2024-10-27 02:00,6\n2024-10-27 03:00,7\n";
    let warnings = |zone: &str| {
        let (_folder, config) = files(&[("KO.csv", &format!("time,close\n{bars}"))]);
        let config = Config { tz: Some(zone.to_owned()), ..config };
        let lines = LineSettings { line_bytes: 64 * 1024, reject_counters: RejectCounters::default() };
        let replay = Replay::open(&config, &lines).unwrap();
        replay.inspect().next().unwrap().unwrap().warnings
    };

    assert_eq!(warnings("Europe/Berlin"), Vec::<String>::new());
    assert_eq!(warnings("UTC").len(), 1);
}

#[test]
fn a_file_is_refused_if_more_than_half_of_its_first_hundred_rows_are_bad() {
    let file = |bad: usize| {
        let rows = |count: usize, price: &str| format!("1704292200,A,{price}\n").repeat(count);
        let (bad, good) = (rows(bad, "x"), rows(100 - bad, "1"));
        format!("time,symbol,price\n{bad}{good}1704292200,A,x\n1704292200,A,1\n")
    };

    let (_folder, config) = files(&[("a.csv", &file(50))]);
    assert!(opened(&config).is_ok());
    assert!(matches!(refused("a.csv", &file(51)), FeedError::MostlyBad { bad: 51, tried: 100, .. }));
}

#[test]
fn more_than_half_of_the_lines_of_a_table_have_runs_of_blanks() {
    let reason = |text: &str| refused("a.csv", text).to_string();

    assert!(reason("one  two\nthree  four\nfive").contains("several blanks between them"));
    assert!(reason("one  two\nthree").contains("text that is no table"));
}
