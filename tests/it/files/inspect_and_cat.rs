//! Tests of the commands `inspect` and `cat` of the built program, with valid files and with unreadable
//! files.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::process::{ServerProcess, WatchProcess, assert_is_one_error, by_shell, run, tickerplant};

/// A file whose rows are in ascending order of time. The program rejects three of these rows, each for a
/// different reason.
const UP: &str = "time,price,size\n2024-01-02 09:30,59.82,100\n2024-01-02 09:31,,100\nnoon,59.8,100\n\
                  2024-01-02 09:32,59.x,100\n2024-01-02 09:33,59.83,\n2024-01-02 09:34,59.84,200\n";
/// A file whose rows are in descending order of time.
const DOWN: &str = "Datum;Schluss\n15.01.2024;100,78\n02.01.2024;100,90\n";
/// A file whose rows are not sorted by time. The dates of this file do not show whether the day or the month
/// comes first.
const UNSORTED: &str = "date\tclose\n01/02/2024\t1.5\n02/02/2024\t2.5\n01/02/2024\t1.25\n";
const PAGE: &str = "<!DOCTYPE html>\n<p>Not found</p>\n";

/// A temporary folder with the files of a test.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            fs::write(folder.path(name), content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs the program in the folder. Returns the program's exit code, its standard output and its standard
    /// error.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = tickerplant(arguments);
        command.current_dir(self.0.path());
        run(command).await
    }

    /// Runs `inspect --json`, which must succeed. Returns the JSON objects that the command prints.
    async fn inspected(&self, arguments: &[&str]) -> Vec<Value> {
        let (code, out, err) = self.run(&[&["inspect", "--json"], arguments].concat()).await;
        assert_eq!(code, 0, "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn the_json_has_all_that_was_recognized_of_each_file() {
    let files = Files::new(&[("UP.csv", UP), ("DOWN.csv", DOWN), ("UNSORTED.tsv", UNSORTED)]);

    let found = files.inspected(&["UP.csv", "DOWN.csv", "UNSORTED.tsv"]).await;

    let trade =
        |time: &str, price: f64| json!({"type": "trade", "symbol": "UP", "time": time, "price": price});
    let mut first = trade("2024-01-02T09:30:00Z", 59.82);
    first["size"] = json!(100);
    let mut last = trade("2024-01-02T09:34:00Z", 59.84);
    last["size"] = json!(200);
    let up = json!({
        "file": "UP.csv", "layout": "trades", "kind": "trade", "rows": 6, "events": 3,
        "skipped": {"missing": 1, "bad_time": 1, "bad_number": 1},
        "order": "ascending", "zone": "UTC (assumed)", "symbols": {"UP": 3}, "first": first, "last": last,
        "columns": {"time": "time", "price": "price", "size": "size"}, "encoding": "UTF-8", "delimiter": ",", "decimal": ".",
    });
    let bar = |symbol: &str, time: &str, close: f64| json!({"type": "bar", "symbol": symbol, "time": time, "close": close});
    let down = json!({
        "file": "DOWN.csv", "layout": "bars", "kind": "bar", "rows": 2, "events": 2, "skipped": {},
        "order": "descending", "zone": "UTC (assumed)", "symbols": {"DOWN": 2},
        "first": bar("DOWN", "2024-01-02T00:00:00Z", 100.90), "last": bar("DOWN", "2024-01-15T00:00:00Z", 100.78),
        "columns": {"time": "Datum", "close": "Schluss"}, "encoding": "UTF-8", "delimiter": ";", "decimal": ",",
    });
    let unsorted = json!({
        "file": "UNSORTED.tsv", "layout": "bars", "kind": "bar", "rows": 3, "events": 3, "skipped": {},
        "order": "unsorted", "zone": "UTC (assumed)", "symbols": {"UNSORTED": 3},
        "first": bar("UNSORTED", "2024-02-01T00:00:00Z", 1.5), "last": bar("UNSORTED", "2024-02-02T00:00:00Z", 2.5),
        "columns": {"time": "date", "close": "close"}, "encoding": "UTF-8", "delimiter": "\t", "decimal": ".",
        "assumed_date_order": "dmy",
    });
    assert_eq!(found, [up, down, unsorted]);
}

#[tokio::test]
async fn columns_without_a_role_are_listed_with_an_example() {
    let files = Files::new(&[
        ("KO.csv", "time,price,size,Trade ID,note,\n1704205800,59.82,100,,,\n1704205801,59.83,100,7,,\n"),
        (
            "KO.txt",
            "20240102,093000,59.8,59.9,59.7,59.8,100,41\n20240102,093100,59.8,59.9,59.7,59.8,100,42\n",
        ),
        ("UP.csv", UP),
    ]);

    let found = files.inspected(&["KO.csv", "KO.txt", "UP.csv"]).await;
    let (_, table, _) = files.run(&["inspect", "KO.csv"]).await;

    let unused: Vec<Value> = found.iter().map(|object| object["unused"].clone()).collect();
    assert_eq!(unused[0], json!([{"column": "Trade ID", "example": "7"}, {"column": "note", "example": ""}]));
    assert_eq!(unused[1], json!([{"column": "7", "example": "41"}]));
    assert_eq!(unused[2], Value::Null);
    assert!(table.contains("\nunused    Trade ID (7), note ()\n"), "{table}");
}

#[tokio::test]
async fn an_unused_column_that_the_layout_may_lack_is_warned_of_once_a_file() {
    let files = Files::new(&[
        (
            "KO.csv",
            "date,time,usec,timezone,price,lots traded,side,series\n\
             2024-01-02,09:30:00,123,EST,59.82,100,buy,202403\n",
        ),
        ("UP.csv", "time,price,size,millis,isin\n2024-01-02 09:30:00.5Z,59.82,100,7,US1912161007\n"),
    ]);

    let found = files.inspected(&["KO.csv", "UP.csv"]).await;
    let (_, table, _) = files.run(&["inspect", "KO.csv"]).await;
    let (_, _, log) = files.run(&["cat", "KO.csv"]).await;

    let said = |column: &str, rest: &str| format!("column `{column}` {rest})");
    let warnings = [
        said(
            "usec",
            "(123) is not used, and may hold a part of the time (set it by --map millis=usec, if it holds milliseconds",
        ),
        said("timezone", "(EST) is not used, and may give the zone of the times (set it by --tz"),
        said(
            "lots traded",
            "(100) is not used, and may hold sizes or their running total (set it by --map size=5",
        ),
        said("series", "(202403) is not used, and may tell instruments apart (set it by --map symbol=series"),
    ];
    assert_eq!(found[0]["warnings"], json!(warnings));
    for warning in warnings {
        assert!(table.contains(&format!("\nwarning   {warning}\n")), "{table}");
        assert_eq!(log.matches(&warning).count(), 1, "{log}");
    }
    assert_eq!(found[1]["symbols"], json!({"US1912161007": 1}));
    assert_eq!(found[1]["warnings"], Value::Null);
}

#[tokio::test]
async fn a_bar_that_contradicts_itself_is_counted_as_implausible() {
    let good = "2024-01-02,5,7,4,6\n".repeat(11);
    let files = Files::new(&[("KO.csv", &format!("date,open,high,low,close\n{good}2024-01-03,5,4,7,6\n"))]);

    let found = files.inspected(&["KO.csv"]).await;
    let (code, _, err) = files.run(&["cat", "KO.csv", "--strict"]).await;

    assert_eq!((&found[0]["events"], &found[0]["skipped"]), (&json!(11), &json!({"implausible": 1})));
    assert_eq!(code, 65);
    assert!(err.contains("KO.csv:13: implausible: `open 5, high 4, low 7, close 6`"), "{err}");
}

#[tokio::test]
async fn an_assumed_day_or_unit_is_warned_of() {
    let rows = "time,bid,ask\n18:00:01,58.93,58.95\n00:00:02,58.94,58.95\n16:59:59,58.94,58.95\n";
    let seconds = "34200,59.81,100\n34201,59.82,100\n";
    let files = Files::new(&[("KO_20240103.csv", rows), ("KO_20240104.csv", seconds)]);
    fs::create_dir(files.path("backup_20231201")).unwrap();
    fs::write(files.path("backup_20231201/KO.csv"), "time,bid,ask\n09:30:00,58.93,58.95\n").unwrap();

    let found = files.inspected(&["KO_20240103.csv", "backup_20231201/KO.csv", "KO_20240104.csv"]).await;

    let evening =
        "the times fall once in each date, so times from 18:00 on are read as the evening before the date";
    let day = "the times have no date, so the day 2023-12-01 in the name of a folder is assumed";
    let unit = "the times of day are read as seconds since midnight, and could be milliseconds since midnight \
                (set it by --time-of-day)";
    let warnings: Vec<Value> = found.iter().map(|object| object["warnings"].clone()).collect();
    assert_eq!(warnings, [json!([evening]), json!([day]), json!([unit])]);
}

#[tokio::test]
async fn a_first_row_that_is_too_long_is_counted_like_others() {
    let long = "9".repeat(70_000);
    let files = Files::new(&[
        ("KO.csv", &format!("time,price\n2024-01-02T14:30:00Z,{long}\n2024-01-02T14:30:01Z,59.81\n")),
        ("UP.csv", &format!("2024-01-02T14:30:00Z,{long}\n2024-01-02T14:30:01Z,59.81\n")),
    ]);

    let found = files.inspected(&["KO.csv", "UP.csv"]).await;

    for file in &found {
        assert_eq!((&file["rows"], &file["skipped"]), (&json!(2), &json!({"too_long": 1})), "{file}");
    }
}

#[tokio::test]
async fn prices_and_times_that_are_hardly_right_are_warned_of() {
    let days_and_one_twice = |days: u32| {
        let rows: Vec<String> = (1..=days).chain([days]).map(|day| format!("2024-01-{day:02},1\n")).collect();
        format!("date,close\n{}", rows.concat())
    };
    let bars = "date,close\n2024-01-02,1\n2024-01-02,2\n".to_owned() + &"2024-01-03,2\n".repeat(2);
    let files = Files::new(&[
        ("JUMP.csv", "time,price\n2024-01-02T14:30:00Z,187.15\n2024-01-02T14:30:01Z,18716\n"),
        ("COMMA.csv", "time\tprice\n2024-01-02T14:30:00Z\t1,234\n2024-01-02T14:30:01Z\t1,235\n"),
        ("DAYS.csv", "date,price,size\n2024-01-02,59.81,1\n2024-01-02,59.82,2\n"),
        ("TWICE.csv", &bars),
        ("FINE.csv", &days_and_one_twice(10)),
        ("TENTH.csv", &days_and_one_twice(9)),
    ]);

    let found =
        files.inspected(&["JUMP.csv", "COMMA.csv", "DAYS.csv", "TWICE.csv", "FINE.csv", "TENTH.csv"]).await;

    let warnings: Vec<Value> = found.iter().map(|object| object["warnings"].clone()).collect();
    assert_eq!(
        warnings,
        [
            json!([
                "prices jump by a power of ten (line 3: 18716 after 187.15): some may be in another unit or lack \
                 their decimal sign"
            ]),
            json!([
                "no number shows whether the comma in `1,234` separates thousands, as is assumed (set it by \
                 --decimal)"
            ]),
            json!([
                "the times are dates only, so all rows of a day have the same time (another column may have the \
                 time of day: --map time=DATE+TIME)"
            ]),
            json!([
                "2 of 4 bars have the same time and symbol as the bar before: they may be of several instruments"
            ]),
            Value::Null,
            json!([
                "1 of 10 bars have the same time and symbol as the bar before: they may be of several instruments"
            ]),
        ]
    );
}

#[tokio::test]
async fn times_that_occur_twice_or_not_at_all_in_a_zone_are_counted() {
    let files = Files::new(&[
        (
            "FALL.csv",
            "time,price\n2024-11-03 00:30,1\n2024-11-03 01:30,2\n2024-11-03 01:00,3\n2024-11-03 02:00,4\n",
        ),
        ("SPRING.csv", "time,price\n2024-03-10 03:31,3\n2024-03-10 02:30,2\n2024-03-10 01:59,1\n"),
        ("UTC.csv", "time,price\n2024-03-10T02:30:00Z,2\n"),
    ]);

    let found = files.inspected(&["FALL.csv", "SPRING.csv", "UTC.csv", "--tz", "America/New_York"]).await;

    let said = |key: &str| found.iter().map(|object| object[key].clone()).collect::<Vec<_>>();
    assert_eq!(said("zone"), ["America/New_York", "America/New_York", "UTC"]);
    assert_eq!(said("order"), ["ascending", "descending", "ascending"]);
    assert_eq!(said("repeated_times"), [json!(2), Value::Null, Value::Null]);
    assert_eq!(said("moved_times"), [Value::Null, json!(1), Value::Null]);
}

#[tokio::test]
async fn the_table_shows_rejected_rows_and_assumptions() {
    let clocks = "time,price\n2024-03-31 02:30,1\n2024-10-27 02:30,2\n";
    let files = Files::new(&[("UP.csv", UP), ("UNSORTED.tsv", UNSORTED), ("CLOCKS.csv", clocks)]);
    for (arguments, line) in [
        (&["UP.csv"][..], "rows      6, which gave 3 events"),
        (&["UP.csv"], "skipped   1 missing, 1 bad_time, 1 bad_number"),
        (&["UP.csv"], "zone      UTC (assumed): --tz says otherwise"),
        (&["UNSORTED.tsv"], "order     unsorted: sorted in memory, known only after a scan of its times"),
        (&["UNSORTED.tsv"], "dates     read as day/month/year"),
        (&["CLOCKS.csv", "--tz", "Europe/Berlin"], "zone      Europe/Berlin\n"),
        (&["CLOCKS.csv", "--tz", "Europe/Berlin"], "clocks    1 in repeated hours"),
        (&["CLOCKS.csv", "--tz", "Europe/Berlin"], "; 1 in skipped hours, moved forward"),
    ] {
        let (code, out, err) = files.run(&[&["inspect"], arguments].concat()).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(line), "{out}");
    }
}

#[tokio::test]
async fn a_packed_file_that_is_cut_short_gives_the_rows_before_the_cut_and_says_so() {
    let files = Files::new(&[]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    writeln!(packed, "time,price").unwrap();
    for row in 0..20_000_u64 {
        writeln!(packed, "{},{}", 1_704_205_800 + row, row * row).unwrap();
    }
    let packed = packed.finish().unwrap();
    fs::write(files.path("KO.csv.gz"), &packed[..packed.len() / 2]).unwrap();

    let found = files.inspected(&["KO.csv.gz"]).await;
    let (_, table, _) = files.run(&["inspect", "KO.csv.gz"]).await;
    let (code, out, err) = files.run(&["cat", "KO.csv.gz"]).await;

    let events = found[0]["events"].as_u64().unwrap();
    assert!((1000..20_000).contains(&events), "{found:?}");
    let damage = found[0]["damage"].as_str().unwrap();
    assert!(table.contains(&format!("damage    {damage}: what came before was read\n")), "{table}");
    assert_eq!((code, out.lines().count() as u64), (0, events), "{err}");
    assert!(err.contains("KO.csv.gz"), "{err}");
}

#[tokio::test]
async fn each_member_of_an_archive_has_an_object_of_its_own() {
    let files = Files::new(&[]);
    let mut archive = ZipWriter::new(File::create(files.path("all.zip")).unwrap());
    for (name, content) in [("UP.csv", UP), ("deep/DOWN.csv", DOWN)] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap();

    let found = files.inspected(&["all.zip"]).await;

    let said = |key: &str| found.iter().map(|object| object[key].clone()).collect::<Vec<_>>();
    assert_eq!(said("file"), ["all.zip:UP.csv", "all.zip:deep/DOWN.csv"]);
    assert_eq!(said("symbols"), [json!({"UP": 3}), json!({"DOWN": 2})]);
}

#[tokio::test]
async fn the_command_in_the_table_replays_the_file() {
    let files = Files::new(&[("Bob's \"best\" trades.csv", "when,$paid\n2024-01-02 09:30,59.82\n")]);
    let path = files.path("Bob's \"best\" trades.csv");
    let arguments = ["--symbol", "KO", "--tz", "America/New_York", "--map", "time=when,price=$paid"];

    let (code, out, err) = run(tickerplant(&[&["inspect", path.as_str()][..], &arguments].concat())).await;
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> =
        out.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(
        lines,
        ["file", "layout", "columns", "text", "rows", "order", "zone", "symbols", "span", "replay", ""],
        "{out}"
    );
    let command = out.lines().find_map(|line| line.strip_prefix("replay")).unwrap();
    let server = ServerProcess::spawn(by_shell(command.trim())).await;
    let mut watching = WatchProcess::start(&format!("{}?symbols=*", server.url));

    let frame = watching.line_with("59.82").await;

    assert!(frame.contains(r#""symbol":"KO""#), "{frame}");
    assert!(frame.contains(r#""time":"2024-01-02T14:30:00Z","price":59.82"#), "{frame}");
}

#[tokio::test]
async fn a_file_that_is_refused_does_not_stop_the_others() {
    let files = Files::new(&[("UP.csv", UP), ("page.csv", PAGE), ("DOWN.csv", DOWN)]);

    let (code, out, err) = files.run(&["inspect", "--log", "error", "UP.csv", "page.csv", "DOWN.csv"]).await;

    assert_eq!(code, 65, "{err}");
    assert!(out.contains("file      UP.csv\n") && out.contains("file      DOWN.csv\n"), "{out}");
    assert!(out.contains("refused   page.csv: not market data: it looks like an HTML page\n"), "{out}");
    assert_is_one_error(&err, "page.csv: not market data: it looks like an HTML page");

    let (code, out, _) = files.run(&["inspect", "--json", "UP.csv", "page.csv", "DOWN.csv"]).await;
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |key: &str| objects.iter().map(|object| object[key].clone()).collect::<Vec<_>>();
    assert_eq!(code, 65);
    assert_eq!(said("file"), ["UP.csv", "page.csv", "DOWN.csv"]);
    let refused = "page.csv: not market data: it looks like an HTML page";
    assert_eq!(said("error"), [Value::Null, json!(refused), Value::Null]);
}

#[tokio::test]
async fn other_files_in_a_folder_are_ignored_and_a_pattern_without_files_stops_nothing() {
    let files = Files::new(&[("UP.csv", UP), ("notes.txt", "bought some\nsold some\n")]);
    let folder = files.path("");

    let (code, out, err) = files.run(&["inspect", &folder]).await;
    assert_eq!((code, out.matches("refused   ").count()), (0, 1), "{err}");

    let (code, out, err) = files.run(&["inspect", "no*.csv", "UP.csv"]).await;
    assert_eq!(code, 66, "{err}");
    assert!(out.contains("file      UP.csv\n"), "{out}");
}

#[tokio::test]
async fn where_all_files_are_refused_the_first_is_named_with_their_number() {
    let files = Files::new(&[("page.csv", PAGE), ("EMPTY.csv", "")]);
    fs::write(files.path("picture.csv"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    fs::write(files.path("binary.csv"), [1, 0, 2, 0, 255, 0]).unwrap();

    let (code, out, err) = files.run(&["inspect", "page.csv", "EMPTY.csv", "picture.csv"]).await;

    assert_eq!((code, out.matches("refused   ").count()), (65, 3), "{err}");
    assert_is_one_error(&err, "3 of 3 files cannot be read; the first: page.csv: not market data");
    for (name, looks_like) in
        [("EMPTY.csv", "an empty file"), ("picture.csv", "a picture"), ("binary.csv", "binary data")]
    {
        for command in ["inspect", "cat"] {
            let (code, out, err) = files.run(&[command, name]).await;
            assert_eq!((code, out.as_str()), (65, ""), "{err}");
            assert_is_one_error(&err, &format!("{name}: not market data: it looks like {looks_like}"));
        }
    }
}

#[tokio::test]
async fn each_kind_of_error_has_its_exit_code() {
    let files = Files::new(&[("UP.csv", UP)]);
    for (arguments, code, place) in [
        (&["no-such.csv"][..], 66, "cannot open no-such.csv"),
        (&["no-such-*.csv"], 66, "no-such-*.csv: no file matches it"),
        (&["UP.csv", "--strict"], 65, "UP.csv:3: missing"),
        (&["UP.csv", "--date-order", "foo"], 2, "`foo` is not an order of day, month and year"),
        (&["UP.csv", "--map", "prize=1"], 2, "`prize` is not a role of a column"),
        (&["UP.csv", "--map", "price"], 2, "a map has the form time=date+clock,price=2"),
        (&["UP.csv", "--decimal", "dot"], 2, "`dot` is not a decimal sign"),
        (&["UP.csv", "--price-scale", "four"], 2, "--price-scale: `four` is not a whole number"),
        (&[], 2, "<FILE>"),
        (&["UP.csv", "--tz", "Mars"], 2, "--tz: `Mars` is not a time zone"),
        (&["UP.csv", "--layout", "foo"], 2, "--layout: there is no layout `foo`"),
        (&["UP.csv", "--encoding", "foo"], 2, "--encoding: `foo` is not an encoding"),
        (&["UP.csv", "--from", "noon"], 2, "--from: `noon` is not a time"),
        (&["UP.csv", "--delimiter", "ab"], 2, "--delimiter: `ab` is not a delimiter"),
        (&["UP.csv", "--price-scale", "29"], 2, "--price-scale: `29` is not a whole number from 0 to 28"),
        (&["UP.csv", "--symbol", "A B"], 2, "--symbol: symbol \"A B\" has a space"),
    ] {
        for command in ["inspect", "cat"] {
            let (found, out, err) = files.run(&[&[command], arguments].concat()).await;
            assert_eq!((found, out.as_str()), (code, ""), "{command} {arguments:?}: {err}");
            assert_is_one_error(&err, place);
            assert!(err.contains("\n hint: "), "{err}");
        }
    }
}

#[tokio::test]
async fn no_name_of_a_file_moves_the_cursor_of_a_terminal() {
    let (good, bad) = ("go\nod\u{1b}[31m.csv", "b\rad\u{1b}[2J.csv");
    let files = Files::new(&[(good, DOWN), (bad, PAGE)]);

    for arguments in
        [&["inspect", good][..], &["inspect", good, bad], &["inspect", "--json", bad, good], &["cat", bad]]
    {
        let (_, out, err) = files.run(arguments).await;

        let moves = |c: char| c.is_control() && c != '\n';
        assert!(!out.contains(moves) && !err.contains(moves), "{arguments:?}: {out:?} {err:?}");
        assert!(!out.contains("go\nod") && err.lines().count() <= 2, "{arguments:?}: {out:?} {err:?}");
    }
}

#[tokio::test]
async fn files_are_merged_by_time_and_then_in_the_order_in_which_they_are_given() {
    let files = Files::new(&[
        ("A.csv", "time,price\n2024-01-02T09:30:00Z,1\n2024-01-02T09:32:00Z,2\n"),
        ("B.csv", "time,price\n2024-01-02T09:32:00Z,3\n2024-01-02T09:31:00Z,4\n2024-01-02T09:30:00Z,5\n"),
    ]);

    let mut orders = Vec::new();
    for names in [["A.csv", "B.csv"], ["B.csv", "A.csv"]] {
        let (code, out, err) = files.run(&["cat", names[0], names[1]]).await;
        assert_eq!((code, err.as_str()), (0, ""));
        let price = |line: &str| serde_json::from_str::<Value>(line).unwrap()["price"].to_string();
        orders.push(out.lines().map(price).collect::<String>());
    }

    assert_eq!(orders, ["15423", "51432"]);
}

#[tokio::test]
async fn standard_input_takes_every_line_that_cat_prints() {
    let files = Files::new(&[
        (
            "ticks.csv",
            "time,symbol,price,size,bid,bid_size,ask,ask_size\n\
                       2024-01-02T14:30:00.000000001Z,BRK.B,,,361.1,100,361.2,200\n\
                       2024-01-02T14:30:01Z,BRK.B,361.20,0.5,361.1,,361.3,300\n",
        ),
        (
            "bars.csv",
            "time,symbol,open,high,low,close,volume,interval\n1704205800,삼성전자,1,79600,1,79600,17142847,1d\n",
        ),
        ("DOWN.csv", DOWN),
    ]);
    let (code, out, err) = files.run(&["cat", "ticks.csv", "bars.csv", "DOWN.csv"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let mut command = tickerplant(&["--feed", "stdin", "--wait-for-client"]);
    command.stdin(Stdio::piped());
    let mut server = ServerProcess::spawn(command).await;
    let mut input = server.process.stdin.take().unwrap();
    let mut watching = WatchProcess::start(&format!("{}?symbols=*&delivery=every", server.url));

    input.write_all(out.as_bytes()).await.unwrap();
    drop(input);
    let mut events = Vec::new();
    loop {
        let mut frame: Value = serde_json::from_str(&watching.line().await).unwrap();
        match frame["type"].as_str() {
            Some("trade" | "quote" | "bar") => {
                assert_eq!(frame.as_object_mut().unwrap().remove("seq"), Some(json!(events.len() + 1)));
                events.push(frame);
            }
            Some("feed") if frame["state"] == "ended" => break,
            _ => {}
        }
    }

    let printed: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, printed);
    assert_eq!(events.len(), 6);
    server.process.kill().await.unwrap();
    while let Some(line) = server.log.next_line().await.unwrap() {
        assert!(!line.contains("WARN"), "{line}");
    }
}

#[tokio::test]
async fn a_folder_and_a_pattern_mean_the_files_that_are_there() {
    let files = Files::new(&[
        ("A.csv", DOWN),
        ("B.txt", DOWN),
        ("README.md", "# What is here\n"),
        (".hidden.csv", PAGE),
    ]);
    symlink("nowhere.csv", files.path("C.csv")).unwrap();

    for (meant, names) in
        [(".", vec!["./A.csv", "./B.txt"]), ("*.csv", vec!["./A.csv"]), ("?.{txt,md}", vec!["./B.txt"])]
    {
        let found = files.inspected(&[meant]).await;
        let found: Vec<&str> = found.iter().map(|object| object["file"].as_str().unwrap()).collect();
        let (code, out, err) = files.run(&["cat", meant]).await;

        assert_eq!(found, names);
        assert_eq!((code, out.lines().count()), (0, 2 * names.len()), "{err}");
    }
}
